//! Tensors put together and taken apart.

use crate::kernels::copy::copy;
use crate::{Element, Error, Layout, Result, Shape, Tensor, shape};

impl Tensor {
    /// `parts` joined along `axis`, which each of them has; all other axes are equal.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Axis`], [`Error::DType`] if the dtypes differ, [`Error::Value`] for no parts.
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
        place(parts, axis, 0, &shape::concat(&shapes, axis)?)
    }

    /// `parts` of equal shape along a new axis.
    ///
    /// # Errors
    /// As [`concat`](Tensor::concat).
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let (a, b) = (Tensor::from([1_i64, 2]), Tensor::from([3_i64, 4]));
    /// assert_eq!(Tensor::stack(&[&a, &b], 0)?, Tensor::from([[1_i64, 2], [3, 4]]));
    /// assert_eq!(Tensor::stack(&[&a, &b], -1)?, Tensor::from([[1_i64, 3], [2, 4]]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn stack(parts: &[&Tensor], axis: isize) -> Result<Tensor> {
        if let Some(other) = parts.iter().find(|p| p.shape() != parts[0].shape()) {
            let why = "the parts of a stack have one shape";
            return Err(Error::shape("stack", [parts[0].shape(), other.shape()], why));
        }
        let expanded = parts.iter().map(|p| p.insert_axis(axis)).collect::<Result<Vec<_>>>()?;
        Tensor::concat(&expanded.iter().collect::<Vec<_>>(), axis)
    }

    /// Cut along `axis` into pieces of `sizes`, which together are its length. Shares the elements.
    ///
    /// # Errors
    /// [`Error::Axis`], or [`Error::Shape`] if the sizes do not add up.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let pieces = Tensor::arange(0..5).split(&[2, 3], 0)?;
    /// assert_eq!(pieces[1], Tensor::from([2_i64, 3, 4]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn split(&self, sizes: &[usize], axis: isize) -> Result<Vec<Tensor>> {
        let at = shape::axis("split", axis, self.shape())?;
        let total = sizes.iter().try_fold(0_usize, |sum, n| sum.checked_add(*n));
        if total != Some(self.shape()[at]) {
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

    /// `before` zeros (or `false`) in front of `axis` and `after` behind.
    ///
    /// # Errors
    /// [`Error::Axis`], or [`Error::Shape`] if the result would not fit the address space.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// assert_eq!(Tensor::from([1_i64, 2]).pad(0, 1, 2)?, Tensor::from([0_i64, 1, 2, 0, 0]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn pad(&self, axis: isize, before: usize, after: usize) -> Result<Tensor> {
        let op = "pad";
        let axis = shape::axis(op, axis, self.shape())?;
        let own = Shape::from(self.shape());
        let longer = before.checked_add(own[axis]).and_then(|n| n.checked_add(after));
        match longer.map(|n| own.with(axis, n)) {
            Some(shape) if shape.checked_size().is_some() => place(&[self], axis, before, &shape),
            _ => {
                Err(Error::shape(op, [&own[..]], format!("{before} and {after} more are too many elements")))
            }
        }
    }
}

/// The parts side by side along `axis` from index `start` on, in a tensor of zeros. There is at least one, and all
/// have one dtype.
fn place(parts: &[&Tensor], axis: usize, start: usize, shape: &Shape) -> Result<Tensor> {
    fn go<E: Element>(parts: &[&Tensor], axis: usize, mut start: usize, shape: &Shape) -> Result<Tensor> {
        let mut out = vec![E::default(); shape.size()];
        let all = Layout::contiguous(shape);
        for part in parts {
            let (part, from) = part.laid_out();
            let n = part.shape()[axis];
            copy(part.in_memory::<E>(), &from, &mut out, &all.slice(axis, start, n, 1));
            start += n;
        }
        Tensor::from_vec(out, shape)
    }
    match parts[0] {
        Tensor::F32(_) => go::<f32>(parts, axis, start, shape),
        Tensor::F64(_) => go::<f64>(parts, axis, start, shape),
        Tensor::I64(_) => go::<i64>(parts, axis, start, shape),
        Tensor::Bool(_) => go::<bool>(parts, axis, start, shape),
    }
}
