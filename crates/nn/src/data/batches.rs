//! Mini-batches of a dataset.

use chainrule_tensor::{Key, Tensor};

use super::{Dataset, rows};
use crate::{Error, Result};

/// Some examples of a dataset, taken together for one training step.
#[derive(Clone, PartialEq)]
pub struct Batch {
    /// Features (size, …).
    pub features: Tensor,
    /// Targets (size, …), in the same order.
    pub targets: Tensor,
}

/// What becomes of the examples that do not fill a last batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Remainder {
    /// They form a shorter batch: every example is seen in every epoch.
    #[default]
    Keep,
    /// They are left out of this epoch: all batches have one shape, so one compiled plan serves them all.
    /// Shuffled, other examples are left out each time. Without effect on data smaller than one batch,
    /// which stay one short batch.
    Drop,
}

impl Dataset {
    /// One epoch of batches of `size` examples (more than there are gives one batch of all).
    ///
    /// Shuffle with a key of the epoch's own, so that every epoch has another order and a run that is
    /// resumed at any epoch goes on as it would have:
    ///
    /// ```
    /// use chainrule_nn::data::iris;
    /// use chainrule_tensor::Key;
    ///
    /// let (train, key) = (iris()?, Key::new(1).named("shuffle"));
    /// for epoch in 0..3 {
    ///     for batch in train.batches(64)?.shuffled(key.at(epoch)) {
    ///         assert_eq!(batch.features.shape()[0], batch.targets.shape()[0]);
    ///     }
    /// }
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] for `size` 0.
    pub fn batches(&self, size: usize) -> Result<Batches<'_>> {
        if size == 0 {
            return Err(Error::argument("Dataset::batches", "a batch needs a size of at least 1"));
        }
        let order = (0..self.examples()).collect();
        let size = size.min(self.examples());
        Ok(Batches { data: self, order, size, remainder: Remainder::Keep, next: 0, buffer: None })
    }
}

/// The batches of one epoch; see [`Dataset::batches`].
///
/// The iterator keeps one buffer: a batch that was dropped before the next is asked for gives its memory
/// to it, so a plain `for` loop allocates for the first batch only. A batch that is kept stays as it is.
#[derive(Clone)]
pub struct Batches<'d> {
    pub(super) data: &'d Dataset,
    pub(super) order: Vec<usize>,
    pub(super) size: usize,
    pub(super) remainder: Remainder,
    /// The first of `order` that is not in a batch yet.
    pub(super) next: usize,
    pub(super) buffer: Option<Batch>,
}

impl Batches<'_> {
    /// In an order drawn by `key` instead of the dataset's own.
    pub fn shuffled(mut self, key: Key) -> Self {
        key.shuffle(&mut self.order);
        self
    }

    /// With another treatment of the last, incomplete batch.
    pub fn remainder(self, remainder: Remainder) -> Self {
        Batches { remainder, ..self }
    }

    /// The rows of the dataset in the order in which this epoch sees them: batch `i` holds the `i`-th chunk
    /// of the batch size.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// From batch `number` (from 0) on.
    pub(crate) fn from(self, number: usize) -> Self {
        Batches { next: number * self.size, ..self }
    }

    fn end(&self) -> usize {
        match self.remainder {
            Remainder::Keep => self.order.len(),
            Remainder::Drop => self.order.len() / self.size * self.size,
        }
    }
}

impl Iterator for Batches<'_> {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let end = (self.next + self.size).min(self.end());
        let rows = self.order.get(self.next..end).filter(|rows| !rows.is_empty())?;
        let (features, targets) = self.buffer.take().map(|b| (b.features, b.targets)).unzip();
        let batch = Batch {
            features: rows::copy(self.data.features(), rows, features),
            targets: rows::copy(self.data.targets(), rows, targets),
        };
        self.next = end;
        self.buffer = Some(batch.clone());
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.end() - self.next).div_ceil(self.size);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches<'_> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbered(m: usize) -> Dataset {
        let features = Tensor::from_vec((0..2 * m).map(|i| i as f32).collect(), [m, 2]).unwrap();
        let targets = Tensor::from_vec((0..m).map(|i| i as f64).collect(), [m, 1]).unwrap();
        Dataset::regression(features, targets).unwrap()
    }

    proptest! {
        #[test]
        fn an_epoch_is_every_example_once(m in 1..60_usize, size in 1..70_usize, seed in any::<u64>()) {
            let data = numbered(m);
            let batches = data.batches(size).unwrap().shuffled(Key::new(seed));
            prop_assert_eq!(batches.len(), m.div_ceil(size));
            let order: Vec<f64> = batches.order().iter().map(|i| *i as f64).collect();
            let mut seen = Vec::new();
            for batch in batches {
                prop_assert!(batch.targets.shape()[0] <= size);
                let (x, y) = (batch.features.as_slice::<f32>().unwrap(), batch.targets.as_slice::<f64>());
                for (x, y) in x.chunks(2).zip(y.unwrap()) {
                    prop_assert_eq!(f64::from(x[0]), 2.0 * y);
                    prop_assert_eq!(f64::from(x[1]), 2.0 * y + 1.0);
                    seen.push(*y);
                }
            }
            prop_assert_eq!(&seen, &order);
            seen.sort_by(f64::total_cmp);
            prop_assert_eq!(seen, (0..m).map(|i| i as f64).collect::<Vec<_>>());
        }

        #[test]
        fn without_the_remainder_all_batches_are_full(m in 1..60_usize, size in 1..70_usize) {
            let data = numbered(m);
            let batches = data.batches(size).unwrap().remainder(Remainder::Drop);
            let expected = (m / size).max(1);
            prop_assert_eq!(batches.len(), expected);
            let sizes: Vec<usize> = batches.map(|b| b.targets.shape()[0]).collect();
            prop_assert_eq!(sizes, vec![size.min(m); expected]);
        }
    }

    #[test]
    fn a_dropped_batch_lends_its_memory_and_a_kept_one_stays() {
        let data = numbered(6);
        let address = |batch: &Batch| batch.features.as_slice::<f32>().unwrap().as_ptr();
        let mut batches = data.batches(2).unwrap();
        let first = batches.next().unwrap();
        let at = address(&first);
        drop(first);
        let second = batches.next().unwrap();
        assert_eq!(address(&second), at);
        let third = batches.next().unwrap();
        assert_ne!(address(&third), at);
        assert_eq!(second.targets.as_slice::<f64>(), Some(&[2.0, 3.0][..]));
        assert_eq!(third.targets.as_slice::<f64>(), Some(&[4.0, 5.0][..]));
    }

    #[test]
    fn size_zero_is_refused() {
        assert!(matches!(numbered(3).batches(0), Err(Error::Argument { .. })));
    }
}
