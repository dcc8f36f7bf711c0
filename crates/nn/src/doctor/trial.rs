//! Trials: what a model does when its inputs are changed, or when it is used instead of trained.

use chainrule_graph::Graph;
use chainrule_tensor::{DType, Tensor};

use super::{Doctor, Finding, Illness, Probe};
use crate::data::{Batch, Dataset};
use crate::error::Result;
use crate::params::Params;
use crate::progress::Silent;
use crate::scope::{self, Mode, Scope};
use crate::{Adam, Layer, Loss, Trainer, layer, loss};

/// Outputs that differ less, relative to their size, are equal but for rounding.
const EQUAL: f64 = 1e-5;
/// The loss in use over that in training, and beyond it (TheDeepChecker: a difference of 0.5, whatever the loss is).
const MODES: (f64, f64) = (2.0, 0.5);
/// How many examples are to be learnt by heart, in how many epochs of one batch, and what may be left of the loss.
const BY_HEART: (usize, usize, f64) = (16, 400, 0.1);

impl<M: Layer, L: Loss> Probe<'_, M, L> {
    /// Tries out a trained model on a batch of at least two examples: whether the data do anything, whether examples mix,
    /// and whether its loss in use is that in training.
    ///
    /// # Errors
    /// Any error in the model, with the user's line.
    pub fn try_out(&self, doctor: &mut Doctor, params: &Params, batch: &Batch) -> Result<()> {
        let (outputs, used) = self.run(params, &batch.features, &batch.targets, Mode::Evaluate)?;
        let examples = batch.features.shape().first().copied().unwrap_or(0);
        let scale = largest(&outputs)?;
        if examples < 2 || outputs.shape().first() != Some(&examples) || !scale.is_finite() {
            return Ok(());
        }
        let zeros = Tensor::zeros(batch.features.shape(), batch.features.dtype());
        let (without, _) = self.run(params, &zeros, &batch.targets, Mode::Evaluate)?;
        let changed = largest(&outputs.sub(&without)?)?;
        if changed <= EQUAL * scale {
            let measured = format!("inputs of 0 change no output by more than {changed:.1e}");
            doctor.found(Finding::new(Illness::DataUnused, changed, measured));
            return Ok(());
        }
        let rows: Vec<usize> = (0..examples).map(|i| i.max(1)).collect();
        let moved = batch.features.take(0, &rows)?;
        let (outputs_moved, _) = self.run(params, &moved, &batch.targets, Mode::Evaluate)?;
        let rest = |t: &Tensor| t.slice(0, 1.., 1);
        let mixed = largest(&rest(&outputs)?.sub(&rest(&outputs_moved)?)?)?;
        if mixed > EQUAL * scale {
            let measured = format!("another first example changes the outputs of others by {mixed:.1e}");
            doctor.found(Finding::new(Illness::ExamplesMix, mixed, measured));
        }
        let (_, training) = self.run(params, &batch.features, &batch.targets, Mode::Train)?;
        if used > MODES.0 * training && used > training + MODES.1 {
            let measured = format!("the loss of one batch is {training:.3} in training and {used:.3} in use");
            doctor.found(Finding::new(Illness::ModesDiffer, used / training, measured));
        }
        Ok(())
    }

    /// Tries to learn 16 of the examples by heart, from new parameters, with Adam. A sound model with a sound loss can.
    ///
    /// # Errors
    /// Any error in the model, with the user's line.
    pub fn overfit(&self, doctor: &mut Doctor, data: &Dataset) -> Result<()> {
        let (few, epochs, left) = BY_HEART;
        let few = few.min(data.examples());
        let rows: Vec<usize> = (0..few).map(|i| i * data.examples() / few.max(1)).collect();
        let model = layer(|s, x| self.model.forward(s, x));
        let cost = loss::from_fn(|z, y| self.loss.of(z, y));
        let trainer = Trainer::new(model, cost).optimiser(Adam::new(0.01)).epochs(epochs);
        let history = trainer.fit(&mut Params::new(), &data.select(&rows)?, None, &mut Silent);
        let Ok(history) = history else {
            doctor.found(Finding::new(Illness::CannotOverfit, f64::NAN, "the loss becomes NaN or infinite"));
            return Ok(());
        };
        let losses = history.series("train loss");
        let (first, best) = (losses[0].1, history.lowest("train loss").map_or(f64::NAN, |l| l.1));
        if best > left * first {
            let measured =
                format!("{few} examples, {epochs} steps: the loss goes from {first:.3} to {best:.3}");
            doctor.found(Finding::new(Illness::CannotOverfit, best / first, measured));
        }
        Ok(())
    }

    fn run(&self, params: &Params, x: &Tensor, y: &Tensor, mode: Mode) -> Result<(Tensor, f64)> {
        let graph = Graph::new();
        scope::lines_of(&graph);
        let _made = graph.passed_at(self.made_at);
        let scope = Scope::root(&graph, params.clone(), mode, 0);
        let prediction = self.model.forward(&scope, graph.constant(x.clone()));
        let loss = self.loss.of(prediction, graph.constant(y.clone()));
        loss.checked()?;
        Ok((prediction.real().value()?.cast(DType::F64), loss.value()?.item::<f64>()?))
    }
}

fn largest(x: &Tensor) -> Result<f64> {
    Ok(x.cast(DType::F64)
        .to_vec::<f64>()?
        .iter()
        .fold(0.0, |most, v| if v.abs() > most || v.is_nan() { v.abs() } else { most }))
}
