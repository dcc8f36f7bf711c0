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

use chainrule_tensor::Shape;
use chainrule_tensor::kernels::Kind;

use crate::error::{Error, Result};
use crate::ir::{Graph, Type};
use crate::prim::wrong_kind;
use crate::var::Var;

impl Graph {
    /// A leaf that stands for the number of the step in a loop's closure.
    #[track_caller]
    fn step_number(&self) -> Var<'_> {
        let ty = Type { shape: Shape::scalar(), kind: Kind::Int };
        self.placeholder("step", ty, "it stands for the number of a step inside the closure of a loop")
    }

    /// What `record` gives, recorded for the step with this `number` of a loop: what it draws is drawn for that step.
    fn in_step<R>(&self, number: Var<'_>, record: impl FnOnce() -> R) -> R {
        struct Leave<'g>(&'g Graph);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.inner.borrow_mut().steps.pop();
            }
        }
        self.inner.borrow_mut().steps.push(number.id);
        let _leave = Leave(self);
        record()
    }

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
            let why = format!("a step makes {} carries of {}; return one for each", after.len(), before.len());
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

impl<'g> Var<'g> {
    /// This key, for the steps of all loops that are being recorded.
    pub(crate) fn in_this_step(self) -> Var<'g> {
        let steps = self.graph.inner.borrow().steps.clone();
        if steps.is_empty() || self.ty().shape[..] != [2] || self.kind() != Kind::Int {
            return self;
        }
        steps.into_iter().fold(self, |key, step| key.fold_in(self.graph.var(step)))
    }
}
