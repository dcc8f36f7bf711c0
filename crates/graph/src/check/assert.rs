//! Checks in one line, for tests.

use std::panic::Location;

use chainrule_tensor::Tensor;

use super::checker::gradients;
use super::report::Report;
use super::verdict::Verdict;
use crate::error::Result;
use crate::ir::Graph;
use crate::var::Var;

/// Asserts that the gradient of `loss` with respect to `parameters` is right, or at a kink.
///
/// # Panics
/// If it is not, or cannot be told, with the whole report; if checking fails, with the error. It is made for tests.
///
/// ```
/// use chainrule_graph::{Graph, check};
/// let g = Graph::new();
/// let w = g.leaf("w", [0.5, -1.0, 2.0]);
/// check::assert_gradients((w.tanh() * w).sum(..), &[w]);
/// ```
#[track_caller]
pub fn assert_gradients(loss: Var<'_>, parameters: &[Var<'_>]) {
    judge(gradients(loss, parameters));
}

/// Asserts that a formula's gradient with respect to all its arguments is right at `values`, or at a kink. A result
/// of many numbers is summed, each with a weight of its own.
///
/// # Panics
/// As [`assert_gradients`].
///
/// ```
/// use chainrule_graph::check;
/// use chainrule_tensor::Tensor;
/// check::assert_gradients_of(|x| x[0].matmul(x[1]).tanh(), &[
///     Tensor::from([[0.5, -1.0], [2.0, 0.1]]),
///     Tensor::from([[1.0], [0.3]]),
/// ]);
/// ```
#[track_caller]
pub fn assert_gradients_of(formula: impl for<'g> Fn(&[Var<'g>]) -> Var<'g>, values: &[Tensor]) {
    let g = Graph::new();
    let leaves: Vec<Var<'_>> = {
        let _here = g.blame("assert_gradients_of", Location::caller());
        values.iter().enumerate().map(|(i, v)| g.leaf(&format!("x{i}"), v.clone())).collect()
    };
    let y = formula(&leaves);
    let n = y.shape().size();
    // Multiples of the golden ratio are evenly spread in [0, 1): no two weights are equal.
    let weights = (1..=n).map(|i| 0.5 + (i as f64 * 0.618_033_988_749_895).fract()).collect::<Vec<f64>>();
    let weighted = Tensor::from_vec(weights, y.shape()).map(|w| (y * g.constant(w)).sum(..));
    judge(weighted.map_err(Into::into).and_then(|loss| gradients(loss, &leaves)));
}

#[track_caller]
fn judge(report: Result<Report>) {
    match report {
        Ok(report) if matches!(report.verdict(), Verdict::Pass | Verdict::Kink(_)) => {}
        Ok(report) => panic!("the gradient does not stand the check\n{report}"),
        Err(error) => panic!("the gradient cannot be checked\n{error}"),
    }
}
