//! Means, variances, norms.

use std::panic::Location;

use chainrule_tensor::{Axes, keep};

use crate::var::Var;

impl<'g> Var<'g> {
    /// Mean over `axes` (see [`Axes`]): the sum, divided once by the number of elements. NaN over no elements.
    #[track_caller]
    pub fn mean(self, axes: impl Into<Axes>) -> Var<'g> {
        let _here = self.graph.blame("mean", Location::caller());
        let axes = axes.into();
        self.shaped(|own| {
            let n: usize = axes.of("mean", &own)?.iter().map(|a| own[*a]).product();
            Ok(self.sum(axes) / n as f64)
        })
    }

    /// Variance over `axes` (see [`Axes`]; divided by n), in two passes: first the mean, then the mean square of what is left.
    #[track_caller]
    pub fn var(self, axes: impl Into<Axes>) -> Var<'g> {
        let _here = self.graph.blame("var", Location::caller());
        let axes = axes.into();
        (self - self.mean(keep(&axes))).square().mean(axes)
    }

    /// √Σx² over all elements: the Frobenius norm of a matrix. Not differentiable at 0 (the derivative is NaN).
    ///
    /// Where the squares might leave the range of floats, it is taken of x divided by its greatest element.
    #[track_caller]
    pub fn norm(self) -> Var<'g> {
        let _here = self.graph.blame("norm", Location::caller());
        if self.shape().size() == 0 {
            return self.square().sum(..).sqrt();
        }
        let greatest = self.abs().max(..).stop_gradient();
        let great = greatest.greater(1.0 / SAFE).select(greatest, 1.0);
        let unit = greatest.less(SAFE).select(greatest, great);
        // Of nothing but 0, and of infinities, it is what it is.
        let unit = unit.equal(0.0).select(1.0, unit);
        let unit = unit.equal(f64::INFINITY).select(1.0, unit);
        unit * (self / unit).square().sum(..).sqrt()
    }
}

/// Squares of numbers between this and its inverse, a million of them, are far from the ends of f32.
const SAFE: f64 = 1e-15;
