//! Windows added up where they overlap.

use super::threads::for_chunks;
use crate::{Layout, Real};

/// How [`overlap_add`] goes along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The axis of the elements of windows; that of their positions is behind it.
    pub axis: usize,
    /// The length of the axis that they are added into.
    pub n: usize,
    /// From the beginning of one window to that of the next.
    pub stride: usize,
    /// From one element of a window to the next.
    pub dilation: usize,
}

/// About how many elements a task makes.
const TASK: usize = 1 << 12;

/// `out[o, i, k]` = Σ `x[o, w, p, k]` over all elements w of windows and windows p with p·`stride` + w·`dilation` = i, in the
/// order of w. `x` lies as `from` says, (outer…, window, positions, inner…), `out` is row-major, (outer…, n, inner…).
///
/// # Panics
/// If a buffer is too short, there are no such axes, or a window reaches beyond `n`.
///
/// ```
/// use chainrule_tensor::Layout;
/// use chainrule_tensor::kernels::windows::{Overlap, overlap_add};
/// let how = Overlap { axis: 0, n: 3, stride: 1, dilation: 1 };
/// let mut out = [0.0; 3];
/// overlap_add(&[1.0, 2.0, 3.0, 4.0], &Layout::contiguous([2, 2]), how, &mut out);
/// assert_eq!(out, [1.0, 2.0 + 3.0, 4.0]);
/// ```
pub fn overlap_add<T: Real>(x: &[T], from: &Layout, how: Overlap, out: &mut [T]) {
    let Overlap { axis, n, stride, dilation } = how;
    let (window, positions) = (from.shape[axis], from.shape[axis + 1]);
    let (outer, inner) = (Axes::of(from, 0..axis), Axes::of(from, axis + 2..from.shape.len()));
    let (element, position) = (from.strides[axis], from.strides[axis + 1]);
    let block = n * inner.size;
    let out = &mut out[..outer.size * block];
    if out.is_empty() {
        return;
    }
    let blocks = (TASK / block).max(1);
    for_chunks(out, blocks * block, |chunk, out| {
        for (o, out) in (chunk * blocks..).zip(out.chunks_exact_mut(block)) {
            out.fill(T::zero());
            if positions == 0 {
                continue;
            }
            for w in 0..window {
                let at = from.offset as isize + outer.place(o) + w as isize * element;
                let out = &mut out[w * dilation * inner.size..];
                if inner.row && stride == 1 && (position == inner.size as isize || positions == 1) {
                    add(&mut out[..positions * inner.size], &x[at as usize..]);
                } else if inner.size == 1 && position == 1 {
                    let x = &x[at as usize..][..positions];
                    out.iter_mut().step_by(stride).zip(x).for_each(|(out, x)| *out = *out + *x);
                } else {
                    for (p, out) in out.chunks_mut(stride * inner.size).take(positions).enumerate() {
                        let at = at + p as isize * position;
                        if inner.row {
                            add(&mut out[..inner.size], &x[at as usize..]);
                        } else {
                            let there = |k: usize| x[(at + inner.place(k)) as usize];
                            out[..inner.size]
                                .iter_mut()
                                .enumerate()
                                .for_each(|(k, out)| *out = *out + there(k));
                        }
                    }
                }
            }
        }
    });
}

fn add<T: Real>(out: &mut [T], x: &[T]) {
    out.iter_mut().zip(x).for_each(|(out, x)| *out = *out + *x);
}

/// Some axes of a layout, as one.
struct Axes<'a> {
    shape: &'a [usize],
    strides: &'a [isize],
    size: usize,
    /// Whether neighbours lie side by side.
    row: bool,
}

impl<'a> Axes<'a> {
    fn of(layout: &'a Layout, range: std::ops::Range<usize>) -> Self {
        let (shape, strides) = (&layout.shape[range.clone()], &layout.strides[range]);
        let mut size = 1;
        let mut row = true;
        for (n, stride) in shape.iter().zip(strides).rev() {
            row &= *n == 1 || *stride == size as isize;
            size *= n;
        }
        Axes { shape, strides, size, row }
    }

    /// Where element `i` of them lies.
    fn place(&self, mut i: usize) -> isize {
        let mut place = 0;
        for (n, stride) in self.shape.iter().zip(self.strides).rev() {
            place += (i % n) as isize * stride;
            i /= n;
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_element_is_the_sum_of_what_stands_for_it() {
        for (outer, positions, inner, window, stride, dilation) in [
            ([2, 1], 3, [2, 1], 2, 1, 1),
            ([1, 2], 4, [3, 1], 3, 2, 1),
            ([3, 2], 2, [1, 1], 2, 3, 2),
            ([1, 1], 5, [2, 3], 3, 1, 2),
            ([2, 1], 1, [0, 2], 2, 1, 1),
            ([2, 2], 0, [1, 2], 2, 1, 1),
        ] {
            let n = positions.max(1) * stride + window * dilation;
            let shape = [outer[0], outer[1], window, positions, inner[0], inner[1]];
            let lie = Layout::contiguous(shape);
            let x: Vec<f64> = (0..lie.shape.size()).map(|i| (i * i % 17) as f64).collect();
            // As it is written in memory: in this order of axes, and with rows from the end.
            for order in [[0, 1, 2, 3, 4, 5], [2, 0, 3, 1, 4, 5], [5, 4, 3, 2, 1, 0], [0, 2, 1, 4, 3, 5]] {
                let mut back = [0; 6];
                order.iter().enumerate().for_each(|(to, from)| back[*from] = to);
                let stored = Layout::contiguous(order.map(|axis| shape[axis]));
                let from = stored.permute(&back);
                let from = match shape[3] {
                    0 => from,
                    last => from.slice(3, last - 1, last, -1),
                };
                let mut memory = vec![0.0; x.len()];
                let mut wanted = vec![0.0; outer[0] * outer[1] * n * inner[0] * inner[1]];
                for (i, value) in x.iter().enumerate() {
                    let (all, rest) = (Axes::of(&from, 0..6).place(i), Axes::of(&lie, 0..6));
                    memory[from.offset.wrapping_add_signed(all)] = *value;
                    let size: usize = inner.iter().product();
                    let (k, p) = (i % size, i / size % positions);
                    let (w, o) = (i / size / positions % window, i / size / positions / window);
                    assert_eq!(rest.place(i), i as isize);
                    wanted[(o * n + p * stride + w * dilation) * size + k] += value;
                }
                let mut out = vec![7.0; wanted.len()];
                overlap_add(&memory, &from, Overlap { axis: 2, n, stride, dilation }, &mut out);
                assert_eq!(out, wanted, "{shape:?} {order:?}");
            }
        }
    }
}
