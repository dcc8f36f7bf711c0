//! Inverted dropout.

use chainrule_graph::{Error, ErrorKind, Var};

use super::Layer;
use crate::scope::{Mode, Scope};

/// Keeps each element with probability `keep` and divides by `keep`, so that the expected value stays
/// (inverted dropout, course 2, lecture 1.6; Srivastava et al. 2014). Does nothing outside training.
///
/// The mask is a function of seed, step and scope path, so a model with dropout can be gradient-checked. Each dropout at
/// a place has a mask of its own, and inside [`vmap`](chainrule_graph::vmap) each example.
///
/// ```
/// use chainrule_graph::Graph;
/// use chainrule_nn::{Dropout, Layer, Mode, Params, Scope};
/// let g = Graph::new();
/// let x = g.constant([[1.0_f32; 100]]);
/// let s = Scope::root(&g, Params::new(), Mode::Train, 1);
/// let y = Dropout::keep(0.8).forward(&s.at("drop"), x).value()?;
/// assert!(y.as_slice::<f32>().expect("f32").iter().all(|y| *y == 0.0 || *y == 1.25));
/// # Ok::<(), chainrule_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dropout {
    keep: f64,
}

impl Dropout {
    /// Keeps with probability `keep` (the lectures' keep_prob), in (0, 1].
    pub fn keep(keep: f64) -> Self {
        Dropout { keep }
    }
}

impl Layer for Dropout {
    #[track_caller]
    fn forward<'g>(&self, scope: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        if !(self.keep > 0.0 && self.keep <= 1.0) {
            let why = format!("keep is {}, which is no probability in (0, 1]", self.keep);
            return x.fail(Error::new(ErrorKind::Value { op: "dropout", why }).operand(
                "input",
                x.ty(),
                x.origin(),
            ));
        }
        if scope.mode() == Mode::Evaluate || self.keep == 1.0 {
            return x;
        }
        let kept = scope.uniform(x.shape()).less(self.keep);
        kept.select(x * (1.0 / self.keep), 0.0)
    }
}
