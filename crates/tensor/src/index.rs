//! Parts of a tensor: one element, one index of an axis, a range of it, a selection.

use std::ops::RangeBounds;

use ndarray::{Axis, Slice};
use smallvec::SmallVec;

use crate::tensor::{ArrayD, each};
use crate::{Element, Error, Result, Shape, Tensor, shape};

impl Tensor {
    /// The element at `index`, one number per axis; negative ones count from the end.
    ///
    /// `f64` reads [`F32`](crate::DType::F32) and [`I64`](crate::DType::I64) too, where it holds them exactly.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not one index per axis, [`Error::Value`] if one is out of range,
    /// [`Error::DType`] if `T` cannot hold the element exactly.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let t = Tensor::from([[1.0_f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(t.get::<f32>(&[0, -1])?, 2.0);
    /// assert_eq!(t.get::<f64>(&[1, 0])?, 3.0);
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn get<T: Element>(&self, index: &[isize]) -> Result<T> {
        let op = "get";
        if index.len() != self.rank() {
            let why =
                format!("{} axes need as many indices, not the {} of {index:?}", self.rank(), index.len());
            return Err(Error::shape(op, [self.shape()], why));
        }
        let resolved = index.iter().zip(self.shape()).map(|(&i, &n)| shape::index(op, i, n));
        let resolved = resolved.collect::<Result<SmallVec<[usize; 4]>>>()?;
        T::widen(self, &resolved).ok_or_else(|| cannot_hold::<T>(op, self))
    }

    /// The number in a tensor of size 1, whatever its rank.
    ///
    /// `f64` reads [`F32`](crate::DType::F32) and [`I64`](crate::DType::I64) too, where it holds them exactly.
    ///
    /// # Errors
    /// [`Error::Shape`] if the size is not 1, [`Error::DType`] if `T` cannot hold the element exactly.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// assert_eq!(Tensor::from(2.5_f32).item::<f64>()?, 2.5);
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn item<T: Element>(&self) -> Result<T> {
        let op = "item";
        if self.size() != 1 {
            return Err(Error::shape(op, [self.shape()], format!("it has {} elements, not 1", self.size())));
        }
        let first: SmallVec<[usize; 4]> = SmallVec::from_elem(0, self.rank());
        T::widen(self, &first).ok_or_else(|| cannot_hold::<T>(op, self))
    }

    /// Every `step`-th index of a range of one axis; shares the elements.
    ///
    /// Negative ends count from the end of the axis. A range that leaves the axis is an error: it is not
    /// silently cut, as Python would.
    ///
    /// # Errors
    /// [`Error::Axis`], or [`Error::Value`] if the range leaves the axis or `step` is 0.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let t = Tensor::arange(0..10);
    /// assert_eq!(t.slice(0, 2..8, 3)?, Tensor::from([2_i64, 5]));
    /// assert_eq!(t.slice(0, -2.., 1)?, Tensor::from([8_i64, 9]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn slice(&self, axis: isize, range: impl RangeBounds<isize>, step: usize) -> Result<Tensor> {
        fn go<T: Element>(a: &ArrayD<T>, axis: usize, start: usize, len: usize, step: usize) -> Tensor {
            let end = if len == 0 { start } else { start + (len - 1) * step + 1 };
            let mut out = a.clone();
            out.slice_axis_inplace(Axis(axis), Slice::from(start..end));
            // ndarray's steps are signed; on an axis of one element any step is the same.
            let step = step.min(a.shape()[axis].max(1)) as isize;
            out.slice_axis_inplace(Axis(axis), Slice::new(0, None, step));
            T::wrap(out)
        }
        let axis = shape::axis("slice", axis, self.shape())?;
        let (start, len) = shape::slice("slice", self.shape()[axis], range, step)?;
        Ok(each!(self, a => go(a, axis, start, len, step)))
    }

    /// The part at one index of an axis, which is taken out of the shape; shares the elements.
    ///
    /// # Errors
    /// [`Error::Axis`], or [`Error::Value`] if the index is out of range.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let t = Tensor::from([[1_i64, 2], [3, 4]]);
    /// assert_eq!(t.index_axis(0, -1)?, Tensor::from([3_i64, 4]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn index_axis(&self, axis: isize, index: isize) -> Result<Tensor> {
        let axis = shape::axis("index_axis", axis, self.shape())?;
        let index = shape::index("index_axis", index, self.shape()[axis])?;
        Ok(each!(self, a => Element::wrap(a.clone().index_axis_move(Axis(axis), index))))
    }

    /// The given indices of an axis, in the given order and as often as given: rows of a batch, a permutation.
    ///
    /// # Errors
    /// [`Error::Axis`], or [`Error::Value`] that names the first index out of range and its position, or
    /// [`Error::Shape`] if the result would not fit the address space.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let t = Tensor::from([[1_i64, 2], [3, 4], [5, 6]]);
    /// assert_eq!(t.take(0, &[2, 0])?, Tensor::from([[5_i64, 6], [1, 2]]));
    /// let error = t.take(0, &[2, 3]).unwrap_err();
    /// assert_eq!(error.to_string(), "[take] index 3 at position 1 is outside axis 0 of length 3");
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn take(&self, axis: isize, indices: &[usize]) -> Result<Tensor> {
        fn go<T: Element>(tensor: &Tensor, axis: usize, indices: &[usize]) -> Result<Tensor> {
            let whole = tensor.to_contiguous();
            let source = whole.as_slice::<T>().unwrap_or_default();
            let shape = Shape::from(tensor.shape());
            let (n, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
            let outer: usize = shape[..axis].iter().product();
            let mut out = Vec::with_capacity(shape::size("take", &shape.with(axis, indices.len()))?);
            for block in (0..outer).map(|o| &source[o * n * inner..][..n * inner]) {
                for &i in indices {
                    out.extend_from_slice(&block[i * inner..][..inner]);
                }
            }
            Tensor::from_vec(out, shape.with(axis, indices.len()))
        }
        let axis = shape::axis("take", axis, self.shape())?;
        let n = self.shape()[axis];
        if let Some((position, i)) = indices.iter().enumerate().find(|(_, i)| **i >= n) {
            let why = format!("index {i} at position {position} is outside axis {axis} of length {n}");
            return Err(Error::Value { op: "take", why });
        }
        match self {
            Tensor::F32(_) => go::<f32>(self, axis, indices),
            Tensor::F64(_) => go::<f64>(self, axis, indices),
            Tensor::I64(_) => go::<i64>(self, axis, indices),
            Tensor::Bool(_) => go::<bool>(self, axis, indices),
        }
    }

    /// One axis in reverse order; shares the elements.
    ///
    /// # Errors
    /// [`Error::Axis`].
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// assert_eq!(Tensor::arange(0..3).flip(0)?, Tensor::from([2_i64, 1, 0]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn flip(&self, axis: isize) -> Result<Tensor> {
        fn go<T: Element>(a: &ArrayD<T>, axis: usize) -> Tensor {
            let mut out = a.clone();
            out.invert_axis(Axis(axis));
            T::wrap(out)
        }
        let axis = shape::axis("flip", axis, self.shape())?;
        Ok(each!(self, a => go(a, axis)))
    }
}

fn cannot_hold<T: Element>(op: &'static str, tensor: &Tensor) -> Error {
    let why = format!("{} cannot hold it exactly; convert with .cast(DType::{:?})", T::DTYPE, T::DTYPE);
    Error::DType { op, found: tensor.dtype(), why }
}
