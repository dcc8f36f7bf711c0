//! One training step as one compiled plan.

use std::panic::Location;

use chainrule_graph::{Compiled, ErrorKind, Graph, Precision, Var};
use chainrule_tensor::{DType, Tensor};
use smallvec::SmallVec;

use super::{Loss, Trainer};
use crate::Layer;
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::optim::{self, Dial, Parameter, Updates};
use crate::params::Params;
use crate::scope::{self, Mode, Remembered, Scope};

/// A compiled training step: loss, gradient and update for batches of one size. A run allocates nothing.
///
/// Made by [`Trainer::step`]; a loop of one's own is `for batch in … { step.run(&batch)?; }`.
pub struct Step {
    compiled: Compiled,
    examples: usize,
    paths: Vec<String>,
    dials: Vec<Turned>,
}

/// A dial, and its value as the plan takes it.
struct Turned {
    dial: Dial,
    at: f64,
    value: Tensor,
}

impl Turned {
    fn new(dial: Dial) -> Self {
        let at = dial.get();
        Turned { dial, at, value: Tensor::from(at as f32) }
    }

    /// The value; made anew only if the dial was turned.
    fn now(&mut self) -> Tensor {
        if self.dial.get().to_bits() != self.at.to_bits() {
            *self = Turned::new(self.dial.clone());
        }
        self.value.clone()
    }
}

impl Step {
    /// The number of examples in a batch.
    pub fn examples(&self) -> usize {
        self.examples
    }

    /// Takes one step; the loss before it, penalty included.
    ///
    /// A loss that is NaN or infinite is no error here: it comes back as it is, and the parameters that the step has made
    /// of it are of no use, in this step or a later one. Look at it, keep the [`state`](Step::state) before, or train in
    /// [anomaly mode](Trainer::anomaly), which stops before anything is changed. Numbers beyond f32 are infinite here.
    ///
    /// # Errors
    /// A batch of another size or type; a label outside the classes; in anomaly mode the first NaN or infinity.
    pub fn run(&mut self, batch: &Batch) -> Result<f64> {
        let given = [batch.features.clone(), batch.targets.clone()].into_iter();
        let arguments: SmallVec<[Tensor; 4]> = given.chain(self.dials.iter_mut().map(Turned::now)).collect();
        let outputs = self.compiled.run(&arguments)?;
        Ok(outputs[0].item::<f64>()?)
    }

    /// The present parameters, and what layers remember.
    pub fn params(&self) -> Params {
        self.paths.iter().cloned().zip(self.compiled.state()).collect()
    }

    /// Parameters, the optimiser's memory, and seed and number of the step: all that training goes on from.
    pub fn state(&self) -> Vec<Tensor> {
        self.compiled.state()
    }

    /// Goes on from a [`state`](Step::state) of a step of the same training.
    ///
    /// # Errors
    /// A state of another model or optimiser.
    pub fn set_state(&mut self, state: &[Tensor]) -> Result<()> {
        Ok(self.compiled.set_state(state)?)
    }

    /// The plan, to print or measure.
    pub fn plan(&self) -> &Compiled {
        &self.compiled
    }
}

pub(super) fn compile<M: Layer, L: Loss>(
    trainer: &Trainer<M, L>,
    params: Params,
    batch: &Batch,
    examples: usize,
) -> Result<Step> {
    if let Some(why) = trainer.optimiser.fault().or_else(|| trainer.penalty.fault()) {
        return Err(Error::argument("Trainer", why));
    }
    let given = params.clone();
    let graph = Graph::new();
    scope::lines_of(&graph);
    let _made = graph.passed_at(trainer.made_at);
    let x = input(&graph, "features", &batch.features, trainer.made_at);
    let y = input(&graph, "targets", &batch.targets, trainer.made_at);
    // Seed and number of the step: the key of everything random, and Adam's clock.
    let clock = graph.leaf("clock", Tensor::from([trainer.seed as i64, 0]));
    let ticked = clock + graph.constant(Tensor::from([0_i64, 1]));
    let scope = Scope::with_key(&graph, params, Mode::Train, trainer.seed, clock);
    let [loss, objective] = trainer.objective(&scope, x, y, examples);
    // An error in the model itself comes before what is said of its parameters.
    objective.checked()?;
    trainer.check_given(&given, &scope.asked())?;
    let learning = trainer.learning(&scope)?;
    let vars: Vec<Var<'_>> = learning.iter().map(|(_, v)| *v).collect();
    // A parameter that only the penalty depends on learns nothing.
    let unused = |error: chainrule_graph::Error| match error.kind() {
        ErrorKind::Disconnected { name, .. } => {
            let path = name.trim_matches('`');
            let place = path.rsplit_once('.').map_or(path, |(place, _)| place);
            let hint = format!(
                "let the loss depend on it, or do not make it; if it is to stay as it is, say so: \
                 Trainer::freeze(\"{place}\")"
            );
            error.hint(hint)
        }
        _ => error,
    };
    if loss.id() != objective.id() {
        loss.grad(&vars).map_err(unused)?;
    }
    let gradients = objective.grad(&vars).map_err(unused)?;
    let _passed = graph.passed_at(trainer.optimiser_at);
    let parameters: Vec<Parameter<'_>> =
        learning.iter().map(|(path, value)| Parameter { path: path.clone(), value: *value }).collect();
    let number = ticked.slice(0, 1..2).reshape([]).real();
    let Updates { state, dials } = optim::updates(&*trainer.optimiser, number, &parameters, gradients);
    let (learnt, memory) = state.split_at(parameters.len().min(state.len()));
    let mut learnt = learnt.iter().copied();
    let mut updates: Vec<(Var<'_>, Var<'_>)> = Vec::new();
    for (path, parameter) in scope.traced() {
        let next = if trainer.is_frozen(&path) { None } else { learnt.next() };
        updates.push(next.unwrap_or((parameter, parameter)));
    }
    for Remembered { path, before, after } in scope.remembered() {
        updates.push((before, if trainer.is_frozen(&path) { before } else { after }));
    }
    updates.extend_from_slice(memory);
    updates.push((clock, ticked));
    let inputs: Vec<Var<'_>> = [x, y].into_iter().chain(dials.iter().map(|(_, v)| *v)).collect();
    let compiler = graph.compiler(&inputs, &[objective]).state(&updates).precision(Precision::F32);
    let compiled = compiler.anomaly(trainer.anomaly).build()?;
    let paths = scope.asked().into_iter().map(|(path, _)| path).collect();
    let dials = dials.into_iter().map(|(dial, _)| Turned::new(dial)).collect();
    Ok(Step { compiled, examples: batch.features.shape()[0], paths, dials })
}

/// An argument of the type of `example`, for which the line at `made_at` is to blame.
pub(super) fn input<'g>(
    graph: &'g Graph,
    name: &str,
    example: &Tensor,
    made_at: &'static Location<'static>,
) -> Var<'g> {
    use chainrule_graph::Kind;
    let _here = graph.blame("Trainer", made_at);
    let kind = match example.dtype() {
        DType::F32 | DType::F64 => Kind::Real,
        DType::I64 => Kind::Int,
        DType::Bool => Kind::Truth,
    };
    graph.input(name, example.shape(), kind)
}
