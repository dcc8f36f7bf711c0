//! Comparisons: truth values, without derivative.

use chainrule_tensor::Layout;
use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::elementwise::Compare as Relation;

use super::{Derivative, Lowering, Op, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::elementwise::Instruction;
use crate::types::Type;
use crate::var::{Operand, Var};

/// An elementwise comparison of two values of equal shape and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Compare(pub Relation);

/// From each row a broadcasting method on [`Var`]:
/// `pub fn less(self, right: impl Operand<'g>) -> Var<'g> { self.compare(Relation::Lt, right) }`.
macro_rules! compare {
    ($($variant:ident $method:ident $doc:literal;)*) => {
        impl<'g> Var<'g> {
            $(
                #[doc = $doc]
                #[track_caller]
                pub fn $method(self, right: impl Operand<'g>) -> Var<'g> {
                    self.compare(Relation::$variant, right)
                }
            )*
        }
    };
}

compare! {
    Eq equal         "Where the two are equal. NaN equals nothing.";
    Ne not_equal     "Where the two differ.";
    Lt less          "Where `self < right`.";
    Le less_equal    "Where `self ≤ right`.";
    Gt greater       "Where `self > right`.";
    Ge greater_equal "Where `self ≥ right`.";
}

impl<'g> Var<'g> {
    #[track_caller]
    fn compare(self, relation: Relation, right: impl Operand<'g>) -> Var<'g> {
        let right = right.into_operand().beside(Some(self.kind()), self.graph);
        match self.aligned(right, relation.name()) {
            Ok((left, right)) => left.record(Op::Compare(Compare(relation)), &[right]),
            Err(poisoned) => poisoned,
        }
    }
}

impl Primitive for Compare {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn notation(&self) -> Option<&'static str> {
        Some(match self.0 {
            Relation::Lt => "<",
            Relation::Le => "≤",
            Relation::Gt => ">",
            Relation::Ge => "≥",
            Relation::Eq => "=",
            Relation::Ne => "≠",
        })
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        if args[0].kind != args[1].kind {
            let why = format!("compares {} with {}; cast one of them", args[0], args[1]);
            return Err(wrong_kind(self.name(), why));
        }
        Ok(Type { shape: args[0].shape.clone(), kind: Kind::Truth })
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Flat("a truth value has no derivative")
    }

    fn lower(&self, _: &[Layout], _: &Type) -> Lowering {
        Lowering::Elementwise(Instruction::Compare(self.0))
    }

    fn samples() -> Vec<Sample> {
        vec![Sample::new("a sum with less of [2, 3] and [3]", &[&[2, 3], &[3]], 0.3..2.0, |x| {
            x[0].less(x[1]).real() * x[0] + x[1].square()
        })]
    }
}
