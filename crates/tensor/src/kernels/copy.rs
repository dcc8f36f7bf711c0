//! Strided copies: joined, padded and rearranged values.

use smallvec::SmallVec;

use crate::Layout;

/// Copies the elements of `src` that lie as `from` says to where `to` says in `dst`; both have one shape.
///
/// # Panics
/// If the shapes differ, or a buffer is too short for its layout.
///
/// ```
/// use chainrule_tensor::{Layout, kernels::copy::copy};
/// let turned = Layout::contiguous([2, 3]).permute(&[1, 0]);
/// let mut out = [0; 6];
/// copy(&[1, 2, 3, 4, 5, 6], &turned, &mut out, &Layout::contiguous([3, 2]));
/// assert_eq!(out, [1, 4, 2, 5, 3, 6]);
/// ```
pub fn copy<E: Copy>(src: &[E], from: &Layout, dst: &mut [E], to: &Layout) {
    assert!(from.shape == to.shape, "a copy from shape {} to {}", from.shape, to.shape);
    if from.shape.size() == 0 {
        return;
    }
    // Neighbours are merged where both sides allow it.
    let mut axes: SmallVec<[Axis; 4]> = SmallVec::new();
    for (i, &n) in from.shape.iter().enumerate() {
        let (s, d) = (from.strides[i], to.strides[i]);
        match axes.last_mut() {
            _ if n == 1 => {}
            Some((m, sm, dm)) if *sm == s * n as isize && *dm == d * n as isize => {
                (*m, *sm, *dm) = (*m * n, s, d);
            }
            _ => axes.push((n, s, d)),
        }
    }
    let (s, d) = (from.offset as isize, to.offset as isize);
    let turned = axes.last().is_some_and(|(_, s, _)| s.unsigned_abs() > 1);
    if let (true, Some(row)) = (turned, axes.iter().position(|(_, s, _)| s.unsigned_abs() == 1)) {
        // A transposed source: copied tile by tile, so that each line of it that the cache holds is used up.
        let row = axes.remove(row);
        let column = axes.pop().unwrap_or((1, 0, 0));
        return each(&axes, s, d, |s, d| turn(src, s, dst, d, row, column));
    }
    let Some((inner, outer)) = axes.split_last() else {
        dst[d as usize] = src[s as usize];
        return;
    };
    each(outer, s, d, |s, d| row(src, s, dst, d, *inner));
}

/// Length, source stride, destination stride.
type Axis = (usize, isize, isize);

/// Calls `visit` with the two positions at each index of `axes`, the last axis fastest. No axis is empty.
fn each(axes: &[Axis], mut s: isize, mut d: isize, mut visit: impl FnMut(isize, isize)) {
    let mut index: SmallVec<[usize; 4]> = SmallVec::from_elem(0, axes.len());
    loop {
        visit(s, d);
        let mut axis = axes.len();
        loop {
            let Some(next) = axis.checked_sub(1) else { return };
            axis = next;
            let (m, step_s, step_d) = axes[axis];
            index[axis] += 1;
            (s, d) = (s + step_s, d + step_d);
            if index[axis] < m {
                break;
            }
            index[axis] = 0;
            (s, d) = (s - step_s * m as isize, d - step_d * m as isize);
        }
    }
}

/// Copies a plane in tiles.
fn turn<E: Copy>(src: &[E], s: isize, dst: &mut [E], d: isize, rows: Axis, columns: Axis) {
    // Eight lines of the source: where its rows are a power of two apart, the nearest cache holds no more of them.
    const TILE: usize = 8;
    for i in (0..rows.0).step_by(TILE) {
        for j in (0..columns.0).step_by(TILE) {
            for i in i..(i + TILE).min(rows.0) {
                let at = |(_, step_s, step_d): Axis, i: usize| (i as isize * step_s, i as isize * step_d);
                let ((row_s, row_d), (column_s, column_d)) = (at(rows, i), at(columns, j));
                let n = TILE.min(columns.0 - j);
                row(src, s + row_s + column_s, dst, d + row_d + column_d, (n, columns.1, columns.2));
            }
        }
    }
}

#[inline(always)]
fn row<E: Copy>(src: &[E], mut s: isize, dst: &mut [E], mut d: isize, (n, step_s, step_d): Axis) {
    match (step_s, step_d) {
        (1, 1) => dst[d as usize..][..n].copy_from_slice(&src[s as usize..][..n]),
        (0, 1) => dst[d as usize..][..n].fill(src[s as usize]),
        _ => {
            for _ in 0..n {
                dst[d as usize] = src[s as usize];
                (s, d) = (s + step_s, d + step_d);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_element_arrives(
            shape in prop::collection::vec(prop_oneof![0_usize..5, 15_usize..40], 0..4),
            flip: bool, turn: bool,
        ) {
            let whole = Layout::contiguous(shape.clone());
            let n = whole.shape.size();
            let order: Vec<usize> = if turn { (0..shape.len()).rev().collect() } else { (0..shape.len()).collect() };
            let mut from = whole.permute(&order);
            if flip && !shape.is_empty() {
                from = from.slice(0, from.shape[0].saturating_sub(1), from.shape[0], -1);
            }
            let src: Vec<usize> = (0..n).collect();
            let to = Layout::contiguous(from.shape.clone());
            let mut there = vec![usize::MAX; n];
            copy(&src, &from, &mut there, &to);
            let mut back = vec![usize::MAX; n];
            copy(&there, &to, &mut back, &from);
            prop_assert_eq!(src, back);
        }
    }
}
