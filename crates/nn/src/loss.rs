//! Losses. None of them broadcasts: a shape that does not fit exactly is an error.
//!
//! The functions are means over all elements or examples. The structs have options, how the losses become one number
//! among them, and give the values and gradients of PyTorch's functions of the same names. Where a weight is 0, its term
//! is 0, whatever it multiplies. Each says with [`reads`] what it takes a model's outputs for.

mod binary;
mod classes;
mod regression;
mod sequence;
mod vectors;

use std::panic::Location;

use chainrule_graph::{Error, Kind, Var};
use chainrule_tensor::Error as TensorError;

use crate::Loss;

pub use crate::outputs::{Outputs, reads};
pub use binary::{BinaryCrossEntropy, Focal};
pub use classes::CrossEntropy;
pub use regression::{Hinge, Huber, KlDivergence, PoissonNll, SmoothL1};
pub use sequence::{Ctc, negative_sampling};
pub use vectors::{CosineDistance, cosine_embedding, triplet};

/// How the losses of elements or examples become the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean; where examples have weights, the weighted mean.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// They stay as they are, for a weighting of the user's own.
    Each,
}

impl Reduction {
    #[track_caller]
    fn of(self, losses: Var<'_>) -> Var<'_> {
        match self {
            Reduction::Mean => losses.mean(..),
            Reduction::Sum => losses.sum(..),
            Reduction::Each => losses,
        }
    }
}

/// `weight`·`x`, but 0 where the weight is, even if x is infinite there.
#[track_caller]
fn weighted<'g>(weight: Var<'g>, x: Var<'g>) -> Var<'g> {
    weight.equal(0.0).select(0.0, weight * x)
}

/// Fails unless both have the same shape: `(m, 1)` against `(m,)` would broadcast to `(m, m)` and train on nonsense.
#[track_caller]
fn same_shape<'g>(op: &'static str, prediction: Var<'g>, target: Var<'g>) -> Result<(), Var<'g>> {
    if prediction.is_poisoned() || target.is_poisoned() {
        return Err(if prediction.is_poisoned() { prediction } else { target });
    }
    if prediction.shape() == target.shape() {
        return Ok(());
    }
    let shapes = [&prediction.shape()[..], &target.shape()[..]];
    let error =
        Error::new(TensorError::shape(op, shapes, "a loss does not broadcast; the shapes must be equal"))
            .placed(prediction.graph().origin(Location::caller()))
            .operand("prediction", prediction.ty(), prediction.origin())
            .operand("target", target.ty(), target.origin())
            .hint("reshape one of them, for instance targets of shape (m,) to (m, 1) with .insert_axis(1)");
    Err(prediction.fail(error))
}

/// The closure `f`, from prediction and target to a single number, as a loss. A closure is one as it is, but only where
/// it meets this signature does the compiler find out that it is to work for every graph.
///
/// ```
/// use chainrule_nn::{Linear, Trainer, loss};
/// let scale = 0.5;
/// let half = loss::from_fn(|z, y| loss::mean_squared_error(z, y) * scale);
/// let trainer = Trainer::new(Linear::new(1), half).epochs(3);
/// ```
pub fn from_fn<F>(f: F) -> F
where
    F: for<'g> Fn(Var<'g>, Var<'g>) -> Var<'g>,
{
    f
}

/// Mean of −(y ln a + (1 − y) ln(1 − a)) over all elements, for probabilities `a` and targets `y` of one shape, each in
/// 0..=1, which is checked when the graph runs (lecture 2.3).
///
/// Where a network ends in a sigmoid, [`binary_cross_entropy_with_logits`] is more accurate and never infinite.
#[track_caller]
pub fn binary_cross_entropy<'g>(probabilities: Var<'g>, targets: Var<'g>) -> Var<'g> {
    let _here = probabilities.graph().blame("binary_cross_entropy", Location::caller());
    if let Err(poisoned) = same_shape("binary_cross_entropy", probabilities, targets) {
        return poisoned;
    }
    reads(probabilities, targets, Outputs::Probabilities);
    let (a, y) = (probabilities.in_interval(0.0, 1.0, "probability"), shares(targets));
    // 0 · ln 0 counts as 0, in the value and in the derivative.
    let term = |y: Var<'g>, a: Var<'g>| {
        let absent = y.equal(0.0);
        y * absent.select(1.0, a).ln()
    };
    -(term(y, a) + term(1.0 - y, 1.0 - a)).mean(..)
}

/// Mean of y ln(1 + e⁻ᶻ) + (1 − y) ln(1 + eᶻ) over all elements: the binary cross-entropy of σ(z), for logits `z` of any
/// size and targets `y` in 0..=1, which is checked when the graph runs.
#[track_caller]
pub fn binary_cross_entropy_with_logits<'g>(logits: Var<'g>, targets: Var<'g>) -> Var<'g> {
    let _here = logits.graph().blame("binary_cross_entropy_with_logits", Location::caller());
    match same_shape("binary_cross_entropy_with_logits", logits, targets) {
        Ok(()) => {
            reads(logits, targets, Outputs::Logits);
            let y = shares(targets);
            // Terms of one sign: ln(1 + eᶻ) − y z would lose a small loss to its large terms.
            (weighted(y, (-logits).softplus()) + weighted(1.0 - y, logits.softplus())).mean(..)
        }
        Err(poisoned) => poisoned,
    }
}

/// Targets of a binary cross-entropy as reals.
#[track_caller]
fn shares(targets: Var<'_>) -> Var<'_> {
    if targets.kind() == Kind::Truth {
        targets.real()
    } else {
        targets.real().in_interval(0.0, 1.0, "target")
    }
}

/// Mean over the positions of −Σ t ln softmax(z), for logits `(m, classes)`, or `(…, classes)` as of the pixels of an image;
/// with integer labels, of −ln softmax(z) at the label.
///
/// `targets` are integer labels `(m,)`, or `(…)`, checked when the graph runs to lie in `0..classes`, or probabilities in the
/// logits' shape, whose rows need not sum to 1: a row of zeros has no part in the sum. [`CrossEntropy`] has options.
///
/// ```
/// use chainrule_graph::Graph;
/// use chainrule_nn::loss::softmax_cross_entropy;
/// let g = Graph::new();
/// let z = g.leaf("z", [[2.0, 1.0, 0.0], [0.0, 1e4, 0.0]]);
/// let loss = softmax_cross_entropy(z, g.constant(chainrule_tensor::Tensor::from([0_i64, 1])));
/// assert!((loss.value()?.item::<f64>()? - 0.2038).abs() < 1e-4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn softmax_cross_entropy<'g>(logits: Var<'g>, targets: Var<'g>) -> Var<'g> {
    CrossEntropy::new().of(logits, targets)
}

/// Mean of (ŷ − y)² over all elements.
#[track_caller]
pub fn mean_squared_error<'g>(predictions: Var<'g>, targets: Var<'g>) -> Var<'g> {
    let _here = predictions.graph().blame("mean_squared_error", Location::caller());
    match same_shape("mean_squared_error", predictions, targets) {
        Ok(()) => {
            reads(predictions, targets, Outputs::Values);
            (predictions - targets.real()).square().mean(..)
        }
        Err(poisoned) => poisoned,
    }
}
