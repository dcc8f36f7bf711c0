//! `Classes`: the names behind the labels 0, 1, 2, …

use std::sync::Arc;

use chainrule_tensor::Tensor;

use crate::{Error, Result};

/// The classes of a classification: label `i` means the `i`-th name. Cheap to clone.
///
/// Made from names, or from a count when the labels speak for themselves:
///
/// ```
/// use chainrule_nn::data::Classes;
///
/// let animals = Classes::from(["cat", "dog"]);
/// assert_eq!(animals.name(1), Some("dog"));
/// let digits = Classes::from(10);
/// assert_eq!((digits.count(), digits.name(7)), (10, Some("7")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes(Arc<[String]>);

impl Classes {
    /// How many classes there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The name behind a label, if there is such a class.
    pub fn name(&self, label: usize) -> Option<&str> {
        self.0.get(label).map(String::as_str)
    }

    /// The names in the order of their labels.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The labels in `tensor` (i64, any shape), row-major, once all are known to name a class.
    ///
    /// # Errors
    /// [`Error::Argument`] for another dtype, [`Error::Label`] for the first label outside the classes.
    pub fn indices(&self, op: &'static str, tensor: &Tensor) -> Result<Vec<usize>> {
        let tensor = tensor.to_contiguous();
        let Some(labels) = tensor.as_slice::<i64>() else {
            let why = format!("labels are i64 class numbers, not {}", tensor.dtype());
            return Err(Error::argument(op, why));
        };
        let index = |(position, &value): (usize, &i64)| match usize::try_from(value) {
            Ok(label) if label < self.count() => Ok(label),
            _ => Err(Error::Label { position, value, classes: self.count() }),
        };
        labels.iter().enumerate().map(index).collect()
    }
}

impl From<usize> for Classes {
    fn from(count: usize) -> Self {
        (0..count).map(|i| i.to_string()).collect()
    }
}

impl<S: Into<String>, const N: usize> From<[S; N]> for Classes {
    fn from(names: [S; N]) -> Self {
        names.into_iter().map(Into::into).collect()
    }
}

impl From<Vec<String>> for Classes {
    fn from(names: Vec<String>) -> Self {
        Classes(names.into())
    }
}

impl FromIterator<String> for Classes {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Classes(names.into_iter().collect())
    }
}

impl From<&Classes> for Classes {
    fn from(classes: &Classes) -> Self {
        classes.clone()
    }
}
