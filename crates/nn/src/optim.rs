//! Optimisers: how a gradient changes a parameter, recorded into the training graph.

use chainrule_graph::{Graph, Var};
use chainrule_tensor::Tensor;

/// A rule for one parameter's next value. It is recorded once and then replayed with the rest of the step.
///
/// ```
/// use chainrule_graph::Var;
/// use chainrule_nn::optim::{Memory, Optimiser};
/// /// Moves by the sign of the gradient alone.
/// struct SignDescent(f64);
/// impl Optimiser for SignDescent {
///     fn next<'g>(&self, _: &mut Memory<'g>, parameter: Var<'g>, gradient: Var<'g>) -> Var<'g> {
///         parameter - gradient.sign() * self.0
///     }
/// }
/// ```
pub trait Optimiser {
    /// The parameter's value after a step with `gradient`. What must be remembered from step to step is kept
    /// in `memory`.
    fn next<'g>(&self, memory: &mut Memory<'g>, parameter: Var<'g>, gradient: Var<'g>) -> Var<'g>;

    /// Which hyperparameter makes no sense, if one does: asked before training starts, which then fails with this.
    fn fault(&self) -> Option<String> {
        None
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

/// What an optimiser remembers between steps: one slot per parameter and name, and the number of the step.
pub struct Memory<'g> {
    graph: &'g Graph,
    step: Var<'g>,
    parameter: String,
    slots: Vec<Slot<'g>>,
}

/// A remembered value and what it becomes.
pub(crate) struct Slot<'g> {
    pub(crate) old: Var<'g>,
    pub(crate) new: Var<'g>,
}

impl<'g> Memory<'g> {
    /// Memory for a training graph in which `step` is the number of the present step, from 1, a real.
    pub(crate) fn new(graph: &'g Graph, step: Var<'g>) -> Self {
        Memory { graph, step, parameter: String::new(), slots: Vec::new() }
    }

    /// Turns to the parameter at `path`.
    pub(crate) fn turn_to(&mut self, path: &str) {
        self.parameter = path.into();
    }

    pub(crate) fn slots(self) -> Vec<Slot<'g>> {
        self.slots
    }

    /// The number of the present step, from 1, as a real.
    pub fn step(&self) -> Var<'g> {
        self.step
    }

    /// Remembers a value of the shape of `like`, which starts at 0 and becomes `next(its value before)` at each
    /// step; returns the new value.
    #[track_caller]
    pub fn remember(&mut self, name: &str, like: Var<'g>, next: impl FnOnce(Var<'g>) -> Var<'g>) -> Var<'g> {
        let path = format!("{}.{name}", self.parameter);
        let old = self.graph.leaf(&path, Tensor::full(like.shape(), 0.0_f32));
        let new = next(old);
        self.slots.push(Slot { old, new });
        new
    }
}

/// Gradient descent: θ ← θ − α dθ (lecture 2.4).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// The learning rate α.
    pub rate: f64,
}

impl Sgd {
    /// With learning rate `rate`.
    pub fn new(rate: f64) -> Self {
        Sgd { rate }
    }
}

impl Optimiser for Sgd {
    fn next<'g>(&self, _: &mut Memory<'g>, parameter: Var<'g>, gradient: Var<'g>) -> Var<'g> {
        parameter - gradient * self.rate
    }

    fn fault(&self) -> Option<String> {
        not_negative("the learning rate", self.rate)
    }
}

/// Gradient descent with momentum: v ← β v + dθ, θ ← θ − α v (Polyak 1964), PyTorch's form. The lectures'
/// v ← β v + (1 − β) dθ is the same with a rate larger by 1/(1 − β).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Momentum {
    /// The learning rate α.
    pub rate: f64,
    /// The share β of the old velocity that is kept, usually 0.9.
    pub beta: f64,
}

impl Momentum {
    /// With learning rate `rate` and β = 0.9.
    pub fn new(rate: f64) -> Self {
        Momentum { rate, beta: 0.9 }
    }
}

impl Optimiser for Momentum {
    fn next<'g>(&self, memory: &mut Memory<'g>, parameter: Var<'g>, gradient: Var<'g>) -> Var<'g> {
        let velocity = memory.remember("velocity", parameter, |v| v * self.beta + gradient);
        parameter - velocity * self.rate
    }

    fn fault(&self) -> Option<String> {
        not_negative("the learning rate", self.rate).or_else(|| not_decay("beta", self.beta))
    }
}

/// Adam (Kingma and Ba 2015), with bias correction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// The learning rate α.
    pub rate: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of their squares.
    pub beta2: f64,
    /// Keeps the quotient finite.
    pub epsilon: f64,
}

impl Adam {
    /// With learning rate `rate`, β₁ = 0.9, β₂ = 0.999, ε = 1e-8.
    pub fn new(rate: f64) -> Self {
        Adam { rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

impl Optimiser for Adam {
    fn next<'g>(&self, memory: &mut Memory<'g>, parameter: Var<'g>, gradient: Var<'g>) -> Var<'g> {
        let Adam { rate, beta1, beta2, epsilon } = *self;
        let mean = memory.remember("mean", parameter, |m| m * beta1 + gradient * (1.0 - beta1));
        let square = memory.remember("square", parameter, |v| v * beta2 + gradient.square() * (1.0 - beta2));
        // 1 − βᵗ, accurate for small t.
        let correction = |beta: f64| -(memory.step() * beta.ln()).expm1();
        let (c1, c2) = (correction(beta1), correction(beta2));
        parameter - (mean * (rate / c1)) / ((square * (1.0 / c2)).sqrt() + epsilon)
    }

    fn fault(&self) -> Option<String> {
        not_negative("the learning rate", self.rate)
            .or_else(|| not_decay("beta1", self.beta1))
            .or_else(|| not_decay("beta2", self.beta2))
            .or_else(|| not_negative("epsilon", self.epsilon))
    }
}
