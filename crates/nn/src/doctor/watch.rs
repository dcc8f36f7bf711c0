//! A doctor beside a trainer.

use super::vitals::{self, Squash, Vitals};
use super::{Doctor, Probe, Role};
use crate::data::{Batch, Dataset};
use crate::error::{Error, Result};
use crate::params::Params;
use crate::progress::{Before, Progress};
use crate::{History, Layer, Loss, Trainer};

impl Doctor {
    /// Trains as [`Trainer::fit`] does, to the same bits, and looks on: at the data, at some steps, and at the end at what
    /// the model does. What is wrong stands in [`findings`](Doctor::findings) afterwards, also where training failed.
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
        let mut watch = Watch {
            doctor: self,
            trainer,
            probe: trainer.probe(),
            then: progress,
            due: false,
            looked: None,
            last: None,
            failed: None,
        };
        let history = trainer.fit(params, train, dev, &mut watch);
        let Watch { last, failed, .. } = watch;
        let history = history?;
        failed.map_or(Ok(()), Err)?;
        if let Some(batch) = last {
            trainer.probe().try_out(self, params, &batch)?;
        }
        Ok(history)
    }
}

/// Hands a run to a doctor, and on to another progress.
struct Watch<'a, M, L> {
    doctor: &'a mut Doctor,
    trainer: &'a Trainer<M, L>,
    probe: Probe<'a, M, L>,
    then: &'a mut dyn Progress,
    /// Whether a step is to be looked at that was too short.
    due: bool,
    /// The step that was looked at last, the parameters before it, and its loss without penalty.
    looked: Option<(usize, Params, f64)>,
    last: Option<Batch>,
    failed: Option<Error>,
}

impl<M: Layer, L: Loss> Watch<'_, M, L> {
    fn look(&mut self, before: &Before<'_>) -> Result<()> {
        let step = before.step();
        if let Some((looked, old, _)) = self.looked.take_if(|l| l.0 + 1 == step) {
            let new = before.params();
            for (path, old) in old.iter() {
                if let Some(new) = new.get(path) {
                    let units = vitals::units_of_weight(new.rank());
                    let measured = Vitals::of(&new.sub(old)?, units, Squash::None)?;
                    self.doctor.record(looked, Role::Update, path, measured);
                }
            }
        }
        self.due |= self.doctor.looks_at(step);
        if self.due && self.probe.fits(before.batch()) {
            self.due = false;
            let params = before.params();
            if self.looked.is_none() && step == 0 {
                let frozen = params.iter().map(|(path, _)| path).filter(|path| self.trainer.is_frozen(path));
                self.doctor.chart.frozen.extend(frozen.map(String::from));
            }
            let loss = self.probe.look(self.doctor, step, &params, before.batch())?;
            self.last = Some(before.batch().clone());
            self.looked = Some((step, params, loss));
        }
        Ok(())
    }
}

impl<M: Layer, L: Loss> Progress for Watch<'_, M, L> {
    fn begin(&mut self, epochs: usize) {
        self.then.begin(epochs);
    }

    fn before(&mut self, step: &Before<'_>) {
        if self.failed.is_none() {
            self.failed = self.look(step).err();
        }
        self.then.before(step);
    }

    fn after(&mut self, step: usize, loss: f64) {
        self.doctor.loss(step, loss);
        if let Some((looked, _, alone)) = &self.looked
            && *looked == step
            && self.trainer.is_penalised()
        {
            self.doctor.penalty(step, loss - alone);
        }
        self.then.after(step, loss);
    }

    fn batch(&mut self, done: usize, of: usize) {
        self.then.batch(done, of);
    }

    fn epoch(&mut self, epoch: usize, history: &History) {
        let at = |name: &str| history.at(epoch).find(|(n, _)| *n == name).map(|(_, value)| value);
        self.doctor.epoch(at("train loss").unwrap_or(f64::NAN), at("dev loss"));
        self.then.epoch(epoch, history);
    }

    fn finish(&mut self) {
        self.then.finish();
    }
}
