//! The confusion matrix, and precision, recall and F1 from it.

use std::fmt;

use chainrule_tensor::Tensor;

use super::paired;
use crate::data::Classes;
use crate::{Error, Result};

/// How often each label was predicted as each class: a row a label, a column a prediction.
///
/// ```
/// use chainrule_nn::metric::Confusion;
/// use chainrule_tensor::Tensor;
///
/// let labels = Tensor::from_vec(vec![0_i64, 0, 0, 1, 1], [5])?;
/// let predicted = Tensor::from_vec(vec![0_i64, 0, 1, 1, 1], [5])?;
/// let confusion = Confusion::new(&predicted, &labels, ["cat", "dog"])?;
/// assert_eq!(confusion.to_string(), "\
/// label \\ predicted  cat  dog  sum  precision  recall     F1
/// cat                  2    1    3      1.000   0.667  0.800
/// dog                  0    2    2      0.667   1.000  0.800
/// sum                  2    3    5      0.833   0.833  0.800
/// accuracy 0.800; the last row averages the classes
/// ");
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Confusion {
    classes: Classes,
    /// Row-major (label, predicted).
    counts: Vec<u64>,
}

/// The scores of one class; `None` where a score divides by nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// Of those predicted to be of this class, the fraction that is; `None` if none was predicted.
    pub precision: Option<f64>,
    /// Of those of this class, the fraction that was predicted so; `None` if there are none.
    pub recall: Option<f64>,
    /// The harmonic mean of both; `None` if the class neither occurs nor was predicted.
    pub f1: Option<f64>,
    /// How many examples are of this class.
    pub support: u64,
}

/// Scores averaged over classes, each class counting alike however rare it is (the macro average).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Average {
    /// Mean precision.
    pub precision: f64,
    /// Mean recall.
    pub recall: f64,
    /// Mean F1.
    pub f1: f64,
}

/// The most classes that a table counts, in half a gigabyte.
const MOST: usize = 8192;

impl Confusion {
    /// Counts `predicted` against `labels`: class numbers, i64 of one shape, at least one.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for unequal shapes or another dtype,
    /// [`Error::Empty`](crate::Error::Empty) for none at all, [`Error::Label`](crate::Error::Label) for a
    /// number outside the classes, and [`Error::Argument`](crate::Error::Argument) for more than 8,192 classes, whose
    /// table nobody could read; [`accuracy`](super::accuracy) counts without one.
    pub fn new(predicted: &Tensor, labels: &Tensor, classes: impl Into<Classes>) -> Result<Self> {
        let classes = classes.into();
        if classes.count() > MOST {
            let why =
                format!("a table of {} classes by as many is larger than {MOST} by {MOST}", classes.count());
            return Err(Error::argument("Confusion", why));
        }
        let counts = vec![0; classes.count() * classes.count()];
        let mut confusion = Confusion { classes, counts };
        confusion.add(predicted, labels)?;
        Ok(confusion)
    }

    /// Counts further predictions, such as those of the next batch.
    ///
    /// # Errors
    /// Those of [`new`](Confusion::new); nothing is counted then.
    pub fn add(&mut self, predicted: &Tensor, labels: &Tensor) -> Result<()> {
        let op = "Confusion";
        paired(op, predicted, labels)?;
        let (predicted, labels) = (self.classes.indices(op, predicted)?, self.classes.indices(op, labels)?);
        for (predicted, label) in predicted.into_iter().zip(labels) {
            self.counts[label * self.classes.count() + predicted] += 1;
        }
        Ok(())
    }

    /// The classes, in the order of rows and columns.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// How many examples of class `label` were predicted as `predicted`; 0 for numbers that name no class.
    pub fn count(&self, label: usize, predicted: usize) -> u64 {
        let k = self.classes.count();
        if label < k && predicted < k { self.counts[label * k + predicted] } else { 0 }
    }

    /// How many examples were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The fraction of all examples that was predicted rightly.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes.count()).map(|c| self.count(c, c)).sum();
        right as f64 / self.total() as f64
    }

    /// The scores of one class; all `None` for a number that names no class.
    pub fn scores(&self, class: usize) -> Scores {
        let right = self.count(class, class);
        let (support, predicted) = (self.row_sum(class), self.column_sum(class));
        let ratio = |a: u64, b: u64| (b > 0).then(|| a as f64 / b as f64);
        Scores {
            precision: ratio(right, predicted),
            recall: ratio(right, support),
            f1: ratio(2 * right, support + predicted),
            support,
        }
    }

    /// Of what is of this class or was taken for it, the share that is both: the intersection over union of a segmentation
    /// (Jaccard's index). `None` as F1.
    pub fn overlap(&self, class: usize) -> Option<f64> {
        let both = self.count(class, class);
        let either = self.row_sum(class) + self.column_sum(class) - both;
        (either > 0).then(|| both as f64 / either as f64)
    }

    /// The mean [`overlap`](Confusion::overlap) of the classes that occur or were predicted.
    pub fn mean_overlap(&self) -> f64 {
        let each: Vec<f64> = (0..self.classes.count()).filter_map(|c| self.overlap(c)).collect();
        each.iter().sum::<f64>() / each.len() as f64
    }

    /// Of the examples of other classes, the share that was not taken for `class`; `None` if there are none.
    pub fn specificity(&self, class: usize) -> Option<f64> {
        let others = self.total() - self.row_sum(class);
        let wrong = self.column_sum(class) - self.count(class, class);
        (others > 0).then(|| (others - wrong) as f64 / others as f64)
    }

    /// The mean recall of the classes that occur: accuracy that rare classes count in as much as common ones.
    pub fn balanced_accuracy(&self) -> f64 {
        let recalls: Vec<f64> = (0..self.classes.count()).filter_map(|c| self.scores(c).recall).collect();
        recalls.iter().sum::<f64>() / recalls.len() as f64
    }

    /// F-β of one class: recall weighs β times as much as precision. `None` as F1.
    pub fn f_beta(&self, class: usize, beta: f64) -> Option<f64> {
        let hits = self.count(class, class) as f64;
        let (support, predicted) = (self.row_sum(class) as f64, self.column_sum(class) as f64);
        let below = beta * beta * support + predicted;
        (below > 0.0).then(|| (1.0 + beta * beta) * hits / below)
    }

    /// Cohen's kappa: how far the agreement exceeds that of chance; 1 is whole, 0 is chance.
    pub fn kappa(&self) -> f64 {
        let n = self.total() as f64;
        let chance = self.chance() / (n * n);
        (self.accuracy() - chance) / (1.0 - chance)
    }

    /// Matthews' correlation of labels and predictions, of any number of classes; 0 where one of them does not vary.
    pub fn matthews(&self) -> f64 {
        let n = self.total() as f64;
        let squares = |sum: &dyn Fn(usize) -> u64| {
            (0..self.classes.count()).map(|c| (sum(c) as f64).powi(2)).sum::<f64>()
        };
        let spread = |own: f64| n * n - own;
        let (rows, columns) =
            (spread(squares(&|c| self.row_sum(c))), spread(squares(&|c| self.column_sum(c))));
        let below = (rows * columns).sqrt();
        if below == 0.0 { 0.0 } else { (self.accuracy() * n * n - self.chance()) / below }
    }

    /// Σ of the products of how often each class occurs and is predicted.
    fn chance(&self) -> f64 {
        (0..self.classes.count()).map(|c| self.row_sum(c) as f64 * self.column_sum(c) as f64).sum()
    }

    /// The macro average: over the classes that occur or were predicted, an undefined score counting as 0.
    pub fn average(&self) -> Average {
        let scores: Vec<Scores> =
            (0..self.classes.count()).map(|c| self.scores(c)).filter(|s| s.f1.is_some()).collect();
        let mean = |score: fn(&Scores) -> Option<f64>| {
            scores.iter().map(|s| score(s).unwrap_or(0.0)).sum::<f64>() / scores.len() as f64
        };
        Average { precision: mean(|s| s.precision), recall: mean(|s| s.recall), f1: mean(|s| s.f1) }
    }

    fn row_sum(&self, label: usize) -> u64 {
        (0..self.classes.count()).map(|predicted| self.count(label, predicted)).sum()
    }

    fn column_sum(&self, predicted: usize) -> u64 {
        (0..self.classes.count()).map(|label| self.count(label, predicted)).sum()
    }
}

/// An aligned table: counts, sums, scores; `-` where a score is undefined.
impl fmt::Display for Confusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let k = self.classes.count();
        let corner = "label \\ predicted".to_owned();
        let heads = ["sum", "precision", "recall", "F1"].map(str::to_owned);
        let mut rows: Vec<Vec<String>> =
            vec![[corner].into_iter().chain(self.classes.names().iter().cloned()).chain(heads).collect()];
        let score = |score: Option<f64>| score.map_or("-".to_owned(), |s| format!("{s:.3}"));
        for (label, name) in self.classes.names().iter().enumerate() {
            let Scores { precision, recall, f1, support } = self.scores(label);
            let counts = (0..k).map(|predicted| self.count(label, predicted).to_string());
            let tail = [support.to_string(), score(precision), score(recall), score(f1)];
            rows.push([name.clone()].into_iter().chain(counts).chain(tail).collect());
        }
        let Average { precision, recall, f1 } = self.average();
        let sums = (0..k).map(|predicted| self.column_sum(predicted).to_string());
        let tail = [self.total().to_string(), score(Some(precision)), score(Some(recall)), score(Some(f1))];
        rows.push(["sum".to_owned()].into_iter().chain(sums).chain(tail).collect());

        let length = |cell: &String| cell.chars().count();
        let widths: Vec<usize> =
            (0..k + 5).map(|i| rows.iter().map(|row| length(&row[i])).max().unwrap_or(0)).collect();
        for row in &rows {
            write!(f, "{:<1$}", row[0], widths[0])?;
            for (cell, width) in row.iter().zip(&widths).skip(1) {
                write!(f, "  {cell:>width$}")?;
            }
            writeln!(f)?;
        }
        writeln!(f, "accuracy {:.3}; the last row averages the classes", self.accuracy())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::accuracy;

    fn tensor(values: &[i64]) -> Tensor {
        Tensor::from_vec(values.to_vec(), values.len()).unwrap()
    }

    proptest! {
        #[test]
        fn counts_sums_and_scores_agree(pairs in proptest::collection::vec((0..5_i64, 0..5_i64), 1..80)) {
            let (predicted, labels): (Vec<i64>, Vec<i64>) = pairs.iter().copied().unzip();
            let confusion = Confusion::new(&tensor(&predicted), &tensor(&labels), 5).unwrap();
            prop_assert_eq!(confusion.total(), pairs.len() as u64);
            let plain = accuracy(&tensor(&predicted), &tensor(&labels)).unwrap();
            prop_assert!((confusion.accuracy() - plain).abs() < 1e-12);
            for class in 0..5 {
                let of = |f: &dyn Fn(&(i64, i64)) -> bool| pairs.iter().filter(|p| f(p)).count() as f64;
                let c = class as i64;
                let (right, said, is) = (of(&|p| *p == (c, c)), of(&|p| p.0 == c), of(&|p| p.1 == c));
                let scores = confusion.scores(class);
                prop_assert_eq!(scores.support as f64, is);
                prop_assert_eq!(scores.precision, (said > 0.0).then(|| right / said));
                prop_assert_eq!(scores.recall, (is > 0.0).then(|| right / is));
                if let (Some(p), Some(r), Some(f1)) = (scores.precision, scores.recall, scores.f1) {
                    let harmonic = if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 };
                    prop_assert!((f1 - harmonic).abs() < 1e-12);
                }
            }
        }

        #[test]
        fn batches_add_up(pairs in proptest::collection::vec((0..3_i64, 0..3_i64), 2..40), at in any::<prop::sample::Index>()) {
            let (predicted, labels): (Vec<i64>, Vec<i64>) = pairs.iter().copied().unzip();
            let cut = at.index(pairs.len() - 1) + 1;
            let whole = Confusion::new(&tensor(&predicted), &tensor(&labels), 3).unwrap();
            let mut parts = Confusion::new(&tensor(&predicted[..cut]), &tensor(&labels[..cut]), 3).unwrap();
            parts.add(&tensor(&predicted[cut..]), &tensor(&labels[cut..])).ok();
            prop_assert_eq!(parts, whole);
        }
    }

    #[test]
    fn undefined_scores_are_shown_as_such() {
        let confusion = Confusion::new(&tensor(&[0, 0]), &tensor(&[0, 1]), 3).unwrap();
        assert_eq!(
            confusion.scores(1),
            Scores { precision: None, recall: Some(0.0), f1: Some(0.0), support: 1 }
        );
        assert_eq!(confusion.scores(2).f1, None);
        assert_eq!(confusion.average().recall, 0.5);
        assert_eq!(
            confusion.to_string().lines().nth(3).unwrap(),
            "2                  0  0  0    0          -       -      -"
        );
    }

    #[test]
    fn a_table_that_fits_nowhere_is_refused() {
        for classes in [1 << 17, usize::MAX] {
            let error = Confusion::new(&tensor(&[0]), &tensor(&[0]), classes).unwrap_err().to_string();
            assert!(error.contains(&classes.to_string()), "{error}");
        }
    }

    #[test]
    fn a_failed_addition_counts_nothing() {
        let mut confusion = Confusion::new(&tensor(&[0]), &tensor(&[0]), 2).unwrap();
        let before = confusion.clone();
        assert!(confusion.add(&tensor(&[0, 1]), &tensor(&[0, 2])).is_err());
        assert_eq!(confusion, before);
    }
}
