//! The same elements in the same order under another shape.

use chainrule_tensor::{Compound, Error, Layout, Lengths, Shape, shape};

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample};
use crate::error::ErrorKind;
use crate::types::Type;
use crate::var::Var;

/// A new shape of equal size.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reshape {
    shape: Shape,
}

impl<'g> Var<'g> {
    /// The same elements in row-major order under another shape; one length may be -1 and is computed. Lengths of which
    /// some are read off other values, and one is -1, are a tuple.
    ///
    /// ```
    /// # use chainrule_graph::{Graph, Kind};
    /// let g = Graph::new();
    /// let x = g.input("x", [2, 3, 4], Kind::Real);
    /// assert_eq!(x.reshape([6, -1]).shape()[..], [6, 4]);
    /// assert_eq!(x.reshape((x.dim(0), -1)).shape()[..], [2, 12]);
    /// ```
    #[track_caller]
    pub fn reshape(self, to: impl Into<Lengths>) -> Var<'g> {
        self.shaped(|own| Ok(self.reshape_to(shape::reshape(&own, to.into().as_slice())?)))
    }

    /// All axes in one.
    #[track_caller]
    pub fn flatten(self) -> Var<'g> {
        self.reshape([-1])
    }

    /// The axis `axis`, which has length 1, taken out.
    ///
    /// # Errors
    /// Poison if the axis has another length.
    #[track_caller]
    pub fn squeeze(self, axis: isize) -> Var<'g> {
        self.shaped(|own| Ok(self.reshape_to(shape::squeeze(&own, axis)?)))
    }

    /// A new axis of length 1 before `axis` (negative counts from the end of the result).
    #[doc(alias = "unsqueeze")]
    #[doc(alias = "expand_dims")]
    #[track_caller]
    pub fn insert_axis(self, axis: isize) -> Var<'g> {
        self.shaped(|own| {
            let mut axes = own.to_vec();
            axes.push(1);
            let axis = shape::axis("insert_axis", axis, &axes)?;
            axes[axis..].rotate_right(1);
            Ok(self.reshape_to(axes.into()))
        })
    }

    /// `self` under `shape`, which must have the same size.
    #[track_caller]
    pub(crate) fn reshape_to(self, shape: Shape) -> Var<'g> {
        if self.shape() == shape { self } else { self.record(Op::Reshape(Reshape { shape }), &[]) }
    }
}

impl Primitive for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let own = &args[0].shape;
        if own.size() != self.shape.size() {
            let why = "the two hold different numbers of elements";
            return Err(Error::shape("reshape", [&own[..], &self.shape[..]], why).into());
        }
        Ok(args[0].shaped(&self.shape))
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Linear(|_, _, ct, s| ct.reshape_to(s.x[0].shape()))
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.each(0).reshape_to(self.shape.with_leading(rows.n))
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        Lowering::View(args[0].reshape(&self.shape))
    }

    fn view(&self, arg: &Compound) -> Option<Compound> {
        arg.reshape(&self.shape)
    }

    fn samples() -> Vec<Sample> {
        vec![
            Sample::new("reshape (2, 3) to (3, 2)", &[&[2, 3]], -2.0..2.0, |x| x[0].reshape([3, 2]).square()),
            Sample::new("reshape a transpose", &[&[2, 3]], -2.0..2.0, |x| x[0].t().reshape([-1]).square()),
            Sample::new("reshape of no elements", &[&[0, 3]], -2.0..2.0, |x| x[0].reshape([3, 0]).square()),
            Sample::new("reshape (1,) to ()", &[&[1]], -2.0..2.0, |x| x[0].reshape(()).square()),
        ]
    }
}
