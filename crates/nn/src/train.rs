//! Training: a model and a loss as one graph, one plan per batch size, replayed.

mod accumulate;
mod best;
mod checkpoint;
mod evaluate;
mod examples;
mod minimise;
mod rates;
mod run;
mod settings;
mod stop;
mod trials;

use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

use chainrule_graph::check::Report;
use chainrule_graph::{Graph, Precision, Var};

use crate::data::{Augment, Batch, Dataset, Source};
use crate::error::{Error, Result};
use crate::optim::{Adam, Optimiser};
use crate::params::Params;
use crate::penalty::Penalty;
use crate::progress::Progress;
use crate::scope::Scope;
use crate::step::{Goal, Learning, Step, StepBuilder};
use crate::{History, Layer};

pub use best::Best;
pub use checkpoint::Checkpoints;
pub use evaluate::{Evaluation, Evaluator};
use examples::Examples;
pub use rates::Rates;
pub use run::{Epoch, Run, Stepped};
pub use stop::Stop;
pub use trials::Seeds;

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
    optimiser: Rc<dyn Optimiser>,
    /// Where it was passed.
    optimiser_at: &'static Location<'static>,
    penalty: Penalty,
    frozen: Vec<String>,
    epochs: usize,
    batch: usize,
    accumulate: usize,
    augment: Option<Augment>,
    /// How many batches are made ahead.
    ahead: usize,
    /// How many plans a run keeps.
    plans: usize,
    spike: Option<f64>,
    stop: Stop,
    /// How steps are recorded: seed, width, who looks on, and whose lines errors have.
    steps: StepBuilder,
    best: Option<Best>,
    checkpoints: Option<Checkpoints>,
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
            optimiser: Rc::new(Adam::new(0.001)),
            optimiser_at: Location::caller(),
            penalty: Penalty::NONE,
            frozen: Vec::new(),
            epochs: 10,
            batch: 64,
            accumulate: 1,
            augment: None,
            ahead: 0,
            plans: 8,
            spike: None,
            stop: Stop::new(),
            steps: Step::builder().called("Trainer", &["features", "targets"], Location::caller()),
            best: None,
            checkpoints: None,
        }
    }

    /// Trains `params` on `train`; if there are none, they are drawn first. After each epoch the history gets the
    /// mean `train loss` (penalty included), and, where `dev` is given, `dev loss` and, where the loss tells which classes
    /// the outputs name (see [`loss::reads`](crate::loss::reads)), `dev accuracy`.
    ///
    /// This is a loop over [`start`](Trainer::start), which is there for loops of one's own.
    ///
    /// # Errors
    /// Before the first step: any error in the model, with the user's line; a parameter that the loss does not depend on;
    /// [`Error::Misfit`] for parameters given that the model does not take or that lack some (see
    /// [`draw_missing`](Trainer::draw_missing)); [`Error::Names`] if features or classes of `train`, of `dev` and of what
    /// `params` were trained on differ; outputs that cannot name the classes; [`Error::Range`]; a hyperparameter that makes
    /// no sense, as a negative rate; a [checkpoint](Trainer::checkpoints) of another run.
    ///
    /// Later: a label outside the classes; [`Error::Diverged`] when the loss is NaN or infinite, [`Error::Spiked`] when
    /// it is far above what is usual, if that is [asked for](Trainer::stop_at_spikes), [`Error::Overshot`] when a
    /// parameter is after the last step of an epoch. `params` are then those at the end of the last whole epoch, or, if the
    /// [best](Trainer::best) are kept, those.
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
        self.follow(self.start(params.clone(), train, dev)?, params, progress)
    }

    /// As [`fit`](Trainer::fit), on examples that are read when a batch needs them, in the same order and to the same bits;
    /// [`ahead`](Trainer::ahead) has them read by a thread of its own. With [checkpoints](Trainer::checkpoints), a run goes on
    /// within an epoch; to see that the data are the same, all are read once at the start.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use chainrule_nn::{Linear, Params, Trainer, data::iris, loss, progress::Silent};
    /// let iris = iris()?;
    /// let trainer = Trainer::new(Linear::new(3), loss::softmax_cross_entropy).epochs(2).ahead(2);
    /// let (mut read, mut held) = (Params::new(), Params::new());
    /// trainer.fit_source(&mut read, Arc::new(iris.clone()), None, &mut Silent)?;
    /// trainer.fit(&mut held, &iris, None, &mut Silent)?;
    /// assert_eq!(read.get("weight"), held.get("weight"));
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fit`](Trainer::fit); [`Error::Row`] for an example that cannot be read; labels without
    /// [classes](Source::classes).
    pub fn fit_source(
        &self,
        params: &mut Params,
        train: Arc<dyn Source>,
        dev: Option<&Dataset>,
        progress: &mut dyn Progress,
    ) -> Result<History>
    where
        M: Layer,
        L: Loss,
    {
        self.follow(self.start_source(params.clone(), train, dev)?, params, progress)
    }

    /// Takes the steps of `run` to its end.
    fn follow(
        &self,
        mut run: Run<'_, M, L>,
        params: &mut Params,
        progress: &mut dyn Progress,
    ) -> Result<History>
    where
        M: Layer,
        L: Loss,
    {
        progress.begin(self.epochs);
        let ended = loop {
            match run.step() {
                Ok(Some(stepped)) => {
                    progress.batch(stepped.batch, stepped.batches);
                    if stepped.is_last() {
                        progress.epoch(stepped.epoch, run.history());
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        *params = run.best().map_or(run.params(), |(_, _, best)| best).clone();
        ended?;
        progress.finish();
        Ok(run.into_history())
    }

    /// A run that is under way: an iterator over its epochs, each of which is trained when it is asked for. One may look at
    /// each, break, change a rate (see [`Dial`](crate::optim::Dial)), and go on later.
    ///
    /// ```
    /// use chainrule_nn::{Adam, Linear, Params, Trainer, data::iris, loss, optim::Dial};
    /// let rate = Dial::new(0.1);
    /// let trainer = Trainer::new(Linear::new(3), loss::softmax_cross_entropy).optimiser(Adam::new(&rate)).epochs(200);
    /// let iris = iris()?;
    /// let mut run = trainer.start(Params::new(), &iris, None)?;
    /// for epoch in run.by_ref() {
    ///     let epoch = epoch?;
    ///     if epoch.number == 100 {
    ///         rate.set(0.01);
    ///     }
    ///     if epoch.get("train loss").is_some_and(|loss| loss < 0.25) {
    ///         break;
    ///     }
    /// }
    /// assert!(run.history().last("train loss").is_some_and(|(epoch, loss)| epoch < 200 && loss < 0.25));
    /// assert_eq!(run.params().len(), 2);
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`fit`](Trainer::fit) that come before the first step; that a parameter learns nothing is said by the first.
    pub fn start<'t>(
        &'t self,
        params: Params,
        train: &'t Dataset,
        dev: Option<&'t Dataset>,
    ) -> Result<Run<'t, M, L>>
    where
        M: Layer,
        L: Loss,
    {
        let mut evaluator = self.evaluator();
        self.agree(&mut evaluator, &params, train, dev)?;
        Run::new(self, evaluator, params, Examples::Memory(train), dev)
    }

    /// As [`start`](Trainer::start), on examples that are read when a batch needs them.
    ///
    /// # Errors
    /// As [`start`](Trainer::start); [`Error::Row`] for an example that cannot be read; labels without
    /// [classes](Source::classes).
    pub fn start_source<'t>(
        &'t self,
        params: Params,
        train: Arc<dyn Source>,
        dev: Option<&'t Dataset>,
    ) -> Result<Run<'t, M, L>>
    where
        M: Layer,
        L: Loss,
    {
        let mut evaluator = self.evaluator();
        let train = Examples::read(train, self.batch)?;
        self.agree(&mut evaluator, &params, train.sample(), dev)?;
        Run::new(self, evaluator, params, train, dev)
    }

    /// What [`start`](Trainer::start) checks, without checkpoints.
    fn start_anew(&self, params: &Params, train: &Dataset) -> Result<()>
    where
        M: Layer,
        L: Loss,
    {
        self.agree(&mut self.evaluator(), params, train, None)
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
        self.sound()?;
        self.steps
            .clone()
            .in_parts(self.accumulate > 1)
            .record(params, batch, |s, inputs| self.learning(s, inputs, examples))
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
        let names = params.names().or(data.names());
        let batch = Batch { features: data.features().clone(), targets: data.targets().clone() };
        let examples = data.examples();
        let reports = self.steps.check(params, &batch, elements, |s, x| self.learning(s, x, examples))?;
        *params = std::mem::take(params).with_names(&names);
        let report = reports.into_iter().next().map(|(_, report)| report);
        report.ok_or_else(|| Error::argument("Trainer::check", "there is no goal"))
    }

    /// Measures the model on data, without dropout or penalty.
    pub fn evaluator(&self) -> Evaluator<'_, M, L>
    where
        M: Layer,
        L: Loss,
    {
        Evaluator::new(&self.model, &self.loss, self.made_at, self.steps.width())
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
        if self.steps.width() == Precision::F32 {
            train.check_range()?;
        }
        if let Some(dev) = dev {
            train.names().agree("Trainer", [given, "the dev data have"], dev.names())?;
        }
        if self.batch > 0 {
            let batch = train.first(self.batch.min(train.examples()));
            evaluator.trace(&Graph::new(), params, &batch, train)?;
        }
        if self.accumulate > 1 {
            self.is_mean(params, train)?;
        }
        dev.map_or(Ok(()), |dev| evaluator.prepare(params, dev, evaluate::Asked::All))
    }

    fn sound(&self) -> Result<()> {
        if self.accumulate == 0 {
            return Err(Error::argument("Trainer::accumulate", "a step needs at least one batch"));
        }
        if let Some(factor) = self.spike.filter(|factor| factor.is_nan() || *factor <= 1.0) {
            let why = format!("a spike is {factor} times what is usual; the factor is above 1");
            return Err(Error::argument("Trainer::stop_at_spikes", why));
        }
        let fault = self.optimiser.fault().or_else(|| self.penalty.fault());
        fault.map_or(Ok(()), |why| Err(Error::argument("Trainer", why)))
    }

    /// Records the loss of a batch with its penalty, as the one goal of the step.
    fn learning<'g>(&self, scope: &Scope<'g>, inputs: &[Var<'g>], examples: usize) -> Learning<'g> {
        let _passed = scope.graph().passed_at(self.made_at);
        let loss = self.loss.of(self.model.forward(scope, inputs[0]), inputs[1]);
        let objective = if self.penalty == Penalty::NONE {
            loss
        } else {
            let mut learning = scope.traced();
            learning.retain(|(path, _)| !self.frozen.iter().any(|frozen| lies_below(path, frozen)));
            loss + self.penalty.of(scope.graph(), &learning, examples)
        };
        let goal = Goal::shared("loss", objective, self.optimiser.clone(), self.optimiser_at);
        let learning = Learning::of(goal.reaching(loss));
        self.frozen.iter().fold(learning, |learning, place| learning.freeze(place))
    }
}

/// What a doctor asks.
impl<M: Layer, L: Loss> Trainer<M, L> {
    /// How many epochs.
    pub(crate) fn course(&self) -> usize {
        self.epochs
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
