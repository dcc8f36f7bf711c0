//! Recomputing instead of storing.

use std::panic::Location;

use crate::body::Outline;
use crate::prim::Op;
use crate::prim::call::Rule;
use crate::types::NodeId;
use crate::var::Var;
use crate::walk::{self, IdSet};

impl<'g> Var<'g> {
    /// This value, whose backward pass computes all that lies between `start` and it again instead of keeping it:
    /// memory for time (Chen et al. 2016, "Training deep nets with sublinear memory cost").
    ///
    /// `start` are the values that the segment begins with, such as the activations of the layer before; they are
    /// kept. The segment's own leaves (its parameters) need not be listed. Derivatives are
    /// the same, but for the order in which the parts of a gradient are added where a value is used more than once.
    ///
    /// ```
    /// use chainrule_graph::Graph;
    /// let g = Graph::new();
    /// let (x, w) = (g.leaf("x", [[0.5, -1.0]]), g.leaf("w", [[1.0, 2.0], [3.0, 4.0]]));
    /// let plain = x.matmul(w).tanh().exp();
    /// let h = plain.checkpoint(&[x]); // what tanh and exp give is not kept for backward
    /// assert_eq!(h.sum(..).grad(&[w])?[0].value()?, plain.sum(..).grad(&[w])?[0].value()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn checkpoint(self, start: &[Var<'g>]) -> Var<'g> {
        let graph = self.graph;
        if let Some(refused) = graph.refused("checkpoint", &[&[self], start].concat()) {
            return refused;
        }
        let _here = graph.blame_line(Location::caller());
        let x = sources(self, start);
        let Outline { body, captures } = graph.outline(&x, &[self]);
        graph.call("checkpoint", body, Rule::Recompute, &[x, captures].concat())[0]
    }
}

/// What `y` is made of: those of `start` that it depends on, and the leaves that it depends on by a path that passes
/// none of them; in order.
fn sources<'g>(y: Var<'g>, start: &[Var<'g>]) -> Vec<Var<'g>> {
    let inner = y.graph.inner.borrow();
    let start: IdSet = start.iter().map(|s| s.id).collect();
    let node = |id: NodeId| &inner.nodes[id.index()];
    let is_source = |id: &NodeId| start.contains(id) || matches!(node(*id).op, Op::Input(_));
    let mut found = walk::back([y.id], |id| if is_source(&id) { &[] } else { &node(id).args[..] });
    found.retain(is_source);
    found.into_iter().map(|id| y.graph.var(id)).collect()
}
