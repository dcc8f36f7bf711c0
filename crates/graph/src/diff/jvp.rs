//! Forward mode: tangents from left to right.

use std::panic::Location;

use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Graph, Node};
use crate::origin::{Origin, Phase};
use crate::prim::{Form, Mode, Site};
use crate::types::NodeId;
use crate::var::Var;
use crate::walk::{self, IdMap, IdSet};

use chainrule_tensor::kernels::Kind;
use smallvec::SmallVec;

/// The derivative of `outputs` along `tangents` (the rates of change of `inputs`): one tangent per output.
///
/// The result is recorded in the same graph, so it can be differentiated again.
///
/// # Errors
/// A poisoned value; a tangent whose type differs from its input's; an integer or truth input.
///
/// ```
/// use chainrule_graph::{Graph, jvp};
/// let g = Graph::new();
/// let x = g.leaf("x", 3.0);
/// let dy = jvp(&[x * x], &[x], &[g.constant(1.0)])?;
/// assert_eq!(dy[0].value()?.item::<f64>()?, 6.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn jvp<'g>(outputs: &[Var<'g>], inputs: &[Var<'g>], tangents: &[Var<'g>]) -> Result<Vec<Var<'g>>> {
    let Some(first) = outputs.first() else { return Ok(Vec::new()) };
    let graph = first.graph;
    for given in [outputs, inputs, tangents] {
        graph.admit("jvp", given)?;
    }
    if inputs.len() != tangents.len() {
        let why = format!("{} inputs but {} tangents; give one each", inputs.len(), tangents.len());
        return Err(Error::new(ErrorKind::Gradient(why)).placed(graph.origin(Location::caller())));
    }
    for (x, t) in inputs.iter().zip(tangents) {
        refuse_discrete("the variable", *x)?;
        if x.ty() != t.ty() {
            let why = format!("a tangent has its input's type {}, not {}", x.ty(), t.ty());
            let error = Error::new(ErrorKind::Gradient(why)).placed(graph.origin(Location::caller()));
            return Err(error.operand("input", x.ty(), x.origin()).operand("tangent", t.ty(), t.origin()));
        }
    }
    let recorded = || {
        let found = record_tangents(graph, outputs, inputs, tangents, Mode::Forward)?;
        let of = |y: &Var<'g>| found.of(*y).unwrap_or_else(|| y.like(0.0));
        let found: Vec<Var<'g>> = outputs.iter().map(of).collect();
        graph.admit("jvp", &found)?;
        Ok(found.into_iter().map(Some).collect())
    };
    Ok(graph.trimmed(recorded)?.into_iter().flatten().collect())
}

/// Fails unless `x`, which is what `role` says of the derivative, is real.
#[track_caller]
pub(crate) fn refuse_discrete(role: &str, x: Var<'_>) -> Result<()> {
    if x.kind() == Kind::Real {
        return Ok(());
    }
    let name = x.graph.inner.borrow().called(x.id);
    let why = format!("{role}, {name}, is {}; only reals have derivatives", x.ty());
    let here = x.graph.origin(Location::caller());
    Err(Error::new(ErrorKind::Gradient(why)).placed(here).operand(name, x.ty(), x.origin()))
}

/// The tangents of nodes, and those of all results of nodes that have several; none for what does not vary.
#[derive(Default)]
pub(crate) struct Tangents<'g> {
    first: IdMap<Var<'g>>,
    all: IdMap<Vec<Option<Var<'g>>>>,
}

impl<'g> Tangents<'g> {
    /// The tangent of `y`; `None` if it does not vary.
    pub(crate) fn of(&self, y: Var<'g>) -> Option<Var<'g>> {
        self.first.get(&y.id).copied()
    }
}

/// Records the tangent of every node that lies between `inputs` and `outputs`.
///
/// # Errors
/// A formula with a rule of its own that uses an input behind the back of its rule.
pub(crate) fn record_tangents<'g>(
    graph: &'g Graph,
    outputs: &[Var<'g>],
    inputs: &[Var<'g>],
    tangents: &[Var<'g>],
    mode: Mode,
) -> Result<Tangents<'g>> {
    let wanted = between(graph, outputs, inputs);
    let mut seeds: IdMap<SmallVec<[Var<'g>; 1]>> = IdMap::default();
    for (x, t) in inputs.iter().zip(tangents) {
        seeds.entry(x.id).or_default().push(*t);
    }
    let mut t = Tangents::default();
    for id in wanted {
        let from_args = tangent_of(graph, id, &mut t, mode)?;
        let origin = graph.var(id).origin();
        let _blame = graph.blame_origin(Origin { phase: later(origin.phase, Phase::Tangent), ..origin });
        let own = seeds.get(&id).into_iter().flatten().copied();
        if let Some(sum) = from_args.into_iter().chain(own).reduce(|sum, seed| sum + seed) {
            t.first.insert(id, sum);
        }
    }
    Ok(t)
}

/// The tangent of one node from those of its arguments; `None` if none of them varies.
fn tangent_of<'g>(
    graph: &'g Graph,
    id: NodeId,
    known: &mut Tangents<'g>,
    mode: Mode,
) -> Result<Option<Var<'g>>> {
    let node = graph.node(id);
    let t: Vec<Option<Var<'g>>> = node.args.iter().map(|a| known.first.get(a).copied()).collect();
    let several = |known: &Tangents<'g>, i: usize| known.all.get(&node.args[0])?.get(i).copied().flatten();
    if let Form::Part(i) = node.op.form() {
        return Ok(several(known, i));
    }
    if t.iter().all(Option::is_none) {
        return Ok(None);
    }
    // A rule indexes the axes of what it is given.
    if let Some(poisoned) = t.iter().flatten().find(|t| t.is_poisoned()) {
        return Ok(Some(*poisoned));
    }
    let x: Vec<Var<'g>> = node.args.iter().map(|a| graph.var(*a)).collect();
    let _blame =
        graph.blame_origin(Origin { phase: later(node.origin.phase, Phase::Tangent), ..node.origin.clone() });
    let site = Site { x: &x, y: graph.var(id) };
    Ok(match node.op.form() {
        Form::Flat(_) | Form::Part(_) => None,
        Form::Smooth => node.op.tangent(&t, &site),
        Form::Linear => {
            let args: Vec<_> = (0..x.len())
                .map(|i| {
                    t[i].unwrap_or_else(|| if x[i].kind() == Kind::Real { x[i].like(0.0) } else { x[i] })
                })
                .collect();
            Some(linear(graph, &node.op, &args))
        }
        Form::Multilinear(arguments) => each_linear(graph, &node, arguments, &x, &t),
        Form::Mixed(arguments) => {
            let of_linear = each_linear(graph, &node, arguments, &x, &t);
            let others = (0..t.len()).map(|i| t[i].filter(|_| !arguments.contains(&i))).collect::<Vec<_>>();
            let vary = others.iter().any(Option::is_some);
            let of_others = vary.then(|| node.op.tangent(&others, &site)).flatten();
            of_linear.into_iter().chain(of_others).reduce(|a, b| a + b)
        }
        Form::Structured(op) => {
            let found = op.tangents(&t, mode, &site)?;
            graph.admit("grad", &found.iter().flatten().copied().collect::<Vec<_>>())?;
            let first = found[0];
            known.all.insert(id, found);
            first
        }
    })
}

/// The sum over `arguments`, in each of which the node is linear, of its tangents.
fn each_linear<'g>(
    graph: &'g Graph,
    node: &Node,
    arguments: &[usize],
    x: &[Var<'g>],
    t: &[Option<Var<'g>>],
) -> Option<Var<'g>> {
    let one = |i: &usize| {
        let mut args = x.to_vec();
        args[*i] = t[*i]?;
        Some(linear(graph, &node.op, &args))
    };
    arguments.iter().filter_map(one).reduce(|a, b| a + b)
}

/// `op` applied to tangents; additions of a constant zero fall away.
fn linear<'g>(graph: &'g Graph, op: &crate::prim::Op, args: &[Var<'g>]) -> Var<'g> {
    match op {
        crate::prim::Op::Binary(b) => args[0].binary(b.0, args[1]),
        op => graph.record(op.clone(), args),
    }
}

/// A node recorded for a backward node is itself backward, whatever pass records it.
pub(crate) fn later(a: Phase, b: Phase) -> Phase {
    if a == Phase::Backward { a } else { b }
}

/// The nodes that depend on an input through differentiable operations, and that an output depends on so, in order.
fn between(graph: &Graph, outputs: &[Var<'_>], inputs: &[Var<'_>]) -> Vec<NodeId> {
    let inner = graph.inner.borrow();
    let nodes = &inner.nodes;
    let mut varies: IdSet = inputs.iter().map(|x| x.id).collect();
    let Some(first) = varies.iter().min().copied() else { return Vec::new() };
    let ends = || outputs.iter().map(|y| y.id);
    // What stands before the first input cannot depend on one.
    let after = |id: NodeId| if id > first { &nodes[id.index()].args[..] } else { &[] };
    for id in walk::back(ends(), after) {
        let node = &nodes[id.index()];
        if node.args.iter().any(|a| varies.contains(a)) && !matches!(node.op.form(), Form::Flat(_)) {
            varies.insert(id);
        }
    }
    let differentiably = |id: NodeId| if varies.contains(&id) { &nodes[id.index()].args[..] } else { &[] };
    let mut wanted = walk::back(ends(), differentiably);
    wanted.retain(|id| varies.contains(id));
    wanted
}
