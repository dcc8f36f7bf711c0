//! Which nodes run together, and in what order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use chainrule_tensor::Layout;

use super::compile::Compiler;
use super::fold::Folded;
use crate::ir::{Graph, Node, NodeId};
use crate::prim::{Lowering, Op};

/// A unit of work, in execution order.
#[derive(Debug)]
pub(crate) enum Work {
    /// Elementwise nodes of one shape, carried out block by block in one pass.
    Fused(Vec<NodeId>),
    /// A node with a kernel of its own.
    Kernel(NodeId),
    /// A node that is another layout over its argument's buffer.
    View(NodeId),
}

/// The nodes that `wanted` depends on, in order.
pub(crate) fn live(graph: &Graph, wanted: &[NodeId]) -> Vec<NodeId> {
    live_above(graph, wanted, &Folded::new())
}

/// The nodes that `wanted` depends on, in order, looking no further than `folded` nodes.
pub(crate) fn live_above(graph: &Graph, wanted: &[NodeId], folded: &Folded) -> Vec<NodeId> {
    let inner = graph.inner.borrow();
    let mut needed = vec![false; inner.nodes.len()];
    wanted.iter().for_each(|id| needed[id.index()] = true);
    for i in (0..inner.nodes.len()).rev() {
        if needed[i] && !folded.contains_key(&NodeId(i as u32)) {
            inner.nodes[i].args.iter().for_each(|a| needed[a.index()] = true);
        }
    }
    (0..inner.nodes.len() as u32).map(NodeId).filter(|id| needed[id.index()]).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Elementwise,
    Kernel,
    View,
    Leaf,
}

/// Groups the live nodes and puts the groups in an order that respects their dependencies: as recorded where
/// possible, but updates of state last, so that they can work in place.
///
/// Elementwise neighbours are grouped by *stage*: the greatest number of other operations on any path from a
/// leaf. A path that leaves a group passes such an operation, so it cannot come back into the same stage;
/// groups therefore never wait for each other in a circle.
pub(crate) fn schedule(compiler: &Compiler<'_>, live: &[NodeId], folded: &Folded) -> Vec<Work> {
    let inner = compiler.graph.inner.borrow();
    let nodes = &inner.nodes;
    let form = |id: NodeId| {
        if folded.contains_key(&id) || matches!(nodes[id.index()].op, Op::Scalar(_)) {
            return Form::Leaf;
        }
        let node = &nodes[id.index()];
        let layouts: Vec<_> =
            node.args.iter().map(|a| Layout::contiguous(nodes[a.index()].ty.shape.clone())).collect();
        match node.op.lower(&layouts, &node.ty) {
            Lowering::Elementwise(_) => Form::Elementwise,
            Lowering::Kernel(_) | Lowering::Formulas => Form::Kernel,
            Lowering::View(_) | Lowering::Part => Form::View,
            Lowering::Leaf => Form::Leaf,
        }
    };
    let mut forms = vec![Form::Leaf; nodes.len()];
    live.iter().for_each(|id| forms[id.index()] = form(*id));
    let stage = stages(nodes, live, &forms, compiler);
    let mut groups = Groups { parent: (0..nodes.len()).collect() };
    for i in live.iter().map(|id| id.index()) {
        if compiler.optimise.fuse && forms[i] == Form::Elementwise {
            let args = nodes[i].args.iter().map(|a| a.index());
            args.filter(|&a| forms[a] == Form::Elementwise && stage[a] == stage[i])
                .for_each(|a| groups.join(a, i));
        }
    }

    // Kahn's algorithm over groups, the earliest recorded first.
    let mut members: Vec<Vec<NodeId>> = vec![Vec::new(); nodes.len()];
    for id in live.iter().filter(|id| forms[id.index()] != Form::Leaf) {
        members[groups.find(id.index())].push(*id);
    }
    let mut waiting = vec![0_usize; nodes.len()];
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (group, ids) in members.iter().enumerate() {
        let mut before: Vec<usize> = ids
            .iter()
            .flat_map(|id| nodes[id.index()].args.iter())
            .filter(|a| forms[a.index()] != Form::Leaf)
            .map(|a| groups.find(a.index()))
            .filter(|g| *g != group)
            .collect();
        before.sort_unstable();
        before.dedup();
        waiting[group] = before.len();
        before.into_iter().for_each(|b| users[b].push(group));
    }
    let updates: std::collections::HashSet<usize> =
        compiler.state.iter().map(|s| groups.find(s.1.index())).collect();
    let rank = |group: usize| Reverse((updates.contains(&group), members[group][0], group));
    let mut ready: BinaryHeap<_> =
        (0..members.len()).filter(|g| !members[*g].is_empty() && waiting[*g] == 0).map(rank).collect();
    let mut order = Vec::new();
    while let Some(Reverse((_, first, group))) = ready.pop() {
        order.push(match forms[first.index()] {
            Form::Elementwise => Work::Fused(members[group].clone()),
            Form::View => Work::View(first),
            _ => Work::Kernel(first),
        });
        for &user in &users[group] {
            waiting[user] -= 1;
            if waiting[user] == 0 {
                ready.push(rank(user));
            }
        }
    }
    order
}

/// The stage of each live node.
fn stages(nodes: &[Node], live: &[NodeId], forms: &[Form], compiler: &Compiler<'_>) -> Vec<u32> {
    let mut stage = vec![0_u32; nodes.len()];
    // Leaves and views of leaves are there from the start, whatever waits for them.
    let mut ground = vec![true; nodes.len()];
    for i in live.iter().map(|id| id.index()).filter(|i| forms[*i] != Form::Leaf) {
        let args = nodes[i].args.iter().map(|a| a.index());
        ground[i] = forms[i] == Form::View && args.clone().all(|a| ground[a]);
        let elementwise = forms[i] == Form::Elementwise;
        let from = args.map(|a| match forms[a] {
            _ if ground[a] => 0,
            Form::Elementwise if elementwise => stage[a],
            _ => stage[a] + u32::from(elementwise),
        });
        stage[i] = from.max().unwrap_or(0);
    }
    // A derivative often needs a cheap function of a stored value, such as 1 − y²: computing it where it is
    // used costs no more memory than storing it, so it moves down to its first user.
    let mut users = vec![u32::MAX; nodes.len()];
    let wanted = compiler.outputs.iter().chain(compiler.state.iter().map(|s| &s.1));
    wanted.for_each(|id| users[id.index()] = 0);
    for i in live.iter().rev().map(|id| id.index()).filter(|i| forms[*i] != Form::Leaf) {
        let mut stored = nodes[i].args.iter().filter(|a| forms[a.index()] != Form::Leaf);
        let one_real =
            stored.next().is_some_and(|a| nodes[a.index()].ty == nodes[i].ty) && stored.next().is_none();
        if forms[i] == Form::Elementwise && one_real && users[i] != u32::MAX {
            stage[i] = stage[i].max(users[i]);
        }
        for a in &nodes[i].args {
            users[a.index()] = users[a.index()].min(stage[i]);
        }
    }
    stage
}

/// Disjoint sets of nodes.
struct Groups {
    parent: Vec<usize>,
}

impl Groups {
    fn find(&mut self, mut i: usize) -> usize {
        while self.parent[i] != i {
            self.parent[i] = self.parent[self.parent[i]];
            i = self.parent[i];
        }
        i
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.parent[a.max(b)] = a.min(b);
    }
}
