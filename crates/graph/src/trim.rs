//! Recording of which nothing stays, or only what the result is made of.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use chainrule_tensor::Tensor;

use crate::error::Result;
use crate::ir::{Graph, Inner};
use crate::prim::Op;
use crate::types::NodeId;
use crate::var::Var;
use crate::walk::{self, IdMap};

impl Graph {
    /// What `record` gives, none of which stays in the graph: no variable recorded by it may be used afterwards.
    pub(crate) fn scratch<R>(&self, record: impl FnOnce() -> R) -> R {
        let mark = Mark::of(&self.inner.borrow());
        self.inner.borrow_mut().scratches += 1;
        let made = record();
        let inner = &mut *self.inner.borrow_mut();
        inner.scratches -= 1;
        inner.keep(mark, &[]);
        made
    }

    /// What `record` gives; of what it records only that stays which these values are made of, so that asking for the
    /// same once more adds nothing. No other variable recorded by it may be used afterwards.
    pub(crate) fn trimmed<'g>(
        &'g self,
        record: impl FnOnce() -> Result<Vec<Option<Var<'g>>>>,
    ) -> Result<Vec<Option<Var<'g>>>> {
        let mark = Mark::of(&self.inner.borrow());
        let mut made = record();
        let found = || made.iter().flatten().flatten();
        let ends: Vec<NodeId> = found().map(|v| v.id).collect();
        let moved = self.inner.borrow_mut().keep(mark, &ends);
        for v in made.iter_mut().flatten().flatten() {
            v.id = *moved.get(&v.id).unwrap_or(&v.id);
        }
        made
    }
}

/// How much of each list was there at some moment.
#[derive(Clone, Copy)]
struct Mark {
    nodes: usize,
    notes: usize,
    leaves: usize,
}

impl Mark {
    fn of(inner: &Inner) -> Mark {
        Mark { nodes: inner.nodes.len(), notes: inner.notes.len(), leaves: inner.leaves.len() }
    }
}

impl Inner {
    /// Drops what was recorded since `mark`, but for what `ends` are made of; where the nodes of these are now.
    fn keep(&mut self, mark: Mark, ends: &[NodeId]) -> IdMap<NodeId> {
        let first = NodeId(mark.nodes as u32);
        let since = ends.iter().copied().filter(|id| *id >= first);
        let before = |id: NodeId| if id < first { &[][..] } else { &self.nodes[id.index()].args[..] };
        let mut staying = walk::back(since, before).into_iter().filter(|id| *id >= first).peekable();
        let mut moved = IdMap::default();
        let mut kept = Vec::new();
        let mut used = BTreeSet::new();
        self.recount(mark, |count| *count -= 1);
        for (i, node) in self.nodes.drain(mark.nodes..).enumerate() {
            let id = NodeId((mark.nodes + i) as u32);
            if staying.next_if_eq(&id).is_some() {
                moved.insert(id, NodeId((mark.nodes + kept.len()) as u32));
                kept.push(node.clone());
            }
            if let Entry::Occupied(known) = self.interned.entry((node.op, node.args))
                && *known.get() == id
            {
                known.remove();
            }
        }
        used.extend(kept.iter().filter_map(|node| match &node.op {
            Op::Input(p) => Some(p.index),
            _ => None,
        }));
        let leaves = retain(&mut self.leaves, mark.leaves, &used);
        let now = |id: NodeId| if id < first { Some(id) } else { moved.get(&id).copied() };
        let notes = self.notes.split_off(mark.notes);
        let still = |ids: Vec<NodeId>| ids.into_iter().map(now).collect::<Option<Vec<NodeId>>>();
        self.notes.extend(notes.into_iter().filter_map(|(what, ids)| Some((what, still(ids)?))));
        self.repeats.iter_mut().for_each(|repeat| repeat.rename(now));
        self.known.retain(|(id, _)| *id < first);
        for mut node in kept {
            for a in &mut node.args {
                *a = *moved.get(a).unwrap_or(a);
            }
            if let Op::Input(p) = &mut node.op {
                p.index = *leaves.get(&p.index).unwrap_or(&p.index);
            }
            let id = NodeId(self.nodes.len() as u32);
            self.interned.insert((node.op.clone(), node.args.clone()), id);
            self.nodes.push(node);
        }
        self.recount(mark, |count| *count += 1);
        moved
    }

    /// Changes the count of each width by the reals that were given since `mark`.
    fn recount(&mut self, mark: Mark, change: impl Fn(&mut usize)) {
        let leaves = self.leaves[mark.leaves..].iter().filter_map(|leaf| leaf.value.as_ref());
        let constants = self.nodes[mark.nodes..].iter().filter_map(|node| match &node.op {
            Op::Constant(p) => Some(&*p.value),
            _ => None,
        });
        for value in leaves.chain(constants) {
            if let Some(count) = self.reals.of(value) {
                change(count);
            }
        }
    }
}

/// How many tensors of reals of each width a graph has been given.
#[derive(Default)]
pub(crate) struct Reals {
    pub(crate) f32: usize,
    pub(crate) f64: usize,
}

impl Reals {
    /// The count that `value` has a part in.
    pub(crate) fn of(&mut self, value: &Tensor) -> Option<&mut usize> {
        match value {
            Tensor::F32(_) => Some(&mut self.f32),
            Tensor::F64(_) => Some(&mut self.f64),
            Tensor::I64(_) | Tensor::Bool(_) => None,
        }
    }
}

/// Drops the entries from `start` on that are not `used`; where those that are used are now.
fn retain<T>(table: &mut Vec<T>, start: usize, used: &BTreeSet<usize>) -> BTreeMap<usize, usize> {
    let mut moved = BTreeMap::new();
    for (i, entry) in table.split_off(start).into_iter().enumerate() {
        if used.contains(&(start + i)) {
            moved.insert(start + i, table.len());
            table.push(entry);
        }
    }
    moved
}
