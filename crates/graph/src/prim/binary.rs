//! Elementwise functions of two arguments of equal shape; the methods broadcast first.

use std::panic::Location;

use chainrule_tensor::kernels::elementwise::Binary as Function;
use chainrule_tensor::{Layout, shape};

use super::{Derivative, Lowering, Op, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::elementwise::Instruction;
use crate::types::Type;
use crate::var::{Operand, Var};

/// An elementwise function of two arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Binary(pub Function);

impl<'g> Var<'g> {
    /// Applies `function` after broadcasting both operands to a common shape.
    #[track_caller]
    pub(crate) fn binary(self, function: Function, right: impl Operand<'g>) -> Var<'g> {
        let right = right.into_operand().beside(Some(self.kind()), self.graph);
        let (left, right) = match self.aligned(right, Binary(function).name()) {
            Ok(pair) => pair,
            Err(poisoned) => return poisoned,
        };
        // Only where the kinds fit: what is recorded else makes the error, whatever the values are.
        if Binary(function).infer(&[&left.ty(), &right.ty()]).is_err() {
            return left.record(Op::Binary(Binary(function)), &[right]);
        }
        match function {
            Function::Add if right.is_constant(0.0) => left,
            Function::Add if left.is_constant(0.0) => right,
            Function::Sub if right.is_constant(0.0) => left,
            Function::Mul | Function::Div if right.is_constant(1.0) => left,
            Function::Mul if left.is_constant(1.0) => right,
            Function::Mul | Function::Div if right.is_constant(-1.0) => -left,
            Function::Mul if left.is_constant(-1.0) => -right,
            _ => left.record(Op::Binary(Binary(function)), &[right]),
        }
    }

    /// Both operands in their common shape.
    #[track_caller]
    pub(crate) fn aligned(self, right: Var<'g>, op: &'static str) -> Result<(Var<'g>, Var<'g>), Var<'g>> {
        if let Some(refused) = self.graph.refused(op, &[self, right]) {
            return Err(refused);
        }
        match shape::broadcast(op, &self.shape(), &right.shape()) {
            Ok(common) => Ok((self.broadcast_to(common.clone()), right.broadcast_to(common))),
            Err(error) => {
                let at = self.graph.origin(std::panic::Location::caller());
                let error = crate::Error::new(error)
                    .placed(at)
                    .operand("left", self.ty(), self.origin())
                    .operand("right", right.ty(), right.origin());
                Err(self.graph.poison(error))
            }
        }
    }

    /// `self` to the power `exponent`, elementwise. NaN for a negative base and a fractional exponent.
    #[track_caller]
    pub fn pow(self, exponent: impl Operand<'g>) -> Var<'g> {
        self.binary(Function::Pow, exponent)
    }

    /// The greater of the two, elementwise; NaN if either is. On truth values: or. Ties share the derivative evenly.
    #[track_caller]
    pub fn maximum(self, right: impl Operand<'g>) -> Var<'g> {
        self.binary(Function::Max, right)
    }

    /// The lesser of the two, elementwise; NaN if either is. On truth values: and. Ties share the derivative evenly.
    #[track_caller]
    pub fn minimum(self, right: impl Operand<'g>) -> Var<'g> {
        self.binary(Function::Min, right)
    }

    /// x². Cheaper and more accurate than `pow(2.0)`.
    #[track_caller]
    pub fn square(self) -> Var<'g> {
        let _here = self.graph.blame("square", Location::caller());
        self * self
    }
}

/// The tangent of max or min: that of the operand taken, half of each in a tie.
fn extreme<'g>(t: &[Option<Var<'g>>], x: &[Var<'g>], y: Var<'g>) -> Var<'g> {
    let share = |i: usize| {
        let taken = x[i].equal(y).real();
        let tie = x[0].equal(x[1]).real();
        t[i].map(|t| t * (taken - 0.5 * tie))
    };
    sum(share(0), share(1)).unwrap_or_else(|| y.like(0.0))
}

fn sum<'g>(a: Option<Var<'g>>, b: Option<Var<'g>>) -> Option<Var<'g>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

impl Primitive for Binary {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn notation(&self) -> Option<&'static str> {
        match self.0 {
            Function::Add => Some("+"),
            Function::Sub => Some("−"),
            Function::Mul => Some("×"),
            Function::Div => Some("/"),
            _ => None,
        }
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let [left, right] = [args[0], args[1]];
        if left.kind != right.kind {
            let why = format!(
                "operands are {left} and {right}; make both real with .real(), or write whole numbers beside integers \
                 without a point"
            );
            return Err(wrong_kind(self.name(), why));
        }
        if !self.0.takes(left.kind) {
            return Err(wrong_kind(self.name(), format!("does not take {left}; cast it with .real() first")));
        }
        Ok(left.clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        match self.0 {
            Function::Add => Derivative::Linear(|_, _, ct, _| ct),
            Function::Sub => Derivative::Linear(|_, i, ct, _| if i == 0 { ct } else { -ct }),
            Function::Mul => Derivative::Multilinear(&[0, 1], |_, i, ct, s| ct * s.x[1 - i]),
            Function::Div => Derivative::Mixed(
                &[0],
                |_, _, ct, s| ct / s.x[1],
                |_, t, s| t[1].map_or_else(|| s.y.like(0.0), |t| t * (-s.y / s.x[1])),
            ),
            Function::Pow => Derivative::Nonlinear(|_, t, s| {
                let (base, exponent) = (s.x[0], s.x[1]);
                // x⁰ has slope 0 everywhere, also at x = 0 where 0 · 0⁻¹ would be NaN. The power beside it is one that
                // is finite there, since its own derivatives are multiplied by 0, not left out, in reverse.
                let flat = exponent.equal(0.0);
                let slope = flat.select(0.0, exponent * base.pow(flat.select(1.0, exponent) - 1.0));
                let in_base = t[0].map(|t| t * slope);
                // 0ᵉ has slope 0 in e for e > 0, where ln 0 would be infinite.
                let zero = base.equal(0.0);
                let in_exponent = t[1].map(|t| t * zero.select(0.0, s.y * zero.select(1.0, base).ln()));
                sum(in_base, in_exponent).unwrap_or_else(|| s.y.like(0.0))
            }),
            Function::Max | Function::Min => Derivative::Nonlinear(|_, t, s| extreme(t, s.x, s.y)),
        }
    }

    fn lower(&self, _: &[Layout], _: &Type) -> Lowering {
        Lowering::Elementwise(Instruction::Binary(self.0))
    }

    fn samples() -> Vec<Sample> {
        let shapes: [[&[usize]; 2]; 7] = [
            [&[], &[]],
            [&[3], &[3]],
            [&[2, 3], &[3]],
            [&[2, 1], &[1, 3]],
            [&[0, 2], &[2]],
            [&[1], &[2, 2]],
            [&[], &[2, 2]],
        ];
        Function::ALL
            .iter()
            .flat_map(|f| {
                shapes.iter().map(move |s| {
                    let name = format!("{} of {:?} and {:?}", f.name(), s[0], s[1]);
                    Sample::new(&name, s, 0.3..2.0, move |x| x[0].binary(*f, x[1]))
                })
            })
            .collect()
    }
}
