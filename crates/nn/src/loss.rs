//! Losses: each a single number, the mean over the batch. None of them broadcasts: a shape that does not fit
//! exactly is an error. Each says with [`reads`] what it takes a model's outputs for.

use std::panic::Location;

use chainrule_graph::{Error, Kind, Var};
use chainrule_tensor::Error as TensorError;

pub use crate::outputs::{Outputs, reads};

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
            .hint("reshape one of them, for instance targets of shape (m,) to (m, 1) with .expand(1)");
    Err(prediction.fail(error))
}

/// Mean of −(y ln a + (1 − y) ln(1 − a)) over all elements, for probabilities `a` (lecture 2.3).
///
/// Where a network ends in a sigmoid, [`binary_cross_entropy_with_logits`] is more accurate and never infinite.
#[track_caller]
pub fn binary_cross_entropy<'g>(probabilities: Var<'g>, targets: Var<'g>) -> Var<'g> {
    let _here = probabilities.graph().blame("binary_cross_entropy", Location::caller());
    if let Err(poisoned) = same_shape("binary_cross_entropy", probabilities, targets) {
        return poisoned;
    }
    reads(probabilities, targets, Outputs::Probabilities);
    let (a, y) = (probabilities, targets.real());
    // 0 · ln 0 counts as 0, in the value and in the derivative.
    let term = |y: Var<'g>, a: Var<'g>| {
        let absent = y.equal(0.0);
        y * absent.select(1.0, a).ln()
    };
    -(term(y, a) + term(1.0 - y, 1.0 - a)).mean(&[])
}

/// Mean of ln(1 + eᶻ) − y z over all elements: the binary cross-entropy of σ(z), for logits `z` of any size.
#[track_caller]
pub fn binary_cross_entropy_with_logits<'g>(logits: Var<'g>, targets: Var<'g>) -> Var<'g> {
    let _here = logits.graph().blame("binary_cross_entropy_with_logits", Location::caller());
    match same_shape("binary_cross_entropy_with_logits", logits, targets) {
        Ok(()) => {
            reads(logits, targets, Outputs::Logits);
            (logits.softplus() - targets.real() * logits).mean(&[])
        }
        Err(poisoned) => poisoned,
    }
}

/// Mean over the examples of −ln softmax(z) at the label, for logits `(m, classes)`.
///
/// `targets` are integer labels `(m,)`, checked when the graph runs to lie in `0..classes`, or probabilities
/// `(m, classes)`.
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
    let _here = logits.graph().blame("softmax_cross_entropy", Location::caller());
    let op = "softmax_cross_entropy";
    if logits.is_poisoned() || targets.is_poisoned() {
        return if logits.is_poisoned() { logits } else { targets };
    }
    let shape = logits.shape();
    if shape.len() != 2 {
        let why = "logits are (examples, classes)";
        return logits.fail(TensorError::shape(op, [&shape[..]], why));
    }
    reads(logits, targets, Outputs::Scores);
    let (examples, classes) = (shape[0], shape[1]);
    let taken = if targets.kind() == Kind::Int {
        if targets.shape()[..] != [examples] {
            let why = format!("labels are ({examples},), one for each example");
            let error = Error::new(TensorError::shape(op, [&shape[..], &targets.shape()[..]], why));
            let error = error.placed(logits.graph().origin(Location::caller())).operand(
                "logits",
                logits.ty(),
                logits.origin(),
            );
            return logits.fail(error.operand("labels", targets.ty(), targets.origin()));
        }
        let picked = targets.in_range(classes, "label").one_hot(classes);
        picked.select(logits, 0.0).sum(&[1])
    } else {
        match same_shape(op, logits, targets) {
            Ok(()) => (targets.real() * logits).sum(&[1]),
            Err(poisoned) => return poisoned,
        }
    };
    (logits.logsumexp(1) - taken).mean(&[])
}

/// Mean of (ŷ − y)² over all elements.
#[track_caller]
pub fn mean_squared_error<'g>(predictions: Var<'g>, targets: Var<'g>) -> Var<'g> {
    let _here = predictions.graph().blame("mean_squared_error", Location::caller());
    match same_shape("mean_squared_error", predictions, targets) {
        Ok(()) => {
            reads(predictions, targets, Outputs::Values);
            (predictions - targets.real()).square().mean(&[])
        }
        Err(poisoned) => poisoned,
    }
}
