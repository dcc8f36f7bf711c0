//! A graph as text, one line per node, and as Graphviz DOT; as equations; and what backward keeps of it.

pub(crate) mod equations;
pub(crate) mod frames;
pub(crate) mod saved;

use std::fmt::{self, Write};

use crate::error::Result;
use crate::ir::{Graph, Node};
use crate::origin::Phase;
use crate::prim::Op;
use crate::types::NodeId;
use crate::var::Var;
use crate::walk;

/// `%4 = mul %2 %3 : real(2, 3)  ; examples/net.rs:12:9 in `hidden``
///
/// What loops, choices and calls carry out stands below them, numbered on its own.
impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.nodes();
        let mut inside = vec![false; nodes.len()];
        for (i, node) in nodes.iter().enumerate() {
            // What was recorded over values that only stand for others is part of a formula below.
            inside[i] = match &node.op {
                Op::Input(p) => self.inner.borrow().leaves[p.index].advice.is_some(),
                _ => node.args.iter().any(|a| inside[a.index()]),
            };
            if inside[i] {
                continue;
            }
            writeln!(f, "{}", self.line(i, node))?;
            for carried in node.op.bodies() {
                carried.body.to_string().lines().try_for_each(|line| writeln!(f, "    {line}"))?;
            }
        }
        Ok(())
    }
}

impl Graph {
    /// The line of node `i` in the dump.
    pub(crate) fn line(&self, i: usize, node: &Node) -> String {
        let args: String = node.args.iter().map(|a| format!(" %{}", a.index())).collect();
        format!("%{i} = {}{args} : {}  ; {}", self.label(node), node.ty, node.origin)
    }

    /// Name and attributes of a node; a leaf is called by its own name.
    pub(crate) fn label(&self, node: &Node) -> String {
        match &node.op {
            Op::Input(p) => self.inner.borrow().leaves[p.index].name.to_string(),
            Op::Scalar(_) => node.op.attributes(),
            op => op.label(),
        }
    }

    /// The part of the graph that `outputs` depend on, in the DOT language of Graphviz: forward nodes blue,
    /// tangents green, backward nodes orange; leaves are ovals.
    ///
    /// # Errors
    /// A poisoned value; a value of another graph.
    ///
    /// ```
    /// use chainrule_graph::Graph;
    /// let g = Graph::new();
    /// let a = g.leaf("a", 2.0);
    /// assert!(g.dot(&[a * a])?.starts_with("digraph"));
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn dot(&self, outputs: &[Var<'_>]) -> Result<String> {
        self.admit("dot", outputs)?;
        let nodes = self.nodes();
        let wanted: Vec<NodeId> = outputs.iter().map(|v| v.id).collect();
        let mut out = String::from(
            "digraph chainrule {\n  rankdir=LR;\n  node [fontname=\"Helvetica\" style=filled];\n",
        );
        for id in walk::made_of(&nodes, wanted.iter().copied()) {
            let node = &nodes[id.index()];
            let leaf = node.args.is_empty();
            let fill = match node.origin.phase {
                _ if leaf => "#eeeeee",
                Phase::Forward => "#cfe2f3",
                Phase::Tangent => "#d9ead3",
                Phase::Backward => "#fce5cd",
            };
            let shape = if leaf { "oval" } else { "box" };
            let mut label = format!("{}\\n{}", self.label(node), node.ty);
            if !node.origin.scope.is_empty() {
                let _ = write!(label, "\\n{}", node.origin.scope);
            }
            let label = label.replace('"', "\\\"");
            let bold = if wanted.contains(&id) { " penwidth=3" } else { "" };
            let _ = writeln!(
                out,
                "  n{} [label=\"{label}\" shape={shape} fillcolor=\"{fill}\"{bold}];",
                id.index()
            );
            for a in &node.args {
                let _ = writeln!(out, "  n{} -> n{};", a.index(), id.index());
            }
        }
        out.push_str("}\n");
        Ok(out)
    }
}
