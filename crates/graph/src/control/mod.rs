//! Loops and choices, written as closures over values and recorded as formulas within the formula.

mod branch;
mod call;
mod keep;
mod scan;
mod while_loop;

pub use branch::cond;
pub use call::call;
pub use keep::Keep;
pub use scan::{Scan, scan};
pub use while_loop::{WhileLoop, while_loop};

use std::panic::Location;

use crate::error::{Error, Result};
use crate::ir::Graph;
use crate::prim::wrong_kind;
use crate::var::Var;

impl Graph {
    /// The error of a loop or choice called `op` at `here`.
    fn refusal(&self, op: &'static str, why: String, here: &'static Location<'static>) -> Error {
        Error::new(wrong_kind(op, why)).placed(self.origin(here))
    }

    /// Fails unless `after`, what a step of the loop `op` makes of the carries `before`, can be carried on.
    fn check_carries(
        &self,
        op: &'static str,
        before: &[Var<'_>],
        after: &[Var<'_>],
        here: &'static Location<'static>,
    ) -> Result<()> {
        if before.len() != after.len() {
            let why =
                format!("a step makes {} carries of {}; return one for each", after.len(), before.len());
            return Err(self.refusal(op, why, here));
        }
        for (i, (before, after)) in before.iter().zip(after).enumerate() {
            if before.ty() != after.ty() {
                let why = format!("carry {i} begins as {} and becomes {}", before.ty(), after.ty());
                return Err(self
                    .refusal(op, why, here)
                    .operand("begins", before.ty(), before.origin())
                    .operand("becomes", after.ty(), after.origin())
                    .hint("a carry keeps its type; broadcast or convert it before the loop"));
            }
        }
        Ok(())
    }
}
