//! Orders along an axis: running sums and sorting.

use super::Plus;
use std::cmp::Ordering;

/// Running sums along the middle of three axes: `out[i] = x[0] + … + x[i]`, added in this order.
///
/// # Panics
/// If a buffer is shorter than `dims` say.
///
/// ```
/// let mut out = [0_i64; 4];
/// chainrule_tensor::kernels::order::cumsum(&[1, 2, 3, 4], [1, 2, 2], &mut out);
/// assert_eq!(out, [1, 2, 4, 6]);
/// ```
pub fn cumsum<E: Plus>(x: &[E], [outer, n, inner]: [usize; 3], out: &mut [E]) {
    let size = outer * n * inner;
    out[..size].copy_from_slice(&x[..size]);
    if inner == 0 || n == 0 {
        return;
    }
    for block in out[..size].chunks_exact_mut(n * inner) {
        for i in inner..n * inner {
            let before = block[i - inner];
            block[i] = before.plus(block[i]);
        }
    }
}

/// Whether the least or the greatest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// The least first.
    Ascending,
    /// The greatest first.
    Descending,
}

/// The positions that sort each row of `x` [rows, n]. Equal elements stay in their order; NaN counts as greater
/// than every number.
///
/// # Panics
/// If a buffer is shorter than `dims` say.
///
/// ```
/// use chainrule_tensor::kernels::order::{Order, argsort};
/// let mut out = [0; 3];
/// argsort(&[0.5, -1.0, 0.5], [1, 3], Order::Descending, &mut out);
/// assert_eq!(out, [0, 2, 1]);
/// ```
pub fn argsort<E: PartialOrd>(x: &[E], [rows, n]: [usize; 2], order: Order, out: &mut [i64]) {
    for row in 0..rows {
        let x = &x[row * n..(row + 1) * n];
        let out = &mut out[row * n..(row + 1) * n];
        out.iter_mut().zip(0..).for_each(|(out, i)| *out = i);
        // Positions break ties, which makes the order that of a stable sort, without its memory.
        out.sort_unstable_by(|&a, &b| {
            let by_value = compare(&x[a as usize], &x[b as usize]);
            let by_value = if order == Order::Ascending { by_value } else { by_value.reverse() };
            by_value.then(a.cmp(&b))
        });
    }
}

/// The order of numbers, with NaN above all.
fn compare<E: PartialOrd>(a: &E, b: &E) -> Ordering {
    let is_nan = |x: &E| x.partial_cmp(x).is_none();
    a.partial_cmp(b).unwrap_or_else(|| is_nan(a).cmp(&is_nan(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_sums_go_along_the_middle_axis() {
        let x: Vec<f64> = (1..=12).map(f64::from).collect();
        let mut out = vec![0.0; 12];
        cumsum(&x, [2, 3, 2], &mut out);
        assert_eq!(out, [1., 2., 4., 6., 9., 12., 7., 8., 16., 18., 27., 30.]);
        cumsum::<f64>(&[], [2, 0, 3], &mut []);
        cumsum::<f64>(&[], [2, 3, 0], &mut []);
    }

    #[test]
    fn nan_sorts_above_all_numbers_and_ties_keep_their_order() {
        let x = [f64::NAN, 1.0, f64::INFINITY, -0.0, 0.0, f64::NAN];
        let mut out = [0; 6];
        argsort(&x, [1, 6], Order::Ascending, &mut out);
        assert_eq!(out, [3, 4, 1, 2, 0, 5]);
        argsort(&x, [1, 6], Order::Descending, &mut out);
        assert_eq!(out, [0, 5, 2, 1, 3, 4]);
        argsort::<f64>(&[], [3, 0], Order::Ascending, &mut []);
    }
}
