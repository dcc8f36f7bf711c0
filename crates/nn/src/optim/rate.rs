//! Learning rates: numbers, formulas of the step, or what the host says.

use std::f64::consts::PI;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chainrule_graph::Var;

use super::memory::Memory;
use super::not_negative;

/// A learning rate, or another number that may change from step to step. It is part of the step's plan, so that changing
/// it makes no new one.
///
/// Formulas are of the number t of steps taken before, from 0.
///
/// ```
/// use chainrule_nn::optim::{Rate, Sgd};
/// let constant = Sgd::new(0.1);
/// let warm = Sgd::new(Rate::linear(0.0, 0.1, 100).then(100, Rate::cosine(0.1, 0.0, 900)));
/// let own = Sgd::new(Rate::formula(|t| 0.1 / (1.0 + 0.01 * t).sqrt()));
/// ```
#[derive(Clone)]
pub struct Rate(Kind);

type Formula = dyn for<'g> Fn(Var<'g>) -> Var<'g> + Send + Sync;

#[derive(Clone)]
enum Kind {
    Constant(f64),
    Formula(Arc<Formula>),
    Dial(Dial),
}

impl Rate {
    /// What `rate` makes of t, the number of steps taken before, a real.
    pub fn formula(rate: impl for<'g> Fn(Var<'g>) -> Var<'g> + Send + Sync + 'static) -> Rate {
        Rate(Kind::Formula(Arc::new(rate)))
    }

    /// `rate`·`factor`^⌊t / `every`⌋: steps down.
    pub fn steps(rate: f64, every: usize, factor: f64) -> Rate {
        Rate::formula(move |t| rate * (factor.ln() * (t / every.max(1) as f64).floor()).exp())
    }

    /// `rate`·`factor`ᵗ.
    pub fn exponential(rate: f64, factor: f64) -> Rate {
        Rate::formula(move |t| rate * (factor.ln() * t).exp())
    }

    /// `rate` / (1 + `decay`·t) (course 2, lecture 2.9).
    pub fn inverse_time(rate: f64, decay: f64) -> Rate {
        Rate::formula(move |t| rate / (1.0 + decay * t))
    }

    /// From `from` to `to` in `steps` steps, along a straight line; then `to`.
    pub fn linear(from: f64, to: f64, steps: usize) -> Rate {
        Rate::formula(move |t| from + (to - from) * (t / steps.max(1) as f64).minimum(1.0))
    }

    /// From `from` to `to` in `steps` steps, along half a cosine (Loshchilov and Hutter 2017); then `to`.
    pub fn cosine(from: f64, to: f64, steps: usize) -> Rate {
        cosine(from, to, steps as f64)
    }

    /// `first` at first, and from each of `changes`, a step and a rate, that rate. Steps rise.
    pub fn piecewise(first: f64, changes: impl Into<Vec<(usize, f64)>>) -> Rate {
        let changes = changes.into();
        Rate::formula(move |t| {
            changes.iter().fold(t.like(first), |rate, (from, next)| t.less(*from as f64).select(rate, *next))
        })
    }

    /// One cycle of `steps` steps (Smith and Topin 2018), with PyTorch's shape: from `greatest` / 25 up along a cosine for
    /// three tenths of them, then down to a ten thousandth of the start.
    pub fn one_cycle(greatest: f64, steps: usize) -> Rate {
        let (low, up) = (greatest / 25.0, 0.3 * steps as f64 - 1.0);
        cosine(low, greatest, up).after(up, cosine(greatest, low / 1e4, steps as f64 - 1.0 - up))
    }

    /// This for `steps` steps, then `next`, whose steps count from there.
    pub fn then(self, steps: usize, next: Rate) -> Rate {
        self.after(steps as f64, next)
    }

    fn after(self, steps: f64, next: Rate) -> Rate {
        Rate::formula(move |t| t.less(steps).select(self.of(t), next.of(t - steps)))
    }

    /// The rate after t steps; of a dial, its present value.
    fn of<'g>(&self, t: Var<'g>) -> Var<'g> {
        match &self.0 {
            Kind::Constant(rate) => t.like(*rate),
            Kind::Formula(f) => f(t),
            Kind::Dial(dial) => t.like(dial.get()),
        }
    }

    /// The rate in the step that is recorded.
    pub fn now<'g>(&self, memory: &mut Memory<'g>) -> Var<'g> {
        match &self.0 {
            Kind::Constant(rate) => memory.graph().constant(*rate),
            Kind::Formula(f) => f(memory.step() - 1.0),
            Kind::Dial(dial) => memory.dialled(dial),
        }
    }

    /// What is wrong with it, if it is a number.
    pub(super) fn fault(&self, name: &str) -> Option<String> {
        match &self.0 {
            Kind::Constant(rate) => not_negative(name, *rate),
            Kind::Formula(_) => None,
            Kind::Dial(dial) => not_negative(name, dial.get()),
        }
    }
}

/// From `from` to `to` along half a cosine in `steps`, which need not be whole.
fn cosine(from: f64, to: f64, steps: f64) -> Rate {
    Rate::formula(move |t| {
        let share = if steps > 0.0 { (t / steps).minimum(1.0) } else { t.like(1.0) };
        to + 0.5 * (from - to) * (1.0 + (share * PI).cos())
    })
}

impl From<f64> for Rate {
    fn from(rate: f64) -> Self {
        Rate(Kind::Constant(rate))
    }
}

impl From<&Dial> for Rate {
    fn from(dial: &Dial) -> Self {
        Rate(Kind::Dial(dial.clone()))
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Constant(rate) => write!(f, "{rate}"),
            Kind::Formula(_) => f.write_str("a formula of the step"),
            Kind::Dial(dial) => write!(f, "{dial:?}"),
        }
    }
}

/// A number that the host may change between steps, without a new plan: copies are one dial.
///
/// ```
/// use chainrule_nn::{Params, Sgd, Trainer, Linear, data, loss, optim::Dial};
/// let dial = Dial::new(0.5);
/// let trainer = Trainer::new(Linear::new(3), loss::softmax_cross_entropy).optimiser(Sgd::new(&dial));
/// let iris = data::iris()?;
/// let batch = iris.batches(50)?.next().expect("150 flowers");
/// let mut step = trainer.step(Params::new(), &batch, 150)?;
/// step.run(&batch)?;
/// let before = step.params();
/// dial.set(0.0);
/// step.run(&batch)?;
/// assert_eq!(step.params(), before);
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone)]
pub struct Dial(Arc<AtomicU64>);

impl Dial {
    /// Set to `value`.
    pub fn new(value: f64) -> Self {
        Dial(Arc::new(AtomicU64::new(value.to_bits())))
    }

    /// Its value.
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// Changes it, from the next step on.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    pub(crate) fn is(&self, other: &Dial) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a dial at {}", self.get())
    }
}
