//! Rows for cross-validation: every example is once among those that are held out.

use chainrule_tensor::Key;

use super::Dataset;
use crate::{Error, Result};

/// How the rows of a data set are parted for cross-validation.
///
/// ```
/// use chainrule_nn::data::{Folds, iris};
/// use chainrule_tensor::Key;
/// let iris = iris()?;
/// for (train, held_out) in Folds::stratified(&iris, 5, Key::new(1))?.datasets(&iris) {
///     let (train, held_out) = (train?, held_out?);
///     assert_eq!(train.examples(), 120);
///     assert_eq!(held_out.class_counts(), Some(vec![10, 10, 10]));
/// }
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Folds {
    /// Rows to train on, and rows that are held out, for each fold.
    parts: Vec<(Vec<usize>, Vec<usize>)>,
}

impl Folds {
    /// `folds` parts of `examples` rows, in an order drawn by `key`, of sizes that differ by one at most.
    ///
    /// # Errors
    /// [`Error::Argument`] for less than two folds or more folds than rows.
    pub fn shuffled(examples: usize, folds: usize, key: Key) -> Result<Self> {
        let op = "Folds::shuffled";
        enough(op, folds, examples, "rows")?;
        let order = key.permutation(examples)?;
        let of = position(&order);
        Ok(Folds::by(folds, examples, |row| of[row] % folds))
    }

    /// As [`shuffled`](Folds::shuffled), but each part has each class in the proportion of the whole, as nearly as whole
    /// examples allow.
    ///
    /// # Errors
    /// As [`shuffled`](Folds::shuffled); data without one label an example; a class with fewer examples than folds.
    pub fn stratified(data: &Dataset, folds: usize, key: Key) -> Result<Self> {
        let op = "Folds::stratified";
        enough(op, folds, data.examples(), "rows")?;
        let (Some(counts), [_], Some(labels)) =
            (data.class_counts(), data.targets().shape(), data.targets().as_slice::<i64>())
        else {
            return Err(Error::argument(op, "needs one class label an example"));
        };
        if let Some(class) = counts.iter().position(|n| *n > 0 && *n < folds) {
            let n = counts[class];
            let why = format!("class {class} has {n} examples for {folds} folds: some would hold none of it");
            return Err(Error::argument(op, why));
        }
        // Class after class, so that what is left of one is followed by the next.
        let mut order = key.permutation(data.examples())?;
        order.sort_by_key(|row| labels[*row]);
        let of = position(&order);
        Ok(Folds::by(folds, data.examples(), |row| of[row] % folds))
    }

    /// Rows of one group, such as a patient, stay together: `groups` names the group of each row. Groups are dealt by
    /// size, the largest first, each to the fold with the fewest rows; `key` decides between equals.
    ///
    /// # Errors
    /// [`Error::Argument`] for less than two folds or more folds than groups.
    pub fn grouped(groups: &[i64], folds: usize, key: Key) -> Result<Self> {
        let op = "Folds::grouped";
        let mut sizes: std::collections::BTreeMap<i64, usize> = std::collections::BTreeMap::new();
        groups.iter().for_each(|group| *sizes.entry(*group).or_default() += 1);
        enough(op, folds, sizes.len(), "groups")?;
        let mut dealt: Vec<(i64, usize)> = sizes.into_iter().collect();
        key.shuffle(&mut dealt);
        dealt.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        let (mut rows, mut fold_of) = (vec![0; folds], std::collections::BTreeMap::new());
        for (group, size) in dealt {
            let fold = (0..folds).min_by_key(|fold| rows[*fold]).unwrap_or(0);
            rows[fold] += size;
            fold_of.insert(group, fold);
        }
        Ok(Folds::by(folds, groups.len(), |row| fold_of[&groups[row]]))
    }

    /// Rows in order of time: each fold is trained on all that came before what it holds out, and `folds` + 1 parts of
    /// nearly one size follow each other.
    ///
    /// # Errors
    /// [`Error::Argument`] for no fold, or fewer rows than `folds` + 1.
    pub fn in_time(examples: usize, folds: usize) -> Result<Self> {
        let op = "Folds::in_time";
        enough(op, folds + 1, examples, "rows")?;
        let end = |part: usize| part * examples / (folds + 1);
        let fold = |k: usize| ((0..end(k)).collect(), (end(k)..end(k + 1)).collect());
        Ok(Folds { parts: (1..=folds).map(fold).collect() })
    }

    fn by(folds: usize, examples: usize, fold_of: impl Fn(usize) -> usize) -> Self {
        let part = |fold| (0..examples).partition(|row| fold_of(*row) != fold);
        Folds { parts: (0..folds).map(part).collect() }
    }

    /// How many folds there are.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether there is none; there always is one.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// For each fold the rows to train on and those that are held out, ascending.
    pub fn rows(&self) -> impl Iterator<Item = (&[usize], &[usize])> {
        self.parts.iter().map(|(train, held_out)| (&train[..], &held_out[..]))
    }

    /// For each fold the examples of `data` to train on and those that are held out.
    pub fn datasets<'d>(
        &'d self,
        data: &'d Dataset,
    ) -> impl Iterator<Item = (Result<Dataset>, Result<Dataset>)> + 'd {
        self.rows().map(|(train, held_out)| (data.select(train), data.select(held_out)))
    }
}

/// Fails unless each of `folds` parts can have one of `n`.
fn enough(op: &'static str, folds: usize, n: usize, what: &str) -> Result<()> {
    if folds >= 2 && folds <= n {
        return Ok(());
    }
    Err(Error::argument(
        op,
        format!("{folds} parts of {n} {what}: at least 2, and no more than there are {what}"),
    ))
}

/// Where each row stands in `order`.
fn position(order: &[usize]) -> Vec<usize> {
    let mut at = vec![0; order.len()];
    order.iter().enumerate().for_each(|(i, row)| at[*row] = i);
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::iris;

    proptest! {
        #[test]
        fn each_row_is_held_out_once(m in 2..60_usize, k in 2..10_usize, seed in any::<u64>()) {
            prop_assume!(k <= m);
            let folds = Folds::shuffled(m, k, Key::new(seed)).unwrap();
            let mut held: Vec<usize> = folds.rows().flat_map(|(_, held)| held.to_vec()).collect();
            for (train, held) in folds.rows() {
                prop_assert_eq!(train.len() + held.len(), m);
                prop_assert!(held.len() == m / k || held.len() == m.div_ceil(k));
                prop_assert!(train.iter().all(|row| !held.contains(row)));
            }
            held.sort_unstable();
            prop_assert_eq!(held, (0..m).collect::<Vec<_>>());
        }

        #[test]
        fn groups_stay_together(groups in proptest::collection::vec(0..12_i64, 20..80), seed in any::<u64>()) {
            let folds = Folds::grouped(&groups, 3, Key::new(seed));
            let Ok(folds) = folds else { return Ok(()) };
            for (train, held) in folds.rows() {
                prop_assert!(!held.is_empty());
                prop_assert!(held.iter().all(|h| train.iter().all(|t| groups[*t] != groups[*h])));
            }
        }

        #[test]
        fn the_past_comes_first(m in 2..60_usize, k in 1..10_usize) {
            prop_assume!(k < m);
            for (train, held) in Folds::in_time(m, k).unwrap().rows() {
                prop_assert!(train.last().unwrap() < held.first().unwrap());
            }
        }
    }

    #[test]
    fn folds_that_cannot_be_are_refused() {
        let key = Key::new(1);
        let says = |result: Result<Folds>, words: &str| {
            let text = result.unwrap_err().to_string();
            assert!(text.contains(words), "{text}");
        };
        says(Folds::shuffled(3, 4, key), "4 parts of 3 rows");
        says(Folds::shuffled(3, 1, key), "at least 2");
        says(Folds::shuffled(0, 0, key), "0 parts of 0 rows");
        says(Folds::grouped(&[1, 1, 2], 3, key), "3 parts of 2 groups");
        says(Folds::in_time(2, 2), "3 parts of 2 rows");
        let few = iris().unwrap().select(&[0, 1, 2, 50, 51, 52, 100]).unwrap();
        says(Folds::stratified(&few, 3, key), "class 2 has 1 examples for 3 folds");
    }
}
