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
    // Length, source stride, destination stride; neighbours merged where both sides allow it.
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
    let at = (from.offset as isize, to.offset as isize);
    let Some((&inner, outer)) = axes.split_last() else {
        dst[at.1 as usize] = src[at.0 as usize];
        return;
    };
    // The axis whose neighbours lie together in the source, if that is not the inner one: a transposition.
    match outer.iter().rposition(|(_, s, _)| inner.1.abs() > 1 && s.abs() == 1) {
        Some(turned) => {
            let mut rest: SmallVec<[_; 4]> = outer.into();
            let turned = rest.remove(turned);
            each(&rest, at, |at| tiles(src, dst, at, turned, inner));
        }
        None => each(outer, at, |at| row(src, dst, at, inner)),
    }
}

/// An axis: its length, its stride in the source, its stride in the destination.
type Axis = (usize, isize, isize);

/// Calls `run` with the positions in source and destination at each index of `axes`, the last axis fastest.
#[inline(always)]
fn each(axes: &[Axis], mut at: (isize, isize), mut run: impl FnMut((isize, isize))) {
    let mut index: SmallVec<[usize; 4]> = SmallVec::from_elem(0, axes.len());
    loop {
        run(at);
        let mut axis = axes.len();
        loop {
            let Some(next) = axis.checked_sub(1) else { return };
            axis = next;
            let (n, s, d) = axes[axis];
            index[axis] += 1;
            at = (at.0 + s, at.1 + d);
            if index[axis] < n {
                break;
            }
            index[axis] = 0;
            at = (at.0 - s * n as isize, at.1 - d * n as isize);
        }
    }
}

/// Two axes in square tiles, so that a cache line of either side is used whole before it is lost.
#[inline(always)]
fn tiles<E: Copy>(src: &[E], dst: &mut [E], at: (isize, isize), outer: Axis, inner: Axis) {
    const TILE: usize = 8;
    let step =
        |at: (isize, isize), axis: Axis, i: usize| (at.0 + axis.1 * i as isize, at.1 + axis.2 * i as isize);
    for i in (0..outer.0).step_by(TILE) {
        for j in (0..inner.0).step_by(TILE) {
            let corner = step(step(at, outer, i), inner, j);
            let n = TILE.min(inner.0 - j);
            for k in 0..TILE.min(outer.0 - i) {
                row(src, dst, step(corner, outer, k), (n, inner.1, inner.2));
            }
        }
    }
}

#[inline(always)]
fn row<E: Copy>(src: &[E], dst: &mut [E], (mut s, mut d): (isize, isize), (n, step_s, step_d): Axis) {
    match (step_s, step_d) {
        (1, 1) => dst[d as usize..][..n].copy_from_slice(&src[s as usize..][..n]),
        (0, 1) => dst[d as usize..][..n].fill(src[s as usize]),
        (_, 1) => {
            for y in &mut dst[d as usize..][..n] {
                *y = src[s as usize];
                s += step_s;
            }
        }
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
            shape in prop::collection::vec(prop_oneof![0_usize..5, 17_usize..40], 0..4),
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
