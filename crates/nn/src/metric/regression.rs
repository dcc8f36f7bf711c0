//! How far numbers are from those that they estimate.

use chainrule_tensor::{DType, Tensor};

use crate::{Error, Result};

/// Estimates and what they estimate, gathered over any number of batches: what it says depends on the examples only, not
/// on how they came.
///
/// ```
/// use chainrule_nn::metric::Deviations;
/// use chainrule_tensor::Tensor;
/// let mut deviations = Deviations::new();
/// deviations.add(&Tensor::from([2.5, 0.0, 2.0, 8.0]), &Tensor::from([3.0, -0.5, 2.0, 7.0]))?;
/// assert_eq!(deviations.mean_absolute()?, 0.5);
/// assert!((deviations.r_squared()? - 0.948608137).abs() < 1e-9);
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deviations {
    /// Estimate and target.
    examples: Vec<[f64; 2]>,
}

impl Deviations {
    /// Without examples.
    pub fn new() -> Self {
        Deviations::default()
    }

    /// Counts a batch of one shape.
    ///
    /// # Errors
    /// [`Error::Argument`] for unequal shapes, truth values and NaN; nothing is counted then.
    pub fn add(&mut self, estimates: &Tensor, targets: &Tensor) -> Result<()> {
        let numbers = |t: &Tensor| t.cast(DType::F64).to_vec::<f64>();
        if estimates.shape() != targets.shape()
            || [estimates, targets].iter().any(|t| t.dtype() == DType::Bool)
        {
            let why = format!("{estimates:?} are no estimates of {targets:?}");
            return Err(Error::argument("Deviations", why));
        }
        let (estimates, targets) = (numbers(estimates)?, numbers(targets)?);
        if estimates.iter().chain(&targets).any(|x| x.is_nan()) {
            return Err(Error::argument("Deviations", "NaN is no number to be near to"));
        }
        self.examples.extend(estimates.into_iter().zip(targets).map(|(x, y)| [x, y]));
        Ok(())
    }

    /// Counts what `other` has counted.
    pub fn merge(&mut self, other: &Deviations) {
        self.examples.extend_from_slice(&other.examples);
    }

    /// The mean over the examples.
    fn mean(&self, of: impl Fn([f64; 2]) -> f64) -> Result<f64> {
        if self.examples.is_empty() {
            return Err(Error::Empty { op: "Deviations", what: "examples" });
        }
        Ok(self.examples.iter().map(|e| of(*e)).sum::<f64>() / self.examples.len() as f64)
    }

    /// The covariance of two functions of the examples, in two passes.
    fn covariance(&self, a: impl Fn([f64; 2]) -> f64, b: impl Fn([f64; 2]) -> f64) -> Result<f64> {
        let (of_a, of_b) = (self.mean(&a)?, self.mean(&b)?);
        self.mean(|e| (a(e) - of_a) * (b(e) - of_b))
    }

    /// Mean |ŷ − y|.
    ///
    /// # Errors
    /// [`Error::Empty`] without examples; so of all below.
    pub fn mean_absolute(&self) -> Result<f64> {
        self.mean(|[x, y]| (x - y).abs())
    }

    /// Mean (ŷ − y)².
    ///
    /// # Errors
    /// Without examples.
    pub fn mean_squared(&self) -> Result<f64> {
        self.mean(|[x, y]| (x - y).powi(2))
    }

    /// The root of the mean square.
    ///
    /// # Errors
    /// Without examples.
    pub fn root_mean_squared(&self) -> Result<f64> {
        self.mean_squared().map(f64::sqrt)
    }

    /// Mean |ŷ − y| / |y|, with the smallest step at 1 for a y of 0.
    ///
    /// # Errors
    /// Without examples.
    pub fn mean_relative(&self) -> Result<f64> {
        self.mean(|[x, y]| (x - y).abs() / y.abs().max(f64::EPSILON))
    }

    /// The greatest |ŷ − y|.
    ///
    /// # Errors
    /// Without examples.
    pub fn greatest(&self) -> Result<f64> {
        self.mean(|_| 0.0)?;
        Ok(self.examples.iter().map(|[x, y]| (x - y).abs()).fold(0.0, f64::max))
    }

    /// R² = 1 − Σ(ŷ − y)² / Σ(y − ȳ)²: 1 is perfect, 0 no better than the mean. NaN where the targets do not vary.
    ///
    /// # Errors
    /// Without examples.
    pub fn r_squared(&self) -> Result<f64> {
        let target = |e: [f64; 2]| e[1];
        Ok(1.0 - self.mean_squared()? / self.covariance(target, target)?)
    }

    /// The share of the targets' variance that is explained: R², but that a constant error costs nothing.
    ///
    /// # Errors
    /// Without examples.
    pub fn explained_variance(&self) -> Result<f64> {
        let (off, target) = (|[x, y]: [f64; 2]| x - y, |e: [f64; 2]| e[1]);
        Ok(1.0 - self.covariance(off, off)? / self.covariance(target, target)?)
    }

    /// Pearson's correlation of estimates and targets. NaN where one does not vary.
    ///
    /// # Errors
    /// Without examples.
    pub fn correlation(&self) -> Result<f64> {
        let (x, y) = (|e: [f64; 2]| e[0], |e: [f64; 2]| e[1]);
        let below = self.covariance(x, x)?.sqrt() * self.covariance(y, y)?.sqrt();
        Ok(self.covariance(x, y)? / below)
    }
}
