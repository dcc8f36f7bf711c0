//! What is done to gradients before, or to steps after: clipping and decay.

use chainrule_graph::Var;

use super::{Memory, Optimiser, Parameter, not_negative};

/// Each element between −c and c.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipValue(
    /// c.
    pub f64,
);

impl Optimiser for ClipValue {
    fn steps<'g>(&self, _: &mut Memory<'g>, _: &[Parameter<'g>], steps: Vec<Var<'g>>) -> Vec<Var<'g>> {
        steps.into_iter().map(|step| step.clip(-self.0..=self.0)).collect()
    }

    fn fault(&self) -> Option<String> {
        not_negative("the greatest value", self.0)
    }
}

/// Each parameter's gradient with a norm of at most c.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipNorm(
    /// c.
    pub f64,
);

impl Optimiser for ClipNorm {
    fn steps<'g>(&self, _: &mut Memory<'g>, _: &[Parameter<'g>], steps: Vec<Var<'g>>) -> Vec<Var<'g>> {
        steps.into_iter().map(|step| step * factor(step.square().sum(..), self.0)).collect()
    }

    fn fault(&self) -> Option<String> {
        not_negative("the greatest norm", self.0)
    }
}

/// All gradients together with a norm of at most c (Pascanu and others 2013; course 5, lecture 1.8), as PyTorch's
/// `clip_grad_norm_`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipGlobalNorm(
    /// c.
    pub f64,
);

impl Optimiser for ClipGlobalNorm {
    fn steps<'g>(&self, memory: &mut Memory<'g>, _: &[Parameter<'g>], steps: Vec<Var<'g>>) -> Vec<Var<'g>> {
        let start = memory.graph().constant(0.0);
        let squares = steps.iter().fold(start, |sum, step| sum + step.square().sum(..));
        let factor = factor(squares, self.0);
        steps.into_iter().map(|step| step * factor).collect()
    }

    fn fault(&self) -> Option<String> {
        not_negative("the greatest norm", self.0)
    }
}

/// What brings a vector of this squared length down to `greatest`, if it is longer.
fn factor(squares: Var<'_>, greatest: f64) -> Var<'_> {
    (greatest / (squares.sqrt() + 1e-6)).minimum(1.0)
}

/// λθ added to the step of each parameter named `weight`: before an optimiser it is the gradient of ½λθ², behind it a decay
/// of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decay(
    /// λ.
    pub f64,
);

impl Optimiser for Decay {
    fn steps<'g>(&self, _: &mut Memory<'g>, all: &[Parameter<'g>], steps: Vec<Var<'g>>) -> Vec<Var<'g>> {
        let decayed = |(parameter, step): (&Parameter<'g>, Var<'g>)| {
            if parameter.is_weight() { step + self.0 * parameter.value } else { step }
        };
        all.iter().zip(steps).map(decayed).collect()
    }

    fn fault(&self) -> Option<String> {
        not_negative("the decay", self.0)
    }
}
