//! A probe: a plan that measures a model at a step: loss, gradients, activations, as a few numbers each.

use std::panic::Location;

use chainrule_graph::{Compiled, Graph, Precision, Var};
use chainrule_tensor::Tensor;

use super::vitals::{self, Squash, Vitals};
use super::wiring::{Kind, Wiring, line};
use super::{Doctor, Role};
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::params::Params;
use crate::scope::{self, Mode, Scope};
use crate::{Layer, Loss};

/// Measures a model in training, from outside of whatever loop trains it: it is given parameters and a batch.
///
/// A look costs a forward and a backward pass and two passes over what they made, and leaves nine numbers of each tensor.
///
/// ```
/// use chainrule_nn::doctor::{Doctor, Probe, Role};
/// use chainrule_nn::{Layer, Linear, Params, data, layer, loss};
/// let model = layer(|s, x| {
///     let h = Linear::new(8).forward(&s.at("hidden"), x).relu();
///     Linear::new(3).forward(&s.at("output"), h)
/// });
/// let (mut doctor, mut probe) = (Doctor::new(), Probe::new(&model, &loss::softmax_cross_entropy));
/// let batch = data::iris()?.batches(50)?.next().expect("150 examples");
/// probe.look(&mut doctor, 0, &Params::new(), &batch)?; // parameters are drawn, since none are given
/// let readings = &doctor.chart().readings[&(Role::Gradient, "hidden.weight".to_string())];
/// assert!(readings[0].1.rms > 0.0);
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
pub struct Probe<'m, M, L> {
    pub(super) model: &'m M,
    pub(super) loss: &'m L,
    pub(super) made_at: &'static Location<'static>,
    plan: Option<Plan>,
}

struct Plan {
    compiled: Compiled,
    batch: [Vec<usize>; 2],
    paths: Vec<String>,
    drawn: Params,
    /// What is measured behind the loss, in the order of the outputs.
    seen: Vec<Seen>,
}

/// One of the tensors that are measured.
struct Seen {
    role: Role,
    name: String,
    units: Option<usize>,
    squash: Squash,
}

impl<'m, M: Layer, L: Loss> Probe<'m, M, L> {
    /// For this model and loss.
    #[track_caller]
    pub fn new(model: &'m M, loss: &'m L) -> Self {
        Probe::made_at(model, loss, Location::caller())
    }

    /// Measures the model with `params` on `batch`, and tells the doctor; the loss comes back. Parameters that are missing
    /// are drawn with seed 0. Batches of another size are measured by a plan of their own.
    ///
    /// # Errors
    /// Any error in the model, with the user's line.
    pub fn look(&mut self, doctor: &mut Doctor, step: usize, params: &Params, batch: &Batch) -> Result<f64> {
        let shapes = [batch.features.shape().to_vec(), batch.targets.shape().to_vec()];
        if self.plan.as_ref().is_none_or(|plan| plan.batch != shapes) {
            self.plan = Some(self.compile(doctor, params, batch, shapes)?);
        }
        let Some(plan) = &mut self.plan else { unreachable!("made above") };
        let state: Vec<Tensor> = plan
            .paths
            .iter()
            .filter_map(|path| params.get(path).or_else(|| plan.drawn.get(path)).cloned())
            .collect();
        plan.compiled.set_state(&state)?;
        let outputs = plan.compiled.run(&[batch.features.clone(), batch.targets.clone()])?;
        for (Seen { role, name, units, squash }, value) in plan.seen.iter().zip(&outputs[1..]) {
            doctor.record(step, *role, name, Vitals::of(value, *units, *squash)?);
            if *role == Role::Gradient
                && let Some(value) = params.get(name).or_else(|| plan.drawn.get(name))
            {
                doctor.record(step, Role::Parameter, name, Vitals::of(value, *units, Squash::None)?);
            }
        }
        doctor.batch(&batch.targets)?;
        Ok(outputs[0].item::<f64>()?)
    }

    /// Whether there is no plan yet, or one for batches of this size.
    pub(super) fn fits(&self, batch: &Batch) -> bool {
        self.plan.as_ref().is_none_or(|plan| plan.batch[0] == batch.features.shape())
    }

    /// With the line that gave the model to a trainer.
    pub(crate) fn made_at(model: &'m M, loss: &'m L, made_at: &'static Location<'static>) -> Self {
        Probe { model, loss, made_at, plan: None }
    }

    fn compile(
        &self,
        doctor: &mut Doctor,
        params: &Params,
        batch: &Batch,
        shapes: [Vec<usize>; 2],
    ) -> Result<Plan> {
        let graph = Graph::new();
        scope::lines_of(&graph);
        let _made = graph.passed_at(self.made_at);
        let argument = |name, of: &Tensor| graph.input(name, of.shape(), of.dtype().kind());
        let (x, y) = (argument("features", &batch.features), argument("targets", &batch.targets));
        let scope = Scope::root(&graph, params.clone(), Mode::Train, 0);
        let prediction = self.model.forward(&scope, x);
        let loss = self.loss.of(prediction, y);
        loss.checked()?;
        let traced = scope.traced();
        let vars: Vec<Var<'_>> = traced.iter().map(|(_, v)| *v).collect();
        let wiring = Wiring::of(&graph, x, prediction, &vars);
        let (found, classes) = wiring.findings();
        found.into_iter().for_each(|finding| doctor.found(finding));
        doctor.chart.entropy_of = classes;
        let (mut seen, mut outputs) = (Vec::new(), vec![loss]);
        for place in wiring.places() {
            let units = vitals::units_of_activation(place.var.rank());
            let (role, squash) = match place.kind {
                Kind::Linear => (Role::Linear, Squash::None),
                Kind::Relu => (Role::Relu, Squash::None),
                // The last one is to be sure of itself.
                Kind::Bounded(_) if place.var.shape() == prediction.shape() => (Role::Output, Squash::None),
                Kind::Bounded(squash) => (Role::Activation, squash),
            };
            doctor.chart.place(&place.name, place.line, None);
            seen.push(Seen { role, name: place.name, units, squash });
            outputs.push(place.var);
        }
        let gradients = loss.grad_or_zeros(&vars)?;
        for ((path, value), gradient) in traced.iter().zip(gradients) {
            doctor.chart.place(path, line(&value.origin()), Some(value.rank()));
            let units = vitals::units_of_weight(value.rank());
            seen.push(Seen { role: Role::Gradient, name: path.clone(), units, squash: Squash::None });
            outputs.push(gradient);
        }
        if seen.is_empty() {
            return Err(Error::argument(
                "Probe",
                "the model has no parameters and no activations to look at",
            ));
        }
        let asked = scope.asked();
        let kept: Vec<(Var<'_>, Var<'_>)> = asked.iter().map(|(_, v)| (*v, *v)).collect();
        let compiler = graph.compiler(&[x, y], &outputs).state(&kept);
        let compiled = compiler.precision(Precision::F32).build()?;
        let paths = asked.into_iter().map(|(path, _)| path).collect();
        Ok(Plan { compiled, batch: shapes, paths, drawn: scope.params(), seen })
    }
}
