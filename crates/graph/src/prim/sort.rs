//! Sorting: positions first, values by looking them up.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::order::Order;
use chainrule_tensor::{Layout, shape};

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::types::Type;
use crate::var::Var;

/// The positions that sort the last axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArgSort {
    order: Order,
}

impl<'g> Var<'g> {
    /// The positions that sort `axis`. Equal elements stay in their order; NaN counts as greater than every number.
    #[track_caller]
    pub fn argsort(self, axis: isize, order: Order) -> Var<'g> {
        self.shaped(|own| {
            let axis = shape::axis("argsort", axis, &own)?;
            Ok(self.axis_last(axis).record(Op::ArgSort(ArgSort { order }), &[]).last_axis_to(axis))
        })
    }

    /// The elements of `axis` in order; see [`argsort`](Var::argsort). Each passes its derivative to where it came from.
    #[track_caller]
    pub fn sort(self, axis: isize, order: Order) -> Var<'g> {
        let _here = self.graph.blame("sort", Location::caller());
        self.take_along_axis(axis, self.argsort(axis, order))
    }

    /// The `k` greatest elements along `axis`, greatest first, and their positions.
    #[track_caller]
    pub fn top_k(self, k: usize, axis: isize) -> (Var<'g>, Var<'g>) {
        let _here = self.graph.blame("top_k", Location::caller());
        let positions = self.argsort(axis, Order::Descending).slice(axis, 0..k);
        (self.take_along_axis(axis, positions), positions)
    }
}

impl Primitive for ArgSort {
    fn name(&self) -> &'static str {
        "argsort"
    }

    fn attributes(&self) -> String {
        format!("{:?}", self.order).to_lowercase()
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        if args[0].kind == Kind::Truth {
            return Err(wrong_kind("argsort", format!("does not take {}; cast it first", args[0])));
        }
        Ok(Type { shape: args[0].shape.clone(), kind: Kind::Int })
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Flat("a position has no derivative")
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(*self)
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        let n = args[0].shape.last().copied().unwrap_or(1);
        let rows = args[0].shape.iter().rev().skip(1).product();
        Lowering::Kernel(Call::ArgSort { order: self.order, dims: [rows, n] })
    }

    fn samples() -> Vec<Sample> {
        vec![
            Sample::new("sort (5,), weighted", &[&[5]], -2.0..2.0, |x| {
                x[0].sort(0, Order::Ascending) * x[0].graph().iota([5], 0).real()
            }),
            Sample::new("sort axis 0 of (3, 2)", &[&[3, 2]], -2.0..2.0, |x| {
                x[0].sort(0, Order::Descending).square().cumsum(0)
            }),
            Sample::new("sort of no elements (2, 0)", &[&[2, 0]], -2.0..2.0, |x| {
                x[0].sort(1, Order::Ascending).square()
            }),
            Sample::new("sort of one element (1,)", &[&[1]], -2.0..2.0, |x| {
                x[0].sort(0, Order::Ascending).square()
            }),
            Sample::new("the 2 greatest of each row of (2, 4)", &[&[2, 4]], -2.0..2.0, |x| {
                x[0].top_k(2, 1).0.cumsum(1).square()
            }),
        ]
    }
}
