//! The same elements under another shape or order of axes.

use ndarray::{Axis, IxDyn};

use crate::tensor::{ArrayD, each};
use crate::{Element, Error, Result, Shape, Tensor, shape};

impl Tensor {
    /// The same elements in row-major order under another shape; one length may be -1 and is computed from the
    /// rest. Copies only if the elements do not lie in row-major order.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the sizes differ.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let t = Tensor::arange(0..6).reshape([2, -1])?;
    /// assert_eq!(t, Tensor::from([[0_i64, 1, 2], [3, 4, 5]]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn reshape(&self, to: impl AsRef<[isize]>) -> Result<Tensor> {
        self.with_shape("reshape", &shape::reshape(self.shape(), to.as_ref())?)
    }

    /// The axes in a new order: axis `i` of the result is axis `axes[i]` of this. Shares the elements.
    ///
    /// # Errors
    /// [`Error::Axis`](crate::Error::Axis) or [`Error::Shape`](crate::Error::Shape) if `axes` does not name each
    /// axis once.
    ///
    /// ```
    /// # use chainrule_tensor::{DType, Tensor};
    /// let t = Tensor::zeros([2, 3, 4], DType::F32);
    /// assert_eq!(t.permute([2, 0, 1])?.shape(), [4, 2, 3]);
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn permute(&self, axes: impl AsRef<[isize]>) -> Result<Tensor> {
        let axes = shape::permute(self.shape(), axes.as_ref())?;
        Ok(each!(self, a => Element::wrap(a.clone().permuted_axes(&axes[..]))))
    }

    /// The last two axes exchanged: the transposed matrix, or a batch of them. Shares the elements.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if there are fewer than two axes.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let t = Tensor::from([[1_i64, 2], [3, 4]]);
    /// assert_eq!(t.transpose()?, Tensor::from([[1_i64, 3], [2, 4]]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn transpose(&self) -> Result<Tensor> {
        fn go<T: Element>(a: &ArrayD<T>) -> Tensor {
            let mut out = a.clone();
            out.swap_axes(a.ndim() - 1, a.ndim() - 2);
            T::wrap(out)
        }
        if self.rank() < 2 {
            let why = "it needs at least 2 axes; make a vector a row (1, n) or a column (n, 1)";
            return Err(Error::shape("transpose", [self.shape()], why));
        }
        Ok(each!(self, a => go(a)))
    }

    /// A new axis of length 1 in front of position `axis` of the result. Shares the elements.
    ///
    /// # Errors
    /// [`Error::Axis`](crate::Error::Axis) if `axis` is beyond the new rank.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let t = Tensor::arange(0..3);
    /// assert_eq!(t.expand_dims(0)?.shape(), [1, 3]);
    /// assert_eq!(t.expand_dims(-1)?.shape(), [3, 1]);
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn expand_dims(&self, axis: isize) -> Result<Tensor> {
        let longer: Shape = self.shape().iter().copied().chain([1]).collect();
        let axis = shape::axis("expand_dims", axis, &longer)?;
        Ok(each!(self, a => Element::wrap(a.clone().insert_axis(Axis(axis)))))
    }

    /// An axis of length 1 taken out. Shares the elements.
    ///
    /// # Errors
    /// [`Error::Axis`](crate::Error::Axis), or [`Error::Shape`](crate::Error::Shape) if its length is not 1.
    ///
    /// ```
    /// # use chainrule_tensor::{DType, Tensor};
    /// assert_eq!(Tensor::zeros([1, 3], DType::F32).squeeze(0)?.shape(), [3]);
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn squeeze(&self, axis: isize) -> Result<Tensor> {
        let resolved = shape::axis("squeeze", axis, self.shape())?;
        if self.shape()[resolved] != 1 {
            let why = format!("axis {axis} has length {}, not 1", self.shape()[resolved]);
            return Err(Error::shape("squeeze", [self.shape()], why));
        }
        self.index_axis(axis, 0)
    }

    /// The elements repeated along axes of length 1, and along new leading axes, to fill `to`. A copy: arithmetic
    /// broadcasts by itself and does not need it.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if an axis differs and is not 1.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let t = Tensor::arange(0..2).broadcast_to([2, 2])?;
    /// assert_eq!(t, Tensor::from([[0_i64, 1], [0, 1]]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn broadcast_to(&self, to: impl Into<Shape>) -> Result<Tensor> {
        let to = to.into();
        let fail = || Error::shape("broadcast_to", [self.shape(), &to], "lengths must be equal or 1");
        if to.checked_size().is_none() || shape::broadcast("broadcast_to", self.shape(), &to)? != to {
            return Err(fail());
        }
        let repeat = |to: &Shape| -> Option<Tensor> {
            Some(each!(self, a => Element::wrap(a.broadcast(IxDyn(to))?.to_shared())))
        };
        Ok(repeat(&to).ok_or_else(fail)?.to_contiguous())
    }

    /// The same elements under `to`, which has as many.
    pub(crate) fn with_shape(&self, op: &'static str, to: &Shape) -> Result<Tensor> {
        let whole = self.to_contiguous();
        let from = Shape::from(whole.shape());
        let fail = |e: ndarray::ShapeError| Error::shape(op, [&from[..], to], e.to_string());
        Ok(each!(whole, a => Element::wrap(a.into_shape_with_order(IxDyn(to)).map_err(fail)?)))
    }

    /// All axes in reverse order.
    pub(crate) fn reverse_axes(&self) -> Tensor {
        each!(self, a => Element::wrap(a.clone().reversed_axes()))
    }
}
