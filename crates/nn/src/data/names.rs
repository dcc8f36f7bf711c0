//! `Names`: what the columns and classes of data are called, compared wherever two of them meet.

use std::sync::Arc;

use super::Classes;
use crate::{Error, Result};

/// What the features and classes of data are called, as far as it is known.
///
/// Data have them ([`Dataset::names`](super::Dataset::names)), and parameters that were trained on data keep them
/// ([`Params::names`](crate::Params::names)), in files too. Where two meet that both know names, they must be the
/// same in the same order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    pub(crate) features: Option<Arc<[String]>>,
    pub(crate) classes: Option<Classes>,
}

impl Names {
    /// The name of each feature, row-major.
    pub fn features(&self) -> Option<&[String]> {
        self.features.as_deref()
    }

    /// The classes that labels name.
    pub fn classes(&self) -> Option<&Classes> {
        self.classes.as_ref()
    }

    /// Without the classes.
    pub(crate) fn features_alone(&self) -> Names {
        Names { features: self.features.clone(), classes: None }
    }

    /// Fails where both know names that differ. `whose` says what the two belong to.
    pub(crate) fn agree(&self, op: &'static str, whose: [&'static str; 2], other: &Names) -> Result<()> {
        let refuse = |what: &'static str, left: &[String], right: &[String]| Error::Names {
            op,
            what,
            left: format!("{} {}", whose[0], listed(left)),
            right: format!("{} {}", whose[1], listed(right)),
        };
        if let (Some(left), Some(right)) = (&self.features, &other.features)
            && left != right
        {
            return Err(refuse("features", left, right));
        }
        match (&self.classes, &other.classes) {
            (Some(left), Some(right)) if !left.agrees(right) => {
                // Counts that no memory holds have no lists.
                let list = |c: &Classes| c.first(SHOWN + 1).map(|n| n.to_string()).collect::<Vec<_>>();
                let mut error = refuse("classes", &list(left), &list(right));
                if left.count() != right.count()
                    && let Error::Names { left: l, right: r, .. } = &mut error
                {
                    l.push_str(&format!(" ({} classes)", left.count()));
                    r.push_str(&format!(" ({} classes)", right.count()));
                }
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// These, and what only `other` knows.
    pub(crate) fn or(&self, other: &Names) -> Names {
        let named = |c: &&Classes| c.are_named();
        let classes =
            self.classes.as_ref().filter(named).or(other.classes.as_ref()).or(self.classes.as_ref());
        Names {
            features: self.features.clone().or_else(|| other.features.clone()),
            classes: classes.cloned(),
        }
    }
}

/// How many names a message lists.
const SHOWN: usize = 12;

/// `[fig, kiwi, lime]`, cut where it is long.
pub(crate) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let mut shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    if names.len() > SHOWN {
        shown.push("…");
    }
    format!("[{}]", shown.join(", "))
}

/// The positions of the first two names that are equal.
pub(crate) fn repeated(names: &[String]) -> Option<[usize; 2]> {
    let mut seen = std::collections::HashMap::new();
    names.iter().enumerate().find_map(|(i, name)| seen.insert(name, i).map(|first| [first, i]))
}
