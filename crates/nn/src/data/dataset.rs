//! `Dataset`: examples and their targets, checked once.

use std::fmt;

use chainrule_tensor::{DType, Real, Shape, Tensor, shape};

use super::{Batch, Classes, Names, names, rows};
use crate::{Error, Result};

/// Examples and their targets, row by row: `features` (m, …) and `targets` with the same m.
///
/// A dataset that exists is sound: there is at least one example, features and targets pair up, all reals
/// are finite and every label names a class. Cloning is cheap.
///
/// ```
/// use chainrule_nn::data::Dataset;
/// use chainrule_tensor::Tensor;
///
/// let features = Tensor::from_vec(vec![5.1_f32, 3.5, 4.9, 3.0, 6.3, 3.3], [3, 2])?;
/// let labels = Tensor::from_vec(vec![0_i64, 0, 1], [3])?;
/// let flowers = Dataset::classification(features, labels, ["setosa", "virginica"])?;
/// assert_eq!(flowers.to_string(), "3 examples of (2,) f32 in 2 classes (setosa: 2, virginica: 1)");
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Dataset {
    features: Tensor,
    targets: Tensor,
    names: Names,
}

/// How many classes labels may name: enough for any vocabulary, few enough to count each.
const CLASSES: usize = 1 << 24;

impl Dataset {
    /// Examples that each belong to a class: `labels` (m, …) are i64 numbers of `classes`.
    ///
    /// One label an example is (m,); one a position, as for text, is (m, t).
    ///
    /// ```
    /// # use chainrule_nn::data::Dataset;
    /// # use chainrule_tensor::Tensor;
    /// let features = Tensor::from_vec(vec![0.0_f32; 4], [2, 2])?;
    /// let labels = Tensor::from_vec(vec![0_i64, 7], [2])?;
    /// let error = Dataset::classification(features, labels, 3).unwrap_err();
    /// assert!(error.to_string().starts_with("the label at position 1 is 7, but there are 3 classes"));
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::Unpaired`], [`Error::NotFinite`], [`Error::Label`], and
    /// [`Error::Argument`] for labels that are not i64, and for two classes of one name.
    pub fn classification(features: Tensor, labels: Tensor, classes: impl Into<Classes>) -> Result<Self> {
        let (op, classes) = ("Dataset::classification", classes.into());
        if classes.count() > CLASSES {
            let why = format!("{} classes are more than the {CLASSES} that are supported", classes.count());
            return Err(Error::argument(op, why));
        }
        if let Some([a, b]) = classes.repeated() {
            let why = format!("classes {a} and {b} (from 0) are both called {:?}", classes.names()[a]);
            return Err(Error::argument(op, why));
        }
        let names = Names { features: None, classes: Some(classes.clone()) };
        let data = Dataset::paired(op, features, labels, names)?;
        classes.indices(op, &data.targets)?;
        Ok(data)
    }

    /// Examples that each have real `targets` (m, k): k numbers to predict, 1 as a rule.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::Unpaired`], [`Error::NotFinite`], and [`Error::Argument`] for targets that
    /// are not real or have no axis beside that of the examples: (m,) against predictions (m, 1) would not
    /// be the same shape.
    pub fn regression(features: Tensor, targets: Tensor) -> Result<Self> {
        let op = "Dataset::regression";
        if !targets.dtype().is_real() {
            let why = format!("targets are real, not {}; cast them to f32", targets.dtype());
            return Err(Error::argument(op, why));
        }
        if let [m] = targets.shape() {
            let why = format!("targets of shape ({m},) need a second axis: reshape them to ({m}, 1)");
            return Err(Error::argument(op, why));
        }
        Dataset::paired(op, features, targets, Names::default())
    }

    fn paired(op: &'static str, features: Tensor, targets: Tensor, names: Names) -> Result<Self> {
        for (what, tensor) in [("features", &features), ("targets", &targets)] {
            if tensor.shape().is_empty() {
                let why =
                    format!("{what} of shape () have no axis for the examples: the first axis is theirs");
                return Err(Error::argument(op, why));
            }
            if tensor.size() == 0 {
                return Err(Error::Empty { op, what });
            }
        }
        let (left, right) = (features.shape()[0], targets.shape()[0]);
        if left != right {
            return Err(Error::Unpaired { op, left_name: "features", left, right_name: "targets", right });
        }
        let (features, targets) = (features.to_contiguous(), targets.to_contiguous());
        check_finite("features", &features)?;
        check_finite("targets", &targets)?;
        Ok(Dataset { features, targets, names })
    }

    /// SHA-256 of all numbers with their types and shapes, and of the names: data with the same are the same.
    ///
    /// ```
    /// use chainrule_nn::data::iris;
    /// let (iris, first) = (iris()?, iris()?.select(&[0, 1])?);
    /// assert_eq!(iris.fingerprint(), iris.clone().fingerprint());
    /// assert_ne!(iris.fingerprint(), first.fingerprint());
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    pub fn fingerprint(&self) -> String {
        let names = crate::digest::of_text(&format!("{:?}", self.names));
        let values = crate::digest::of([("features", &self.features), ("targets", &self.targets)]);
        crate::digest::of_text(&(values + &names))
    }

    /// The number of examples, m: at least 1.
    pub fn examples(&self) -> usize {
        self.features.shape()[0]
    }

    /// What is known of each example: (m, …), contiguous.
    pub fn features(&self) -> &Tensor {
        &self.features
    }

    /// What is to be predicted of each example: i64 labels (m, …) or reals (m, k), contiguous.
    pub fn targets(&self) -> &Tensor {
        &self.targets
    }

    /// The classes the labels name; `None` if the targets are real.
    pub fn classes(&self) -> Option<&Classes> {
        self.names.classes()
    }

    /// What features and classes are called, as far as it is known.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The same data with a name for each feature, row-major; a [`Table`](super::Table) gives its columns' names.
    ///
    /// ```
    /// # use chainrule_nn::data::{Dataset, iris};
    /// # use chainrule_tensor::Tensor;
    /// let flowers = iris()?.with_feature_names(["sepal length", "sepal width", "petal length", "petal width"])?;
    /// assert_eq!(flowers.names().features().map(|names| names.len()), Some(4));
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] for another number of names than an example has features, or a name given twice.
    pub fn with_feature_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Result<Self> {
        let op = "Dataset::with_feature_names";
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let wanted = self.example_shape().size();
        if names.len() != wanted {
            let why = format!("{} names for {wanted} features", names.len());
            return Err(Error::argument(op, why));
        }
        if let Some([a, b]) = names::repeated(&names) {
            let why = format!("features {a} and {b} (from 0) are both called {:?}", names[a]);
            return Err(Error::argument(op, why));
        }
        self.names.features = Some(names.into());
        Ok(self)
    }

    /// The first `n` examples, of which there are as many.
    pub(crate) fn first(&self, n: usize) -> Batch {
        let rows: Vec<usize> = (0..n).collect();
        Batch {
            features: rows::copy(&self.features, &rows, None),
            targets: rows::copy(&self.targets, &rows, None),
        }
    }

    /// Fails for a number that overflows in f32, which models are trained in.
    pub(crate) fn check_range(&self) -> Result<()> {
        for (what, tensor) in [("features", &self.features), ("targets", &self.targets)] {
            let elements: &[f64] = tensor.as_slice().unwrap_or_default();
            if let Some(i) = elements.iter().position(|x| (*x as f32).is_infinite()) {
                let width = (tensor.size() / tensor.shape()[0]).max(1);
                return Err(Error::Range { what, row: i / width, column: i % width, value: elements[i] });
            }
        }
        Ok(())
    }

    /// The shape of one example's features: all axes but the first.
    pub fn example_shape(&self) -> Shape {
        Shape::from(&self.features.shape()[1..])
    }

    /// How many labels each class has; `None` if the targets are real.
    pub fn class_counts(&self) -> Option<Vec<usize>> {
        let classes = self.classes()?;
        let mut counts = vec![0; classes.count()];
        for label in self.targets.as_slice::<i64>()? {
            counts[*label as usize] += 1;
        }
        Some(counts)
    }

    /// The examples at `rows`, in that order; a row may be taken more than once.
    ///
    /// # Errors
    /// [`Error::Argument`] for a row beyond the last example; [`Error::Empty`] for no rows.
    pub fn select(&self, rows: &[usize]) -> Result<Self> {
        let op = "Dataset::select";
        let m = self.examples();
        if rows.is_empty() {
            return Err(Error::Empty { op, what: "rows" });
        }
        if let Some((i, row)) = rows.iter().enumerate().find(|(_, row)| **row >= m) {
            let why = format!("row {row} at position {i} is beyond the {m} examples (rows count from 0)");
            return Err(Error::argument(op, why));
        }
        Ok(Dataset {
            features: rows::copy(&self.features, rows, None),
            targets: rows::copy(&self.targets, rows, None),
            names: self.names.clone(),
        })
    }

    /// The same examples with each one's features in another shape, as (8, 8) images become 64 columns.
    /// One length may be -1 and is then computed from the rest.
    ///
    /// ```
    /// let digits = chainrule_nn::data::digits()?;
    /// assert_eq!(digits.features().shape(), [1797, 8, 8]);
    /// assert_eq!(digits.reshape_examples(&[1, 8, 8])?.features().shape(), [1797, 1, 8, 8]);
    /// assert_eq!(digits.reshape_examples(&[-1])?.features().shape(), [1797, 64]);
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// A shape error if the numbers of elements differ.
    pub fn reshape_examples(&self, to: &[isize]) -> Result<Self> {
        let example = shape::reshape(&self.example_shape(), to)?;
        let whole: Vec<usize> = [self.examples()].into_iter().chain(example.iter().copied()).collect();
        Ok(Dataset { features: rows::reshaped(&self.features, &whole)?, ..self.clone() })
    }

    /// The same targets with features computed from these: scaled, augmented, embedded. They keep their names if
    /// they keep their shape.
    ///
    /// # Errors
    /// What `change` returns, or that of a new dataset with the changed features.
    pub fn map_features(&self, change: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Self> {
        let op = "Dataset::map_features";
        let features = change(&self.features)?;
        let mut names = self.names.clone();
        if features.shape() != self.features.shape() {
            names.features = None;
        }
        Dataset::paired(op, features, self.targets.clone(), names)
    }
}

/// How many classes one line lists.
const SHOWN: usize = 100;

/// One line: how many examples, of what shape, in which classes.
impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (m, s) = (self.examples(), if self.examples() == 1 { "" } else { "s" });
        write!(f, "{m} example{s} of {} {}", self.example_shape(), self.features.dtype())?;
        match (self.classes(), self.class_counts()) {
            (Some(classes), Some(counts)) => {
                let names = classes.first(SHOWN).zip(counts).map(|(name, n)| format!("{name}: {n}"));
                let more = (classes.count() > SHOWN).then(|| "…".to_owned());
                let list: Vec<String> = names.chain(more).collect();
                write!(f, " in {} classes ({})", classes.count(), list.join(", "))
            }
            _ => write!(f, " with targets {}", Shape::from(&self.targets.shape()[1..])),
        }
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dataset({self})")
    }
}

/// Refuses NaN and infinity; integers and truth values are always finite.
pub(super) fn check_finite(what: &'static str, tensor: &Tensor) -> Result<()> {
    fn go<T: Real>(what: &'static str, tensor: &Tensor) -> Result<()> {
        let elements = tensor.as_slice::<T>().unwrap_or_default();
        let width = (tensor.size() / tensor.shape()[0]).max(1);
        match elements.iter().position(|x| !x.is_finite()) {
            None => Ok(()),
            Some(i) => {
                let (row, column, value) = (i / width, i % width, elements[i].to_f64());
                Err(Error::NotFinite { what, row, column, value })
            }
        }
    }
    match tensor.dtype() {
        DType::F32 => go::<f32>(what, tensor),
        DType::F64 => go::<f64>(what, tensor),
        DType::I64 | DType::Bool => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reals(shape: &[usize]) -> Tensor {
        Tensor::from_vec(vec![0.5_f32; shape.iter().product()], shape).unwrap()
    }

    fn labels(values: &[i64]) -> Tensor {
        Tensor::from_vec(values.to_vec(), values.len()).unwrap()
    }

    #[test]
    fn not_finite_names_row_and_column() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let features = Tensor::from_vec(vec![1.0, 2.0, 3.0, 4.0, bad, 6.0], [2, 3]).unwrap();
            let error = Dataset::classification(features, labels(&[0, 1]), 2).unwrap_err();
            assert!(matches!(error, Error::NotFinite { what: "features", row: 1, column: 1, .. }), "{error}");
        }
        let targets = Tensor::from_vec(vec![1.0, f64::NAN], [2, 1]).unwrap();
        let error = Dataset::regression(reals(&[2, 3]), targets).unwrap_err().to_string();
        assert!(error.starts_with("the targets hold NaN in row 1, column 0"), "{error}");
    }

    #[test]
    fn labels_name_a_class() {
        for bad in [-1, 3, i64::MIN, i64::MAX] {
            let error = Dataset::classification(reals(&[2, 1]), labels(&[2, bad]), 3).unwrap_err();
            assert_eq!(error, Error::Label { position: 1, value: bad, classes: 3 });
        }
        let error = Dataset::classification(reals(&[2, 1]), reals(&[2]), 3).unwrap_err().to_string();
        assert!(error.contains("labels are i64 class numbers, not f32"), "{error}");
    }

    #[test]
    fn features_and_targets_pair_up() {
        let error = Dataset::classification(reals(&[3, 2]), labels(&[0, 0]), 1).unwrap_err().to_string();
        assert!(error.contains("3 features against 2 targets"), "{error}");
        let error = Dataset::regression(reals(&[2, 2]), reals(&[2])).unwrap_err().to_string();
        assert!(error.contains("reshape them to (2, 1)"), "{error}");
    }

    #[test]
    fn there_are_examples() {
        let none = Dataset::classification(reals(&[0, 2]), labels(&[]), 1).unwrap_err();
        assert!(matches!(none, Error::Empty { what: "features", .. }));
        assert!(Dataset::regression(reals(&[2, 0]), reals(&[2, 1])).is_err());
        assert!(Dataset::regression(reals(&[]), reals(&[1, 1])).is_err());
        let data = Dataset::regression(reals(&[2, 2]), reals(&[2, 1])).unwrap();
        assert!(matches!(data.select(&[]), Err(Error::Empty { .. })));
        let error = data.select(&[0, 2]).unwrap_err().to_string();
        assert!(error.contains("row 2 at position 1 is beyond the 2 examples"), "{error}");
    }

    #[test]
    fn transposed_features_are_read_in_their_own_order() {
        let Tensor::F32(array) = Tensor::from_vec((0..6).map(|i| i as f32).collect(), [3, 2]).unwrap() else {
            unreachable!()
        };
        let transposed = Tensor::F32(array.reversed_axes());
        let data = Dataset::classification(transposed, labels(&[0, 1]), 2).unwrap();
        let second = data.select(&[1]).unwrap();
        assert_eq!(second.features().as_slice::<f32>(), Some(&[1.0, 3.0, 5.0][..]));
    }
}
