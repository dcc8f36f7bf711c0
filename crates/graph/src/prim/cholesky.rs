//! The Cholesky factor of a positive definite matrix.

use std::panic::Location;

use chainrule_tensor::Layout;
use chainrule_tensor::kernels::Kind;

use super::rows::Rows;
use super::solve::square;
use super::{Derivative, Lowering, Op, Primitive, Sample, Site, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::types::Type;
use crate::var::Var;

/// The lower triangular L with L Lᵀ equal to the symmetric argument (…, n, n).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cholesky;

impl<'g> Var<'g> {
    /// The lower triangular L with L Lᵀ = (A + Aᵀ)/2, for positive definite matrices A (…, n, n). The graph fails when
    /// it runs on another matrix.
    #[track_caller]
    pub fn cholesky(self) -> Var<'g> {
        let _here = self.graph.blame("cholesky", Location::caller());
        self.shaped(|own| {
            square("cholesky", &own)?;
            Ok(((self + self.t()) * 0.5).record(Op::Cholesky(Cholesky), &[]))
        })
    }
}

/// L̇ = L Φ(L⁻¹ Ȧ L⁻ᵀ), where Φ takes the lower triangle and half the diagonal (Murray 2016, "Differentiation of the
/// Cholesky decomposition").
fn tangent<'g>(t: Var<'g>, site: &Site<'_, 'g>) -> Var<'g> {
    let l = site.y;
    let inner = l.solve_lower(l.solve_lower(t).t());
    l.matmul((inner.tril(0) + inner.tril(-1)) * 0.5)
}

impl Primitive for Cholesky {
    fn name(&self) -> &'static str {
        "cholesky"
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        if args[0].kind != Kind::Real {
            let why = format!("does not take {}; cast it with .real() first", args[0]);
            return Err(wrong_kind("cholesky", why));
        }
        square("cholesky", &args[0].shape)?;
        Ok(args[0].clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Nonlinear(|_, t, s| t[0].map_or_else(|| s.y.like(0.0), |t| tangent(t, s)))
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(*self)
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        let shape = &args[0].shape;
        let batch = shape[..shape.len() - 2].iter().product();
        Lowering::Kernel(Call::Cholesky { dims: [batch, shape[shape.len() - 1]] })
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 4] = [&[3, 3], &[1, 1], &[2, 2, 2], &[0, 2, 2]];
        let sample = |s: &[usize]| {
            Sample::new(&format!("cholesky of {s:?}"), &[s], -1.0..1.0, |x| {
                // x xᵀ + 1 is positive definite, whatever x is.
                let n = x[0].shape()[x[0].rank() - 1];
                let one = x[0].graph().iota([n, n], 0).equal(x[0].graph().iota([n, n], 1)).real();
                (x[0].matmul(x[0].t()) + one).cholesky()
            })
        };
        shapes.map(sample).into()
    }
}
