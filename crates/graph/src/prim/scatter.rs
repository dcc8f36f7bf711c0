//! Values added at places given by index: the transpose of picking.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::gather::Lengths;
use chainrule_tensor::{Layout, Shape, shape};

use super::gather::{Gather, along, check, picks};
use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::types::Type;
use crate::var::Var;

/// From `updates` (B…, I…, R…) and integers `index` (B…, I…): zeros of (B…, n, R…) with each update added at
/// `[b, index[b, i], r]`, where B are the first `batch` axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScatterAdd {
    pub(crate) batch: usize,
    pub(crate) n: usize,
}

impl<'g> Var<'g> {
    /// This value with `updates` added to the entries of `axis` that the integers `index` name, as often as each is
    /// named. `updates` have the shape that [`take`](Var::take) of the same index has.
    ///
    /// A negative index counts from the end. The graph fails when it runs on an index out of range.
    #[track_caller]
    pub fn scatter_add(self, axis: isize, index: Var<'g>, updates: Var<'g>) -> Var<'g> {
        let _here = self.graph.blame("scatter_add", Location::caller());
        if let Some(refused) = self.graph.refused("scatter_add", &[index, updates]) {
            return refused;
        }
        self.shaped(|own| {
            let axis = shape::axis("scatter_add", axis, &own)?;
            let (before, after) = (&own[..axis], &own[axis + 1..]);
            let repeated: Shape = before.iter().chain(index.shape().iter()).copied().collect();
            let wanted: Shape = repeated.iter().chain(after).copied().collect();
            if wanted != updates.shape() {
                let why = format!("updates for these indices into axis {axis} must be {wanted}");
                let shapes = [&own[..], &index.shape()[..], &updates.shape()[..]];
                return Err(chainrule_tensor::Error::shape("scatter_add", shapes, why));
            }
            let scatter = ScatterAdd { batch: axis, n: own[axis] };
            Ok(self + updates.record(Op::ScatterAdd(scatter), &[index.broadcast_to(repeated)]))
        })
    }

    /// This value with each element of `updates` added to the element whose coordinate on `axis` stands at the same
    /// position of `index`, and whose other coordinates are those of the update: the transpose of
    /// [`take_along_axis`](Var::take_along_axis).
    #[track_caller]
    pub fn scatter_add_along_axis(self, axis: isize, index: Var<'g>, updates: Var<'g>) -> Var<'g> {
        let _here = self.graph.blame("scatter_add_along_axis", Location::caller());
        if let Some(refused) = self.graph.refused("scatter_add_along_axis", &[index, updates]) {
            return refused;
        }
        self.shaped(|own| {
            let axis = along("scatter_add_along_axis", axis, &own, &index.shape())?;
            if index.shape() != updates.shape() {
                let shapes = [&index.shape()[..], &updates.shape()[..]];
                let why = "there must be one update for each index";
                return Err(chainrule_tensor::Error::shape("scatter_add_along_axis", shapes, why));
            }
            let scatter = ScatterAdd { batch: own.len() - 1, n: own[axis] };
            let (updates, index) = (updates.axis_last(axis), index.axis_last(axis));
            Ok(self + updates.record(Op::ScatterAdd(scatter), &[index]).last_axis_to(axis))
        })
    }
}

impl Primitive for ScatterAdd {
    fn name(&self) -> &'static str {
        "scatter_add"
    }

    fn attributes(&self) -> String {
        format!("batch={} n={}", self.batch, self.n)
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let (updates, index) = (args[0], args[1]);
        check("scatter_add", self.batch, updates, index)?;
        if updates.kind == Kind::Truth {
            return Err(wrong_kind("scatter_add", format!("does not add {updates}; cast it first")));
        }
        let rank = index.shape.len();
        if updates.shape.len() < rank || updates.shape[..rank] != index.shape[..] {
            let why = "updates must begin with the axes of their indices";
            let shapes = [&updates.shape[..], &index.shape[..]];
            return Err(chainrule_tensor::Error::shape("scatter_add", shapes, why).into());
        }
        let (before, after) = (&updates.shape[..self.batch], &updates.shape[rank..]);
        Ok(updates.shaped(before.iter().chain([&self.n]).chain(after).copied().collect::<Shape>()))
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Multilinear(&[0], |p, _, ct, s| {
            ct.record(Op::Gather(Gather { batch: p.batch }), &[s.x[1]])
        })
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(ScatterAdd { batch: self.batch + 1, n: self.n })
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        let (updates, index) = (&args[0].shape, &args[1].shape);
        let size = |axes: &[usize]| axes.iter().product::<usize>();
        Lowering::Kernel(Call::ScatterAdd(Lengths {
            batch: size(&index[..self.batch]),
            n: self.n,
            picked: size(&index[self.batch..]),
            inner: size(&updates[index.len()..]),
        }))
    }

    fn samples() -> Vec<Sample> {
        vec![
            Sample::new("scatter_add (4,) into (3,)", &[&[3], &[4]], -2.0..2.0, |x| {
                x[0].scatter_add(0, picks(x[0], &[4], 3), x[1]).square()
            }),
            Sample::new("scatter_add rows (2, 2, 2) into (3, 2)", &[&[3, 2], &[2, 2, 2]], -2.0..2.0, |x| {
                x[0].scatter_add(0, picks(x[0], &[2, 2], 3), x[1]).square()
            }),
            Sample::new("scatter_add columns (2, 4) into (2, 3)", &[&[2, 3], &[2, 4]], -2.0..2.0, |x| {
                x[0].scatter_add(1, picks(x[0], &[4], 3), x[1]).square()
            }),
            Sample::new(
                "scatter_add along axis 0, (4, 2) into (3, 2)",
                &[&[3, 2], &[4, 2]],
                -2.0..2.0,
                |x| x[0].scatter_add_along_axis(0, picks(x[0], &[4, 2], 3), x[1]).square(),
            ),
            Sample::new("scatter_add one number (,) into (1,)", &[&[1], &[]], -2.0..2.0, |x| {
                x[0].scatter_add(0, picks(x[0], &[], 1), x[1]).square()
            }),
            Sample::new("scatter_add nothing (0, 2) into (3, 2)", &[&[3, 2], &[0, 2]], -2.0..2.0, |x| {
                x[0].scatter_add(0, picks(x[0], &[0], 3), x[1]).square()
            }),
        ]
    }
}
