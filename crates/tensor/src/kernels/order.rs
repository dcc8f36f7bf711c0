//! Orders along an axis: running sums and sorting.

use std::cmp::Ordering;

use super::Additive;

/// Running sums along the middle of three axes: `out[i] = x[0] + … + x[i]`, added in this order. Integers wrap.
///
/// The sum under way is held in twice the precision, so its error is that of one rounding and does not grow with
/// the length; and a running sum of what is not negative never falls.
///
/// # Panics
/// If a buffer is shorter than `dims` say.
///
/// ```
/// let mut out = [0_i64; 4];
/// chainrule_tensor::kernels::order::cumsum(&[1, 2, 3, 4], [1, 2, 2], &mut out);
/// assert_eq!(out, [1, 2, 4, 6]);
/// ```
pub fn cumsum<E: Additive>(x: &[E], [outer, n, inner]: [usize; 3], out: &mut [E]) {
    /// Columns that go side by side.
    const WIDTH: usize = 64;
    let size = outer * n * inner;
    let (x, out) = (&x[..size], &mut out[..size]);
    for block in 0..outer {
        for column in (0..inner).step_by(WIDTH) {
            let mut sums = [E::NOTHING; WIDTH];
            let sums = &mut sums[..WIDTH.min(inner - column)];
            for row in 0..n {
                let at = (block * n + row) * inner + column;
                let (x, out) = (&x[at..][..sums.len()], &mut out[at..][..sums.len()]);
                for ((sum, x), out) in sums.iter_mut().zip(x).zip(out) {
                    *sum = E::run_on(*sum, *x);
                    *out = E::rounded(*sum);
                }
            }
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
    fn running_sums_of_any_length_are_right() {
        // Ones beyond 2²⁴, where one f32 stands still, in one column and in two.
        let n = (1 << 24) + 100;
        let mut out = vec![0.0_f32; n];
        cumsum(&vec![1.0; n], [1, n, 1], &mut out);
        assert_eq!(out[n - 1], n as f32);
        let mut out = vec![0.0_f32; 200_000];
        cumsum(&vec![0.001; 200_000], [1, 100_000, 2], &mut out);
        assert_eq!(out[199_998..], [(100_000.0 * f64::from(0.001_f32)) as f32; 2]);
        // Of tenths, whose sum a plain f64 misses by 1e-9.
        let mut out = vec![0.0_f64; 1_000_000];
        cumsum(&vec![0.1; 1_000_000], [1, 1_000_000, 1], &mut out);
        assert_eq!(out[999_999], 100_000.0);
    }

    #[test]
    fn running_sums_keep_signs_infinities_and_wrap() {
        let mut out = [1.0_f64; 4];
        cumsum(&[-0.0, f64::INFINITY, 1.0, f64::NEG_INFINITY], [1, 4, 1], &mut out);
        assert!(out[0].is_sign_negative() && out[1..3] == [f64::INFINITY; 2] && out[3].is_nan());
        let mut out = [1.0_f32; 2];
        cumsum(&[-0.0, f32::MAX], [1, 2, 1], &mut out);
        assert!(out[0].is_sign_negative() && out[1] == f32::MAX);
        let mut out = [0; 2];
        cumsum(&[i64::MAX, 2], [1, 2, 1], &mut out);
        assert_eq!(out, [i64::MAX, i64::MIN + 1]);
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
