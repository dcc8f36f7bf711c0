//! Penalties on large weights.

use chainrule_graph::{Graph, Var};

/// What is added to a loss for large weights (course 2, lecture 1.4): λ₁/m Σ|w| + λ₂/(2m) Σw², over every
/// parameter named `weight`, with m the number of training examples. Biases are left alone.
///
/// ```
/// use chainrule_nn::Penalty;
/// let ridge = Penalty::l2(0.7);
/// let both = Penalty { l1: 0.1, l2: 0.7 };
/// assert!(ridge != both);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Penalty {
    /// λ₁, which makes weights sparse.
    pub l1: f64,
    /// λ₂, which makes weights small: weight decay.
    pub l2: f64,
}

impl Penalty {
    /// No penalty.
    pub const NONE: Penalty = Penalty { l1: 0.0, l2: 0.0 };

    /// λ₁ alone.
    pub fn l1(lambda: f64) -> Self {
        Penalty { l1: lambda, l2: 0.0 }
    }

    /// λ₂ alone.
    pub fn l2(lambda: f64) -> Self {
        Penalty { l1: 0.0, l2: lambda }
    }

    /// Which λ makes no sense, if one does.
    pub(crate) fn fault(&self) -> Option<String> {
        let wrong = [("λ₁", self.l1), ("λ₂", self.l2)]
            .into_iter()
            .find(|(_, x)| !((*x as f32).is_finite() && *x >= 0.0));
        wrong.map(|(name, x)| format!("the penalty's {name} is {x}; it must be at least 0 and finite in f32"))
    }

    /// The penalty of `parameters` (by path) for a training set of `examples`.
    pub fn of<'g>(self, graph: &'g Graph, parameters: &[(String, Var<'g>)], examples: usize) -> Var<'g> {
        let m = examples as f64;
        let weights = parameters.iter().filter(|(path, _)| path.rsplit('.').next() == Some("weight"));
        weights.fold(graph.constant(0.0), |mut sum, (_, w)| {
            if self.l1 != 0.0 {
                sum += w.abs().sum(..) * (self.l1 / m);
            }
            if self.l2 != 0.0 {
                sum += w.square().sum(..) * (self.l2 / (2.0 * m));
            }
            sum
        })
    }
}
