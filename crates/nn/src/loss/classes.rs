//! The cross-entropy of classes.

use std::panic::Location;

use chainrule_graph::{Error, Kind, Var};
use chainrule_tensor::{Error as TensorError, Shape, Tensor};

use super::{Outputs, Reduction, reads, same_shape, weighted};
use crate::Loss;

/// −Σ t ln softmax(z) at each position, for logits `(…, classes)` and integer labels `(…)` or shares t `(…, classes)`: the
/// positions are examples `(m,)`, the pixels of images `(m, height, width)`, the steps of sequences.
///
/// Labels are checked when the graph runs to lie in `0..classes`. With class weights the mean over labels is the weighted
/// mean, Σ w l / Σ w; that over shares is over the number of positions. Where the classes are channels `(m, classes, height,
/// width)`, `permute([0, 2, 3, 1])` puts them last.
///
/// ```
/// use chainrule_graph::Graph;
/// use chainrule_nn::{Loss, loss::CrossEntropy};
/// let g = Graph::new();
/// let z = g.leaf("z", [[2.0, 1.0], [0.0, 3.0], [5.0, 5.0]]);
/// let labels = g.constant(chainrule_tensor::Tensor::from([0_i64, 1, -1]));
/// let loss = CrossEntropy::new().ignoring(-1).of(z, labels); // the mean over two examples
/// assert!((loss.value()?.item::<f64>()? - 0.1809).abs() < 1e-4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    weights: Option<Vec<f64>>,
    ignored: Option<i64>,
    smoothing: f64,
    log_probabilities: bool,
    reduction: Reduction,
}

impl CrossEntropy {
    /// Without weights, ignored labels or smoothing; the mean over all positions.
    pub fn new() -> Self {
        CrossEntropy::default()
    }

    /// The negative log-likelihood: as [`new`](CrossEntropy::new), of ln p instead of logits.
    pub fn of_log_probabilities() -> Self {
        CrossEntropy { log_probabilities: true, ..CrossEntropy::default() }
    }

    /// A weight for each class.
    pub fn weights(self, weights: impl Into<Vec<f64>>) -> Self {
        CrossEntropy { weights: Some(weights.into()), ..self }
    }

    /// Positions of this label, which need not be a class, count nothing, in the mean either. NaN if all are.
    pub fn ignoring(self, label: i64) -> Self {
        CrossEntropy { ignored: Some(label), ..self }
    }

    /// Takes the share `smoothing` of each target and spreads it evenly over the classes.
    pub fn smoothing(self, smoothing: f64) -> Self {
        CrossEntropy { smoothing, ..self }
    }

    /// How the positions' losses become the loss.
    pub fn reduction(self, reduction: Reduction) -> Self {
        CrossEntropy { reduction, ..self }
    }
}

impl Loss for CrossEntropy {
    #[track_caller]
    fn of<'g>(&self, prediction: Var<'g>, target: Var<'g>) -> Var<'g> {
        let op = if self.log_probabilities { "negative_log_likelihood" } else { "softmax_cross_entropy" };
        let graph = prediction.graph();
        let _here = graph.blame(op, Location::caller());
        if prediction.is_poisoned() || target.is_poisoned() {
            return if prediction.is_poisoned() { prediction } else { target };
        }
        let shape = prediction.shape();
        let Some((&classes, positions)) = shape.split_last() else {
            return prediction.fail(TensorError::shape(op, [&shape[..]], "logits are (…, classes)"));
        };
        reads(prediction, target, Outputs::Scores);
        let hard = target.kind() == Kind::Int;
        if hard && target.shape()[..] != *positions {
            return prediction.fail(mismatch(op, prediction, target));
        }
        let weights = match &self.weights {
            Some(weights) if weights.len() != classes => {
                let why = format!("{} weights are given for {classes} classes", weights.len());
                return prediction.fail(TensorError::shape(op, [&shape[..]], why));
            }
            weights => weights.as_ref().map(|w| graph.constant(Tensor::from(&w[..]))),
        };
        let log_p = if self.log_probabilities { prediction } else { prediction.log_softmax(-1) };
        if !hard {
            if let Err(poisoned) = same_shape(op, prediction, target) {
                return poisoned;
            }
            let shares = self.smoothed(target.real(), classes);
            let shares = weights.map_or(shares, |w| shares * w);
            return self.reduction.of(-weighted(shares, log_p).sum(-1));
        }
        let ignored = self.ignored.map(|label| target.equal(label));
        let labels = ignored.map_or(target, |i| i.select(graph.constant(0_i64), target));
        let picked = labels.in_range(classes, "label").one_hot(classes);
        if weights.is_none() && ignored.is_none() && self.smoothing == 0.0 {
            return self.reduction.of(-picked.select(log_p, 0.0).sum(-1));
        }
        let kept = |x: Var<'g>, ignored: Option<Var<'g>>| ignored.map_or(x, |i| i.select(0.0, x));
        let shares = self.smoothed(picked.real(), classes);
        let shares = kept(weights.map_or(shares, |w| shares * w), ignored.map(|i| i.insert_axis(-1)));
        let losses = -weighted(shares, log_p).sum(-1);
        if self.reduction != Reduction::Mean {
            return self.reduction.of(losses);
        }
        let weight = weights.map_or(picked.real(), |w| picked.real() * w).sum(-1);
        losses.sum(..) / kept(weight, ignored).sum(..)
    }
}

/// Labels that are not one for each position of the logits.
#[track_caller]
fn mismatch(op: &'static str, logits: Var<'_>, labels: Var<'_>) -> Error {
    let (z, y) = (logits.shape(), labels.shape());
    let positions = Shape::from(&z[..z.len() - 1]);
    let channels_first = z.len() > 2 && y.len() + 1 == z.len() && y[0] == z[0] && y[1..] == z[2..];
    let hint = if channels_first {
        "the classes are on the last axis: .permute([0, 2, 3, 1]) of logits (m, classes, height, width)"
    } else {
        "labels have the shape of the logits without its last axis, that of the classes"
    };
    let why = format!("labels are {positions}, one for each position");
    Error::new(TensorError::shape(op, [&z[..], &y[..]], why))
        .placed(logits.graph().origin(Location::caller()))
        .operand("logits", logits.ty(), logits.origin())
        .operand("labels", labels.ty(), labels.origin())
        .hint(hint)
}

impl CrossEntropy {
    #[track_caller]
    fn smoothed<'g>(&self, shares: Var<'g>, classes: usize) -> Var<'g> {
        if self.smoothing == 0.0 {
            return shares;
        }
        shares * (1.0 - self.smoothing) + self.smoothing / classes as f64
    }
}
