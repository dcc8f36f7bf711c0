//! Graphs made from graphs before they are planned or read: formulas in the place of calls, one loop in that of several.

pub(crate) mod expand;
pub(crate) mod merge;

use crate::ir::{Graph, Node};
use crate::prim::Op;
use crate::types::NodeId;
use crate::var::Var;
use crate::walk::{IdMap, Values};

/// A graph that computes what another one does, and where the nodes asked for are in it.
pub(crate) struct Rewritten {
    pub(crate) graph: Graph,
    places: IdMap<NodeId>,
}

impl Rewritten {
    /// The value that `var` of the graph before is now.
    pub(crate) fn var(&self, var: Var<'_>) -> Var<'_> {
        self.graph.var(self.place(var.id))
    }

    /// Where the node `id` of the graph before is now.
    pub(crate) fn place(&self, id: NodeId) -> NodeId {
        self.places[&id]
    }
}

/// The nodes `order` of `graph` in a graph of their own. `replaced` gives all results of a node for which there is to be
/// something else, asking what earlier nodes have become; each value that is `known` becomes a leaf.
pub(crate) fn rewrite(
    graph: &Graph,
    order: &[NodeId],
    known: &Values,
    replaced: impl for<'g> Fn(&'g Graph, NodeId, &Node, &dyn Fn(NodeId) -> Var<'g>) -> Option<Vec<Var<'g>>>,
) -> Rewritten {
    let inner = graph.inner.borrow();
    let made = graph.beside();
    made.inner.borrow_mut().leaves = inner.leaves.clone();
    let places = {
        let mut values: IdMap<Vec<Var<'_>>> = IdMap::default();
        for id in order {
            let node = &inner.nodes[id.index()];
            if let Some(value) = known.get(id) {
                values.insert(*id, vec![made.new_leaf("known", node.ty.clone(), Some(value.clone()))]);
                continue;
            }
            let now = |id: NodeId| values[&id][0];
            let further = match &node.op {
                Op::Part(p) => values[&node.args[0]].get(p.index).map(|v| vec![*v]),
                _ => None,
            };
            let value = further
                .or_else(|| replaced(&made, *id, node, &now))
                .unwrap_or_else(|| vec![copied(&made, node, &args_of(node, &now))]);
            values.insert(*id, value);
        }
        values.into_iter().map(|(id, value)| (id, value[0].id)).collect()
    };
    Rewritten { graph: made, places }
}

/// The arguments of a node as they are now.
pub(crate) fn args_of<'g>(node: &Node, now: &dyn Fn(NodeId) -> Var<'g>) -> Vec<Var<'g>> {
    node.args.iter().map(|a| now(*a)).collect()
}

/// The node as it is, over `args`.
pub(crate) fn copied<'g>(graph: &'g Graph, node: &Node, args: &[Var<'g>]) -> Var<'g> {
    let _line = graph.blame_origin(node.origin.clone());
    graph.record(node.op.clone(), args)
}
