//! The tangent and the inverses of sine and cosine; sine, cosine and atan are primitives.

use std::f64::consts::PI;
use std::panic::Location;

use crate::var::Var;

impl<'g> Var<'g> {
    /// Tangent of x radians.
    #[track_caller]
    pub fn tan(self) -> Var<'g> {
        let _here = self.graph.blame("tan", Location::caller());
        self.sin() / self.cos()
    }

    /// The inverse of [`sin`](Var::sin), in radians: −π/2 to π/2; NaN beyond ±1, and infinite derivative there.
    #[track_caller]
    pub fn asin(self) -> Var<'g> {
        let _here = self.graph.blame("asin", Location::caller());
        let formula = |x: &[Var<'g>]| 2.0 * (x[0] / (1.0 + squared_leg(x[0]).sqrt())).atan();
        // The formula's own derivative is ∞ − ∞ at ±1.
        self.graph.custom_jvp("asin", &[self], formula, |x, _, t| t[0] * squared_leg(x[0]).rsqrt())
    }

    /// The inverse of [`cos`](Var::cos), in radians: 0 to π; NaN beyond ±1, and infinite derivative there.
    #[track_caller]
    pub fn acos(self) -> Var<'g> {
        let _here = self.graph.blame("acos", Location::caller());
        let formula = |x: &[Var<'g>]| {
            let size = x[0].abs();
            let y = 2.0 * ((1.0 - size) / (1.0 + size)).sqrt().atan();
            x[0].less(0.0).select(PI - y, y)
        };
        self.graph.custom_jvp("acos", &[self], formula, |x, _, t| -t[0] * squared_leg(x[0]).rsqrt())
    }
}

/// 1 − x²: near ±1 as a product, in which nothing cancels, and near 0 as it is, since there the derivatives of the product
/// would.
fn squared_leg(x: Var<'_>) -> Var<'_> {
    x.abs().less(0.5).select(1.0 - x.square(), (1.0 - x) * (1.0 + x))
}
