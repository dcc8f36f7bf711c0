//! Norms of vectors and of matrices.

use std::panic::Location;

use chainrule_tensor::{Axes, Error, keep};

use crate::var::Var;

/// A norm of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatrixNorm {
    /// √Σa²: of all elements.
    Frobenius,
    /// The greatest sum of magnitudes in a column: induced by the vectors' norm of order 1.
    One,
    /// The greatest sum of magnitudes in a row: induced by the vectors' norm of order ∞.
    Infinity,
    /// The greatest singular value: induced by the vectors' norm of order 2.
    Spectral,
    /// The sum of the singular values.
    Nuclear,
}

impl<'g> Var<'g> {
    /// √Σx² over all elements: the Frobenius norm of a matrix. Not differentiable at 0 (the derivative is NaN).
    ///
    /// Where the squares might leave the range of floats, it is taken of x divided by its greatest element.
    #[track_caller]
    pub fn norm(self) -> Var<'g> {
        let _here = self.graph.blame("norm", Location::caller());
        self.scaled(&(..).into(), |x, axes| x.square().sum(axes).sqrt())
    }

    /// (Σ|x|ᵖ)^(1/p) over `axes` (see [`Axes`]) for `p` > 0; max|x| for ∞, min|x| for −∞, and the number of elements that
    /// are not 0 for 0, which is no norm and has no derivative.
    ///
    /// Not differentiable where all elements are 0. Powers are taken of x divided by its greatest element where they
    /// might leave the range of floats.
    ///
    /// ```
    /// # use chainrule_graph::Graph;
    /// let g = Graph::new();
    /// let x = g.leaf("x", [3.0, -4.0]);
    /// assert_eq!(x.vector_norm(2.0, ..).value()?.item::<f64>()?, 5.0);
    /// assert_eq!(x.vector_norm(1.0, ..).value()?.item::<f64>()?, 7.0);
    /// assert_eq!(x.vector_norm(f64::INFINITY, ..).value()?.item::<f64>()?, 4.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn vector_norm(self, p: f64, axes: impl Into<Axes>) -> Var<'g> {
        let _here = self.graph.blame("vector_norm", Location::caller());
        let axes = axes.into();
        if p == f64::INFINITY {
            self.abs().max(axes)
        } else if p == f64::NEG_INFINITY {
            self.abs().min(axes)
        } else if p == 0.0 {
            self.not_equal(0).real().sum(axes)
        } else if p == 1.0 {
            self.abs().sum(axes)
        } else if p == 2.0 {
            self.scaled(&axes, |x, axes| x.square().sum(axes).sqrt())
        } else if p > 0.0 {
            self.scaled(&axes, |x, axes| x.abs().pow(p).sum(axes).pow(1.0 / p))
        } else {
            let why = format!("no norm has the order {p}; it is 0, greater, ∞ or −∞");
            self.fail(Error::Value { op: "vector_norm", why })
        }
    }

    /// The norm `which` of each matrix (…, m, n).
    #[track_caller]
    pub fn matrix_norm(self, which: MatrixNorm) -> Var<'g> {
        let _here = self.graph.blame("matrix_norm", Location::caller());
        self.shaped(|own| {
            if own.len() < 2 {
                return Err(Error::shape("matrix_norm", [&own[..]], "needs matrices (…, m, n)"));
            }
            Ok(match which {
                MatrixNorm::Frobenius => self.vector_norm(2.0, [-2, -1]),
                MatrixNorm::One => self.abs().sum(-2).max(-1),
                MatrixNorm::Infinity => self.abs().sum(-1).max(-1),
                MatrixNorm::Spectral => self.singular_values().max(-1),
                MatrixNorm::Nuclear => self.singular_values().sum(-1),
            })
        })
    }

    /// A `norm` over `axes`, homogeneous of degree 1, of x divided by its greatest element where powers might leave the
    /// range of floats.
    #[track_caller]
    fn scaled(self, axes: &Axes, norm: impl FnOnce(Var<'g>, Axes) -> Var<'g>) -> Var<'g> {
        self.shaped(|own| {
            let reduced = axes.of("norm", &own)?;
            if reduced.iter().any(|a| own[*a] == 0) {
                return Ok(norm(self, axes.clone()));
            }
            let greatest = self.abs().max(keep(axes)).stop_gradient();
            let great = greatest.greater(1.0 / SAFE).select(greatest, 1.0);
            let unit = greatest.less(SAFE).select(greatest, great);
            // Of nothing but 0, and of infinities, it is what it is.
            let unit = unit.equal(0.0).select(1.0, unit);
            let unit = unit.equal(f64::INFINITY).select(1.0, unit);
            let of_unit = norm(self / unit, axes.clone());
            Ok(unit.reshape_to(axes.left(&own, &reduced)) * of_unit)
        })
    }
}

/// Squares of numbers between this and its inverse, a million of them, are far from the ends of f32.
const SAFE: f64 = 1e-15;
