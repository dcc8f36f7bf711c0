//! Systems that are triangular, have too many equations, or too few.

use std::panic::Location;

use chainrule_tensor::{Error, keep};

use crate::error::ErrorKind;
use crate::var::Var;

/// How a triangular system is written: A x = b with A lower triangular, unless it says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Triangular {
    /// A is upper triangular.
    pub upper: bool,
    /// Aᵀ stands in the place of A.
    pub transposed: bool,
    /// The diagonal of A counts as ones and is not read.
    pub unit: bool,
    /// A stands on the right: x A = b.
    pub right: bool,
}

impl<'g> Var<'g> {
    /// The x with `self` · x = `b`, or what `how` makes of it, for triangular matrices (…, n, n), of which the other triangle
    /// is not read. The graph fails when it runs on a singular matrix.
    ///
    /// ```
    /// # use chainrule_graph::{Graph, Triangular};
    /// # use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// let (a, b) = (g.leaf("a", [[2.0, 0.0], [1.0, 4.0]]), g.leaf("b", [[3.0, 8.0]]));
    /// let x = a.solve_triangular(b, Triangular { right: true, ..Triangular::default() });
    /// assert_eq!(x.matmul(a).value()?, b.value()?);
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn solve_triangular(self, b: Var<'g>, how: Triangular) -> Var<'g> {
        let _here = self.graph.blame("solve_triangular", Location::caller());
        if let Some(refused) = self.graph.refused("solve_triangular", &[b]) {
            return refused;
        }
        let a = if how.unit {
            self.shaped(|own| {
                let n = crate::prim::solve::square("solve_triangular", &own)?;
                Ok(if how.upper { self.triu(1) } else { self.tril(-1) } + self.graph.eye([n, n], 0))
            })
        } else {
            self
        };
        // x A = b is Aᵀ xᵀ = bᵀ.
        let turned = how.transposed != how.right;
        let a = if turned { a.t() } else { a };
        let b = if how.right { b.t() } else { b };
        let x = if how.upper == turned { a.solve_lower(b) } else { a.solve_upper(b) };
        if how.right { x.t() } else { x }
    }

    /// The x for which ‖`self` · x − `b`‖ is least, for matrices (…, m, n) of full rank and right sides (…, m, k); where
    /// there are several (m < n), the one of least norm. The graph fails when it runs on a matrix whose rank is less:
    /// there, [`pinv`](Var::pinv) gives an answer.
    ///
    /// ```
    /// # use chainrule_graph::Graph;
    /// let g = Graph::new();
    /// // The line through (0, 1), (1, 3), (2, 5).
    /// let (a, b) = (g.leaf("a", [[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), g.leaf("b", [[1.0], [3.0], [5.0]]));
    /// let line = a.lstsq(b).flatten().value()?.to_vec::<f64>()?;
    /// assert!((line[0] - 1.0).abs() < 1e-14 && (line[1] - 2.0).abs() < 1e-14);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn lstsq(self, b: Var<'g>) -> Var<'g> {
        let _here = self.graph.blame("lstsq", Location::caller());
        if let Some(refused) = self.graph.refused("lstsq", &[b]) {
            return refused;
        }
        self.shaped(|own| {
            let right = b.shape();
            let ([.., m, n], [.., rows, _]) = (&own[..], &right[..]) else {
                return Err(Error::shape(
                    "lstsq",
                    [&own[..], &right[..]],
                    "needs matrices (…, m, n) and (…, m, k)",
                ));
            };
            if m != rows {
                return Err(Error::shape("lstsq", [&own[..], &right[..]], format!("{m} must equal {rows}")));
            }
            if m < n {
                let (q, r) = self.t().qr();
                return Ok(q.matmul(r.t().solve_lower(b)));
            }
            let (q, r) = self.qr();
            Ok(r.solve_upper(q.t().matmul(b)))
        })
    }

    /// The pseudoinverse (…, n, m) of each matrix (…, m, n): singular values not greater than `rcond` times the greatest
    /// count as 0. `max(m, n)` times 2⁻⁵² is a usual choice.
    ///
    /// Its derivatives, of every order, are those along which the rank stays as it is; where it does not, there are none.
    ///
    /// ```
    /// # use chainrule_graph::Graph;
    /// # use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// let p = g.leaf("a", [[2.0, 0.0], [0.0, 0.0]]).pinv(1e-15);
    /// assert_eq!(p.value()?, Tensor::from([[0.5, 0.0], [0.0, 0.0]]));
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn pinv(self, rcond: f64) -> Var<'g> {
        let _here = self.graph.blame("pinv", Location::caller());
        if rcond.is_nan() || rcond < 0.0 {
            let why = format!("rcond is {rcond}; it is 0 or greater");
            return self.fail(ErrorKind::Tensor(Error::Value { op: "pinv", why }));
        }
        let inverse = |a: &[Var<'g>]| {
            let (u, s, v) = a[0].svd();
            if s.is_poisoned() || s.dim(-1) == 0 {
                return v.matmul(u.t());
            }
            let counts = s.greater(s.max(keep(-1)) * rcond);
            let inverted = counts.select(1.0 / counts.select(s, 1.0), 0.0);
            (v * inverted.insert_axis(-2)).matmul(u.t())
        };
        // Golub and Pereyra 1973, with P for the pseudoinverse and T for the tangent of A:
        // −P T P + P Pᵀ Tᵀ (1 − A P) + (1 − P A) Tᵀ Pᵀ P.
        self.graph.custom_jvp("pinv", &[self], inverse, |a, p, t| {
            let (a, t) = (a[0], t[0]);
            let (left, right) = (p.matmul(p.t()).matmul(t.t()), t.t().matmul(p.t()).matmul(p));
            let left = left - left.matmul(a).matmul(p);
            let right = right - p.matmul(a.matmul(right));
            left + right - p.matmul(t).matmul(p)
        })
    }

    /// The singular values (…, k) of each matrix, descending; see [`svd`](Var::svd).
    #[track_caller]
    pub fn singular_values(self) -> Var<'g> {
        let _here = self.graph.blame("singular_values", Location::caller());
        self.svd().1
    }
}
