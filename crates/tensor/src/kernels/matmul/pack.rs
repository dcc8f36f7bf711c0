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
    if p.count < p.width {
        out.fill(T::zero());
    }
    let first = p.columns.offset(p.at);
    if let Some(apart) = p.columns.stride()
        && apart != 1
    {
        // SAFETY: the caller's promise.
        return unsafe { evenly::<T, V>(x.wrapping_offset(first), apart, p, out.as_mut_ptr()) };
    }
    let mut offsets = [0; WIDEST];
    let mut pieces = [(0, 0, 0_isize); WIDEST];
    let offsets = &mut offsets[..p.count];
    let mut alone = false;
    let pieces = if p.columns.stride().is_some() {
        pieces[0] = (0, p.count, first);
        &pieces[..1]
    } else {
        for (j, offset) in offsets.iter_mut().enumerate() {
            *offset = p.columns.offset(p.at + j);
        }
        alone = offsets.windows(2).all(|pair| pair[1] - pair[0] != 1);
        if alone { &[] } else { in_pieces(offsets, &mut pieces) }
    };
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

/// Columns that lie evenly apart, the first one at `x`.
///
/// # Safety
/// As [`pack`].
#[inline(always)]
unsafe fn evenly<T: Real, V: Vector<T>>(x: *const T, apart: isize, p: Panel<'_>, mut to: *mut T) {
    for run in p.runs {
        let x = x.wrapping_offset(run.at);
        let squares = run.step == 1 && run.len >= V::SIDE;
        // SAFETY: the caller's promise; panels are as wide as whole squares.
        unsafe {
            for j in (0..p.count).step_by(if squares { V::SIDE } else { p.count }) {
                // What is written of missing columns is read by nobody.
                let column = |i: usize| x.wrapping_offset((j + i).min(p.count - 1) as isize * apart);
                let from: [*const T; 8] = std::array::from_fn(column);
                let mut l = if squares { 0 } else { run.len };
                while l < run.len {
                    // The last square covers some rows once more.
                    l = l.min(run.len - V::SIDE);
                    V::turn(&from.map(|x| x.wrapping_add(l)), to.add(l * p.width + j), p.width);
                    l += V::SIDE;
                }
            }
            let l = if squares { run.len } else { 0 };
            for l in l..run.len {
                for j in 0..p.count {
                    let from = x.wrapping_offset(j as isize * apart + l as isize * run.step);
                    *to.add(l * p.width + j) = *from;
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
