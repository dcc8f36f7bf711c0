//! Determinants, as sign and logarithm.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Layout, Shape};

use super::rows::Rows;
use super::solve::{safe, square};
use super::{Derivative, Lowering, Op, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::kernel::Kernel;
use crate::ir::Type;
use crate::var::Var;

/// The sign of the determinant, or the logarithm of its magnitude, of each matrix (…, n, n).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Determinant {
    sign: bool,
}

impl<'g> Var<'g> {
    /// Sign (−1, 0 or 1) and logarithm of the magnitude (−∞ for 0) of the determinant of each matrix (…, n, n). Does not
    /// overflow where the determinant would.
    #[track_caller]
    pub fn slogdet(self) -> (Var<'g>, Var<'g>) {
        let _here = self.graph.blame("slogdet", Location::caller());
        let part = |sign: bool| self.shaped(|_| Ok(self.record(Op::Determinant(Determinant { sign }), &[])));
        (part(true), part(false))
    }

    /// The logarithm of the magnitude of the determinant of each matrix (…, n, n). Its derivative is the transposed
    /// inverse; the graph fails when it differentiates at a singular matrix.
    #[track_caller]
    pub fn logdet(self) -> Var<'g> {
        let _here = self.graph.blame("logdet", Location::caller());
        self.slogdet().1
    }

    /// The determinant of each matrix (…, n, n). The graph fails when it differentiates at a singular matrix.
    #[track_caller]
    pub fn det(self) -> Var<'g> {
        let _here = self.graph.blame("det", Location::caller());
        let (sign, log) = self.slogdet();
        sign * log.exp()
    }
}

impl Primitive for Determinant {
    fn name(&self) -> &'static str {
        if self.sign { "det_sign" } else { "logdet" }
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let ty = args[0];
        if ty.kind != Kind::Real {
            return Err(wrong_kind("slogdet", format!("does not take {ty}; cast it with .real() first")));
        }
        square("slogdet", &ty.shape)?;
        Ok(ty.shaped(ty.shape[..ty.shape.len() - 2].iter().copied().collect::<Shape>()))
    }

    fn derivative(&self) -> Derivative<Self> {
        if self.sign {
            return Derivative::Flat("the sign is constant between its jumps");
        }
        // d ln|det A| = tr(A⁻¹ dA)
        Derivative::Nonlinear(|_, t, s| match t[0] {
            Some(t) => (s.x[0].inverse().t() * t).sum(&[-2, -1]),
            None => s.y.like(0.0),
        })
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(*self)
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        let shape = &args[0].shape;
        let batch = shape[..shape.len() - 2].iter().product();
        Lowering::Kernel(Kernel::Determinant { sign: self.sign, dims: [batch, shape[shape.len() - 1]] })
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
