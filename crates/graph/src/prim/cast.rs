//! Conversion between kinds of number.

use chainrule_tensor::Layout;
use chainrule_tensor::kernels::Kind;

use super::{Derivative, Lowering, Op, Primitive, Sample};
use crate::error::ErrorKind;
use crate::exec::elementwise::Instruction;
use crate::types::Type;
use crate::var::Var;

/// Conversion to another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cast(pub Kind);

impl<'g> Var<'g> {
    /// As a real: truth becomes 0 or 1.
    #[track_caller]
    pub fn real(self) -> Var<'g> {
        self.cast(Kind::Real)
    }

    /// As an integer: reals are truncated towards 0. Has no derivative.
    #[track_caller]
    pub fn int(self) -> Var<'g> {
        self.cast(Kind::Int)
    }

    /// As a truth value: whether it differs from 0. Has no derivative.
    #[track_caller]
    pub fn truth(self) -> Var<'g> {
        self.cast(Kind::Truth)
    }

    /// As `kind`.
    #[track_caller]
    pub fn cast(self, kind: Kind) -> Var<'g> {
        if self.kind() == kind { self } else { self.record(Op::Cast(Cast(kind)), &[]) }
    }
}

impl Primitive for Cast {
    fn name(&self) -> &'static str {
        match self.0 {
            Kind::Real => "real",
            Kind::Int => "int",
            Kind::Truth => "truth",
        }
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        Ok(Type { shape: args[0].shape.clone(), kind: self.0 })
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Flat("integers and truth values have no derivative")
    }

    fn lower(&self, _: &[Layout], _: &Type) -> Lowering {
        Lowering::Elementwise(Instruction::Cast(self.0))
    }

    fn samples() -> Vec<Sample> {
        vec![Sample::new("x times its whole part, of [3]", &[&[3]], 1.1..1.9, |x| x[0] * x[0].int().real())]
    }
}
