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

    /// How many elements from `i` on lie evenly.
    pub(super) fn piece(&self, i: usize) -> usize {
        match self.0[..] {
            [] | [_] => usize::MAX,
            [.., (n, _)] => n - i % n,
        }
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

    /// The runs of elements `start` to `start` + `len`, which are at most [`DEEPEST`].
    pub(super) fn runs<'a>(&self, start: usize, len: usize, room: &'a mut Room) -> &'a [Run] {
        let (n, step) = self.last();
        let (mut i, end, mut count) = (start, start + len, 0);
        while i < end {
            let each = if self.0.len() < 2 { end - i } else { (n - i % n).min(end - i) };
            room[count].write(Run { at: self.offset(i), len: each, step, skip: 0 });
            (i, count) = (i + each, count + 1);
        }
        // SAFETY: so many are written.
        unsafe { std::slice::from_raw_parts(room.as_ptr().cast(), count) }
    }
}
