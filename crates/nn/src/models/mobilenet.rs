//! MobileNetV2.

use chainrule_graph::{Slide, Var};

use super::{conv, normed};
use crate::layer::{Conv, Dropout, GlobalAvgPool, Layer, Linear};
use crate::scope::Scope;

/// Wide, depthwise, narrow, and a short way past them where the sizes allow it (Sandler and others 2018; course 4,
/// lecture 2.9).
#[derive(Clone, Copy, Debug)]
pub struct InvertedResidual {
    outputs: usize,
    stride: usize,
    expansion: usize,
}

impl InvertedResidual {
    /// Gives `outputs` channels, by way of `expansion` times the channels of the input.
    pub fn new(outputs: usize, stride: usize, expansion: usize) -> Self {
        InvertedResidual { outputs, stride, expansion }
    }
}

/// ReLU that ends at 6.
#[track_caller]
fn relu6(x: Var<'_>) -> Var<'_> {
    x.clip(0.0..=6.0)
}

impl Layer for InvertedResidual {
    #[track_caller]
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let (inputs, place) = (x.dim(1), s.at("conv"));
        let (mut y, mut step) = (x, 0);
        if self.expansion != 1 {
            let wide = conv(self.expansion.saturating_mul(inputs), 1, 1, 0);
            y = relu6(normed(&place.at("0"), ["0", "1"], wide, y));
            step = 1;
        }
        let each = Conv::depthwise(1, [3, 3]).slide(Slide::new().stride(self.stride).padding(1));
        y = relu6(normed(&place.at(&step.to_string()), ["0", "1"], each, y));
        let at = [(step + 1).to_string(), (step + 2).to_string()];
        y = normed(&place, [&at[0], &at[1]], conv(self.outputs, 1, 1, 0), y);
        if self.stride == 1 && inputs == self.outputs { x + y } else { y }
    }
}

/// MobileNetV2 (Sandler and others 2018; course 4, lecture 2.9) for images of 224 × 224, places named as PyTorch's.
///
/// ```
/// use chainrule_nn::models::MobileNetV2;
/// use chainrule_nn::{Params, Summary};
/// let summary = Summary::of(&MobileNetV2::new(1000), &Params::new(), [3, 32, 32])?;
/// assert_eq!(summary.parameters(), 3_504_872);
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct MobileNetV2 {
    classes: usize,
}

/// Expansion, channels, blocks, stride of the first of them (the paper's table 2).
const STAGES: [(usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

impl MobileNetV2 {
    /// Logits of so many classes.
    pub fn new(classes: usize) -> Self {
        MobileNetV2 { classes }
    }
}

impl Layer for MobileNetV2 {
    #[track_caller]
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let features = s.at("features");
        let mut x = relu6(normed(&features.at("0"), ["0", "1"], conv(32, 3, 2, 1), x));
        let mut place = 1;
        for (expansion, outputs, blocks, first) in STAGES {
            for block in 0..blocks {
                let stride = if block == 0 { first } else { 1 };
                let layer = InvertedResidual { outputs, stride, expansion };
                x = layer.forward(&features.at(&place.to_string()), x);
                place += 1;
            }
        }
        let last = features.at(&place.to_string());
        let x = relu6(normed(&last, ["0", "1"], conv(1280, 1, 1, 0), x));
        let head = s.at("classifier");
        let x = Dropout::keep(0.8).forward(&head.at("0"), GlobalAvgPool.forward(s, x));
        Linear::new(self.classes).forward(&head.at("1"), x)
    }
}
