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
        let cos = ((1.0 - self) * (1.0 + self)).sqrt();
        2.0 * (self / (1.0 + cos)).atan()
    }

    /// The inverse of [`cos`](Var::cos), in radians: 0 to π; NaN beyond ±1, and infinite derivative there.
    #[track_caller]
    pub fn acos(self) -> Var<'g> {
        let _here = self.graph.blame("acos", Location::caller());
        let negative = self.less(0.0);
        // Not abs: its derivative at 0 is 0.
        let x = negative.select(-self, self);
        let y = 2.0 * ((1.0 - x) / (1.0 + x)).sqrt().atan();
        negative.select(PI - y, y)
    }
}
