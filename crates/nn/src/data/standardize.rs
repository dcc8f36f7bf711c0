//! Standardisation: x becomes (x - μ) / σ, with μ and σ of the training set.

use chainrule_tensor::{DType, Real, Shape, Tensor};

use super::{Dataset, Names};
use crate::{Error, Result};

/// The mean μ and standard deviation σ of each feature, by which data are brought to mean 0 and deviation 1.
///
/// Fit it on the training set only and apply the same numbers to every other set and to each example the
/// model meets later: otherwise the model is tested on a scale it was not trained on, or on numbers that
/// already know the test set.
///
/// A feature that is the same in every training example (σ = 0) tells nothing; it is shifted by μ and
/// divided by 1, so it becomes 0 instead of 0/0; in other data its distance from μ stays as it is.
///
/// Where the training set knows the names of its features ([`Dataset::names`]), other data must have the same.
///
/// ```
/// use chainrule_nn::data::{Standardize, wine};
/// use chainrule_tensor::Key;
///
/// let [train, test] = wine()?.split_stratified([0.8, 0.2], Key::new(1))?;
/// let scale = Standardize::fit(&train)?;
/// let (train, test) = (scale.apply(&train)?, scale.apply(&test)?);
/// # assert_eq!((train.examples(), test.examples()), (142, 36));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Standardize {
    /// Both f64, contiguous, with the shape of one example.
    mean: Tensor,
    deviation: Tensor,
    /// Of the features alone.
    names: Names,
}

impl Standardize {
    /// Measures each feature over the examples of `train`. σ is that of the population: it divides by m. It is
    /// computed on a scale of its own, so no square leaves the range.
    ///
    /// # Errors
    /// [`Error::Argument`] if the features are not real.
    pub fn fit(train: &Dataset) -> Result<Self> {
        let features = train.features();
        let (m, example) = (train.examples(), train.example_shape());
        let (mean, deviation) = match features.dtype() {
            DType::F32 => moments::<f32>(features.as_slice().unwrap_or_default(), m),
            DType::F64 => moments::<f64>(features.as_slice().unwrap_or_default(), m),
            other => return Err(not_real(other)),
        };
        let (mean, deviation) = (Tensor::from_vec(mean, &example)?, Tensor::from_vec(deviation, example)?);
        Ok(Standardize {
            names: train.names().features_alone(),
            ..Standardize::checked("Standardize::fit", mean, deviation)?
        })
    }

    /// From numbers that were kept, for instance beside a trained model: `mean` and `deviation` (…) are f64
    /// with the shape of one example.
    ///
    /// # Errors
    /// [`Error::Argument`] for other dtypes, unequal shapes, a mean that is not finite, or a deviation that is negative
    /// or not finite.
    pub fn new(mean: &Tensor, deviation: &Tensor) -> Result<Self> {
        let op = "Standardize::new";
        if mean.shape() != deviation.shape() {
            let (a, b) = (Shape::from(mean.shape()), Shape::from(deviation.shape()));
            return Err(Error::argument(op, format!("mean {a} and deviation {b} must have one shape")));
        }
        let (mean, deviation) = (mean.to_contiguous(), deviation.to_contiguous());
        if mean.dtype() != DType::F64 || deviation.dtype() != DType::F64 {
            let why = format!("mean and deviation are f64, not {} and {}", mean.dtype(), deviation.dtype());
            return Err(Error::argument(op, why));
        }
        Standardize::checked(op, mean, deviation)
    }

    /// From f64 numbers of one shape.
    fn checked(op: &'static str, mean: Tensor, deviation: Tensor) -> Result<Self> {
        let means: &[f64] = mean.as_slice().unwrap_or_default();
        if let Some(i) = means.iter().position(|m| !m.is_finite()) {
            let why = format!("the mean of feature {i} is {}; it is finite", means[i]);
            return Err(Error::argument(op, why));
        }
        let deviations: &[f64] = deviation.as_slice().unwrap_or_default();
        if let Some(i) = deviations.iter().position(|d| !(d.is_finite() && *d >= 0.0)) {
            let why =
                format!("the deviation of feature {i} is {}; it is finite and at least 0", deviations[i]);
            return Err(Error::argument(op, why));
        }
        Ok(Standardize { mean, deviation, names: Names::default() })
    }

    /// μ of each feature, f64, with the shape of one example.
    pub fn mean(&self) -> &Tensor {
        &self.mean
    }

    /// σ of each feature, f64, with the shape of one example; 0 for a constant feature.
    pub fn deviation(&self) -> &Tensor {
        &self.deviation
    }

    /// The dataset with its features brought to the training set's scale.
    ///
    /// # Errors
    /// Those of [`transform`](Standardize::transform); [`Error::Names`] if the features are called otherwise.
    pub fn apply(&self, data: &Dataset) -> Result<Dataset> {
        self.names.agree("Standardize::apply", ["it was fitted to", "the data have"], data.names())?;
        data.map_features(|features| self.transform(features))
    }

    /// Features (m, …) brought to the training set's scale, in their own dtype; computed in f64.
    ///
    /// # Errors
    /// [`Error::Argument`] if the features are not real or an example has another shape than in training.
    pub fn transform(&self, features: &Tensor) -> Result<Tensor> {
        let shape = features.shape();
        if shape.is_empty() || shape[1..] != *self.mean.shape() {
            let (found, fitted) = (Shape::from(shape), Shape::from(self.mean.shape()));
            let why =
                format!("fitted on examples of {fitted}, given features {found}: (m, …) must end in it");
            return Err(Error::argument("Standardize::transform", why));
        }
        let features = features.to_contiguous();
        match features.dtype() {
            DType::F32 => self.scaled::<f32>(&features),
            DType::F64 => self.scaled::<f64>(&features),
            other => Err(not_real(other)),
        }
    }

    fn scaled<T: Real>(&self, features: &Tensor) -> Result<Tensor> {
        let mean: &[f64] = self.mean.as_slice().unwrap_or_default();
        let deviation: &[f64] = self.deviation.as_slice().unwrap_or_default();
        let divisors: Vec<f64> = deviation.iter().map(|d| if *d == 0.0 { 1.0 } else { *d }).collect();
        let mut out = features.as_slice::<T>().unwrap_or_default().to_vec();
        for row in out.chunks_exact_mut(mean.len().max(1)) {
            for ((x, mean), divisor) in row.iter_mut().zip(mean).zip(&divisors) {
                // Both are halved where the difference of two huge numbers would overflow.
                let difference = x.to_f64() - mean;
                *x = T::from_f64(if difference.is_finite() {
                    difference / divisor
                } else {
                    (x.to_f64() / 2.0 - mean / 2.0) / (divisor / 2.0)
                });
            }
        }
        Ok(Tensor::from_vec(out, features.shape())?)
    }
}

fn not_real(found: DType) -> Error {
    let why =
        format!("only real features have a scale, not {found}; cast them to f32 if they are quantities");
    Error::argument("Standardize", why)
}

/// μ and σ of each column of `m` rows. Each column is divided by a power of two near its largest number, which changes
/// no digit, so that neither a sum nor a square leaves the range.
fn moments<T: Real>(elements: &[T], m: usize) -> (Vec<f64>, Vec<f64>) {
    let width = elements.len() / m;
    let (mut units, mut mean, mut deviation) = (vec![0.0_f64; width], vec![0.0; width], vec![0.0; width]);
    for row in elements.chunks_exact(width) {
        row.iter().zip(&mut units).for_each(|(&x, unit)| *unit = unit.max(x.to_f64().abs()));
    }
    const EXPONENT: u64 = 0x7FF0_0000_0000_0000;
    units
        .iter_mut()
        .for_each(|unit| *unit = f64::from_bits(unit.to_bits() & EXPONENT).max(f64::MIN_POSITIVE));
    for row in elements.chunks_exact(width) {
        row.iter().zip(&mut mean).zip(&units).for_each(|((&x, sum), unit)| *sum += x.to_f64() / unit);
    }
    for (column, (mean, first)) in mean.iter_mut().zip(&elements[..width]).enumerate() {
        // The rounded mean of equal numbers can miss them by a bit, which would look like a spread.
        let constant = elements.iter().skip(column).step_by(width).all(|x| x == first);
        *mean = if constant { (*first).to_f64() / units[column] } else { *mean / m as f64 };
    }
    for row in elements.chunks_exact(width) {
        for (((&x, mean), sum), unit) in row.iter().zip(&mean).zip(&mut deviation).zip(&units) {
            *sum += (x.to_f64() / unit - mean).powi(2);
        }
    }
    for ((mean, sum), unit) in mean.iter_mut().zip(&mut deviation).zip(&units) {
        *mean *= unit;
        *sum = (*sum / m as f64).sqrt() * unit;
    }
    (mean, deviation)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dataset(values: Vec<f64>, width: usize) -> Dataset {
        let m = values.len() / width;
        let features = Tensor::from_vec(values, [m, width]).unwrap();
        Dataset::regression(features, Tensor::from_vec(vec![0.0_f32; m], [m, 1]).unwrap()).unwrap()
    }

    fn numbers(fitted: &Standardize) -> (&[f64], &[f64]) {
        (fitted.mean.as_slice().unwrap(), fitted.deviation.as_slice().unwrap())
    }

    proptest! {
        #[test]
        fn the_training_set_gets_mean_0_and_deviation_1(
            mut values in proptest::collection::vec(-1e3..1e3_f64, 8..200),
            scale in 1e-3..1e6_f64,
            offset in -1e6..1e6_f64,
        ) {
            values.truncate(values.len() / 4 * 4);
            let values: Vec<f64> = values.iter().map(|x| x * scale + offset).collect();
            let train = dataset(values, 4);
            let fitted = Standardize::fit(&train).unwrap();
            let again = Standardize::fit(&fitted.apply(&train).unwrap()).unwrap();
            // The mean is known to some bits of the largest number, so the offset sets the precision.
            let (mean, deviation) = numbers(&fitted);
            let (mean_again, deviation_again) = numbers(&again);
            for i in 0..4 {
                let slack = 1e-13 * (1.0 + mean[i].abs() / deviation[i]);
                prop_assert!(mean_again[i].abs() <= slack, "mean {}", mean_again[i]);
                prop_assert!((deviation_again[i] - 1.0).abs() <= slack, "deviation {}", deviation_again[i]);
            }
        }

        #[test]
        fn a_constant_feature_becomes_zero(constant in -1e6..1e6_f64, m in 1..50_usize) {
            let train = dataset(vec![constant; m], 1);
            let fitted = Standardize::fit(&train).unwrap();
            prop_assert_eq!(numbers(&fitted).1, &[0.0]);
            let scaled = fitted.apply(&train).unwrap();
            prop_assert!(scaled.features().as_slice::<f64>().unwrap().iter().all(|x| *x == 0.0));
        }
    }

    #[test]
    fn kept_numbers_scale_alike() {
        let fitted = Standardize::fit(&dataset(vec![1.0, 5.0, 3.0, 5.0], 2)).unwrap();
        let restored = Standardize::new(fitted.mean(), fitted.deviation()).unwrap();
        assert_eq!(restored, fitted);
        let fresh = Tensor::from_vec(vec![4.0_f32, 6.0], [1, 2]).unwrap();
        let scaled = restored.transform(&fresh).unwrap();
        assert_eq!(scaled.as_slice::<f32>(), Some(&[2.0, 1.0][..]));
    }

    #[test]
    fn other_examples_are_refused() {
        let fitted = Standardize::fit(&dataset(vec![1.0, 2.0, 3.0, 4.0], 2)).unwrap();
        let error = |t: Tensor| fitted.transform(&t).unwrap_err().to_string();
        assert!(
            error(Tensor::from_vec(vec![1.0_f32; 3], [1, 3]).unwrap())
                .contains("(2,), given features (1, 3)")
        );
        assert!(error(Tensor::from_vec(vec![1.0_f32], ()).unwrap()).contains("given features ()"));
        assert!(error(Tensor::from_vec(vec![1_i64; 2], [1, 2]).unwrap()).contains("not i64"));
        let bad = Tensor::from_vec(vec![1.0, -1.0], [2]).unwrap();
        assert!(Standardize::new(&bad, &bad).is_err());
        let bad = Tensor::from_vec(vec![f64::NAN, 1.0], [2]).unwrap();
        assert!(Standardize::new(&bad, &Tensor::from([1.0, 1.0])).is_err());
    }

    #[test]
    fn both_ends_of_the_range_have_a_scale() {
        // The ratios do not depend on the unit; squares of all of these leave the range of f64.
        let expected = [-1.135_549_947_915_337, -0.162_221_421_130_762_4, 1.297_771_369_046_099_3];
        for unit in [1e180, 1e307, 1e-200, 1e-300, 1.0] {
            let train = dataset(vec![4.0 * unit, 6.0 * unit, 9.0 * unit], 1);
            let fitted = Standardize::fit(&train).unwrap();
            assert_eq!(Standardize::new(fitted.mean(), fitted.deviation()).unwrap(), fitted);
            let scaled = fitted.apply(&train).unwrap();
            for (x, expected) in scaled.features().as_slice::<f64>().unwrap().iter().zip(expected) {
                assert!((x - expected).abs() < 1e-14, "{unit}: {x} against {expected}");
            }
        }
        let train = dataset(vec![1.7e308, -1.7e308, -1.7e308], 1);
        let scaled = Standardize::fit(&train).unwrap().apply(&train).unwrap();
        let root = 0.5_f64.sqrt();
        for (x, expected) in
            scaled.features().as_slice::<f64>().unwrap().iter().zip([2.0 * root, -root, -root])
        {
            assert!((x - expected).abs() < 1e-14, "{x} against {expected}");
        }
    }

    #[test]
    fn features_are_known_by_name() {
        let named =
            |names: [&str; 2]| dataset(vec![1.0, 2.0, 3.0, 5.0], 2).with_feature_names(names).unwrap();
        let fitted = Standardize::fit(&named(["age", "fee"])).unwrap();
        assert!(fitted.apply(&named(["age", "fee"])).is_ok());
        assert!(fitted.apply(&dataset(vec![1.0, 2.0], 2)).is_ok(), "no names, nothing to compare");
        let error = fitted.apply(&named(["fee", "age"])).unwrap_err().to_string();
        assert!(error.contains("[age, fee]") && error.contains("[fee, age]"), "{error}");
    }
}
