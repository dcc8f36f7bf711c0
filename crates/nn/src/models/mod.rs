//! Convolutional networks of the literature, as the lectures of course 4 draw them.
//!
//! Inputs are (batch, channels, height, width), outputs one logit for each class. Where PyTorch has the model, places are
//! called as its modules are, so that its parameters fit under their own names: all but the weights of [`Linear`], which lie
//! the other way, and the counters `num_batches_tracked`, which nothing here needs.
//!
//! ```
//! use chainrule_nn::models::LeNet5;
//! use chainrule_nn::{Params, Summary};
//! let summary = Summary::of(&LeNet5::new(10), &Params::new(), [1, 28, 28])?;
//! assert_eq!(summary.parameters(), 61_706);
//! # Ok::<(), chainrule_nn::Error>(())
//! ```
//!
//! [`Linear`]: crate::Linear

mod alexnet;
mod inception;
mod lenet;
mod mobilenet;
mod resnet;
mod squeeze;
mod unet;
mod vgg;
mod yolo;

use chainrule_graph::{Slide, Var};

use crate::layer::{BatchNorm, Conv, Layer, MaxPool};
use crate::scope::Scope;

pub use alexnet::AlexNet;
pub use inception::Inception;
pub use lenet::LeNet5;
pub use mobilenet::{InvertedResidual, MobileNetV2};
pub use resnet::{BasicBlock, Bottleneck, ResNet};
pub use squeeze::SqueezeExcite;
pub use unet::UNet;
pub use vgg::Vgg16;
pub use yolo::TinyYolo;

/// A square convolution with stride and padding on all sides.
fn conv(outputs: usize, size: usize, stride: usize, padding: usize) -> Conv {
    Conv::new(outputs, [size, size]).slide(Slide::new().stride(stride).padding(padding))
}

/// A convolution and the normalisation behind it, at two places.
#[track_caller]
fn normed<'g>(s: &Scope<'g>, at: [&str; 2], conv: Conv, x: Var<'g>) -> Var<'g> {
    let y = conv.without_bias().forward(&s.at(at[0]), x);
    BatchNorm::new().forward(&s.at(at[1]), y)
}

/// The greatest of squares of `size`, `stride` apart.
#[track_caller]
fn max_pool<'g>(s: &Scope<'g>, size: usize, stride: usize, x: Var<'g>) -> Var<'g> {
    MaxPool::new([size, size]).slide(Slide::new().stride(stride)).forward(s, x)
}
