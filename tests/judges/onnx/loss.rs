//! Losses of class labels.

use chainrule::graph::Var;

use super::node::{Node, Outcome};

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    Some(Ok(match n.op.as_str() {
        "NegativeLogLikelihoodLoss" => vec![likelihood(n, n.x(0))],
        "SoftmaxCrossEntropyLoss" => {
            let logs = n.x(0).log_softmax(1);
            vec![likelihood(n, logs), logs]
        }
        _ => return None,
    }))
}

/// −w·ln p of each label's class; `logs` has the classes on axis 1.
fn likelihood<'g>(n: &Node<'g>, logs: Var<'g>) -> Var<'g> {
    let labels = n.x(1);
    let classes = logs.shape()[1];
    let taken = labels.insert_axis(1).equal(class_numbers(n, logs));
    // Not a product: 0 · −∞ would be a NaN.
    let losses = -taken.select(logs, 0.0).sum(1);
    let weights = n.given(2).unwrap_or_else(|| n.g.constant(1.0).broadcast_to([classes]));
    let weights = (2..logs.rank()).fold(weights, |w, _| w.insert_axis(-1));
    let weights = taken.select(weights, 0.0).sum(1);
    let weights = match n.int("ignore_index") {
        Some(ignored) => labels.equal(ignored).select(0.0, weights),
        None => weights,
    };
    let losses = weights.equal(0.0).select(0.0, losses * weights);
    match n.text_or("reduction", "mean") {
        "none" => losses,
        "sum" => losses.sum(..),
        _ => losses.sum(..) / weights.sum(..),
    }
}

/// 0, 1, … along axis 1, in the shape of `logs`.
fn class_numbers<'g>(n: &Node<'g>, logs: Var<'g>) -> Var<'g> {
    n.g.iota(logs.shape(), 1)
}
