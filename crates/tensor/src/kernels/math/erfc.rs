//! The complement of the error function, with its leading digits however small it is.

use super::{Math, clamp, erf, exp, polynomial};

/// The coefficients for one float type, highest power first.
pub struct Erfc<T: 'static> {
    /// eˣ² erfc(x)·(1 + x/2) over 1/(1 + x/2) − ½, for ½ ≤ x ≤ `limit`: interpolated at Chebyshev's points, relative
    /// error below rounding.
    pub(super) tail: &'static [T],
    /// From here on the function is 0 to rounding.
    pub(super) limit: T,
    /// Times this, a number loses the lower half of its digits to the rounding.
    pub(super) split: T,
}

#[inline(always)]
pub(in crate::kernels) fn erfc<T: Math, const FMA: bool>(x: T) -> T {
    let (one, half) = (T::one(), T::lit(0.5));
    let Erfc { tail, limit, split } = T::ERFC;
    let a = clamp(x.abs(), half, limit);
    // e⁻ᵃ² would multiply the rounding of a² by a²: the square is taken in two parts, the first of which is exact.
    let shifted = a * split;
    let high = shifted - (shifted - a);
    let rest = (high - a) * (high + a);
    let decay = exp::<T, FMA>(-(high * high));
    let decay = T::fma::<FMA>(decay, T::expm1_core::<FMA>(rest), decay);
    let w = one + a * half;
    let far = decay * polynomial::<T, FMA>(tail, one / w - half) / w;
    let near = one - erf::<T, FMA>(x);
    let beyond = if x < T::zero() { T::lit(2.0) - far } else { far };
    if x.abs() < half { near } else { beyond }
}

#[allow(clippy::excessive_precision, clippy::approx_constant, reason = "fitted numbers, not constants")]
pub(super) const F32: Erfc<f32> = Erfc {
    #[rustfmt::skip]
    tail: &[
        0.063756056, -0.0149428435, -0.08407936, 0.054050237, 0.0988775, -0.103682674, -0.17208529,
        0.14576913, 0.55894417, 0.6871607, 0.51079136,
    ],
    limit: 11.0,
    split: 4097.0,
};

#[allow(clippy::excessive_precision, clippy::approx_constant, reason = "fitted numbers, not constants")]
pub(super) const F64: Erfc<f64> = Erfc {
    #[rustfmt::skip]
    tail: &[
        -0.16878705231545002, -0.22366196687316975, 0.08854064480046593, 0.14133376564109357,
        -0.08443650679481571, -0.011729135938920882, 0.06546162707235327, -0.05839086192881401,
        -0.009096244573816468, 0.06594133132174847, -0.044446486959281835, -0.034964567102453596,
        0.07396966509971811, -0.008799194595897513, -0.08487342702298624, 0.05358694978853471,
        0.09889958618333798, -0.1036669611007234, -0.17208529511814802, 0.14576892602759206,
        0.5589441851121162, 0.6871606844138105, 0.5107913526210115,
    ],
    limit: 28.0,
    split: 134_217_729.0,
};
