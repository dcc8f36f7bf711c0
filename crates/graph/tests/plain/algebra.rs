//! Matrices: systems, factors and determinants by elimination; decompositions are those of the library, whose defining
//! equations are looked at.

use chainrule_graph::ErrorKind;
use chainrule_graph::plan::Call;
use chainrule_tensor::kernels::decompose::{Decomposition, decompose};
use chainrule_tensor::kernels::elementwise::Scalar;
use chainrule_tensor::kernels::linear_algebra::{Determinant, Part};

use super::real;

/// A matrix by rows.
type Rows = Vec<Vec<f64>>;

fn rows(x: &[Scalar], n: usize, k: usize) -> Rows {
    (0..n).map(|i| (0..k).map(|j| real(x[i * k + j])).collect()).collect()
}

fn flat(rows: Rows) -> impl Iterator<Item = Scalar> {
    rows.into_iter().flatten().map(Scalar::Real)
}

fn transposed(a: &Rows, columns: usize) -> Rows {
    (0..columns).map(|j| a.iter().map(|row| row[j]).collect()).collect()
}

fn product(a: &Rows, b: &Rows) -> Rows {
    let columns = b.first().map_or(0, Vec::len);
    let element = |row: &Vec<f64>, j: usize| row.iter().zip(b).map(|(x, b)| x * b[j]).sum();
    a.iter().map(|row| (0..columns).map(|j| element(row, j)).collect()).collect()
}

fn no_factor(op: &'static str) -> ErrorKind {
    ErrorKind::Value { op, why: "there is none".into() }
}

/// Gauss's elimination of [a | b], the greatest pivot first; what is left of both, and the sign of the exchanges.
fn eliminated(mut a: Rows, mut b: Rows) -> (Rows, Rows, f64) {
    let n = a.len();
    let mut sign = 1.0;
    for i in 0..n {
        let greatest = (i..n).max_by(|p, q| a[*p][i].abs().total_cmp(&a[*q][i].abs())).unwrap_or(i);
        if greatest != i {
            a.swap(i, greatest);
            b.swap(i, greatest);
            sign = -sign;
        }
        for r in i + 1..n {
            if a[i][i] == 0.0 {
                continue;
            }
            let factor = a[r][i] / a[i][i];
            let (pivot, beside) = (a[i].clone(), b[i].clone());
            a[r].iter_mut().zip(pivot).for_each(|(x, p)| *x -= factor * p);
            b[r].iter_mut().zip(beside).for_each(|(x, p)| *x -= factor * p);
        }
    }
    (a, b, sign)
}

fn solve(a: Rows, b: Rows) -> Result<Rows, ErrorKind> {
    let (a, mut x, _) = eliminated(a, b);
    for i in (0..a.len()).rev() {
        if a[i][i] == 0.0 {
            return Err(no_factor("solve"));
        }
        for j in 0..x[i].len() {
            let known: f64 = (i + 1..a.len()).map(|k| a[i][k] * x[k][j]).sum();
            x[i][j] = (x[i][j] - known) / a[i][i];
        }
    }
    Ok(x)
}

fn cholesky(a: &Rows) -> Result<Rows, ErrorKind> {
    let n = a.len();
    let mut l = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| l[i][k] * l[j][k]).sum();
            let rest = a[i][j] - known;
            match i == j {
                true if rest > 0.0 => l[i][i] = rest.sqrt(),
                true => return Err(no_factor("cholesky")),
                false => l[i][j] = rest / l[j][j],
            }
        }
    }
    Ok(l)
}

/// The outputs of a call that is one of these.
pub(super) fn carry_out(call: &Call, inputs: &[&[Scalar]]) -> Result<Vec<Vec<Scalar>>, ErrorKind> {
    let mut y: Vec<Scalar> = Vec::new();
    match call {
        Call::Solve { part, transposed: turned, dims: [batch, n, k] } => {
            for i in 0..*batch {
                let mut a = rows(&inputs[0][i * n * n..], *n, *n);
                for (r, row) in a.iter_mut().enumerate() {
                    for (c, x) in row.iter_mut().enumerate() {
                        let read = match part {
                            Part::All => true,
                            Part::Lower => c <= r,
                            Part::Upper => c >= r,
                        };
                        *x = if read { *x } else { 0.0 };
                    }
                }
                let a = if *turned { transposed(&a, *n) } else { a };
                y.extend(flat(solve(a, rows(&inputs[1][i * n * k..], *n, *k))?));
            }
        }
        Call::Cholesky { dims: [batch, n] } => {
            for i in 0..*batch {
                y.extend(flat(cholesky(&rows(&inputs[0][i * n * n..], *n, *n))?));
            }
        }
        Call::Determinant { what, dims: [batch, n] } => {
            for i in 0..*batch {
                let (a, _, sign) = eliminated(rows(&inputs[0][i * n * n..], *n, *n), vec![Vec::new(); *n]);
                let value: f64 = (0..*n).map(|i| a[i][i]).product::<f64>() * sign;
                y.push(Scalar::Real(match what {
                    Determinant::Value => value,
                    Determinant::Sign if value == 0.0 => 0.0,
                    Determinant::Sign => value.signum(),
                    Determinant::Log => value.abs().ln(),
                }));
            }
        }
        Call::Decompose { into, dims } => return Ok(factors(*into, inputs[0], *dims)),
        call => panic!("the plain executor has no {}", call.name()),
    }
    Ok(vec![y])
}

/// The library's factors, once their product is the matrix, and what is to be orthonormal is.
fn factors(into: Decomposition, a: &[Scalar], [batch, m, n]: [usize; 3]) -> Vec<Vec<Scalar>> {
    let lengths = match into {
        Decomposition::Eigen => vec![n, n * n],
        Decomposition::Singular => vec![m * m.min(n), m.min(n), n * m.min(n)],
        Decomposition::Orthogonal => vec![m * n, n * n],
    };
    let mut out: Vec<Vec<f64>> = lengths.iter().map(|len| vec![0.0; batch * len]).collect();
    let all: Vec<f64> = a.iter().map(|x| real(*x)).collect();
    let mut slices: Vec<&mut [f64]> = out.iter_mut().map(|x| &mut x[..]).collect();
    decompose(into, &all, [batch, m, n], &mut slices).expect("it has factors");
    for i in (0..batch).filter(|_| m * n > 0) {
        let factor = |f: usize, r: usize, c: usize| -> Rows {
            let of = &out[f][i * lengths[f]..];
            (0..r).map(|i| of[i * c..(i + 1) * c].to_vec()).collect()
        };
        let diagonal = |f: usize, k: usize| -> Rows {
            let d = &out[f][i * k..(i + 1) * k];
            (0..k).map(|r| (0..k).map(|c| if r == c { d[r] } else { 0.0 }).collect()).collect()
        };
        let mut matrix = rows(&a[i * m * n..], m, n);
        let k = m.min(n);
        let (made, orthonormal) = match into {
            Decomposition::Eigen => {
                let across = transposed(&matrix, n);
                for (row, other) in matrix.iter_mut().zip(across) {
                    row.iter_mut().zip(other).for_each(|(x, y)| *x = (*x + y) / 2.0);
                }
                let v = factor(1, n, n);
                (product(&product(&v, &diagonal(0, n)), &transposed(&v, n)), vec![(v, n)])
            }
            Decomposition::Singular => {
                let (u, v) = (factor(0, m, k), factor(2, n, k));
                (product(&product(&u, &diagonal(1, k)), &transposed(&v, k)), vec![(u, k), (v, k)])
            }
            Decomposition::Orthogonal => {
                let q = factor(0, m, n);
                (product(&q, &factor(1, n, n)), vec![(q, n)])
            }
        };
        let scale = matrix.iter().flatten().fold(1.0_f64, |most, x| most.max(x.abs()));
        close(&made, &matrix, 1e-12 * scale);
        for (q, k) in orthonormal {
            let unit = (0..k).map(|r| (0..k).map(|c| f64::from(u8::from(r == c))).collect()).collect();
            close(&product(&transposed(&q, k), &q), &unit, 1e-12);
        }
    }
    out.into_iter().map(|x| x.into_iter().map(Scalar::Real).collect()).collect()
}

fn close(a: &Rows, b: &Rows, tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().flatten().zip(b.iter().flatten()) {
        assert!((a - b).abs() <= tolerance, "{a} is not {b}");
    }
}
