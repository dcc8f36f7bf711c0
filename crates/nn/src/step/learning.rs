//! What a step is to make small, and how.

use std::panic::Location;
use std::rc::Rc;

use chainrule_graph::Var;

use crate::optim::Optimiser;
use crate::train::lies_below;

/// One loss and the parameters that learn from it.
///
/// ```
/// use chainrule_graph::{Graph, vmap};
/// use chainrule_nn::{Goal, Init, Learning, Params, Sgd, Step};
/// use chainrule_tensor::Tensor;
/// // Each example's own gradient, shortened to 1, as differential privacy asks for (without its noise).
/// let inputs = [Tensor::from([[3.0_f32, 0.0], [0.0, 0.1]])];
/// let mut step = Step::builder().record(Params::new(), &inputs, |s, x| {
///     let w = s.param("w", [2], Init::Zeros);
///     let loss = |x| (w * x).sum(..) * 10.0;
///     let clipped = vmap(&[x[0]], |x| {
///         let g = loss(x[0]).grad(&[w])?[0];
///         Ok(vec![g / g.norm().maximum(1.0)])
///     });
///     let goal = Goal::new("loss", loss(x[0].mean(0)), Sgd::new(1.0));
///     Learning::of(goal.gradients(clipped.map(|each| vec![each[0].mean(0)])))
/// })?;
/// step.run(&inputs)?;
/// assert_eq!(step.params().get("w"), Some(&Tensor::from([-0.5_f32, -0.5])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Goal<'g> {
    pub(super) name: String,
    pub(super) loss: Var<'g>,
    pub(super) optimiser: Rc<dyn Optimiser>,
    pub(super) optimiser_at: &'static Location<'static>,
    pub(super) places: Vec<String>,
    pub(super) gradients: Option<chainrule_graph::Result<Vec<Var<'g>>>>,
    /// What parameters must reach besides the loss.
    pub(super) reaching: Option<Var<'g>>,
}

impl<'g> Goal<'g> {
    /// Makes `loss`, a single number, small with `optimiser`. All parameters of the step learn from it, or those
    /// [`at`](Goal::at) some places.
    #[track_caller]
    pub fn new(name: impl Into<String>, loss: Var<'g>, optimiser: impl Optimiser + 'static) -> Self {
        Goal::shared(name, loss, Rc::new(optimiser), Location::caller())
    }

    pub(crate) fn shared(
        name: impl Into<String>,
        loss: Var<'g>,
        optimiser: Rc<dyn Optimiser>,
        optimiser_at: &'static Location<'static>,
    ) -> Self {
        let (places, gradients, reaching) = (Vec::new(), None, None);
        Goal { name: name.into(), loss, optimiser, optimiser_at, places, gradients, reaching }
    }

    /// Only the parameters at the place `path` and below it, or the one parameter `path`; several calls name several places.
    pub fn at(mut self, path: &str) -> Self {
        self.places.push(path.into());
        self
    }

    /// With these gradients in the place of the loss's own: one for each of the goal's parameters, in the order in which the
    /// model asked for them ([`Scope::traced`](crate::Scope::traced)). What is an error here is one of the step.
    pub fn gradients(mut self, gradients: chainrule_graph::Result<Vec<Var<'g>>>) -> Self {
        self.gradients = Some(gradients);
        self
    }

    /// Refuses parameters that do not reach `value`.
    pub(crate) fn reaching(mut self, value: Var<'g>) -> Self {
        self.reaching = Some(value);
        self
    }

    /// Whether the parameter at `path` learns from it.
    pub(super) fn has(&self, path: &str) -> bool {
        self.places.is_empty() || self.places.iter().any(|place| lies_below(path, place))
    }
}

/// What a step learns and tells: its goals, its outputs, and what stays as it is.
///
/// Goals are pursued at once: all gradients are those before the step. Each parameter belongs to one goal, or is frozen.
///
/// ```
/// use chainrule_nn::{Adam, Goal, Layer, Learning, Linear, Params, Step};
/// use chainrule_nn::loss::binary_cross_entropy_with_logits as entropy;
/// use chainrule_tensor::{DType, Key, Tensor};
/// // Two networks against each other: one draws numbers, the other tells them from the data (Goodfellow et al. 2014).
/// let noise = Tensor::normal(Key::new(1), [64, 1], 0.0, 1.0, DType::F32)?;
/// let real = Tensor::normal(Key::new(2), [64, 1], 3.0, 0.5, DType::F32)?;
/// let inputs = [noise, real];
/// let mut step = Step::builder().seed(3).record(Params::new(), &inputs, |s, batch| {
///     let fake = Linear::new(1).forward(&s.at("generator"), batch[0]);
///     let judge = |x| {
///         let h = Linear::new(8).forward(&s.at("judge.hidden").shared(), x).tanh();
///         Linear::new(1).forward(&s.at("judge.output").shared(), h)
///     };
///     let (of_real, of_fake) = (judge(batch[1]), judge(fake));
///     let (yes, no) = (of_real * 0.0 + 1.0, of_real * 0.0);
///     let judged = entropy(of_real, yes.stop_gradient()) + entropy(of_fake, no.stop_gradient());
///     Learning::of(Goal::new("judge", judged, Adam::new(0.02)).at("judge"))
///         .and(Goal::new("generator", entropy(of_fake, yes.stop_gradient()), Adam::new(0.02)).at("generator"))
///         .output("mean", fake.mean(..))
/// })?;
/// for _ in 0..200 {
///     step.run(&inputs)?;
/// }
/// assert!(step.output("mean").expect("an output").item::<f64>()? > 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Learning<'g> {
    pub(super) goals: Vec<Goal<'g>>,
    pub(super) outputs: Vec<(String, Var<'g>)>,
    pub(super) frozen: Vec<String>,
}

impl<'g> Learning<'g> {
    /// With one goal.
    pub fn of(goal: Goal<'g>) -> Self {
        Learning { goals: vec![goal], outputs: Vec::new(), frozen: Vec::new() }
    }

    /// And another goal.
    pub fn and(mut self, goal: Goal<'g>) -> Self {
        self.goals.push(goal);
        self
    }

    /// Tells `value`, of any shape, at each run as `name`: a metric, a picture, a norm.
    pub fn output(mut self, name: impl Into<String>, value: Var<'g>) -> Self {
        self.outputs.push((name.into(), value));
        self
    }

    /// Keeps the parameters at the place `path` and below it, or the one parameter `path`, as they are.
    pub fn freeze(mut self, path: &str) -> Self {
        self.frozen.push(path.into());
        self
    }

    /// Whether what is at `path` is to stay as it is.
    pub(super) fn is_frozen(&self, path: &str) -> bool {
        self.frozen.iter().any(|frozen| lies_below(path, frozen))
    }
}
