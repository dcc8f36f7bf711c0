//! Recomputing instead of storing.

use std::collections::HashMap;
use std::panic::Location;

use chainrule_tensor::kernels::Kind;

use super::copy::between_by;
use super::jvp::{Mode, Tangents, tangent_of};
use super::transpose::vjp;
use crate::ir::{Node, NodeId};
use crate::origin::{Origin, Phase};
use crate::prim::ruled::{Ruling, formula};
use crate::prim::{Op, Rule, Site};
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
        if let Some(refused) = self.graph.refused("checkpoint", &[&[self], start].concat()) {
            return refused;
        }
        let x = sources(self, start);
        self.graph.ruled("checkpoint", &x, self, Ruling::Recompute, Location::caller())
    }
}

/// What `y` is made of: those of `start` that it depends on, and the leaves that it depends on by a path that passes
/// none of them. Reals that it does not depend on differentiably are left out; what has no derivative, as a key of
/// random numbers, is not.
fn sources<'g>(y: Var<'g>, start: &[Var<'g>]) -> Vec<Var<'g>> {
    let inner = y.graph.inner.borrow();
    let mut needed = vec![false; y.id.index() + 1];
    let mut smooth = needed.clone();
    (needed[y.id.index()], smooth[y.id.index()]) = (true, true);
    let mut found = Vec::new();
    for i in (0..needed.len()).rev() {
        let node = &inner.nodes[i];
        if !needed[i] {
            continue;
        }
        let real = node.ty.kind == Kind::Real;
        if matches!(node.op, Op::Input(_)) || start.iter().any(|s| s.id.index() == i) {
            if smooth[i] || !real {
                found.push(Var { graph: y.graph, id: NodeId(i as u32) });
            }
            continue;
        }
        let passes = smooth[i] && real && !matches!(node.op.rule(), Rule::Flat(_));
        for a in operands(node) {
            needed[a.index()] = true;
            smooth[a.index()] |= passes;
        }
    }
    found.reverse();
    found
}

/// What the value of a node hangs on, seen from outside: a checkpoint hides its segment.
fn operands(node: &Node) -> &[NodeId] {
    if node.op.is_checkpoint() { &node.args[1..] } else { &node.args }
}

/// The cotangents of a checkpoint's arguments: its segment recorded again behind the cotangent, and differentiated.
pub(crate) fn recompute<'g>(ct: Var<'g>, site: &Site<'_, 'g>) -> Vec<Option<Var<'g>>> {
    let graph = ct.graph;
    let x = &site.x[1..];
    let fresh: Vec<Var<'g>> = x.iter().map(|x| x.after(ct)).collect();
    let y = again(formula(site.x[0]), x, &fresh);
    let varying: Vec<Var<'g>> = fresh.iter().copied().filter(|f| f.kind() == Kind::Real).collect();
    let found = vjp(&[y], &varying, &[ct]).unwrap_or_else(|e| vec![Some(graph.poison(e)); varying.len()]);
    let mut found = found.into_iter();
    let each = fresh.iter().map(|f| if f.kind() == Kind::Real { found.next().flatten() } else { None });
    std::iter::once(None).chain(each).collect()
}

/// `y`, a function of `x`, recorded again over `fresh` ones.
fn again<'g>(y: Var<'g>, x: &[Var<'g>], fresh: &[Var<'g>]) -> Var<'g> {
    let graph = y.graph;
    let from: Vec<NodeId> = x.iter().map(|x| x.id).collect();
    let mut map: HashMap<NodeId, Var<'g>> = from.iter().copied().zip(fresh.iter().copied()).collect();
    for id in between_by(graph, &from, &[y.id], operands) {
        let node = graph.node(id);
        let _blame = graph.blame_origin(Origin { phase: Phase::Backward, ..node.origin.clone() });
        let new = |id: &NodeId| map.get(id).copied().unwrap_or(graph.var(*id));
        let args: Vec<Var<'g>> = operands(&node).iter().map(new).collect();
        let new = if node.op.is_checkpoint() {
            // A function of its own arguments, whatever stands for values within it out here.
            let old: Vec<Var<'g>> = operands(&node).iter().map(|id| graph.var(*id)).collect();
            let y = again(formula(graph.var(node.args[0])), &old, &args);
            graph.ruled("checkpoint", &args, y, Ruling::Recompute, node.origin.location)
        } else {
            graph.record(node.op.clone(), &args)
        };
        map.insert(id, new);
    }
    map.get(&y.id).copied().unwrap_or(y)
}

/// The tangent of a checkpoint's value, given those of its arguments: forward mode keeps nothing, so it goes through
/// the segment as it is.
pub(crate) fn through<'g>(t: &[Option<Var<'g>>], site: &Site<'_, 'g>) -> Var<'g> {
    let graph = site.y.graph;
    let y = formula(site.x[0]);
    let given = site.x.iter().zip(t).skip(1);
    let mut tangents: Tangents<'g> = given.filter_map(|(x, t)| Some((x.id, (*t)?))).collect();
    // An argument that depends on another one has its tangent already, with the other's part in it.
    let from: Vec<NodeId> = site.x[1..].iter().map(|x| x.id).collect();
    for id in between_by(graph, &from, &[y.id], operands) {
        if let Some(t) = tangent_of(graph, id, &tangents, Mode::Forward) {
            tangents.insert(id, t);
        }
    }
    tangents.get(&y.id).copied().unwrap_or_else(|| y.like(0.0))
}
