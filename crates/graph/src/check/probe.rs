//! A number as a function of tensors, evaluated near the values they have.

use chainrule_tensor::{self as tensor, DType, Key, Tensor};

use crate::error::{ErrorKind, Result};
use crate::exec::compiled::Compiled;

/// A compiled function with one real result, and the point about which it is evaluated.
pub(super) struct Probe {
    compiled: Compiled,
    point: Vec<Tensor>,
}

impl Probe {
    /// `compiled` about `point`, whose reals are f64.
    pub(super) fn new(compiled: Compiled, point: Vec<Tensor>) -> Self {
        Probe { compiled, point }
    }

    pub(super) fn point(&self) -> &[Tensor] {
        &self.point
    }

    /// Goes to another point.
    pub(super) fn enter(&mut self, point: &[Tensor]) {
        self.point = point.to_vec();
    }

    /// Number `at` of tensor `i`.
    pub(super) fn element(&self, i: usize, at: usize) -> f64 {
        reals(&self.point[i])[at]
    }

    /// The value at the point.
    pub(super) fn here(&mut self) -> Result<f64> {
        Ok(self.compiled.run(&self.point)?[0].item::<f64>()?)
    }

    /// The value near the point; NaN outside the domain of an operation, as where a matrix is singular.
    fn near(&mut self) -> Result<f64> {
        match self.here() {
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::Value { .. } | ErrorKind::Tensor(tensor::Error::Value { .. })
                ) =>
            {
                Ok(f64::NAN)
            }
            found => found,
        }
    }

    /// Moves element `at` of tensor `i`.
    pub(super) fn move_element(&mut self, i: usize, at: usize, by: f64) -> Result<(f64, f64)> {
        let mut moved = 0.0;
        let value = self.with(i, |elements| {
            let old = elements[at];
            elements[at] += by;
            moved = elements[at] - old;
        })?;
        Ok((moved, value))
    }

    /// Moves the tensor `i` along `direction`.
    pub(super) fn move_along(&mut self, i: usize, direction: &[f64], by: f64) -> Result<(f64, f64)> {
        let value = self.with(i, |elements| {
            elements.iter_mut().zip(direction).for_each(|(x, d)| *x += by * d);
        })?;
        Ok((by, value))
    }

    /// Moves the first tensors along `directions`, one each.
    pub(super) fn move_all(&mut self, directions: &[Vec<f64>], by: f64) -> Result<(f64, f64)> {
        let original = self.point.clone();
        for (i, direction) in directions.iter().enumerate() {
            let moved: Vec<f64> =
                reals(&original[i]).iter().zip(direction).map(|(x, d)| x + by * d).collect();
            self.point[i] = Tensor::from_vec(moved, original[i].shape())?;
        }
        let value = self.near();
        self.point = original;
        Ok((by, value?))
    }

    /// The value with tensor `i` changed.
    fn with(&mut self, i: usize, change: impl FnOnce(&mut [f64])) -> Result<f64> {
        let original = self.point[i].clone();
        let mut elements = reals(&original).to_vec();
        change(&mut elements);
        self.point[i] = Tensor::from_vec(elements, original.shape())?;
        let value = self.near();
        self.point[i] = original;
        value
    }
}

/// The elements of a contiguous f64 tensor; none of any other.
pub(super) fn reals(tensor: &Tensor) -> &[f64] {
    tensor.as_slice::<f64>().unwrap_or_default()
}

/// `tensor` as a probe takes it: contiguous, its reals f64.
pub(super) fn wide(tensor: &Tensor) -> Tensor {
    let tensor = if tensor.dtype().is_real() { tensor.cast(DType::F64) } else { tensor.clone() };
    tensor.to_contiguous()
}

/// Random numbers of either sign and size 0.5 to 1.5: none is lost beside another.
pub(super) fn draw(key: Key, n: usize) -> Vec<f64> {
    let drawn = Tensor::uniform(key, [n], -1.0..1.0, DType::F64);
    let drawn = drawn.as_ref().map(reals).unwrap_or_default();
    drawn.iter().map(|u| if *u < 0.0 { u - 0.5 } else { u + 0.5 }).collect()
}

/// A random direction along which each number moves in proportion to its size.
pub(super) fn stir(key: Key, values: &[f64]) -> Vec<f64> {
    let drawn = draw(key, values.len());
    drawn.iter().zip(values).map(|(d, x)| if *x == 0.0 { *d } else { d * x.abs() }).collect()
}

/// At most `n` positions of `0..size`, evenly spread.
pub(super) fn spread(size: usize, n: usize) -> impl Iterator<Item = usize> {
    let n = n.min(size);
    (0..n).map(move |i| ((2 * i + 1) as u128 * size as u128 / (2 * n) as u128) as usize)
}

/// The index of a row-major position.
pub(super) fn unravel(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for axis in (0..shape.len()).rev() {
        index[axis] = at % shape[axis];
        at /= shape[axis];
    }
    index
}
