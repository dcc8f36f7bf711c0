//! Reverse mode: linear nodes transposed from right to left.

use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Graph, NodeId, Origin, Phase};
use crate::prim::{Op, Rule, Site};
use crate::var::Var;

use super::jvp::{record_tangents, refuse_discrete};

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
    graph.refuse_poison(outputs)?;
    graph.refuse_poison(inputs)?;
    graph.refuse_poison(cotangents)?;
    if outputs.len() != cotangents.len() {
        let why = format!("{} outputs but {} cotangents; give one each", outputs.len(), cotangents.len());
        return Err(Error::new(ErrorKind::Gradient(why)));
    }
    for (y, ct) in outputs.iter().zip(cotangents) {
        if y.ty() != ct.ty() {
            let why = format!("a cotangent has its output's type {}, not {}", y.ty(), ct.ty());
            return Err(Error::new(ErrorKind::Gradient(why)).placed(ct.origin()).operand(
                "output",
                y.ty(),
                y.origin(),
            ));
        }
    }
    for x in inputs {
        refuse_discrete(*x)?;
    }
    let mark = graph.len();
    let seed = |x: &Var<'g>| {
        let _blame = graph.blame_origin(Origin { phase: Phase::Tangent, ..x.origin() });
        graph.new_leaf("tangent", x.ty(), None)
    };
    let seeds: Vec<Var<'g>> = inputs.iter().map(seed).collect();
    let tangents = record_tangents(graph, outputs, inputs, &seeds);
    let ends = outputs.iter().zip(cotangents).filter_map(|(y, ct)| Some((tangents[y.id.index()]?, *ct)));
    Ok(transpose(graph, mark, &seeds, ends))
}

/// Carries the cotangents in `ends` from right to left through the nodes recorded since `mark`, which are
/// linear in `seeds`; the cotangent that arrives at each seed.
fn transpose<'g>(
    graph: &'g Graph,
    mark: usize,
    seeds: &[Var<'g>],
    ends: impl Iterator<Item = (Var<'g>, Var<'g>)>,
) -> Vec<Option<Var<'g>>> {
    let end = graph.len();
    let linear = linear_nodes(graph, mark, seeds);
    let mut ct: Vec<Option<Var<'g>>> = vec![None; end - mark];
    let add = |ct: &mut Vec<Option<Var<'g>>>, id: NodeId, more: Var<'g>| {
        let sum = &mut ct[id.index() - mark];
        *sum = Some(sum.map_or(more, |sum| sum + more));
    };
    for (tangent, cotangent) in ends {
        add(&mut ct, tangent.id, cotangent);
    }
    for i in (mark..end).rev().filter(|i| linear[i - mark]) {
        let Some(arriving) = ct[i - mark] else { continue };
        let node = graph.node(NodeId(i as u32));
        if matches!(node.op, Op::Input(_)) {
            continue;
        }
        let x: Vec<Var<'g>> = node.args.iter().map(|a| graph.var(*a)).collect();
        let site = Site { x: &x, y: graph.var(NodeId(i as u32)) };
        let _blame = graph.blame_origin(Origin { phase: Phase::Backward, ..node.origin.clone() });
        for (k, arg) in node.args.iter().enumerate() {
            if arg.index() < mark || !linear[arg.index() - mark] {
                continue;
            }
            let part = match node.op.rule() {
                Rule::Linear(transpose) | Rule::Multilinear(_, transpose) => transpose(k, arriving, &site),
                Rule::Nonlinear(_) | Rule::Flat(_) => {
                    let why = format!("the tangent rule of {} is not linear in its tangents", node.op.name());
                    x[k].fail(Error::new(ErrorKind::Gradient(why)))
                }
            };
            add(&mut ct, *arg, part);
        }
    }
    seeds.iter().map(|s| ct[s.id.index() - mark]).collect()
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
