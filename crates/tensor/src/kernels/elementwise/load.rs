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
            // Whole short rows are taken together, column by column.
            let rows = match outer.last() {
                Some((m, _)) if n <= SHORT && inner == 0 => {
                    (m - index[outer.len() - 1]).min((out.len() - done) / n)
                }
                _ => 0,
            };
            let mut steps = rows;
            if rows > 1 {
                let apart = outer[outer.len() - 1].1;
                let block = &mut out[done..done + rows * n];
                for column in 0..n {
                    copy_column(data, first + column as isize * stride, apart, &mut block[column..], n);
                }
                done += rows * n;
            } else {
                let run = (n - inner).min(out.len() - done);
                copy_run(data, first + inner as isize * stride, stride, &mut out[done..done + run]);
                (done, inner, steps) = (done + run, 0, 1);
            }
            for (i, (m, s)) in outer.iter().enumerate().rev() {
                index[i] += steps;
                first += s * steps as isize;
                if index[i] < *m {
                    break;
                }
                (index[i], steps) = (0, 1);
                first -= *m as isize * s;
            }
        }
    }
}

/// No longer rows are copied column by column.
const SHORT: usize = 8;

/// Every `n`-th place of `out`, from the first on, from elements that are `apart`.
#[inline(always)]
fn copy_column<E: Copy>(data: &[E], first: isize, apart: isize, out: &mut [E], n: usize) {
    let places = out.chunks_mut(n);
    if apart == 1 {
        let first = first as usize;
        let data = &data[first..first + places.len()];
        places.zip(data).for_each(|(y, x)| y[0] = *x);
        return;
    }
    let mut at = first;
    for y in places {
        y[0] = data[at as usize];
        at += apart;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn any_part_of_any_layout_is_gathered() {
        let data: Vec<usize> = (0..600).collect();
        let whole = Layout::contiguous([3, 4, 5, 2]);
        let spread = Layout::contiguous([5, 3, 4, 9]);
        let layouts = [
            whole.permute(&[2, 3, 1, 0]),
            whole.permute(&[3, 0, 1, 2]),
            whole.permute(&[0, 2, 3, 1]).slice(3, 3, 4, -1),
            spread.slice(3, 1, 3, 3).permute(&[1, 0, 2, 3]),
            spread.slice(3, 8, 2, -5),
            Layout::contiguous([4, 1, 2]).broadcast(&Shape::from([3, 4, 5, 2])),
            Layout::contiguous([2]).broadcast(&Shape::from([6, 2])),
            Layout::contiguous([3, 1]).broadcast(&Shape::from([3, 2])),
        ];
        for layout in layouts {
            let size = layout.shape.size();
            let at = |mut i: usize| {
                let mut at = layout.offset as isize;
                for (n, stride) in layout.shape.iter().zip(&layout.strides).rev() {
                    at += (i % n) as isize * stride;
                    i /= n;
                }
                at as usize
            };
            let walk = Walk::new(&layout);
            for start in 0..size {
                for len in 1..=size - start {
                    let mut out = vec![usize::MAX; len];
                    walk.gather(&data, 0, start, &mut out);
                    assert!(
                        out.iter().enumerate().all(|(i, x)| *x == at(start + i)),
                        "{layout:?} {start} {len}"
                    );
                }
            }
        }
    }
}
