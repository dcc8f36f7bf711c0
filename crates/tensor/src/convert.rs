//! To and from Rust numbers, arrays and vectors, and to and from ndarray without a copy.

use ndarray::{ArcArray, Array, ArrayViewD, Dimension};

use crate::tensor::ArrayD;
use crate::{Element, Error, Result, Tensor};

impl Tensor {
    /// The elements as a read-only ndarray view; nothing is copied.
    ///
    /// # Errors
    /// [`Error::DType`] if the dtype is not `T`.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let t = Tensor::from([[1.0_f64, 2.0], [3.0, 4.0]]);
    /// assert_eq!(t.view::<f64>()?[[1, 0]], 3.0);
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn view<T: Element>(&self) -> Result<ArrayViewD<'_, T>> {
        Ok(self.expect::<T>("view")?.view())
    }

    /// The elements as an ndarray array of one's own: a copy.
    ///
    /// # Errors
    /// [`Error::DType`] if the dtype is not `T`.
    pub fn to_array<T: Element>(&self) -> Result<ndarray::ArrayD<T>> {
        Ok(self.expect::<T>("to_array")?.to_owned())
    }

    /// The elements as an ndarray array of one's own: a copy only if another tensor shares them.
    ///
    /// # Errors
    /// [`Error::DType`] if the dtype is not `T`.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let mut a = Tensor::from([1.0_f32, 2.0]).into_array::<f32>()?;
    /// a[0] = 5.0;
    /// assert_eq!(Tensor::from(a), Tensor::from([5.0_f32, 2.0]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn into_array<T: Element>(mut self) -> Result<ndarray::ArrayD<T>> {
        self.expect::<T>("into_array")?;
        let array = T::unwrap_mut(&mut self).map(std::mem::take).unwrap_or_default();
        Ok(array.into_owned())
    }
}

/// One number: rank 0.
impl<T: Element> From<T> for Tensor {
    fn from(value: T) -> Self {
        Tensor::scalar(value)
    }
}

/// A vector, without a copy: shape `(n,)`.
impl<T: Element> From<Vec<T>> for Tensor {
    fn from(elements: Vec<T>) -> Self {
        Tensor::from(Array::from_vec(elements))
    }
}

/// A vector: shape `(n,)`.
impl<T: Element> From<&[T]> for Tensor {
    fn from(elements: &[T]) -> Self {
        Tensor::from(elements.to_vec())
    }
}

/// A vector: shape `(n,)`.
impl<T: Element, const N: usize> From<[T; N]> for Tensor {
    fn from(elements: [T; N]) -> Self {
        Tensor::from(elements.to_vec())
    }
}

/// A matrix from its rows: shape `(m, n)`.
///
/// ```
/// # use chainrule_tensor::Tensor;
/// let t = Tensor::from([[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
/// assert_eq!(t.shape(), [2, 3]);
/// ```
impl<T: Element, const M: usize, const N: usize> From<[[T; N]; M]> for Tensor {
    fn from(rows: [[T; N]; M]) -> Self {
        Tensor::from(ndarray::Array2::from(rows.to_vec()))
    }
}

/// A stack of matrices: shape `(l, m, n)`.
impl<T: Element, const L: usize, const M: usize, const N: usize> From<[[[T; N]; M]; L]> for Tensor {
    fn from(blocks: [[[T; N]; M]; L]) -> Self {
        Tensor::from(ndarray::Array3::from(blocks.to_vec()))
    }
}

/// A matrix from its rows, which must be equally long.
///
/// ```
/// # use chainrule_tensor::Tensor;
/// let ragged = Tensor::try_from(vec![vec![1.0_f32, 2.0], vec![3.0]]);
/// assert_eq!(ragged.unwrap_err().to_string(), "[from rows] row 1 has length 1, but row 0 has 2");
/// ```
impl<T: Element> TryFrom<Vec<Vec<T>>> for Tensor {
    type Error = Error;
    fn try_from(rows: Vec<Vec<T>>) -> Result<Self> {
        let (m, n) = (rows.len(), rows.first().map_or(0, Vec::len));
        if let Some((i, row)) = rows.iter().enumerate().find(|(_, row)| row.len() != n) {
            let why = format!("row {i} has length {}, but row 0 has {n}", row.len());
            return Err(Error::Value { op: "from rows", why });
        }
        Tensor::from_vec(rows.concat(), [m, n])
    }
}

/// An owned ndarray array of any rank, without a copy.
impl<T: Element, D: Dimension> From<Array<T, D>> for Tensor {
    fn from(array: Array<T, D>) -> Self {
        T::wrap(array.into_dyn().into_shared())
    }
}

/// A shared ndarray array of any rank, without a copy.
impl<T: Element, D: Dimension> From<ArcArray<T, D>> for Tensor {
    fn from(array: ArcArray<T, D>) -> Self {
        T::wrap(array.into_dyn())
    }
}

/// The shared ndarray array inside, without a copy; [`Error::DType`] if the dtype is not `T`.
impl<T: Element> TryFrom<Tensor> for ArrayD<T> {
    type Error = Error;
    fn try_from(tensor: Tensor) -> Result<Self> {
        tensor.expect::<T>("try_from").cloned()
    }
}
