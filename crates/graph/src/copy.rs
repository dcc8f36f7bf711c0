//! Recording a part of a graph again, over other values.

use std::collections::HashMap;

use crate::ir::{Graph, Node};
use crate::prim::Op;
use crate::types::NodeId;
use crate::var::Var;
use crate::walk::{self, IdSet};

/// The nodes that `outputs` are made of and that depend on `from`, in order; `from` themselves are left out.
pub(crate) fn between(graph: &Graph, from: &[NodeId], outputs: &[NodeId]) -> Vec<NodeId> {
    let inner = graph.inner.borrow();
    let Some(first) = from.iter().min() else { return Vec::new() };
    let mut depends: IdSet = from.iter().copied().collect();
    let before = |id: NodeId| match id > *first && !depends.contains(&id) {
        true => &inner.nodes[id.index()].args[..],
        false => &[],
    };
    let mut found = walk::back(outputs.iter().copied(), before);
    found.retain(|id| {
        let node = &inner.nodes[id.index()];
        !depends.contains(id) && node.args.iter().any(|a| depends.contains(a)) && depends.insert(*id)
    });
    found
}

/// Records `outputs` again with `replaced` in the place of some nodes. Nodes that depend on none of these stay what
/// they are; each of the others is recorded by `again`, which gets it and its new arguments (`None`: as it was).
pub(crate) fn rerecord<T: Copy>(
    graph: &Graph,
    outputs: &[NodeId],
    replaced: HashMap<NodeId, T>,
    mut again: impl FnMut(NodeId, &Node, &[Option<T>]) -> T,
) -> Vec<Option<T>> {
    let from: Vec<NodeId> = replaced.keys().copied().collect();
    let mut map = replaced;
    for id in between(graph, &from, outputs) {
        let node = graph.node(id);
        let args: Vec<Option<T>> = node.args.iter().map(|a| map.get(a).copied()).collect();
        let new = again(id, &node, &args);
        map.insert(id, new);
    }
    outputs.iter().map(|o| map.get(o).copied()).collect()
}

impl Graph {
    /// Records `outputs` of `source`, another graph, in this one, with the given values in the place of some of its
    /// nodes. Leaves and constants that are not replaced come along with their values.
    pub(crate) fn copy_from<'g>(
        &'g self,
        source: &Graph,
        outputs: &[NodeId],
        replaced: &HashMap<NodeId, Var<'g>>,
    ) -> Vec<Var<'g>> {
        let mut map = replaced.clone();
        let needed = {
            let inner = source.inner.borrow();
            let before = |id: NodeId| match replaced.contains_key(&id) {
                true => &[][..],
                false => &inner.nodes[id.index()].args[..],
            };
            walk::back(outputs.iter().copied(), before)
        };
        for id in needed {
            if map.contains_key(&id) {
                continue;
            }
            let node = source.node(id);
            let _blame = self.blame_origin(node.origin.clone());
            let args: Vec<Var<'g>> = node.args.iter().map(|a| map[a]).collect();
            let new = match &node.op {
                Op::Input(p) => {
                    let leaf = source.inner.borrow().leaves[p.index].clone();
                    self.new_leaf(&leaf.name, node.ty.clone(), leaf.value)
                }
                Op::Poison(p) => self.poison((*p.0).clone()),
                op => self.record(op.clone(), &args),
            };
            map.insert(id, new);
        }
        outputs.iter().map(|o| map[o]).collect()
    }
}
