//! Eigenvalues, singular values and orthogonal factors of batches of matrices, by rotations (Jacobi) and reflections
//! (Householder), in f64 whatever the width of the operands.
//!
//! Jacobi's methods are slower than those by bidiagonal matrices, but short, and accurate for small singular values, too
//! (Demmel and Veselić 1992, "Jacobi's method is more accurate than QR").

use crate::Real;

/// Into what a matrix is decomposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decomposition {
    /// The symmetric part of a square one into eigenvalues (n,), ascending, and eigenvectors (n, n), one in each column.
    Eigen,
    /// U (m, k), singular values (k,), descending, and V (n, k), where k is the less of m and n: A = U diag(s) Vᵀ.
    Singular,
    /// Q (m, n) with orthonormal columns and the upper triangular R (n, n) without negative elements on its diagonal:
    /// A = Q R, for m ≥ n.
    Orthogonal,
}

/// Why a matrix was not decomposed, and its position in the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It has an element that is NaN or infinite.
    NotFinite(usize),
    /// Sixty rounds of rotations were not enough.
    NotConverged(usize),
}

/// Rounds of rotations; ten are many.
const ROUNDS: usize = 60;

/// The factors of each of `a` [batch, m, n], in the order that [`Decomposition`] lists them, into `out`.
///
/// # Errors
/// The first matrix that has none.
///
/// # Panics
/// If there are not as many buffers as factors, or one is shorter than `dims` say.
pub fn decompose<T: Real>(
    into: Decomposition,
    a: &[T],
    [batch, m, n]: [usize; 3],
    out: &mut [&mut [T]],
) -> Result<(), Failure> {
    // Factors of matrices without elements have none, however many or long these are.
    let batch = if a.is_empty() { 0 } else { batch };
    for i in 0..batch {
        let rows: Vec<f64> = a[i * m * n..(i + 1) * m * n].iter().map(|x| Real::to_f64(*x)).collect();
        if rows.iter().any(|x| !x.is_finite()) {
            return Err(Failure::NotFinite(i));
        }
        // A power of two, so that no digit is lost; what is near 1 leaves no range.
        let greatest = rows.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let unit = if greatest > 0.0 { greatest.log2().floor().clamp(-1000.0, 1000.0).exp2() } else { 1.0 };
        let a = Columns::of_rows(m, n, rows.iter().map(|x| x / unit));
        let factors = match into {
            Decomposition::Eigen => eigen(a).map(|(w, v)| [row(w, unit), v.rows(1.0), Vec::new()]),
            Decomposition::Singular => singular(a).map(|(u, s, v)| [u.rows(1.0), row(s, unit), v.rows(1.0)]),
            Decomposition::Orthogonal => {
                let (q, r) = orthogonal(a);
                Some([q.rows(1.0), r.rows(unit), Vec::new()])
            }
        };
        let factors = factors.ok_or(Failure::NotConverged(i))?;
        for (out, factor) in out.iter_mut().zip(&factors) {
            let out = out[i * factor.len()..].iter_mut();
            out.zip(factor).for_each(|(out, x)| *out = T::from_f64(*x));
        }
    }
    Ok(())
}

fn row(values: Vec<f64>, unit: f64) -> Vec<f64> {
    values.into_iter().map(|x| x * unit).collect()
}

/// A matrix, column by column.
#[derive(Clone)]
struct Columns {
    m: usize,
    columns: Vec<Vec<f64>>,
}

impl Columns {
    fn of_rows(m: usize, n: usize, rows: impl Iterator<Item = f64>) -> Self {
        let mut columns = vec![Vec::with_capacity(m); n];
        for (i, x) in rows.enumerate() {
            columns[i % n].push(x);
        }
        Columns { m, columns }
    }

    fn identity(m: usize, n: usize) -> Self {
        let unit = |j: usize| (0..m).map(|i| if i == j { 1.0 } else { 0.0 }).collect();
        Columns { m, columns: (0..n).map(unit).collect() }
    }

    fn transposed(&self) -> Self {
        let row = |i: usize| self.columns.iter().map(|c| c[i]).collect();
        Columns { m: self.columns.len(), columns: (0..self.m).map(row).collect() }
    }

    fn rows(&self, unit: f64) -> Vec<f64> {
        (0..self.m).flat_map(|i| self.columns.iter().map(move |c| c[i] * unit)).collect()
    }

    /// Columns p and q turned by the angle of cosine c and sine s.
    fn rotate(&mut self, p: usize, q: usize, c: f64, s: f64) {
        let (left, right) = self.columns.split_at_mut(q);
        for (x, y) in left[p].iter_mut().zip(&mut right[0]) {
            (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
        }
    }

    fn ordered(self, order: &[usize]) -> Self {
        Columns { m: self.m, columns: order.iter().map(|i| self.columns[*i].clone()).collect() }
    }
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// Cosine and sine of the angle, at most 45°, that turns [[p, between], [between, q]] to a diagonal.
fn angle(p: f64, q: f64, between: f64) -> (f64, f64) {
    let zeta = (q - p) / (2.0 * between);
    let tangent = 1.0_f64.copysign(zeta) / (zeta.abs() + zeta.hypot(1.0));
    let c = 1.0 / tangent.hypot(1.0);
    (c, c * tangent)
}

/// The sign that makes positive the first element that is at least half as great as the greatest: no rounding of two that
/// are alike changes it.
fn sign(column: &[f64]) -> f64 {
    let half = column.iter().fold(0.0_f64, |most, x| most.max(x.abs())) / 2.0;
    column.iter().find(|x| x.abs() >= half).map_or(1.0, |x| 1.0_f64.copysign(*x))
}

/// Eigenvalues and eigenvectors of the symmetric part of a matrix, or none if the rotations come to no end.
fn eigen(mut a: Columns) -> Option<(Vec<f64>, Columns)> {
    let n = a.m;
    for p in 0..n {
        for q in p + 1..n {
            let mean = 0.5 * a.columns[p][q] + 0.5 * a.columns[q][p];
            (a.columns[p][q], a.columns[q][p]) = (mean, mean);
        }
    }
    let mut v = Columns::identity(n, n);
    let norm = a.columns.iter().map(|c| dot(c, c)).sum::<f64>().sqrt();
    // Far below the rounding of the matrix's own elements.
    let small = norm * f64::EPSILON / 1024.0;
    for _ in 0..ROUNDS {
        let mut still = true;
        for p in 0..n {
            for q in p + 1..n {
                let between = a.columns[q][p];
                if between.abs() <= small {
                    continue;
                }
                still = false;
                let (app, aqq) = (a.columns[p][p], a.columns[q][q]);
                let (c, s) = angle(app, aqq, between);
                a.rotate(p, q, c, s);
                for column in &mut a.columns {
                    (column[p], column[q]) = (c * column[p] - s * column[q], s * column[p] + c * column[q]);
                }
                // The diagonal by its change, which is small, and 0 where it is meant to be.
                let change = s / c * between;
                (a.columns[p][p], a.columns[q][q]) = (app - change, aqq + change);
                (a.columns[p][q], a.columns[q][p]) = (0.0, 0.0);
                v.rotate(p, q, c, s);
            }
        }
        if still {
            let w: Vec<f64> = (0..n).map(|i| a.columns[i][i]).collect();
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by(|i, j| w[*i].total_cmp(&w[*j]));
            let mut v = v.ordered(&order);
            for column in &mut v.columns {
                let sign = sign(column);
                column.iter_mut().for_each(|x| *x *= sign);
            }
            return Some((order.iter().map(|i| w[*i]).collect(), v));
        }
    }
    None
}

/// U, singular values and V, or none if the rotations come to no end.
fn singular(a: Columns) -> Option<(Columns, Vec<f64>, Columns)> {
    let wide = a.m < a.columns.len();
    let (mut u, s, mut v) = one_sided(if wide { a.transposed() } else { a })?;
    if wide {
        std::mem::swap(&mut u, &mut v);
    }
    for (u, v) in u.columns.iter_mut().zip(&mut v.columns) {
        let sign = sign(v);
        u.iter_mut().chain(v).for_each(|x| *x *= sign);
    }
    Some((u, s, v))
}

/// As [`singular`], for m ≥ n: rotations from the right until all columns are orthogonal (Hestenes).
fn one_sided(mut a: Columns) -> Option<(Columns, Vec<f64>, Columns)> {
    let n = a.columns.len();
    let mut v = Columns::identity(n, n);
    let enough = f64::EPSILON * (a.m as f64).sqrt().max(2.0);
    for _ in 0..ROUNDS {
        let mut still = true;
        for p in 0..n {
            for q in p + 1..n {
                let (x, y) = (&a.columns[p], &a.columns[q]);
                let (xx, yy, xy) = (dot(x, x), dot(y, y), dot(x, y));
                if xy == 0.0 {
                    continue;
                }
                let (c, s) = angle(xx, yy, xy);
                // An angle that rounds to 0 turns nothing.
                if s == 0.0 || xy.abs() <= enough * xx.sqrt() * yy.sqrt() {
                    continue;
                }
                still = false;
                a.rotate(p, q, c, s);
                v.rotate(p, q, c, s);
            }
        }
        if still {
            return Some(sorted(a, v));
        }
    }
    None
}

fn sorted(a: Columns, v: Columns) -> (Columns, Vec<f64>, Columns) {
    let norms: Vec<f64> = a.columns.iter().map(|c| dot(c, c).sqrt()).collect();
    let mut order: Vec<usize> = (0..norms.len()).collect();
    order.sort_by(|i, j| norms[*j].total_cmp(&norms[*i]));
    let (mut u, v) = (a.ordered(&order), v.ordered(&order));
    let s: Vec<f64> = order.iter().map(|i| norms[*i]).collect();
    for (j, s) in s.iter().enumerate() {
        if *s > 0.0 {
            u.columns[j].iter_mut().for_each(|x| *x /= s);
        } else {
            u.columns[j] = beside(&u.columns[..j], u.m);
        }
    }
    (u, s, v)
}

/// A vector of length 1 that is orthogonal to `columns`, which are fewer than its elements.
fn beside(columns: &[Vec<f64>], m: usize) -> Vec<f64> {
    let mut best = (vec![0.0; m], 0.0);
    for i in 0..m {
        let mut x: Vec<f64> = (0..m).map(|j| if i == j { 1.0 } else { 0.0 }).collect();
        // Twice, since once leaves rounding errors.
        for column in columns.iter().chain(columns) {
            let along = dot(&x, column);
            x.iter_mut().zip(column).for_each(|(x, c)| *x -= along * c);
        }
        let norm = dot(&x, &x).sqrt();
        if norm > best.1 {
            best = (x, norm);
        }
    }
    best.0.into_iter().map(|x| x / best.1).collect()
}

/// Q and R of a matrix that has no more columns than rows.
fn orthogonal(mut a: Columns) -> (Columns, Columns) {
    let (m, n) = (a.m, a.columns.len());
    let mut mirrors: Vec<Vec<f64>> = Vec::new();
    for j in 0..n {
        let mut mirror = a.columns[j][j..].to_vec();
        let norm = dot(&mirror, &mirror).sqrt();
        if norm > 0.0 {
            mirror[0] += norm.copysign(mirror[0]);
            let length = dot(&mirror, &mirror).sqrt();
            mirror.iter_mut().for_each(|x| *x /= length);
            a.columns[j..].iter_mut().for_each(|c| reflect(&mirror, &mut c[j..]));
        } else {
            mirror.fill(0.0);
        }
        mirrors.push(mirror);
    }
    let mut q = Columns::identity(m, n);
    for (j, mirror) in mirrors.iter().enumerate().rev() {
        q.columns.iter_mut().for_each(|c| reflect(mirror, &mut c[j..]));
    }
    let signs: Vec<f64> = (0..n).map(|j| 1.0_f64.copysign(a.columns[j][j])).collect();
    for (c, sign) in q.columns.iter_mut().zip(&signs) {
        c.iter_mut().for_each(|x| *x *= sign);
    }
    let entry = |i: usize, j: usize| if i > j { 0.0 } else { a.columns[j][i] * signs[i] };
    let r = (0..n).map(|j| (0..n).map(|i| entry(i, j)).collect()).collect();
    (q, Columns { m: n, columns: r })
}

/// `x` mirrored at the plane that the `mirror`, of length 1, is normal to.
fn reflect(mirror: &[f64], x: &mut [f64]) {
    let along = 2.0 * dot(mirror, x);
    x.iter_mut().zip(mirror).for_each(|(x, c)| *x -= along * c);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in (−1, 1) that have no order.
    fn drawn(n: usize, seed: usize) -> Vec<f64> {
        (0..n).map(|i| ((i * 7919 + seed * 104_729 + 17) as f64 * 0.754_877).sin()).collect()
    }

    fn product(a: &[f64], b: &[f64], [m, k, n]: [usize; 3]) -> Vec<f64> {
        let at = |i: usize, j: usize| (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
        (0..m * n).map(|ij| at(ij / n, ij % n)).collect()
    }

    fn transposed(a: &[f64], m: usize, n: usize) -> Vec<f64> {
        (0..m * n).map(|ji| a[(ji % m) * n + ji / m]).collect()
    }

    fn close(a: &[f64], b: &[f64], scale: f64) {
        assert_eq!(a.len(), b.len());
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-14 * scale), "{a:?} and {b:?}");
    }

    fn orthonormal(u: &[f64], m: usize, k: usize) {
        close(&product(&transposed(u, m, k), u, [k, m, k]), &Columns::identity(k, k).rows(1.0), 1.0);
    }

    #[test]
    fn factors_are_orthonormal_and_give_the_matrix_back() {
        let shapes = [[1, 1], [2, 2], [3, 3], [5, 3], [3, 5], [8, 8], [20, 7], [4, 0], [0, 0]];
        for (seed, [m, n]) in shapes.into_iter().enumerate() {
            // Of full rank, of rank 1, of nothing but 0; great and small.
            for (kind, scale) in [(0, 1.0), (1, 1.0), (2, 1.0), (0, 1e300), (0, 1e-300)] {
                let (x, y) = (drawn(m, 3), drawn(n, 5));
                let a: Vec<f64> = match kind {
                    0 => drawn(m * n, seed).iter().map(|x| x * scale).collect(),
                    1 => (0..m * n).map(|i| x[i / n] * y[i % n]).collect(),
                    _ => vec![0.0; m * n],
                };
                let k = m.min(n);
                let (mut u, mut s, mut v) = (vec![0.0; m * k], vec![0.0; k], vec![0.0; n * k]);
                let out = &mut [&mut u[..], &mut s, &mut v];
                decompose(Decomposition::Singular, &a, [1, m, n], out).expect("converges");
                let us: Vec<f64> = u.iter().enumerate().map(|(i, x)| x * s[i % k]).collect();
                close(&product(&us, &transposed(&v, n, k), [m, k, n]), &a, scale * 4.0);
                assert!(s.windows(2).all(|s| s[0] >= s[1]), "{s:?}");
                orthonormal(&u, m, k);
                orthonormal(&v, n, k);
                if m >= n {
                    let (mut q, mut r) = (vec![0.0; m * n], vec![0.0; n * n]);
                    let out = &mut [&mut q[..], &mut r];
                    decompose(Decomposition::Orthogonal, &a, [1, m, n], out).expect("always");
                    close(&product(&q, &r, [m, n, n]), &a, scale * 4.0);
                    orthonormal(&q, m, n);
                }
                let both = product(&transposed(&a, m, n), &a, [n, m, n]);
                if n > 0 && both.iter().all(|x| x.is_finite()) {
                    let (mut w, mut v) = (vec![0.0; n], vec![0.0; n * n]);
                    let out = &mut [&mut w[..], &mut v];
                    decompose(Decomposition::Eigen, &both, [1, n, n], out).expect("converges");
                    orthonormal(&v, n, n);
                    let vw: Vec<f64> = v.iter().enumerate().map(|(i, x)| x * w[i % n]).collect();
                    close(&product(&vw, &transposed(&v, n, n), [n, n, n]), &both, scale * scale * 20.0);
                }
            }
        }
    }

    #[test]
    fn small_singular_values_keep_their_digits_and_what_is_not_finite_is_named() {
        // D times a well conditioned matrix: its singular values are determined to all digits, however small.
        let a = [1e-12, 2e-12, 1.0, -1.0];
        let (mut u, mut s, mut v) = ([0.0; 4], [0.0_f64; 2], [0.0; 4]);
        decompose(Decomposition::Singular, &a, [1, 2, 2], &mut [&mut u, &mut s, &mut v]).expect("converges");
        // Their product is the determinant's magnitude.
        assert!((s[0] * s[1] / 3e-12 - 1.0).abs() < 1e-15, "{s:?}");
        let nothing: &mut [&mut [f64]] = &mut [&mut [], &mut [], &mut []];
        for dims in [[1, usize::MAX, 0], [usize::MAX, 0, 3]] {
            assert_eq!(decompose(Decomposition::Singular, &[], dims, nothing), Ok(()));
        }
        let odd = [1.0, f64::NAN];
        let found = decompose(Decomposition::Eigen, &odd, [2, 1, 1], &mut [&mut [0.0; 2], &mut [0.0; 2]]);
        assert_eq!(found, Err(Failure::NotFinite(1)));
    }
}
