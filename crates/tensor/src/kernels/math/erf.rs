//! The error function: two polynomials fitted by weighted least squares, with near the least greatest error.

use super::{Math, clamp, exp, polynomial};

/// The coefficients for one float type, highest power first.
pub struct Erf<T: 'static> {
    /// erf(x)/x over x², for |x| ≤ 1; relative error below rounding.
    pub(super) near: &'static [T],
    /// eˣ² erfc(x) over 1/(1 + x/2) − ½, for 1 ≤ x ≤ `limit`; error below rounding once multiplied by e⁻ˣ².
    pub(super) tail: &'static [T],
    /// From here on the function is 1 to rounding.
    pub(super) limit: T,
}

#[inline(always)]
pub(in crate::kernels) fn erf<T: Math, const FMA: bool>(x: T) -> T {
    let (one, half) = (T::one(), T::lit(0.5));
    let Erf { near, tail, limit } = T::ERF;
    let close = x * polynomial::<T, FMA>(near, x * x);
    let a = clamp(x.abs(), one, limit);
    let u = one / T::fma::<FMA>(a, half, one) - half;
    let far = one - exp::<T, FMA>(-(a * a)) * polynomial::<T, FMA>(tail, u);
    if x.abs() < one { close } else { far.copysign(x) }
}

#[allow(clippy::excessive_precision, clippy::approx_constant, reason = "fitted numbers, not constants")]
pub(super) const F32: Erf<f32> = Erf {
    #[rustfmt::skip]
    near: &[
        7.689966e-5, -7.963_501_4e-4, 5.183_368_3e-3, -2.685_14e-2, 1.128_353_26e-1, -3.761_262_2e-1, 1.128_379_2,
    ],
    #[rustfmt::skip]
    tail: &[-2.304_502_7e-1, 5.953_825_5e-2, 6.319_13e-1, 9.666_283_4e-1, 8.543_717e-1, 2.553_956_8e-1],
    limit: 4.0,
};

#[allow(clippy::excessive_precision, clippy::approx_constant, reason = "fitted numbers, not constants")]
pub(super) const F64: Erf<f64> = Erf {
    #[rustfmt::skip]
    near: &[
        5.810987816421066e-11, -1.128608788827882e-09, 1.4637270105341731e-08, -1.6346962811861012e-07,
        1.6460684641976252e-06, -1.4925575622648414e-05, 0.00012055330297707387, -0.0008548326958666055,
        0.005223977624435876, -0.02686617064503799, 0.11283791670954675, -0.3761263890318374,
        1.1283791670955126,
    ],
    #[rustfmt::skip]
    tail: &[
        -0.05115801170913232, 0.054165991070327726, 0.02833343022800707, -0.08923202564523308,
        0.011143838629539873, 0.12569305814398088, -0.05421711716767779, -0.22391877798237922,
        0.05972627837480256, 0.6318286481333545, 0.9666327769698368, 0.854371694827913, 0.25539567631050575,
    ],
    limit: 6.0,
};
