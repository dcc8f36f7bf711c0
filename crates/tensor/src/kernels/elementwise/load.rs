//! Strided inputs, gathered block by block into contiguous registers.

use smallvec::SmallVec;

use crate::Layout;

/// A layout with neighbouring axes merged wherever one stride serves both.
#[derive(Debug)]
pub(super) struct Walk {
    /// Length and stride of each axis, outermost first.
    axes: SmallVec<[(usize, isize); 4]>,
    offset: usize,
}

impl Walk {
    pub(super) fn new(layout: &Layout) -> Walk {
        let mut axes: SmallVec<[(usize, isize); 4]> = SmallVec::new();
        for (&n, &stride) in layout.shape.iter().zip(&layout.strides) {
            match axes.last_mut() {
                _ if n == 1 => {}
                Some((m, outer)) if *outer == stride * n as isize => (*m, *outer) = (*m * n, stride),
                _ => axes.push((n, stride)),
            }
        }
        Walk { axes, offset: layout.offset }
    }

    /// Rough cost per element in tenths of a nanosecond.
    pub(super) fn cost(&self) -> usize {
        match self.axes.last() {
            Some((_, 0 | 1)) => 1,
            _ => 10,
        }
    }

    /// Fills `out` with the elements at the row-major positions from `start` on, of a buffer whose part from element
    /// `from` on is `data`.
    pub(super) fn gather<E: Copy>(&self, data: &[E], from: usize, start: usize, out: &mut [E]) {
        let Some((&(n, stride), outer)) = self.axes.split_last() else {
            out.fill(data[self.offset - from]);
            return;
        };
        let mut index: SmallVec<[usize; 4]> = SmallVec::from_elem(0, outer.len());
        let (mut inner, mut rest) = (start % n, start / n);
        // Where the present row begins.
        let mut first = self.offset as isize - from as isize;
        for (i, (m, s)) in outer.iter().enumerate().rev() {
            index[i] = rest % m;
            first += index[i] as isize * s;
            rest /= m;
        }
        // A row that repeats is read once and then doubled.
        let period = outer.iter().all(|(_, s)| *s == 0).then_some(n);
        let mut done = 0;
        while done < out.len() {
            if let Some(n) = period.filter(|n| done >= *n) {
                let more = done.min(out.len() - done) / n * n;
                let more = if more == 0 { out.len() - done } else { more };
                out.copy_within(done - done / n * n..done - done / n * n + more, done);
                done += more;
                continue;
            }
            let run = (n - inner).min(out.len() - done);
            copy_run(data, first + inner as isize * stride, stride, &mut out[done..done + run]);
            (done, inner) = (done + run, 0);
            for (i, (m, s)) in outer.iter().enumerate().rev() {
                index[i] += 1;
                first += s;
                if index[i] < *m {
                    break;
                }
                index[i] = 0;
                first -= *m as isize * s;
            }
        }
    }
}

#[inline(always)]
fn copy_run<E: Copy>(data: &[E], first: isize, stride: isize, out: &mut [E]) {
    match stride {
        1 => out.copy_from_slice(&data[first as usize..first as usize + out.len()]),
        0 => out.fill(data[first as usize]),
        _ => {
            let mut at = first;
            for y in out {
                *y = data[at as usize];
                at += stride;
            }
        }
    }
}
