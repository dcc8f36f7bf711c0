//! How good predictions are: accuracy, the confusion matrix with what follows from it, rankings, deviations.
//!
//! Predictions and labels are class numbers (i64, one shape); from scores (m, classes) they come by argmax
//! over the last axis.

mod confusion;
mod ranking;
mod regression;
mod sequence;
mod trials;

use chainrule_tensor::{DType, Shape, Tensor};

use crate::{Error, Result};

pub use confusion::{Average, Confusion, Scores};
pub use ranking::{Ranking, Threshold};
pub use regression::Deviations;
pub use sequence::{bleu, edit_distance, perplexity};
pub use trials::Trials;

/// The fraction of `predicted` that equals `labels`: both i64 of one shape.
///
/// ```
/// use chainrule_nn::metric::accuracy;
/// use chainrule_tensor::Tensor;
///
/// let labels = Tensor::from_vec(vec![0_i64, 1, 2, 1], [4])?;
/// let predicted = Tensor::from_vec(vec![0_i64, 1, 2, 2], [4])?;
/// assert_eq!(accuracy(&predicted, &labels)?, 0.75);
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for unequal shapes or another dtype, [`Error::Empty`] for none at all.
pub fn accuracy(predicted: &Tensor, labels: &Tensor) -> Result<f64> {
    let (predicted, labels) = paired("accuracy", predicted, labels)?;
    let right = predicted.iter().zip(&labels).filter(|(p, l)| p == l).count();
    Ok(right as f64 / labels.len() as f64)
}

/// The share of labels, (…), that are among the `k` classes of the greatest scores, (…, classes); of equal scores the
/// class with the smaller number is the greater.
///
/// # Errors
/// [`Error::Argument`] unless the labels are i64, one for each position, [`Error::Label`] for one that names no class,
/// [`Error::Empty`] for none.
pub fn top_k_accuracy(scores: &Tensor, labels: &Tensor, k: usize) -> Result<f64> {
    let (op, shape) = ("top_k_accuracy", scores.shape());
    let Some((&classes, positions)) = shape.split_last() else {
        return Err(Error::argument(op, "scores are (…, classes), not one number"));
    };
    if labels.shape() != positions {
        let (labels, scores) = (Shape::from(labels.shape()), Shape::from(shape));
        return Err(Error::argument(
            op,
            format!("labels {labels} are not one for each position of {scores}"),
        ));
    }
    let (labels, _) = paired(op, labels, labels)?;
    if let Some(position) = labels.iter().position(|l| !(0..classes as i64).contains(l)) {
        return Err(Error::Label { position, value: labels[position], classes });
    }
    let scores = scores.cast(DType::F64).to_vec::<f64>()?;
    let hit = |(row, label): (&[f64], &i64)| {
        let own = row[*label as usize];
        let above = row.iter().enumerate().filter(|(c, s)| **s > own || **s == own && (*c as i64) < *label);
        above.count() < k
    };
    Ok(scores.chunks_exact(classes).zip(&labels).filter(|pair| hit(*pair)).count() as f64
        / labels.len() as f64)
}

/// Where `predicted` differs from `labels` (both i64 of one shape): positions counted row-major.
///
/// With them [`Dataset::select`](crate::data::Dataset::select) gives the examples to look at.
///
/// # Errors
/// Those of [`accuracy`].
pub fn mistakes(predicted: &Tensor, labels: &Tensor) -> Result<Vec<usize>> {
    let (predicted, labels) = paired("mistakes", predicted, labels)?;
    Ok((0..labels.len()).filter(|i| predicted[*i] != labels[*i]).collect())
}

/// The class numbers in two tensors that must agree in shape and hold at least one.
fn paired(op: &'static str, predicted: &Tensor, labels: &Tensor) -> Result<(Vec<i64>, Vec<i64>)> {
    if predicted.shape() != labels.shape() {
        let (p, l) = (Shape::from(predicted.shape()), Shape::from(labels.shape()));
        let why =
            format!("predictions {p} and labels {l} must have one shape (scores become classes by argmax)");
        return Err(Error::argument(op, why));
    }
    if labels.size() == 0 {
        return Err(Error::Empty { op, what: "labels" });
    }
    let numbers = |what: &str, tensor: &Tensor| {
        let wrong = || Error::argument(op, format!("{what} are i64 class numbers, not {}", tensor.dtype()));
        tensor.to_contiguous().as_slice::<i64>().map(<[i64]>::to_vec).ok_or_else(wrong)
    };
    Ok((numbers("predictions", predicted)?, numbers("labels", labels)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let integers = |n: usize| Tensor::from_vec(vec![0_i64; n], n).unwrap();
        let error = accuracy(&integers(3), &integers(2)).unwrap_err().to_string();
        assert!(error.contains("predictions (3,) and labels (2,) must have one shape"), "{error}");
        assert!(matches!(accuracy(&integers(0), &integers(0)), Err(Error::Empty { .. })));
        let reals = Tensor::from_vec(vec![0.0_f32; 2], 2).unwrap();
        let error = accuracy(&reals, &integers(2)).unwrap_err().to_string();
        assert!(error.contains("predictions are i64 class numbers, not f32"), "{error}");
    }

    #[test]
    fn mistakes_are_positions() {
        let predicted = Tensor::from_vec(vec![1_i64, 0, 2], 3).unwrap();
        let labels = Tensor::from_vec(vec![1_i64, 1, 1], 3).unwrap();
        assert_eq!(mistakes(&predicted, &labels).unwrap(), [1, 2]);
    }
}
