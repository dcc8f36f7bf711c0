//! Tiny YOLO.

use chainrule_graph::{Slide, Var};

use super::{conv, max_pool, normed};
use crate::layer::{Layer, MaxPool};
use crate::scope::Scope;

/// Tiny YOLO, version 2 (Redmon and Farhadi 2016; course 4, lecture 3.9): of images of 416 × 416, for each cell of a grid of
/// 13 × 13 and each anchor the place (x, y), the size (log w, log h), the logit of an object and those of its class:
/// (batch, anchors · (5 + classes), height / 32, width / 32).
///
/// With running statistics it has the published 15,867,885 numbers for 5 anchors and 20 classes.
///
/// ```
/// use chainrule_nn::models::TinyYolo;
/// use chainrule_nn::{Params, Summary};
/// let small = TinyYolo::new(2, 3).width(4);
/// assert!(Summary::of(&small, &Params::new(), [3, 64, 64])?.to_string().contains("(m, 16, 2, 2)"));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TinyYolo {
    anchors: usize,
    classes: usize,
    width: usize,
}

impl TinyYolo {
    /// For so many anchor boxes at each cell and so many classes, with 16 channels at first.
    pub fn new(anchors: usize, classes: usize) -> Self {
        TinyYolo { anchors, classes, width: 16 }
    }

    /// The channels at first; they double at each of six steps.
    pub fn width(self, width: usize) -> Self {
        TinyYolo { width, ..self }
    }
}

impl Layer for TinyYolo {
    #[track_caller]
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let mut x = x;
        for step in 0..8 {
            let place = s.at(&format!("layer{step}"));
            let layer = conv(self.width << step.min(6), 3, 1, 1);
            x = normed(&place, ["conv", "norm"], layer, x).leaky_relu(0.1);
            x = match step {
                0..5 => max_pool(s, 2, 2, x),
                // Each cell with its neighbours to the right and below; the grid stays.
                5 => {
                    MaxPool::new([2, 2]).slide(Slide::new().stride(1).padding([(0, 1), (0, 1)])).forward(s, x)
                }
                _ => x,
            };
        }
        conv(self.anchors.saturating_mul(self.classes.saturating_add(5)), 1, 1, 0).forward(&s.at("output"), x)
    }
}
