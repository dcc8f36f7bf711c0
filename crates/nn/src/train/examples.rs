//! What a trainer trains on: examples in memory, or such as are read when a batch needs them.

use std::sync::Arc;

use chainrule_tensor::Key;

use crate::data::{Augment, Dataset, Feed, Source, Stream};
use crate::digest;
use crate::error::{Error, Result};

#[derive(Clone)]
pub(super) enum Examples<'t> {
    Memory(&'t Dataset),
    /// With the first ones as data, which tell what all are like.
    Read(Arc<dyn Source>, Arc<Dataset>),
}

impl Examples<'_> {
    /// Of a source; as many as a batch has are read at once.
    pub(super) fn read(source: Arc<dyn Source>, batch: usize) -> Result<Self> {
        let first = Stream::of(source.clone(), batch)?.next();
        let first = first.ok_or(Error::Empty { op: "Trainer", what: "examples" })??;
        let sample = match source.classes() {
            Some(classes) => Dataset::classification(first.features, first.targets, classes)?,
            None if !first.targets.dtype().is_real() => {
                let why = "targets that are labels need classes: say Source::classes";
                return Err(Error::argument("Trainer", why));
            }
            None => Dataset::regression(first.features, first.targets)?,
        };
        Ok(Examples::Read(source, Arc::new(sample)))
    }

    /// All of them, or as many as tell what all are like.
    pub(super) fn sample(&self) -> &Dataset {
        match self {
            Examples::Memory(data) => data,
            Examples::Read(_, sample) => sample,
        }
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Examples::Memory(data) => data.examples(),
            Examples::Read(source, _) => source.examples(),
        }
    }

    /// What tells them from others. Examples that are read are all read for it, once.
    pub(super) fn fingerprint(&self) -> Result<String> {
        match self {
            Examples::Memory(data) => Ok(data.fingerprint()),
            Examples::Read(source, sample) => {
                let mut all = digest::of_text(&format!("{:?}", sample.names()));
                for row in 0..source.examples() {
                    let of_row = |error| Error::Row { row, error: Box::new(error) };
                    let (x, y) = source.read(row).map_err(of_row)?;
                    all = digest::of_text(&(all + &digest::of([("features", &x), ("targets", &y)])));
                }
                Ok(all)
            }
        }
    }
}

impl<'t> Examples<'t> {
    /// Batches of an epoch, from batch `number` (from 0) on.
    pub(super) fn batches(
        &self,
        [size, number, ahead]: [usize; 3],
        order: Key,
        augment: Option<(&Augment, Key)>,
    ) -> Result<Feed<'t>> {
        match self {
            Examples::Memory(data) => data.batches(size)?.shuffled(order).from(number).feed(augment, ahead),
            Examples::Read(source, sample) => {
                let stream = Stream::of(source.clone(), size)?.shuffled(order).from(number);
                stream.feed(augment, sample, ahead)
            }
        }
    }
}
