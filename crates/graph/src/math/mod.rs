//! Compositions: functions written in primitives, with no rule of their own.

mod activation;
mod einsum;
mod hyperbolic;
mod matrix;
pub(crate) mod samples;
mod softmax;
mod stats;
mod trigonometric;
