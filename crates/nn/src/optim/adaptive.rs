//! Optimisers that divide by the size that gradients have had.

use chainrule_graph::Var;

use super::{Memory, Optimiser, Parameter, Rate, not_decay, not_negative};

/// RMSprop (course 2, lecture 2.7; Hinton 2012): s ← β s + (1 − β) dθ², θ ← θ − α dθ / (√s + ε).
#[derive(Clone, Debug)]
pub struct RmsProp {
    /// The learning rate α.
    pub rate: Rate,
    /// Decay of the mean of squares, β.
    pub beta: f64,
    /// Keeps the quotient finite.
    pub epsilon: f64,
}

impl RmsProp {
    /// With learning rate `rate`, β = 0.99, ε = 1e-8.
    pub fn new(rate: impl Into<Rate>) -> Self {
        RmsProp { rate: rate.into(), beta: 0.99, epsilon: 1e-8 }
    }
}

impl Optimiser for RmsProp {
    fn steps<'g>(&self, memory: &mut Memory<'g>, all: &[Parameter<'g>], steps: Vec<Var<'g>>) -> Vec<Var<'g>> {
        let rate = self.rate.now(memory);
        let step = |(parameter, gradient): (&Parameter<'g>, Var<'g>)| {
            let next = |s: Var<'g>| s * self.beta + gradient.square() * (1.0 - self.beta);
            let square = memory.remember(parameter, "square", next);
            rate * gradient / (square.sqrt() + self.epsilon)
        };
        all.iter().zip(steps).map(step).collect()
    }

    fn fault(&self) -> Option<String> {
        self.rate
            .fault("the learning rate")
            .or_else(|| not_decay("beta", self.beta))
            .or_else(|| not_negative("epsilon", self.epsilon))
    }
}

/// Adagrad (Duchi and others 2011): s ← s + dθ², θ ← θ − α dθ / (√s + ε).
#[derive(Clone, Debug)]
pub struct Adagrad {
    /// The learning rate α.
    pub rate: Rate,
    /// Keeps the quotient finite.
    pub epsilon: f64,
}

impl Adagrad {
    /// With learning rate `rate` and ε = 1e-10.
    pub fn new(rate: impl Into<Rate>) -> Self {
        Adagrad { rate: rate.into(), epsilon: 1e-10 }
    }
}

impl Optimiser for Adagrad {
    fn steps<'g>(&self, memory: &mut Memory<'g>, all: &[Parameter<'g>], steps: Vec<Var<'g>>) -> Vec<Var<'g>> {
        let rate = self.rate.now(memory);
        let step = |(parameter, gradient): (&Parameter<'g>, Var<'g>)| {
            let square = memory.remember(parameter, "square", |s| s + gradient.square());
            rate * gradient / (square.sqrt() + self.epsilon)
        };
        all.iter().zip(steps).map(step).collect()
    }

    fn fault(&self) -> Option<String> {
        self.rate.fault("the learning rate").or_else(|| not_negative("epsilon", self.epsilon))
    }
}

/// Adam (course 2, lecture 2.8; Kingma and Ba 2015), with bias correction.
#[derive(Clone, Debug)]
pub struct Adam {
    /// The learning rate α.
    pub rate: Rate,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of their squares.
    pub beta2: f64,
    /// Keeps the quotient finite.
    pub epsilon: f64,
}

impl Adam {
    /// With learning rate `rate`, β₁ = 0.9, β₂ = 0.999, ε = 1e-8.
    pub fn new(rate: impl Into<Rate>) -> Self {
        Adam { rate: rate.into(), beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

impl Optimiser for Adam {
    fn steps<'g>(&self, memory: &mut Memory<'g>, all: &[Parameter<'g>], steps: Vec<Var<'g>>) -> Vec<Var<'g>> {
        let Adam { beta1, beta2, epsilon, .. } = *self;
        let rate = self.rate.now(memory);
        // 1 − βᵗ, accurate for small t.
        let correction = |beta: f64| -(memory.step() * beta.ln()).expm1();
        let (c1, c2) = (correction(beta1), correction(beta2));
        let step = |(parameter, gradient): (&Parameter<'g>, Var<'g>)| {
            let mean = memory.remember(parameter, "mean", |m| m * beta1 + gradient * (1.0 - beta1));
            let square =
                memory.remember(parameter, "square", |v| v * beta2 + gradient.square() * (1.0 - beta2));
            (mean * (rate / c1)) / ((square * (1.0 / c2)).sqrt() + epsilon)
        };
        all.iter().zip(steps).map(step).collect()
    }

    fn fault(&self) -> Option<String> {
        self.rate
            .fault("the learning rate")
            .or_else(|| not_decay("beta1", self.beta1))
            .or_else(|| not_decay("beta2", self.beta2))
            .or_else(|| not_negative("epsilon", self.epsilon))
    }
}

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019): besides Adam's step, α·λ of each parameter named `weight`
/// is taken away.
#[derive(Clone, Debug)]
pub struct AdamW {
    /// The rest of it.
    pub adam: Adam,
    /// λ, how fast weights decay.
    pub decay: f64,
}

impl AdamW {
    /// With learning rate `rate`, λ = `decay`, the rest as [`Adam::new`].
    pub fn new(rate: impl Into<Rate>, decay: f64) -> Self {
        AdamW { adam: Adam::new(rate), decay }
    }
}

impl Optimiser for AdamW {
    fn steps<'g>(&self, memory: &mut Memory<'g>, all: &[Parameter<'g>], steps: Vec<Var<'g>>) -> Vec<Var<'g>> {
        let rate = self.adam.rate.now(memory);
        let decayed = |(parameter, step): (&Parameter<'g>, Var<'g>)| match parameter.is_weight() {
            true => step + parameter.value * (rate * self.decay),
            false => step,
        };
        all.iter().zip(self.adam.steps(memory, all, steps)).map(decayed).collect()
    }

    fn fault(&self) -> Option<String> {
        self.adam.fault().or_else(|| not_negative("the decay", self.decay))
    }
}

impl Parameter<'_> {
    /// Whether it is called `weight`: what decays, as biases and scales do not.
    pub fn is_weight(&self) -> bool {
        self.path.rsplit('.').next() == Some("weight")
    }
}
