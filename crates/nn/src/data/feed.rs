//! Batches on their way to a step: changed at random, made ahead by a thread of their own.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use chainrule_tensor::Key;

use super::{Augment, Batch, Batches, Stream};
use crate::{Error, Result};

/// Batches whose images are changed at random; made by [`Batches::augmented`].
#[derive(Clone)]
pub struct Augmented<'d> {
    batches: Batches<'d>,
    augment: Option<(Augment, Key)>,
}

/// Batches that a thread of their own makes, some ahead; made by [`Batches::ahead`].
pub struct Ahead {
    made: Option<Receiver<Result<Batch>>>,
    left: usize,
    maker: Option<JoinHandle<()>>,
}

/// Any of them, for a trainer.
pub(crate) enum Feed<'d> {
    Here(Box<Augmented<'d>>),
    Read(Box<Stream>),
    Ahead(Ahead),
}

impl<'d> Batches<'d> {
    /// With images changed at random; see [`Augment`]. A key of the epoch's own makes other images of them in each.
    ///
    /// # Errors
    /// [`Error::Argument`] for data that are no images, or whose targets would have to move with the pixels and
    /// it is not said how, and for numbers that make no sense.
    pub fn augmented(self, augment: &Augment, key: Key) -> Result<Augmented<'d>> {
        augment.fits(self.data)?;
        Ok(Augmented { batches: self, augment: Some((augment.clone(), key)) })
    }

    /// Made by a thread of their own while others are worked on, up to `batches` ahead: the same batches in the same order.
    ///
    /// ```
    /// use chainrule_nn::data::iris;
    /// use chainrule_tensor::Key;
    /// let iris = iris()?;
    /// let batches = iris.batches(32)?.shuffled(Key::new(1));
    /// for (ahead, batch) in batches.clone().ahead(2)?.zip(batches) {
    ///     assert!(ahead? == batch);
    /// }
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] if the system gives no thread.
    pub fn ahead(self, batches: usize) -> Result<Ahead> {
        Ahead::of(Augmented { batches: self, augment: None }, batches)
    }

    pub(crate) fn feed(self, augment: Option<(&Augment, Key)>, ahead: usize) -> Result<Feed<'d>> {
        let made = match augment {
            Some((augment, key)) => self.augmented(augment, key)?,
            None => Augmented { batches: self, augment: None },
        };
        Ok(if ahead == 0 { Feed::Here(Box::new(made)) } else { Feed::Ahead(made.ahead(ahead)?) })
    }
}

impl Augmented<'_> {
    /// As [`Batches::ahead`].
    ///
    /// # Errors
    /// [`Error::Argument`] if the system gives no thread.
    pub fn ahead(self, batches: usize) -> Result<Ahead> {
        Ahead::of(self, batches)
    }
}

impl Iterator for Augmented<'_> {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        let from = self.batches.next;
        let batch = self.batches.next()?;
        let Some((augment, key)) = &self.augment else { return Some(Ok(batch)) };
        let rows = &self.batches.order()[from..self.batches.next];
        Some(augment.apply(batch, rows, *key, self.batches.data.classes()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.batches.size_hint()
    }
}

impl ExactSizeIterator for Augmented<'_> {}

impl Ahead {
    fn of(feed: Augmented<'_>, ahead: usize) -> Result<Self> {
        let left = feed.len();
        // The tensors are shared, not copied.
        let data = feed.batches.data.clone();
        let Augmented { batches, augment } = feed;
        let (order, size, remainder, next) = (batches.order, batches.size, batches.remainder, batches.next);
        Ahead::spawned(left, ahead, move |sender| {
            let batches = Batches { data: &data, order, size, remainder, next, buffer: None };
            send_all(Augmented { batches, augment }, &sender);
        })
    }

    /// Those that `batches` gives, of which there are `left`.
    pub(super) fn made_by(
        left: usize,
        ahead: usize,
        batches: impl Iterator<Item = Result<Batch>> + Send + 'static,
    ) -> Result<Self> {
        Ahead::spawned(left, ahead, move |sender| send_all(batches, &sender))
    }

    fn spawned(
        left: usize,
        ahead: usize,
        make: impl FnOnce(SyncSender<Result<Batch>>) + Send + 'static,
    ) -> Result<Self> {
        let (sender, made) = sync_channel(ahead.max(1));
        let make = move || make(sender);
        let refused =
            |error| Error::argument("Batches::ahead", format!("the system gives no thread: {error}"));
        let maker = thread::Builder::new().name("batches".into()).spawn(make).map_err(refused)?;
        Ok(Ahead { made: Some(made), left, maker: Some(maker) })
    }
}

fn send_all(batches: impl Iterator<Item = Result<Batch>>, to: &SyncSender<Result<Batch>>) {
    for batch in batches {
        // Nobody waits for it any more.
        if to.send(batch).is_err() {
            break;
        }
    }
}

impl Iterator for Ahead {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let stopped = || Error::argument("Batches::ahead", "the thread that makes batches has stopped");
        let batch = self.made.as_ref().and_then(|made| made.recv().ok());
        Some(batch.unwrap_or_else(|| Err(stopped())))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Ahead {}

impl Drop for Ahead {
    /// The thread ends with what it is for.
    fn drop(&mut self) {
        self.made = None;
        if let Some(maker) = self.maker.take() {
            drop(maker.join());
        }
    }
}

impl Iterator for Feed<'_> {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        match self {
            Feed::Here(batches) => batches.next(),
            Feed::Read(batches) => batches.next(),
            Feed::Ahead(batches) => batches.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Feed::Here(batches) => batches.size_hint(),
            Feed::Read(batches) => batches.size_hint(),
            Feed::Ahead(batches) => batches.size_hint(),
        }
    }
}

impl ExactSizeIterator for Feed<'_> {}
