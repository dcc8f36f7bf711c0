//! The loss of all examples at once, minimised.

use chainrule_graph::{Precision, Var};
use chainrule_tensor::Tensor;

use super::{Loss, Trainer};
use crate::Layer;
use crate::data::{Batch, Dataset};
use crate::error::Result;
use crate::optim::{Lbfgs, Minimum};
use crate::params::Params;
use crate::step::{Observed, Observer};

/// Tells the gradients.
struct Gradients;

impl Observer for Gradients {
    fn record<'g>(&self, step: &Observed<'_, 'g>) -> Vec<(String, Var<'g>)> {
        let of = step.goals.iter().flat_map(|goal| goal.parameters.iter().zip(&goal.gradients));
        of.map(|(parameter, gradient)| (parameter.path.clone(), *gradient)).collect()
    }
}

impl<M: Layer, L: Loss> Trainer<M, L> {
    /// Brings `params` to a minimum of the loss of all of `train` at once, penalty included, by [`Lbfgs`], in f64; if there are
    /// none, they are drawn first. Optimiser, epochs and batches of the trainer play no part. What is random is drawn once, so that
    /// the loss is a function.
    ///
    /// ```
    /// use chainrule_nn::{Linear, Params, Penalty, Trainer, data::{Standardize, iris}, loss, optim::Lbfgs};
    /// let iris = iris()?;
    /// let iris = Standardize::fit(&iris)?.apply(&iris)?;
    /// let penalty = Penalty { l1: 0.0, l2: 1.0 };
    /// let trainer = Trainer::new(Linear::new(3), loss::softmax_cross_entropy).penalty(penalty);
    /// let mut params = Params::new();
    /// let found = trainer.minimise(&mut params, &iris, &Lbfgs::new())?;
    /// assert!(found.converged && found.steps < 40);
    /// assert!(trainer.evaluator().accuracy(&params, &iris)? > 0.95);
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`start`](Trainer::start) and [`Lbfgs::minimise`]; `params` are then what they were.
    pub fn minimise(&self, params: &mut Params, train: &Dataset, by: &Lbfgs) -> Result<Minimum> {
        self.start_anew(params, train)?;
        let batch = Batch { features: train.features().clone(), targets: train.targets().clone() };
        let steps = self.steps.clone().precision(Precision::F64).in_parts(false).observe(Gradients);
        let m = train.examples();
        let mut step = steps.record(params.clone(), &batch, |s, inputs| self.learning(s, inputs, m))?;
        let start = step.state();
        step.run(&batch)?;
        let names: Vec<String> = step.outputs().map(|(name, _)| name.to_owned()).collect();
        step.set_state(&start)?;
        // Of the parameters that learn, in the order of their gradients.
        let at: Vec<usize> =
            names.iter().filter_map(|name| step.state_names().position(|n| n == name)).collect();
        let first = at.iter().map(|i| start[*i].to_vec::<f64>()).collect::<Result<Vec<_>, _>>()?.concat();
        let put = |x: &[f64]| -> Result<Vec<Tensor>> {
            let (mut state, mut rest) = (start.clone(), x);
            for i in &at {
                let (own, after) = rest.split_at(state[*i].size());
                state[*i] = Tensor::from_vec(own.to_vec(), state[*i].shape())?;
                rest = after;
            }
            Ok(state)
        };
        let found = by.minimise(first, |x| {
            step.set_state(&put(x)?)?;
            let loss = step.run(&batch)?;
            let slopes = step.outputs().map(|(_, slope)| slope.to_vec::<f64>());
            Ok((loss, slopes.collect::<Result<Vec<_>, _>>()?.concat()))
        })?;
        step.set_state(&put(&found.at)?)?;
        let names = params.names().or(train.names());
        *params = step.params().with_names(&names);
        Ok(found)
    }
}
