//! A trained model on data: loss, predictions, accuracy.

use std::panic::Location;

use chainrule_graph::{Cache, Compiled, Graph, Precision, Var, vmap};
use chainrule_tensor::{DType, Tensor};

use super::Loss;
use crate::data::{Batch, Dataset};
use crate::error::{Error, Result};
use crate::outputs::{self, Named};
use crate::params::Params;
use crate::scope::{Mode, Scope};
use crate::step::input;
use crate::{Layer, metric};

/// Measures a model on data, without dropout or penalty. Plans are kept by the shapes of batches, the 64 used last unless
/// [`keep`](Evaluator::keep) says otherwise.
pub struct Evaluator<'m, M, L> {
    model: &'m M,
    loss: &'m L,
    made_at: &'static Location<'static>,
    precision: Precision,
    plans: Cache<Key, Plan>,
}

/// Shape and dtype of features and targets of a batch, a number of classes, and what is asked.
type Key = ([(Vec<usize>, DType); 2], usize, Asked);

/// What is asked of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Asked {
    /// The loss of all examples, outputs, classes.
    All,
    /// The loss of each example.
    Each,
}

/// The plan for one key.
struct Plan {
    compiled: Compiled,
    /// The parameters that it takes.
    paths: Vec<String>,
    /// Why its outputs name no classes, if so; else it gives them.
    unknown: Option<String>,
}

/// What a model makes of some data.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The mean loss, without penalty.
    pub loss: f64,
    /// The model's output for each example, in order.
    pub outputs: Tensor,
    /// The predicted classes, i64 in the shape of the labels; what the loss takes the outputs for decides (see
    /// [`Outputs`](crate::loss::Outputs)). Empty, (0,), where the targets are no classes or none are known.
    pub classes: Tensor,
    /// Why no classes are known.
    unknown: Option<String>,
}

impl Evaluation {
    /// Whether it is known which classes the outputs name.
    pub(super) fn names_classes(&self) -> bool {
        self.unknown.is_none()
    }

    /// The share of labels whose class is predicted right.
    ///
    /// # Errors
    /// [`Error::Argument`] if the outputs name no classes, with the reason, and for labels of another shape.
    pub fn accuracy(&self, labels: &Tensor) -> Result<f64> {
        match &self.unknown {
            Some(why) => Err(Error::argument("accuracy", why)),
            None => metric::accuracy(&self.classes, labels),
        }
    }
}

/// Large enough to keep the kernels busy, small enough for the caches.
const BATCH: usize = 512;

impl<'m, M: Layer, L: Loss> Evaluator<'m, M, L> {
    pub(super) fn new(
        model: &'m M,
        loss: &'m L,
        made_at: &'static Location<'static>,
        precision: Precision,
    ) -> Self {
        Evaluator { model, loss, made_at, precision, plans: Cache::default() }
    }

    /// How many plans to keep, two at least, since a last batch may be short. Where there are more, the one not used for the
    /// longest time is compiled anew when it is needed again.
    pub fn keep(mut self, plans: usize) -> Self {
        self.plans.set_capacity(plans.max(2));
        self
    }

    /// Forgets all plans, and gives their memory back.
    pub fn clear(&mut self) {
        self.plans.clear();
    }

    /// Runs the model over `data`.
    ///
    /// # Errors
    /// Any error in the model; [`Error::Misfit`] if the model has parameters that `params` lack; [`Error::Names`] if
    /// `params` were learnt from data of other classes or features; outputs that cannot name the classes of the
    /// labels, with the user's line.
    pub fn run(&mut self, params: &Params, data: &Dataset) -> Result<Evaluation> {
        let width = self.precision.dtype();
        let mut loss = 0.0;
        let (mut outputs, mut classes) = (Vec::new(), Vec::new());
        let mut unknown = None;
        self.over_batches(params, data, Asked::All, |examples, results, why| {
            loss += results[0].item::<f64>()? * examples as f64;
            outputs.push(results[1].cast(width));
            classes.extend(results.get(2).cloned());
            unknown = why.map(String::from);
            Ok(())
        })?;
        let joined = |parts: Vec<Tensor>| match &parts[..] {
            [] => Ok(Tensor::zeros([0], DType::I64)),
            [one] if one.shape().is_empty() => Ok(one.clone()),
            _ => Tensor::concat(&parts.iter().collect::<Vec<_>>(), 0),
        };
        Ok(Evaluation {
            loss: loss / data.examples() as f64,
            outputs: joined(outputs)?,
            classes: joined(classes)?,
            unknown,
        })
    }

    /// What is asked, batch by batch: its examples, the results of its plan, and why no classes are among them.
    fn over_batches(
        &mut self,
        params: &Params,
        data: &Dataset,
        asked: Asked,
        mut take: impl FnMut(usize, &[Tensor], Option<&str>) -> Result<()>,
    ) -> Result<()> {
        self.prepare(params, data, asked)?;
        for batch in data.batches(BATCH)? {
            let examples = batch.features.shape()[0];
            let Some(plan) = self.plans.get(&key(examples, data, asked)) else { unreachable!("prepared") };
            let missing: Vec<&str> =
                plan.paths.iter().map(String::as_str).filter(|path| params.get(path).is_none()).collect();
            if !missing.is_empty() {
                let paths = plan.paths.iter().map(String::as_str);
                return Err(params.misfit("evaluate", &missing, &params.left_over(paths)));
            }
            let mut arguments = vec![batch.features, batch.targets];
            arguments.extend(plan.paths.iter().filter_map(|path| params.get(path)).cloned());
            take(examples, plan.compiled.run(&arguments)?, plan.unknown.as_deref())?;
        }
        Ok(())
    }

    /// The loss of each example by itself, in order: the greatest are worth a look. The model sees batches, as in
    /// [`run`](Evaluator::run); of what it makes of them, each example's is given to the loss alone.
    ///
    /// ```
    /// use chainrule_nn::{Linear, Params, Trainer, data::iris, loss, progress::Silent};
    /// let (iris, mut params) = (iris()?, Params::new());
    /// let trainer = Trainer::new(Linear::new(3), loss::softmax_cross_entropy).epochs(2);
    /// trainer.fit(&mut params, &iris, None, &mut Silent)?;
    /// let losses = trainer.evaluator().losses(&params, &iris)?;
    /// let mean = losses.iter().sum::<f64>() / 150.0;
    /// assert!((mean - trainer.evaluator().run(&params, &iris)?.loss).abs() < 1e-6);
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`run`](Evaluator::run); outputs whose first axis is not that of the examples.
    pub fn losses(&mut self, params: &Params, data: &Dataset) -> Result<Vec<f64>> {
        let mut losses = Vec::new();
        self.over_batches(params, data, Asked::Each, |_, results, _| {
            losses.extend(results[0].cast(DType::F64).to_vec::<f64>()?);
            Ok(())
        })?;
        Ok(losses)
    }

    /// The share of labels whose class is predicted right; see [`Evaluation::classes`].
    ///
    /// # Errors
    /// As [`run`](Evaluator::run); targets that are not classes, outputs of which it is not known which class they name.
    pub fn accuracy(&mut self, params: &Params, data: &Dataset) -> Result<f64> {
        self.run(params, data)?.accuracy(data.targets())
    }

    /// Compiles what is `asked` of `data`, so that what does not fit is found before anything runs.
    pub(super) fn prepare(&mut self, params: &Params, data: &Dataset, asked: Asked) -> Result<()> {
        params.names().agree("evaluate", ["the parameters", "the data"], data.names())?;
        if self.precision == Precision::F32 {
            data.check_range()?;
        }
        let m = data.examples();
        for examples in [m.min(BATCH), m % BATCH].into_iter().filter(|n| *n > 0) {
            if self.plans.get(&key(examples, data, asked)).is_some() {
                continue;
            }
            let batch = data.first(examples);
            let graph = Graph::new();
            let traced = self.trace(&graph, params, &batch, data)?;
            let wanted = match (asked, &traced.classes) {
                (Asked::Each, _) => {
                    let _passed = graph.passed_at(self.made_at);
                    traced.loss.checked()?;
                    vmap(&[traced.prediction, traced.inputs[1]], |example| {
                        let [output, target] = [example[0], example[1]].map(|x| x.insert_axis(0));
                        Ok(vec![self.loss.of(output, target)])
                    })?
                }
                (Asked::All, Named::Classes(classes)) => vec![traced.loss, traced.prediction, *classes],
                (Asked::All, Named::Unknown(_)) => vec![traced.loss, traced.prediction],
            };
            let compiled = graph.compiler(&traced.inputs, &wanted).precision(self.precision).build()?;
            let unknown = match traced.classes {
                Named::Classes(_) => None,
                Named::Unknown(why) => Some(why),
            };
            self.plans.insert(key(examples, data, asked), Plan { compiled, paths: traced.paths, unknown });
        }
        Ok(())
    }

    /// Records the model and its loss on a batch of `data`, and finds out what its outputs mean.
    pub(super) fn trace<'g>(
        &self,
        graph: &'g Graph,
        params: &Params,
        batch: &Batch,
        data: &Dataset,
    ) -> Result<Traced<'g>> {
        let x = input(graph, "Trainer", "features", &batch.features, self.made_at);
        let y = input(graph, "Trainer", "targets", &batch.targets, self.made_at);
        let scope = Scope::root(graph, params.clone(), Mode::Evaluate, 0);
        let _passed = graph.passed_at(self.made_at);
        let prediction = self.model.forward(&scope, x);
        let loss = self.loss.of(prediction, y);
        let classes = match data.classes() {
            Some(classes) => outputs::named(graph, prediction, y, classes.count())?,
            None => Named::Unknown("the targets are numbers, not classes".into()),
        };
        let (paths, parameters): (Vec<String>, Vec<Var<'_>>) = scope.asked().into_iter().unzip();
        let inputs = [x, y].into_iter().chain(parameters).collect();
        Ok(Traced { inputs, paths, loss, prediction, classes })
    }
}

/// A model and its loss, recorded.
pub(super) struct Traced<'g> {
    inputs: Vec<Var<'g>>,
    paths: Vec<String>,
    loss: Var<'g>,
    prediction: Var<'g>,
    pub(super) classes: Named<'g>,
}

/// Which plan serves a batch of so many examples.
fn key(examples: usize, data: &Dataset, asked: Asked) -> Key {
    let signature = [data.features(), data.targets()].map(|x| {
        let shape = [&[examples], &x.shape()[1..]].concat();
        (shape, x.dtype())
    });
    (signature, data.classes().map_or(0, |c| c.count()), asked)
}
