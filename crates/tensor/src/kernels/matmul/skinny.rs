//! Products with few columns: each reads its matrix once, where it lies, and packs nothing.
//!
//! A packing engine reads and writes the matrix once more, for a gain that only many columns bring. Here every sum has
//! [`LANES`] partial sums, of the products whose number leaves the same rest, folded at the end. The matrix may lie by
//! rows (lanes are elements of a vector) or by columns (lanes are rows of a table): the order of the sums is one.

use crate::Real;
use crate::kernels::lanes::{HasLanes, LANES, Lanes};
use crate::kernels::{level::Task, scratch};

/// Rows of a matrix stored by columns that are taken together, in groups of [`LANES`].
const TALL: usize = 16;
/// Columns of it, of one lane, that are taken together.
const DEEP: usize = 4;

/// More columns are worth packing.
const FEW: usize = 4;

/// Whether products of this size, or of its transpose, are carried out here rather than by an engine.
pub(super) fn suits([m, n, k]: [usize; 3]) -> bool {
    k == 1 || (m.min(n) <= FEW && k >= 4 * LANES)
}

/// `c = a · b`; `size` holds rows, columns and depth, and each address goes with the strides of rows and columns.
pub(super) struct Skinny<T> {
    pub(super) size: [usize; 3],
    pub(super) a: (*const T, [isize; 2]),
    pub(super) b: (*const T, [isize; 2]),
    pub(super) c: (*mut T, [isize; 2]),
}

/// A product whose addresses are known to be good.
pub(super) struct Run<T>(Skinny<T>);

impl<T: Real> Skinny<T> {
    /// The product as a task.
    ///
    /// # Safety
    /// All elements of the three matrices are in bounds, and those of `c` are nobody else's until the task is done.
    pub(super) unsafe fn promised(self) -> Run<T> {
        Run(self)
    }

    /// bᵀ · aᵀ = cᵀ.
    #[inline(always)]
    fn turned(self) -> Self {
        let Skinny { size: [m, n, k], a: (a, [a0, a1]), b: (b, [b0, b1]), c: (c, [c0, c1]) } = self;
        Skinny { size: [n, m, k], a: (b, [b1, b0]), b: (a, [a1, a0]), c: (c, [c1, c0]) }
    }
}

impl<T: Real> Task for Run<T> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Run(whole) = self;
        let [m, n, k] = whole.size;
        // SAFETY: the promise that made `self`; a turned product has the same elements.
        unsafe {
            if k == 1 {
                let by_rows = whole.c.1[1] == 1 && whole.b.1[1] == 1;
                return if by_rows { outer::<T, FMA>(whole) } else { outer::<T, FMA>(whole.turned()) };
            }
            let tall = if n <= m { whole } else { whole.turned() };
            if FMA {
                sums::<T, <T as HasLanes>::Fused, FMA>(&tall)
            } else {
                sums::<T, <T as HasLanes>::Plain, FMA>(&tall)
            }
        }
    }
}

/// # Safety
/// As [`Skinny::promised`], and the processor has the instructions of these lanes.
#[inline(always)]
unsafe fn sums<T: Real, L: Lanes<T>, const FMA: bool>(p: &Skinny<T>) {
    let m = p.size[0];
    // SAFETY: the caller's promise; the rows exist.
    unsafe {
        match p.a.1 {
            [_, 1] => by_rows::<T, L>(p),
            [1, _] if m >= LANES => by_columns::<T, L>(p),
            _ => strided::<T, FMA>(p),
        }
    }
}

/// The sum of all lanes.
#[inline(always)]
fn folded<T: Real>(mut lanes: [T; LANES]) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            lanes[l] = lanes[l] + lanes[l + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// A column times a row.
///
/// # Safety
/// As [`Skinny::promised`]; k is 1.
#[inline(always)]
unsafe fn outer<T: Real, const FMA: bool>(p: Skinny<T>) {
    let [m, n, _] = p.size;
    for i in 0..m {
        // SAFETY: the caller's promise.
        unsafe {
            let x = *p.a.0.offset(i as isize * p.a.1[0]);
            let c = p.c.0.offset(i as isize * p.c.1[0]);
            if p.b.1[1] == 1 && p.c.1[1] == 1 {
                let (b, c) = (std::slice::from_raw_parts(p.b.0, n), std::slice::from_raw_parts_mut(c, n));
                for (c, b) in c.iter_mut().zip(b) {
                    *c = T::fma::<FMA>(x, *b, T::zero());
                }
            } else {
                for j in 0..n as isize {
                    *c.offset(j * p.c.1[1]) = T::fma::<FMA>(x, *p.b.0.offset(j * p.b.1[1]), T::zero());
                }
            }
        }
    }
}

/// # Safety
/// As [`Skinny::promised`]; the rows of `a` are contiguous.
#[inline(always)]
unsafe fn by_rows<T: Real, L: Lanes<T>>(p: &Skinny<T>) {
    let [m, n, k] = p.size;
    let [down, across] = p.b.1;
    let mut packed = scratch::lend(if down == 1 { 0 } else { n * k });
    let (mut columns, mut apart) = (p.b.0, across);
    if down != 1 {
        for (j, column) in packed.chunks_exact_mut(k).enumerate() {
            for (l, x) in column.iter_mut().enumerate() {
                // SAFETY: the caller's promise.
                *x = unsafe { *p.b.0.offset(l as isize * down + j as isize * across) };
            }
        }
        (columns, apart) = (packed.as_ptr(), k as isize);
    }
    let mut i = 0;
    // As many rows at once as keep their lanes in registers: none waits for its own last sum.
    // SAFETY: the caller's promise; the rows exist.
    unsafe {
        while i + 4 <= m && size_of::<T>() == 4 {
            dots::<T, L, 4>(p, i, columns, apart);
            i += 4;
        }
        while i + 2 <= m {
            dots::<T, L, 2>(p, i, columns, apart);
            i += 2;
        }
        if i < m {
            dots::<T, L, 1>(p, i, columns, apart);
        }
    }
}

/// Rows i to i + R of the result; the columns of `b` are contiguous, `across` apart.
///
/// # Safety
/// As [`by_rows`]; the rows exist.
#[inline(always)]
unsafe fn dots<T: Real, L: Lanes<T>, const R: usize>(
    p: &Skinny<T>,
    i: usize,
    columns: *const T,
    across: isize,
) {
    let [_, n, k] = p.size;
    let whole = k / LANES * LANES;
    for j in 0..n as isize {
        // SAFETY: the caller's promise.
        unsafe {
            let x = columns.offset(j * across);
            let rows: [*const T; R] = std::array::from_fn(|r| p.a.0.offset((i + r) as isize * p.a.1[0]));
            let mut sums = [L::splat(T::zero()); R];
            let mut l = 0;
            while l < whole {
                let x = L::load(x.add(l));
                for r in 0..R {
                    sums[r] = L::load(rows[r].add(l)).fma(x, sums[r]);
                }
                l += LANES;
            }
            // What is left, between products 0·−0, which change no sum.
            if whole < k {
                let x = padded(x.add(whole), k - whole, -T::zero());
                for r in 0..R {
                    let row = padded(rows[r].add(whole), k - whole, T::zero());
                    sums[r] = L::load(row.as_ptr()).fma(L::load(x.as_ptr()), sums[r]);
                }
            }
            for (r, sum) in sums.into_iter().enumerate() {
                let mut lanes = [T::zero(); LANES];
                sum.store(lanes.as_mut_ptr());
                *p.c.0.offset((i + r) as isize * p.c.1[0] + j * p.c.1[1]) = folded(lanes);
            }
        }
    }
}

/// The `n` < [`LANES`] numbers at an address, and `fill` behind them.
///
/// # Safety
/// There are so many.
#[inline(always)]
unsafe fn padded<T: Real>(from: *const T, n: usize, fill: T) -> [T; LANES] {
    let mut lanes = [fill; LANES];
    for (l, lane) in lanes[..n].iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *lane = unsafe { *from.add(l) };
    }
    lanes
}

/// # Safety
/// As [`Skinny::promised`]; the columns of `a` are contiguous, and it has at least as many rows as there are lanes.
#[inline(always)]
unsafe fn by_columns<T: Real, L: Lanes<T>>(p: &Skinny<T>) {
    let [m, n, k] = p.size;
    let deep = k / (LANES * DEEP) * (LANES * DEEP);
    // SAFETY: the caller's promise.
    let mut table = [[unsafe { L::splat(T::zero()) }; TALL]; LANES];
    let mut next = 0;
    while next < m {
        // Rows that fill no group any more are taken with some that are done, to the same sums.
        let i = next.min(m - LANES);
        let groups = TALL.min((m - i) / LANES);
        next = i + groups * LANES;
        for j in 0..n as isize {
            // SAFETY: the caller's promise.
            unsafe {
                for sums in &mut table {
                    sums[..groups].fill(L::splat(T::zero()));
                }
                let column = |l: usize| p.a.0.offset(l as isize * p.a.1[1]).add(i);
                let x = |l: usize| L::splat(*p.b.0.offset(l as isize * p.b.1[0] + j * p.b.1[1]));
                for l in (0..deep).step_by(LANES * DEEP) {
                    for (lane, sums) in table.iter_mut().enumerate() {
                        let l = l + lane;
                        let (a0, x0) = (column(l), x(l));
                        let (a1, x1) = (column(l + LANES), x(l + LANES));
                        let (a2, x2) = (column(l + 2 * LANES), x(l + 2 * LANES));
                        let (a3, x3) = (column(l + 3 * LANES), x(l + 3 * LANES));
                        for (g, sum) in sums[..groups].iter_mut().enumerate() {
                            let at = g * LANES;
                            let first = L::load(a1.add(at)).fma(x1, L::load(a0.add(at)).fma(x0, *sum));
                            *sum = L::load(a3.add(at)).fma(x3, L::load(a2.add(at)).fma(x2, first));
                        }
                    }
                }
                for l in deep..k {
                    let (a, x) = (column(l), x(l));
                    for (g, sum) in table[l % LANES][..groups].iter_mut().enumerate() {
                        *sum = L::load(a.add(g * LANES)).fma(x, *sum);
                    }
                }
                let mut half = LANES / 2;
                while half > 0 {
                    let (front, back) = table[..2 * half].split_at_mut(half);
                    for (sums, others) in front.iter_mut().zip(back) {
                        for (sum, other) in sums[..groups].iter_mut().zip(&*others) {
                            *sum = sum.plus(*other);
                        }
                    }
                    half /= 2;
                }
                for (g, sum) in table[0][..groups].iter().enumerate() {
                    let mut sums = [T::zero(); LANES];
                    sum.store(sums.as_mut_ptr());
                    for (r, sum) in (i + g * LANES..).zip(sums) {
                        *p.c.0.offset(r as isize * p.c.1[0] + j * p.c.1[1]) = sum;
                    }
                }
            }
        }
    }
}

/// Any strides, one product after the other.
///
/// # Safety
/// As [`Skinny::promised`].
#[inline(always)]
unsafe fn strided<T: Real, const FMA: bool>(p: &Skinny<T>) {
    let [m, n, k] = p.size.map(|n| n as isize);
    for i in 0..m {
        for j in 0..n {
            let mut sums = [T::zero(); LANES];
            // SAFETY: the caller's promise.
            unsafe {
                for l in 0..k {
                    let a = *p.a.0.offset(i * p.a.1[0] + l * p.a.1[1]);
                    let b = *p.b.0.offset(l * p.b.1[0] + j * p.b.1[1]);
                    let sum = &mut sums[l as usize % LANES];
                    *sum = T::fma::<FMA>(a, b, *sum);
                }
                *p.c.0.offset(i * p.c.1[0] + j * p.c.1[1]) = folded(sums);
            }
        }
    }
}
