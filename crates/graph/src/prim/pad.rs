//! Zeros around and between the elements of an axis: the transpose of slicing.

use chainrule_tensor::{Error, Layout, shape};

use super::rows::Rows;
use super::slice::{Slice, fits};
use super::{Derivative, Lowering, Op, Primitive, Sample, within};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::types::Type;
use crate::var::Var;

/// Zeros of length `len` along `axis`, with the argument's elements at `before`, `before + step`, ….
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pad {
    pub(crate) axis: usize,
    pub(crate) before: usize,
    pub(crate) step: usize,
    pub(crate) len: usize,
}

impl<'g> Var<'g> {
    /// `before` zeros in front of `axis` and `after` behind.
    #[track_caller]
    pub fn pad(self, axis: isize, before: usize, after: usize) -> Var<'g> {
        self.shaped(|own| {
            let axis = shape::axis("pad", axis, &own)?;
            // Too long an axis for a `usize` is refused as too long for any memory.
            let len = before.saturating_add(own[axis]).saturating_add(after);
            Ok(self.pad_to(Pad { axis, before, step: 1, len }))
        })
    }

    #[track_caller]
    pub(crate) fn pad_to(self, pad: Pad) -> Var<'g> {
        let whole = self.shape().get(pad.axis) == Some(&pad.len);
        if whole { self } else { self.record(Op::Pad(pad), &[]) }
    }
}

impl Primitive for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn attributes(&self) -> String {
        format!("axis={} before={} step={} len={}", self.axis, self.before, self.step, self.len)
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let own = &args[0].shape;
        within("pad", own, self.axis + 1)?;
        // A length that no `usize` holds stands for any that no memory holds.
        if self.len != usize::MAX && !fits(self.before, own[self.axis], self.step, self.len) {
            let why = format!("that axis does not lie in {}", self.attributes());
            return Err(Error::shape("pad", [&own[..]], why).into());
        }
        Ok(args[0].shaped(own.with(self.axis, self.len)))
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Linear(|p, _, ct, s| {
            let len = s.x[0].shape()[p.axis];
            ct.slice_to(Slice { axis: p.axis, start: p.before, len, step: p.step })
        })
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.each(0).pad_to(Pad { axis: self.axis + 1, ..self.clone() })
    }

    fn lower(&self, args: &[Layout], ty: &Type) -> Lowering {
        let whole = Layout::contiguous(ty.shape.clone());
        let to = whole.slice(self.axis, self.before, args[0].shape[self.axis], self.step as isize);
        Lowering::Kernel(Call::Place { parts: vec![(args[0].clone(), to)], fill: true })
    }

    fn strided(&self) -> bool {
        true
    }

    fn samples() -> Vec<Sample> {
        vec![
            Sample::new("pad (2, 3) by 1 and 2", &[&[2, 3]], -2.0..2.0, |x| x[0].pad(1, 1, 2).square()),
            Sample::new("pad a transpose", &[&[2, 3]], -2.0..2.0, |x| x[0].t().pad(0, 0, 1).square()),
            Sample::new("pad no elements", &[&[0]], -2.0..2.0, |x| x[0].pad(0, 1, 1).square()),
            Sample::new("pad (1,)", &[&[1]], -2.0..2.0, |x| x[0].pad(0, 0, 2).square()),
        ]
    }
}
