//! The Inception block.

use chainrule_graph::{Slide, Var};

use super::conv;
use crate::layer::{Layer, MaxPool};
use crate::scope::Scope;

/// 1 × 1, 3 × 3, 5 × 5 and pooling beside each other, behind 1 × 1 convolutions that keep them cheap (Szegedy and others
/// 2014; course 4, lectures 2.6 and 2.7). Height and width stay.
///
/// ```
/// use chainrule_nn::models::Inception;
/// use chainrule_nn::{Params, Summary};
/// // Block 3a of GoogLeNet, which is the lecture's.
/// let block = Inception { one: 64, three: [96, 128], five: [16, 32], pool: 32 };
/// let summary = Summary::of(&block, &Params::new(), [192, 28, 28])?;
/// assert_eq!(summary.parameters(), 163_696);
/// assert!(summary.to_string().contains("(m, 256, 28, 28)"));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Inception {
    /// Channels of the 1 × 1 convolution.
    pub one: usize,
    /// Channels before and behind the 3 × 3 convolution.
    pub three: [usize; 2],
    /// Channels before and behind the 5 × 5 convolution.
    pub five: [usize; 2],
    /// Channels behind the pooling.
    pub pool: usize,
}

impl Layer for Inception {
    #[track_caller]
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let step = |at: &str, channels: usize, size: usize, x: Var<'g>| {
            conv(channels, size, 1, size / 2).forward(&s.at(at), x).relu()
        };
        let one = step("one", self.one, 1, x);
        let three = step("three", self.three[1], 3, step("to_three", self.three[0], 1, x));
        let five = step("five", self.five[1], 5, step("to_five", self.five[0], 1, x));
        let greatest = MaxPool::new([3, 3]).slide(Slide::new().stride(1).padding(1)).forward(s, x);
        let pool = step("pool", self.pool, 1, greatest);
        s.graph().concat(&[one, three, five, pool], 1)
    }
}
