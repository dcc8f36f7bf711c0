//! Keys for randomness made of keys and numbers.

use chainrule_tensor::Layout;
use chainrule_tensor::kernels::Kind;

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::kernel::Kernel;
use crate::ir::Type;
use crate::var::Var;

/// A new key for each key (the last axis, of two integers) and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FoldIn;

impl<'g> Var<'g> {
    /// A key made of this one, a pair of integers, and `number`, a single integer: other numbers give keys whose
    /// draws are independent of each other's and of this key's own.
    ///
    /// ```
    /// use chainrule_graph::Graph;
    /// use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// let key = g.constant(Tensor::from([7_i64, 0]));
    /// let draw = |i: i64| key.fold_in(g.constant(i)).uniform("noise", [3]).value();
    /// assert!(draw(0)? == draw(0)? && draw(0)? != draw(1)?);
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn fold_in(self, number: Var<'g>) -> Var<'g> {
        self.record(Op::FoldIn(FoldIn), &[number])
    }
}

impl Primitive for FoldIn {
    fn name(&self) -> &'static str {
        "fold_in"
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let (key, number) = (args[0], args[1]);
        let fits = key.shape.split_last().is_some_and(|(last, rows)| *last == 2 && *rows == number.shape[..]);
        if fits && [key, number].iter().all(|ty| ty.kind == Kind::Int) {
            return Ok(key.clone());
        }
        Err(wrong_kind("fold_in", format!("takes a key int(2,) and a number int(), not {key} and {number}")))
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Flat("keys are integers")
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(*self)
    }

    fn lower(&self, _: &[Layout], _: &Type) -> Lowering {
        Lowering::Kernel(Kernel::FoldIn)
    }

    fn samples() -> Vec<Sample> {
        vec![Sample::new("x times a mask of a folded key, of (2, 3)", &[&[2, 3]], -2.0..2.0, |x| {
            let g = x[0].graph();
            let key = g.constant(chainrule_tensor::Tensor::from([7_i64, 0])).fold_in(g.constant(3_i64));
            x[0] * key.uniform("mask", [2, 3]).less(0.5).real()
        })]
    }
}
