//! Reverse mode: linear nodes transposed from right to left.

use std::collections::HashMap;
use std::panic::Location;

use crate::error::{Error, ErrorKind, Result};
use crate::ir::Graph;
use crate::origin::{Origin, Phase};
use crate::prim::part::result_types;
use crate::prim::place::{is_padding, joined};
use crate::prim::{Form, Op, Site};
use crate::types::NodeId;
use crate::var::Var;

use super::jvp::{record_tangents, refuse_discrete};
use crate::prim::Mode;

/// The cotangents of `inputs` for given `cotangents` of `outputs`: Σ over outputs of ctᵀ · ∂output/∂input.
/// `None` for an input that no output depends on.
///
/// # Errors
/// A poisoned value; a cotangent whose type differs from its output's; an integer or truth input.
///
/// ```
/// use chainrule_graph::{Graph, vjp};
/// let g = Graph::new();
/// let x = g.leaf("x", [1.0, 2.0, 3.0]);
/// let ct = g.constant(chainrule_tensor::Tensor::from([1.0, 10.0, 100.0]));
/// let dx = vjp(&[x * x], &[x], &[ct])?[0].expect("x * x depends on x");
/// assert_eq!(dx.value()?, chainrule_tensor::Tensor::from([2.0, 40.0, 600.0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn vjp<'g>(
    outputs: &[Var<'g>],
    inputs: &[Var<'g>],
    cotangents: &[Var<'g>],
) -> Result<Vec<Option<Var<'g>>>> {
    let Some(first) = outputs.first() else { return Ok(vec![None; inputs.len()]) };
    let graph = first.graph;
    for given in [outputs, inputs, cotangents] {
        graph.admit("vjp", given)?;
    }
    if outputs.len() != cotangents.len() {
        let why = format!("{} outputs but {} cotangents; give one each", outputs.len(), cotangents.len());
        return Err(Error::new(ErrorKind::Gradient(why)).placed(graph.origin(Location::caller())));
    }
    for (y, ct) in outputs.iter().zip(cotangents) {
        if y.ty() != ct.ty() {
            let why = format!("a cotangent has its output's type {}, not {}", y.ty(), ct.ty());
            let error = Error::new(ErrorKind::Gradient(why)).placed(graph.origin(Location::caller()));
            return Err(error.operand("output", y.ty(), y.origin()).operand(
                "cotangent",
                ct.ty(),
                ct.origin(),
            ));
        }
    }
    for x in inputs {
        refuse_discrete("the variable", *x)?;
    }
    graph.trimmed(|| pulled_back(graph, outputs, inputs, cotangents))
}

/// As [`vjp`], of values that belong together.
fn pulled_back<'g>(
    graph: &'g Graph,
    outputs: &[Var<'g>],
    inputs: &[Var<'g>],
    cotangents: &[Var<'g>],
) -> Result<Vec<Option<Var<'g>>>> {
    let mark = graph.len();
    let seed = |x: &Var<'g>| {
        let _blame = graph.blame_origin(Origin { phase: Phase::Tangent, ..x.origin() });
        graph.new_leaf("tangent", x.ty(), None)
    };
    let seeds: Vec<Var<'g>> = inputs.iter().map(seed).collect();
    let tangents = record_tangents(graph, outputs, inputs, &seeds, Mode::Reverse)?;
    let reached: Vec<Var<'g>> = outputs.iter().filter_map(|y| tangents.of(*y)).collect();
    graph.admit("vjp", &reached)?;
    let ends = outputs.iter().zip(cotangents).filter_map(|(y, ct)| Some((tangents.of(*y)?, *ct)));
    let found = transpose(graph, mark, &seeds, ends)?;
    graph.admit("vjp", &found.iter().flatten().copied().collect::<Vec<_>>())?;
    Ok(found)
}

/// Carries the cotangents in `ends` from right to left through the nodes recorded since `mark`, which are
/// linear in `seeds`; the cotangent that arrives at each seed.
///
/// # Errors
/// A node that is not linear in its arguments that depend on `seeds`.
pub(crate) fn transpose<'g>(
    graph: &'g Graph,
    mark: usize,
    seeds: &[Var<'g>],
    ends: impl Iterator<Item = (Var<'g>, Var<'g>)>,
) -> Result<Vec<Option<Var<'g>>>> {
    let end = graph.len();
    let linear = linear_nodes(graph, mark, seeds);
    let mut ct: Vec<Arrived<'g>> = vec![Arrived::default(); end - mark];
    for (tangent, cotangent) in ends {
        // What does not depend on the seeds adds nothing.
        if tangent.id.index() >= mark && linear[tangent.id.index() - mark] {
            ct[tangent.id.index() - mark].add(cotangent);
        }
    }
    // What arrives at the further results of nodes that have several.
    let mut several: HashMap<NodeId, Vec<Option<Var<'g>>>> = HashMap::new();
    for i in (mark..end).rev().filter(|i| linear[i - mark]) {
        let id = NodeId(i as u32);
        let node = graph.node(id);
        if matches!(node.op, Op::Input(_)) {
            continue;
        }
        let arriving = ct[i - mark].total();
        if arriving.is_none() && !several.contains_key(&id) {
            continue;
        }
        // A rule indexes the axes of what it is given.
        graph.admit("vjp", arriving.as_slice())?;
        let x: Vec<Var<'g>> = node.args.iter().map(|a| graph.var(*a)).collect();
        let site = Site { x: &x, y: graph.var(id) };
        let is_linear = |a: &NodeId| a.index() >= mark && linear[a.index() - mark];
        let varying: Vec<usize> = (0..x.len()).filter(|k| is_linear(&node.args[*k])).collect();
        let _blame = graph.blame_origin(Origin { phase: Phase::Backward, ..node.origin.clone() });
        match node.op.form() {
            Form::Part(k) => {
                let parts = several.entry(node.args[0]).or_default();
                parts.resize(parts.len().max(k), None);
                parts[k - 1] = arriving;
            }
            Form::Structured(op) => {
                let mut all = vec![arriving];
                all.extend(several.remove(&id).unwrap_or_default());
                all.resize(result_types(&graph.inner.borrow().nodes, id).len(), None);
                let mask: Vec<bool> = node.args.iter().map(is_linear).collect();
                for (k, part) in op.cotangents(&all, &mask, &site)?.into_iter().enumerate() {
                    part.into_iter().for_each(|part| ct[node.args[k].index() - mark].add(part));
                }
            }
            form => {
                if !form.linear_in(&varying) {
                    let why =
                        format!("{} is not linear in the tangents that it is applied to", node.op.name());
                    return Err(Error::new(ErrorKind::Gradient(why)).placed(node.origin.clone()));
                }
                for k in varying {
                    let part = arriving.and_then(|arriving| node.op.transpose(k, arriving, &site));
                    part.into_iter().for_each(|part| ct[node.args[k].index() - mark].add(part));
                }
            }
        }
    }
    Ok(seeds.iter().map(|s| ct[s.id.index() - mark].total()).collect())
}

/// The cotangents that have arrived at a node: a sum, and paddings, which are put together before they are added.
#[derive(Clone, Default)]
struct Arrived<'g> {
    sum: Option<Var<'g>>,
    paddings: Vec<Var<'g>>,
}

impl<'g> Arrived<'g> {
    fn add(&mut self, more: Var<'g>) {
        if is_padding(more) {
            self.paddings.push(more);
        } else {
            self.sum = Some(self.sum.map_or(more, |sum| sum + more));
        }
    }

    fn total(&self) -> Option<Var<'g>> {
        let _blame = self.paddings.first().map(|p| p.graph.blame_origin(p.origin()));
        self.sum.into_iter().chain(joined(&self.paddings)).reduce(|sum, more| sum + more)
    }
}

/// Which of the nodes since `mark` depend on `seeds`.
fn linear_nodes(graph: &Graph, mark: usize, seeds: &[Var<'_>]) -> Vec<bool> {
    let inner = graph.inner.borrow();
    let mut linear = vec![false; inner.nodes.len() - mark];
    for s in seeds {
        linear[s.id.index() - mark] = true;
    }
    for (i, node) in inner.nodes.iter().enumerate().skip(mark) {
        if node.args.iter().any(|a| a.index() >= mark && linear[a.index() - mark]) {
            linear[i - mark] = true;
        }
    }
    linear
}
