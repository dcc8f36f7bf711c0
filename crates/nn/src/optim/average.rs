//! Averages of parameters over the steps.

use chainrule_graph::Var;

use super::{Memory, Optimiser, Parameter};

/// Keeps an average of the parameters over the steps, which is often better than the last ones: it lies in the middle of
/// what they do. Put last: [`Optimiser::then`]. It changes no step.
///
/// [`Step::averages`](crate::Step::averages) gives the averages; a [`Trainer`](crate::Trainer) measures with them, after each
/// epoch, chooses the best by them and gives them at the end. Training goes on from the parameters themselves. What layers
/// remember, such as the statistics of a batch norm, is that of the last step.
///
/// ```
/// use chainrule_nn::optim::{Average, Momentum, Optimiser};
/// use chainrule_nn::{Linear, Params, Trainer, data::iris, loss, progress::Silent};
/// let optimiser = || Momentum::new(1.0).then(Average::exponential(0.9));
/// let trainer = Trainer::new(Linear::new(3), loss::softmax_cross_entropy).optimiser(optimiser()).epochs(20);
/// let (iris, mut params) = (iris()?, Params::new());
/// let mut run = trainer.start(params.clone(), &iris, None)?;
/// while run.step()?.is_some() {}
/// let last = run.latest().expect("a step").params();
/// trainer.fit(&mut params, &iris, None, &mut Silent)?;
/// assert_eq!(&params, run.params());
/// let mut measure = trainer.evaluator();
/// assert!(measure.run(&params, &iris)?.loss < measure.run(&last, &iris)?.loss);
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Average(Kind);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Exponential(f64),
    Even { from: u64, every: u64 },
}

impl Average {
    /// a ← β a + (1 − β) θ after each step, from the parameters after the first: EMA (course 2, lecture 2.3; Polyak and
    /// Juditsky 1992). β is usually 0.99 to 0.9999.
    pub fn exponential(beta: f64) -> Self {
        Average(Kind::Exponential(beta))
    }

    /// The mean of the parameters after step `from` and each further `every` steps: stochastic weight averaging (Izmailov et
    /// al. 2018), for a rate that is constant or cyclic by then. Before, the average is the parameters themselves.
    pub fn even(from: u64, every: u64) -> Self {
        Average(Kind::Even { from, every })
    }

    fn next<'g>(self, step: Var<'g>, before: Var<'g>, now: Var<'g>) -> Var<'g> {
        match self.0 {
            Kind::Exponential(beta) => step.less_equal(1.0).select(now, before * beta + now * (1.0 - beta)),
            Kind::Even { from, every } => {
                let (from, every) = (from as f64, every as f64);
                let taken = ((step - from) / every).floor();
                let due = (step - from - taken * every).less(0.5);
                let mean = due.select(before + (now - before) / (taken + 1.0).maximum(1.0), before);
                step.less_equal(from).select(now, mean)
            }
        }
    }
}

impl Optimiser for Average {
    fn steps<'g>(&self, memory: &mut Memory<'g>, all: &[Parameter<'g>], steps: Vec<Var<'g>>) -> Vec<Var<'g>> {
        let number = memory.step();
        for (parameter, step) in all.iter().zip(&steps) {
            memory.average(parameter, |before| self.next(number, before, parameter.value - *step));
        }
        steps
    }

    fn fault(&self) -> Option<String> {
        match self.0 {
            Kind::Exponential(beta) => super::not_decay("the average's beta", beta),
            Kind::Even { every: 0, .. } => {
                Some("the average is taken every 0 steps; take it every step at least".into())
            }
            Kind::Even { .. } => None,
        }
    }
}
