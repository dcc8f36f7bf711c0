//! Training: a model and a loss as one graph, one plan per batch size, replayed.

mod evaluate;
mod step;

use std::panic::Location;

use chainrule_graph::check::{Checker, Report};
use chainrule_graph::{ErrorKind, Graph, Var};
use chainrule_tensor::{Key, Tensor};

use crate::data::{Batch, Dataset};
use crate::error::{Error, Result};
use crate::optim::{Adam, Optimiser};
use crate::params::Params;
use crate::penalty::Penalty;
use crate::progress::Progress;
use crate::scope::{Mode, Scope};
use crate::{History, Layer};

pub use evaluate::{Evaluation, Evaluator};
pub use step::Step;

/// A function from prediction and target to a single number; every function of that form is one.
/// A closure is wrapped: [`loss::from_fn`](crate::loss::from_fn).
#[diagnostic::on_unimplemented(
    note = "a function is a loss if it is `for<'g> fn(Var<'g>, Var<'g>) -> Var<'g>`; wrap a closure: `loss::from_fn(|prediction, target| …)`"
)]
pub trait Loss {
    /// Records the loss, the mean over the batch.
    fn of<'g>(&self, prediction: Var<'g>, target: Var<'g>) -> Var<'g>;
}

impl<F> Loss for F
where
    F: for<'g> Fn(Var<'g>, Var<'g>) -> Var<'g>,
{
    fn of<'g>(&self, prediction: Var<'g>, target: Var<'g>) -> Var<'g> {
        self(prediction, target)
    }
}

/// A model, its loss, and how to train it.
///
/// A training step (forward, loss with penalty, backward, optimiser) is one graph and one plan; parameters and
/// the optimiser's memory are updated in place in the plan's own buffers. The same seed gives the same bits.
///
/// ```
/// use chainrule_graph::Var;
/// use chainrule_nn::data::{Standardize, iris};
/// use chainrule_nn::{Adam, Layer, Linear, Params, Scope, Trainer, loss, progress::Silent};
/// use chainrule_tensor::Key;
///
/// fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
///     let h = Linear::new(8).forward(&s.at("hidden"), x).tanh();
///     Linear::new(3).forward(&s.at("output"), h)
/// }
/// let [train, test] = iris()?.split_stratified([0.8, 0.2], Key::new(1))?;
/// let scale = Standardize::fit(&train)?;
/// let (train, test) = (scale.apply(&train)?, scale.apply(&test)?);
///
/// let trainer = Trainer::new(model, loss::softmax_cross_entropy).optimiser(Adam::new(0.03)).epochs(30);
/// let mut params = Params::new();
/// assert!(trainer.check(&mut params, &train.select(&[0, 50, 100])?, 20)?.is_fine());
/// let history = trainer.fit(&mut params, &train, None, &mut Silent)?;
/// assert!(history.last("train loss").expect("30 epochs").1 < 0.2);
/// assert!(trainer.evaluator().accuracy(&params, &test)? > 0.85);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Trainer<M, L> {
    model: M,
    loss: L,
    optimiser: Box<dyn Optimiser>,
    /// Where it was passed.
    optimiser_at: &'static Location<'static>,
    penalty: Penalty,
    frozen: Vec<String>,
    epochs: usize,
    batch: usize,
    seed: u64,
    anomaly: bool,
    draw_missing: bool,
    /// Where model and loss were passed.
    made_at: &'static Location<'static>,
}

// Bounds stand at the methods: at the block they would hide the method and with it the advice on closures.
impl<M, L> Trainer<M, L> {
    /// With Adam at rate 0.001, no penalty, 10 epochs, batches of 64, seed 0.
    ///
    /// Closures are wrapped, the model in [`layer`](crate::layer), the loss in [`loss::from_fn`](crate::loss::from_fn):
    ///
    /// ```
    /// use chainrule_nn::{Layer, Linear, Trainer, layer, loss};
    /// let (units, weight) = (3, 0.1);
    /// let trainer = Trainer::new(
    ///     layer(|s, x| Linear::new(units).forward(&s.at("output"), x).tanh()),
    ///     loss::from_fn(|z, y| loss::mean_squared_error(z, y) + z.abs().mean(..) * weight),
    /// )
    /// .epochs(5);
    /// ```
    #[track_caller]
    pub fn new(model: M, loss: L) -> Self
    where
        M: Layer,
        L: Loss,
    {
        Trainer {
            made_at: Location::caller(),
            model,
            loss,
            optimiser: Box::new(Adam::new(0.001)),
            optimiser_at: Location::caller(),
            penalty: Penalty::NONE,
            frozen: Vec::new(),
            epochs: 10,
            batch: 64,
            seed: 0,
            anomaly: false,
            draw_missing: false,
        }
    }

    /// How gradients change parameters.
    #[track_caller]
    pub fn optimiser(mut self, optimiser: impl Optimiser + 'static) -> Self {
        self.optimiser = Box::new(optimiser);
        self.optimiser_at = Location::caller();
        self
    }

    /// What is added to the loss for large weights.
    pub fn penalty(mut self, penalty: Penalty) -> Self {
        self.penalty = penalty;
        self
    }

    /// Keeps the parameters at the place `path` and below it, or the one parameter `path`, as they are: they have no
    /// gradient, no penalty and no part in the optimiser. So a head is trained on a body that was given.
    /// [`fit`](Trainer::fit) fails if the model has no such place.
    ///
    /// ```
    /// use chainrule_graph::Var;
    /// use chainrule_nn::{Layer, Linear, Params, Scope, Trainer, data::iris, loss, progress::Silent};
    /// fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    ///     let h = Linear::new(4).forward(&s.at("body"), x).tanh();
    ///     Linear::new(3).forward(&s.at("head"), h)
    /// }
    /// let trainer = || Trainer::new(model, loss::softmax_cross_entropy).epochs(1);
    /// let mut params = Params::new();
    /// trainer().fit(&mut params, &iris()?, None, &mut Silent)?;
    /// let before = params.clone();
    /// trainer().freeze("body").fit(&mut params, &iris()?, None, &mut Silent)?;
    /// assert_eq!(params.get("body.weight"), before.get("body.weight"));
    /// assert_ne!(params.get("head.weight"), before.get("head.weight"));
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    pub fn freeze(mut self, path: &str) -> Self {
        self.frozen.push(path.into());
        self
    }

    /// How often every example is seen.
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// How many examples a step sees.
    pub fn batch_size(mut self, examples: usize) -> Self {
        self.batch = examples;
        self
    }

    /// Seeds initialisation, shuffling and dropout.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Anomaly mode: training stops with [`Error::Anomaly`] at the first operation, forward or backward, that makes a
    /// NaN or an infinity. Slow; costs nothing when off.
    pub fn anomaly(mut self, on: bool) -> Self {
        self.anomaly = on;
        self
    }

    /// Whether parameters that are missing among those given are drawn: for a new head on a body that was loaded. With
    /// no parameters given, all are drawn anyway. Parameters that the model does not take are refused in any case.
    pub fn draw_missing(mut self, on: bool) -> Self {
        self.draw_missing = on;
        self
    }

    /// The model.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// Trains `params` on `train`; if there are none, they are drawn first. After each epoch the history gets the
    /// mean `train loss` (penalty included), and, where `dev` is given, `dev loss` and, where the loss tells which classes
    /// the outputs name (see [`loss::reads`](crate::loss::reads)), `dev accuracy`.
    ///
    /// # Errors
    /// Before the first step: any error in the model, with the user's line; a parameter that the loss does not depend on;
    /// [`Error::Misfit`] for parameters given that the model does not take or that lack some (see
    /// [`draw_missing`](Trainer::draw_missing)); [`Error::Names`] if features or classes of `train`, of `dev` and of what
    /// `params` were trained on differ; outputs that cannot name the classes; [`Error::Range`]; a hyperparameter that makes
    /// no sense, as a negative rate.
    ///
    /// Later: a label outside the classes; [`Error::Diverged`] when the loss is NaN or infinite, [`Error::Overshot`] when a
    /// parameter is after the last step of an epoch. `params` are then those at the end of the last whole epoch.
    pub fn fit(
        &self,
        params: &mut Params,
        train: &Dataset,
        dev: Option<&Dataset>,
        progress: &mut dyn Progress,
    ) -> Result<History>
    where
        M: Layer,
        L: Loss,
    {
        let mut history = History::new();
        let mut evaluator = self.evaluator();
        self.agree(&mut evaluator, params, train, dev)?;
        let names = params.names().or(train.names());
        let shuffle = Key::new(self.seed).named("shuffle");
        let batches = train.examples().div_ceil(self.batch.max(1));
        let mut steps: Vec<Step> = Vec::new();
        progress.begin(self.epochs);
        for epoch in 1..=self.epochs {
            let mut total = 0.0;
            for (i, batch) in train.batches(self.batch)?.shuffled(shuffle.at(epoch as u64)).enumerate() {
                let examples = batch.features.shape()[0];
                self.turn_to(&mut steps, params, &batch, train.examples())?;
                let loss = steps[0].run(&batch).map_err(|error| match error {
                    Error::Graph(error) if matches!(error.kind(), ErrorKind::NonFinite { .. }) => {
                        Error::Anomaly { epoch, batch: i + 1, error }
                    }
                    error => error,
                })?;
                if !loss.is_finite() {
                    return Err(Error::Diverged { epoch, batch: i + 1, loss });
                }
                total += loss * examples as f64;
                progress.batch(i + 1, batches);
            }
            if let Some(step) = steps.first() {
                let trained = step.params();
                if let Some(name) = trained.not_finite() {
                    return Err(Error::Overshot { epoch, parameter: name.into() });
                }
                *params = trained.with_names(&names);
            }
            history.record(epoch, "train loss", total / train.examples() as f64);
            if let Some(dev) = dev {
                let measured = evaluator.run(params, dev)?;
                history.record(epoch, "dev loss", measured.loss);
                if measured.names_classes() {
                    history.record(epoch, "dev accuracy", measured.accuracy(dev.targets())?);
                }
            }
            progress.epoch(epoch, &history);
        }
        progress.finish();
        Ok(history)
    }

    /// Compiles the training step for batches like `batch`; `examples` is the size of the training set, which
    /// the penalty is divided by.
    ///
    /// # Errors
    /// As [`fit`](Trainer::fit).
    pub fn step(&self, params: Params, batch: &Batch, examples: usize) -> Result<Step>
    where
        M: Layer,
        L: Loss,
    {
        step::compile(self, params, batch, examples)
    }

    /// Checks the gradient of the very loss that is trained, penalty and dropout included, against numeric
    /// differences in f64, on `data` (a few examples), for up to `elements` elements of each parameter.
    /// If there are no parameters they are drawn and put into `params`.
    ///
    /// # Errors
    /// Any error in the model; parameters or data that do not fit, as in [`fit`](Trainer::fit). A parameter that the
    /// loss does not depend on is an `Unused` verdict of the report.
    pub fn check(&self, params: &mut Params, data: &Dataset, elements: usize) -> Result<Report>
    where
        M: Layer,
        L: Loss,
    {
        let whose = ["the parameters were trained on", "the data have"];
        params.names().agree("Trainer::check", whose, data.names())?;
        let graph = Graph::new();
        let given = |value: &Tensor| {
            let _here = graph.blame("Trainer", self.made_at);
            graph.constant(value.clone())
        };
        let (x, y) = (given(data.features()), given(data.targets()));
        let scope = Scope::root(&graph, params.clone(), Mode::Train, self.seed);
        let [_, objective] = self.objective(&scope, x, y, data.examples());
        objective.checked()?;
        self.check_given(params, &scope.asked())?;
        let parameters: Vec<Var<'_>> = self.learning(&scope)?.into_iter().map(|(_, v)| v).collect();
        let report = Checker::default().elements(elements).check(objective, &parameters)?;
        *params = scope.params().with_names(&params.names().or(data.names()));
        Ok(report)
    }

    /// Measures the model on data, without dropout or penalty.
    pub fn evaluator(&self) -> Evaluator<'_, M, L>
    where
        M: Layer,
        L: Loss,
    {
        Evaluator::new(&self.model, &self.loss, self.made_at)
    }
}

impl<M: Layer, L: Loss> Trainer<M, L> {
    /// Finds what does not fit together before the first step is taken.
    fn agree(
        &self,
        evaluator: &mut Evaluator<'_, M, L>,
        params: &Params,
        train: &Dataset,
        dev: Option<&Dataset>,
    ) -> Result<()> {
        let (stored, given) = ("the parameters were trained on", "the training data have");
        params.names().agree("Trainer", [stored, given], train.names())?;
        train.check_range()?;
        if let Some(dev) = dev {
            train.names().agree("Trainer", [given, "the dev data have"], dev.names())?;
        }
        if self.batch > 0 {
            let batch = train.first(self.batch.min(train.examples()));
            evaluator.trace(&Graph::new(), params, &batch, train)?;
        }
        dev.map_or(Ok(()), |dev| evaluator.prepare(params, dev))
    }

    /// Whether `given` are the parameters that a trace asked for, or there are none to compare.
    fn check_given(&self, given: &Params, traced: &[(String, Var<'_>)]) -> Result<()> {
        let paths = || traced.iter().map(|(path, _)| path.as_str());
        let missing: Vec<&str> = paths().filter(|path| given.get(path).is_none()).collect();
        let left = given.left_over(paths());
        let whole = missing.is_empty() || self.draw_missing;
        if given.is_empty() || left.is_empty() && whole {
            return Ok(());
        }
        let error = given.misfit("Trainer", &missing, &left);
        Err(match error {
            Error::Misfit { source_name, why } if left.is_empty() => {
                Error::Misfit { source_name, why: format!("{why}; Trainer::draw_missing has them drawn") }
            }
            other => other,
        })
    }

    /// Puts the step for this batch's size first, with the state of the one that was first.
    fn turn_to(&self, steps: &mut Vec<Step>, params: &Params, batch: &Batch, examples: usize) -> Result<()> {
        let fits = |s: &Step| s.examples() == batch.features.shape()[0];
        let next = match steps.iter().position(fits) {
            Some(0) => return Ok(()),
            Some(i) => steps.remove(i),
            None => self.step(params.clone(), batch, examples)?,
        };
        steps.insert(0, next);
        if let [next, before, ..] = &mut steps[..] {
            next.set_state(&before.state())?;
        }
        Ok(())
    }

    /// Records the loss of a batch, and the same with the penalty.
    fn objective<'g>(&self, scope: &Scope<'g>, x: Var<'g>, y: Var<'g>, examples: usize) -> [Var<'g>; 2] {
        let _passed = scope.graph().passed_at(self.made_at);
        let loss = self.loss.of(self.model.forward(scope, x), y);
        if self.penalty == Penalty::NONE {
            return [loss, loss];
        }
        match self.learning(scope) {
            Ok(parameters) => [loss, loss + self.penalty.of(scope.graph(), &parameters, examples)],
            // Whoever differentiates asks again.
            Err(_) => [loss, loss],
        }
    }

    /// The parameters that a trace has used and that are not frozen.
    fn learning<'g>(&self, scope: &Scope<'g>) -> Result<Vec<(String, Var<'g>)>> {
        let mut parameters = scope.traced();
        for frozen in &self.frozen {
            if !scope.traced().iter().any(|(path, _)| lies_below(path, frozen)) {
                let paths: Vec<String> = scope.traced().into_iter().map(|(path, _)| path).collect();
                let why = format!("no parameter is at or below `{frozen}`; there are {}", paths.join(", "));
                return Err(Error::argument("freeze", why));
            }
        }
        parameters.retain(|(path, _)| !self.is_frozen(path));
        Ok(parameters)
    }

    /// Whether what is at `path` is to stay as it is.
    fn is_frozen(&self, path: &str) -> bool {
        self.frozen.iter().any(|frozen| lies_below(path, frozen))
    }
}

/// What a doctor asks.
impl<M: Layer, L: Loss> Trainer<M, L> {
    /// Epochs, batch size, seed.
    pub(crate) fn course(&self) -> (usize, usize, u64) {
        (self.epochs, self.batch, self.seed)
    }

    pub(crate) fn probe(&self) -> crate::doctor::Probe<'_, M, L> {
        crate::doctor::Probe::made_at(&self.model, &self.loss, self.made_at)
    }

    pub(crate) fn freezes(&self, path: &str) -> bool {
        self.frozen.iter().any(|frozen| lies_below(path, frozen))
    }

    pub(crate) fn is_penalised(&self) -> bool {
        self.penalty != Penalty::NONE
    }
}

/// Whether `path` is `place` or below it.
pub(crate) fn lies_below(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
