//! A doctor beside a trainer.

use chainrule_tensor::Key;

use super::vitals::{self, Squash, Vitals};
use super::{Doctor, Probe, Role};
use crate::data::{Batch, Dataset};
use crate::error::{Error, Result};
use crate::params::Params;
use crate::progress::Progress;
use crate::{History, Layer, Loss, Step, Trainer};

impl Doctor {
    /// Takes the steps of [`Trainer::fit`], to the same bits, and looks on: at the data, at some steps, and at the end at
    /// what the model does. What is wrong stands in [`findings`](Doctor::findings) afterwards, also where training failed.
    ///
    /// ```
    /// use chainrule_nn::doctor::Doctor;
    /// use chainrule_nn::{Init, Layer, Linear, Params, Trainer, data, layer, loss, progress::Silent};
    /// let model = layer(|s, x| {
    ///     let h = Linear::new(8).init(Init::Zeros).forward(&s.at("hidden"), x).tanh();
    ///     Linear::new(3).init(Init::Zeros).forward(&s.at("output"), h)
    /// });
    /// let trainer = Trainer::new(model, loss::softmax_cross_entropy).epochs(10);
    /// let mut doctor = Doctor::new();
    /// doctor.attend(&trainer, &mut Params::new(), &data::iris()?, None, &mut Silent)?;
    /// assert_eq!(doctor.findings()[0].illness.name(), "symmetric units");
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Trainer::fit`].
    pub fn attend<M: Layer, L: Loss>(
        &mut self,
        trainer: &Trainer<M, L>,
        params: &mut Params,
        train: &Dataset,
        dev: Option<&Dataset>,
        progress: &mut dyn Progress,
    ) -> Result<History> {
        self.data(train, dev)?;
        let (epochs, size, seed) = trainer.course();
        let names = params.names().or(train.names());
        let shuffle = Key::new(seed).named("shuffle");
        let (mut history, mut evaluator) = (History::new(), trainer.evaluator());
        let mut watch = Watch::new(self, trainer);
        let mut steps: Vec<Step> = Vec::new();
        let mut number = 0;
        progress.begin(epochs);
        for epoch in 1..=epochs {
            let mut total = 0.0;
            let batches = train.batches(size)?.shuffled(shuffle.at(epoch as u64));
            let of = batches.len();
            for (i, batch) in batches.enumerate() {
                turn_to(trainer, &mut steps, params, &batch, train.examples())?;
                watch.before(number, &batch, &steps[0])?;
                let loss = steps[0].run(&batch)?;
                watch.after(number, loss);
                if !loss.is_finite() {
                    return Err(Error::Diverged { epoch, batch: i + 1, loss });
                }
                total += loss * batch.features.shape()[0] as f64;
                number += 1;
                progress.batch(i + 1, of);
            }
            if let Some(step) = steps.first() {
                let trained = step.params();
                if let Some(name) = trained.not_finite() {
                    return Err(Error::Overshot { epoch, parameter: name.into() });
                }
                *params = trained.with_names(&names);
            }
            let mean = total / train.examples() as f64;
            history.record(epoch, "train loss", mean);
            let measured = dev.map(|dev| evaluator.run(params, dev)).transpose()?;
            watch.doctor.epoch(mean, measured.as_ref().map(|m| m.loss));
            if let (Some(measured), Some(dev)) = (measured, dev) {
                history.record(epoch, "dev loss", measured.loss);
                if dev.classes().is_some() && measured.classes.size() > 0 {
                    history.record(epoch, "dev accuracy", measured.accuracy(dev.targets())?);
                }
            }
            progress.epoch(epoch, &history);
        }
        progress.finish();
        if let Some(batch) = watch.last.take() {
            trainer.probe().try_out(self, params, &batch)?;
        }
        Ok(history)
    }
}

/// Puts the step for this batch's size first, with the state of the one that was first.
fn turn_to<M: Layer, L: Loss>(
    trainer: &Trainer<M, L>,
    steps: &mut Vec<Step>,
    params: &Params,
    batch: &Batch,
    examples: usize,
) -> Result<()> {
    let next = match steps.iter().position(|s| s.examples() == batch.features.shape()[0]) {
        Some(0) => return Ok(()),
        Some(i) => steps.remove(i),
        None => trainer.step(params.clone(), batch, examples)?,
    };
    steps.insert(0, next);
    if let [next, before, ..] = &mut steps[..] {
        next.set_state(&before.state())?;
    }
    Ok(())
}

/// Looks at steps that are about to be taken.
struct Watch<'a, M, L> {
    doctor: &'a mut Doctor,
    trainer: &'a Trainer<M, L>,
    probe: Probe<'a, M, L>,
    /// Whether a step is to be looked at, once there is a batch of the usual size.
    due: bool,
    /// The step that was looked at last, the parameters before it, and its loss without penalty.
    looked: Option<(usize, Params, f64)>,
    last: Option<Batch>,
}

impl<'a, M: Layer, L: Loss> Watch<'a, M, L> {
    fn new(doctor: &'a mut Doctor, trainer: &'a Trainer<M, L>) -> Self {
        Watch { doctor, trainer, probe: trainer.probe(), due: false, looked: None, last: None }
    }

    fn before(&mut self, number: usize, batch: &Batch, step: &Step) -> Result<()> {
        if let Some((looked, old, _)) = self.looked.take_if(|looked| looked.0 + 1 == number) {
            let new = step.params();
            for (path, old) in old.iter() {
                if let Some(new) = new.get(path) {
                    let units = vitals::units_of_weight(new.rank());
                    let measured = Vitals::of(&new.sub(old)?, units, Squash::None)?;
                    self.doctor.record(looked, Role::Update, path, measured);
                }
            }
        }
        self.due |= self.doctor.looks_at(number);
        if self.due && self.probe.fits(batch) {
            self.due = false;
            let params = step.params();
            let frozen = params.iter().map(|(path, _)| path).filter(|path| self.trainer.freezes(path));
            self.doctor.chart.frozen.extend(frozen.map(String::from));
            let loss = self.probe.look(self.doctor, number, &params, batch)?;
            self.last = Some(batch.clone());
            self.looked = Some((number, params, loss));
        }
        Ok(())
    }

    fn after(&mut self, number: usize, loss: f64) {
        self.doctor.loss(number, loss);
        if let Some((looked, _, alone)) = &self.looked
            && *looked == number
            && self.trainer.is_penalised()
        {
            self.doctor.penalty(number, loss - alone);
        }
    }
}
