//! Windows added up where they overlap.

use super::threads::for_chunks;
use crate::Real;

/// What [`overlap_add`] goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// Elements before the axis.
    pub outer: usize,
    /// How many windows there are.
    pub positions: usize,
    /// Elements between the axis and those of a window.
    pub inner: usize,
    /// The length of the axis that they are added into.
    pub n: usize,
    /// Elements of a window.
    pub window: usize,
    /// From the beginning of one window to that of the next.
    pub stride: usize,
    /// From one element of a window to the next.
    pub dilation: usize,
}

/// About how many elements a task makes.
const TASK: usize = 1 << 12;

/// `out[o, i, k]` = Σ `x[o, p, k, w]` over all windows p and elements w of them with p·`stride` + w·`dilation` = i, in the
/// order of w. `x` is (outer, positions, inner, window), `out` (outer, n, inner).
///
/// # Panics
/// If a buffer is shorter than `lengths` say.
///
/// ```
/// use chainrule_tensor::kernels::windows::{Lengths, overlap_add};
/// let lengths = Lengths { outer: 1, positions: 2, inner: 1, n: 3, window: 2, stride: 1, dilation: 1 };
/// let mut out = [0.0; 3];
/// overlap_add(&[1.0, 2.0, 3.0, 4.0], lengths, &mut out);
/// assert_eq!(out, [1.0, 2.0 + 3.0, 4.0]);
/// ```
pub fn overlap_add<T: Real>(x: &[T], lengths: Lengths, out: &mut [T]) {
    let Lengths { outer, positions, inner, n, window, stride, dilation } = lengths;
    let (x, out) = (&x[..outer * positions * inner * window], &mut out[..outer * n * inner]);
    if out.is_empty() {
        return;
    }
    let rows = (TASK / inner).max(1);
    for_chunks(out, rows * inner, |chunk, out| {
        for (row, out) in (chunk * rows..).zip(out.chunks_exact_mut(inner)) {
            let (block, i) = (row / n, row % n);
            out.fill(T::zero());
            for w in 0..window {
                let Some(start) = i.checked_sub(w * dilation).filter(|start| start.is_multiple_of(stride))
                else {
                    continue;
                };
                let position = start / stride;
                if position >= positions {
                    continue;
                }
                let from = (block * positions + position) * inner * window + w;
                let x = x[from..].iter().step_by(window);
                out.iter_mut().zip(x).for_each(|(out, x)| *out = *out + *x);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_element_is_the_sum_of_what_stands_for_it() {
        for (outer, positions, inner, window, stride, dilation) in [
            (2, 3, 2, 2, 1, 1),
            (1, 4, 3, 3, 2, 1),
            (3, 2, 1, 2, 3, 2),
            (1, 5, 2, 3, 1, 2),
            (2, 1, 0, 2, 1, 1),
        ] {
            let n = (positions - 1) * stride + (window - 1) * dilation + 2;
            let x: Vec<f64> = (0..outer * positions * inner * window).map(|i| (i * i % 17) as f64).collect();
            let mut wanted = vec![0.0; outer * n * inner];
            for (at, value) in x.iter().enumerate() {
                let (rest, w) = (at / window, at % window);
                let (rest, k) = (rest / inner, rest % inner);
                let (block, p) = (rest / positions, rest % positions);
                wanted[(block * n + p * stride + w * dilation) * inner + k] += value;
            }
            let mut out = vec![7.0; outer * n * inner];
            overlap_add(&x, Lengths { outer, positions, inner, n, window, stride, dilation }, &mut out);
            assert_eq!(out, wanted);
        }
    }
}
