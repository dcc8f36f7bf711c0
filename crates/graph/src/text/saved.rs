//! What the backward pass keeps of the forward pass.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::Result;
use crate::ir::{Graph, Node};
use crate::origin::{Origin, Phase};
use crate::precision::Precision;
use crate::prim::{Lowering, Op};
use crate::rewrite::expand::expand;
use crate::rewrite::merge::merge;
use crate::types::{NodeId, Type};
use crate::var::Var;
use crate::walk::{self, Values};

/// A value of the forward pass that the backward pass reads.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedValue {
    /// Its node.
    pub id: NodeId,
    /// The operation that made it.
    pub op: String,
    /// Shape and kind.
    pub ty: Type,
    /// Its size in memory.
    pub bytes: usize,
    /// Where it was written.
    pub origin: Origin,
    /// How many backward operations read it.
    pub readers: usize,
    /// Where it is made, if that is within a loop: `each of 5 steps of the scan at …`.
    pub within: Option<String>,
}

/// All that backward keeps, the largest first; made by [`Graph::saved_for_backward`].
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// One entry per value.
    pub values: Vec<SavedValue>,
}

impl Graph {
    /// The computed values of the forward pass that the recorded derivatives among `outputs` read: what a training
    /// step has to keep from forward to backward. Leaves (data and parameters), which are there anyway, are not
    /// listed. [`Var::checkpoint`] makes the list shorter.
    ///
    /// # Errors
    /// A poisoned value; a value of another graph.
    ///
    /// ```
    /// use chainrule_graph::{Graph, Precision};
    /// let g = Graph::new();
    /// let (x, w) = (g.leaf("x", [[1.0, 2.0]]), g.leaf("w", [[0.1], [0.2]]));
    /// let loss = x.matmul(w).tanh().exp().sum(..);
    /// let d = loss.grad(&[w])?[0];
    /// let saved = g.saved_for_backward(&[d], Precision::F32)?;
    /// assert_eq!(saved.bytes(), 4 + 4); // what tanh gives and what exp gives
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn saved_for_backward(&self, outputs: &[Var<'_>], precision: Precision) -> Result<Saved> {
        self.admit("saved_for_backward", outputs)?;
        let wanted: Vec<NodeId> = outputs.iter().map(|v| v.id).collect();
        let nothing = Values::default();
        // As in a plan, a loop and the one that its derivative has made of it are one.
        let Some(plain) = expand(self, &wanted, &nothing, |_| true) else {
            return Ok(self.merged(&wanted, precision));
        };
        let wanted: Vec<NodeId> = wanted.iter().map(|id| plain.place(*id)).collect();
        Ok(plain.graph.merged(&wanted, precision))
    }

    fn merged(&self, wanted: &[NodeId], precision: Precision) -> Saved {
        match merge(self, wanted, &Values::default()) {
            Some(merged) => {
                let wanted: Vec<NodeId> = wanted.iter().map(|id| merged.place(*id)).collect();
                merged.graph.saved(&wanted, precision)
            }
            None => self.saved(wanted, precision),
        }
    }

    /// As [`saved_for_backward`](Graph::saved_for_backward), where a call is one operation.
    pub(crate) fn saved(&self, wanted: &[NodeId], precision: Precision) -> Saved {
        let nodes = self.nodes();
        let mut readers: BTreeMap<NodeId, usize> = BTreeMap::new();
        for id in walk::made_of(&nodes, wanted.iter().copied()) {
            let node = &nodes[id.index()];
            if node.origin.phase == Phase::Forward {
                continue;
            }
            for a in &node.args {
                // A view keeps what it is a view of.
                let mut base = *a;
                while nodes[base.index()].origin.phase == Phase::Forward && is_view(&nodes, base) {
                    base = nodes[base.index()].args[0];
                }
                let read = &nodes[base.index()];
                if read.origin.phase == Phase::Forward && !read.args.is_empty() {
                    *readers.entry(base).or_default() += 1;
                }
            }
        }
        let value = |(id, readers): (NodeId, usize)| {
            let node = &nodes[id.index()];
            let stacked = stacked(&nodes, node);
            let made = stacked.as_ref().map_or(node, |(made, _)| *made);
            SavedValue {
                id,
                op: made.op.label(),
                bytes: precision.width(node.ty.kind) * node.ty.shape.size(),
                ty: node.ty.clone(),
                origin: made.origin.clone(),
                readers,
                within: stacked.map(|(_, within)| within),
            }
        };
        let mut values: Vec<SavedValue> = readers.into_iter().map(value).collect();
        values.sort_by(|a, b| b.bytes.cmp(&a.bytes).then(a.id.cmp(&b.id)));
        Saved { values }
    }
}

/// What makes each entry of a value that a loop stacks, and where.
fn stacked<'a>(nodes: &'a [Node], node: &Node) -> Option<(&'a Node, String)> {
    let Op::Part(part) = &node.op else { return None };
    let whole = &nodes[node.args[0].index()];
    let Op::Loop(l) = &whole.op else { return None };
    let result = l.body.results().get(part.index.checked_sub(1)?)?;
    let when = whole.op.bodies().pop()?.when;
    let within = format!("{when} of the {} at {}", whole.op.name(), whole.origin);
    (part.index > l.carries).then(|| (&l.body.nodes()[result.index()], within))
}

fn is_view(nodes: &[Node], id: NodeId) -> bool {
    matches!(nodes[id.index()].lowering(nodes), Lowering::View(_))
}

impl Saved {
    /// The sum of all sizes.
    pub fn bytes(&self) -> usize {
        self.values.iter().map(|v| v.bytes).sum()
    }
}

impl fmt::Display for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kept for backward: {} values, {} bytes", self.values.len(), self.bytes())?;
        for v in &self.values {
            let read = if v.readers == 1 { "once".into() } else { format!("{} times", v.readers) };
            writeln!(f, "  {:>10}  {} : {}  read {read}  {}", v.bytes, v.op, v.ty, v.origin)?;
            if let Some(within) = &v.within {
                writeln!(f, "  {:>10}  in {within}", "")?;
            }
        }
        Ok(())
    }
}
