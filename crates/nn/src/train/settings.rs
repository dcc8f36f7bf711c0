//! How a trainer trains: what is said before it starts.

use std::panic::Location;
use std::rc::Rc;

use chainrule_graph::Precision;

use super::{Best, Checkpoints, Stop, Trainer};
use crate::data::Augment;
use crate::optim::Optimiser;
use crate::penalty::Penalty;
use crate::step::Observer;

impl<M, L> Trainer<M, L> {
    /// How gradients change parameters.
    #[track_caller]
    pub fn optimiser(mut self, optimiser: impl Optimiser + 'static) -> Self {
        self.optimiser = Rc::new(optimiser);
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

    /// How many plans a [`Run`](super::Run) keeps, one for each size of batches; 8 unless said otherwise. Where there are more,
    /// the one not used for the longest time is compiled anew when it is needed again, to the same bits.
    pub fn keep(mut self, plans: usize) -> Self {
        self.plans = plans;
        self
    }

    /// How many examples a step sees.
    pub fn batch_size(mut self, examples: usize) -> Self {
        self.batch = examples;
        self
    }

    /// Takes a step for each `batches` batches, of the mean over all their examples: the step of a batch that would be so many
    /// times larger, in the memory of one. The last step of an epoch may have fewer batches, and the last batch fewer
    /// examples; each example counts the same. See [`StepBuilder::in_parts`](crate::StepBuilder::in_parts) for the bits.
    ///
    /// That holds for losses that are means over examples. A layer or a loss in which examples mix, as statistics of the
    /// batch or a mean by class weights do, is refused: layers that remember by name, others by a few examples of the training
    /// set, whose loss must be the mean over two parts of them.
    ///
    /// ```
    /// use chainrule_nn::{Adam, Linear, Params, Trainer, data::iris, loss, progress::Silent};
    /// let trainer = Trainer::new(Linear::new(3), loss::softmax_cross_entropy).batch_size(32).accumulate(4).epochs(2);
    /// let (mut params, iris) = (Params::new(), iris()?);
    /// let mut run = trainer.start(Params::new(), &iris, None)?;
    /// let updates: Vec<bool> = std::iter::from_fn(|| run.step().ok()?).map(|step| step.updates).take(5).collect();
    /// assert_eq!(updates, [false, false, false, true, true]); // 4 · 32 examples, then the 22 that are left
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    pub fn accumulate(mut self, batches: usize) -> Self {
        self.accumulate = batches;
        self
    }

    /// Trains on images that are changed at random, anew in each epoch; measures on those that are.
    pub fn augment(mut self, augment: Augment) -> Self {
        self.augment = Some(augment);
        self
    }

    /// Has a thread of its own make up to so many batches ahead; no bit changes.
    pub fn ahead(mut self, batches: usize) -> Self {
        self.ahead = batches;
        self
    }

    /// Seeds initialisation, shuffling, augmentation and dropout.
    pub fn seed(mut self, seed: u64) -> Self {
        self.steps = self.steps.seed(seed);
        self
    }

    /// Anomaly mode: training stops with [`Error::Anomaly`](crate::Error::Anomaly) at the first operation, forward or
    /// backward, that makes a NaN or an infinity. Slow; costs nothing when off.
    pub fn anomaly(mut self, on: bool) -> Self {
        self.steps = self.steps.anomaly(on);
        self
    }

    /// Whether parameters that are missing among those given are drawn: for a new head on a body that was loaded. With
    /// no parameters given, all are drawn anyway. Parameters that the model does not take are refused in any case.
    pub fn draw_missing(mut self, on: bool) -> Self {
        self.steps = self.steps.draw_missing(on);
        self
    }

    /// The model.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// Computes in f64 instead of f32: steps, measurements, parameters.
    ///
    /// ```
    /// use chainrule_graph::Precision;
    /// use chainrule_nn::{Linear, Params, Trainer, data::iris, loss, progress::Silent};
    /// use chainrule_tensor::DType;
    /// let mut params = Params::new();
    /// let trainer = Trainer::new(Linear::new(3), loss::softmax_cross_entropy).precision(Precision::F64).epochs(1);
    /// trainer.fit(&mut params, &iris()?, None, &mut Silent)?;
    /// assert!(params.iter().all(|(_, value)| value.dtype() == DType::F64));
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    pub fn precision(mut self, precision: Precision) -> Self {
        self.steps = self.steps.precision(precision);
        self
    }

    /// Shows each step to `observer`; see [`Observer`].
    pub fn observe(mut self, observer: impl Observer + 'static) -> Self {
        self.steps = self.steps.observe(observer);
        self
    }

    /// Ends training where the loss of a batch is more than `factor` times the mean of the ten batches before it, as it ends
    /// where a loss is not finite: with an error, and the parameters of the last whole epoch or the best.
    pub fn stop_at_spikes(mut self, factor: f64) -> Self {
        self.spike = Some(factor);
        self
    }

    /// Ends where `stop` asks for it: saved, and with the parameters of the last whole epoch or the best.
    pub fn stop(mut self, stop: &Stop) -> Self {
        self.stop = stop.clone();
        self
    }

    /// Keeps the best parameters, and may stop early; see [`Best`].
    pub fn best(mut self, best: Best) -> Self {
        self.best = Some(best);
        self
    }

    /// Saves the run as it goes, and goes on from what is saved; see [`Checkpoints`].
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.checkpoints = Some(checkpoints);
        self
    }
}
