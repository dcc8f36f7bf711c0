//! Factorisations of batches of square matrices, by `nalgebra`, in f64 whatever the width of the operands.

use nalgebra::DMatrix;

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
    // There is nothing to find for no rows, and `nalgebra` does not take matrices without elements.
    let batch = if n == 0 { 0 } else { batch };
    for i in 0..batch {
        let a = matrix(&a[i * n * n..], n, n);
        let b = matrix(&b[i * n * k..], n, k);
        let a = if transposed { a.transpose() } else { a };
        let x = match (part, transposed) {
            (Part::All, _) => a.lu().solve(&b),
            (Part::Lower, false) | (Part::Upper, true) => a.solve_lower_triangular(&b),
            (Part::Upper, false) | (Part::Lower, true) => a.solve_upper_triangular(&b),
        };
        write(&x.ok_or(Singular(i))?, &mut out[i * n * k..]);
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
    let batch = if n == 0 { 0 } else { batch };
    for i in 0..batch {
        let factor = matrix(&a[i * n * n..], n, n).cholesky().ok_or(Singular(i))?;
        write(&factor.l(), &mut out[i * n * n..]);
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
        let lu = matrix(&a[i * n * n..], n, n).lu();
        let pivots = lu.u().diagonal();
        let turned = lu.p().determinant::<f64>();
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

fn matrix<T: Real>(rows: &[T], n: usize, k: usize) -> DMatrix<f64> {
    DMatrix::from_row_iterator(n, k, rows[..n * k].iter().map(|x| Real::to_f64(*x)))
}

fn write<T: Real>(matrix: &DMatrix<f64>, out: &mut [T]) {
    let rows = matrix.row_iter().flat_map(|row| row.iter().copied().collect::<Vec<_>>());
    out.iter_mut().zip(rows).for_each(|(out, x)| *out = T::from_f64(x));
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [f64; 9] = [4.0, 2.0, 0.5, 2.0, 5.0, 1.0, 0.5, 1.0, 3.0];

    fn product(a: &[f64], b: &[f64], n: usize) -> Vec<f64> {
        (matrix(a, n, n) * matrix(b, n, n)).transpose().iter().copied().collect()
    }

    fn close(a: &[f64], b: &[f64]) {
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-14), "{a:?} and {b:?}");
    }

    #[test]
    fn a_factor_times_its_transpose_is_the_matrix() {
        let mut l = [0.0; 9];
        cholesky(&A, [1, 3], &mut l).expect("positive definite");
        let transposed: Vec<f64> = matrix(&l, 3, 3).iter().copied().collect();
        close(&product(&l, &transposed, 3), &A);
        assert_eq!((l[1], l[2], l[5]), (0.0, 0.0, 0.0));
        let both: Vec<f64> = A.iter().chain(&[-1.0, 0., 0., 0., 1., 0., 0., 0., 1.]).copied().collect();
        assert_eq!(cholesky(&both, [2, 3], &mut [0.0; 18]), Err(Singular(1)));
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
