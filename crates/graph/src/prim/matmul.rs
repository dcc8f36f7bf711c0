//! Matrix products, batched.

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Layout, Shape, shape};

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::types::Type;
use crate::var::Var;

/// `(…, m, k)` times `(…, k, n)` with equal leading axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MatMul;

impl<'g> Var<'g> {
    /// Matrix product `(…, m, k) x (…, k, n) → (…, m, n)`; the leading axes broadcast. Transposes cost nothing:
    /// `a.t().matmul(b)` reads `a` in place.
    ///
    /// A vector (k,) on the left is a row, one on the right a column, whose axis of length 1 the result lacks:
    /// `(k,) x (k, n) → (n,)`, `(m, k) x (k,) → (m,)`, `(k,) x (k,) → ()`.
    #[track_caller]
    pub fn matmul(self, right: Var<'g>) -> Var<'g> {
        // Several nodes may be recorded for one line of the user's.
        let _here = self.graph.blame("matmul", std::panic::Location::caller());
        if let Some(refused) = self.graph.refused("matmul", &[self, right]) {
            return refused;
        }
        let (a, b) = (self.shape(), right.shape());
        if !a.is_empty() && !b.is_empty() && a.len().min(b.len()) == 1 {
            return self.vector_product(right);
        }
        let Ok(Type { shape: out, .. }) = MatMul.infer(&[&self.ty(), &right.ty()]) else {
            // Recorded as it is: the rule makes the error, with both operands.
            return self.record(Op::MatMul(MatMul), &[right]);
        };
        if let ([.., m, k], [_, _]) = (&a[..], &b[..])
            && a.len() > 2
        {
            // One matrix for the whole batch: one product, and one for its gradient.
            let rows: usize = a[..a.len() - 2].iter().product::<usize>() * m;
            let product = self.reshape_to([rows, *k].into()).record(MatMul.into(), &[right]);
            return product.reshape_to(out);
        }
        let batched =
            |s: &Shape| -> Shape { out[..out.len() - 2].iter().chain(&s[s.len() - 2..]).copied().collect() };
        self.broadcast_to(batched(&a)).record(Op::MatMul(MatMul), &[right.broadcast_to(batched(&b))])
    }
}

impl<'g> Var<'g> {
    /// The product with a vector on one side, or on both.
    #[track_caller]
    fn vector_product(self, right: Var<'g>) -> Var<'g> {
        let (a, b) = (self.shape(), right.shape());
        if a[a.len() - 1] != b[b.len().saturating_sub(2)] {
            let why = format!("{} must equal {}", a[a.len() - 1], b[b.len().saturating_sub(2)]);
            let error = crate::Error::new(chainrule_tensor::Error::shape("matmul", [&a[..], &b[..]], why));
            let at = self.graph.origin(std::panic::Location::caller());
            let error = error.placed(at).operand("left", self.ty(), self.origin());
            return self.graph.poison(error.operand("right", right.ty(), right.origin()));
        }
        let row = if a.len() == 1 { self.insert_axis(0) } else { self };
        let column = if b.len() == 1 { right.insert_axis(1) } else { right };
        let product = row.matmul(column);
        let product = if b.len() == 1 { product.squeeze(-1) } else { product };
        if a.len() > 1 { product } else { product.squeeze(if b.len() == 1 { -1 } else { -2 }) }
    }
}

impl Primitive for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        if let Some(other) = args.iter().find(|a| a.kind != Kind::Real) {
            return Err(wrong_kind("matmul", format!("does not take {other}; cast it with .real() first")));
        }
        Ok(args[0].shaped(shape::matmul(&args[0].shape, &args[1].shape)?))
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Multilinear(&[0, 1], |_, i, ct, s| match i {
            0 => ct.matmul(s.x[1].t()),
            _ => s.x[0].t().matmul(ct),
        })
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        // An argument without the axis broadcasts; a shared matrix on the right multiplies all rows at once.
        rows.arg(0).0.matmul(rows.arg(1).0)
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        Lowering::Kernel(Call::MatMul { a: (&args[0]).into(), b: (&args[1]).into() })
    }

    fn strided(&self) -> bool {
        true
    }

    fn samples() -> Vec<Sample> {
        let shapes: [[&[usize]; 2]; 8] = [
            [&[1, 1], &[1, 1]],
            [&[2, 2, 3], &[3, 2]],
            [&[2, 3], &[3, 2]],
            [&[1, 3], &[3, 1]],
            [&[2, 0], &[0, 3]],
            [&[0, 2], &[2, 3]],
            [&[2, 2, 3], &[2, 3, 1]],
            [&[2, 1, 2, 3], &[2, 3, 2]],
        ];
        let mut all: Vec<_> = shapes
            .iter()
            .map(|s| {
                Sample::new(&format!("matmul {:?} x {:?}", s[0], s[1]), s, -2.0..2.0, |x| {
                    x[0].matmul(x[1]).square()
                })
            })
            .collect();
        let vectors: [[&[usize]; 2]; 4] =
            [[&[3], &[3]], [&[3], &[3, 2]], [&[2, 3], &[3]], [&[2, 2, 3], &[3]]];
        all.extend(vectors.map(|s| {
            let name = format!("matmul {:?} x {:?}", s[0], s[1]);
            Sample::new(&name, &s, -2.0..2.0, |x| x[0].matmul(x[1]).square())
        }));
        all.push(Sample::new("matmul of transposes", &[&[3, 2], &[4, 3]], -2.0..2.0, |x| {
            x[0].t().matmul(x[1].t()).square()
        }));
        all
    }
}
