//! VGG-16.

use chainrule_graph::Var;

use super::{conv, max_pool};
use crate::layer::{Dropout, Flatten, Layer, Linear};
use crate::scope::Scope;

/// VGG-16 (Simonyan and Zisserman 2014; course 4, lecture 2.2) for images of 224 × 224: 3 × 3 convolutions, halved five
/// times.
///
/// ```
/// use chainrule_nn::models::Vgg16;
/// use chainrule_nn::{Params, Summary};
/// let summary = Summary::of(&Vgg16::features(), &Params::new(), [3, 32, 32])?;
/// assert_eq!(summary.parameters(), 14_714_688);
/// assert!(summary.to_string().contains("(m, 512, 1, 1)"));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Vgg16 {
    classes: Option<usize>,
}

impl Vgg16 {
    /// Logits of so many classes.
    pub fn new(classes: usize) -> Self {
        Vgg16 { classes: Some(classes) }
    }

    /// Without the dense layers: (batch, 512, height / 32, width / 32), for transfer and style.
    pub fn features() -> Self {
        Vgg16 { classes: None }
    }
}

impl Layer for Vgg16 {
    #[track_caller]
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let features = s.at("features");
        let (mut x, mut place) = (x, 0);
        for (channels, convolutions) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)] {
            for _ in 0..convolutions {
                x = conv(channels, 3, 1, 1).forward(&features.at(&place.to_string()), x).relu();
                place += 2;
            }
            x = max_pool(s, 2, 2, x);
            place += 1;
        }
        let Some(classes) = self.classes else { return x };
        let head = s.at("classifier");
        let x = Flatten.forward(s, x.adaptive_avg_pool([7, 7]));
        let x = Linear::new(4096).forward(&head.at("0"), x).relu();
        let x = Dropout::keep(0.5).forward(&head.at("2"), x);
        let x = Linear::new(4096).forward(&head.at("3"), x).relu();
        let x = Dropout::keep(0.5).forward(&head.at("5"), x);
        Linear::new(classes).forward(&head.at("6"), x)
    }
}
