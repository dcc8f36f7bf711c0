//! Where the extremes lie.

use super::{WIDTH, check};
use crate::Element;
use crate::kernels::level::{Level, Task};

/// Where the greatest (or least) element lies along the middle axis of `dims` = [outer, n, inner]; the first one in
/// a tie, the first NaN if there is one. `n` must not be 0.
///
/// # Panics
/// If a slice has another length than `dims` gives, or `n` is 0 and there are results.
pub fn arg_reduce<T: Element + PartialOrd>(max: bool, x: &[T], dims: [usize; 3], out: &mut [i64]) {
    check(x, dims, out);
    assert!(dims[1] > 0 || out.is_empty(), "of no elements none is extreme");
    if out.is_empty() {
        return;
    }
    if max {
        Level::detected().run(Arg::<_, true> { x, dims, out });
    } else {
        Level::detected().run(Arg::<_, false> { x, dims, out });
    }
}

struct Arg<'a, T, const MAX: bool> {
    x: &'a [T],
    dims: [usize; 3],
    out: &'a mut [i64],
}

impl<T: Element + PartialOrd, const MAX: bool> Task for Arg<'_, T, MAX> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Arg { x, dims: [_, n, inner], out } = self;
        for (x, out) in x.chunks_exact(n * inner).zip(out.chunks_exact_mut(inner)) {
            if inner == 1 {
                out[0] = row::<T, MAX>(x) as i64;
                continue;
            }
            for (i, out) in out.chunks_mut(WIDTH).enumerate() {
                columns::<T, MAX>(&x[i * WIDTH..], inner, out);
            }
        }
    }
}

#[inline(always)]
fn beats<T: PartialOrd, const MAX: bool>(x: T, best: T) -> bool {
    if MAX { x > best } else { x < best }
}

/// Whether it is NaN, which alone has no order to itself.
#[inline(always)]
fn is_nan<T: PartialOrd>(x: &T) -> bool {
    x.partial_cmp(x).is_none()
}

#[inline(always)]
fn row<T: Copy + PartialOrd, const MAX: bool>(x: &[T]) -> usize {
    let (mut at, mut best) = (0, x[0]);
    for (i, x) in x.iter().enumerate() {
        // Rarely true, so the processor guesses right and nothing waits for `best`.
        if beats::<T, MAX>(*x, best) || is_nan(x) {
            (at, best) = (i, *x);
            if is_nan(x) {
                break;
            }
        }
    }
    at
}

/// Columns side by side: the first elements of `x`, and of what follows `stride` by `stride`.
#[inline(always)]
fn columns<T: Element + PartialOrd, const MAX: bool>(x: &[T], stride: usize, out: &mut [i64]) {
    let mut best = [T::default(); WIDTH];
    best[..out.len()].copy_from_slice(&x[..out.len()]);
    out.fill(0);
    for (row, x) in x.chunks(stride).enumerate() {
        for ((at, best), x) in out.iter_mut().zip(&mut best).zip(x) {
            let wins = beats::<T, MAX>(*x, *best) | (is_nan(x) & !is_nan(best));
            *best = if wins { *x } else { *best };
            *at = if wins { row as i64 } else { *at };
        }
    }
}
