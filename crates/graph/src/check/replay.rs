//! One recorded operation on its own: on fresh leaves, with any values.

use std::collections::HashMap;
use std::ops::Range;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Key, Shape, Tensor};

use super::difference;
use super::measure::{Meter, Point};
use super::probe::{Probe, draw, reals, stir};
use crate::diff::transpose::vjp;
use crate::error::Result;
use crate::exec::compiled::Compiled;
use crate::ir::{Graph, Node};
use crate::precision::Precision;
use crate::prim::Op;
use crate::types::NodeId;

/// The operation that `node` is a result of.
pub(super) fn operation(graph: &Graph, node: NodeId) -> Node {
    let node = graph.node(node);
    if matches!(node.op, Op::Part(_)) { graph.node(node.args[0]) } else { node }
}

/// The operands with respect to which `node` has a derivative rule.
pub(super) fn operands(graph: &Graph, node: NodeId) -> Vec<NodeId> {
    let node = operation(graph, node);
    node.args[..node.op.given(node.args.len())].to_vec()
}

/// An operation, ready to be evaluated and differentiated by its own rule.
pub(super) struct Replay {
    /// Σ ct · op(operands), as a function of the operands and ct.
    probe: Probe,
    /// The cotangents of the operands, of the same inputs.
    backward: Compiled,
    /// The result, of the same inputs.
    forward: Compiled,
    /// The shape of the result.
    pub(super) shape: Shape,
    /// The place of each input among the results of `backward`.
    places: Vec<Option<usize>>,
}

/// An operand's derivative, recorded and numeric.
pub(super) struct Scene {
    /// Values of the inputs, and last the cotangent of the result.
    pub(super) values: Vec<Tensor>,
    pub(super) result: Tensor,
    /// The recorded cotangent of the operand in question.
    pub(super) recorded: Vec<f64>,
    /// Its root mean square.
    pub(super) gauge: f64,
    pub(super) meter: Meter,
}

impl Replay {
    /// `node` of `source`, copied. What it takes besides its operands has its value in `values`.
    pub(super) fn new(source: &Graph, node: NodeId, values: &HashMap<NodeId, Tensor>) -> Result<Replay> {
        let fresh = Graph::new();
        let mut inputs = operands(source, node);
        inputs.sort();
        inputs.dedup();
        let mut leaves = Vec::new();
        for id in &inputs {
            let ty = source.node(*id).ty;
            leaves.push(fresh.input("x", ty.shape, ty.kind));
        }
        // A Cholesky factor is a function of symmetric matrices only: no element moves without its mirror image.
        let symmetric = matches!(source.node(node).op, Op::Cholesky(_));
        let taken = leaves.iter().map(|x| if symmetric { 0.5 * (*x + x.t()) } else { *x });
        let mut replaced: HashMap<_, _> = inputs.iter().copied().zip(taken).collect();
        for id in operation(source, node).args {
            replaced.entry(id).or_insert_with(|| fresh.constant(values[&id].clone()));
        }
        let y = fresh.copy_from(source, &[node], &replaced)[0];
        let shape = y.shape();
        let ct = fresh.input("ct", &shape, Kind::Real);
        let real: Vec<_> = leaves.iter().copied().filter(|x| x.kind() == Kind::Real).collect();
        let found = vjp(&[y], &real, &[ct])?;
        let outputs: Vec<_> = real.iter().zip(found).map(|(x, g)| g.unwrap_or_else(|| x.like(0.0))).collect();
        let places = leaves.iter().map(|x| real.iter().position(|r| r.id() == x.id())).collect();
        let all: Vec<_> = leaves.iter().copied().chain([ct]).collect();
        let compile =
            |outputs: &[_]| fresh.compiler(&all, outputs).precision(Precision::F64).exact(true).build();
        let probe = Probe::new(compile(&[(y * ct).sum(..)])?, Vec::new());
        Ok(Replay { probe, backward: compile(&outputs)?, forward: compile(&[y])?, shape, places })
    }

    /// The derivative by input `i` where the inputs have `values`, with a random cotangent.
    pub(super) fn scene(&mut self, i: usize, mut values: Vec<Tensor>, key: Key) -> Result<Option<Scene>> {
        let Some(place) = self.places[i] else { return Ok(None) };
        values.push(Tensor::from_vec(draw(key.named("ct"), self.shape.size()), &self.shape)?);
        let recorded = reals(&self.backward.run(&values)?[place]).to_vec();
        let result = self.forward.run(&values)?[0].clone();
        let gauge = (recorded.iter().map(|g| g * g).sum::<f64>() / recorded.len().max(1) as f64).sqrt();
        self.probe.enter(&values);
        let here = self.probe.here()?;
        let stir = stir(key.named("noise"), reals(&values[i]));
        let noise = difference::noise(|by| self.probe.move_along(i, &stir, by), here)?;
        Ok(Some(Scene { values, result, recorded, gauge, meter: Meter::new(here, noise, None) }))
    }

    /// The derivative of Σ ct · op by element `at` of input `i`, beside the recorded one.
    pub(super) fn element(&mut self, scene: &mut Scene, i: usize, at: usize) -> Result<Point> {
        self.probe.enter(&scene.values);
        let size = self.probe.element(i, at).abs();
        let probe = &mut self.probe;
        scene.meter.point(|by| probe.move_element(i, at, by), scene.recorded[at], scene.gauge, size)
    }

    /// The same derivative along a random direction, in which the elements in `range` have a part.
    pub(super) fn direction(
        &mut self,
        scene: &mut Scene,
        i: usize,
        key: Key,
        range: Range<usize>,
    ) -> Result<Point> {
        self.probe.enter(&scene.values);
        let mut direction = draw(key, scene.recorded.len());
        direction.iter_mut().enumerate().filter(|(at, _)| !range.contains(at)).for_each(|(_, d)| *d = 0.0);
        let recorded = scene.recorded.iter().zip(&direction).map(|(g, d)| g * d).sum();
        let size = reals(&scene.values[i]).iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let probe = &mut self.probe;
        scene.meter.point(|by| probe.move_along(i, &direction, by), recorded, scene.gauge, size)
    }

    /// The recorded derivative by input `i`, with another cotangent than the scene's.
    pub(super) fn recorded_with(&mut self, scene: &Scene, i: usize, ct: Tensor) -> Result<Vec<f64>> {
        let mut values = scene.values.clone();
        if let (Some(last), Some(place)) = (values.last_mut(), self.places[i]) {
            *last = ct;
            return Ok(reals(&self.backward.run(&values)?[place]).to_vec());
        }
        Ok(Vec::new())
    }

    /// The numeric derivative by element `at` of input `i`, with another cotangent than the scene's.
    pub(super) fn with_cotangent(&mut self, scene: &Scene, i: usize, at: usize, ct: Tensor) -> Result<f64> {
        let mut values = scene.values.clone();
        if let Some(last) = values.last_mut() {
            *last = ct;
        }
        self.probe.enter(&values);
        let mut meter = Meter::new(self.probe.here()?, scene.meter.noise, None);
        let size = self.probe.element(i, at).abs();
        let probe = &mut self.probe;
        Ok(meter.point(|by| probe.move_element(i, at, by), 0.0, scene.gauge, size)?.numeric.value)
    }
}
