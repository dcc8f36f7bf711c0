//! U-Net.

use chainrule_graph::{Padding, Slide, Var};

use super::{conv, max_pool};
use crate::layer::{ConvTranspose, Dropout, Layer};
use crate::scope::Scope;

/// U-Net (Ronneberger and others 2015) in the form of course 4, lecture 3.11 and its assignment: four times down, four times up,
/// with what was seen on the way down beside it; one logit for each class and pixel. Height and width are multiples of 16.
///
/// ```
/// use chainrule_nn::models::UNet;
/// use chainrule_nn::{Params, Summary};
/// let summary = Summary::of(&UNet::new(23), &Params::new(), [3, 96, 128])?;
/// assert_eq!(summary.parameters(), 8_640_471);
/// assert!(summary.to_string().contains("(m, 23, 96, 128)"));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct UNet {
    classes: usize,
    width: usize,
}

impl UNet {
    /// For so many classes, with 32 channels at the full size.
    pub fn new(classes: usize) -> Self {
        UNet { classes, width: 32 }
    }

    /// The channels at the full size; each smaller size has twice as many.
    pub fn width(self, width: usize) -> Self {
        UNet { width, ..self }
    }
}

/// Two 3 × 3 convolutions.
#[track_caller]
fn pair<'g>(s: &Scope<'g>, channels: usize, x: Var<'g>) -> Var<'g> {
    let x = conv(channels, 3, 1, 1).forward(&s.at("conv1"), x).relu();
    conv(channels, 3, 1, 1).forward(&s.at("conv2"), x).relu()
}

impl Layer for UNet {
    #[track_caller]
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let (mut x, mut seen) = (x, Vec::new());
        for depth in 0..4 {
            let place = s.at(&format!("down{depth}"));
            x = pair(&place, self.width << depth, x);
            if depth == 3 {
                x = Dropout::keep(0.7).forward(&place, x);
            }
            seen.push(x);
            x = max_pool(s, 2, 2, x);
        }
        let place = s.at("bottom");
        x = Dropout::keep(0.7).forward(&place, pair(&place, self.width << 4, x));
        for (depth, beside) in seen.into_iter().enumerate().rev() {
            let place = s.at(&format!("up{depth}"));
            let channels = self.width << depth;
            // The padding that makes the result exactly twice as long.
            let twice = Slide::new().stride(2).padding([(0, 1), (0, 1)]);
            let up = ConvTranspose::new(channels, [3, 3]).slide(twice).forward(&place.at("up"), x);
            x = pair(&place, channels, s.graph().concat(&[up, beside], 1));
        }
        let same = conv(self.width, 3, 1, 1).slide(Slide::new().padding(Padding::Same));
        let x = same.forward(&s.at("last"), x).relu();
        conv(self.classes, 1, 1, 0).forward(&s.at("output"), x)
    }
}
