//! `Run`: a training under way, step by step or epoch by epoch.

use chainrule_graph::{Cache, ErrorKind};
use chainrule_tensor::{DType, Key, Tensor};

use super::checkpoint::{self, Saved};
use super::examples::Examples;
use super::{Checkpoints, Evaluator, Loss, Trainer};
use crate::data::{Batch, Dataset, Feed, Names};
use crate::error::{Error, Result};
use crate::params::Params;
use crate::step::Step;
use crate::{History, Layer};

/// A training under way; made by [`Trainer::start`]. As an iterator it gives an epoch at a time; [`step`](Run::step) takes a
/// single step. After an error, or the last epoch, or a stop that was asked for or for want of better parameters, it is over.
pub struct Run<'t, M, L> {
    trainer: &'t Trainer<M, L>,
    evaluator: Evaluator<'t, M, L>,
    train: Examples<'t>,
    dev: Option<&'t Dataset>,
    names: Names,
    /// The step in use, which has the state, and what batches it is for.
    in_use: Option<(Signature, Step)>,
    /// The others, and an empty place for that one.
    steps: Cache<Signature, Option<Step>>,
    /// What is left of the present epoch.
    batches: Option<Feed<'t>>,
    marks: Option<checkpoint::Marks>,
    pub(super) at: At,
    over: bool,
}

/// How far a run is, without the state of its step.
#[derive(Clone, Default)]
pub(super) struct At {
    /// Whole epochs.
    pub(super) epoch: usize,
    /// Batches of the one that is under way.
    pub(super) batch: usize,
    /// The sum of their losses, each times its examples.
    pub(super) total: f64,
    /// Batches in all.
    pub(super) steps: u64,
    /// The losses of the last batches, where spikes end a run.
    pub(super) recent: Vec<f64>,
    /// At the end of the last whole epoch.
    pub(super) params: Params,
    pub(super) history: History,
    /// Epoch, value and parameters.
    pub(super) best: Option<(usize, f64, Params)>,
}

/// Shape and dtype of features and targets of a batch.
type Signature = [(Vec<usize>, DType); 2];

fn signature(batch: &Batch) -> Signature {
    [&batch.features, &batch.targets].map(|x| (x.shape().to_vec(), x.dtype()))
}

fn is_of(signature: &Signature, batch: &Batch) -> bool {
    let same =
        |(x, (shape, dtype)): (&Tensor, &(Vec<usize>, DType))| x.shape() == shape && x.dtype() == *dtype;
    [&batch.features, &batch.targets].into_iter().zip(signature).all(same)
}

/// What looks at a step before it is taken.
pub(crate) type Before<'a> = &'a mut dyn FnMut(usize, &Batch, &Step) -> Result<()>;

/// How many batches tell what loss is usual.
const RECENT: usize = 10;

/// A step that a run has taken, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stepped {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The batch within it, from 1.
    pub batch: usize,
    /// How many batches the epoch has.
    pub batches: usize,
    /// The loss before the step, penalty included.
    pub loss: f64,
    /// Whether parameters have changed with it: always, unless a step takes several batches
    /// ([`Trainer::accumulate`]) and this was not the last of them.
    pub updates: bool,
}

impl Stepped {
    /// Whether the epoch ends with it.
    pub fn is_last(&self) -> bool {
        self.batch == self.batches
    }
}

/// An epoch that is through.
#[derive(Clone, Debug, PartialEq)]
pub struct Epoch {
    /// Its number, from 1.
    pub number: usize,
    /// What was measured, by name.
    pub measured: Vec<(String, f64)>,
}

impl Epoch {
    /// What was measured as `name`, such as `dev loss`.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.measured.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

impl<'t, M: Layer, L: Loss> Run<'t, M, L> {
    pub(super) fn new(
        trainer: &'t Trainer<M, L>,
        evaluator: Evaluator<'t, M, L>,
        params: Params,
        train: Examples<'t>,
        dev: Option<&'t Dataset>,
    ) -> Result<Self> {
        let names = params.names().or(train.sample().names());
        let at = At { params, ..At::default() };
        let (steps, in_use, batches, marks) = (Cache::new(trainer.plans), None, None, None);
        let over = false;
        let mut run = Run { trainer, evaluator, train, dev, names, steps, in_use, batches, marks, at, over };
        if let Some(checkpoints) = &trainer.checkpoints {
            let first = run.batches(0, 0)?.next();
            let Some(first) = first else { return Ok(run) };
            run.turn_to(&first?)?;
            let mut data = vec![run.train.fingerprint()?];
            data.extend(dev.map(Dataset::fingerprint));
            let (start, step) = (run.at.params.clone(), run.in_use()?);
            let marks = checkpoint::Marks::of(
                trainer.steps.seeded(),
                [trainer.batch, trainer.accumulate],
                step,
                trainer.augment.as_ref(),
                &data,
                &start,
            );
            run.marks = Some(marks.clone());
            if let Some(Saved { at, state, dials, source }) = checkpoints.newest(&marks)? {
                run.at = at;
                run.at.params = run.at.params.with_names(&run.names);
                if let Some((_, _, best)) = &mut run.at.best {
                    *best = std::mem::take(best).with_names(&run.names);
                }
                let step = run.in_use()?;
                step.set_named_state(&state, &source)?;
                step.set_dials(&dials);
                run.over = run.gives_up();
            }
        }
        Ok(run)
    }

    /// The parameters at the end of the last whole epoch, or those that were given. If the optimiser keeps
    /// [averages](crate::optim::Average), these.
    pub fn params(&self) -> &Params {
        &self.at.params
    }

    /// What was measured so far.
    pub fn history(&self) -> &History {
        &self.at.history
    }

    /// As [`history`](Run::history), for good.
    pub fn into_history(self) -> History {
        self.at.history
    }

    /// The best so far, if the trainer [keeps them](Trainer::best): epoch, value, parameters.
    pub fn best(&self) -> Option<(usize, f64, &Params)> {
        self.at.best.as_ref().map(|(epoch, value, params)| (*epoch, *value, params))
    }

    /// The compiled step that was used last: what it tells, its parameters within the epoch.
    pub fn latest(&self) -> Option<&Step> {
        self.in_use.as_ref().map(|(_, step)| step)
    }

    /// The plans that are kept: one for each size of batches, at most as many as [`Trainer::keep`] says.
    pub fn plans(&self) -> usize {
        self.steps.len()
    }

    /// Forgets all plans but the one in use, and gives their memory back; the bits are the same.
    pub fn clear(&mut self) {
        self.steps.clear();
        if let Some((signature, _)) = &self.in_use {
            self.steps.insert(signature.clone(), None);
        }
        self.evaluator.clear();
    }

    fn in_use(&mut self) -> Result<&mut Step> {
        let step = self.in_use.as_mut().map(|(_, step)| step);
        step.ok_or_else(|| Error::argument("Run::step", "there is no step yet"))
    }

    /// How many batches there were.
    pub(crate) fn taken(&self) -> usize {
        self.at.steps as usize
    }

    /// Takes a step, and, if the epoch ends with it, measures; `None` if the run is over.
    ///
    /// # Errors
    /// As [`Trainer::fit`].
    pub fn step(&mut self) -> Result<Option<Stepped>> {
        self.step_seen(&mut |_, _, _| Ok(()))
    }

    /// As [`step`](Run::step); `before` sees how many batches there were before, the batch, and the step that is about to run.
    pub(crate) fn step_seen(&mut self, before: Before<'_>) -> Result<Option<Stepped>> {
        if self.over || self.at.epoch >= self.trainer.epochs {
            return Ok(None);
        }
        if self.trainer.stop.is_asked() {
            self.over = true;
            self.save()?;
            return Ok(None);
        }
        let stepped = self.advance(before);
        self.over |= stepped.is_err();
        stepped.map(Some)
    }

    fn advance(&mut self, before: Before<'_>) -> Result<Stepped> {
        let (epoch, number) = (self.at.epoch + 1, self.at.batch + 1);
        let mut batches = match self.batches.take() {
            Some(batches) => batches,
            None => self.batches(self.at.batch, self.trainer.ahead)?,
        };
        let batch =
            batches.next().ok_or_else(|| Error::argument("Run::step", "the epoch has no batch left"))??;
        let of = self.at.batch + 1 + batches.len();
        self.batches = Some(batches);
        self.turn_to(&batch)?;
        let examples = batch.features.shape()[0];
        let (share, updates) = self.trainer.place(self.at.batch, examples, self.train.count());
        let (taken, accumulates) = (self.at.steps as usize, self.trainer.accumulate > 1);
        let step = self.in_use()?;
        before(taken, &batch, step)?;
        let loss = if accumulates { step.part(&batch, share, updates) } else { step.run(&batch) };
        let loss = loss.map_err(|error| match error {
            Error::Graph(error) if matches!(error.kind(), ErrorKind::NonFinite { .. }) => {
                Error::Anomaly { epoch, batch: number, error }
            }
            error => error,
        })?;
        if !loss.is_finite() {
            return Err(Error::Diverged { epoch, batch: number, loss });
        }
        self.stop_at_spike(epoch, number, loss)?;
        self.at.total += loss * examples as f64;
        self.at.batch = number;
        self.at.steps += 1;
        let stepped = Stepped { epoch, batch: number, batches: of, loss, updates };
        if stepped.is_last() {
            self.end_epoch(epoch)?;
        }
        let due = |checkpoints: &Checkpoints| stepped.is_last() || checkpoints.is_due(self.at.steps);
        if self.trainer.checkpoints.as_ref().is_some_and(due) {
            self.save()?;
        }
        Ok(stepped)
    }

    /// Writes a checkpoint, if there is a place for it and a step to be saved.
    fn save(&self) -> Result<()> {
        match (&self.trainer.checkpoints, &self.marks, self.latest()) {
            (Some(checkpoints), Some(marks), Some(step)) => checkpoints.write(marks, &self.at, step),
            _ => Ok(()),
        }
    }

    /// Refuses a loss that is far above those of the batches before.
    fn stop_at_spike(&mut self, epoch: usize, batch: usize, loss: f64) -> Result<()> {
        let Some(factor) = self.trainer.spike else { return Ok(()) };
        let recent = &mut self.at.recent;
        let usual = recent.iter().map(|loss| loss.abs()).sum::<f64>() / recent.len().max(1) as f64;
        if recent.len() == RECENT && loss > factor * usual {
            return Err(Error::Spiked { epoch, batch, loss, usual });
        }
        recent.push(loss);
        recent.drain(..recent.len().saturating_sub(RECENT));
        Ok(())
    }

    fn end_epoch(&mut self, epoch: usize) -> Result<()> {
        let step = self.in_use()?;
        let (trained, averages) = (step.params(), step.averages());
        if let Some(name) = trained.not_finite() {
            return Err(Error::Overshot { epoch, parameter: name.into() });
        }
        let given = averages.unwrap_or(trained);
        let at = &mut self.at;
        at.params = given.with_names(&self.names);
        at.history.record(epoch, "train loss", at.total / self.train.count() as f64);
        (at.epoch, at.batch, at.total) = (epoch, 0, 0.0);
        self.batches = None;
        if let Some(dev) = self.dev {
            let measured = self.evaluator.run(&at.params, dev)?;
            at.history.record(epoch, "dev loss", measured.loss);
            if measured.names_classes() {
                at.history.record(epoch, "dev accuracy", measured.accuracy(dev.targets())?);
            }
        }
        if let Some(best) = &self.trainer.best {
            let value = best.of(epoch, &at.history).map_err(|why| Error::argument("Trainer::best", why))?;
            if best.is_better(value, at.best.as_ref().map(|(_, value, _)| *value)) {
                at.best = Some((epoch, value, at.params.clone()));
            }
        }
        self.over = self.gives_up();
        Ok(())
    }

    /// Whether there have been too many epochs without better parameters.
    fn gives_up(&self) -> bool {
        let best = self.at.best.as_ref().map_or(0, |(epoch, _, _)| *epoch);
        self.trainer.best.as_ref().is_some_and(|rule| self.at.epoch > 0 && rule.gives_up(self.at.epoch, best))
    }

    /// The batches of the present epoch, from `number` (from 0) on.
    fn batches(&self, number: usize, ahead: usize) -> Result<Feed<'t>> {
        let key = |name| Key::new(self.trainer.steps.seeded()).named(name).at(self.at.epoch as u64 + 1);
        let augment = self.trainer.augment.as_ref().map(|augment| (augment, key("augment")));
        self.train.batches([self.trainer.batch, number, ahead], key("shuffle"), augment)
    }

    /// Takes the step for such a batch into use, with the state of the one that was.
    fn turn_to(&mut self, batch: &Batch) -> Result<()> {
        if self.in_use.as_ref().is_some_and(|(signature, _)| is_of(signature, batch)) {
            return Ok(());
        }
        let signature = signature(batch);
        let mut next = match self.steps.get(&signature).and_then(Option::take) {
            Some(step) => step,
            None => self.trainer.step(self.at.params.clone(), batch, self.train.count())?,
        };
        if let Some((of, before)) = self.in_use.take() {
            next.set_state(&before.state())?;
            self.steps.insert(of, Some(before));
        }
        self.steps.insert(signature.clone(), None);
        self.in_use = Some((signature, next));
        Ok(())
    }
}

impl<M: Layer, L: Loss> Iterator for Run<'_, M, L> {
    type Item = Result<Epoch>;

    /// Trains to the end of the present epoch.
    fn next(&mut self) -> Option<Result<Epoch>> {
        loop {
            match self.step() {
                Ok(None) => return None,
                Ok(Some(stepped)) if stepped.is_last() => {
                    let measured = self.at.history.at(stepped.epoch);
                    let measured = measured.map(|(name, value)| (name.to_owned(), value)).collect();
                    return Some(Ok(Epoch { number: stepped.epoch, measured }));
                }
                Ok(Some(_)) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
