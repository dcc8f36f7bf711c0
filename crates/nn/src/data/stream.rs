//! Batches of examples that are read when they are needed.

use std::sync::Arc;

use chainrule_tensor::{Key, Tensor};

use super::dataset::check_finite;
use super::feed::Ahead;
use super::{Augment, Batch, Classes, Dataset, Feed, Remainder};
use crate::{Error, Result};

/// Examples that are too many for memory, each read when a batch needs it: from a file of its own, a place in a large one, a
/// database. [`ImageFiles`](super::ImageFiles) is one; a [`Dataset`] is, too.
pub trait Source: Send + Sync {
    /// How many there are.
    fn examples(&self) -> usize;

    /// Features and target of one of them, without an axis for the examples. The same row is the same example each time.
    ///
    /// # Errors
    /// Whatever keeps it from being read; [`Stream`] adds the row.
    fn read(&self, row: usize) -> Result<(Tensor, Tensor)>;

    /// What the labels name, where the targets are labels.
    fn classes(&self) -> Option<Classes> {
        None
    }
}

impl Source for Dataset {
    fn examples(&self) -> usize {
        Dataset::examples(self)
    }

    fn read(&self, row: usize) -> Result<(Tensor, Tensor)> {
        let one = |tensor: &Tensor| tensor.take(0, &[row])?.reshape(&tensor.shape()[1..]);
        Ok((one(self.features())?, one(self.targets())?))
    }

    fn classes(&self) -> Option<Classes> {
        Dataset::classes(self).cloned()
    }
}

/// The batches of one epoch of a [`Source`], for a [`Step`](crate::Step) or a loop of one's own (a
/// [`Trainer`](crate::Trainer::fit_source) takes the source itself): those, in that order and to
/// the bit, that [`Dataset::batches`] gives of the same examples in memory.
///
/// ```
/// use std::sync::Arc;
/// use chainrule_nn::data::{Source, Stream};
/// use chainrule_nn::{Goal, Learning, Linear, Params, Result, Sgd, Step, layer, Layer};
/// use chainrule_tensor::{Key, Tensor};
///
/// /// y = 2x, for a hundred x.
/// struct Line;
/// impl Source for Line {
///     fn examples(&self) -> usize {
///         100
///     }
///     fn read(&self, row: usize) -> Result<(Tensor, Tensor)> {
///         let x = row as f32 / 100.0;
///         Ok((Tensor::from([x]), Tensor::from([2.0 * x])))
///     }
/// }
///
/// let source = Arc::new(Line);
/// let mut step: Option<Step> = None;
/// for epoch in 0..20 {
///     for batch in Stream::of(source.clone(), 25)?.shuffled(Key::new(1).at(epoch)).ahead(2)? {
///         let batch = batch?;
///         let inputs = [batch.features, batch.targets];
///         if step.is_none() {
///             step = Some(Step::builder().record(Params::new(), &inputs, |s, batch| {
///                 let error = Linear::new(1).forward(&s.at("line"), batch[0]) - batch[1];
///                 Learning::of(Goal::new("loss", error.square().mean(..), Sgd::new(0.5)))
///             })?);
///         }
///         step.as_mut().expect("just made").run(&inputs)?;
///     }
/// }
/// # let weight = step.expect("steps").params().get("line.weight").expect("a weight").to_vec::<f32>()?[0];
/// # assert!((weight - 2.0).abs() < 0.3, "{weight}");
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
pub struct Stream {
    source: Arc<dyn Source>,
    order: Vec<usize>,
    size: usize,
    remainder: Remainder,
    /// The first of `order` that is not in a batch yet.
    next: usize,
    augment: Option<(Augment, Key, Option<Classes>)>,
}

impl Stream {
    /// Batches of `size` examples in the source's own order; more than there are gives one batch of all.
    ///
    /// # Errors
    /// [`Error::Argument`] for `size` 0, [`Error::Empty`] for a source of none.
    pub fn of(source: Arc<dyn Source>, size: usize) -> Result<Self> {
        if size == 0 {
            return Err(Error::argument("Stream::of", "a batch needs a size of at least 1"));
        }
        let examples = source.examples();
        if examples == 0 {
            return Err(Error::Empty { op: "Stream::of", what: "examples" });
        }
        let order = (0..examples).collect();
        Ok(Stream {
            source,
            order,
            size: size.min(examples),
            remainder: Remainder::Keep,
            next: 0,
            augment: None,
        })
    }

    /// As [`Batches::shuffled`](super::Batches::shuffled): with a key of the epoch's own, in another order each epoch.
    pub fn shuffled(mut self, key: Key) -> Self {
        key.shuffle(&mut self.order);
        self
    }

    /// With another treatment of the last, incomplete batch.
    pub fn remainder(self, remainder: Remainder) -> Self {
        Stream { remainder, ..self }
    }

    /// Read by a thread of its own while others are worked on, up to `batches` ahead: the same batches in the same order.
    ///
    /// # Errors
    /// [`Error::Argument`] if the system gives no thread.
    pub fn ahead(self, batches: usize) -> Result<Ahead> {
        Ahead::made_by(self.len(), batches, self)
    }

    /// From batch `number` (from 0) on.
    pub(crate) fn from(self, number: usize) -> Self {
        Stream { next: number * self.size, ..self }
    }

    /// For a trainer; `like` has the types and shapes of all examples.
    pub(crate) fn feed<'d>(
        mut self,
        augment: Option<(&Augment, Key)>,
        like: &Dataset,
        ahead: usize,
    ) -> Result<Feed<'d>> {
        if let Some((augment, key)) = augment {
            augment.fits(like)?;
            self.augment = Some((augment.clone(), key, like.classes().cloned()));
        }
        Ok(if ahead == 0 { Feed::Read(Box::new(self)) } else { Feed::Ahead(self.ahead(ahead)?) })
    }

    fn end(&self) -> usize {
        match self.remainder {
            Remainder::Keep => self.order.len(),
            Remainder::Drop => self.order.len() / self.size * self.size,
        }
    }

    fn batch(&self, rows: &[usize]) -> Result<Batch> {
        let mut examples: Vec<(Tensor, Tensor)> = Vec::with_capacity(rows.len());
        for &row in rows {
            let of_row = |error| Error::Row { row, error: Box::new(error) };
            let one = self.source.read(row).map_err(of_row)?;
            let first = examples.first().unwrap_or(&one);
            for (what, first, tensor) in [("features", &first.0, &one.0), ("targets", &first.1, &one.1)] {
                if (first.shape(), first.dtype()) != (tensor.shape(), tensor.dtype()) {
                    let [found, expected] = [tensor, first]
                        .map(|t| format!("{} {}", chainrule_tensor::Shape::from(t.shape()), t.dtype()));
                    let why = format!("its {what} are {found}, those of row {} {expected}", rows[0]);
                    return Err(of_row(Error::argument("Source::read", why)));
                }
                check_finite(what, &tensor.insert_axis(0)?.to_contiguous()).map_err(of_row)?;
            }
            examples.push(one);
        }
        let (features, targets): (Vec<&Tensor>, Vec<&Tensor>) = examples.iter().map(|(x, y)| (x, y)).unzip();
        Ok(Batch { features: Tensor::stack(&features, 0)?, targets: Tensor::stack(&targets, 0)? })
    }
}

impl Iterator for Stream {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        let end = (self.next + self.size).min(self.end());
        let rows = self.order.get(self.next..end).filter(|rows| !rows.is_empty())?;
        let batch = match &self.augment {
            Some((augment, key, classes)) => {
                self.batch(rows).and_then(|batch| augment.apply(batch, rows, *key, classes.as_ref()))
            }
            None => self.batch(rows),
        };
        self.next = end;
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.end() - self.next).div_ceil(self.size);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Stream {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::digits;

    struct Faulty;

    impl Source for Faulty {
        fn examples(&self) -> usize {
            10
        }
        fn read(&self, row: usize) -> Result<(Tensor, Tensor)> {
            match row {
                3 => Err(Error::argument("camera", "it is dark")),
                5 => Ok((Tensor::from([1.0, f64::NAN]), Tensor::from(0_i64))),
                7 => Ok((Tensor::from([1.0, 2.0, 3.0]), Tensor::from(0_i64))),
                _ => Ok((Tensor::from([1.0, 2.0]), Tensor::from(0_i64))),
            }
        }
    }

    #[test]
    fn a_stream_gives_the_batches_of_memory() {
        let data = digits().unwrap();
        let source: Arc<dyn Source> = Arc::new(data.clone());
        for remainder in [Remainder::Keep, Remainder::Drop] {
            let memory = data.batches(200).unwrap().shuffled(Key::new(3)).remainder(remainder);
            let stream = || {
                let stream = Stream::of(source.clone(), 200).unwrap();
                stream.shuffled(Key::new(3)).remainder(remainder)
            };
            assert_eq!(stream().len(), memory.len());
            for ((lazy, ahead), whole) in stream().zip(stream().ahead(2).unwrap()).zip(memory) {
                assert!(lazy.unwrap() == whole && ahead.unwrap() == whole);
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_row() {
        let stream = Stream::of(Arc::new(Faulty), 2).unwrap();
        let told = |batch: Result<Batch>| batch.err().map(|error| error.to_string());
        let right = [
            None,
            Some("row 3 (from 0): [camera] it is dark".to_owned()),
            Some("row 5 (from 0): the features hold NaN in row 0, column 1 (both from 0): leave the row out or fill the value in".to_owned()),
            Some("row 7 (from 0): [Source::read] its features are (3,) f64, those of row 6 (2,) f64".to_owned()),
            None,
        ];
        assert_eq!(stream.map(told).collect::<Vec<_>>(), right);
        let ahead = Stream::of(Arc::new(Faulty), 2).unwrap().ahead(1).unwrap();
        assert_eq!(ahead.map(told).collect::<Vec<_>>(), right);
    }

    #[test]
    fn nothing_to_read_is_refused() {
        struct Nothing;
        impl Source for Nothing {
            fn examples(&self) -> usize {
                0
            }
            fn read(&self, row: usize) -> Result<(Tensor, Tensor)> {
                Err(Error::argument("read", format!("there is no row {row}")))
            }
        }
        assert!(matches!(Stream::of(Arc::new(Nothing), 1), Err(Error::Empty { .. })));
        assert!(matches!(Stream::of(Arc::new(Faulty), 0), Err(Error::Argument { .. })));
    }
}
