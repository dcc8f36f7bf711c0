//! Scalar functions written so that a plain loop over them becomes SIMD code.
//!
//! No branches, no table look-ups, only arithmetic, comparisons and bit patterns. `FMA` says whether the code
//! is compiled for a processor with fused multiply-add; without it `mul_add` would be a call into libm, some
//! ninety times slower than the polynomial around it.

mod atan;
mod erf;
mod erfc;
mod pow;
mod turn;

use std::convert::identity;

use num_traits::Float;

use super::lanes::HasLanes;
use super::matmul::Products;
use super::simd::HasVectors;

use atan::Atan;
use erf::Erf;
use erfc::Erfc;

pub(super) use atan::atan;
pub(super) use erf::erf;
pub(super) use erfc::erfc;
pub(super) use pow::pow;

/// The functions of one float type: what the two differ in.
pub trait Math: Float + Choose + HasLanes + HasVectors + Products + Default + Send + Sync + 'static {
    /// Rounds an `f64` to this type.
    fn lit(value: f64) -> Self;
    /// Whole numbers of this size and above have no fraction.
    const WHOLE: Self;
    /// a·b + c, fused where the processor can.
    fn fma<const FMA: bool>(a: Self, b: Self, c: Self) -> Self;
    /// x = n ln 2 + r with whole n and |r| ≤ ½ ln 2; `x` must be within the range of exponents.
    fn reduce<const FMA: bool>(x: Self) -> (Power<Self>, Self);
    /// eʳ − 1 for |r| ≤ ½ ln 2.
    fn expm1_core<const FMA: bool>(r: Self) -> Self;
    /// ln x for positive finite x, normal or not.
    fn ln_core<const FMA: bool>(x: Self) -> Self;
    /// Where eˣ is 0, infinite; where tanh and expm1 have reached their limits.
    const LIMITS: Limits<Self>;
    /// The polynomials of the error function.
    const ERF: Erf<Self>;
    /// The polynomial of its complement.
    const ERFC: Erfc<Self>;
    /// The polynomial of the inverse tangent.
    const ATAN: Atan<Self>;
    /// |x| up to which [`turn`](Math::turn) is accurate.
    const TURNS: Self;
    /// sin(x + k π/2).
    fn turn<const FMA: bool>(x: Self, k: u64) -> Self;
    /// xʸ for x ≥ 0 other than 1.
    fn pow_size<const FMA: bool>(x: Self, y: Self) -> Self;
}

/// One of two by a mask over their bits. Written as a choice it becomes a load from a chosen address, a branch for each
/// element.
pub trait Choose: Copy {
    /// `yes` if `condition` holds, else `no`.
    fn choose(condition: bool, yes: Self, no: Self) -> Self;
}

macro_rules! choose {
    ($($type:ty: $bits:ident, $to:path, $from:path;)*) => {$(
        impl Choose for $type {
            #[inline(always)]
            fn choose(condition: bool, yes: Self, no: Self) -> Self {
                let (yes, no) = ($to(yes), $to(no));
                $from(no ^ ((yes ^ no) & $bits::from(condition).wrapping_neg()))
            }
        }
    )*};
}

choose! {
    f32: u32, f32::to_bits, f32::from_bits;
    f64: u64, f64::to_bits, f64::from_bits;
    i64: i64, identity, identity;
}

impl Choose for bool {
    #[inline(always)]
    fn choose(condition: bool, yes: bool, no: bool) -> bool {
        no ^ ((yes ^ no) & condition)
    }
}

/// Arguments beyond which a function is constant to rounding.
pub struct Limits<T> {
    zero: T,
    infinite: T,
    minus_one: T,
    tanh: T,
}

/// 2ⁿ in two factors, so that neither overflows where the product does not.
pub struct Power<T> {
    half: T,
    rest: T,
}

/// The upper 33 bits of ln 2, whose product with an exponent is exact, and the rest.
const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

#[inline(always)]
fn fma_f64<const FMA: bool>(a: f64, b: f64, c: f64) -> f64 {
    <f64 as Math>::fma::<FMA>(a, b, c)
}

/// The polynomial with these coefficients, highest power first.
#[inline(always)]
fn polynomial<T: Math, const FMA: bool>(coefficients: &[T], x: T) -> T {
    let mut sum = T::zero();
    for c in coefficients {
        sum = T::fma::<FMA>(sum, x, *c);
    }
    sum
}

#[inline(always)]
fn clamp<T: Math>(x: T, low: T, high: T) -> T {
    // Comparisons are false for NaN, which therefore passes.
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// The greater; NaN if either is.
#[inline(always)]
pub(super) fn max<T: Math>(a: T, b: T) -> T {
    // One instruction, which gives b if either is NaN.
    let greater = if a > b { a } else { b };
    if a.is_nan() { a } else { greater }
}

/// The lesser; NaN if either is.
#[inline(always)]
pub(super) fn min<T: Math>(a: T, b: T) -> T {
    let lesser = if a < b { a } else { b };
    if a.is_nan() { a } else { lesser }
}

/// −1, 0 or 1, a zero with its sign; NaN for NaN.
#[inline(always)]
pub(super) fn sign<T: Math>(x: T) -> T {
    let negative = if x < T::zero() { -T::one() } else { x };
    if x > T::zero() { T::one() } else { negative }
}

/// The nearest whole number, halves to even.
#[inline(always)]
pub(super) fn round_even<T: Math>(x: T) -> T {
    // The sum has no room for a fraction, so it is rounded as all arithmetic is.
    let y = (x.abs() + T::WHOLE) - T::WHOLE;
    if x.abs() < T::WHOLE { y.copysign(x) } else { x }
}

#[inline(always)]
pub(super) fn exp<T: Math, const FMA: bool>(x: T) -> T {
    let (power, r) = T::reduce::<FMA>(clamp(x, T::LIMITS.zero, T::LIMITS.infinite));
    let y = T::expm1_core::<FMA>(r) + T::one();
    y * power.half * power.rest
}

#[inline(always)]
pub(super) fn expm1<T: Math, const FMA: bool>(x: T) -> T {
    let (power, r) = T::reduce::<FMA>(clamp(x, T::LIMITS.minus_one, T::LIMITS.infinite));
    let p = T::expm1_core::<FMA>(r);
    // 2ⁿ(p + 1) − 1, with half of 2ⁿ at a time, since 2ⁿ alone may overflow.
    let half = T::lit(0.5);
    let t = power.half * half * power.rest;
    let y = (T::fma::<FMA>(t, p, t - half)) * T::lit(2.0);
    // Keeps the sign of a zero.
    if x == T::zero() { x } else { y }
}

#[inline(always)]
pub(super) fn ln<T: Math, const FMA: bool>(x: T) -> T {
    let y = T::ln_core::<FMA>(x);
    let y = if x == T::infinity() { x } else { y };
    let y = if x == T::zero() { T::neg_infinity() } else { y };
    if x < T::zero() || x.is_nan() { T::nan() } else { y }
}

#[inline(always)]
pub(super) fn ln_1p<T: Math, const FMA: bool>(x: T) -> T {
    let one = T::one();
    let u = one + x;
    // What rounding 1 + x has lost, as a correction of the first order.
    let lost = (x - (u - one)) / u;
    let y = T::ln_core::<FMA>(u) + lost;
    let y = if x == T::infinity() || x == T::zero() { x } else { y };
    let y = if u == T::zero() { T::neg_infinity() } else { y };
    if u < T::zero() || x.is_nan() { T::nan() } else { y }
}

#[inline(always)]
pub(super) fn tanh<T: Math, const FMA: bool>(x: T) -> T {
    let two = T::lit(2.0);
    let e = expm1::<T, FMA>(clamp(x.abs(), T::zero(), T::LIMITS.tanh) * two);
    (e / (e + two)).copysign(x)
}

/// ½eˣ, which is finite a little beyond eˣ.
#[inline(always)]
fn half_exp<T: Math, const FMA: bool>(x: T) -> T {
    let (power, r) = T::reduce::<FMA>(clamp(x, T::LIMITS.zero, T::LIMITS.infinite + T::one()));
    let y = T::expm1_core::<FMA>(r) + T::one();
    y * (power.half * T::lit(0.5)) * power.rest
}

#[inline(always)]
pub(super) fn sinh<T: Math, const FMA: bool>(x: T) -> T {
    let (one, half, a) = (T::one(), T::lit(0.5), x.abs());
    let e = expm1::<T, FMA>(clamp(a, T::zero(), one));
    // Terms of one sign: nothing cancels.
    let near = half * (e + e / (e + one));
    let h = half_exp::<T, FMA>(a);
    let y = if a < one { near } else { h - T::lit(0.25) / h };
    y.copysign(x)
}

#[inline(always)]
pub(super) fn cosh<T: Math, const FMA: bool>(x: T) -> T {
    let h = half_exp::<T, FMA>(x.abs());
    h + T::lit(0.25) / h
}

/// For |x| up to [`TURNS`](Math::TURNS).
#[inline(always)]
pub(super) fn sin<T: Math, const FMA: bool>(x: T) -> T {
    // Keeps the sign of a zero.
    if x == T::zero() { x } else { T::turn::<FMA>(x, 0) }
}

/// For |x| up to [`TURNS`](Math::TURNS).
#[inline(always)]
pub(super) fn cos<T: Math, const FMA: bool>(x: T) -> T {
    T::turn::<FMA>(x, 1)
}

#[inline(always)]
pub(super) fn logistic<T: Math, const FMA: bool>(x: T) -> T {
    let e = exp::<T, FMA>(-x.abs());
    let numerator = if x < T::zero() { e } else { T::one() };
    numerator / (T::one() + e)
}

#[inline(always)]
pub(super) fn softplus<T: Math, const FMA: bool>(x: T) -> T {
    let above = if x < T::zero() { T::zero() } else { x };
    above + ln_1p::<T, FMA>(exp::<T, FMA>(-x.abs()))
}

/// Both float types from one text: the polynomials differ in length, the bit patterns in width.
///
/// `math!(f32, i32, 23, 127, …)` gives `impl Math for f32` with 23 mantissa bits and exponent bias 127.
macro_rules! math {
    (
        $float:ident, $int:ident, $bits:ident, mantissa $mantissa:literal, bias $bias:literal,
        ln2 $ln2_high:expr, $ln2_low:expr; limits $limits:expr,
        exp [$($exp:literal),*], ln [$($ln:literal),*],
        erf $erf:path, erfc $erfc:path, atan $atan:path, turn $turn:ident up to $turns:literal, pow $pow:ident
    ) => {
        impl Math for $float {
            const WHOLE: $float = (1_u64 << $mantissa) as $float;

            #[inline(always)]
            fn lit(value: f64) -> Self {
                value as $float
            }

            const LIMITS: Limits<$float> = $limits;

            #[inline(always)]
            fn fma<const FMA: bool>(a: Self, b: Self, c: Self) -> Self {
                if FMA { a.mul_add(b, c) } else { a * b + c }
            }

            #[inline(always)]
            fn reduce<const FMA: bool>(x: Self) -> (Power<Self>, Self) {
                // Adding 1.5 · 2^mantissa rounds to a whole number and leaves it in the low bits.
                const ROUND: $float = 1.5 * (1_u64 << $mantissa) as $float;
                let shifted = Self::fma::<FMA>(x, std::$float::consts::LOG2_E, ROUND);
                let n = shifted - ROUND;
                let r = Self::fma::<FMA>(n, -$ln2_high, x);
                let r = Self::fma::<FMA>(n, -$ln2_low, r);
                let n = (shifted.to_bits() as $int).wrapping_sub(ROUND.to_bits() as $int);
                let half = n >> 1;
                let power = |n: $int| <$float>::from_bits((n.wrapping_add($bias) << $mantissa) as $bits);
                (Power { half: power(half), rest: power(n.wrapping_sub(half)) }, r)
            }

            #[inline(always)]
            fn expm1_core<const FMA: bool>(r: Self) -> Self {
                // The Taylor series without its first two terms, over r².
                let mut p: $float = 0.0;
                $(p = Self::fma::<FMA>(p, r, 1.0 / $exp);)*
                Self::fma::<FMA>(p * r, r, r)
            }

            #[inline(always)]
            fn ln_core<const FMA: bool>(x: Self) -> Self {
                // Subnormal numbers have no exponent to read: scale them up first.
                const SCALE: $float = (1_u64 << $mantissa) as $float;
                let small = x < <$float>::MIN_POSITIVE;
                let bits = (if small { x * SCALE } else { x }).to_bits() as $int;
                // x = 2ᵉ m with √½ ≤ m < √2.
                const ROOT: $int = (std::$float::consts::FRAC_1_SQRT_2).to_bits() as $int;
                let e = bits.wrapping_sub(ROOT) >> $mantissa;
                let m = <$float>::from_bits(bits.wrapping_sub(e << $mantissa) as $bits);
                let e = if small { e - $mantissa } else { e };
                let e = e as $float;
                // ln m = f − (f²/2 − s (f²/2 + R)), s = f/(2 + f): the series of 2 artanh s around f.
                let f = m - 1.0;
                let s = f / (2.0 + f);
                let z = s * s;
                let mut series: $float = 0.0;
                $(series = Self::fma::<FMA>(series, z, 2.0 / $ln);)*
                let half = 0.5 * f * f;
                let tail = Self::fma::<FMA>(s, Self::fma::<FMA>(series, z, half), e * $ln2_low);
                Self::fma::<FMA>(e, $ln2_high, f - (half - tail))
            }

            const ERF: Erf<$float> = $erf;

            const ERFC: Erfc<$float> = $erfc;

            const ATAN: Atan<$float> = $atan;

            const TURNS: $float = $turns;

            #[inline(always)]
            fn turn<const FMA: bool>(x: Self, k: u64) -> Self {
                turn::$turn::<FMA>(x, k)
            }

            #[inline(always)]
            fn pow_size<const FMA: bool>(x: Self, y: Self) -> Self {
                pow::$pow::<FMA>(x, y)
            }
        }
    };
}

math!(
    f32, i32, u32, mantissa 23, bias 127,
    // 355/512 has nine bits, so its product with an exponent is exact.
    ln2 355.0 / 512.0, -2.121_944_4e-4; limits Limits { zero: -104.0, infinite: 89.0, minus_one: -20.0, tanh: 10.0 },
    exp [5040.0, 720.0, 120.0, 24.0, 6.0, 2.0],
    ln [11.0, 9.0, 7.0, 5.0, 3.0],
    erf erf::F32, erfc erfc::F32, atan atan::F32, turn turn_f32 up to 1e6, pow size_f32
);

math!(
    f64, i64, u64, mantissa 52, bias 1023,
    ln2 LN2_HIGH, LN2_LOW; limits Limits { zero: -746.0, infinite: 710.0, minus_one: -40.0, tanh: 22.0 },
    exp [6227020800.0, 479001600.0, 39916800.0, 3628800.0, 362880.0, 40320.0, 5040.0, 720.0, 120.0, 24.0, 6.0, 2.0],
    ln [23.0, 21.0, 19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0],
    erf erf::F64, erfc erfc::F64, atan atan::F64, turn turn_f64 up to 4e3, pow size_f64
);
