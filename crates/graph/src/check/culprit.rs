//! An operation to blame, and what is printed of it.

use std::fmt;

use super::hypothesis::Hypothesis;
use super::replay::{operands, operation};
use super::report::Worst;
use crate::ir::Graph;
use crate::origin::Origin;
use crate::types::{NodeId, Type};

/// An operation whose own derivative is wrong.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Culprit {
    /// The operation, or the name of a custom one.
    pub op: String,
    /// Its attributes, as in dumps; empty if there are none.
    pub attributes: String,
    /// Where it was recorded: the user's line and the scope path.
    pub origin: Origin,
    /// Which operand the derivative is by.
    pub operand: usize,
    /// Further operands that are the same value, so that the derivative is by them too.
    pub also: Vec<usize>,
    /// That operand's type and where it was made.
    pub made: (Type, Origin),
    /// The kind of mistake.
    pub hypothesis: Hypothesis,
    /// ‖g − ĝ‖₂ / (‖g‖₂ + ‖ĝ‖₂) of the operation's own derivative, for a random cotangent; `None` if it has none to
    /// compare.
    pub difference: Option<f64>,
    /// The element of the operand at which the two differ most; `None` if it has none to compare.
    pub worst: Option<Worst>,
    /// How many more operations with this name, from the same line, are wrong by the same operand.
    pub others: usize,
    /// The steps of loops, and the choices, that it is in, the innermost first: there it was found.
    pub within: Vec<String>,
}

impl Culprit {
    pub(super) fn new(graph: &Graph, node: NodeId, operand: usize, hypothesis: Hypothesis) -> Culprit {
        let all = operands(graph, node);
        let made = graph.node(all[operand]);
        let also = (operand + 1..all.len()).filter(|i| all[*i] == all[operand]).collect();
        let node = operation(graph, node);
        Culprit {
            op: node.op.name().into(),
            attributes: node.op.attributes(),
            origin: node.origin,
            operand,
            also,
            made: (made.ty, made.origin),
            hypothesis,
            difference: None,
            worst: None,
            others: 0,
            within: Vec::new(),
        }
    }
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Culprit { op, attributes, operand, also, .. } = self;
        let attributes = if attributes.is_empty() { String::new() } else { format!("[{attributes}]") };
        let what = match self.hypothesis {
            Hypothesis::Overflow { .. } | Hypothesis::Given { .. } => "not finite",
            _ => "wrong derivative",
        };
        write!(f, "{what}: [{op}]{attributes} by its operand {operand}")?;
        for other in also {
            write!(f, " and {other}, the same value")?;
        }
        writeln!(f)?;
        writeln!(f, "  --> {}", self.origin)?;
        for place in &self.within {
            writeln!(f, "   |  in {place}")?;
        }
        writeln!(f, "   |  operand {operand}: {} made at {}", self.made.0, self.made.1)?;
        if let Some(w) = &self.worst {
            let Worst { index, recorded, numeric } = w;
            writeln!(
                f,
                "   |  at {index:?}: recorded {recorded:.9e}, numeric {numeric:.9e}, for a random cotangent"
            )?;
        }
        match self.others {
            0 => {}
            1 => writeln!(f, "   |  and at one more recording of this line")?,
            n => writeln!(f, "   |  and at {n} more recordings of this line")?,
        }
        write!(f, "   = {}", self.hypothesis)
    }
}
