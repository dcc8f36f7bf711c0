//! Losses of yes and no, from logits.

use std::panic::Location;

use chainrule_graph::Var;
use chainrule_tensor::{Error as TensorError, Tensor};

use super::{Outputs, Reduction, reads, same_shape, shares, weighted};
use crate::Loss;

/// −w·(p·y ln σ(z) + (1 − y) ln(1 − σ(z))) for logits z and targets y in 0..=1: the binary cross-entropy with a weight p
/// of what is 1, and weights w of the last axis' columns.
///
/// ```
/// use chainrule_graph::Graph;
/// use chainrule_nn::{Loss, loss::BinaryCrossEntropy};
/// let g = Graph::new();
/// let (z, y) = (g.leaf("z", [[2.0], [-1.0]]), g.constant([[1.0], [0.0]]));
/// let rare = BinaryCrossEntropy { positive: 9.0, ..BinaryCrossEntropy::default() };
/// assert!((rare.of(z, y).value()?.item::<f64>()? - 0.7278069).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BinaryCrossEntropy {
    /// How much a target of 1 weighs against one of 0: with few of them, the number of zeros for each.
    pub positive: f64,
    /// A weight for each column of the last axis.
    pub weights: Option<Vec<f64>>,
    /// How the elements' losses become the loss.
    pub reduction: Reduction,
}

impl Default for BinaryCrossEntropy {
    fn default() -> Self {
        BinaryCrossEntropy { positive: 1.0, weights: None, reduction: Reduction::Mean }
    }
}

impl Loss for BinaryCrossEntropy {
    #[track_caller]
    fn of<'g>(&self, prediction: Var<'g>, target: Var<'g>) -> Var<'g> {
        const OP: &str = "binary_cross_entropy";
        let _here = prediction.graph().blame(OP, Location::caller());
        if let Err(poisoned) = same_shape(OP, prediction, target) {
            return poisoned;
        }
        let shape = prediction.shape();
        let given = self.weights.as_ref().map(Vec::len);
        if let Some(n) = given.filter(|n| shape.last() != Some(n)) {
            let why = format!("{n} weights are given for a last axis of {:?}", shape.last());
            return prediction.fail(TensorError::shape(OP, [&shape[..]], why));
        }
        reads(prediction, target, Outputs::Logits);
        let y = shares(target);
        let losses =
            weighted(self.positive * y, (-prediction).softplus()) + weighted(1.0 - y, prediction.softplus());
        self.reduction.of(match &self.weights {
            Some(w) => {
                weighted(prediction.graph().constant(Tensor::from(&w[..])).broadcast_to(shape), losses)
            }
            None => losses,
        })
    }
}

/// The focal loss (Lin and others 2017): the binary cross-entropy of logits times (1 − pₜ)^`gamma`, pₜ being the probability
/// of the target, so that what is right already counts little; times `alpha` where the target is 1 and 1 − `alpha` where
/// it is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Focal {
    /// How much less counts what is right; 0 is the cross-entropy.
    pub gamma: f64,
    /// The weight of targets of 1; none without it.
    pub alpha: Option<f64>,
    /// How the elements' losses become the loss.
    pub reduction: Reduction,
}

impl Default for Focal {
    fn default() -> Self {
        Focal { gamma: 2.0, alpha: Some(0.25), reduction: Reduction::Mean }
    }
}

impl Loss for Focal {
    #[track_caller]
    fn of<'g>(&self, prediction: Var<'g>, target: Var<'g>) -> Var<'g> {
        let _here = prediction.graph().blame("focal", Location::caller());
        if let Err(poisoned) = same_shape("focal", prediction, target) {
            return poisoned;
        }
        reads(prediction, target, Outputs::Logits);
        let y = shares(target);
        // σ(−z) = 1 − σ(z), in which nothing cancels.
        let wrong = y * (-prediction).sigmoid() + (1.0 - y) * prediction.sigmoid();
        let entropy = weighted(y, (-prediction).softplus()) + weighted(1.0 - y, prediction.softplus());
        let losses = wrong.pow(self.gamma) * entropy;
        self.reduction.of(match self.alpha {
            Some(alpha) => (alpha * y + (1.0 - alpha) * (1.0 - y)) * losses,
            None => losses,
        })
    }
}
