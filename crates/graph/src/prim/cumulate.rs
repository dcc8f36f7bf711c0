//! Running sums.

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Layout, shape};

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample, within, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::types::Type;
use crate::var::Var;

/// Running sums along `axis`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CumSum {
    axis: usize,
}

impl<'g> Var<'g> {
    /// Running sums along `axis`: element i is the sum of elements 0 to i. From the other end:
    /// `x.flip(axis).cumsum(axis).flip(axis)`.
    #[track_caller]
    pub fn cumsum(self, axis: isize) -> Var<'g> {
        self.shaped(|own| {
            let axis = shape::axis("cumsum", axis, &own)?;
            Ok(self.record(Op::CumSum(CumSum { axis }), &[]))
        })
    }
}

impl Primitive for CumSum {
    fn name(&self) -> &'static str {
        "cumsum"
    }

    fn attributes(&self) -> String {
        format!("axis={}", self.axis)
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        if args[0].kind == Kind::Truth {
            return Err(wrong_kind("cumsum", format!("does not take {}; cast it first", args[0])));
        }
        within("cumsum", &args[0].shape, self.axis + 1)?;
        Ok(args[0].clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Linear(|p, _, ct, _| {
            let axis = p.axis as isize;
            ct.flip(axis).cumsum(axis).flip(axis)
        })
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(CumSum { axis: self.axis + 1 })
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        let shape = &args[0].shape;
        let size = |axes: &[usize]| axes.iter().product::<usize>();
        let dims = [size(&shape[..self.axis]), shape[self.axis], size(&shape[self.axis + 1..])];
        Lowering::Kernel(Call::CumSum { dims })
    }

    fn samples() -> Vec<Sample> {
        let shapes: [(&[usize], isize); 6] =
            [(&[4], 0), (&[2, 3], 0), (&[2, 3], 1), (&[2, 3, 2], 1), (&[1], 0), (&[2, 0], 1)];
        let sample = |(s, axis): (&[usize], isize)| {
            let name = format!("cumsum along axis {axis} of {s:?}");
            Sample::new(&name, &[s], -2.0..2.0, move |x| x[0].cumsum(axis).square())
        };
        shapes.map(sample).into()
    }
}
