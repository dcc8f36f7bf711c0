//! Where the elements of an operand lie: each side of a matrix is one axis or several.

use std::mem::MaybeUninit;

use smallvec::SmallVec;

use super::blocked::DEEPEST;
use super::tile::Run;

/// Room for the runs of a panel of the inner axis. On the stack, where only those that exist are written.
pub(super) type Room = [MaybeUninit<Run>; DEEPEST];

/// One side of a matrix: axes of some lengths and strides, the last one fastest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Axes(SmallVec<[(usize, isize); 4]>);

impl Axes {
    /// Neighbours are merged where that changes nothing.
    pub(super) fn new(axes: impl IntoIterator<Item = (usize, isize)>) -> Self {
        let mut all: SmallVec<[(usize, isize); 4]> = SmallVec::new();
        for (n, stride) in axes.into_iter().filter(|axis| axis.0 != 1) {
            match all.last_mut() {
                Some((m, step)) if *step == stride * n as isize => (*m, *step) = (*m * n, stride),
                _ => all.push((n, stride)),
            }
        }
        Axes(all)
    }

    /// The one stride, if there is one.
    pub(super) fn stride(&self) -> Option<isize> {
        match self.0[..] {
            [] => Some(0),
            [(_, stride)] => Some(stride),
            _ => None,
        }
    }

    /// The stride of the last axis.
    pub(super) fn last(&self) -> (usize, isize) {
        self.0.last().copied().unwrap_or((1, 0))
    }

    /// Where element `i` lies.
    pub(super) fn offset(&self, mut i: usize) -> isize {
        if let [(_, stride)] = self.0[..] {
            return i as isize * stride;
        }
        let mut at = 0;
        for (n, stride) in self.0.iter().rev() {
            at += (i % n) as isize * stride;
            i /= n;
        }
        at
    }

    /// The pieces of elements `start` to `start` + `len` that lie evenly: how many each has, and where its first one lies.
    pub(super) fn pieces(&self, start: usize, len: usize) -> Pieces<'_> {
        let (outer, last) = match &self.0[..] {
            [] => return Pieces::one(len),
            [(_, stride)] => return Pieces { at: start as isize * stride, ..Pieces::one(len) },
            [outer @ .., last] => (outer, last.0),
        };
        let (within, mut rest, mut first) = (start % last, start / last, 0);
        let mut index = SmallVec::from_elem(0, outer.len());
        for (i, (n, stride)) in outer.iter().enumerate().rev() {
            (index[i], rest) = (rest % n, rest / n);
            first += index[i] as isize * stride;
        }
        let at = first + within as isize * self.last().1;
        Pieces { outer, last, index, first, at, piece: last - within, left: len }
    }

    /// The runs of elements `start` to `start` + `len`, which are at most [`DEEPEST`].
    pub(super) fn runs<'a>(&self, start: usize, len: usize, room: &'a mut Room) -> &'a [Run] {
        let ((_, step), mut count) = (self.last(), 0);
        for (len, at) in self.pieces(start, len) {
            room[count].write(Run { at, len, step, skip: 0 });
            count += 1;
        }
        // SAFETY: so many are written.
        unsafe { std::slice::from_raw_parts(room.as_ptr().cast(), count) }
    }
}

/// Elements one after the other, as of [`Axes::pieces`].
pub(super) struct Pieces<'a> {
    /// All axes but the last, and the length of that.
    outer: &'a [(usize, isize)],
    last: usize,
    /// The next element's place on the outer axes, and where the first one of the last axis lies there.
    index: SmallVec<[usize; 4]>,
    first: isize,
    /// Where the next element lies, how many lie evenly from there on, and how many are left.
    at: isize,
    piece: usize,
    left: usize,
}

impl Pieces<'_> {
    /// One piece, from where they are counted.
    pub(super) fn one(len: usize) -> Self {
        Pieces { outer: &[], last: len, index: SmallVec::new(), first: 0, at: 0, piece: len, left: len }
    }
}

impl Iterator for Pieces<'_> {
    type Item = (usize, isize);

    #[inline]
    fn next(&mut self) -> Option<(usize, isize)> {
        if self.left == 0 {
            return None;
        }
        let piece = (self.piece.min(self.left), self.at);
        self.left -= piece.0;
        for (i, (n, stride)) in self.index.iter_mut().zip(self.outer).rev() {
            *i += 1;
            self.first += stride;
            if *i < *n {
                break;
            }
            self.first -= *n as isize * stride;
            *i = 0;
        }
        (self.at, self.piece) = (self.first, self.last);
        Some(piece)
    }
}
