//! Pictures of graphs, plans and profiles: what is a box, a frame, a wire, and what is written in it. The crate
//! `chainrule_sketch` draws.
//!
//! `nodes` and `plan` say what is drawn · `bodies` puts in what loops and choices carry out · `fold` makes single boxes of
//! deep scopes · `label` writes · `style` says what colours mean · `flame` makes bars of a profile.

mod bodies;
mod flame;
mod fold;
mod label;
mod nodes;
mod plan;
mod style;

use std::collections::BTreeMap;

use chainrule_sketch::Sketch;

use crate::error::{Error, ErrorKind, Result};
use crate::ir::Graph;
use crate::precision::Precision;
use crate::prim::Op;
use crate::rewrite::Rewritten;
use crate::rewrite::expand::expand;
use crate::types::NodeId;
use crate::var::Var;

/// A picture of a graph, made by [`Graph::picture`]; [`svg`](Picture::svg) draws it.
///
/// Values flow from left to right, or down the page where the drawing would be much wider than a screen. Each box is a
/// node: its operation with the numbers among its operands, type, and source line; arguments enter it in order. Forward nodes, tangents and backward nodes have
/// colours of their own, and the parts of a scope stand in a frame. A computed value that the backward part
/// reads says how many bytes it keeps alive, and is read through dashed wires. A view that only repeats a value
/// or adds axes of length 1 is part of the wire. Under the pointer, a box and its wires tell the whole node.
///
/// ```
/// use chainrule_graph::Graph;
/// let g = Graph::new();
/// let (a, b, c) = (g.leaf("a", 5.0), g.leaf("b", 3.0), g.leaf("c", 2.0));
/// let u = b * c;
/// let v = a + u;
/// let j = 3.0 * v;
/// let d = j.grad(&[a, b, c])?;
/// let lecture = g
///     .picture(&[j])
///     .name(u, "u")
///     .name(v, "v")
///     .name(j, "J")
///     .values(true)
///     .derivatives(j, &[a, b, c], &d);
/// let svg = lecture.svg()?;
/// assert!(svg.starts_with("<svg") && svg.contains("J = 3 × v") && svg.contains("dJ/db = 6"));
/// # Ok::<(), chainrule_graph::Error>(())
/// ```
#[must_use]
pub struct Picture<'g> {
    graph: &'g Graph,
    outputs: Vec<Var<'g>>,
    depth: Option<usize>,
    values: bool,
    precision: Option<Precision>,
    names: BTreeMap<NodeId, String>,
    derivatives: Vec<Derivative>,
    /// What was wrong with the request; told when the picture is drawn.
    error: Option<Error>,
}

/// A derivative written into the box of its variable.
struct Derivative {
    of: NodeId,
    wrt: NodeId,
    found: NodeId,
}

impl Graph {
    /// A picture of the part of the graph that `outputs` depend on.
    #[track_caller]
    pub fn picture<'g>(&'g self, outputs: &[Var<'g>]) -> Picture<'g> {
        let picture = Picture {
            graph: self,
            outputs: outputs.to_vec(),
            depth: None,
            values: false,
            precision: None,
            names: BTreeMap::new(),
            derivatives: Vec::new(),
            error: None,
        };
        picture.with(outputs)
    }
}

impl<'g> Picture<'g> {
    /// Draws scopes nested in at most `depth` others in full. A deeper one is a single box that tells how many
    /// nodes it holds and the shapes that come in and go out: with 0, every scope is one box.
    pub fn depth(mut self, depth: usize) -> Self {
        self.depth = Some(depth);
        self
    }

    /// Whether to compute the nodes, with every leaf at its bound value, and write the values into the boxes:
    /// small tensors in full, larger ones by their start.
    pub fn values(mut self, values: bool) -> Self {
        self.values = values;
        self
    }

    /// The width of reals in values and numbers of bytes, if it is not that of [`Var::value`].
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = Some(precision);
        self
    }

    /// Calls `var` by `name`: its box then says `u = b × c` instead of `×`.
    #[track_caller]
    pub fn name(mut self, var: Var<'g>, name: &str) -> Self {
        self = self.with(&[var]);
        self.names.insert(var.id, name.into());
        self
    }

    /// Writes the derivatives of `of` into the boxes of the variables that they belong to. `found` is what
    /// [`Var::grad`] returned for `wrt`; the nodes that compute it are drawn only if they are among the outputs.
    #[track_caller]
    pub fn derivatives(mut self, of: Var<'g>, wrt: &[Var<'g>], found: &[Var<'g>]) -> Self {
        self = self.with(&[of]).with(wrt).with(found);
        if wrt.len() != found.len() {
            let why = format!("{} derivatives for {} variables", found.len(), wrt.len());
            self.error.get_or_insert(Error::new(ErrorKind::Gradient(why)));
        }
        let pairs = wrt.iter().zip(found);
        self.derivatives.extend(pairs.map(|(w, d)| Derivative { of: of.id, wrt: w.id, found: d.id }));
        self
    }

    /// Draws. The same graph gives the same bytes.
    ///
    /// # Errors
    /// The error of a poisoned value; values of another graph; derivatives that do not match their variables or
    /// whose variables are not in the picture; with [`values`](Picture::values), a leaf without value and what
    /// else stops a run.
    pub fn svg(&self) -> Result<String> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let asked = self.outputs.iter().map(|v| v.id).chain(self.names.keys().copied());
        let asked: Vec<NodeId> =
            asked.chain(self.derivatives.iter().flat_map(|d| [d.of, d.wrt, d.found])).collect();
        // A formula without a rule of its own is drawn as what it is made of.
        let sketch = match expand(self.graph, &asked, &Default::default(), Op::is_plain_call) {
            None => self.sketch()?,
            Some(plain) => self.of(&plain).sketch()?,
        };
        Ok(draw(&sketch))
    }

    /// What is drawn, to the depth that is asked for.
    fn sketch(&self) -> Result<Sketch> {
        let nodes::Drawn { sketch, told, .. } = nodes::draw(self)?;
        Ok(match self.depth {
            Some(depth) => fold::fold(sketch, &told, depth),
            None => sketch,
        })
    }

    /// The same picture of a graph in another form.
    fn of<'p>(&self, plain: &'p Rewritten) -> Picture<'p> {
        let at = |id: &NodeId| plain.place(*id);
        let derivative = |d: &Derivative| Derivative { of: at(&d.of), wrt: at(&d.wrt), found: at(&d.found) };
        Picture {
            graph: &plain.graph,
            outputs: self.outputs.iter().map(|v| plain.var(*v)).collect(),
            depth: self.depth,
            values: self.values,
            precision: self.precision,
            names: self.names.iter().map(|(id, name)| (at(id), name.clone())).collect(),
            derivatives: self.derivatives.iter().map(derivative).collect(),
            error: None,
        }
    }

    /// The same picture, which cannot be drawn if one of `vars` is poisoned or of another graph.
    #[track_caller]
    fn with(mut self, vars: &[Var<'g>]) -> Self {
        self.error = self.error.or(self.graph.admit("picture", vars).err());
        self
    }
}

/// Places and writes a sketch.
fn draw(sketch: &Sketch) -> String {
    // Arguments stand before their users, in graphs, plans and bodies alike, so a sketch of them has no fault.
    sketch.svg().unwrap_or_else(|fault| fault.to_string())
}

#[cfg(test)]
mod tests;
