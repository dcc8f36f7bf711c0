//! Reductions over axes.

use crate::arithmetic::refused;
use crate::kernels::reduce::{Reduction, arg_reduce, reduce, reduce_int, reduce_truth};
use crate::{Axes, DType, Element, Error, Result, Shape, Tensor, keep, shape};

/// Methods from rows: `sum Sum "…"` gives `pub fn sum(&self, axes: impl Into<Axes>) -> Result<Tensor>`.
macro_rules! reductions {
    ($($method:ident $op:ident $doc:literal;)*) => {
        impl Tensor {$(
            #[doc = $doc]
            ///
            /// Over `axes`: `..`, one, or a list of them; see [`Axes`].
            ///
            /// # Errors
            /// [`Error::Axis`] for an axis out of range, [`Error::Shape`] for one named twice or for an extreme of
            /// nothing, [`Error::DType`] for a dtype without this operation.
            pub fn $method(&self, axes: impl Into<Axes>) -> Result<Tensor> {
                self.reduction(stringify!($method), Reduction::$op, &axes.into())
            }
        )*}
    };
}

reductions! {
    sum Sum "The sum, built as a tree, so that rounding errors stay small.";
    prod Prod "The product.";
    max Max "The greatest element; NaN if any is NaN.";
    min Min "The least element; NaN if any is NaN.";
}

impl Tensor {
    /// The mean, of reals: the sum divided by the number of elements, also where the sum leaves the range of floats
    /// and the mean does not. NaN over nothing.
    ///
    /// # Errors
    /// As [`sum`](Tensor::sum).
    ///
    /// ```
    /// # use chainrule_tensor::{Tensor, keep};
    /// let t = Tensor::from([[1.0, 2.0], [3.0, 6.0]]);
    /// assert_eq!(t.mean(0)?, Tensor::from([2.0, 4.0]));
    /// assert_eq!(t.mean(keep(1))?, Tensor::from([[1.5], [4.5]]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn mean(&self, axes: impl Into<Axes>) -> Result<Tensor> {
        self.mean_as("mean", &axes.into())
    }

    /// The variance (divided by n), in two passes: first the mean, then the mean square of what is left. So a great
    /// mean does not drown a small variance.
    ///
    /// # Errors
    /// As [`sum`](Tensor::sum).
    ///
    /// ```
    /// # use chainrule_tensor::{Tensor, keep};
    /// let t = Tensor::from([1e8, 1e8 + 2.0]);
    /// assert_eq!(t.var(..)?, Tensor::from(1.0));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn var(&self, axes: impl Into<Axes>) -> Result<Tensor> {
        let axes = axes.into();
        let centred = self.sub(&self.mean_as("var", &keep(&axes))?)?;
        centred.mul(&centred)?.mean(axes)
    }

    fn mean_as(&self, name: &'static str, axes: &Axes) -> Result<Tensor> {
        if !self.dtype().is_real() {
            return Err(refused(name, self.dtype(), "cast it to f32 or f64 first"));
        }
        let n: usize = axes.of(name, self.shape())?.iter().map(|a| self.shape()[*a]).product();
        let number = |x: f64| Tensor::from(x).cast(self.dtype());
        let mean = self.sum(axes)?.div(&number(n as f64))?;
        let infinite = mean.abs()?.equal(&number(f64::INFINITY))?;
        if !infinite.any(..)?.item::<bool>()? {
            return Ok(mean);
        }
        // A power of two loses no digit of numbers so great.
        let scale = 1.0 / n.next_power_of_two() as f64;
        let scaled = self.mul(&number(scale))?.sum(axes)?.div(&number(n as f64 * scale))?;
        infinite.select(&scaled, &mean)
    }

    /// Where the greatest element lies along `axis`, which disappears: the first in a tie, the first NaN if there
    /// is one.
    ///
    /// # Errors
    /// As [`max`](Tensor::max); truth values are refused.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let t = Tensor::from([[1.0, 5.0, 5.0], [3.0, f64::NAN, 4.0]]);
    /// assert_eq!(t.argmax(1)?, Tensor::from([1_i64, 1]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn argmax(&self, axis: isize) -> Result<Tensor> {
        self.arg("argmax", true, axis)
    }

    /// Where the least element lies along `axis`, which disappears: the first in a tie, the first NaN if there is
    /// one.
    ///
    /// # Errors
    /// As [`min`](Tensor::min); truth values are refused.
    pub fn argmin(&self, axis: isize) -> Result<Tensor> {
        self.arg("argmin", false, axis)
    }

    /// Whether all elements hold, of truth values.
    ///
    /// # Errors
    /// As [`sum`](Tensor::sum); truth values only.
    pub fn all(&self, axes: impl Into<Axes>) -> Result<Tensor> {
        self.truth("all")?.reduction("all", Reduction::Min, &axes.into())
    }

    /// Whether any element holds, of truth values.
    ///
    /// # Errors
    /// As [`sum`](Tensor::sum); truth values only.
    pub fn any(&self, axes: impl Into<Axes>) -> Result<Tensor> {
        self.truth("any")?.reduction("any", Reduction::Max, &axes.into())
    }

    fn truth(&self, op: &'static str) -> Result<&Tensor> {
        if self.dtype() == DType::Bool {
            Ok(self)
        } else {
            Err(refused(op, self.dtype(), "compare it first"))
        }
    }

    fn reduction(&self, name: &'static str, op: Reduction, wanted: &Axes) -> Result<Tensor> {
        let own = Shape::from(self.shape());
        let axes = wanted.of(name, &own)?;
        let extreme = matches!(op, Reduction::Max | Reduction::Min) && self.dtype() != DType::Bool;
        if extreme && axes.iter().any(|a| own[*a] == 0) {
            return Err(Error::shape(name, [&own[..]], "an empty axis has no extreme"));
        }
        if self.dtype() == DType::Bool && !matches!(op, Reduction::Max | Reduction::Min) {
            return Err(refused(name, DType::Bool, "count with cast(DType::I64) first"));
        }
        let left = (0..own.len()).filter(|a| !axes.contains(a));
        let shape = wanted.left(&own, &axes);
        let size = |axes: &[usize]| axes.iter().product::<usize>();
        let (x, dims) = match axes[..] {
            // Neighbouring axes are reduced where they lie; others come last first.
            [first, .., last] | [first @ last] if last + 1 - first == axes.len() => {
                (self.clone(), [size(&own[..first]), size(&own[first..=last]), size(&own[last + 1..])])
            }
            _ => {
                let order: Vec<isize> =
                    left.clone().chain(axes.iter().copied()).map(|a| a as isize).collect();
                let n = axes.iter().map(|a| own[*a]).product();
                (self.permute(&order)?, [left.map(|a| own[a]).product(), n, 1])
            }
        };
        let x = x.to_contiguous();
        match &x {
            Tensor::F32(_) => reduced_by(&x, dims, shape, |x, y: &mut [f32]| reduce(op, x, dims, y)),
            Tensor::F64(_) => reduced_by(&x, dims, shape, |x, y: &mut [f64]| reduce(op, x, dims, y)),
            Tensor::I64(_) => reduced_by(&x, dims, shape, |x, y: &mut [i64]| reduce_int(op, x, dims, y)),
            Tensor::Bool(_) => reduced_by(&x, dims, shape, |x, y: &mut [bool]| reduce_truth(op, x, dims, y)),
        }
    }

    fn arg(&self, op: &'static str, max: bool, axis: isize) -> Result<Tensor> {
        let own = Shape::from(self.shape());
        let axis = shape::axis(op, axis, &own)?;
        if own[axis] == 0 {
            return Err(Error::shape(op, [&own[..]], "an empty axis has no extreme"));
        }
        let size = |axes: &[usize]| axes.iter().product::<usize>();
        let dims = [size(&own[..axis]), own[axis], size(&own[axis + 1..])];
        let x = self.to_contiguous();
        let mut out = vec![0_i64; dims[0] * dims[2]];
        match (x.as_slice::<f32>(), x.as_slice::<f64>(), x.as_slice::<i64>()) {
            (Some(x), ..) => arg_reduce(max, x, dims, &mut out),
            (_, Some(x), _) => arg_reduce(max, x, dims, &mut out),
            (.., Some(x)) => arg_reduce(max, x, dims, &mut out),
            _ => return Err(refused(op, self.dtype(), "cast it to i64 first")),
        }
        Tensor::from_vec(out, own.without(axis))
    }
}

fn reduced_by<E: Element>(
    x: &Tensor,
    dims: [usize; 3],
    shape: Shape,
    kernel: impl FnOnce(&[E], &mut [E]),
) -> Result<Tensor> {
    let mut out = vec![E::default(); dims[0] * dims[2]];
    kernel(x.as_slice::<E>().unwrap_or_default(), &mut out);
    Tensor::from_vec(out, shape)
}
