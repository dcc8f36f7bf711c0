//! The axes in another order.

use chainrule_tensor::{Compound, Layout, shape};
use smallvec::SmallVec;

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample};
use crate::error::ErrorKind;
use crate::types::Type;
use crate::var::Var;

/// Axis `i` of the result is axis `axes[i]` of the argument.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Permute {
    axes: SmallVec<[usize; 4]>,
}

impl Permute {
    /// Whether the last two axes are exchanged and nothing else.
    pub(crate) fn is_transpose(&self) -> bool {
        let n = self.axes.len();
        let other = |i: usize| match n - i {
            1 => n - 2,
            2 => n - 1,
            _ => i,
        };
        n >= 2 && self.axes.iter().enumerate().all(|(i, axis)| *axis == other(i))
    }
}

impl<'g> Var<'g> {
    /// The axes in a new order: axis `i` of the result is `axes[i]` of this.
    #[track_caller]
    pub fn permute(self, axes: impl AsRef<[isize]>) -> Var<'g> {
        self.shaped(|own| Ok(self.permute_to(shape::permute(&own, axes.as_ref())?)))
    }

    /// The last two axes exchanged: the transpose of a matrix, or of each matrix in a batch.
    #[track_caller]
    pub fn t(self) -> Var<'g> {
        self.shaped(|own| {
            let rank = own.len();
            if rank < 2 {
                let why = "a transpose needs at least 2 axes; make a vector a row (1, n) or a column (n, 1)";
                return Err(chainrule_tensor::Error::shape("t", [&own[..]], why));
            }
            let mut axes: SmallVec<[usize; 4]> = (0..rank).collect();
            axes.swap(rank - 2, rank - 1);
            Ok(self.permute_to(axes))
        })
    }

    /// The axes `a` and `b` exchanged.
    #[doc(alias = "transpose")]
    #[track_caller]
    pub fn swap_axes(self, a: isize, b: isize) -> Var<'g> {
        self.shaped(|own| Ok(self.permute_to(shape::swap_axes(&own, a, b)?)))
    }

    #[track_caller]
    pub(crate) fn permute_to(self, axes: SmallVec<[usize; 4]>) -> Var<'g> {
        if axes.is_sorted() { self } else { self.record(Op::Permute(Permute { axes }), &[]) }
    }
}

impl Primitive for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }

    fn attributes(&self) -> String {
        format!("axes={:?}", self.axes)
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let axes: SmallVec<[isize; 4]> = self.axes.iter().map(|&a| a as isize).collect();
        shape::permute(&args[0].shape, &axes)?;
        let shape: chainrule_tensor::Shape = self.axes.iter().map(|&a| args[0].shape[a]).collect();
        Ok(args[0].shaped(shape))
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Linear(|p, _, ct, _| {
            let mut inverse = p.axes.clone();
            for (i, &a) in p.axes.iter().enumerate() {
                inverse[a] = i;
            }
            ct.permute_to(inverse)
        })
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        let axes = std::iter::once(0).chain(self.axes.iter().map(|a| a + 1)).collect();
        rows.each(0).permute_to(axes)
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        Lowering::View(Some(args[0].permute(&self.axes)))
    }

    fn view(&self, arg: &Compound) -> Option<Compound> {
        Some(arg.permute(&self.axes))
    }

    fn samples() -> Vec<Sample> {
        vec![
            Sample::new("permute (2, 3, 2)", &[&[2, 3, 2]], -2.0..2.0, |x| x[0].permute([2, 0, 1]).square()),
            Sample::new("transpose (2, 3)", &[&[2, 3]], -2.0..2.0, |x| x[0].t().square()),
            Sample::new("transpose (0, 3)", &[&[0, 3]], -2.0..2.0, |x| x[0].t().square()),
            Sample::new("transpose (1, 1)", &[&[1, 1]], -2.0..2.0, |x| x[0].t().square()),
        ]
    }
}
