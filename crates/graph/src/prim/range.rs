//! A promise about integers, checked when the graph runs.

use chainrule_tensor::Layout;
use chainrule_tensor::kernels::Kind;

use super::{Derivative, Lowering, Op, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::kernel::Kernel;
use crate::ir::Type;
use crate::var::Var;

/// The argument, after a check that every element lies in `0..end`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InRange {
    end: i64,
    what: &'static str,
}

impl<'g> Var<'g> {
    /// The same integers; running fails with the position and value of the first one outside `0..end`.
    /// `what` names them in the message, such as `label`.
    #[track_caller]
    pub fn in_range(self, end: usize, what: &'static str) -> Var<'g> {
        self.record(Op::InRange(InRange { end: i64::try_from(end).unwrap_or(i64::MAX), what }), &[])
    }
}

impl Primitive for InRange {
    fn name(&self) -> &'static str {
        "in_range"
    }

    fn attributes(&self) -> String {
        format!("0..{}", self.end)
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        if args[0].kind != Kind::Int {
            return Err(wrong_kind("in_range", format!("{}s must be integers, not {}", self.what, args[0])));
        }
        Ok(args[0].clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Flat("integers have no derivative")
    }

    fn lower(&self, _: &[Layout], _: &Type) -> Lowering {
        Lowering::Kernel(Kernel::InRange { end: self.end, what: self.what })
    }

    fn samples() -> Vec<Sample> {
        vec![Sample::new("x at a checked position, of (3,)", &[&[3]], -2.0..2.0, |x| {
            x[0].argmax(0).in_range(3, "position").real() * x[0]
        })]
    }
}
