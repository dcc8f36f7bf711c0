//! Which nodes run together, and in what order.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use smallvec::SmallVec;

use super::compile::Compiler;
use crate::ir::Node;
use crate::prim::{Lowering, Op};
use crate::types::{NodeId, Type};
use crate::walk::{IdMap, Values};

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

/// A group that waits for more kernels than this is cut.
const WAITS: usize = 8;
/// Values of fewer elements take no memory worth a step.
const WORTH_A_STEP: usize = 1 << 10;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Elementwise,
    Kernel,
    View,
    Leaf,
}

/// Groups the live nodes and puts the groups in an order that respects their dependencies: as recorded where
/// possible, but what frees more memory than it takes first, and updates of state last, so that they can work in place.
///
/// Elementwise neighbours are grouped by *stage*: the greatest number of other operations on any path from a
/// leaf. A path that leaves a group passes such an operation, so it cannot come back into the same stage;
/// groups therefore never wait for each other in a circle.
pub(crate) fn schedule(compiler: &Compiler<'_>, live: &[NodeId]) -> Vec<Work> {
    let inner = compiler.graph.inner.borrow();
    let part = Part::of(&inner.nodes, live, &compiler.known);
    let stage = part.stages(compiler);
    let mut groups = Groups { parent: (0..live.len()).collect() };
    for (i, args) in part.args.iter().enumerate() {
        if compiler.optimise.fuse && part.forms[i] == Form::Elementwise {
            args.iter()
                .filter(|&&a| part.forms[a] == Form::Elementwise && stage[a] == stage[i])
                .for_each(|&a| groups.join(a, i));
        }
    }

    let mut group: Vec<usize> = (0..live.len()).map(|i| groups.find(i)).collect();
    let mut frees = vec![false; live.len()];
    if compiler.optimise.reuse {
        part.cut(&mut group);
        frees = part.frees(&group, compiler);
    }
    // Kahn's algorithm over groups: first what frees memory, then the earliest recorded.
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); live.len()];
    for i in (0..live.len()).filter(|i| part.forms[*i] != Form::Leaf) {
        members[group[i]].push(i);
    }
    let mut waiting = vec![0_usize; live.len()];
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); live.len()];
    for (g, ids) in members.iter().enumerate() {
        let mut before: Vec<usize> = ids
            .iter()
            .flat_map(|i| &part.args[*i])
            .filter(|a| part.forms[**a] != Form::Leaf)
            .map(|a| group[*a])
            .filter(|b| *b != g)
            .collect();
        before.sort_unstable();
        before.dedup();
        waiting[g] = before.len();
        before.into_iter().for_each(|b| users[b].push(g));
    }
    let updates: HashSet<usize> = compiler.state.iter().map(|s| group[part.at[&s.1]]).collect();
    let rank = |g: usize| Reverse((updates.contains(&g), !frees[g], members[g][0], g));
    let mut ready: BinaryHeap<_> =
        (0..members.len()).filter(|g| !members[*g].is_empty() && waiting[*g] == 0).map(rank).collect();
    let mut order = Vec::new();
    while let Some(Reverse((_, _, first, g))) = ready.pop() {
        order.push(match part.forms[first] {
            Form::Elementwise => Work::Fused(members[g].iter().map(|i| live[*i]).collect()),
            Form::View => Work::View(live[first]),
            _ => Work::Kernel(live[first]),
        });
        for &user in &users[g] {
            waiting[user] -= 1;
            if waiting[user] == 0 {
                ready.push(rank(user));
            }
        }
    }
    order
}

/// The live part of a graph, by position in the list of live nodes.
struct Part<'a> {
    nodes: Vec<&'a Node>,
    at: IdMap<usize>,
    forms: Vec<Form>,
    /// The arguments of what is to be computed.
    args: Vec<SmallVec<[usize; 3]>>,
}

impl<'a> Part<'a> {
    fn of(nodes: &'a [Node], live: &[NodeId], known: &Values) -> Self {
        let at: IdMap<usize> = live.iter().copied().zip(0..).collect();
        let form = |id: &NodeId| {
            let node = &nodes[id.index()];
            if known.contains_key(id) || matches!(node.op, Op::Scalar(_)) {
                return Form::Leaf;
            }
            match node.lowering(nodes) {
                Lowering::Elementwise(_) => Form::Elementwise,
                Lowering::Kernel(_) | Lowering::Formulas => Form::Kernel,
                Lowering::View(_) | Lowering::Part => Form::View,
                Lowering::Leaf => Form::Leaf,
            }
        };
        let forms: Vec<Form> = live.iter().map(form).collect();
        let args = live.iter().zip(&forms).map(|(id, form)| match form {
            Form::Leaf => SmallVec::new(),
            _ => nodes[id.index()].args.iter().map(|a| at[a]).collect(),
        });
        let args = args.collect();
        Part { nodes: live.iter().map(|id| &nodes[id.index()]).collect(), at, forms, args }
    }

    /// The stage of each node.
    fn stages(&self, compiler: &Compiler<'_>) -> Vec<u32> {
        let Part { nodes, forms, .. } = self;
        let mut stage = vec![0_u32; nodes.len()];
        // Leaves and views of leaves are there from the start, whatever waits for them.
        let mut ground = vec![true; nodes.len()];
        let computed = || (0..nodes.len()).filter(|i| forms[*i] != Form::Leaf);
        for i in computed() {
            let args = self.args[i].iter().copied();
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
        wanted.for_each(|id| users[self.at[id]] = 0);
        for i in computed().rev() {
            let mut stored = self.args[i].iter().filter(|a| forms[**a] != Form::Leaf);
            let one_real =
                stored.next().is_some_and(|a| nodes[*a].ty == nodes[i].ty) && stored.next().is_none();
            if forms[i] == Form::Elementwise && one_real && users[i] != u32::MAX {
                stage[i] = stage[i].max(users[i]);
            }
            for &a in &self.args[i] {
                users[a] = users[a].min(stage[i]);
            }
        }
        stage
    }

    fn having(&self, form: Form) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(move |i| self.forms[*i] == form)
    }

    /// Cuts groups that wait for many kernels into pieces that wait for one more each: values that are added up need not
    /// all be there at once. Pieces never wait for each other in a circle: within a group arguments stand before their
    /// users, and no path that leaves a group comes back.
    fn cut(&self, group: &mut [usize]) {
        let kernels = |i: usize| self.args[i].iter().copied().filter(|a| self.forms[*a] == Form::Kernel);
        let mut waits: HashMap<usize, HashSet<usize>> = HashMap::new();
        for i in self.having(Form::Elementwise) {
            waits.entry(group[i]).or_default().extend(kernels(i));
        }
        waits.retain(|g, waits| waits.len() > WAITS && self.nodes[*g].ty.shape.size() >= WORTH_A_STEP);
        // The present piece of each group, and what it waits for.
        let mut pieces: HashMap<usize, (usize, HashSet<usize>)> = HashMap::new();
        for i in self.having(Form::Elementwise) {
            if !waits.contains_key(&group[i]) {
                continue;
            }
            let (piece, known) = pieces.entry(group[i]).or_insert_with(|| (i, HashSet::new()));
            if !known.is_empty() && kernels(i).any(|a| !known.contains(&a)) {
                (*piece, *known) = (i, HashSet::new());
            }
            known.extend(kernels(i));
            group[i] = *piece;
        }
    }

    /// Whether each group is the only reader of more memory than its own results take.
    fn frees(&self, group: &[usize], compiler: &Compiler<'_>) -> Vec<bool> {
        let several = usize::MAX;
        let mut reader: Vec<Option<usize>> = vec![None; self.nodes.len()];
        for (i, args) in self.args.iter().enumerate() {
            for &a in args {
                let only = reader[a].is_none_or(|g| g == group[i]);
                reader[a] = Some(if only { group[i] } else { several });
            }
        }
        let wanted = compiler.outputs.iter().chain(compiler.state.iter().map(|s| &s.1));
        wanted.for_each(|id| reader[self.at[id]] = Some(several));
        let mut balance = vec![0_i128; self.nodes.len()];
        for i in self.having(Form::Elementwise).chain(self.having(Form::Kernel)) {
            let Type { shape, kind } = &self.nodes[i].ty;
            let bytes = shape.size() as i128 * compiler.precision.width(*kind) as i128;
            match reader[i] {
                Some(g) if g == group[i] => {}
                Some(g) => {
                    balance[group[i]] -= bytes;
                    balance.get_mut(g).into_iter().for_each(|of| *of += bytes);
                }
                None => {}
            }
        }
        balance.into_iter().map(|bytes| bytes > 0).collect()
    }
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
