//! Compositions: functions written in primitives, with no rule of their own.

mod activation;
mod arrange;
pub(crate) mod clip;
mod convolution;
mod einsum;
mod expm;
mod extremes;
mod hyperbolic;
mod matrix;
pub(crate) mod norm;
mod pool;
pub(crate) mod resize;
pub(crate) mod samples;
pub(crate) mod slide;
mod softmax;
mod stats;
pub(crate) mod systems;
mod trigonometric;
