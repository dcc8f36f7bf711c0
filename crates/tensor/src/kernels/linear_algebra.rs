//! Linear systems, Cholesky factors and determinants of batches of square matrices, in f64 whatever the width of the operands.
//!
//! Matrices are kept by rows, and all work is rows less multiples of other rows, which the compiler turns into vectors.

use crate::Real;

/// Which part of a matrix is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// All of it.
    All,
    /// The diagonal and what is below.
    Lower,
    /// The diagonal and what is above.
    Upper,
}

/// Position in its batch of a matrix that has no such factorisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Singular(pub usize);

/// The solution x of `a` x = `b`, or of `a`ᵀ x = `b`, for a batch of `a` [batch, n, n] and `b` [batch, n, k].
///
/// # Errors
/// The first matrix that cannot be inverted.
///
/// # Panics
/// If a buffer is shorter than `dims` say.
pub fn solve<T: Real>(
    part: Part,
    transposed: bool,
    a: &[T],
    b: &[T],
    [batch, n, k]: [usize; 3],
    out: &mut [T],
) -> Result<(), Singular> {
    for i in 0..if n == 0 { 0 } else { batch } {
        let mut a = numbers(&a[i * n * n..][..n * n]);
        let mut x = numbers(&b[i * n * k..][..n * k]);
        if transposed {
            a = (0..n * n).map(|at| a[at % n * n + at / n]).collect();
        }
        if part == Part::All {
            let order = factor(&mut a, n).0;
            x = order.iter().flat_map(|row| x[row * k..][..k].iter().copied()).collect();
        }
        let diagonal = |row: usize| a[row * n + row];
        if (0..n).any(|row| diagonal(row) == 0.0) {
            return Err(Singular(i));
        }
        let upper = match part {
            Part::All => false,
            Part::Lower => transposed,
            Part::Upper => !transposed,
        };
        if !upper {
            for row in 0..n {
                for other in 0..row {
                    less(&mut x, k, [row, other], 0, a[row * n + other]);
                }
                if part != Part::All {
                    x[row * k..][..k].iter_mut().for_each(|x| *x /= diagonal(row));
                }
            }
        }
        if upper || part == Part::All {
            for row in (0..n).rev() {
                for other in row + 1..n {
                    less(&mut x, k, [row, other], 0, a[row * n + other]);
                }
                x[row * k..][..k].iter_mut().for_each(|x| *x /= diagonal(row));
            }
        }
        write(&x, &mut out[i * n * k..]);
    }
    Ok(())
}

/// The lower triangular L with L Lᵀ = `a`, for a batch of symmetric `a` [batch, n, n]; the part above the diagonal
/// is not read.
///
/// # Errors
/// The first matrix that is not positive definite.
///
/// # Panics
/// If a buffer is shorter than `dims` say.
pub fn cholesky<T: Real>(a: &[T], [batch, n]: [usize; 2], out: &mut [T]) -> Result<(), Singular> {
    for i in 0..if n == 0 { 0 } else { batch } {
        let a = numbers(&a[i * n * n..][..n * n]);
        // Lᵀ, by rows.
        let mut u: Vec<f64> =
            (0..n * n).map(|at| if at % n >= at / n { a[at % n * n + at / n] } else { 0.0 }).collect();
        for row in 0..n {
            let pivot = u[row * n + row];
            if pivot.is_nan() || pivot <= 0.0 {
                return Err(Singular(i));
            }
            u[row * n + row..][..n - row].iter_mut().for_each(|x| *x /= pivot.sqrt());
            for below in row + 1..n {
                let factor = u[row * n + below];
                less(&mut u, n, [below, row], below, factor);
            }
        }
        let l: Vec<f64> = (0..n * n).map(|at| u[at % n * n + at / n]).collect();
        write(&l, &mut out[i * n * n..]);
    }
    Ok(())
}

/// What is asked of a determinant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Determinant {
    /// The determinant itself.
    Value,
    /// Its sign: 0 if it is 0.
    Sign,
    /// The logarithm of its magnitude: −∞ if it is 0.
    Log,
}

/// `what` of the determinant of each of `a` [batch, n, n].
///
/// # Panics
/// If a buffer is shorter than `dims` say.
pub fn determinant<T: Real>(what: Determinant, a: &[T], [batch, n]: [usize; 2], out: &mut [T]) {
    for (i, out) in out[..batch].iter_mut().enumerate() {
        if n == 0 {
            // The determinant of no rows is the empty product.
            *out = T::from_f64(if what == Determinant::Log { 0.0 } else { 1.0 });
            continue;
        }
        let mut lu = numbers(&a[i * n * n..][..n * n]);
        let turned = factor(&mut lu, n).1;
        let pivots: Vec<f64> = lu.into_iter().step_by(n + 1).collect();
        let value = match what {
            Determinant::Value => turned * product(pivots.iter().copied()),
            Determinant::Sign => {
                pivots.iter().fold(turned, |s, p| s * if *p == 0.0 { 0.0 } else { p.signum() })
            }
            Determinant::Log => pivots.iter().map(|p| p.abs().ln()).sum::<f64>(),
        };
        *out = T::from_f64(value);
    }
}

/// The product, which is in range where it fits though its parts may not be.
fn product(factors: impl Iterator<Item = f64>) -> f64 {
    const GREAT: f64 = 1.340_780_792_994_259_7e154; // 2^512
    let scaled = |x: f64| match x.abs() {
        size if size >= GREAT && size.is_finite() => (x / GREAT, 1),
        size if size <= 1.0 / GREAT && size > 0.0 => (x * GREAT, -1),
        _ => (x, 0),
    };
    let (value, scale) = factors.fold((1.0, 0_i32), |(value, scale), factor| {
        let ((factor, of_factor), (value, of_value)) = (scaled(factor), scaled(value));
        (value * factor, scale + of_factor + of_value)
    });
    let step = if scale < 0 { 1.0 / GREAT } else { GREAT };
    // Three steps take any number out of the range.
    (0..scale.abs().min(4)).fold(value, |value, _| value * step)
}

/// Puts U in place of a matrix, and below its diagonal L, whose own is of ones; the order of the rows, and the sign of that
/// order. The pivot is the greatest number of its column.
fn factor(a: &mut [f64], n: usize) -> (Vec<usize>, f64) {
    let (mut order, mut sign): (Vec<usize>, _) = ((0..n).collect(), 1.0);
    for row in 0..n {
        let greater = |best: usize, other: usize| {
            if a[other * n + row].abs() > a[best * n + row].abs() { other } else { best }
        };
        let pivot = (row + 1..n).fold(row, greater);
        if pivot != row {
            let (above, below) = a.split_at_mut(pivot * n);
            above[row * n..][..n].swap_with_slice(&mut below[..n]);
            order.swap(row, pivot);
            sign = -sign;
        }
        let pivot = a[row * n + row];
        if pivot == 0.0 {
            continue;
        }
        for below in row + 1..n {
            let factor = a[below * n + row] / pivot;
            less(a, n, [below, row], row + 1, factor);
            a[below * n + row] = factor;
        }
    }
    (order, sign)
}

/// Row `to` less `factor` times row `of`, from column `first` on.
fn less(rows: &mut [f64], width: usize, [to, of]: [usize; 2], first: usize, factor: f64) {
    let (above, below) = rows.split_at_mut(to.max(of) * width);
    let (upper, lower) = (&mut above[to.min(of) * width..][..width], &mut below[..width]);
    let (to, of) = if to > of { (lower, upper) } else { (upper, lower) };
    to[first..].iter_mut().zip(&of[first..]).for_each(|(x, y)| *x -= factor * y);
}

fn numbers<T: Real>(x: &[T]) -> Vec<f64> {
    x.iter().map(|x| Real::to_f64(*x)).collect()
}

fn write<T: Real>(x: &[f64], out: &mut [T]) {
    out.iter_mut().zip(x).for_each(|(out, x)| *out = T::from_f64(*x));
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [f64; 9] = [4.0, 2.0, 0.5, 2.0, 5.0, 1.0, 0.5, 1.0, 3.0];

    fn product(a: &[f64], b: &[f64], n: usize) -> Vec<f64> {
        let element = |at: usize| (0..n).map(|l| a[at / n * n + l] * b[l * n + at % n]).sum();
        (0..n * n).map(element).collect()
    }

    fn close(a: &[f64], b: &[f64]) {
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-14), "{a:?} and {b:?}");
    }

    #[test]
    fn a_factor_times_its_transpose_is_the_matrix() {
        let mut l = [0.0; 9];
        cholesky(&A, [1, 3], &mut l).expect("positive definite");
        let transposed: Vec<f64> = (0..9).map(|at| l[at % 3 * 3 + at / 3]).collect();
        close(&product(&l, &transposed, 3), &A);
        assert_eq!((l[1], l[2], l[5]), (0.0, 0.0, 0.0));
        let both: Vec<f64> = A.iter().chain(&[-1.0, 0., 0., 0., 1., 0., 0., 0., 1.]).copied().collect();
        assert_eq!(cholesky(&both, [2, 3], &mut [0.0; 18]), Err(Singular(1)));
    }

    #[test]
    fn large_systems_have_small_residuals_whatever_the_order_of_their_rows() {
        let (n, k) = (60, 3);
        let mut bits = 7_u64;
        let mut draw = || {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        };
        let a: Vec<f64> = (0..n * n).map(|_| draw()).collect();
        let b: Vec<f64> = (0..n * k).map(|_| draw()).collect();
        for transposed in [false, true] {
            let mut x = vec![0.0; n * k];
            solve(Part::All, transposed, &a, &b, [1, n, k], &mut x).expect("not singular");
            for (i, b) in b.iter().enumerate() {
                let at = |l: usize| if transposed { a[l * n + i / k] } else { a[i / k * n + l] };
                let found: f64 = (0..n).map(|l| at(l) * x[l * k + i % k]).sum();
                assert!((found - b).abs() < 1e-11, "{found} is not {b}");
            }
        }
    }

    #[test]
    fn every_size_may_be_0() {
        for (batch, n, k) in (0..8).map(|i| (i & 2, (i << 1) & 2, (i >> 1) & 2)) {
            let a = [1.0, 0.0, 0.0, 1.0].repeat(batch)[..batch * n * n].to_vec();
            let b = vec![3.0; batch * n * k];
            for part in [Part::All, Part::Lower, Part::Upper] {
                for transposed in [false, true] {
                    let mut x = vec![0.0; b.len()];
                    assert_eq!(solve(part, transposed, &a, &b, [batch, n, k], &mut x), Ok(()));
                    assert_eq!(x, b);
                }
            }
            let mut l = vec![0.0; a.len()];
            assert_eq!(cholesky(&a, [batch, n], &mut l), Ok(()));
            assert_eq!(l, a);
            let mut det = vec![f64::NAN; batch];
            determinant(Determinant::Sign, &a, [batch, n], &mut det);
            assert_eq!(det, vec![1.0; batch]);
        }
    }

    #[test]
    fn solutions_solve_and_determinants_have_their_sign() {
        let eye = [1.0, 0., 0., 0., 1., 0., 0., 0., 1.];
        for part in [Part::All, Part::Lower, Part::Upper] {
            for transposed in [false, true] {
                let mut x = [0.0; 9];
                solve(part, transposed, &A, &eye, [1, 3, 3], &mut x).expect("not singular");
                let read = |i: usize, j: usize| match part {
                    Part::Lower if j > i => 0.0,
                    Part::Upper if j < i => 0.0,
                    _ => A[3 * i + j],
                };
                let at = |k: usize| if transposed { read(k % 3, k / 3) } else { read(k / 3, k % 3) };
                let a: Vec<f64> = (0..9).map(at).collect();
                close(&product(&a, &x, 3), &eye);
            }
        }
        assert_eq!(
            solve(Part::All, false, &[0.0; 4], &[1.0, 1.0], [1, 2, 1], &mut [0.0; 2]),
            Err(Singular(0))
        );
        let (mut sign, mut log, mut value) = ([0.0; 3], [0.0; 3], [0.0; 3]);
        let three = [0.0, 2.0, 1.0, 0.0, 3.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0];
        determinant(Determinant::Sign, &three, [3, 2], &mut sign);
        determinant(Determinant::Value, &three, [3, 2], &mut value);
        close(&value, &[-2.0, 2.0, 0.0]);
        let extreme = [1e200, 0.0, 0.0, 0.0, 1e200, 0.0, 0.0, 0.0, 1e-300];
        determinant(Determinant::Value, &extreme, [1, 3], &mut value);
        assert!((value[0] / 1e100 - 1.0).abs() < 1e-15);
        determinant(Determinant::Log, &three, [3, 2], &mut log);
        assert_eq!(sign, [-1.0, 1.0, 0.0]);
        close(&log[..2], &[2_f64.ln(), 2_f64.ln()]);
        assert_eq!(log[2], f64::NEG_INFINITY);
    }
}
