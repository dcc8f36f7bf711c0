//! Optimisers: how gradients change parameters, recorded into the training graph.
//!
//! An optimiser sees all parameters and gradients and says what is to be taken from each parameter. So optimisers are
//! put behind each other ([`Optimiser::then`]): each makes of the steps so far, at first the gradients, those that the next
//! one gets.
//!
//! ```
//! use chainrule_nn::optim::{Adam, ClipGlobalNorm, Optimiser, Rate};
//! // Gradients of a norm of at most 1, then Adam, whose rate falls along a cosine for 1,000 steps.
//! let optimiser = ClipGlobalNorm(1.0).then(Adam::new(Rate::cosine(1e-3, 0.0, 1000)));
//! assert_eq!(optimiser.fault(), None);
//! ```
//!
//! Everything here works outside [`Trainer`](crate::Trainer), too: [`updates`] gives the state of a plan of one's own.

mod adaptive;
mod average;
mod clip;
mod descent;
mod groups;
mod lbfgs;
mod memory;
mod rate;

use chainrule_graph::Var;

pub use adaptive::{Adagrad, Adam, AdamW, RmsProp};
pub use average::Average;
pub use clip::{ClipGlobalNorm, ClipNorm, ClipValue, Decay};
pub use descent::{Momentum, Sgd};
pub use groups::Groups;
pub use lbfgs::{Lbfgs, Minimum};
pub use memory::{Memory, Updates, updates};
pub use rate::{Dial, Rate};

/// A parameter as an optimiser sees it.
#[derive(Clone, Debug)]
pub struct Parameter<'g> {
    /// Its path, such as `hidden.weight`.
    pub path: String,
    /// Its value before the step.
    pub value: Var<'g>,
}

/// A rule that makes steps of gradients. It is recorded once and then replayed with the rest of the training step.
///
/// ```
/// use chainrule_graph::Var;
/// use chainrule_nn::optim::{Memory, Optimiser, Parameter};
/// /// Moves by the sign of the gradient alone.
/// struct SignDescent(f64);
/// impl Optimiser for SignDescent {
///     fn steps<'g>(&self, _: &mut Memory<'g>, _: &[Parameter<'g>], steps: Vec<Var<'g>>) -> Vec<Var<'g>> {
///         steps.into_iter().map(|gradient| gradient.sign() * self.0).collect()
///     }
/// }
/// ```
pub trait Optimiser {
    /// What is to be taken from each of `parameters`, of the `steps` so far, which are the gradients if nothing stands
    /// before. What must be remembered from step to step is kept in `memory`.
    fn steps<'g>(
        &self,
        memory: &mut Memory<'g>,
        parameters: &[Parameter<'g>],
        steps: Vec<Var<'g>>,
    ) -> Vec<Var<'g>>;

    /// Which hyperparameter makes no sense, if one does: asked before training starts, which then fails with this.
    fn fault(&self) -> Option<String> {
        None
    }

    /// This, and what `next` makes of its steps.
    fn then<N: Optimiser>(self, next: N) -> Then<Self, N>
    where
        Self: Sized,
    {
        Then { first: self, next }
    }
}

impl<O: Optimiser + ?Sized> Optimiser for Box<O> {
    fn steps<'g>(
        &self,
        memory: &mut Memory<'g>,
        parameters: &[Parameter<'g>],
        steps: Vec<Var<'g>>,
    ) -> Vec<Var<'g>> {
        (**self).steps(memory, parameters, steps)
    }

    fn fault(&self) -> Option<String> {
        (**self).fault()
    }
}

/// Two optimisers behind each other; made by [`Optimiser::then`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Then<F, N> {
    first: F,
    next: N,
}

impl<F: Optimiser, N: Optimiser> Optimiser for Then<F, N> {
    fn steps<'g>(
        &self,
        memory: &mut Memory<'g>,
        parameters: &[Parameter<'g>],
        steps: Vec<Var<'g>>,
    ) -> Vec<Var<'g>> {
        let steps = self.first.steps(memory, parameters, steps);
        memory.behind(|memory| self.next.steps(memory, parameters, steps))
    }

    fn fault(&self) -> Option<String> {
        self.first.fault().or_else(|| self.next.fault())
    }
}

/// A hyperparameter that must be at least 0 and finite in f32, in which steps are computed.
fn not_negative(name: &str, value: f64) -> Option<String> {
    let sound = (value as f32).is_finite() && value >= 0.0;
    (!sound).then(|| format!("{name} is {value}; it must be at least 0 and finite in f32"))
}

/// A hyperparameter that says how much of the past is kept.
fn not_decay(name: &str, value: f64) -> Option<String> {
    let sound = (0.0..1.0).contains(&value);
    (!sound).then(|| format!("{name} is {value}; it must be at least 0 and less than 1"))
}
