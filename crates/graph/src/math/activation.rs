//! Activation functions that are compositions; tanh, sigmoid and softplus are primitives.

use std::panic::Location;

use crate::var::Var;

impl<'g> Var<'g> {
    /// max(0, z). Derivative at 0: 1, that of the right side (lecture 3.8). NaN stays NaN.
    #[track_caller]
    pub fn relu(self) -> Var<'g> {
        let _here = self.graph.blame(Location::caller());
        self.less(0.0).select(0.0, self)
    }

    /// max(`slope`·z, z); the notes use slope 0.01. Derivative at 0: 1, that of the right side (lecture 3.8).
    #[track_caller]
    pub fn leaky_relu(self, slope: f64) -> Var<'g> {
        let _here = self.graph.blame(Location::caller());
        self.less(0.0).select(self * slope, self)
    }
}
