//! Squeeze and excitation.

use chainrule_graph::Var;

use crate::layer::{GlobalAvgPool, Layer, Linear};
use crate::scope::Scope;

/// Each channel times a number in (0, 1), which two dense layers make of the means of all channels (Hu and others 2017).
///
/// ```
/// use chainrule_nn::models::SqueezeExcite;
/// use chainrule_nn::{Params, Summary};
/// let summary = Summary::of(&SqueezeExcite::new(16), &Params::new(), [64, 8, 8])?;
/// assert_eq!(summary.parameters(), (64 * 4 + 4) + (4 * 64 + 64));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SqueezeExcite {
    ratio: usize,
}

impl SqueezeExcite {
    /// By way of `ratio` times fewer numbers than channels, at least one; 0 is taken for 1.
    pub fn new(ratio: usize) -> Self {
        SqueezeExcite { ratio: ratio.max(1) }
    }
}

impl Layer for SqueezeExcite {
    #[track_caller]
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let channels = x.dim(1);
        let few = (channels / self.ratio).max(1);
        let h = Linear::new(few).forward(&s.at("squeeze"), GlobalAvgPool.forward(s, x)).relu();
        let scale = Linear::new(channels).forward(&s.at("excite"), h).sigmoid();
        x * (2..x.rank()).fold(scale, |scale, _| scale.insert_axis(-1))
    }
}
