//! Residual networks.

use chainrule_graph::{Slide, Var};

use super::{conv, normed};
use crate::layer::{BatchNorm, Conv, GlobalAvgPool, Layer, Linear, MaxPool};
use crate::scope::Scope;

/// Convolution and normalisation, with the bias that the course's form has.
#[track_caller]
fn step<'g>(s: &Scope<'g>, at: [&str; 2], conv: Conv, biases: bool, x: Var<'g>) -> Var<'g> {
    if !biases {
        return normed(s, at, conv, x);
    }
    BatchNorm::new().forward(&s.at(at[1]), conv.forward(&s.at(at[0]), x))
}

/// The short way past a block: the value itself, or its projection where channels or stride differ.
#[track_caller]
fn shortcut<'g>(s: &Scope<'g>, outputs: usize, stride: usize, biases: bool, x: Var<'g>) -> Var<'g> {
    if stride == 1 && x.dim(1) == outputs {
        return x;
    }
    step(&s.at("downsample"), ["0", "1"], conv(outputs, 1, stride, 0), biases, x)
}

/// Two 3 × 3 convolutions and a short way past them (He and others 2015; course 4, lecture 2.3): relu(f(x) + x).
#[derive(Clone, Copy, Debug)]
pub struct BasicBlock {
    channels: usize,
    stride: usize,
    biases: bool,
}

impl BasicBlock {
    /// Gives so many channels, halving height and width with a stride of 2.
    pub fn new(channels: usize, stride: usize) -> Self {
        BasicBlock { channels, stride, biases: false }
    }
}

impl Layer for BasicBlock {
    #[track_caller]
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let BasicBlock { channels, stride, biases } = *self;
        let y = step(s, ["conv1", "bn1"], conv(channels, 3, stride, 1), biases, x).relu();
        let y = step(s, ["conv2", "bn2"], conv(channels, 3, 1, 1), biases, y);
        (y + shortcut(s, channels, stride, biases, x)).relu()
    }
}

/// 1 × 1 down, 3 × 3, 1 × 1 up to four times the channels, and a short way past them. The stride is that of the 3 × 3
/// convolution, as in PyTorch.
#[derive(Clone, Copy, Debug)]
pub struct Bottleneck {
    channels: usize,
    stride: usize,
    biases: bool,
}

impl Bottleneck {
    /// Gives four times so many channels, halving height and width with a stride of 2.
    pub fn new(channels: usize, stride: usize) -> Self {
        Bottleneck { channels, stride, biases: false }
    }
}

impl Layer for Bottleneck {
    #[track_caller]
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let Bottleneck { channels, stride, biases } = *self;
        let y = step(s, ["conv1", "bn1"], conv(channels, 1, 1, 0), biases, x).relu();
        let y = step(s, ["conv2", "bn2"], conv(channels, 3, stride, 1), biases, y).relu();
        let y = step(s, ["conv3", "bn3"], conv(4 * channels, 1, 1, 0), biases, y);
        (y + shortcut(s, 4 * channels, stride, biases, x)).relu()
    }
}

/// A residual network (He and others 2015; course 4, lecture 2.4), places named as PyTorch's.
///
/// ```
/// use chainrule_nn::models::ResNet;
/// use chainrule_nn::{Params, Summary};
/// let small = ResNet::resnet18(10).width(8);
/// let summary = Summary::of(&small, &Params::new(), [3, 32, 32])?;
/// assert!(summary.to_string().contains("layer4.1.conv2"));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ResNet {
    classes: usize,
    width: usize,
    blocks: [usize; 4],
    bottleneck: bool,
    biases: bool,
}

impl ResNet {
    /// Two [`BasicBlock`]s at each of four sizes.
    pub fn resnet18(classes: usize) -> Self {
        ResNet { classes, width: 64, blocks: [2, 2, 2, 2], bottleneck: false, biases: false }
    }

    /// 3, 4, 6 and 3 [`Bottleneck`]s at four sizes.
    pub fn resnet50(classes: usize) -> Self {
        ResNet { blocks: [3, 4, 6, 3], bottleneck: true, ..ResNet::resnet18(classes) }
    }

    /// The channels at the first size, 64 where nothing is said; each further size has twice as many.
    pub fn width(self, width: usize) -> Self {
        ResNet { width, ..self }
    }

    /// Convolutions with biases, which the normalisations behind them take away: the course's form.
    pub fn biases(self) -> Self {
        ResNet { biases: true, ..self }
    }
}

impl Layer for ResNet {
    #[track_caller]
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let ResNet { width, biases, .. } = *self;
        let x = step(s, ["conv1", "bn1"], conv(width, 7, 2, 3), biases, x).relu();
        let mut x = MaxPool::new([3, 3]).slide(Slide::new().stride(2).padding(1)).forward(s, x);
        for (size, blocks) in self.blocks.into_iter().enumerate() {
            let layer = s.at(&format!("layer{}", size + 1));
            let channels = width << size;
            for block in 0..blocks {
                let place = layer.at(&block.to_string());
                let stride = if block == 0 && size > 0 { 2 } else { 1 };
                x = if self.bottleneck {
                    Bottleneck { channels, stride, biases }.forward(&place, x)
                } else {
                    BasicBlock { channels, stride, biases }.forward(&place, x)
                };
            }
        }
        Linear::new(self.classes).forward(&s.at("fc"), GlobalAvgPool.forward(s, x))
    }
}
