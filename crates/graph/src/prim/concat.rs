//! Values side by side along an axis.

use std::panic::Location;

use chainrule_tensor::{Layout, shape};

use super::rows::Rows;
use super::slice::Slice;
use super::{Derivative, Lowering, Primitive, Sample, within, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::ir::Graph;
use crate::types::Type;
use crate::var::Var;

/// The arguments joined along `axis`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Concat {
    axis: usize,
    /// Where each argument begins along the axis.
    starts: Vec<usize>,
}

impl Graph {
    /// `parts` joined along `axis`, which each of them has; all other axes must be equal.
    #[track_caller]
    pub fn concat<'g>(&'g self, parts: &[Var<'g>], axis: isize) -> Var<'g> {
        let Some(first) = parts.first() else {
            let at = self.origin(Location::caller());
            let why = "needs at least one operand".into();
            let error = crate::Error::new(chainrule_tensor::Error::Value { op: "concat", why });
            return self.poison(error.placed(at));
        };
        if let Some(refused) = self.refused("concat", parts) {
            return refused;
        }
        first.shaped(|own| {
            let axis = shape::axis("concat", axis, &own)?;
            Ok(self.record(Concat::of(axis, parts).into(), parts))
        })
    }

    /// `parts` of equal shape along a new axis.
    #[track_caller]
    pub fn stack<'g>(&'g self, parts: &[Var<'g>], axis: isize) -> Var<'g> {
        if let Some(refused) = self.refused("stack", parts) {
            return refused;
        }
        let _here = self.blame("stack", Location::caller());
        let parts: Vec<_> = parts.iter().map(|p| p.insert_axis(axis)).collect();
        self.concat(&parts, axis)
    }
}

impl Concat {
    fn of(axis: usize, parts: &[Var<'_>]) -> Self {
        let mut end: usize = 0;
        // A part without the axis, and one too long for any memory, are refused by `infer`.
        let start = |part: &Var<'_>| {
            let len = part.shape().get(axis).copied().unwrap_or(0);
            let next = end.saturating_add(len);
            std::mem::replace(&mut end, next)
        };
        Concat { axis, starts: parts.iter().map(start).collect() }
    }
}

impl Primitive for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn attributes(&self) -> String {
        format!("axis={}", self.axis)
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        if let Some(other) = args.iter().find(|a| a.kind != args[0].kind) {
            return Err(wrong_kind("concat", format!("joins {} with {other}; cast one", args[0])));
        }
        within("concat", &args[0].shape, self.axis + 1)?;
        let shapes: Vec<&[usize]> = args.iter().map(|a| &a.shape[..]).collect();
        Ok(args[0].shaped(shape::concat(&shapes, self.axis)?))
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Linear(|p, i, ct, s| {
            let len = s.x[i].shape()[p.axis];
            ct.slice_to(Slice { axis: p.axis, start: p.starts[i], len, step: 1 })
        })
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(Concat { axis: self.axis + 1, starts: self.starts.clone() })
    }

    fn lower(&self, args: &[Layout], ty: &Type) -> Lowering {
        let whole = Layout::contiguous(ty.shape.clone());
        let place = |(from, start): (&Layout, &usize)| {
            (from.clone(), whole.slice(self.axis, *start, from.shape[self.axis], 1))
        };
        Lowering::Kernel(Call::Place {
            parts: args.iter().zip(&self.starts).map(place).collect(),
            fill: false,
        })
    }

    fn strided(&self) -> bool {
        true
    }

    fn samples() -> Vec<Sample> {
        vec![
            Sample::new("concat (2, 1) and (2, 2)", &[&[2, 1], &[2, 2]], -2.0..2.0, |x| {
                x[0].graph().concat(x, 1).square()
            }),
            Sample::new("concat (1,) and (2,)", &[&[1], &[2]], -2.0..2.0, |x| {
                x[0].graph().concat(x, 0).square()
            }),
            Sample::new("concat (0,) and (2,)", &[&[0], &[2]], -2.0..2.0, |x| {
                x[0].graph().concat(x, 0).square()
            }),
            Sample::new("concat x and x", &[&[3]], -2.0..2.0, |x| {
                x[0].graph().concat(&[x[0], x[0]], 0).square()
            }),
            Sample::new("stack two (2, 2)", &[&[2, 2], &[2, 2]], -2.0..2.0, |x| {
                x[0].graph().stack(&[x[0].t(), x[1]], 1).square()
            }),
        ]
    }
}
