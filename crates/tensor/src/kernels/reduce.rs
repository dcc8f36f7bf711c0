//! Reductions of the middle one of three axes: any reduction of adjacent axes looks like that.
//!
//! Sums are built as trees (pairwise), so rounding errors grow with the logarithm of the length; products in the order
//! of their factors, so only what the first of them make can leave the range. The shape alone decides the tree, so the bits do not depend on the number of threads.

mod arg;

use super::level::{Level, Task};
use super::math;
use super::threads::{self, Pieces};
use crate::Real;

pub use arg::arg_reduce;

/// How elements become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Their sum; 0 of none.
    Sum,
    /// Their product; 1 of none.
    Prod,
    /// The greatest; −∞ of none, NaN if any is. Of truth values: whether any holds.
    Max,
    /// The least; +∞ of none, NaN if any is. Of truth values: whether all hold.
    Min,
}

impl Reduction {
    /// All of them.
    pub const ALL: &[Reduction] = &[Reduction::Sum, Reduction::Prod, Reduction::Max, Reduction::Min];

    /// The name in messages and dumps.
    pub fn name(self) -> &'static str {
        match self {
            Reduction::Sum => "sum",
            Reduction::Prod => "prod",
            Reduction::Max => "max",
            Reduction::Min => "min",
        }
    }
}

/// Columns that are reduced side by side; also the lanes of a row.
const WIDTH: usize = 64;
/// Columns that are certainly taken in one instruction or two.
const BLOCK: usize = 8;
/// Rows (or groups of [`WIDTH`] elements of one row) that are reduced one after the other.
const RUN: usize = 32;
/// A row up to this long is reduced one element after the other.
const SHORT: usize = 16;
/// Elements that are worth a second thread.
const WORTH_A_THREAD: usize = 1 << 18;
/// At most so many partial results per column, a number that depends on the shape alone.
const PARTS: usize = 256;

/// Reduces the middle axis of `x`, which is `dims` = [outer, n, inner] in row-major order, into `out`
/// [outer, inner].
///
/// # Panics
/// If a slice has another length than `dims` gives.
///
/// ```
/// use chainrule_tensor::kernels::reduce::{Reduction, reduce};
/// let mut sums = [0.0; 3];
/// reduce(Reduction::Sum, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1, 2, 3], &mut sums);
/// assert_eq!(sums, [5.0, 7.0, 9.0]);
/// ```
pub fn reduce<T: Real>(op: Reduction, x: &[T], dims: [usize; 3], out: &mut [T]) {
    check(x, dims, out);
    match op {
        Reduction::Sum => spread(x, dims, out, Sum),
        Reduction::Prod => in_order(x, dims, out, T::one(), |a, b| a * b),
        Reduction::Max => spread(x, dims, out, Max),
        Reduction::Min => spread(x, dims, out, Min),
    }
}

/// Reduces rows of `n` elements on this thread; each row has the bits that [`reduce`] gives it among several.
pub(super) fn rows<T: Real>(op: Reduction, x: &[T], n: usize, out: &mut [T]) {
    let dims = [out.len(), n, 1];
    match op {
        Reduction::Sum => part(x, dims, out, Sum),
        Reduction::Prod => in_order(x, dims, out, T::one(), |a, b| a * b),
        Reduction::Max => part(x, dims, out, Max),
        Reduction::Min => part(x, dims, out, Min),
    }
}

/// The length of the parts that a single row of `n` elements is cut into, if it is: each part is reduced like a row,
/// and then the results of the parts.
pub(super) fn parts(op: Reduction, n: usize) -> Option<usize> {
    (op != Reduction::Prod && n >= WORTH_A_THREAD).then(|| n.div_ceil(PARTS).max(RUN * WIDTH))
}

fn check<X, Y>(x: &[X], [outer, n, inner]: [usize; 3], out: &[Y]) {
    let fits = x.len() == outer * n * inner && out.len() == outer * inner;
    assert!(fits, "{} elements cannot be reduced as [{outer}, {n}, {inner}] into {}", x.len(), out.len());
}

/// An associative operation with a neutral element.
trait Monoid: Copy + Send + Sync {
    fn neutral<T: Real>(self) -> T;
    fn join<T: Real>(self, a: T, b: T) -> T;
}

/// A monoid from one row.
macro_rules! monoid {
    ($($name:ident, $neutral:expr, |$a:ident, $b:ident| $join:expr;)*) => {$(
        #[derive(Clone, Copy)]
        struct $name;
        impl Monoid for $name {
            #[inline(always)]
            fn neutral<T: Real>(self) -> T {
                $neutral
            }
            #[inline(always)]
            fn join<T: Real>(self, $a: T, $b: T) -> T {
                $join
            }
        }
    )*};
}

monoid! {
    Sum, T::zero(), |a, b| a + b;
    Max, T::neg_infinity(), |a, b| math::max(a, b);
    Min, T::infinity(), |a, b| math::min(a, b);
}

/// Gives every task some of the results; a single long row is cut into parts first.
fn spread<T: Real, M: Monoid>(x: &[T], [outer, n, inner]: [usize; 3], out: &mut [T], m: M) {
    if x.len() < WORTH_A_THREAD {
        return part(x, [outer, n, inner], out, m);
    }
    if outer == 1 && inner < WIDTH {
        let rows = n.div_ceil(PARTS).max(RUN * WIDTH);
        let parts = n.div_ceil(rows);
        let mut partial = [T::zero(); PARTS * WIDTH];
        let partial = &mut partial[..parts * inner];
        threads::for_chunks(partial, inner.max(1), |i, partial| {
            let rows = i * rows..n.min((i + 1) * rows);
            part(&x[rows.start * inner..rows.end * inner], [1, rows.len(), inner], partial, m);
        });
        part(partial, [1, parts, inner], out, m);
    } else if outer > 1 {
        let rows = (WORTH_A_THREAD / 4).div_ceil(n * inner.max(1)).max(1);
        threads::for_chunks(out, rows * inner, |i, out| {
            let first = i * rows;
            let count = out.len() / inner;
            part(&x[first * n * inner..(first + count) * n * inner], [count, n, inner], out, m);
        });
    } else {
        // Wide columns: each task takes some of them, from all rows.
        let tasks = inner.div_ceil(8 * WIDTH);
        let shared = Pieces::new(out);
        threads::parallel(tasks, &|i| {
            let columns = i * 8 * WIDTH..inner.min((i + 1) * 8 * WIDTH);
            // SAFETY: tasks have disjoint columns inside `out`, which outlives the call.
            let out = unsafe { std::slice::from_raw_parts_mut(shared.at(columns.start), columns.len()) };
            Level::detected().run(Columns { x, first: columns.start, stride: inner, n, out, m });
        });
    }
}

/// A part on this thread, at the processor's SIMD level.
fn part<T: Real, M: Monoid>(x: &[T], dims: [usize; 3], out: &mut [T], m: M) {
    let [outer, n, inner] = dims;
    if n == 0 || inner == 0 {
        out.fill(m.neutral());
    } else if inner == 1 {
        Level::detected().run(Rows { x, n, out, m });
    } else {
        for o in 0..outer {
            let (x, out) = (&x[o * n * inner..(o + 1) * n * inner], &mut out[o * inner..(o + 1) * inner]);
            Level::detected().run(Columns { x, first: 0, stride: inner, n, out, m });
        }
    }
}

/// Rows of `n` ≥ 1 elements.
struct Rows<'a, T, M> {
    x: &'a [T],
    n: usize,
    out: &'a mut [T],
    m: M,
}

impl<T: Real, M: Monoid> Task for Rows<'_, T, M> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Rows { x, n, out, m } = self;
        if n > SHORT {
            for (out, x) in out.chunks_exact_mut(1).zip(x.chunks_exact(n)) {
                narrow(x, 1, out, m);
            }
            return;
        }
        // Several rows at once, so that none waits for its own last sum.
        const ROWS: usize = 8;
        let whole = out.len() / ROWS * ROWS;
        for (out, x) in out.chunks_exact_mut(ROWS).zip(x.chunks_exact(ROWS * n)) {
            let mut sums = [m.neutral(); ROWS];
            for i in 0..n {
                for (row, sum) in sums.iter_mut().enumerate() {
                    *sum = m.join(*sum, x[row * n + i]);
                }
            }
            out.copy_from_slice(&sums);
        }
        for (out, x) in out[whole..].iter_mut().zip(x[whole * n..].chunks_exact(n)) {
            *out = m.neutral();
            for x in x {
                *out = m.join(*out, *x);
            }
        }
    }
}

/// Few columns: as many rows side by side as there are lanes, folded at the end.
#[inline(always)]
fn narrow<T: Real, M: Monoid>(x: &[T], inner: usize, out: &mut [T], m: M) {
    let width = WIDTH / inner * inner;
    let mut lanes = tree(x, width, width, x.len() / width, m);
    // The rest that fills no group of lanes.
    let rest = &x[x.len() / width * width..];
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane = m.join(*lane, *x);
    }
    let mut rows = width / inner;
    while rows > 1 {
        let half = rows.div_ceil(2);
        for i in 0..(rows - half) * inner {
            lanes[i] = m.join(lanes[i], lanes[i + half * inner]);
        }
        rows = half;
    }
    out.copy_from_slice(&lanes[..inner]);
}

struct Columns<'a, T, M> {
    x: &'a [T],
    first: usize,
    stride: usize,
    n: usize,
    out: &'a mut [T],
    m: M,
}

impl<T: Real, M: Monoid> Task for Columns<'_, T, M> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Columns { x, first, stride, n, out, m } = self;
        if out.len() == stride && stride <= WIDTH / 2 {
            narrow(x, stride, out, m);
            return;
        }
        for (i, out) in out.chunks_mut(WIDTH).enumerate() {
            let from = (first + i * WIDTH).min(x.len());
            let sums = tree(&x[from..], stride, out.len(), n, m);
            out.copy_from_slice(&sums[..out.len()]);
        }
    }
}

/// Reduces `n` rows of `width` ≤ [`WIDTH`] elements, `stride` apart, as a tree whose leaves are runs of rows.
#[inline(always)]
fn tree<T: Real, M: Monoid>(x: &[T], stride: usize, width: usize, n: usize, m: M) -> [T; WIDTH] {
    if n <= RUN && width == WIDTH {
        return leaf(x, stride, WIDTH, 0..n, m);
    }
    if n <= RUN {
        return leaf(x, stride, width, 0..n, m);
    }
    // A binary counter: level k holds the result of 2ᵏ leaves, joined with its neighbour when that is complete.
    let mut levels = [[T::zero(); WIDTH]; 48];
    let mut leaves = 0_usize;
    let mut row = 0;
    while row < n {
        let end = n.min(row + RUN);
        let mut sums = if width == WIDTH {
            leaf(x, stride, WIDTH, row..end, m)
        } else {
            leaf(x, stride, width, row..end, m)
        };
        let mut level = 0;
        while leaves >> level & 1 == 1 {
            join(&mut sums, &levels[level], m);
            level += 1;
        }
        levels[level] = sums;
        leaves += 1;
        row = end;
    }
    let mut sums = [m.neutral(); WIDTH];
    for (level, part) in levels.iter().enumerate() {
        if leaves >> level & 1 == 1 {
            join(&mut sums, part, m);
        }
    }
    sums
}

#[inline(always)]
fn leaf<T: Real, M: Monoid>(
    x: &[T],
    stride: usize,
    width: usize,
    rows: std::ops::Range<usize>,
    m: M,
) -> [T; WIDTH] {
    let mut sums = [m.neutral(); WIDTH];
    for row in rows {
        let (blocks, rest) = x[row * stride..][..width].as_chunks::<BLOCK>();
        let (sum_blocks, sum_rest) = sums[..width].as_chunks_mut::<BLOCK>();
        for (sums, x) in sum_blocks.iter_mut().zip(blocks) {
            // In an array of its own: to keep a sum where it stands is a branch to the compiler, not a blend.
            let mut joined = [m.neutral(); BLOCK];
            for i in 0..BLOCK {
                joined[i] = m.join(sums[i], x[i]);
            }
            *sums = joined;
        }
        for (sum, x) in sum_rest.iter_mut().zip(rest) {
            *sum = m.join(*sum, *x);
        }
    }
    sums
}

#[inline(always)]
fn join<T: Real, M: Monoid>(sums: &mut [T; WIDTH], earlier: &[T; WIDTH], m: M) {
    for (sum, earlier) in sums.iter_mut().zip(earlier) {
        *sum = m.join(*earlier, *sum);
    }
}

/// As [`reduce`], for integers; sums and products wrap. The extremes of none are the extremes of `i64`.
pub fn reduce_int(op: Reduction, x: &[i64], dims: [usize; 3], out: &mut [i64]) {
    match op {
        Reduction::Sum => in_order(x, dims, out, 0, i64::wrapping_add),
        Reduction::Prod => in_order(x, dims, out, 1, i64::wrapping_mul),
        Reduction::Max => in_order(x, dims, out, i64::MIN, i64::max),
        Reduction::Min => in_order(x, dims, out, i64::MAX, i64::min),
    }
}

/// As [`reduce`], for truth values: `Max` (and `Sum`) is any, `Min` (and `Prod`) is all.
pub fn reduce_truth(op: Reduction, x: &[bool], dims: [usize; 3], out: &mut [bool]) {
    match op {
        Reduction::Max | Reduction::Sum => in_order(x, dims, out, false, |a, b| a | b),
        Reduction::Min | Reduction::Prod => in_order(x, dims, out, true, |a, b| a & b),
    }
}

/// A reduction element after element.
fn in_order<E: Copy>(x: &[E], dims: [usize; 3], out: &mut [E], neutral: E, join: impl Fn(E, E) -> E) {
    check(x, dims, out);
    let [outer, n, inner] = dims;
    out.fill(neutral);
    for o in 0..outer {
        let out = &mut out[o * inner..(o + 1) * inner];
        for row in 0..n {
            let start = (o * n + row) * inner;
            for (y, x) in out.iter_mut().zip(&x[start..start + inner]) {
                *y = join(*y, *x);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(op: Reduction, x: &[f64], [outer, n, inner]: [usize; 3]) -> Vec<f64> {
        let join = |a: f64, b: f64| match op {
            Reduction::Sum => a + b,
            Reduction::Prod => a * b,
            Reduction::Max => a.max(b),
            Reduction::Min => a.min(b),
        };
        let neutral = match op {
            Reduction::Sum => 0.0,
            Reduction::Prod => 1.0,
            Reduction::Max => f64::NEG_INFINITY,
            Reduction::Min => f64::INFINITY,
        };
        (0..outer * inner)
            .map(|k| (0..n).map(|r| x[(k / inner * n + r) * inner + k % inner]).fold(neutral, join))
            .collect()
    }

    proptest! {
        #[test]
        fn equals_a_plain_loop(
            outer in 0_usize..4,
            n in prop_oneof![0_usize..5, 60_usize..70, 2000_usize..2100],
            inner in prop_oneof![Just(1_usize), 0_usize..5, 60_usize..140],
        ) {
            let dims = [outer, n, inner];
            let x: Vec<f64> = (0..outer * n * inner).map(|i| 1.0 + ((i * 7919) % 101) as f64 * 1e-6).collect();
            for op in Reduction::ALL {
                let mut out = vec![f64::NAN; outer * inner];
                reduce(*op, &x, dims, &mut out);
                for (y, right) in out.iter().zip(plain(*op, &x, dims)) {
                    prop_assert!(*y == right || (y - right).abs() <= 1e-12 * right.abs(), "{op:?} {y} {right}");
                }
            }
        }
    }

    #[test]
    fn bits_do_not_depend_on_threads() {
        for dims in [[1, 1_000_003, 1], [1, 5000, 130], [700, 900, 1], [3, 200, 700], [1, 300_000, 3]] {
            let x: Vec<f32> =
                (0..dims.iter().product()).map(|i: usize| ((i * 7919) % 1013) as f32 * 0.37).collect();
            let run = |threads| {
                threads::set_threads(threads);
                let mut out = vec![0.0; dims[0] * dims[2]];
                reduce(Reduction::Sum, &x, dims, &mut out);
                out
            };
            let one = run(1);
            assert_eq!(one, run(2));
            assert_eq!(one, run(3));
            let wide: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
            for (y, right) in one.iter().zip(plain(Reduction::Sum, &wide, dims)) {
                assert!((f64::from(*y) - right).abs() < 1e-6 * right, "{dims:?}: {y} {right}");
            }
        }
    }

    #[test]
    fn ten_million_ones_are_ten_million() {
        let x = vec![1.0_f32; 10_000_000];
        let mut out = [0.0];
        reduce(Reduction::Sum, &x, [1, x.len(), 1], &mut out);
        assert_eq!(out, [1e7]);
    }

    #[test]
    fn nan_wins_wherever_it_stands() {
        for at in [0, 3, 64, 99] {
            let mut x = vec![1.0_f64; 100];
            x[at] = f64::NAN;
            for op in [Reduction::Max, Reduction::Min] {
                let mut out = [0.0];
                reduce(op, &x, [1, 100, 1], &mut out);
                assert!(out[0].is_nan());
                let mut out = [0.0; 2];
                reduce(op, &x, [1, 50, 2], &mut out);
                assert!(out[at % 2].is_nan() && out[1 - at % 2] == 1.0);
            }
            let mut out = [0];
            arg_reduce(true, &x, [1, 100, 1], &mut out);
            assert_eq!(out, [at as i64]);
        }
    }

    #[test]
    fn integers_and_truth() {
        let mut out = [0; 2];
        reduce_int(Reduction::Sum, &[1, 2, 3, 4], [1, 2, 2], &mut out);
        assert_eq!(out, [4, 6]);
        reduce_int(Reduction::Max, &[1, 2, 3, 4], [2, 2, 1], &mut out);
        assert_eq!(out, [2, 4]);
        let mut out = [false; 2];
        reduce_truth(Reduction::Max, &[false, false, true, false], [2, 2, 1], &mut out);
        assert_eq!(out, [false, true]);
        let mut first = [0; 1];
        arg_reduce(false, &[3.0, 1.0, 1.0], [1, 3, 1], &mut first);
        assert_eq!(first, [1]);
    }
}
