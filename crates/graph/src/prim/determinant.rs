//! Determinants: the value, or sign and logarithm.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::linear_algebra::Determinant as What;
use chainrule_tensor::{Layout, Shape};

use super::rows::Rows;
use super::solve::{safe, square};
use super::{Derivative, Lowering, Op, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::types::Type;
use crate::var::Var;

/// The determinant, its sign, or the logarithm of its magnitude, of each matrix (…, n, n).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Determinant {
    what: What,
}

impl<'g> Var<'g> {
    /// Sign (−1, 0 or 1) and logarithm of the magnitude (−∞ for 0) of the determinant of each matrix (…, n, n). Does not
    /// overflow where the determinant would.
    #[track_caller]
    pub fn slogdet(self) -> (Var<'g>, Var<'g>) {
        (self.determinant("slogdet", What::Sign), self.determinant("slogdet", What::Log))
    }

    /// The logarithm of the magnitude of the determinant of each matrix (…, n, n). Its derivative is the transposed
    /// inverse; the graph fails when it differentiates at a singular matrix.
    #[track_caller]
    pub fn logdet(self) -> Var<'g> {
        let _here = self.graph.blame("logdet", Location::caller());
        self.slogdet().1
    }

    /// The determinant of each matrix (…, n, n): the product of its pivots, in f64 whatever the width of the matrix. The
    /// graph fails when it differentiates at a singular matrix.
    #[track_caller]
    pub fn det(self) -> Var<'g> {
        self.determinant("det", What::Value)
    }

    #[track_caller]
    fn determinant(self, op: &'static str, what: What) -> Var<'g> {
        let _here = self.graph.blame(op, Location::caller());
        self.shaped(|own| {
            square(op, &own)?;
            Ok(self.record(Op::Determinant(Determinant { what }), &[]))
        })
    }
}

impl Primitive for Determinant {
    fn name(&self) -> &'static str {
        match self.what {
            What::Value => "det",
            What::Sign => "det_sign",
            What::Log => "logdet",
        }
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let ty = args[0];
        let op = if self.what == What::Value { "det" } else { "slogdet" };
        if ty.kind != Kind::Real {
            return Err(wrong_kind(op, format!("does not take {ty}; cast it with .real() first")));
        }
        square(op, &ty.shape)?;
        Ok(ty.shaped(ty.shape[..ty.shape.len() - 2].iter().copied().collect::<Shape>()))
    }

    fn derivative(&self) -> Derivative<Self> {
        if self.what == What::Sign {
            return Derivative::Flat("the sign is constant between its jumps");
        }
        // d ln|det A| = tr(A⁻¹ dA)
        Derivative::Nonlinear(|p, t, s| match t[0] {
            Some(t) => {
                let of_log = (s.x[0].inverse().t() * t).sum([-2, -1]);
                if p.what == What::Log { of_log } else { s.y * of_log }
            }
            None => s.y.like(0.0),
        })
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(*self)
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        let shape = &args[0].shape;
        let batch = shape[..shape.len() - 2].iter().product();
        Lowering::Kernel(Call::Determinant { what: self.what, dims: [batch, shape[shape.len() - 1]] })
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 4] = [&[3, 3], &[1, 1], &[2, 2, 2], &[0, 2, 2]];
        let det = |s: &[usize]| {
            Sample::new(&format!("determinant of {s:?}"), &[s], -1.0..1.0, |x| -safe(x[0]).det())
        };
        let log =
            |s: &[usize]| Sample::new(&format!("logdet of {s:?}"), &[s], -1.0..1.0, |x| safe(x[0]).logdet());
        shapes.map(det).into_iter().chain(shapes.map(log)).collect()
    }
}
