//! Losses of single numbers.

use std::panic::Location;

use chainrule_graph::Var;

use super::{Outputs, Reduction, reads, same_shape, weighted};
use crate::Loss;

#[track_caller]
fn elementwise<'g>(
    op: &'static str,
    reduction: Reduction,
    [prediction, target]: [Var<'g>; 2],
    meaning: Option<Outputs>,
    loss: impl FnOnce(Var<'g>, Var<'g>) -> Var<'g>,
) -> Var<'g> {
    let _here = prediction.graph().blame(op, Location::caller());
    match same_shape(op, prediction, target) {
        Ok(()) => {
            if let Some(meaning) = meaning {
                reads(prediction, target, meaning);
            }
            reduction.of(loss(prediction, target.real()))
        }
        Err(poisoned) => poisoned,
    }
}

/// ½(ŷ − y)² where |ŷ − y| < `delta`, beyond it `delta`·(|ŷ − y| − `delta`/2). Divided by `delta` it is [`SmoothL1`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Huber {
    /// Where the square becomes a line.
    pub delta: f64,
    /// How the elements' losses become the loss.
    pub reduction: Reduction,
}

impl Default for Huber {
    fn default() -> Self {
        Huber { delta: 1.0, reduction: Reduction::Mean }
    }
}

impl Loss for Huber {
    #[track_caller]
    fn of<'g>(&self, prediction: Var<'g>, target: Var<'g>) -> Var<'g> {
        elementwise("huber", self.reduction, [prediction, target], Some(Outputs::Values), |x, y| {
            let size = (x - y).abs();
            let near = size.minimum(self.delta);
            size.less(self.delta).select(0.5 * near.square(), self.delta * (size - 0.5 * self.delta))
        })
    }
}

/// ½(ŷ − y)²/`beta` where |ŷ − y| < `beta`, beyond it |ŷ − y| − `beta`/2: the absolute error, smooth at 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothL1 {
    /// Where the square becomes a line; 0 is the absolute error.
    pub beta: f64,
    /// How the elements' losses become the loss.
    pub reduction: Reduction,
}

impl Default for SmoothL1 {
    fn default() -> Self {
        SmoothL1 { beta: 1.0, reduction: Reduction::Mean }
    }
}

impl Loss for SmoothL1 {
    #[track_caller]
    fn of<'g>(&self, prediction: Var<'g>, target: Var<'g>) -> Var<'g> {
        elementwise("smooth_l1", self.reduction, [prediction, target], Some(Outputs::Values), |x, y| {
            let size = (x - y).abs();
            if self.beta == 0.0 {
                return size;
            }
            let near = size.minimum(self.beta);
            size.less(self.beta).select(0.5 * near.square() / self.beta, size - 0.5 * self.beta)
        })
    }
}

/// max(0, `margin` − y·ŷ), or its square, for targets y of −1 and 1, which is checked when the graph runs no further
/// than that they lie between the two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hinge {
    /// How far on its side a prediction must be to cost nothing.
    pub margin: f64,
    /// Whether the loss is squared.
    pub squared: bool,
    /// How the elements' losses become the loss.
    pub reduction: Reduction,
}

impl Default for Hinge {
    fn default() -> Self {
        Hinge { margin: 1.0, squared: false, reduction: Reduction::Mean }
    }
}

impl Loss for Hinge {
    #[track_caller]
    fn of<'g>(&self, prediction: Var<'g>, target: Var<'g>) -> Var<'g> {
        elementwise("hinge", self.reduction, [prediction, target], Some(Outputs::Logits), |x, y| {
            let loss = (self.margin - x * y.in_interval(-1.0, 1.0, "target")).relu();
            if self.squared { loss.square() } else { loss }
        })
    }
}

/// y·(ln y − x) for ln-probabilities x and probabilities y, 0 where y is 0. As in PyTorch, the mean is over all elements;
/// the divergence of distributions is [`Reduction::Sum`] divided by the number of examples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KlDivergence {
    /// Whether the targets are ln y, too.
    pub log_target: bool,
    /// How the elements' losses become the loss.
    pub reduction: Reduction,
}

impl Default for KlDivergence {
    fn default() -> Self {
        KlDivergence { log_target: false, reduction: Reduction::Mean }
    }
}

impl Loss for KlDivergence {
    #[track_caller]
    fn of<'g>(&self, prediction: Var<'g>, target: Var<'g>) -> Var<'g> {
        elementwise("kl_divergence", self.reduction, [prediction, target], None, |x, y| {
            if self.log_target {
                return weighted(y.exp(), y - x);
            }
            let y = y.in_interval(0.0, f64::INFINITY, "target");
            weighted(y, y.equal(0.0).select(1.0, y).ln() - x)
        })
    }
}

/// eˣ − y·x for x = ln of the rate, or x − y·ln(x + ε) for the rate x itself: the negative log-likelihood of counts y but
/// for ln y!, which has no derivative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoissonNll {
    /// Whether predictions are ln of the rate.
    pub log_input: bool,
    /// ε, which keeps the logarithm of a rate finite.
    pub epsilon: f64,
    /// How the elements' losses become the loss.
    pub reduction: Reduction,
}

impl Default for PoissonNll {
    fn default() -> Self {
        PoissonNll { log_input: true, epsilon: 1e-8, reduction: Reduction::Mean }
    }
}

impl Loss for PoissonNll {
    #[track_caller]
    fn of<'g>(&self, prediction: Var<'g>, target: Var<'g>) -> Var<'g> {
        elementwise(
            "poisson_nll",
            self.reduction,
            [prediction, target],
            (!self.log_input).then_some(Outputs::Values),
            |x, y| {
                let y = y.in_interval(0.0, f64::INFINITY, "target");
                if self.log_input {
                    x.exp() - weighted(y, x)
                } else {
                    x - weighted(y, (x + self.epsilon).ln())
                }
            },
        )
    }
}
