//! Zeros around and between the elements of an axis: the transpose of slicing.

use chainrule_tensor::{Layout, shape};

use super::rows::Rows;
use super::slice::Slice;
use super::{Derivative, Lowering, Op, Primitive, Sample};
use crate::error::ErrorKind;
use crate::exec::kernel::Kernel;
use crate::ir::Type;
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
        let shape = self.shape();
        self.try_record(shape::axis("pad", axis, &shape), |axis| {
            // Too long an axis for a `usize` is refused as too long for any memory.
            let len = before.saturating_add(shape[axis]).saturating_add(after);
            self.pad_to(Pad { axis, before, step: 1, len })
        })
    }

    #[track_caller]
    pub(crate) fn pad_to(self, pad: Pad) -> Var<'g> {
        if pad.len == self.shape()[pad.axis] { self } else { self.record(Op::Pad(pad), &[]) }
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
        Ok(args[0].shaped(args[0].shape.with(self.axis, self.len)))
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
        Lowering::Kernel(Kernel::Place { parts: vec![(args[0].clone(), to)], fill: true })
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
