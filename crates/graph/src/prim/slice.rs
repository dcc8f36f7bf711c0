//! Part of an axis: the transpose of padding.

use std::ops::Range;

use chainrule_tensor::{Error, Layout, shape};

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample, within};
use crate::error::ErrorKind;
use crate::types::Type;
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
        self.shaped(|own| {
            let axis = shape::axis("slice", axis, &own)?;
            let n = own[axis];
            if range.start > range.end || range.end > n || step == 0 {
                let why = format!("{range:?} by {step} does not lie in axis {axis} of length {n}");
                return Err(Error::shape("slice", [&own[..]], why));
            }
            let len = range.len().div_ceil(step);
            // Beyond the axis every step is the same, and longer ones would overflow a stride.
            Ok(self.slice_to(Slice { axis, start: range.start, len, step: step.min(n.max(1)) }))
        })
    }

    #[track_caller]
    pub(crate) fn slice_to(self, slice: Slice) -> Var<'g> {
        let whole = self.shape().get(slice.axis) == Some(&slice.len);
        if whole { self } else { self.record(Op::Slice(slice), &[]) }
    }
}

/// Whether elements `start`, `start + step`, …, `len` of them, lie in an axis of length `n`.
pub(crate) fn fits(start: usize, len: usize, step: usize, n: usize) -> bool {
    let last = len.checked_sub(1).map(|gaps| gaps.checked_mul(step).and_then(|way| way.checked_add(start)));
    last.is_none_or(|last| last.is_some_and(|last| last < n))
}

impl Primitive for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn attributes(&self) -> String {
        format!("axis={} start={} len={} step={}", self.axis, self.start, self.len, self.step)
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let own = &args[0].shape;
        within("slice", own, self.axis + 1)?;
        if !fits(self.start, self.len, self.step, own[self.axis]) {
            let why = format!("{} does not lie in that axis", self.attributes());
            return Err(Error::shape("slice", [&own[..]], why).into());
        }
        Ok(args[0].shaped(own.with(self.axis, self.len)))
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
