//! `Classes`: the names behind the labels 0, 1, 2, …

use std::sync::{Arc, OnceLock};

use chainrule_tensor::Tensor;

use super::names::repeated;
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
///
/// Two that both have names of their own agree if the names do; a mere count agrees with any names of that number.
#[derive(Clone, Debug)]
pub struct Classes(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    count: usize,
    /// Whether they were given by name.
    named: bool,
    /// Made when asked for, where only the count was given.
    names: OnceLock<Vec<String>>,
}

impl Classes {
    /// How many classes there are.
    pub fn count(&self) -> usize {
        self.0.count
    }

    /// The name behind a label, if there is such a class.
    pub fn name(&self, label: usize) -> Option<&str> {
        self.names().get(label).map(String::as_str)
    }

    /// The names in the order of their labels.
    pub fn names(&self) -> &[String] {
        self.0.names.get_or_init(|| (0..self.count()).map(|i| i.to_string()).collect())
    }

    /// Whether they were given by name, not by count.
    pub(crate) fn are_named(&self) -> bool {
        self.0.named
    }

    /// The first two that have one name.
    pub(crate) fn repeated(&self) -> Option<[usize; 2]> {
        if self.are_named() { repeated(self.names()) } else { None }
    }

    /// Up to `n` names, without making the others.
    pub(crate) fn first(&self, n: usize) -> impl Iterator<Item = String> {
        let own = |i: usize| if self.are_named() { self.names()[i].clone() } else { i.to_string() };
        (0..self.count().min(n)).map(own)
    }

    /// Whether both may be the classes of one model.
    pub(crate) fn agrees(&self, other: &Classes) -> bool {
        self.count() == other.count()
            && (!self.are_named() || !other.are_named() || self.names() == other.names())
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

/// Equal names; those of a count are its numbers.
impl PartialEq for Classes {
    fn eq(&self, other: &Self) -> bool {
        let counted = !self.are_named() && !other.are_named();
        self.count() == other.count() && (counted || self.names() == other.names())
    }
}

impl Eq for Classes {}

impl From<usize> for Classes {
    fn from(count: usize) -> Self {
        Classes(Arc::new(Inner { count, named: false, names: OnceLock::new() }))
    }
}

impl<S: Into<String>, const N: usize> From<[S; N]> for Classes {
    fn from(names: [S; N]) -> Self {
        names.into_iter().map(Into::into).collect()
    }
}

impl From<Vec<String>> for Classes {
    fn from(names: Vec<String>) -> Self {
        Classes(Arc::new(Inner { count: names.len(), named: true, names: OnceLock::from(names) }))
    }
}

impl FromIterator<String> for Classes {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        names.into_iter().collect::<Vec<_>>().into()
    }
}

impl From<&Classes> for Classes {
    fn from(classes: &Classes) -> Self {
        classes.clone()
    }
}
