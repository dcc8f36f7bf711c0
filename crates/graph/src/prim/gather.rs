//! Elements picked by index.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::gather::Lengths;
use chainrule_tensor::{Layout, Shape, shape};
use smallvec::SmallVec;

use super::rows::Rows;
use super::scatter::ScatterAdd;
use super::{Derivative, Lowering, Op, Primitive, Sample, within, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::types::Type;
use crate::var::Var;

/// From `x` (B…, n, R…) and integers `index` (B…, I…): `x[b, index[b, i], r]`, of shape (B…, I…, R…), where B are the
/// first `batch` axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gather {
    pub(crate) batch: usize,
}

impl<'g> Var<'g> {
    /// Entries of `axis`, picked by the integers `index` of any shape, which takes the place of `axis` in the result:
    /// rows of an embedding table for a batch of words are `table.take(0, words)`.
    ///
    /// A negative index counts from the end. The graph fails when it runs on an index out of range.
    #[track_caller]
    pub fn take(self, axis: isize, index: Var<'g>) -> Var<'g> {
        let _here = self.graph.blame("take", Location::caller());
        if let Some(refused) = self.graph.refused("take", &[index]) {
            return refused;
        }
        self.shaped(|own| {
            let axis = shape::axis("take", axis, &own)?;
            let repeated: Shape = own[..axis].iter().chain(index.shape().iter()).copied().collect();
            Ok(self.record(Op::Gather(Gather { batch: axis }), &[index.broadcast_to(repeated)]))
        })
    }

    /// For each position of `index`, the element of this value at that position with the coordinate on `axis` given
    /// by `index`: what [`argmax`](Var::argmax) and [`argsort`](Var::argsort) give can be looked up so. There are as
    /// many axes on both sides, and all but `axis` broadcast.
    #[track_caller]
    pub fn take_along_axis(self, axis: isize, index: Var<'g>) -> Var<'g> {
        let _here = self.graph.blame("take_along_axis", Location::caller());
        if let Some(refused) = self.graph.refused("take_along_axis", &[index]) {
            return refused;
        }
        self.shaped(|own| {
            let op = "take_along_axis";
            let (axis, other) = (shape::axis(op, axis, &own)?, index.shape());
            if own.len() != other.len() {
                let why = "there must be as many axes on both sides";
                return Err(chainrule_tensor::Error::shape(op, [&own[..], &other[..]], why));
            }
            let common = shape::broadcast(op, &own.clone().with(axis, 1), &other.clone().with(axis, 1))?;
            let index = index.broadcast_to(common.clone().with(axis, other[axis]));
            let batch = own.len() - 1;
            let x = self.broadcast_to(common.with(axis, own[axis]));
            let picked = x.axis_last(axis).record(Op::Gather(Gather { batch }), &[index.axis_last(axis)]);
            Ok(picked.last_axis_to(axis))
        })
    }

    /// `axis` moved behind all others.
    #[track_caller]
    pub(crate) fn axis_last(self, axis: usize) -> Var<'g> {
        self.shaped(|own| {
            let others = (0..own.len()).filter(|a| *a != axis);
            Ok(self.permute_to(others.chain([axis]).collect()))
        })
    }

    /// The last axis moved to position `axis`.
    #[track_caller]
    pub(crate) fn last_axis_to(self, axis: usize) -> Var<'g> {
        self.shaped(|own| {
            let mut axes: SmallVec<[usize; 4]> = (0..own.len()).collect();
            axes[axis..].rotate_right(1);
            Ok(self.permute_to(axes))
        })
    }
}

/// `axis` as a position, if `x` and `index` are equal but for it.
pub(crate) fn along(
    op: &'static str,
    axis: isize,
    x: &Shape,
    index: &Shape,
) -> chainrule_tensor::Result<usize> {
    let at = shape::axis(op, axis, x)?;
    if x.len() == index.len() && x.without(at) == index.without(at) {
        return Ok(at);
    }
    let why = format!("all axes but {at} must be equal");
    Err(chainrule_tensor::Error::shape(op, [&x[..], &index[..]], why))
}

/// Whether `index` is made of integers and shares the first `batch` axes of `x`.
pub(crate) fn check(op: &'static str, batch: usize, x: &Type, index: &Type) -> Result<(), ErrorKind> {
    if index.kind != Kind::Int {
        return Err(wrong_kind(op, format!("indices are integers, not {index}; convert them with .int()")));
    }
    if x.shape.len() < batch || index.shape.len() < batch || x.shape[..batch] != index.shape[..batch] {
        let why = format!("the first {batch} axes must be equal");
        return Err(chainrule_tensor::Error::shape(op, [&x.shape[..], &index.shape[..]], why).into());
    }
    Ok(())
}

impl Primitive for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn attributes(&self) -> String {
        format!("batch={}", self.batch)
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let (x, index) = (args[0], args[1]);
        check("gather", self.batch, x, index)?;
        within("gather", &x.shape, self.batch + 1)?;
        Ok(x.shaped(index.shape.iter().chain(&x.shape[self.batch + 1..]).copied().collect::<Shape>()))
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Multilinear(&[0], |p, _, ct, s| {
            let n = s.x[0].shape()[p.batch];
            ct.record(Op::ScatterAdd(ScatterAdd { batch: p.batch, n }), &[s.x[1]])
        })
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        match (rows.arg(0), rows.arg(1)) {
            // One table for all: more indices into it.
            ((x, false), (index, _)) if self.batch == 0 => x.record(Op::Gather(*self), &[index]),
            _ => rows.record(Gather { batch: self.batch + 1 }),
        }
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        let (x, index) = (&args[0].shape, &args[1].shape);
        let size = |axes: &[usize]| axes.iter().product::<usize>();
        Lowering::Kernel(Call::Gather(Lengths {
            batch: size(&x[..self.batch]),
            n: x[self.batch],
            picked: size(&index[self.batch..]),
            inner: size(&x[self.batch + 1..]),
        }))
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for (x, axis, index) in [
            (vec![3], 0, vec![]),
            (vec![3], 0, vec![4]),
            (vec![3, 2], 0, vec![2, 2]),
            (vec![2, 3], 1, vec![4]),
            (vec![2, 3, 2], 1, vec![2]),
            (vec![2, 3], 0, vec![0]),
            (vec![1], 0, vec![2]),
            (vec![1, 0], 0, vec![2]),
        ] {
            let name = format!("take {index:?} from axis {axis} of {x:?}");
            all.push(Sample::new(&name, &[&x.clone()], -2.0..2.0, move |v| {
                let index = picks(v[0], &index, x[axis]);
                v[0].take(axis as isize, index).square()
            }));
        }
        all.push(Sample::new("take along axis 0 of a transpose", &[&[2, 3]], -2.0..2.0, |v| {
            let index = picks(v[0], &[4, 2], 3);
            v[0].t().take_along_axis(0, index).square()
        }));
        all
    }
}

/// Integers in `-n..n` of `shape`, some of them twice.
pub(crate) fn picks<'g>(v: Var<'g>, shape: &[usize], n: usize) -> Var<'g> {
    let count = shape.iter().product::<usize>() as i64;
    let n = n.max(1) as i64;
    let values: Vec<i64> = (0..count).map(|i| (i * i + i + 1) % (2 * n) - n).collect();
    let flat = v.graph().constant(chainrule_tensor::Tensor::from(values));
    flat.reshape_to(shape.into())
}
