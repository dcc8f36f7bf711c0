//! Losses of directions: how far two vectors point apart.

use std::panic::Location;

use chainrule_graph::Var;
use chainrule_tensor::keep;

use super::{Outputs, Reduction, reads, same_shape};
use crate::Loss;

/// Lengths below this count as this, so that a vector of zeros has a cosine.
const SHORTEST: f64 = 1e-8;

/// The cosine of the angle between the vectors of the last axis, which disappears.
#[track_caller]
fn cosine<'g>(a: Var<'g>, b: Var<'g>) -> Var<'g> {
    let length = |x: Var<'g>| x.square().sum(-1).maximum(SHORTEST * SHORTEST).sqrt();
    (a * b).sum(-1) / (length(a) * length(b))
}

/// 1 − cos of the angle between prediction and target along the last axis: 0 where they point alike, 2 where they are
/// opposite.
///
/// ```
/// use chainrule_graph::Graph;
/// use chainrule_nn::{Loss, loss::CosineDistance};
/// let g = Graph::new();
/// let (a, b) = (g.leaf("a", [[1.0, 0.0]]), g.constant([[0.0, 3.0]]));
/// assert_eq!(CosineDistance::default().of(a, b).value()?.item::<f64>()?, 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CosineDistance {
    /// How the rows' losses become the loss.
    pub reduction: Reduction,
}

impl Loss for CosineDistance {
    #[track_caller]
    fn of<'g>(&self, prediction: Var<'g>, target: Var<'g>) -> Var<'g> {
        let _here = prediction.graph().blame("cosine_distance", Location::caller());
        match same_shape("cosine_distance", prediction, target) {
            Ok(()) => {
                reads(prediction, target, Outputs::Values);
                self.reduction.of(1.0 - cosine(prediction, target.real()))
            }
            Err(poisoned) => poisoned,
        }
    }
}

/// For pairs of vectors `a` and `b`, (…, n), that belong together where `target`, (…), is 1 and do not where it is −1:
/// 1 − cos(a, b) of the former, max(0, cos(a, b) − `margin`) of the latter.
#[track_caller]
pub fn cosine_embedding<'g>(
    a: Var<'g>,
    b: Var<'g>,
    target: Var<'g>,
    margin: f64,
    reduction: Reduction,
) -> Var<'g> {
    let _here = a.graph().blame("cosine_embedding", Location::caller());
    if let Err(poisoned) = same_shape("cosine_embedding", a, b) {
        return poisoned;
    }
    let cos = cosine(a, b);
    if let Err(poisoned) = same_shape("cosine_embedding", cos, target) {
        return poisoned;
    }
    let y = target.real().in_interval(-1.0, 1.0, "target");
    reduction.of(y.greater(0.0).select(1.0 - cos, (cos - margin).relu()))
}

/// For an anchor, a vector that belongs to it and one that does not, each (…, n): max(0, ‖a − p‖ − ‖a − q‖ + `margin`)
/// (Schroff and others 2015; course 4, lecture 4.4), with distances of the squares' roots.
#[track_caller]
pub fn triplet<'g>(
    anchor: Var<'g>,
    positive: Var<'g>,
    negative: Var<'g>,
    margin: f64,
    reduction: Reduction,
) -> Var<'g> {
    let _here = anchor.graph().blame("triplet", Location::caller());
    for other in [positive, negative] {
        if let Err(poisoned) = same_shape("triplet", anchor, other) {
            return poisoned;
        }
    }
    let distance = |x: Var<'g>| (anchor - x + SMALL).square().sum(keep(-1)).sqrt().squeeze(-1);
    reduction.of((distance(positive) - distance(negative) + margin).relu())
}

/// Added to differences, as PyTorch does, so that the root of 0 has a slope.
const SMALL: f64 = 1e-6;
