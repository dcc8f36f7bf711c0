//! Tensors from a shape and a rule: zeros, ones, ranges, the identity.

use std::ops::{Range, RangeInclusive};

use crate::arithmetic::refused;
use crate::tensor::ArrayD;
use crate::{DType, Element, Error, Real, Result, Shape, Tensor};

impl Tensor {
    /// A tensor of `shape` with every element `value`; the dtype is that of the value.
    ///
    /// # Panics
    /// As `Vec` does, if the elements would not fit the address space.
    ///
    /// ```
    /// # use chainrule_tensor::{DType, Tensor};
    /// let t = Tensor::full([2, 3], 0.5_f32);
    /// assert_eq!((t.shape(), t.dtype()), (&[2, 3][..], DType::F32));
    /// ```
    pub fn full<T: Element>(shape: impl Into<Shape>, value: T) -> Self {
        T::wrap(ArrayD::from_elem(shape.into().to_vec(), value))
    }

    /// A tensor of `shape` with every element 0 (`false` for [`DType::Bool`]).
    ///
    /// # Panics
    /// As `Vec` does, if the elements would not fit the address space.
    ///
    /// ```
    /// # use chainrule_tensor::{DType, Tensor};
    /// assert_eq!(Tensor::zeros(2, DType::I64), Tensor::from([0_i64, 0]));
    /// ```
    pub fn zeros(shape: impl Into<Shape>, dtype: DType) -> Self {
        match dtype {
            DType::F32 => Tensor::full(shape, 0.0_f32),
            DType::F64 => Tensor::full(shape, 0.0_f64),
            DType::I64 => Tensor::full(shape, 0_i64),
            DType::Bool => Tensor::full(shape, false),
        }
    }

    /// A tensor of `shape` with every element 1 (`true` for [`DType::Bool`]).
    ///
    /// # Panics
    /// As `Vec` does, if the elements would not fit the address space.
    pub fn ones(shape: impl Into<Shape>, dtype: DType) -> Self {
        match dtype {
            DType::F32 => Tensor::full(shape, 1.0_f32),
            DType::F64 => Tensor::full(shape, 1.0_f64),
            DType::I64 => Tensor::full(shape, 1_i64),
            DType::Bool => Tensor::full(shape, true),
        }
    }

    /// One number: a tensor of rank 0. The same as `Tensor::from(value)`.
    pub fn scalar<T: Element>(value: T) -> Self {
        Tensor::full((), value)
    }

    /// The integers of a range, as a vector of [`DType::I64`]. For evenly spaced reals see
    /// [`linspace`](Tensor::linspace).
    ///
    /// # Panics
    /// As `Vec` does, if the elements would not fit the address space.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// assert_eq!(Tensor::arange(2..5), Tensor::from([2_i64, 3, 4]));
    /// ```
    pub fn arange(range: Range<i64>) -> Self {
        Tensor::from(range.collect::<Vec<i64>>())
    }

    /// `n` evenly spaced reals, both ends of `range` among them (only the first if `n` is 1): element `i` is
    /// first + i·step, computed in f64, and the last one is exactly the end of the range. So whole steps from a
    /// whole number give whole numbers.
    ///
    /// # Errors
    /// [`Error::DType`] if `dtype` is not real, [`Error::Shape`] if the elements would not fit the address space.
    ///
    /// ```
    /// # use chainrule_tensor::{DType, Tensor};
    /// let t = Tensor::linspace(0.0..=1.0, 5, DType::F64)?;
    /// assert_eq!(t, Tensor::from([0.0, 0.25, 0.5, 0.75, 1.0]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn linspace(range: RangeInclusive<f64>, n: usize, dtype: DType) -> Result<Self> {
        fn go<T: Real>(first: f64, last: f64, n: usize) -> Tensor {
            let gaps = n.saturating_sub(1).max(1) as f64;
            let width = last - first;
            let step = width / gaps;
            let at = |i: usize| {
                let t = i as f64 / gaps;
                T::from_f64(if i > 0 && i + 1 == n {
                    last
                } else if step.is_normal() {
                    first + i as f64 * step
                } else if width.is_finite() {
                    // So small a step has lost digits.
                    first + width * t
                } else {
                    first * (1.0 - t) + last * t
                })
            };
            Tensor::from((0..n).map(at).collect::<Vec<T>>())
        }
        crate::shape::size("linspace", &n.into())?;
        let (first, last) = range.into_inner();
        match dtype {
            DType::F32 => Ok(go::<f32>(first, last, n)),
            DType::F64 => Ok(go::<f64>(first, last, n)),
            found => Err(real_only("linspace", found)),
        }
    }

    /// The identity matrix `(n, n)`: 1 on the diagonal, 0 elsewhere.
    ///
    /// # Panics
    /// As `Vec` does, if the elements would not fit the address space.
    ///
    /// ```
    /// # use chainrule_tensor::{DType, Tensor};
    /// assert_eq!(Tensor::eye(2, DType::I64), Tensor::from([[1_i64, 0], [0, 1]]));
    /// ```
    pub fn eye(n: usize, dtype: DType) -> Self {
        fn go<T: Element>(n: usize, one: T) -> Tensor {
            let mut array = ArrayD::<T>::default(vec![n, n]);
            array.diag_mut().fill(one);
            T::wrap(array)
        }
        match dtype {
            DType::F32 => go(n, 1.0_f32),
            DType::F64 => go(n, 1.0_f64),
            DType::I64 => go(n, 1_i64),
            DType::Bool => go(n, true),
        }
    }
}

/// The error of an operation that makes or takes reals only.
pub(crate) fn real_only(op: &'static str, found: DType) -> Error {
    refused(op, found, "it is defined for the reals, f32 and f64")
}
