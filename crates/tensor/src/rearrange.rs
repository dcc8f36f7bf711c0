//! Other shapes for the same elements, joined and split tensors, matrix products.

use crate::arithmetic::refused;
use crate::kernels::copy::copy;
use crate::kernels::matmul::MatMul;
use crate::{ArrayD, Element, Error, Layout, Real, Result, Shape, Tensor, shape};

/// Does the same to the array inside, whatever its dtype.
macro_rules! each_dtype {
    ($tensor:expr, |$array:ident| $body:expr) => {
        match $tensor {
            Tensor::F32($array) => Tensor::F32($body),
            Tensor::F64($array) => Tensor::F64($body),
            Tensor::I64($array) => Tensor::I64($body),
            Tensor::Bool($array) => Tensor::Bool($body),
        }
    };
}

impl Tensor {
    /// The same elements in row-major order under another shape; one length may be -1 and is computed. Shares the
    /// elements if they lie in that order already.
    ///
    /// # Errors
    /// [`Error::Shape`] if the sizes differ or -1 cannot be filled in.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// assert_eq!(Tensor::arange(0..6).reshape(&[2, -1])?.shape(), [2, 3]);
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn reshape(&self, to: &[isize]) -> Result<Tensor> {
        let shape = shape::reshape(self.shape(), to)?;
        fn go<E: Element>(array: &ArrayD<E>, shape: &Shape) -> ArrayD<E> {
            let row_major = array.as_standard_layout().into_owned().into_shared();
            let row_major = if array.is_standard_layout() { array.clone() } else { row_major };
            match row_major.into_shape_with_order(shape.to_vec()) {
                Ok(array) => array,
                Err(error) => unreachable!("sizes are equal and the order is row-major: {error}"),
            }
        }
        Ok(each_dtype!(self, |a| go(a, &shape)))
    }

    /// The axes in a new order: axis `i` of the result is `axes[i]` of this. Shares the elements.
    ///
    /// # Errors
    /// [`Error::Shape`] unless each axis is named once.
    pub fn permute(&self, axes: &[isize]) -> Result<Tensor> {
        let axes = shape::permute(self.shape(), axes)?.to_vec();
        Ok(each_dtype!(self, |a| a.clone().permuted_axes(axes)))
    }

    /// The last two axes exchanged. Shares the elements.
    ///
    /// # Errors
    /// [`Error::Shape`] below rank 2.
    pub fn t(&self) -> Result<Tensor> {
        let rank = self.rank() as isize;
        if rank < 2 {
            let why = "a transpose needs at least 2 axes; make a vector a row (1, n) or a column (n, 1)";
            return Err(Error::shape("t", [self.shape()], why));
        }
        let mut axes: Vec<isize> = (0..rank).collect();
        axes.swap(rank as usize - 2, rank as usize - 1);
        self.permute(&axes)
    }

    /// Axes of length 1, and new leading axes, repeated to fill `shape`.
    ///
    /// # Errors
    /// [`Error::Shape`] if another axis would have to change.
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Result<Tensor> {
        let shape = shape.into();
        if shape::broadcast("broadcast_to", self.shape(), &shape)? != shape {
            let why = "the first cannot be repeated to fill the second";
            return Err(Error::shape("broadcast_to", [self.shape(), &shape[..]], why));
        }
        let from = Layout::contiguous(self.shape()).broadcast(&shape);
        Ok(self.rearranged(&from, &shape))
    }

    /// The elements of the contiguous form of this that lie as `from` says, in row-major order.
    fn rearranged(&self, from: &Layout, shape: &Shape) -> Tensor {
        fn go<E: Element>(tensor: &Tensor, from: &Layout, shape: &Shape) -> Tensor {
            let whole = tensor.to_contiguous();
            let mut out = vec![E::default(); shape.size()];
            copy(whole.as_slice::<E>().unwrap_or_default(), from, &mut out, &Layout::contiguous(shape));
            built(out, shape)
        }
        match self {
            Tensor::F32(_) => go::<f32>(self, from, shape),
            Tensor::F64(_) => go::<f64>(self, from, shape),
            Tensor::I64(_) => go::<i64>(self, from, shape),
            Tensor::Bool(_) => go::<bool>(self, from, shape),
        }
    }

    /// `parts` joined along `axis`, which each of them has; all other axes are equal.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Axis`], or [`Error::DType`] if the dtypes differ.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let joined = Tensor::concat(&[&Tensor::from([1_i64, 2]), &Tensor::arange(5..6)], 0)?;
    /// assert_eq!(joined, Tensor::from([1_i64, 2, 5]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn concat(parts: &[&Tensor], axis: isize) -> Result<Tensor> {
        let op = "concat";
        let Some(first) = parts.first() else {
            return Err(Error::Value { op, why: "needs at least one operand".into() });
        };
        if let Some(other) = parts.iter().find(|p| p.dtype() != first.dtype()) {
            let why = format!("the first operand is {}; cast one of them", first.dtype());
            return Err(Error::DType { op, found: other.dtype(), why });
        }
        let axis = shape::axis(op, axis, first.shape())?;
        let shapes: Vec<&[usize]> = parts.iter().map(|p| p.shape()).collect();
        let shape = shape::concat(&shapes, axis)?;
        let mut start = 0;
        let mut places = Vec::new();
        for part in parts {
            places.push((*part, axis, start));
            start += part.shape()[axis];
        }
        Ok(placed(&places, &shape))
    }

    /// `parts` of equal shape along a new axis.
    ///
    /// # Errors
    /// As [`concat`](Tensor::concat).
    pub fn stack(parts: &[&Tensor], axis: isize) -> Result<Tensor> {
        let expanded = parts.iter().map(|p| p.expand(axis)).collect::<Result<Vec<_>>>()?;
        Tensor::concat(&expanded.iter().collect::<Vec<_>>(), axis)
    }

    /// A new axis of length 1 before `axis` (negative counts from the end of the result). Shares the elements.
    ///
    /// # Errors
    /// [`Error::Axis`] for a position beyond the result's rank.
    pub fn expand(&self, axis: isize) -> Result<Tensor> {
        let longer: Shape = self.shape().iter().copied().chain([1]).collect();
        let axis = shape::axis("expand", axis, &longer)?;
        Ok(each_dtype!(self, |a| a.clone().insert_axis(ndarray::Axis(axis))))
    }

    /// Cut along `axis` into pieces of `sizes`, which together are its length. Shares the elements.
    ///
    /// # Errors
    /// [`Error::Axis`], or [`Error::Shape`] if the sizes do not add up.
    pub fn split(&self, sizes: &[usize], axis: isize) -> Result<Vec<Tensor>> {
        let at = shape::axis("split", axis, self.shape())?;
        if sizes.iter().sum::<usize>() != self.shape()[at] {
            let why = format!("pieces of {sizes:?} do not add up to the length of axis {at}");
            return Err(Error::shape("split", [self.shape()], why));
        }
        let mut start = 0;
        let piece = |n: &usize| {
            start += n;
            self.slice(axis, (start - n) as isize..start as isize, 1)
        };
        sizes.iter().map(piece).collect()
    }

    /// `before` zeros (or false) in front of `axis` and `after` behind.
    ///
    /// # Errors
    /// [`Error::Axis`].
    pub fn pad(&self, axis: isize, before: usize, after: usize) -> Result<Tensor> {
        let axis = shape::axis("pad", axis, self.shape())?;
        let shape = Shape::from(self.shape()).with(axis, before + self.shape()[axis] + after);
        Ok(placed(&[(self, axis, before)], &shape))
    }

    /// Matrix product `(…, m, k) x (…, k, n) → (…, m, n)`; the leading axes broadcast.
    ///
    /// # Errors
    /// [`Error::Shape`] if the inner lengths differ or the leading axes do not broadcast, [`Error::DType`] unless
    /// both are f32 or both f64.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let (a, b) = (Tensor::from([[1.0, 2.0]]), Tensor::from([[3.0], [4.0]]));
    /// assert_eq!(a.matmul(&b)?, Tensor::from([[11.0]]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn matmul(&self, right: &Tensor) -> Result<Tensor> {
        fn go<T: Real>(a: &Tensor, b: &Tensor) -> Result<Tensor> {
            let shape = shape::matmul(a.shape(), b.shape())?;
            let batched = |t: &Tensor| -> Layout {
                let own = t.shape();
                let whole = shape[..shape.len() - 2].iter().chain(&own[own.len() - 2..]).copied().collect();
                Layout::contiguous(own).broadcast(&whole)
            };
            let (a, b) = (a.to_contiguous(), b.to_contiguous());
            let product = MatMul::new(&batched(&a), &batched(&b))?;
            let mut out = vec![T::zero(); shape.size()];
            product.run(
                a.as_slice::<T>().unwrap_or_default(),
                b.as_slice::<T>().unwrap_or_default(),
                &mut out,
            );
            Tensor::from_vec(out, shape)
        }
        match (self, right) {
            (Tensor::F32(_), Tensor::F32(_)) => go::<f32>(self, right),
            (Tensor::F64(_), Tensor::F64(_)) => go::<f64>(self, right),
            _ => {
                let found = if self.dtype().is_real() { right.dtype() } else { self.dtype() };
                Err(refused("matmul", found, "both operands are f32 or both f64; cast one"))
            }
        }
    }
}

/// Each part copied to its start along its axis, in a tensor of zeros.
fn placed(parts: &[(&Tensor, usize, usize)], shape: &Shape) -> Tensor {
    fn go<E: Element>(parts: &[(&Tensor, usize, usize)], shape: &Shape) -> Tensor {
        let mut out = vec![E::default(); shape.size()];
        let whole = Layout::contiguous(shape);
        for (part, axis, start) in parts {
            let part = part.to_contiguous();
            let to = whole.slice(*axis, *start, part.shape()[*axis], 1);
            copy(part.as_slice::<E>().unwrap_or_default(), &Layout::contiguous(part.shape()), &mut out, &to);
        }
        built(out, shape)
    }
    match parts.first().map(|p| p.0) {
        Some(Tensor::F64(_)) => go::<f64>(parts, shape),
        Some(Tensor::I64(_)) => go::<i64>(parts, shape),
        Some(Tensor::Bool(_)) => go::<bool>(parts, shape),
        _ => go::<f32>(parts, shape),
    }
}

fn built<E: Element>(elements: Vec<E>, shape: &Shape) -> Tensor {
    match Tensor::from_vec(elements, shape) {
        Ok(tensor) => tensor,
        Err(error) => unreachable!("made with the shape's size: {error}"),
    }
}
