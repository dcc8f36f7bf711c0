//! LeNet-5.

use chainrule_graph::Var;

use super::{conv, max_pool};
use crate::layer::{Flatten, Layer, Linear};
use crate::scope::Scope;

/// LeNet-5 (LeCun and others 1998; course 4, lecture 2.2) as it is built today, with ReLU and the maximum of windows: for
/// images of 28 × 28, or of 32 × 32 [without padding](LeNet5::unpadded).
#[derive(Clone, Copy, Debug)]
pub struct LeNet5 {
    classes: usize,
    padding: usize,
}

impl LeNet5 {
    /// Logits of so many classes, of images of 28 × 28.
    pub fn new(classes: usize) -> Self {
        LeNet5 { classes, padding: 2 }
    }

    /// For images of 32 × 32, as in the paper.
    pub fn unpadded(self) -> Self {
        LeNet5 { padding: 0, ..self }
    }
}

impl Layer for LeNet5 {
    #[track_caller]
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let x = conv(6, 5, 1, self.padding).forward(&s.at("conv1"), x).relu();
        let x = conv(16, 5, 1, 0).forward(&s.at("conv2"), max_pool(s, 2, 2, x)).relu();
        let x = Flatten.forward(s, max_pool(s, 2, 2, x));
        let x = Linear::new(120).forward(&s.at("fc1"), x).relu();
        let x = Linear::new(84).forward(&s.at("fc2"), x).relu();
        Linear::new(self.classes).forward(&s.at("fc3"), x)
    }
}
