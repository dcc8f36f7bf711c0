//! A doctor beside a trainer.

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
        let mut watch = Watch::new(self, trainer);
        let mut run = trainer.start(params.clone(), train, dev)?;
        progress.begin(trainer.course());
        let ended = loop {
            let number = run.taken();
            match run.step_seen(&mut |number, batch, step| watch.before(number, batch, step)) {
                Ok(Some(stepped)) => {
                    watch.after(number, stepped.loss);
                    progress.batch(stepped.batch, stepped.batches);
                    if stepped.is_last() {
                        let loss = |name| run.history().last(name).map(|(_, loss)| loss);
                        watch.doctor.epoch(loss("train loss").unwrap_or(f64::NAN), loss("dev loss"));
                        progress.epoch(stepped.epoch, run.history());
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => {
                    if let Error::Diverged { loss, .. } | Error::Spiked { loss, .. } = error {
                        watch.after(number, loss);
                    }
                    break Err(error);
                }
            }
        };
        let last = watch.last.take();
        *params = run.best().map_or(run.params(), |(_, _, best)| best).clone();
        ended?;
        progress.finish();
        if let Some(batch) = last {
            trainer.probe().try_out(self, params, &batch)?;
        }
        Ok(run.into_history())
    }
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
    /// The examples of the first batch, and whether the batch that is under way has as many.
    usual: Option<usize>,
    whole: bool,
}

impl<'a, M: Layer, L: Loss> Watch<'a, M, L> {
    fn new(doctor: &'a mut Doctor, trainer: &'a Trainer<M, L>) -> Self {
        Watch {
            doctor,
            trainer,
            probe: trainer.probe(),
            due: false,
            looked: None,
            last: None,
            usual: None,
            whole: true,
        }
    }

    fn before(&mut self, number: usize, batch: &Batch, step: &Step) -> Result<()> {
        if let Some((looked, old, _)) = self.looked.take_if(|looked| looked.0 + 1 == number) {
            updates(self.doctor, looked, [&old, &step.params()])?;
        }
        let examples = batch.features.shape().first().copied().unwrap_or(0);
        self.whole = *self.usual.get_or_insert(examples) == examples;
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
        // The rest at the end of an epoch is a few examples, and its mean differs as theirs do.
        if self.whole || !loss.is_finite() {
            self.doctor.loss(number, loss);
        }
        if let Some((looked, _, alone)) = &self.looked
            && *looked == number
            && self.trainer.is_penalised()
        {
            self.doctor.penalty(number, loss - alone);
        }
    }
}

/// Measures how far each parameter went in a step.
fn updates(doctor: &mut Doctor, step: usize, [old, new]: [&Params; 2]) -> Result<()> {
    for (path, old) in old.iter().filter(|(_, value)| value.dtype().is_real() && value.size() > 0) {
        let Some(new) = new.get(path) else { continue };
        let units = vitals::units_of_weight(new.shape().len());
        doctor.record(step, Role::Update, path, Vitals::of(&(new - old)?, units, Squash::None)?);
    }
    Ok(())
}
