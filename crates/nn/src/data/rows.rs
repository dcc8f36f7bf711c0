//! Copies of whole rows, into a buffer that is used again if nobody else holds it.

use chainrule_tensor::{ArrayD, Element, Shape, Tensor};

use crate::Result;

/// Rows `rows` of a contiguous tensor, each of them known to exist. The memory of `spare` is used again
/// if it has the same dtype, the shape that is needed, and no other handle.
pub(crate) fn copy(from: &Tensor, rows: &[usize], spare: Option<Tensor>) -> Tensor {
    match (from, spare) {
        (Tensor::F32(a), Some(Tensor::F32(b))) => go(a, rows, Some(b)),
        (Tensor::F64(a), Some(Tensor::F64(b))) => go(a, rows, Some(b)),
        (Tensor::I64(a), Some(Tensor::I64(b))) => go(a, rows, Some(b)),
        (Tensor::Bool(a), Some(Tensor::Bool(b))) => go(a, rows, Some(b)),
        (Tensor::F32(a), _) => go(a, rows, None),
        (Tensor::F64(a), _) => go(a, rows, None),
        (Tensor::I64(a), _) => go(a, rows, None),
        (Tensor::Bool(a), _) => go(a, rows, None),
    }
}

fn go<T: Element>(from: &ArrayD<T>, rows: &[usize], spare: Option<ArrayD<T>>) -> Tensor {
    let shape = Shape::from(from.shape()).with(0, rows.len());
    let width: usize = shape[1..].iter().product();
    let mut into = spare
        .filter(|array| *array.shape() == *shape)
        .and_then(|array| array.try_into_owned_nocopy().ok())
        .map_or_else(|| ArrayD::from_elem(shape.to_vec(), T::default()), |array| array.into_shared());
    let source = from.as_slice().unwrap_or_default();
    let target = into.as_slice_mut().unwrap_or_default();
    for (target, row) in target.chunks_exact_mut(width).zip(rows) {
        target.copy_from_slice(&source[row * width..][..width]);
    }
    T::wrap(into)
}

/// A contiguous tensor under another shape of the same size, sharing its elements.
pub(crate) fn reshaped(tensor: &Tensor, shape: &[usize]) -> Result<Tensor> {
    fn go<T: Element>(array: &ArrayD<T>, shape: &[usize]) -> Result<Tensor> {
        let refuse = |_| {
            let why = "the number of elements must stay the same";
            chainrule_tensor::Error::shape("reshape", [array.shape(), shape], why)
        };
        Ok(T::wrap(array.clone().into_shape_with_order(shape).map_err(refuse)?))
    }
    match tensor {
        Tensor::F32(a) => go(a, shape),
        Tensor::F64(a) => go(a, shape),
        Tensor::I64(a) => go(a, shape),
        Tensor::Bool(a) => go(a, shape),
    }
}
