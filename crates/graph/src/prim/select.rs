//! Choice between two values by a truth value.

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Layout, shape};

use super::{Derivative, Lowering, Op, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::elementwise::Instruction;
use crate::types::Type;
use crate::var::{Operand, Var};

/// `if x[0] { x[1] } else { x[2] }`, elementwise on equal shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Select;

impl<'g> Var<'g> {
    /// `yes` where this truth value holds, `no` elsewhere; all three broadcast.
    ///
    /// The branch not taken has derivative 0 there, even where its own derivative is infinite or NaN only
    /// *after* the choice; guard the argument, not the result, of a function that is infinite outside.
    #[doc(alias = "where")]
    #[track_caller]
    pub fn select(self, yes: impl Operand<'g>, no: impl Operand<'g>) -> Var<'g> {
        let (yes, no) = (yes.into_operand(), no.into_operand());
        let kinds = (yes.kind(), no.kind());
        let (yes, no) = (yes.beside(kinds.1, self.graph), no.beside(kinds.0, self.graph));
        let (yes, no) = match yes.aligned(no, "select") {
            Ok(pair) => pair,
            Err(poisoned) => return poisoned,
        };
        if let Some(refused) = yes.graph.refused("select", &[self]) {
            return refused;
        }
        self.shaped(|own| {
            let common = shape::broadcast("select", &own, &yes.shape())?;
            let (yes, no) = (yes.broadcast_to(common.clone()), no.broadcast_to(common.clone()));
            Ok(self.broadcast_to(common).record(Op::Select(Select), &[yes, no]))
        })
    }
}

impl Primitive for Select {
    fn name(&self) -> &'static str {
        "select"
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        if args[0].kind != Kind::Truth {
            return Err(wrong_kind(
                "select",
                format!("the condition is {}; compare it with something", args[0]),
            ));
        }
        if args[1].kind != args[2].kind {
            return Err(wrong_kind(
                "select",
                format!("the branches are {} and {}; cast one", args[1], args[2]),
            ));
        }
        Ok(args[1].clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Linear(|_, i, ct, s| {
            let zero = ct.like(0.0);
            if i == 1 { s.x[0].select(ct, zero) } else { s.x[0].select(zero, ct) }
        })
    }

    fn lower(&self, _: &[Layout], _: &Type) -> Lowering {
        Lowering::Elementwise(Instruction::Select)
    }

    fn samples() -> Vec<Sample> {
        vec![
            Sample::new("select by x > 1 of [2, 3] and [3]", &[&[2, 3], &[3]], 0.3..2.0, |x| {
                x[0].greater(1.0).select(x[0] * x[1], x[1])
            }),
            Sample::new("select by y > 1 of [3] and [2, 3]", &[&[3], &[2, 3]], 0.3..2.0, |x| {
                x[1].greater(1.0).select(x[0], x[0] * x[1])
            }),
            Sample::new("select of [] and []", &[&[], &[]], 0.3..2.0, |x| {
                x[0].less(1.0).select(x[0] * x[1], x[1])
            }),
            Sample::new("select of [0] and [1]", &[&[0], &[1]], 0.3..2.0, |x| {
                x[0].less(1.0).select(x[0], x[1]).square()
            }),
            Sample::new("select with a constant branch of [3]", &[&[3]], 0.3..2.0, |x| {
                x[0].less(1.0).select(0.0, x[0].square())
            }),
        ]
    }
}
