//! One training step of any form as one compiled plan.

mod learning;
mod parts;
mod record;

use std::collections::BTreeMap;

use chainrule_graph::{Compiled, Precision, Profile};
use chainrule_tensor::Tensor;
use smallvec::SmallVec;

pub use learning::{Goal, Learning};
pub use record::{Observed, Observer, StepBuilder, StepGoal};

use crate::data::Batch;
use crate::error::{Error, Result};
use crate::optim::Dial;
use crate::params::Params;

pub(crate) use record::input;

/// A compiled training step: losses, gradients and updates for batches of one size. A run allocates nothing.
///
/// [`Trainer::step`](crate::Trainer::step) makes one for a model and a loss. What does not fit that form, such as two
/// networks against each other, steps within the loss, or gradients that are changed before they are used, is a closure over a
/// [`Scope`](crate::Scope) and the inputs of the step, which says what is to be made small:
///
/// ```
/// use chainrule_nn::{Adam, Goal, Layer, Learning, Linear, Params, Step};
/// use chainrule_tensor::Tensor;
///
/// let x = Tensor::from([[0.0_f32], [1.0], [2.0], [3.0]]);
/// let y = Tensor::from([[1.0_f32], [3.0], [5.0], [7.0]]);
/// let inputs = [x, y];
/// let mut step = Step::builder().record(Params::new(), &inputs, |s, batch| {
///     let error = Linear::new(1).forward(&s.at("line"), batch[0]) - batch[1];
///     Learning::of(Goal::new("loss", error.square().mean(..), Adam::new(0.1))).output("farthest", error.abs().max(..))
/// })?;
/// for _ in 0..300 {
///     step.run(&inputs)?;
/// }
/// assert!(step.run(&inputs)? < 1e-2);
/// assert!(step.outputs().any(|(name, _)| name == "farthest"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Step {
    compiled: Compiled,
    examples: usize,
    paths: Vec<String>,
    /// Of the state behind the parameters.
    memory: Vec<String>,
    names: Vec<String>,
    /// What the last run gave besides the first loss.
    last: Vec<Tensor>,
    dials: Vec<Turned>,
    /// What is computed, without lines.
    program: String,
    in_parts: bool,
}

/// What a step takes in one run: a batch, or tensors in the order of the inputs.
pub trait Inputs {
    /// The tensors, in order.
    fn tensors(&self) -> SmallVec<[Tensor; 4]>;
}

impl Inputs for Batch {
    fn tensors(&self) -> SmallVec<[Tensor; 4]> {
        [self.features.clone(), self.targets.clone()].into_iter().collect()
    }
}

impl Inputs for [Tensor] {
    fn tensors(&self) -> SmallVec<[Tensor; 4]> {
        self.iter().cloned().collect()
    }
}

impl<const N: usize> Inputs for [Tensor; N] {
    fn tensors(&self) -> SmallVec<[Tensor; 4]> {
        self.iter().cloned().collect()
    }
}

impl Inputs for Vec<Tensor> {
    fn tensors(&self) -> SmallVec<[Tensor; 4]> {
        self.iter().cloned().collect()
    }
}

/// A dial, and its value as the plan takes it.
struct Turned {
    dial: Dial,
    at: f64,
    value: Tensor,
}

impl Turned {
    fn new(dial: Dial, precision: Precision) -> Self {
        let at = dial.get();
        let value = Tensor::from(at).cast(precision.dtype());
        Turned { dial, at, value }
    }

    /// The value; made anew only if the dial was turned.
    fn now(&mut self, precision: Precision) -> Tensor {
        if self.dial.get().to_bits() != self.at.to_bits() {
            *self = Turned::new(self.dial.clone(), precision);
        }
        self.value.clone()
    }
}

impl Step {
    /// A step of one's own; see [`StepBuilder::record`].
    #[track_caller]
    pub fn builder() -> StepBuilder {
        StepBuilder::new()
    }

    /// The number of examples in a batch: the length of the first input's first axis.
    pub fn examples(&self) -> usize {
        self.examples
    }

    /// Takes one step; the first goal's loss before it, penalty included.
    ///
    /// A loss that is NaN or infinite is no error here: it comes back as it is, and the parameters that the step has made
    /// of it are of no use, in this step or a later one. Look at it, keep the [`state`](Step::state) before, or train in
    /// anomaly mode ([`StepBuilder::anomaly`], [`Trainer::anomaly`](crate::Trainer::anomaly)), which stops before anything is
    /// changed. In f32, numbers beyond it are infinite here.
    ///
    /// # Errors
    /// Inputs of another number, size or type; a label outside the classes; in anomaly mode the first NaN or infinity.
    pub fn run(&mut self, inputs: &(impl Inputs + ?Sized)) -> Result<f64> {
        self.replay(inputs, self.in_parts.then_some((1.0, true)))
    }

    /// Runs the plan; a part has a share of the step's examples, and may be the last.
    fn replay(&mut self, inputs: &(impl Inputs + ?Sized), part: Option<(f64, bool)>) -> Result<f64> {
        let arguments = self.arguments(inputs, part);
        self.last.clear();
        let outputs = self.compiled.run(&arguments)?;
        let loss = outputs[0].item::<f64>()?;
        self.last.extend_from_slice(&outputs[1..]);
        Ok(loss)
    }

    /// What the plan takes: inputs, the values of dials, and of a part its share and whether it is the last.
    fn arguments(
        &mut self,
        inputs: &(impl Inputs + ?Sized),
        part: Option<(f64, bool)>,
    ) -> SmallVec<[Tensor; 4]> {
        let precision = self.compiled.precision();
        let told = |(share, last): (f64, bool)| {
            [Tensor::from(share).cast(precision.dtype()), Tensor::from(last)].into_iter()
        };
        let given = inputs.tensors().into_iter();
        let dials = self.dials.iter_mut().map(|dial| dial.now(precision));
        given.chain(dials).chain(part.into_iter().flat_map(told)).collect()
    }

    /// Where the time of a step goes, measured over `runs` steps from here that are then forgotten: the state stays as it is.
    ///
    /// # Errors
    /// As [`run`](Step::run).
    pub fn profile(&mut self, inputs: &(impl Inputs + ?Sized), runs: usize) -> Result<Profile> {
        let arguments = self.arguments(inputs, self.in_parts.then_some((1.0, true)));
        Ok(self.compiled.profile(&arguments, runs)?)
    }

    /// What the last run gave by name, in the order in which it was asked for: further losses, then
    /// [`Learning::output`]s, then what [observers](StepBuilder::observe) recorded; before the first run nothing.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.names.iter().skip(1).map(String::as_str).zip(&self.last)
    }

    /// The output called `name` of the last run.
    pub fn output(&self, name: &str) -> Option<&Tensor> {
        self.outputs().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The present parameters, and what layers remember.
    pub fn params(&self) -> Params {
        self.paths.iter().cloned().zip(self.compiled.state()).collect()
    }

    /// The parameters with the averages that an [`Average`](crate::optim::Average) keeps in the place of those that have one,
    /// and what layers remember; `None` if there are no averages.
    pub fn averages(&self) -> Option<Params> {
        let state = self.named_state();
        let average = |path: &str| {
            let of = |name: &str| name.strip_prefix(record::AVERAGE).is_some_and(|averaged| averaged == path);
            state.iter().find(|(name, _)| of(name)).map(|(_, value)| value.clone())
        };
        self.state_names().any(|name| name.starts_with(record::AVERAGE)).then(|| {
            let params = self.params();
            params
                .iter()
                .map(|(path, now)| (path.to_owned(), average(path).unwrap_or_else(|| now.clone())))
                .collect()
        })
    }

    /// Goes on with the values that `params` has; others stay, and so does what optimisers remember. So two steps
    /// take turns over one model.
    ///
    /// # Errors
    /// A value of another shape or kind.
    pub fn set_params(&mut self, params: &Params) -> Result<()> {
        let mut state = self.state();
        for (path, value) in self.paths.iter().zip(&mut state) {
            if let Some(given) = params.get(path) {
                *value = given.clone();
            }
        }
        self.set_state(&state)
    }

    /// Parameters, the optimiser's memory, and seed and number of the step: all that training goes on from.
    pub fn state(&self) -> Vec<Tensor> {
        self.compiled.state()
    }

    /// What each tensor of the [`state`](Step::state) is, each name once.
    pub fn state_names(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().chain(&self.memory).map(String::as_str)
    }

    /// Goes on from a [`state`](Step::state) of a step of the same training.
    ///
    /// # Errors
    /// A state of another model or optimiser.
    pub fn set_state(&mut self, state: &[Tensor]) -> Result<()> {
        Ok(self.compiled.set_state(state)?)
    }

    /// The state by name, for a file.
    pub(crate) fn named_state(&self) -> Vec<(String, Tensor)> {
        self.state_names().map(str::to_owned).zip(self.state()).collect()
    }

    /// Goes on from what [`named_state`](Step::named_state) gave.
    pub(crate) fn set_named_state(&mut self, state: &BTreeMap<String, Tensor>, source: &str) -> Result<()> {
        let wanted: Vec<String> = self.state_names().map(str::to_owned).collect();
        let missing = |name: &String| Error::Misfit {
            source_name: source.to_owned(),
            why: format!("the state `{name}` is missing"),
        };
        let values: Result<Vec<Tensor>> =
            wanted.iter().map(|name| state.get(name).cloned().ok_or_else(|| missing(name))).collect();
        self.set_state(&values?)
    }

    /// Whether its optimisers ask this dial.
    pub(crate) fn has_dial(&self, dial: &Dial) -> bool {
        self.dials.iter().any(|turned| turned.dial.is(dial))
    }

    /// The values of its dials.
    pub(crate) fn dials(&self) -> Vec<f64> {
        self.dials.iter().map(|turned| turned.dial.get()).collect()
    }

    /// Turns its dials.
    pub(crate) fn set_dials(&self, values: &[f64]) {
        self.dials.iter().zip(values).for_each(|(turned, value)| turned.dial.set(*value));
    }

    /// The plan, to print or measure.
    pub fn plan(&self) -> &Compiled {
        &self.compiled
    }

    /// What is computed, as text without lines of source: equal for equal programs.
    pub(crate) fn program(&self) -> &str {
        &self.program
    }
}
