//! Columns of an operand put side by side, as registers read them.

use super::axes::Axes;
use super::tile::Run;
use crate::Real;
use crate::kernels::simd::Vector;

/// Columns that become one panel.
#[derive(Clone, Copy)]
pub(super) struct Panel<'a> {
    /// The columns of the operand.
    pub(super) columns: &'a Axes,
    /// The first one, and how many.
    pub(super) at: usize,
    pub(super) count: usize,
    /// The width of the panel; columns that are missing are zeros.
    pub(super) width: usize,
    /// The inner axis.
    pub(super) runs: &'a [Run],
}

/// No panel is wider.
const WIDEST: usize = 32;

/// Writes a panel: for each element of the inner axis, its `width` columns.
///
/// # Safety
/// All elements of these columns and runs are in bounds, `out` holds as many rows; the processor has the level.
#[inline(always)]
pub(super) unsafe fn pack<T: Real, V: Vector<T>>(x: *const T, p: Panel<'_>, out: &mut [T]) {
    let mut offsets = [0; WIDEST];
    let mut pieces = [(0, 0, 0_isize); WIDEST];
    let offsets = &mut offsets[..p.count];
    let first = p.columns.offset(p.at);
    let mut alone = false;
    let pieces = match p.columns.stride() {
        Some(1) => {
            pieces[0] = (0, p.count, first);
            &pieces[..1]
        }
        stride => {
            for (j, offset) in offsets.iter_mut().enumerate() {
                *offset = match stride {
                    Some(stride) => first + j as isize * stride,
                    None => p.columns.offset(p.at + j),
                };
            }
            alone = offsets.windows(2).all(|pair| pair[1] - pair[0] != 1);
            if alone { &[] } else { in_pieces(offsets, &mut pieces) }
        }
    };
    if p.count < p.width {
        out.fill(T::zero());
    }
    let mut to = out.as_mut_ptr();
    for run in p.runs {
        // SAFETY: the caller's promise.
        unsafe {
            let x = x.offset(run.at);
            if alone && run.step == 1 {
                down::<T, V>(x, offsets, run.len, to, p.width);
            } else if alone {
                for l in 0..run.len {
                    let x = x.offset(l as isize * run.step);
                    for (j, offset) in offsets.iter().enumerate() {
                        *to.add(l * p.width + j) = *x.offset(*offset);
                    }
                }
            } else {
                for l in 0..run.len {
                    across::<T, V>(x.offset(l as isize * run.step), pieces, to.add(l * p.width));
                }
            }
            to = to.add(run.len * p.width);
        }
    }
}

/// Pieces of columns that lie side by side: the first column, how many, and where.
fn in_pieces<'a>(
    offsets: &[isize],
    pieces: &'a mut [(usize, usize, isize); WIDEST],
) -> &'a [(usize, usize, isize)] {
    let mut count = 0;
    for (j, &at) in offsets.iter().enumerate() {
        match pieces[..count].last_mut() {
            Some((first, n, from)) if at == *from + (j - *first) as isize => *n += 1,
            _ => {
                pieces[count] = (j, 1, at);
                count += 1;
            }
        }
    }
    &pieces[..count]
}

/// One row of columns in pieces.
///
/// # Safety
/// As [`pack`].
#[inline(always)]
unsafe fn across<T: Real, V: Vector<T>>(x: *const T, pieces: &[(usize, usize, isize)], to: *mut T) {
    for &(first, n, from) in pieces {
        // SAFETY: the caller's promise.
        unsafe {
            let (x, to) = (x.offset(from), to.add(first));
            let mut j = 0;
            while j + V::LANES <= n {
                V::load(x.add(j)).store(to.add(j));
                j += V::LANES;
            }
            if j < n {
                V::load_first(x.add(j), n - j).store_first(to.add(j), n - j);
            }
        }
    }
}

/// Columns that lie apart, each contiguous, in squares.
///
/// # Safety
/// As [`pack`].
#[inline(always)]
unsafe fn down<T: Real, V: Vector<T>>(x: *const T, columns: &[isize], len: usize, to: *mut T, step: usize) {
    for (group, columns) in columns.chunks(V::SIDE).enumerate() {
        // SAFETY: the caller's promise; panels are as wide as whole squares, and what is written of missing columns is
        // read by nobody.
        unsafe {
            let to = to.add(group * V::SIDE);
            let mut from = [x.offset(columns[columns.len() - 1]); 8];
            for (from, at) in from.iter_mut().zip(columns) {
                *from = x.offset(*at);
            }
            let mut l = 0;
            while l < len {
                if l + V::SIDE > len {
                    if len < V::SIDE {
                        break;
                    }
                    // The last square covers some rows once more.
                    from.iter_mut().for_each(|from| *from = from.wrapping_sub(l + V::SIDE - len));
                    l = len - V::SIDE;
                }
                V::turn(&from, to.add(l * step), step);
                from.iter_mut().for_each(|from| *from = from.wrapping_add(V::SIDE));
                l += V::SIDE;
            }
            for l in l..len {
                for (j, from) in from[..columns.len()].iter().enumerate() {
                    *to.add(l * step + j) = *from.add(l);
                }
            }
        }
    }
}
