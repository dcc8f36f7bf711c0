//! Means and variances.

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

    /// Variance over `axes` (see [`Axes`]), divided by n − `correction`: 1 for an estimate from a sample. Not finite where
    /// there are no more elements than that.
    #[doc(alias = "ddof")]
    #[doc(alias = "unbiased")]
    #[track_caller]
    pub fn var_corrected(self, axes: impl Into<Axes>, correction: usize) -> Var<'g> {
        let _here = self.graph.blame("var_corrected", Location::caller());
        let axes = axes.into();
        self.shaped(|own| {
            let n: usize = axes.of("var_corrected", &own)?.iter().map(|a| own[*a]).product();
            let left = n.saturating_sub(correction) as f64;
            Ok((self - self.mean(keep(&axes))).square().sum(axes) / left)
        })
    }

    /// Standard deviation over `axes` (see [`Axes`]): the root of [`var`](Var::var). Not differentiable where all elements
    /// are equal (the derivative is NaN).
    #[track_caller]
    pub fn std(self, axes: impl Into<Axes>) -> Var<'g> {
        let _here = self.graph.blame("std", Location::caller());
        self.var(axes).sqrt()
    }

    /// The root of [`var_corrected`](Var::var_corrected).
    #[track_caller]
    pub fn std_corrected(self, axes: impl Into<Axes>, correction: usize) -> Var<'g> {
        let _here = self.graph.blame("std_corrected", Location::caller());
        self.var_corrected(axes, correction).sqrt()
    }
}
