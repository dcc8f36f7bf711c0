//! Several batches for one step.

use chainrule_graph::Graph;
use chainrule_tensor::DType;

use super::{Loss, Trainer};
use crate::Layer;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::params::Params;
use crate::scope::{Mode, Scope};

impl<M: Layer, L: Loss> Trainer<M, L> {
    /// What batch `number` (from 0) of an epoch over `all` examples is of its step: its share of the step's examples, and
    /// whether the step ends with it.
    pub(super) fn place(&self, number: usize, examples: usize, all: usize) -> (f64, bool) {
        let size = self.batch.min(all);
        let before = number / self.accumulate * self.accumulate * size;
        let of = size.saturating_mul(self.accumulate).min(all - before);
        (examples as f64 / of as f64, number * size + examples == before + of)
    }

    /// Refuses a loss that is no mean over examples: in f64, that of a few must be the mean over two parts of them.
    pub(super) fn is_mean(&self, params: &Params, train: &Dataset) -> Result<()> {
        let few = train.examples().min(8);
        if few < 2 {
            return Ok(());
        }
        // From all over the data, which may lie in order of the classes.
        let rows: Vec<usize> = (0..few).map(|i| i * (train.examples() - 1) / (few - 1)).collect();
        let loss = |rows: &[usize]| -> Result<f64> {
            let data = train.select(rows)?;
            let graph = Graph::new();
            let scope = Scope::root(&graph, params.clone(), Mode::Evaluate, self.steps.seeded());
            let _passed = graph.passed_at(self.made_at);
            let x = graph.constant(data.features().cast(DType::F64));
            let loss = self.loss.of(self.model.forward(&scope, x), graph.constant(data.targets().clone()));
            Ok(loss.value()?.item::<f64>()?)
        };
        let (first, second) = rows.split_at(few * 5 / 8);
        let mean = (first.len() as f64 * loss(first)? + second.len() as f64 * loss(second)?) / few as f64;
        let whole = loss(&rows)?;
        if (whole - mean).abs() > 1e-9 * (whole.abs() + mean.abs()) {
            let why = format!(
                "the loss of {few} examples is {whole:.6}, the mean over two parts of them {mean:.6}: a layer or the loss \
                 mixes the examples of a batch (statistics of the batch, a mean by class weights or without ignored \
                 labels), so several batches make no step together; divide by the number of examples, or take one batch"
            );
            return Err(Error::argument("Trainer::accumulate", why));
        }
        Ok(())
    }
}
