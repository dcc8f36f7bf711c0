//! The same value, not before another is known.

use chainrule_tensor::Layout;

use super::rows::Rows;
use super::{Derivative, Lowering, Primitive, Sample};
use crate::error::ErrorKind;
use crate::types::Type;
use crate::var::Var;

/// Argument 0, available only after argument 1 has been computed.
///
/// Equal formulas over it are not equal to those over argument 0, so what is recorded behind it is computed again:
/// this is what [`checkpoint`](crate::Var::checkpoint) is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Barrier;

impl<'g> Var<'g> {
    /// This value, not before `other` is known.
    #[track_caller]
    pub(crate) fn after(self, other: Var<'g>) -> Var<'g> {
        self.record(Barrier.into(), &[other])
    }
}

impl Primitive for Barrier {
    fn name(&self) -> &'static str {
        "barrier"
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        Ok(args[0].clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Multilinear(&[0], |_, _, ct, _| ct)
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.each(0).after(rows.arg(1).0)
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        Lowering::View(Some(args[0].clone()))
    }

    fn samples() -> Vec<Sample> {
        let shapes: [[&[usize]; 2]; 5] =
            [[&[], &[]], [&[3], &[3]], [&[2, 3], &[3]], [&[0], &[0]], [&[1], &[2, 1]]];
        let sample = |s: [&[usize]; 2]| {
            Sample::new(&format!("x after y, times y, of {s:?}"), &s, -2.0..2.0, |x| {
                x[0].after(x[1].tanh()).square() * x[1]
            })
        };
        shapes.map(sample).into()
    }
}
