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
    #[track_caller]
    pub fn norm(self) -> Var<'g> {
        let _here = self.graph.blame("norm", Location::caller());
        self.square().sum(..).sqrt()
    }
}
