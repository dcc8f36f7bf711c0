//! `Tensor`: an immutable n-dimensional value with run-time shape and dtype.

use crate::kernels::copy::copy;
use crate::{DType, Element, Error, Layout, Result, Shape};

/// The array type inside a [`Tensor`]: ndarray's reference-counted array of dynamic rank.
pub type ArrayD<T> = ndarray::ArcArray<T, ndarray::IxDyn>;

/// An immutable n-dimensional value, cheap to clone (the elements are shared).
///
/// Slices, transposes and flips share the elements too: they are other views of the same buffer, which lives as
/// long as its last view. Each variant is an ordinary ndarray array, so whatever is missing here is there.
///
/// Two tensors are equal (`==`) if dtype, shape and all elements are; as in IEEE, NaN equals nothing.
/// For an elementwise comparison see [`equal`](Tensor::equal).
#[derive(Clone, PartialEq)]
pub enum Tensor {
    /// 32-bit floats.
    F32(ArrayD<f32>),
    /// 64-bit floats.
    F64(ArrayD<f64>),
    /// 64-bit integers.
    I64(ArrayD<i64>),
    /// Truth values.
    Bool(ArrayD<bool>),
}

/// `each!(tensor, a => body)` is a `match` on the dtype with the same body, in which `a` is the array, in each arm.
macro_rules! each {
    ($tensor:expr, $array:ident => $body:expr) => {
        match $tensor {
            $crate::Tensor::F32($array) => $body,
            $crate::Tensor::F64($array) => $body,
            $crate::Tensor::I64($array) => $body,
            $crate::Tensor::Bool($array) => $body,
        }
    };
}
pub(crate) use each;

impl Tensor {
    /// The length of each axis.
    pub fn shape(&self) -> &[usize] {
        each!(self, a => a.shape())
    }

    /// The number of axes: 0 for a single number, 1 for a vector, 2 for a matrix.
    pub fn rank(&self) -> usize {
        self.shape().len()
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        match self {
            Tensor::F32(_) => DType::F32,
            Tensor::F64(_) => DType::F64,
            Tensor::I64(_) => DType::I64,
            Tensor::Bool(_) => DType::Bool,
        }
    }

    /// Number of elements.
    pub fn size(&self) -> usize {
        self.shape().iter().product()
    }

    /// A tensor of `shape` from its elements in row-major order.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of elements is not the product of `shape`.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let t = Tensor::from_vec(vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3])?;
    /// assert_eq!(t.shape(), [2, 3]);
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn from_vec<T: Element>(elements: Vec<T>, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        if shape.checked_size() != Some(elements.len()) {
            let why = format!("{} elements do not fill it", elements.len());
            return Err(Error::shape("from_vec", [&shape[..]], why));
        }
        let array = ndarray::ArrayD::from_shape_vec(shape.to_vec(), elements)
            .map_err(|e| Error::shape("from_vec", [&shape[..]], e.to_string()))?;
        Ok(T::wrap(array.into_shared()))
    }

    /// The elements in row-major order, without a copy, if the dtype is `T` and the tensor is contiguous
    /// (see [`to_contiguous`](Tensor::to_contiguous)).
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        T::unwrap(self)?.as_slice()
    }

    /// A copy of the elements in row-major order.
    ///
    /// # Errors
    /// [`Error::DType`] if the dtype is not `T`.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let t = Tensor::from([[1_i64, 2], [3, 4]]);
    /// assert_eq!(t.to_vec::<i64>()?, [1, 2, 3, 4]);
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        let array = self.expect("to_vec")?;
        Ok(array.as_slice().map_or_else(|| array.iter().copied().collect(), <[T]>::to_vec))
    }

    /// The same value with its elements in row-major order; free if they already are.
    pub fn to_contiguous(&self) -> Tensor {
        fn go<T: Element>(a: &ArrayD<T>) -> Tensor {
            if a.is_standard_layout() {
                return T::wrap(a.clone());
            }
            let Some((elements, layout)) = memory(a) else {
                return T::wrap(a.as_standard_layout().into_owned().into_shared());
            };
            let mut out = ArrayD::from_elem(a.raw_dim(), T::default());
            if let Some(row_major) = out.as_slice_mut() {
                copy(elements, &layout, row_major, &Layout::contiguous(a.shape()));
            }
            T::wrap(out)
        }
        each!(self, a => go(a))
    }

    /// This value in a form that kernels read in place, and how it lies in [`in_memory`](Tensor::in_memory). Transposed
    /// and flipped tensors are read where they are; what has gaps, such as a slice of columns, is copied.
    pub(crate) fn laid_out(&self) -> (Tensor, Layout) {
        match each!(self, a => memory(a).map(|m| m.1)) {
            Some(layout) => (self.clone(), layout),
            None => (self.to_contiguous(), Layout::contiguous(self.shape())),
        }
    }

    /// The elements in the order of their addresses; of a tensor from [`laid_out`](Tensor::laid_out) and of dtype `T`,
    /// or else nothing.
    pub(crate) fn in_memory<T: Element>(&self) -> &[T] {
        T::unwrap(self).and_then(|a| a.as_slice_memory_order()).unwrap_or_default()
    }

    /// The array inside, or an error that names `op` and the cast to make.
    pub(crate) fn expect<T: Element>(&self, op: &'static str) -> Result<&ArrayD<T>> {
        T::unwrap(self).ok_or_else(|| Error::DType {
            op,
            found: self.dtype(),
            why: format!("{} was asked for; convert with .cast(DType::{:?})", T::DTYPE, T::DTYPE),
        })
    }
}

/// The elements in the order of their addresses and how the array lies in them; nothing if it has gaps.
fn memory<T: Element>(array: &ArrayD<T>) -> Option<(&[T], Layout)> {
    let elements = array.as_slice_memory_order()?;
    // The memory begins at its lowest address, which a negative stride reaches at the end of its axis.
    let below = |(&n, &stride): (&usize, &isize)| n.saturating_sub(1) * stride.min(0).unsigned_abs();
    let offset = array.shape().iter().zip(array.strides()).map(below).sum();
    Some((elements, Layout { shape: array.shape().into(), strides: array.strides().into(), offset }))
}
