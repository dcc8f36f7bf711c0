//! The inverse tangent: at most an eighth of a turn is left to a polynomial fitted by weighted least squares.

use super::{Math, polynomial};

/// The numbers for one float type.
pub struct Atan<T: 'static> {
    /// (atan(q)/q − 1)/q² over q², for |q| ≤ tan π/8, highest power first; error below rounding.
    pub(super) series: &'static [T],
    /// What rounding has lost of π/4.
    pub(super) rest: T,
}

#[inline(always)]
pub(in crate::kernels) fn atan<T: Math, const FMA: bool>(x: T) -> T {
    let (zero, one, two) = (T::zero(), T::one(), T::lit(2.0));
    let root = T::lit(std::f64::consts::SQRT_2);
    let a = x.abs();
    // atan a = n π/4 + atan q, where q = a, (a − 1)/(a + 1), −1/a for a up to tan π/8, up to tan 3π/8, beyond.
    let (top, bottom, n) = if a > root - one { (a - one, a + one, one) } else { (a, one, zero) };
    let (top, bottom, n) = if a > root + one { (-one, a, two) } else { (top, bottom, n) };
    let q = top / bottom;
    let z = q * q;
    let Atan { series, rest } = T::ATAN;
    let small = T::fma::<FMA>(q * z, polynomial::<T, FMA>(series, z), n * rest);
    (n * T::lit(std::f64::consts::FRAC_PI_4) + (q + small)).copysign(x)
}

#[allow(clippy::excessive_precision, reason = "fitted numbers, not constants")]
pub(super) const F32: Atan<f32> = Atan {
    series: &[-6.083_303_3e-2, 1.059_589_16e-1, -1.424_382_6e-1, 1.999_848_8e-1, -3.333_331_6e-1],
    rest: -2.185_569_4e-8,
};

#[allow(clippy::excessive_precision, reason = "fitted numbers, not constants")]
pub(super) const F64: Atan<f64> = Atan {
    #[rustfmt::skip]
    series: &[
        -0.01792219806617816, 0.03807824738966325, -0.05039842679006405, 0.05848008315205116,
        -0.0666312030803091, 0.076920616314624, -0.09090897836229861, 0.11111110786136257,
        -0.142857142802487, 0.19999999999954088, -0.333333333333332,
    ],
    rest: 3.061616997868383e-17,
};
