//! Means, variances, norms.

use std::panic::Location;

use chainrule_tensor::shape;

use crate::var::Var;

impl<'g> Var<'g> {
    /// Mean over `axes`, which disappear; over all axes if none is named: the sum, divided once by the number of elements.
    /// NaN over none.
    #[track_caller]
    pub fn mean(self, axes: &[isize]) -> Var<'g> {
        let _here = self.graph.blame("mean", Location::caller());
        self.shaped(|own| {
            let n: usize = shape::axes("mean", axes, &own)?.iter().map(|a| own[*a]).product();
            Ok(self.sum(axes) / n as f64)
        })
    }

    /// Variance over `axes` (divided by n), in two passes: first the mean, then the mean square of what is left.
    #[track_caller]
    pub fn var(self, axes: &[isize]) -> Var<'g> {
        let _here = self.graph.blame("var", Location::caller());
        (self - self.keep(axes, self.mean(axes))).square().mean(axes)
    }

    /// √Σx² over all elements: the Frobenius norm of a matrix. Not differentiable at 0 (the derivative is NaN).
    #[track_caller]
    pub fn norm(self) -> Var<'g> {
        let _here = self.graph.blame("norm", Location::caller());
        self.square().sum(&[]).sqrt()
    }
}
