//! What loops, choices and calls carry out, as equations below the equation that they are in.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::equations::{Equation, Writer};
use crate::ir::{Graph, Node};
use crate::origin::Origin;
use crate::prim::{Carried, Op};
use crate::var::Var;
use crate::walk;

/// A formula that an equation carries out.
#[derive(Clone, Debug, PartialEq)]
pub struct Within {
    /// When it does: `each of 5 steps`, `if it holds`.
    pub when: String,
    /// The formula, over `carry 0`, `slice 0`, `captured 0` and the like, and what it gives.
    pub equations: Vec<Equation>,
}

/// The formulas that `node` carries out.
pub(super) fn within(graph: &Graph, node: &Node) -> Vec<Within> {
    let frame = |carried: Carried<'_>| {
        let inside = graph.beside();
        let leaf = |((_, name), ty): (&(usize, String), _)| inside.new_leaf(name, Clone::clone(ty), None);
        let parameters: Vec<Var<'_>> =
            carried.given.iter().zip(carried.body.parameter_types()).map(leaf).collect();
        let results = inside.inline(carried.body, &parameters);
        let equations = formula(&inside, &results, &node.origin, |i| given(&node.op, &carried, i));
        Within { when: carried.when, equations }
    };
    node.op.bodies().into_iter().map(frame).collect()
}

/// What result `i` of a formula is called.
fn given(op: &Op, carried: &Carried<'_>, i: usize) -> String {
    match op {
        Op::Loop(l) if Some(carried.body) == l.test.as_ref() => "goes on".into(),
        Op::Loop(l) if i < l.carries => format!("next carry {i}"),
        Op::Loop(l) => format!("stacked {}", i - l.carries),
        _ => format!("result {i}"),
    }
}

/// The lines of a formula that stands at `around`.
fn formula(
    graph: &Graph,
    results: &[Var<'_>],
    around: &Origin,
    called: impl Fn(usize) -> String,
) -> Vec<Equation> {
    let (names, taken) = (HashMap::new(), HashSet::new());
    let mut writer = Writer { graph, nodes: graph.nodes(), names, taken, derivatives: Vec::new() };
    let live = walk::made_of(&writer.nodes, results.iter().map(|y| y.id));
    writer.name_leaves(&live);
    let (mut lines, mut numbered) = (Vec::new(), 0);
    for id in live {
        if !writer.inlined(id) && !writer.names.contains_key(&id) {
            let name = writer.number('v', &mut numbered);
            lines.push(writer.defined(name.clone(), id));
            writer.names.insert(id, name);
        }
    }
    lines.extend(results.iter().enumerate().map(|(i, y)| {
        let mut line = writer.line(called(i), writer.term(y.id), y.id);
        if let Op::Input(_) = writer.nodes[y.id.index()].op {
            // What is handed through was given to the formula where that stands.
            line.origin = around.clone();
        }
        line
    }));
    lines
}

/// The lines of some equations, those within further in.
pub(super) fn write(
    equations: &[Equation],
    f: &mut fmt::Formatter<'_>,
    width: usize,
    depth: usize,
) -> fmt::Result {
    let indent = "  ".repeat(depth);
    for e in equations {
        writeln!(f, "{indent}{:width$}  {}  {}", e.to_string(), e.ty.shape, e.origin)?;
        for Within { when, equations } in &e.within {
            writeln!(f, "{indent}  {when}:")?;
            write(equations, f, width.saturating_sub(4), depth + 2)?;
        }
    }
    Ok(())
}
