//! Hyperbolic functions and their inverses; tanh is a primitive.

use std::panic::Location;

use crate::var::Var;

impl<'g> Var<'g> {
    /// Hyperbolic sine, accurate near 0.
    #[track_caller]
    pub fn sinh(self) -> Var<'g> {
        let _here = self.graph.blame("sinh", Location::caller());
        // The two terms have the same sign, so nothing cancels.
        0.5 * (self.expm1() - (-self).expm1())
    }

    /// Hyperbolic cosine.
    #[track_caller]
    pub fn cosh(self) -> Var<'g> {
        let _here = self.graph.blame("cosh", Location::caller());
        0.5 * (self.exp() + (-self).exp())
    }

    /// The inverse of [`sinh`](Var::sinh), accurate near 0 and for large negative x.
    #[track_caller]
    pub fn asinh(self) -> Var<'g> {
        let _here = self.graph.blame("asinh", Location::caller());
        let negative = self.less(0.0);
        // Not abs: its derivative at 0 is 0, that of asinh is 1.
        let x = negative.select(-self, self);
        let root = (x.square() + 1.0).sqrt();
        let y = (x + x.square() / (1.0 + root)).ln_1p();
        negative.select(-y, y)
    }

    /// The inverse of [`cosh`](Var::cosh) on x ≥ 0; NaN below 1.
    #[track_caller]
    pub fn acosh(self) -> Var<'g> {
        let _here = self.graph.blame("acosh", Location::caller());
        let x = self - 1.0;
        (x + (x * (x + 2.0)).sqrt()).ln_1p()
    }

    /// The inverse of [`tanh`](Var::tanh), accurate near 0; ±∞ at ±1, NaN beyond.
    #[track_caller]
    pub fn atanh(self) -> Var<'g> {
        let _here = self.graph.blame("atanh", Location::caller());
        0.5 * (self.ln_1p() - (-self).ln_1p())
    }
}
