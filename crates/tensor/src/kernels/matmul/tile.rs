//! Tiles of a product: as many sums as fit into registers, each of products in the order of the inner axis.

use std::mem::MaybeUninit;

use super::pack::{Panel, pack};
use crate::Real;
use crate::kernels::level::Level;
use crate::kernels::simd::{HasVectors, Vector};

/// Neighbours on the inner axis whose elements of the left operand are `step` apart, from `at` on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) at: isize,
    pub(super) len: usize,
    pub(super) step: isize,
    /// How far the elements of the right operand are from where those of the run before it end.
    pub(super) skip: isize,
}

/// What one tile is made of. Rows are those of the left operand; columns lie side by side in registers.
pub(super) struct Tile<'a, T> {
    pub(super) a: *const T,
    /// Where each row begins.
    pub(super) rows: &'a [isize; MOST_ROWS],
    /// The inner axis.
    pub(super) runs: &'a [Run],
    /// The columns of the right operand, contiguous, and how far it is to the next element of the inner axis.
    pub(super) b: *const T,
    pub(super) b_step: isize,
    /// The result, and the strides of its rows and columns.
    pub(super) c: *mut T,
    pub(super) c_strides: [isize; 2],
    /// How many columns are written.
    pub(super) columns: usize,
    /// Whether the sums are added to what stands there.
    pub(super) add: bool,
}

impl<T> Tile<'_, T> {
    /// The same tile at another place.
    pub(super) fn at(&self, [from, to]: [isize; 2]) -> Self {
        Tile { b: self.b.wrapping_offset(from), c: self.c.wrapping_offset(to), ..*self }
    }
}

/// More rows no tile has.
pub(super) const MOST_ROWS: usize = 14;

/// A tile of some number of rows and registers.
///
/// # Safety
/// The addresses in the tile are good: of each row, each element of each run; of `b`, as many registers for each
/// element of the inner axis; of `c`, as many columns for each row, nobody else's. The processor has the level.
pub(super) type Kernel<T> = unsafe fn(&Tile<'_, T>);

/// Places of the right operand and of the result, from where a tile says that they are, in elements.
pub(super) type Places = [[isize; 2]; STRIPS];

/// So many tiles of one row, which each have two registers, are computed side by side: the sums of one would wait for each
/// other.
pub(super) const STRIPS: usize = 4;

/// Tiles of one row at several places.
///
/// # Safety
/// As of [`Kernel`], at each place.
pub(super) type Strips<T> = unsafe fn(&Tile<'_, T>, &Places);

/// As [`pack`](super::pack::pack).
type Pack<T> = unsafe fn(*const T, Panel<'_>, &mut [T]);

/// The tiles of a level.
pub(super) struct Tiles<T: 'static> {
    /// Numbers in a register.
    pub(super) lanes: usize,
    /// By rows, less one: those of one register and of two, each whole and cut; first for rows anywhere, then for those
    /// side by side.
    kernels: &'static [[[Kernel<T>; 4]; 2]],
    /// Whole and cut.
    strips: [Strips<T>; 2],
    pub(super) pack: Pack<T>,
}

impl<T> Tiles<T> {
    /// The most rows of a tile.
    pub(super) fn rows(&self) -> usize {
        self.kernels.len()
    }

    /// The kernel of `rows` rows and so many registers, one or two; `close` rows lie side by side. Of a `cut` right
    /// operand no more is read than the columns that are written; of others whole registers.
    pub(super) fn kernel(&self, rows: usize, registers: usize, close: bool, cut: bool) -> Kernel<T> {
        self.kernels[rows - 1][usize::from(close)][registers - 1 + 2 * usize::from(cut)]
    }

    /// The kernel of one row and two registers at several places.
    pub(super) fn strips(&self, cut: bool) -> Strips<T> {
        self.strips[usize::from(cut)]
    }
}

/// Does something for each row of a tile, by a number that is written out: what a loop keeps in an array, the compiler may
/// leave in memory.
macro_rules! each_row {
    ($row:ident < $rows:ident, $body:block) => {
        each_row!($row < $rows, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
    };
    ($row:ident < $rows:ident, $body:block, $($number:literal)*) => {$(
        if $number < $rows {
            const $row: usize = $number;
            $body
        }
    )*};
}

/// One tile: `R` rows by `N` registers, one or two.
///
/// # Safety
/// As [`Kernel`].
#[inline(always)]
unsafe fn tile<T: Real, V: Vector<T>, const R: usize, const N: usize, const CLOSE: bool, const CUT: bool>(
    t: &Tile<'_, T>,
) {
    // SAFETY: the caller's promise. Steps between addresses wrap, since a debug build would check each one of them.
    unsafe {
        let mut sums = [[V::zero(); 2]; MOST_ROWS];
        let mut b = t.b;
        for run in t.runs {
            b = b.wrapping_offset(run.skip);
            let first = t.a.wrapping_offset(t.rows[0].wrapping_add(run.at));
            let mut rows = [first; MOST_ROWS];
            each_row!(ROW < R, {
                rows[ROW] = if CLOSE {
                    first.wrapping_add(ROW)
                } else {
                    t.a.wrapping_offset(t.rows[ROW].wrapping_add(run.at))
                };
            });
            let mut at = 0;
            for _ in 0..run.len {
                let left = if CUT && N == 1 { V::load_first(b, t.columns) } else { V::load(b) };
                let right = match N {
                    1 => left,
                    _ if CUT => V::load_first(b.wrapping_add(V::LANES), t.columns.wrapping_sub(V::LANES)),
                    _ => V::load(b.wrapping_add(V::LANES)),
                };
                each_row!(ROW < R, {
                    let x = V::broadcast(rows[ROW].wrapping_offset(at));
                    sums[ROW][0] = x.fma(left, sums[ROW][0]);
                    if N > 1 {
                        sums[ROW][1] = x.fma(right, sums[ROW][1]);
                    }
                });
                b = b.wrapping_offset(t.b_step);
                at = at.wrapping_add(run.step);
            }
        }
        if t.c_strides[1] == 1 {
            each_row!(ROW < R, {
                let to = t.c.wrapping_offset((ROW as isize).wrapping_mul(t.c_strides[0]));
                write(sums[ROW][0], to, t.columns, t.add);
                if N > 1 {
                    write(sums[ROW][1], to.wrapping_add(V::LANES), t.columns.wrapping_sub(V::LANES), t.add);
                }
            });
            return;
        }
        let mut all = MaybeUninit::<[[T; WIDEST]; MOST_ROWS]>::uninit();
        let to = all.as_mut_ptr().cast::<T>();
        each_row!(ROW < R, {
            sums[ROW][0].store(to.wrapping_add(ROW * WIDEST));
            if N > 1 {
                sums[ROW][1].store(to.wrapping_add(ROW * WIDEST + V::LANES));
            }
        });
        scatter(t, R, to);
    }
}

/// One row by two registers at each of several places; the columns of the result lie side by side.
///
/// # Safety
/// As [`Strips`].
#[inline(always)]
unsafe fn strips<T: Real, V: Vector<T>, const CUT: bool>(t: &Tile<'_, T>, places: &Places) {
    // SAFETY: the caller's promise; steps wrap, as in a tile.
    unsafe {
        let rest = t.columns.wrapping_sub(V::LANES);
        let mut sums = [[V::zero(); 2]; STRIPS];
        let mut b = t.b;
        for run in t.runs {
            b = b.wrapping_offset(run.skip);
            let mut a = t.a.wrapping_offset(t.rows[0].wrapping_add(run.at));
            for _ in 0..run.len {
                let x = V::broadcast(a);
                for (sum, [from, _]) in sums.iter_mut().zip(places) {
                    let b = b.wrapping_offset(*from);
                    let right = b.wrapping_add(V::LANES);
                    let right = if CUT { V::load_first(right, rest) } else { V::load(right) };
                    *sum = [x.fma(V::load(b), sum[0]), x.fma(right, sum[1])];
                }
                b = b.wrapping_offset(t.b_step);
                a = a.wrapping_offset(run.step);
            }
        }
        for (sum, [_, to]) in sums.iter().zip(places) {
            let to = t.c.wrapping_offset(*to);
            write(sum[0], to, V::LANES, t.add);
            write(sum[1], to.wrapping_add(V::LANES), rest, t.add);
        }
    }
}

/// The most columns of a tile.
const WIDEST: usize = 32;

/// Writes the first `count` sums of a register, or all.
///
/// # Safety
/// As [`Kernel`].
#[inline(always)]
unsafe fn write<T: Real, V: Vector<T>>(sum: V, to: *mut T, count: usize, add: bool) {
    // SAFETY: the caller's promise.
    unsafe {
        if count >= V::LANES {
            if add { V::load(to).plus(sum) } else { sum }.store(to);
        } else {
            if add { V::load_first(to, count).plus(sum) } else { sum }.store_first(to, count);
        }
    }
}

/// Writes sums whose columns are not side by side; those of a row are, and the rows [`WIDEST`] apart.
///
/// # Safety
/// As [`Kernel`]; there are so many rows, of as many sums as columns are written.
#[inline(never)]
unsafe fn scatter<T: Real>(t: &Tile<'_, T>, rows: usize, sums: *const T) {
    for column in 0..t.columns {
        for r in 0..rows {
            // SAFETY: the caller's promise.
            unsafe {
                let to = t.c.offset(column as isize * t.c_strides[1] + r as isize * t.c_strides[0]);
                let sum = *sums.add(r * WIDEST + column);
                *to = if t.add { *to + sum } else { sum };
            }
        }
    }
}

/// The table of the tiles of a level.
macro_rules! tiles {
    ($name:ident $(#[$feature:meta])?, $vector:ident, $($rows:literal)*) => {
        fn $name<T: Real>() -> Tiles<T> {
            $(#[$feature])?
            unsafe fn kernel<T: Real, const R: usize, const N: usize, const CLOSE: bool, const CUT: bool>(
                t: &Tile<'_, T>,
            ) {
                // SAFETY: the caller's promise.
                unsafe { tile::<T, <T as HasVectors>::$vector, R, N, CLOSE, CUT>(t) }
            }
            $(#[$feature])?
            unsafe fn strip<T: Real, const CUT: bool>(t: &Tile<'_, T>, places: &Places) {
                // SAFETY: the caller's promise.
                unsafe { strips::<T, <T as HasVectors>::$vector, CUT>(t, places) }
            }
            $(#[$feature])?
            unsafe fn packed<T: Real>(x: *const T, panel: Panel<'_>, out: &mut [T]) {
                // SAFETY: the caller's promise.
                unsafe { pack::<T, <T as HasVectors>::$vector>(x, panel, out) }
            }
            Tiles {
                lanes: <T as HasVectors>::$vector::LANES,
                kernels: const { &[$([
                    [
                        kernel::<T, $rows, 1, false, false> as Kernel<T>,
                        kernel::<T, $rows, 2, false, false>,
                        kernel::<T, $rows, 1, false, true>,
                        kernel::<T, $rows, 2, false, true>,
                    ],
                    [
                        kernel::<T, $rows, 1, true, false>,
                        kernel::<T, $rows, 2, true, false>,
                        kernel::<T, $rows, 1, true, true>,
                        kernel::<T, $rows, 2, true, true>,
                    ],
                ]),*] },
                strips: [strip::<T, false>, strip::<T, true>],
                pack: packed::<T>,
            }
        }
    };
}

tiles!(baseline, Baseline, 1 2 3 4 5 6);
#[cfg(test)]
tiles!(exact, Exact, 1 2 3 4 5);
#[cfg(target_arch = "x86_64")]
tiles!(avx2 #[target_feature(enable = "avx2,fma")], Avx2, 1 2 3 4 5 6);
#[cfg(target_arch = "x86_64")]
tiles!(avx512 #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")], Avx512, 1 2 3 4 5 6 7 8 9 10 11 12 13 14);

/// The tiles of a level, or of the best one that the processor has if that is less.
pub(super) fn tiles<T: Real>(level: Level) -> Tiles<T> {
    match level.min(Level::detected()) {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => avx512(),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => avx2(),
        _ => baseline(),
    }
}

/// Tiles that round each product and sum once, on every processor.
#[cfg(test)]
pub(super) fn exact_tiles<T: Real>() -> Tiles<T> {
    exact()
}
