//! Compositions: functions written in primitives, with no rule of their own.

mod activation;
mod hyperbolic;
mod softmax;
mod stats;
