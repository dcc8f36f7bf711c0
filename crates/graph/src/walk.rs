//! What a value is made of: the one walk over a graph that all passes share.
//!
//! Arguments stand before their users, so a walk that always goes on from the last node it knows of meets each node
//! after all its users. It costs what it meets, however much else is recorded.

use std::collections::BinaryHeap;

use chainrule_tensor::Tensor;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::ir::{Graph, Node};
use crate::types::NodeId;

/// Something for each of some nodes; which nodes these are costs nothing in a graph of many more.
pub(crate) type IdMap<T> = FxHashMap<NodeId, T>;

/// Values of some nodes that are at hand.
pub(crate) type Values = IdMap<Tensor>;

/// Some nodes.
pub(crate) type IdSet = FxHashSet<NodeId>;

/// The nodes that `ends` are made of, these included, in order.
pub(crate) fn made_of(nodes: &[Node], ends: impl IntoIterator<Item = NodeId>) -> Vec<NodeId> {
    back(ends, |id| &nodes[id.index()].args)
}

/// The nodes that `wanted` depends on, in order, looking no further than those whose values are `known`.
pub(crate) fn live(graph: &Graph, wanted: &[NodeId], known: &Values) -> Vec<NodeId> {
    let inner = graph.inner.borrow();
    let before = |id: NodeId| match known.contains_key(&id) {
        true => &[][..],
        false => &inner.nodes[id.index()].args[..],
    };
    back(wanted.iter().copied(), before)
}

/// The nodes that a way back from `ends` meets, these included, in order. It goes on from each to those that `before`
/// names, and asks once for each, users first.
pub(crate) fn back<'a>(
    ends: impl IntoIterator<Item = NodeId>,
    mut before: impl FnMut(NodeId) -> &'a [NodeId],
) -> Vec<NodeId> {
    let mut pending: BinaryHeap<NodeId> = ends.into_iter().collect();
    let mut met = Vec::new();
    while let Some(id) = pending.pop() {
        if met.last() != Some(&id) {
            met.push(id);
            pending.extend(before(id));
        }
    }
    met.reverse();
    met
}
