//! Recomputing instead of storing.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;

use super::copy::rerecord;
use super::jvp::jvp;
use super::transpose::vjp;
use crate::ir::{NodeId, Origin, Phase};
use crate::prim::ruled::Ruling;
use crate::prim::{Op, Site};
use crate::var::Var;

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
    /// assert_eq!(h.sum(&[]).grad(&[w])?[0].value()?, plain.sum(&[]).grad(&[w])?[0].value()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn checkpoint(self, start: &[Var<'g>]) -> Var<'g> {
        if let Some(poisoned) = start.iter().chain([&self]).find(|v| v.is_poisoned()) {
            return *poisoned;
        }
        let mut x = start.to_vec();
        x.extend(leaves_beyond(self, start));
        self.graph.ruled("checkpoint", &x, self, Ruling::Recompute, Location::caller())
    }
}

/// The leaves that `y` depends on by a path that passes none of `start`.
pub(crate) fn leaves_beyond<'g>(y: Var<'g>, start: &[Var<'g>]) -> Vec<Var<'g>> {
    let inner = y.graph.inner.borrow();
    let mut needed = vec![false; y.id.index() + 1];
    needed[y.id.index()] = true;
    let mut leaves = Vec::new();
    for i in (0..needed.len()).rev() {
        if !needed[i] || start.iter().any(|s| s.id.index() == i) {
            continue;
        }
        match inner.nodes[i].op {
            Op::Input(_) => leaves.push(Var { graph: y.graph, id: NodeId(i as u32) }),
            _ => inner.nodes[i].args.iter().for_each(|a| needed[a.index()] = true),
        }
    }
    leaves.reverse();
    leaves
}

/// The cotangents of a checkpoint's arguments: its segment recorded again behind the cotangent, and differentiated.
pub(crate) fn recompute<'g>(ct: Var<'g>, site: &Site<'_, 'g>) -> Vec<Option<Var<'g>>> {
    let graph = ct.graph;
    let x = &site.x[1..];
    // Argument 0 is the segment's value behind a stop_gradient.
    let y = graph.node(site.x[0].id).args[0];
    let fresh: Vec<Var<'g>> = x.iter().map(|x| x.after(ct)).collect();
    let replaced = x.iter().zip(&fresh).map(|(x, f)| (x.id, *f)).collect();
    let again = rerecord(graph, &[y], replaced, |_, node, new: &[Option<Var<'g>>]| {
        let _blame = graph.blame_origin(Origin { phase: Phase::Backward, ..node.origin.clone() });
        let args = node.args.iter().zip(new).map(|(old, new)| new.unwrap_or(graph.var(*old)));
        graph.record(node.op.clone(), &args.collect::<Vec<_>>())
    });
    let real: Vec<Var<'g>> = fresh.iter().copied().filter(|f| f.kind() == Kind::Real).collect();
    let found = match again[0].map(|y| vjp(&[y], &real, &[ct])) {
        Some(Ok(found)) => found,
        Some(Err(error)) => vec![Some(graph.poison(error)); real.len()],
        None => vec![None; real.len()],
    };
    let mut found = found.into_iter();
    let each = fresh.iter().map(|f| if f.kind() == Kind::Real { found.next().flatten() } else { None });
    std::iter::once(None).chain(each).collect()
}

/// The tangent of a checkpoint's value: forward mode keeps nothing, so it goes through the segment as it is.
pub(crate) fn through<'g>(t: &[Option<Var<'g>>], site: &Site<'_, 'g>) -> Var<'g> {
    let graph = site.y.graph;
    let y = graph.var(graph.node(site.x[0].id).args[0]);
    let (x, t): (Vec<_>, Vec<_>) =
        site.x.iter().zip(t).skip(1).filter_map(|(x, t)| Some((*x, (*t)?))).unzip();
    match jvp(&[y], &x, &t) {
        Ok(found) => found[0],
        Err(error) => graph.poison(error),
    }
}
