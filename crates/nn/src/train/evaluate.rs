//! A trained model on data: loss, predictions, accuracy.

use std::panic::Location;

use chainrule_graph::{Cache, Compiled, Graph, Var};
use chainrule_tensor::Tensor;

use super::Loss;
use super::step::input;
use crate::data::{Batch, Dataset};
use crate::error::{Error, Result};
use crate::params::Params;
use crate::scope::{Mode, Scope};
use crate::{Layer, metric};

/// Measures a model on data, without dropout or penalty. Plans are kept, one per batch size, for the 64 sizes used last.
pub struct Evaluator<'m, M, L> {
    model: &'m M,
    loss: &'m L,
    made_at: &'static Location<'static>,
    plans: Cache<usize, (Compiled, Vec<String>)>,
}

/// What a model makes of some data.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The mean loss, without penalty.
    pub loss: f64,
    /// The model's output for each example, in order.
    pub outputs: Tensor,
    /// The predicted class of each example `(m,)`: where the greatest of several outputs lies, or whether a single
    /// one (a logit) is above 0.
    pub classes: Tensor,
}

/// Large enough to keep the kernels busy, small enough for the caches.
const BATCH: usize = 512;

impl<'m, M: Layer, L: Loss> Evaluator<'m, M, L> {
    pub(super) fn new(model: &'m M, loss: &'m L, made_at: &'static Location<'static>) -> Self {
        Evaluator { model, loss, made_at, plans: Cache::default() }
    }

    /// Runs the model over `data`.
    ///
    /// # Errors
    /// Any error in the model; [`Error::Misfit`] if the model has parameters that `params` lack.
    pub fn run(&mut self, params: &Params, data: &Dataset) -> Result<Evaluation> {
        let mut loss = 0.0;
        let mut outputs: Vec<f32> = Vec::new();
        let mut classes: Vec<i64> = Vec::new();
        let mut shape = Vec::new();
        for batch in data.batches(BATCH)? {
            let examples = batch.features.shape()[0];
            if self.plans.get(&examples).is_none() {
                let plan = self.compile(params, &batch)?;
                self.plans.insert(examples, plan);
            }
            let Some((plan, paths)) = self.plans.get(&examples) else { unreachable!("inserted above") };
            let mut arguments = vec![batch.features, batch.targets];
            for path in paths.iter() {
                let missing =
                    || Error::Misfit { source_name: "evaluate".into(), why: format!("`{path}` is missing") };
                arguments.push(params.get(path).ok_or_else(missing)?.clone());
            }
            let results = plan.run(&arguments)?;
            loss += results[0].item::<f64>()? * examples as f64;
            outputs.extend_from_slice(results[1].as_slice::<f32>().unwrap_or_default());
            classes.extend_from_slice(results[2].as_slice::<i64>().unwrap_or_default());
            shape = results[1].shape().to_vec();
        }
        if let Some(first) = shape.first_mut() {
            *first = data.examples();
        }
        Ok(Evaluation {
            loss: loss / data.examples() as f64,
            outputs: Tensor::from_vec(outputs, shape)?,
            classes: Tensor::from(classes),
        })
    }

    /// The share of examples whose class is predicted right; see [`Evaluation::classes`].
    ///
    /// # Errors
    /// As [`run`](Evaluator::run); targets that are not classes.
    pub fn accuracy(&mut self, params: &Params, data: &Dataset) -> Result<f64> {
        metric::accuracy(&self.run(params, data)?.classes, data.targets())
    }

    fn compile(&self, params: &Params, batch: &Batch) -> Result<(Compiled, Vec<String>)> {
        let graph = Graph::new();
        let x = input(&graph, "features", &batch.features, self.made_at);
        let y = input(&graph, "targets", &batch.targets, self.made_at);
        let scope = Scope::root(&graph, params.clone(), Mode::Evaluate, 0);
        let _passed = graph.passed_at(self.made_at);
        let prediction = self.model.forward(&scope, x);
        let loss = self.loss.of(prediction, y);
        let (paths, parameters): (Vec<String>, Vec<Var<'_>>) = scope.traced().into_iter().unzip();
        let inputs: Vec<Var<'_>> = [x, y].into_iter().chain(parameters).collect();
        let classes = match prediction.shape()[..] {
            [_, several] if several > 1 => prediction.argmax(1),
            _ => prediction.greater(0.0).int().reshape(&[-1]),
        };
        Ok((graph.compile(&inputs, &[loss, prediction, classes])?, paths))
    }
}
