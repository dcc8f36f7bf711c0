//! AlexNet.

use chainrule_graph::Var;

use super::{conv, max_pool};
use crate::layer::{Dropout, Flatten, Layer, Linear};
use crate::scope::Scope;

/// AlexNet in one tower (Krizhevsky 2014; course 4, lecture 2.2) for images of 224 × 224, or larger.
///
/// ```
/// use chainrule_nn::models::AlexNet;
/// let model = AlexNet::new(1000); // 61,100,840 parameters for images of 3 channels
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AlexNet {
    classes: usize,
}

impl AlexNet {
    /// Logits of so many classes.
    pub fn new(classes: usize) -> Self {
        AlexNet { classes }
    }
}

impl Layer for AlexNet {
    #[track_caller]
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let features = s.at("features");
        let x = conv(64, 11, 4, 2).forward(&features.at("0"), x).relu();
        let x = conv(192, 5, 1, 2).forward(&features.at("3"), max_pool(s, 3, 2, x)).relu();
        let x = conv(384, 3, 1, 1).forward(&features.at("6"), max_pool(s, 3, 2, x)).relu();
        let x = conv(256, 3, 1, 1).forward(&features.at("8"), x).relu();
        let x = conv(256, 3, 1, 1).forward(&features.at("10"), x).relu();
        let x = Flatten.forward(s, max_pool(s, 3, 2, x).adaptive_avg_pool([6, 6]));
        let head = s.at("classifier");
        let x = Dropout::keep(0.5).forward(&head.at("0"), x);
        let x = Linear::new(4096).forward(&head.at("1"), x).relu();
        let x = Dropout::keep(0.5).forward(&head.at("3"), x);
        let x = Linear::new(4096).forward(&head.at("4"), x).relu();
        Linear::new(self.classes).forward(&head.at("6"), x)
    }
}
