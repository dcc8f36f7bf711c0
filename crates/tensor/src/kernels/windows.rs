//! Windows added up where they overlap.

use super::threads::for_chunks;
use crate::Real;

/// What [`overlap_add`] goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// Elements before the axis.
    pub outer: usize,
    /// Elements of a window.
    pub window: usize,
    /// How many windows there are.
    pub positions: usize,
    /// Elements behind the axis.
    pub inner: usize,
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
/// order of w. `x` is (outer, window, positions, inner), `out` (outer, n, inner).
///
/// # Panics
/// If a buffer is shorter than `lengths` say, or a window reaches beyond `n`.
///
/// ```
/// use chainrule_tensor::kernels::windows::{Lengths, overlap_add};
/// let lengths = Lengths { outer: 1, window: 2, positions: 2, inner: 1, n: 3, stride: 1, dilation: 1 };
/// let mut out = [0.0; 3];
/// overlap_add(&[1.0, 2.0, 3.0, 4.0], lengths, &mut out);
/// assert_eq!(out, [1.0, 2.0 + 3.0, 4.0]);
/// ```
pub fn overlap_add<T: Real>(x: &[T], lengths: Lengths, out: &mut [T]) {
    let Lengths { outer, window, positions, inner, n, stride, dilation } = lengths;
    let block = window * positions * inner;
    let (x, out) = (&x[..outer * block], &mut out[..outer * n * inner]);
    if out.is_empty() {
        return;
    }
    let blocks = (TASK / (n * inner)).max(1);
    for_chunks(out, blocks * n * inner, |chunk, out| {
        for (o, out) in (chunk * blocks..).zip(out.chunks_exact_mut(n * inner)) {
            out.fill(T::zero());
            if positions == 0 || inner == 0 {
                continue;
            }
            let x = &x[o * block..][..block];
            for (w, x) in x.chunks_exact(positions * inner).enumerate() {
                let out = &mut out[w * dilation * inner..];
                if stride == 1 {
                    add(&mut out[..positions * inner], x);
                } else if inner == 1 {
                    out.iter_mut().step_by(stride).zip(x).for_each(|(out, x)| *out = *out + *x);
                } else {
                    out.chunks_mut(stride * inner).zip(x.chunks_exact(inner)).for_each(|(out, x)| {
                        add(&mut out[..inner], x);
                    });
                }
            }
        }
    });
}

fn add<T: Real>(out: &mut [T], x: &[T]) {
    out.iter_mut().zip(x).for_each(|(out, x)| *out = *out + *x);
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
                let (rest, k) = (at / inner, at % inner);
                let (rest, p) = (rest / positions, rest % positions);
                let (block, w) = (rest / window, rest % window);
                wanted[(block * n + p * stride + w * dilation) * inner + k] += value;
            }
            let mut out = vec![7.0; outer * n * inner];
            overlap_add(&x, Lengths { outer, window, positions, inner, n, stride, dilation }, &mut out);
            assert_eq!(out, wanted);
        }
    }
}
