//! Compositions: functions written in primitives, with no rule of their own.

mod activation;
mod convolution;
mod einsum;
mod hyperbolic;
mod matrix;
mod pool;
pub(crate) mod resize;
pub(crate) mod samples;
pub(crate) mod slide;
mod softmax;
mod stats;
mod trigonometric;
