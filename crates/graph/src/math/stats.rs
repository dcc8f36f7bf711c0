//! Means, variances, products, norms.

use std::panic::Location;

use chainrule_tensor::shape;

use crate::var::Var;

impl<'g> Var<'g> {
    /// Mean over `axes`, which disappear; over all axes if none is named. NaN over no elements.
    #[track_caller]
    pub fn mean(self, axes: &[isize]) -> Var<'g> {
        let _here = self.graph.blame("mean", Location::caller());
        let own = self.shape();
        self.try_record(shape::axes("mean", axes, &own), |named| {
            let n: usize = named.iter().map(|a| own[*a]).product();
            self.sum(axes) * (1.0 / n as f64)
        })
    }

    /// Variance over `axes` (divided by n), in two passes: first the mean, then the mean square of what is left.
    #[track_caller]
    pub fn var(self, axes: &[isize]) -> Var<'g> {
        let _here = self.graph.blame("var", Location::caller());
        (self - self.keep(axes, self.mean(axes))).square().mean(axes)
    }

    /// Product along `axis`, which disappears, as a tree of multiplications: derivatives of every order are
    /// right even where elements are 0.
    #[track_caller]
    pub fn prod(self, axis: isize) -> Var<'g> {
        let _here = self.graph.blame("prod", Location::caller());
        let own = self.shape();
        self.try_record(shape::axis("prod", axis, &own), |at| {
            if own[at] == 0 {
                return self.sum(&[axis]) + 1;
            }
            let mut factors = self;
            let mut n = own[at];
            while n > 1 {
                let half = n / 2;
                let pairs = factors.slice(axis, 0..half) * factors.slice(axis, half..2 * half);
                factors = if n.is_multiple_of(2) {
                    pairs
                } else {
                    self.graph.concat(&[pairs, factors.slice(axis, n - 1..n)], axis)
                };
                n = n.div_ceil(2);
            }
            factors.reshape_to(own.without(at))
        })
    }

    /// √Σx² over all elements: the Frobenius norm of a matrix. Not differentiable at 0 (the derivative is NaN).
    #[track_caller]
    pub fn norm(self) -> Var<'g> {
        let _here = self.graph.blame("norm", Location::caller());
        self.square().sum(&[]).sqrt()
    }
}
