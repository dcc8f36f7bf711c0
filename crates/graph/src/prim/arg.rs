//! Where the greatest or least element lies.

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Layout, shape};

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample, within, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::types::Type;
use crate::var::Var;

/// The position of the first greatest (or least) element along `axis`, which disappears.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArgReduce {
    max: bool,
    axis: usize,
}

impl<'g> Var<'g> {
    /// The position of the greatest element along `axis`; the first in a tie, the first NaN if there is one.
    #[track_caller]
    pub fn argmax(self, axis: isize) -> Var<'g> {
        self.arg_reduce(true, axis)
    }

    /// The position of the least element along `axis`; the first in a tie, the first NaN if there is one.
    #[track_caller]
    pub fn argmin(self, axis: isize) -> Var<'g> {
        self.arg_reduce(false, axis)
    }

    #[track_caller]
    fn arg_reduce(self, max: bool, axis: isize) -> Var<'g> {
        self.shaped(|own| {
            let axis = shape::axis(if max { "argmax" } else { "argmin" }, axis, &own)?;
            Ok(self.record(Op::ArgReduce(ArgReduce { max, axis }), &[]))
        })
    }
}

impl Primitive for ArgReduce {
    fn name(&self) -> &'static str {
        if self.max { "argmax" } else { "argmin" }
    }

    fn attributes(&self) -> String {
        format!("axis={}", self.axis)
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let ty = args[0];
        if ty.kind == Kind::Truth {
            return Err(wrong_kind(self.name(), format!("does not take {ty}; cast it with .int() first")));
        }
        within(self.name(), &ty.shape, self.axis + 1)?;
        if ty.shape[self.axis] == 0 {
            let why = "an empty axis has no extreme";
            return Err(chainrule_tensor::Error::shape(self.name(), [&ty.shape[..]], why).into());
        }
        Ok(Type { shape: ty.shape.without(self.axis), kind: Kind::Int })
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Flat("a position has no derivative")
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(ArgReduce { max: self.max, axis: self.axis + 1 })
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        let shape = &args[0].shape;
        let size = |axes: &[usize]| axes.iter().product::<usize>();
        let dims = [size(&shape[..self.axis]), shape[self.axis], size(&shape[self.axis + 1..])];
        Lowering::Kernel(Call::ArgReduce { max: self.max, dims })
    }

    fn samples() -> Vec<Sample> {
        vec![Sample::new("argmax axis 1 of (2, 3), times x", &[&[2, 3]], -2.0..2.0, |x| {
            x[0].argmax(1).real().insert_axis(1) * x[0]
        })]
    }
}
