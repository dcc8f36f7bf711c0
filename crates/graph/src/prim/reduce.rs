//! Sum, maximum and minimum over axes.

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::reduce::Reduction;
use chainrule_tensor::{Axes, Layout, Shape};

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample, within, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::types::Type;
use crate::var::Var;

/// A reduction of the adjacent axes `start..end`, which disappear.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reduce {
    op: Reduction,
    start: usize,
    end: usize,
}

impl<'g> Var<'g> {
    /// Sum over `axes`: `..`, one, or a list of them; see [`Axes`].
    #[track_caller]
    pub fn sum(self, axes: impl Into<Axes>) -> Var<'g> {
        self.reduce(Reduction::Sum, axes.into())
    }

    /// Greatest element over `axes` (see [`Axes`]). NaN if any is NaN.
    /// Ties share the derivative evenly.
    #[track_caller]
    pub fn max(self, axes: impl Into<Axes>) -> Var<'g> {
        self.reduce(Reduction::Max, axes.into())
    }

    /// Least element over `axes` (see [`Axes`]). NaN if any is NaN.
    /// Ties share the derivative evenly.
    #[track_caller]
    pub fn min(self, axes: impl Into<Axes>) -> Var<'g> {
        self.reduce(Reduction::Min, axes.into())
    }

    #[track_caller]
    fn reduce(self, op: Reduction, wanted: Axes) -> Var<'g> {
        self.shaped(|own| {
            let axes = wanted.of(op.name(), &own)?;
            // One node per run of adjacent axes, last run first so that earlier positions stay valid.
            let mut out = self;
            let mut end = axes.len();
            while end > 0 {
                let mut start = end - 1;
                while start > 0 && axes[start - 1] + 1 == axes[start] {
                    start -= 1;
                }
                out = out.record(Op::Reduce(Reduce { op, start: axes[start], end: axes[end - 1] + 1 }), &[]);
                end = start;
            }
            Ok(if wanted.stay() { out.reshape_to(wanted.left(&own, &axes)) } else { out })
        })
    }
}

impl Reduce {
    /// `y` (a reduction of `x`) repeated over the reduced axes.
    fn spread<'g>(&self, y: Var<'g>, x: Var<'g>) -> Var<'g> {
        let shape = x.shape();
        let kept: Shape = (0..shape.len())
            .map(|i| if (self.start..self.end).contains(&i) { 1 } else { shape[i] })
            .collect();
        y.reshape_to(kept).broadcast_to(shape)
    }

    fn apply<'g>(&self, op: Reduction, x: Var<'g>) -> Var<'g> {
        x.record(Op::Reduce(Reduce { op, ..self.clone() }), &[])
    }
}

impl Primitive for Reduce {
    fn name(&self) -> &'static str {
        self.op.name()
    }

    fn attributes(&self) -> String {
        format!("axes={}..{}", self.start, self.end)
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let ty = args[0];
        if ty.kind == Kind::Truth && self.op == Reduction::Sum {
            return Err(wrong_kind("sum", format!("does not take {ty}; count with .int().sum(…)")));
        }
        within(self.name(), &ty.shape, self.end)?;
        let reduced: usize = ty.shape[self.start..self.end].iter().product();
        if reduced == 0 && matches!(self.op, Reduction::Max | Reduction::Min) {
            let why = "an empty axis has no extreme";
            return Err(chainrule_tensor::Error::shape(self.name(), [&ty.shape[..]], why).into());
        }
        let shape: Shape = ty.shape[..self.start].iter().chain(&ty.shape[self.end..]).copied().collect();
        Ok(ty.shaped(shape))
    }

    fn derivative(&self) -> Derivative<Self> {
        match self.op {
            Reduction::Sum => Derivative::Linear(|p, _, ct, s| p.spread(ct, s.x[0])),
            Reduction::Max | Reduction::Min => Derivative::Nonlinear(|p, t, s| {
                let taken = s.x[0].equal(p.spread(s.y, s.x[0])).real();
                let tangent = t[0].unwrap_or_else(|| s.x[0].like(0.0));
                p.apply(Reduction::Sum, tangent * taken) * (1.0 / p.apply(Reduction::Sum, taken))
            }),
            Reduction::Prod => Derivative::Flat("products are recorded as a recurrence"),
        }
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(Reduce { op: self.op, start: self.start + 1, end: self.end + 1 })
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        let shape = &args[0].shape;
        let size = |axes: &[usize]| axes.iter().product::<usize>();
        let dims = [size(&shape[..self.start]), size(&shape[self.start..self.end]), size(&shape[self.end..])];
        Lowering::Kernel(Call::Reduce { op: self.op, dims })
    }

    fn samples() -> Vec<Sample> {
        let mut all = vec![
            Sample::new("sum of nothing", &[&[0, 3]], -2.0..2.0, |x| x[0].sum(0).square()),
            Sample::new("sum of everything", &[&[2, 3]], -2.0..2.0, |x| x[0].sum(..).square()),
            Sample::new("sum of a transpose", &[&[2, 3]], -2.0..2.0, |x| x[0].t().sum(0).square()),
            Sample::new("sum of axes 0 and 2", &[&[2, 3, 2]], -2.0..2.0, |x| x[0].sum([0, 2]).square()),
        ];
        for op in [Reduction::Sum, Reduction::Max, Reduction::Min] {
            for (shape, axis) in [
                (vec![3], 0),
                (vec![1], 0),
                (vec![2, 3], 0),
                (vec![2, 3], 1),
                (vec![2, 1, 3], 1),
                (vec![0, 2], 1),
            ] {
                let title = format!("{} axis {axis} of {shape:?}", op.name());
                all.push(Sample::new(&title, &[&shape], -2.0..2.0, move |x| {
                    x[0].reduce(op, axis.into()).square()
                }));
            }
        }
        all
    }
}
