//! Gradient descent, with and without momentum.

use chainrule_graph::Var;

use super::{Memory, Optimiser, Parameter, Rate, not_decay};

/// Gradient descent: θ ← θ − α dθ (lecture 2.4).
#[derive(Clone, Debug)]
pub struct Sgd {
    /// The learning rate α.
    pub rate: Rate,
}

impl Sgd {
    /// With learning rate `rate`.
    pub fn new(rate: impl Into<Rate>) -> Self {
        Sgd { rate: rate.into() }
    }
}

impl Optimiser for Sgd {
    fn steps<'g>(&self, memory: &mut Memory<'g>, _: &[Parameter<'g>], steps: Vec<Var<'g>>) -> Vec<Var<'g>> {
        let rate = self.rate.now(memory);
        steps.into_iter().map(|gradient| gradient * rate).collect()
    }

    fn fault(&self) -> Option<String> {
        self.rate.fault("the learning rate")
    }
}

/// Gradient descent with momentum: v ← β v + dθ, θ ← θ − α v (Polyak 1964), PyTorch's form. The lectures'
/// v ← β v + (1 − β) dθ is the same with a rate larger by 1/(1 − β).
#[derive(Clone, Debug)]
pub struct Momentum {
    /// The learning rate α.
    pub rate: Rate,
    /// The share β of the old velocity that is kept, usually 0.9.
    pub beta: f64,
    /// Whether to take the step β v + dθ, as if the velocity had gone on already (Nesterov 1983).
    pub nesterov: bool,
}

impl Momentum {
    /// With learning rate `rate` and β = 0.9.
    pub fn new(rate: impl Into<Rate>) -> Self {
        Momentum { rate: rate.into(), beta: 0.9, nesterov: false }
    }

    /// Nesterov's, with learning rate `rate` and β = 0.9.
    pub fn nesterov(rate: impl Into<Rate>) -> Self {
        Momentum { nesterov: true, ..Momentum::new(rate) }
    }
}

impl Optimiser for Momentum {
    fn steps<'g>(&self, memory: &mut Memory<'g>, all: &[Parameter<'g>], steps: Vec<Var<'g>>) -> Vec<Var<'g>> {
        let rate = self.rate.now(memory);
        let step = |(parameter, gradient): (&Parameter<'g>, Var<'g>)| {
            let velocity = memory.remember(parameter, "velocity", |v| v * self.beta + gradient);
            let way = if self.nesterov { velocity * self.beta + gradient } else { velocity };
            way * rate
        };
        all.iter().zip(steps).map(step).collect()
    }

    fn fault(&self) -> Option<String> {
        self.rate.fault("the learning rate").or_else(|| not_decay("beta", self.beta))
    }
}
