//! Which recorded operation is to blame: each one between the parameters and the loss, replayed on its own.

use std::collections::{HashMap, HashSet};

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Key, Tensor};

use super::culprit::Culprit;
use super::guess::{Finding, examine};
use super::hypothesis::Hypothesis;
use super::inside;
use super::probe::{reals, unravel, wide};
use super::replay::{Replay, Scene, operands, operation};
use crate::copy::between;
use crate::error::Result;
use crate::exec::compile::Optimise;
use crate::ir::{Graph, Node};
use crate::precision::Precision;
use crate::prim::Op;
use crate::types::{NodeId, Type};
use crate::var::Var;

/// A culprit, where it stands, and how it was found.
pub(super) struct Suspect {
    pub(super) culprit: Culprit,
    pub(super) node: NodeId,
    /// Whether its own derivative is wrong away from kinks.
    pub(super) smooth: bool,
}

impl Suspect {
    fn found(graph: &Graph, node: NodeId, operand: usize, finding: Finding) -> Suspect {
        let Finding { hypothesis, difference, worst, smooth } = finding;
        let unmeasured = Culprit::new(graph, node, operand, hypothesis);
        let culprit = Culprit { difference: Some(difference), worst: Some(worst), ..unmeasured };
        Suspect { culprit, node, smooth }
    }

    fn told(culprit: Culprit, node: NodeId) -> Suspect {
        Suspect { culprit, node, smooth: false }
    }
}

/// What the operations on the way amount to.
#[derive(Default)]
pub(super) struct Found {
    /// Those whose own derivatives are wrong, the one nearest to the loss first.
    pub(super) culprits: Vec<Suspect>,
    /// Those that are at a kink.
    pub(super) kinks: Vec<NodeId>,
    /// Those whose own derivatives differences can neither confirm nor refute.
    pub(super) open: Vec<NodeId>,
}

/// Replays the operations between `wrong` and `loss`, where `parameters` have the values `point`.
pub(super) fn find(
    loss: Var<'_>,
    parameters: &[NodeId],
    point: &[Tensor],
    wrong: &[NodeId],
    key: Key,
) -> Result<Found> {
    let graph = loss.graph;
    let path = path(graph, loss.id, wrong);
    let branches = branches(graph, loss.id, wrong);
    let asked = path.iter().map(|s| s.node).chain(branches.iter().copied());
    let values = values(graph, parameters, point, asked)?;
    // Infinities that the loss does not show, as those of a mask, are meant.
    let spoilt = path.last().is_some_and(|s| !reals(&values[&s.node]).iter().all(|x| x.is_finite()));
    if let Some(culprit) = overflow(graph, &path, &values).filter(|_| spoilt) {
        return Ok(Found { culprits: vec![culprit], ..Found::default() });
    }
    let mut search = Search { graph, values, key, replays: HashMap::new(), found: Found::default() };
    let mut stops = Vec::new();
    for step in path.iter().rev() {
        if matches!(graph.node(step.node).op, Op::StopGradient(_)) {
            stops.push(step.node);
        } else {
            search.step(step)?;
        }
    }
    let Search { mut found, values, .. } = search;
    found.culprits = opened(graph, found.culprits, &values, key)?;
    found.kinks.extend(branches.into_iter().filter(|node| tied(graph, *node, &values)));
    if found.culprits.is_empty() {
        found.culprits = blocked(loss, parameters, point, &stops)?;
    }
    Ok(found)
}

/// The operations to blame inside loops and choices in the place of these, where there are such.
fn opened(
    graph: &Graph,
    suspects: Vec<Suspect>,
    values: &HashMap<NodeId, Tensor>,
    key: Key,
) -> Result<Vec<Suspect>> {
    let mut all = Vec::new();
    let mut seen = HashSet::new();
    for suspect in suspects {
        let whole = operation(graph, suspect.node);
        let inside = match whole.op {
            Op::Loop(_) | Op::Branch(_) => inside::culprits(&whole, values, key.named("inside"))?,
            _ => Vec::new(),
        };
        if inside.is_empty() {
            all.push(suspect);
            continue;
        }
        // What is wrong by one operand of a loop is wrong by the others, too.
        let fresh = |c: &Culprit| seen.insert((c.op.clone(), c.origin.to_string(), c.operand));
        let (node, smooth) = (suspect.node, suspect.smooth);
        all.extend(inside.into_iter().filter(fresh).map(|culprit| Suspect { culprit, node, smooth }));
    }
    Ok(all)
}

/// A node on the way, and which of its operands are.
struct Step {
    node: NodeId,
    varying: Vec<NodeId>,
}

/// The nodes by which `loss` depends on `wrong`, in order. A formula with a rule of its own is one step.
fn path(graph: &Graph, loss: NodeId, wrong: &[NodeId]) -> Vec<Step> {
    let inner = graph.inner.borrow();
    let sources = |id: usize| -> &[NodeId] {
        let node = match &inner.nodes[id] {
            Node { op: Op::Part(_), args, .. } => &inner.nodes[args[0].index()],
            node => node,
        };
        &node.args[..node.op.given(node.args.len())]
    };
    let mut needed = vec![false; loss.index() + 1];
    needed[loss.index()] = true;
    for i in (0..needed.len()).rev().filter(|i| inner.nodes[*i].ty.kind == Kind::Real) {
        if needed[i] {
            sources(i).iter().for_each(|a| needed[a.index()] = true);
        }
    }
    let mut varies = vec![false; needed.len()];
    wrong.iter().filter(|w| **w <= loss).for_each(|w| varies[w.index()] = true);
    let mut found = Vec::new();
    for i in (0..needed.len()).filter(|i| needed[*i]) {
        let node = &inner.nodes[i];
        let mut varying: Vec<NodeId> = sources(i).iter().copied().filter(|a| varies[a.index()]).collect();
        varying.dedup();
        if varying.is_empty() || node.ty.kind != Kind::Real {
            continue;
        }
        varies[i] = true;
        found.push(Step { node: NodeId(i as u32), varying });
    }
    found
}

/// The comparisons and orders that `wrong` have a part in, which choose between formulas.
fn branches(graph: &Graph, loss: NodeId, wrong: &[NodeId]) -> Vec<NodeId> {
    let all = between(graph, wrong, &[loss]);
    let turns =
        |id: &NodeId| matches!(graph.node(*id).op, Op::Compare(_) | Op::ArgSort(_) | Op::ArgReduce(_));
    all.into_iter().filter(turns).collect()
}

/// Whether a comparison has operands that are equal, or nearly, or an order equal elements: there the choice turns.
fn tied(graph: &Graph, branch: NodeId, values: &HashMap<NodeId, Tensor>) -> bool {
    let node = graph.node(branch);
    let equal = |a: f64, b: f64| (a - b).abs() <= 1e-7 * a.abs().max(1.0);
    let [a, b] = node.args[..] else {
        let mut ordered = reals(&values[&node.args[0]]).to_vec();
        ordered.sort_by(f64::total_cmp);
        return ordered.windows(2).any(|w| equal(w[0], w[1]));
    };
    let shape = node.ty.shape;
    let wide = |id: NodeId| values[&id].broadcast_to(&shape).map(|v| v.to_contiguous());
    let (Ok(a), Ok(b)) = (wide(a), wide(b)) else { return false };
    reals(&a).iter().zip(reals(&b)).any(|(a, b)| equal(*a, *b))
}

/// The value of each of the `nodes` and of all their operands.
fn values(
    graph: &Graph,
    parameters: &[NodeId],
    point: &[Tensor],
    nodes: impl Iterator<Item = NodeId>,
) -> Result<HashMap<NodeId, Tensor>> {
    let mut wanted: HashSet<NodeId> = HashSet::new();
    for node in nodes {
        wanted.insert(node);
        wanted.extend(operation(graph, node).args);
    }
    let mut wanted: Vec<NodeId> = wanted.into_iter().collect();
    wanted.sort();
    let vars = |ids: &[NodeId]| ids.iter().map(|id| graph.var(*id)).collect::<Vec<_>>();
    let compiler = graph.compiler(&vars(parameters), &vars(&wanted));
    let mut compiled = compiler.precision(Precision::F64).exact(true).optimise(Optimise::NONE).build()?;
    let found = compiled.run(point)?.iter().map(wide);
    Ok(wanted.iter().copied().zip(found).collect())
}

/// The first node with a value that is not finite.
fn overflow(graph: &Graph, path: &[Step], values: &HashMap<NodeId, Tensor>) -> Option<Suspect> {
    let place = |id: NodeId| {
        let elements = reals(&values[&id]);
        let at = elements.iter().position(|x| !x.is_finite())?;
        Some((unravel(at, values[&id].shape()), elements[at]))
    };
    let step = path.iter().find(|s| place(s.node).is_some())?;
    let all = operands(graph, step.node);
    let given = all.iter().enumerate().find_map(|(i, a)| Some((i, place(*a)?)));
    let (operand, hypothesis) = match given {
        Some((i, (index, value))) => (i, Hypothesis::Given { index, value }),
        None => {
            let (index, value) = place(step.node)?;
            (all.iter().position(|a| step.varying.contains(a))?, Hypothesis::Overflow { index, value })
        }
    };
    Some(Suspect::told(Culprit::new(graph, step.node, operand, hypothesis), step.node))
}

/// An operation and which of its results, the types of its operands, and which of these are equal.
type Pattern = ([Op; 2], Vec<Type>, Vec<usize>);

/// The search along a path.
struct Search<'g> {
    graph: &'g Graph,
    values: HashMap<NodeId, Tensor>,
    key: Key,
    /// Equal operations on operands of equal types are replayed by one.
    replays: HashMap<Pattern, Replay>,
    found: Found,
}

impl Search<'_> {
    fn step(&mut self, step: &Step) -> Result<()> {
        let node = operation(self.graph, step.node);
        let part = self.graph.node(step.node).op;
        let all = operands(self.graph, step.node);
        let mut inputs = all.clone();
        inputs.sort();
        inputs.dedup();
        let pattern = all.iter().filter_map(|a| inputs.iter().position(|i| i == a)).collect();
        let types = all.iter().map(|a| self.graph.node(*a).ty).collect();
        let name = ([node.op.clone(), part], types, pattern);
        let mut replay = match self.replays.remove(&name) {
            Some(replay) => replay,
            None => Replay::new(self.graph, step.node, &self.values)?,
        };
        let values: Vec<Tensor> = inputs.iter().map(|id| self.values[id].clone()).collect();
        let key = self.key.at(step.node.index() as u64);
        for (i, id) in inputs.iter().enumerate().filter(|(_, id)| step.varying.contains(id)) {
            let operand = all.iter().position(|a| a == id).unwrap_or(i);
            let same = |s: &&mut Suspect| {
                let c = &s.culprit;
                c.op == node.op.name() && c.operand == operand && c.origin.location == node.origin.location
            };
            let Some(mut scene) = replay.scene(i, values.clone(), key.at(i as u64))? else { continue };
            match first_look(&mut replay, &mut scene, i, key)? {
                Look::Sound => continue,
                Look::Kink => {
                    self.found.kinks.push(step.node);
                    continue;
                }
                Look::Open => {
                    self.found.open.push(step.node);
                    continue;
                }
                Look::Suspicious => {}
            }
            let names =
                inputs.iter().map(|id| all.iter().position(|a| a == id).unwrap_or_default()).collect();
            let Some(finding) = examine(&mut replay, scene, i, names, key)? else { continue };
            let known = &mut self.found.culprits;
            match known.iter_mut().find(same) {
                Some(known) => {
                    known.culprit.others += 1;
                    known.smooth |= finding.smooth;
                }
                None => known.push(Suspect::found(self.graph, step.node, operand, finding)),
            }
        }
        // A custom operation is of one node only, as is what takes more than its operands.
        if !matches!(node.op, Op::Custom(_)) && node.args.len() == all.len() {
            self.replays.insert(name, replay);
        }
        Ok(())
    }
}

/// What a derivative looks like along random directions.
enum Look {
    Sound,
    Kink,
    Open,
    Suspicious,
}

/// Checks the derivative by input `i` along two random directions.
fn first_look(replay: &mut Replay, scene: &mut Scene, i: usize, key: Key) -> Result<Look> {
    if scene.recorded.iter().any(|g| !g.is_finite()) {
        return Ok(Look::Suspicious);
    }
    let mut look = Look::Sound;
    for number in 0..2 {
        let point = replay.direction(scene, i, key.named("direction").at(number), 0..scene.recorded.len())?;
        let typical = point.recorded.abs().max(point.numeric.value.abs());
        let gap = point.gap();
        let differs = gap > 1e-5 * typical && gap > 1e-9 * scene.gauge;
        if differs && gap > 10.0 * point.numeric.error {
            return Ok(Look::Suspicious);
        }
        if point.sides.is_some() {
            look = Look::Kink;
        } else if differs {
            look = Look::Open;
        }
    }
    Ok(look)
}

/// The stops among `stops` by which the loss still depends on what they stop.
fn blocked(loss: Var<'_>, parameters: &[NodeId], point: &[Tensor], stops: &[NodeId]) -> Result<Vec<Suspect>> {
    let graph = loss.graph;
    let vars = |ids: &[NodeId]| ids.iter().map(|id| graph.var(*id)).collect::<Vec<_>>();
    // The gradients of the parameters tell how much is much.
    // A formula with a rule of its own may use a stop; then there is no telling.
    let Ok(through) = loss.grad_or_zeros(&vars(&[stops, parameters].concat())) else { return Ok(Vec::new()) };
    let compiler = graph.compiler(&vars(parameters), &through).precision(Precision::F64).exact(true);
    let through: Vec<Tensor> = compiler.build()?.run(point)?.iter().map(wide).collect();
    let most = |t: &Tensor| reals(t).iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    let largest = through.iter().map(most).fold(0.0, f64::max);
    let mut found: Vec<Suspect> = Vec::new();
    for (node, _) in stops.iter().zip(&through).filter(|(_, d)| most(d) > 1e-6 * largest) {
        let origin = graph.node(*node).origin;
        let here = |s: &&mut Suspect| s.culprit.origin.location == origin.location;
        if let Some(known) = found.iter_mut().find(here) {
            known.culprit.others += 1;
            continue;
        }
        found.push(Suspect::told(Culprit::new(graph, *node, 0, Hypothesis::Blocked), *node));
    }
    Ok(found)
}
