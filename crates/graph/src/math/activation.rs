//! Activation functions that are compositions; tanh, sigmoid and softplus are primitives.

use std::f64::consts::{FRAC_1_SQRT_2, PI};
use std::panic::Location;

use crate::var::Var;

impl<'g> Var<'g> {
    /// max(0, z). Derivative at 0: 1, that of the right side (lecture 3.8). NaN stays NaN.
    #[track_caller]
    pub fn relu(self) -> Var<'g> {
        let _here = self.graph.blame("relu", Location::caller());
        self.less(0.0).select(0.0, self)
    }

    /// max(`slope`·z, z); the notes use slope 0.01. Derivative at 0: 1, that of the right side (lecture 3.8).
    #[track_caller]
    pub fn leaky_relu(self, slope: f64) -> Var<'g> {
        let _here = self.graph.blame("leaky_relu", Location::caller());
        self.less(0.0).select(self * slope, self)
    }

    /// ELU: z, but `alpha`·(eᶻ − 1) below 0.
    #[track_caller]
    pub fn elu(self, alpha: f64) -> Var<'g> {
        let _here = self.graph.blame("elu", Location::caller());
        // The minimum keeps eᶻ finite where it is not taken: 0 · ∞ would be a NaN in the derivative.
        self.less(0.0).select(alpha * self.minimum(0.0).expm1(), self)
    }

    /// CELU: z, but `alpha`·(e^(z/`alpha`) − 1) below 0, so that the slope is 1 on both sides of 0.
    #[track_caller]
    pub fn celu(self, alpha: f64) -> Var<'g> {
        let _here = self.graph.blame("celu", Location::caller());
        alpha * (self * (1.0 / alpha)).elu(1.0)
    }

    /// SELU: a scaled ELU whose constants keep mean 0 and variance 1 from layer to layer.
    #[track_caller]
    pub fn selu(self) -> Var<'g> {
        let _here = self.graph.blame("selu", Location::caller());
        SELU_SCALE * self.elu(SELU_ALPHA)
    }

    /// GELU: z·Φ(z), with Φ the distribution function of the standard normal.
    #[track_caller]
    pub fn gelu(self) -> Var<'g> {
        let _here = self.graph.blame("gelu", Location::caller());
        0.5 * self * (self * -FRAC_1_SQRT_2).erfc()
    }

    /// The approximation of [`gelu`](Var::gelu) by tanh that some published models were trained with.
    #[track_caller]
    pub fn gelu_tanh(self) -> Var<'g> {
        let _here = self.graph.blame("gelu_tanh", Location::caller());
        let inner = (2.0 / PI).sqrt() * (self + 0.044715 * self * self * self);
        // ½(1 + tanh v) = σ(2v), in which nothing cancels.
        self * (2.0 * inner).sigmoid()
    }

    /// SiLU, also called swish: z·σ(z).
    #[track_caller]
    pub fn silu(self) -> Var<'g> {
        let _here = self.graph.blame("silu", Location::caller());
        self * self.sigmoid()
    }

    /// Mish: z·tanh(softplus(z)).
    #[track_caller]
    pub fn mish(self) -> Var<'g> {
        let _here = self.graph.blame("mish", Location::caller());
        self * self.softplus().tanh()
    }

    /// z/(1 + |z|).
    #[track_caller]
    pub fn softsign(self) -> Var<'g> {
        let _here = self.graph.blame("softsign", Location::caller());
        // The quotient's own derivative is 1 less |z|/(1 + |z|).
        let formula = |x: &[Var<'g>]| x[0] / (1.0 + x[0].abs());
        self.graph.custom_jvp("softsign", &[self], formula, |x, _, t| t[0] / (1.0 + x[0].abs()).square())
    }

    /// A line in place of σ: `slope`·z + `offset`, kept between 0 and 1.
    #[track_caller]
    pub fn hard_sigmoid(self, slope: f64, offset: f64) -> Var<'g> {
        let _here = self.graph.blame("hard_sigmoid", Location::caller());
        (self * slope + offset).clip(0.0..=1.0)
    }

    /// z times the hard sigmoid of slope 1/6 and offset 1/2.
    #[track_caller]
    pub fn hard_swish(self) -> Var<'g> {
        let _here = self.graph.blame("hard_swish", Location::caller());
        self * self.hard_sigmoid(1.0 / 6.0, 0.5)
    }
}

/// With these two, mean 0 and variance 1 are a fixed point of a layer with SELU (Klambauer et al., 2017).
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
