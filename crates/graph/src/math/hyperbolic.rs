//! Inverses of hyperbolic functions; sinh, cosh and tanh are primitives.

use std::f64::consts::LN_2;
use std::panic::Location;

use crate::var::Var;

impl<'g> Var<'g> {
    /// The inverse of [`sinh`](Var::sinh), accurate near 0 and for large negative x.
    #[track_caller]
    pub fn asinh(self) -> Var<'g> {
        let _here = self.graph.blame("asinh", Location::caller());
        let formula = |x: &[Var<'g>]| {
            let size = x[0].abs();
            let near = (size + size * (size / (1.0 + (size.square() + 1.0).sqrt()))).ln_1p();
            // Where the square would overflow, the 1 beside it is lost anyway.
            let y = size.less(1e9).select(near, size.ln() + LN_2);
            x[0].less(0.0).select(-y, y)
        };
        self.graph.custom_jvp("asinh", &[self], formula, |x, _, t| {
            let size = x[0].abs();
            let near = size.minimum(1e9).square() + 1.0;
            t[0] * size.less(1e9).select(near.rsqrt(), 1.0 / size.maximum(1e9))
        })
    }

    /// The inverse of [`cosh`](Var::cosh) on x ≥ 0; NaN below 1, and infinite derivative there.
    #[track_caller]
    pub fn acosh(self) -> Var<'g> {
        let _here = self.graph.blame("acosh", Location::caller());
        let formula = |x: &[Var<'g>]| {
            let beyond = x[0] - 1.0;
            let near = (beyond + beyond.sqrt() * (x[0] + 1.0).sqrt()).ln_1p();
            x[0].less(1e9).select(near, x[0].ln() + LN_2)
        };
        // The formula's own derivative is ∞ − ∞ at 1.
        self.graph.custom_jvp("acosh", &[self], formula, |x, _, t| {
            t[0] * (x[0] - 1.0).rsqrt() * (x[0] + 1.0).rsqrt()
        })
    }

    /// The inverse of [`tanh`](Var::tanh), accurate near 0; ±∞ at ±1, NaN beyond.
    #[track_caller]
    pub fn atanh(self) -> Var<'g> {
        let _here = self.graph.blame("atanh", Location::caller());
        0.5 * (self.ln_1p() - (-self).ln_1p())
    }
}
