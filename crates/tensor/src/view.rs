//! The same elements under another shape or order of axes.

use ndarray::{Axis, IxDyn};

use crate::kernels::copy::copy;
use crate::tensor::each;
use crate::{ArrayD, Element, Error, Layout, Lengths, Result, Shape, Tensor, shape};

impl Tensor {
    /// The same elements in row-major order under another shape; one length may be -1 and is computed. Shares the
    /// elements if they lie in that order already. Lengths of which some are read off other values, and one is -1, are a
    /// tuple: `(rows, -1)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the sizes differ or -1 cannot be filled in.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// assert_eq!(Tensor::arange(0..6).reshape([2, -1])?.shape(), [2, 3]);
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn reshape(&self, to: impl Into<Lengths>) -> Result<Tensor> {
        self.with_shape("reshape", &shape::reshape(self.shape(), to.into().as_slice())?)
    }

    /// The axes in a new order: axis `i` of the result is axis `axes[i]` of this. Shares the elements.
    ///
    /// # Errors
    /// [`Error::Shape`] unless each axis is named once.
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
    /// [`Error::Shape`] below rank 2.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let t = Tensor::from([[1_i64, 2], [3, 4]]);
    /// assert_eq!(t.t()?, Tensor::from([[1_i64, 3], [2, 4]]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn t(&self) -> Result<Tensor> {
        fn go<T: Element>(a: &ArrayD<T>) -> Tensor {
            let mut out = a.clone();
            out.swap_axes(a.ndim() - 2, a.ndim() - 1);
            T::wrap(out)
        }
        if self.rank() < 2 {
            let why = "a transpose needs at least 2 axes; make a vector a row (1, n) or a column (n, 1)";
            return Err(Error::shape("t", [self.shape()], why));
        }
        Ok(each!(self, a => go(a)))
    }

    /// The axes `a` and `b` exchanged. Shares the elements.
    ///
    /// # Errors
    /// [`Error::Axis`] for an axis out of range.
    ///
    /// ```
    /// # use chainrule_tensor::{DType, Tensor};
    /// assert_eq!(Tensor::zeros([2, 3, 4], DType::F32).swap_axes(0, -1)?.shape(), [4, 3, 2]);
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    #[doc(alias = "transpose")]
    pub fn swap_axes(&self, a: isize, b: isize) -> Result<Tensor> {
        let axes = shape::swap_axes(self.shape(), a, b)?;
        Ok(each!(self, a => Element::wrap(a.clone().permuted_axes(&axes[..]))))
    }

    /// A new axis of length 1 before `axis` (negative counts from the end of the result). Shares the elements.
    ///
    /// # Errors
    /// [`Error::Axis`] for a position beyond the result's rank.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let t = Tensor::arange(0..3);
    /// assert_eq!(t.insert_axis(0)?.shape(), [1, 3]);
    /// assert_eq!(t.insert_axis(-1)?.shape(), [3, 1]);
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    #[doc(alias = "unsqueeze")]
    #[doc(alias = "expand_dims")]
    pub fn insert_axis(&self, axis: isize) -> Result<Tensor> {
        let longer: Shape = self.shape().iter().copied().chain([1]).collect();
        let axis = shape::axis("insert_axis", axis, &longer)?;
        Ok(each!(self, a => Element::wrap(a.clone().insert_axis(Axis(axis)))))
    }

    /// An axis of length 1 taken out. Shares the elements.
    ///
    /// # Errors
    /// [`Error::Axis`], or [`Error::Shape`] if the length of the axis is not 1.
    ///
    /// ```
    /// # use chainrule_tensor::{DType, Tensor};
    /// assert_eq!(Tensor::zeros([1, 3], DType::F32).squeeze(0)?.shape(), [3]);
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn squeeze(&self, axis: isize) -> Result<Tensor> {
        shape::squeeze(self.shape(), axis)?;
        let at = shape::axis("squeeze", axis, self.shape())?;
        Ok(each!(self, a => Element::wrap(a.clone().index_axis_move(Axis(at), 0))))
    }

    /// Axes of length 1, and new leading axes, repeated to fill `shape`. A copy: arithmetic broadcasts by itself
    /// and does not need it.
    ///
    /// # Errors
    /// [`Error::Shape`] if another axis would have to change.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let t = Tensor::arange(0..2).broadcast_to([2, 2])?;
    /// assert_eq!(t, Tensor::from([[0_i64, 1], [0, 1]]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    #[doc(alias = "expand")]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Result<Tensor> {
        fn go<E: Element>(whole: &Tensor, from: &Layout) -> Result<Tensor> {
            let mut out = vec![E::default(); from.shape.size()];
            copy(whole.in_memory::<E>(), from, &mut out, &Layout::contiguous(from.shape.clone()));
            Tensor::from_vec(out, &from.shape)
        }
        let shape = shape.into();
        if shape::broadcast("broadcast_to", self.shape(), &shape)? != shape {
            let why = "the first cannot be repeated to fill the second";
            return Err(Error::shape("broadcast_to", [self.shape(), &shape[..]], why));
        }
        let (whole, layout) = self.laid_out();
        let from = layout.broadcast(&shape);
        match whole {
            Tensor::F32(_) => go::<f32>(&whole, &from),
            Tensor::F64(_) => go::<f64>(&whole, &from),
            Tensor::I64(_) => go::<i64>(&whole, &from),
            Tensor::Bool(_) => go::<bool>(&whole, &from),
        }
    }

    /// The same elements under `to`, which has as many.
    pub(crate) fn with_shape(&self, op: &'static str, to: &Shape) -> Result<Tensor> {
        let whole = self.to_contiguous();
        let fail = |e: ndarray::ShapeError| Error::shape(op, [self.shape(), to], e.to_string());
        Ok(each!(whole, a => Element::wrap(a.into_shape_with_order(IxDyn(to)).map_err(fail)?)))
    }

    /// All axes in reverse order.
    pub(crate) fn reverse_axes(&self) -> Tensor {
        each!(self, a => Element::wrap(a.clone().reversed_axes()))
    }
}
