//! What a formula with a rule of its own uses besides the arguments of its rule.

use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Graph, Node, NodeId};
use crate::prim::Op;
use crate::prim::ruled::formula;
use crate::var::Var;
use crate::walk::IdSet;

/// Fails if a formula with a rule of its own, among the `wanted` nodes, depends on one of `inputs` by a path that
/// passes none of its arguments: the rule says nothing about it, so its part of the derivative would be lost.
/// `varies` tells which nodes depend on `inputs` differentiably.
pub(super) fn refuse_captured(
    graph: &Graph,
    inputs: &[Var<'_>],
    varies: &IdSet,
    wanted: &[NodeId],
) -> Result<()> {
    let ruled: Vec<(Var<'_>, Node)> = {
        let inner = graph.inner.borrow();
        let nodes = wanted.iter().map(|id| &inner.nodes[id.index()]);
        nodes.filter_map(|node| Some((value_under_rule(graph, node)?, node.clone()))).collect()
    };
    for (value, node) in ruled {
        let Some(input) = beside(value, &node.args[1..], inputs, varies) else { continue };
        let name = graph.inner.borrow().called(input.id);
        let why = format!(
            "`{}` uses {name} besides its arguments, and its rule has no part for it",
            node.op.name()
        );
        return Err(Error::new(ErrorKind::Rule(why))
            .placed(node.origin)
            .operand("used besides", input.ty(), input.origin())
            .hint("list it among the arguments, with a part in the rule, or use its stop_gradient() in the formula"));
    }
    Ok(())
}

/// The value of the formula whose derivative `node` gives by a rule of the user's.
pub(super) fn value_under_rule<'g>(graph: &'g Graph, node: &Node) -> Option<Var<'g>> {
    let ruled = matches!(node.op, Op::Ruled(_)) && !node.op.is_checkpoint();
    ruled.then(|| formula(graph.var(node.args[0])))
}

/// The first of `inputs` that `value` depends on by a path of nodes that vary and that are not in `x`.
fn beside<'g>(value: Var<'g>, x: &[NodeId], inputs: &[Var<'g>], varies: &IdSet) -> Option<Var<'g>> {
    let inner = value.graph.inner.borrow();
    let mut pending = vec![value.id];
    let mut seen = std::collections::HashSet::new();
    while let Some(id) = pending.pop() {
        if x.contains(&id) || !varies.contains(&id) || !seen.insert(id) {
            continue;
        }
        let found = inputs.iter().find(|input| input.id == id);
        if found.is_some() {
            return found.copied();
        }
        pending.extend(&inner.nodes[id.index()].args);
    }
    None
}
