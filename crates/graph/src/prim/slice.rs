//! Part of an axis: the transpose of padding.

use std::ops::Range;

use chainrule_tensor::{Layout, shape};

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample};
use crate::error::ErrorKind;
use crate::ir::Type;
use crate::var::Var;

/// Elements `start`, `start + step`, …, `len` of them, of one axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slice {
    pub(crate) axis: usize,
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) step: usize,
}

impl<'g> Var<'g> {
    /// Elements `range` of `axis`.
    #[track_caller]
    pub fn slice(self, axis: isize, range: Range<usize>) -> Var<'g> {
        self.slice_step(axis, range, 1)
    }

    /// Every `step`-th element of `range` of `axis`.
    #[track_caller]
    pub fn slice_step(self, axis: isize, range: Range<usize>, step: usize) -> Var<'g> {
        let shape = self.shape();
        let checked = shape::axis("slice", axis, &shape).and_then(|axis| {
            if range.start > range.end || range.end > shape[axis] || step == 0 {
                let why =
                    format!("{range:?} by {step} does not lie in axis {axis} of length {}", shape[axis]);
                return Err(chainrule_tensor::Error::shape("slice", [&shape[..]], why));
            }
            Ok(axis)
        });
        self.try_record(checked, |axis| {
            let len = range.len().div_ceil(step);
            // Beyond the axis every step is the same, and longer ones would overflow a stride.
            self.slice_to(Slice { axis, start: range.start, len, step: step.min(shape[axis].max(1)) })
        })
    }

    #[track_caller]
    pub(crate) fn slice_to(self, slice: Slice) -> Var<'g> {
        if slice.len == self.shape()[slice.axis] { self } else { self.record(Op::Slice(slice), &[]) }
    }
}

impl Primitive for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn attributes(&self) -> String {
        format!("axis={} start={} len={} step={}", self.axis, self.start, self.len, self.step)
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        Ok(args[0].shaped(args[0].shape.with(self.axis, self.len)))
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Linear(|p, _, ct, s| {
            let n = s.x[0].shape()[p.axis];
            ct.pad_to(super::pad::Pad { axis: p.axis, before: p.start, step: p.step, len: n })
        })
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.each(0).slice_to(Slice { axis: self.axis + 1, ..self.clone() })
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        Lowering::View(Some(args[0].slice(self.axis, self.start, self.len, self.step as isize)))
    }

    fn samples() -> Vec<Sample> {
        vec![
            Sample::new("slice 1..3 of (4, 2)", &[&[4, 2]], -2.0..2.0, |x| x[0].slice(0, 1..3).square()),
            Sample::new("slice by 2 of (2, 5)", &[&[2, 5]], -2.0..2.0, |x| {
                x[0].slice_step(-1, 0..5, 2).square()
            }),
            Sample::new("empty slice of (3,)", &[&[3]], -2.0..2.0, |x| x[0].slice(0, 1..1).square()),
            Sample::new("slice of no elements (0, 4)", &[&[0, 4]], -2.0..2.0, |x| {
                x[0].slice(1, 1..3).square()
            }),
            Sample::new("empty slice of (1,)", &[&[1]], -2.0..2.0, |x| x[0].slice(0, 1..1).square()),
        ]
    }
}
