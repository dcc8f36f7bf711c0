//! Sine and cosine: sin(x + k π/2) with any whole k, after taking whole quarter turns off x.

use super::{fma_f64, polynomial};

/// The upper 33 bits of π/2: their product with a number of quarter turns below 2²⁰ is exact.
const QUARTER: f64 = 1.5707963267341256;
/// The next 33 bits, and what remains.
const SECOND: f64 = 6.077100506303966e-11;
const THIRD: f64 = 2.0222662487959506e-21;
/// Adding it rounds to a whole number and leaves that in the low bits.
const ROUND: f64 = 1.5 * (1_u64 << 52) as f64;

/// The series of Taylor in x², without the first term of the sine and the first two of the cosine.
#[rustfmt::skip]
const SIN: &[f64] = &[
    -1.0 / 121645100408832000.0, 1.0 / 355687428096000.0, -1.0 / 1307674368000.0, 1.0 / 6227020800.0,
    -1.0 / 39916800.0, 1.0 / 362880.0, -1.0 / 5040.0, 1.0 / 120.0, -1.0 / 6.0,
];
#[rustfmt::skip]
const COS: &[f64] = &[
    1.0 / 2432902008176640000.0, -1.0 / 6402373705728000.0, 1.0 / 20922789888000.0, -1.0 / 87178291200.0,
    1.0 / 479001600.0, -1.0 / 3628800.0, 1.0 / 40320.0, -1.0 / 720.0, 1.0 / 24.0,
];

/// The nearest number of quarter turns, as a float and in the low bits.
#[inline(always)]
fn quarters(x: f64) -> (f64, u64) {
    let shifted = x * std::f64::consts::FRAC_2_PI + ROUND;
    (shifted - ROUND, shifted.to_bits())
}

/// Sine or cosine of what is left, with the sign of the quadrant.
#[inline(always)]
fn quadrant(sin: f64, cos: f64, turns: u64) -> f64 {
    let y = if turns & 1 == 0 { sin } else { cos };
    f64::from_bits(y.to_bits() ^ (turns & 2) << 62)
}

/// In f32 all is done in f64, where few bits need care. For |x| up to a million.
#[inline(always)]
pub(super) fn turn_f32<const FMA: bool>(x: f32, more: u64) -> f32 {
    let fma = fma_f64::<FMA>;
    let x = f64::from(x);
    let (n, turns) = quarters(x);
    let r = fma(n, -(SECOND + THIRD), fma(n, -QUARTER, x));
    let z = r * r;
    let sin = polynomial::<f64, FMA>(&SIN[4..], z);
    let cos = polynomial::<f64, FMA>(&COS[4..], z);
    let sin = fma(r * z, sin, r);
    let cos = fma(z * z, cos, fma(z, -0.5, 1.0));
    quadrant(sin, cos, turns.wrapping_add(more)) as f32
}

/// For |x| up to some thousands: there the quarter turns are known to more bits than can cancel.
#[inline(always)]
pub(super) fn turn_f64<const FMA: bool>(x: f64, more: u64) -> f64 {
    let fma = fma_f64::<FMA>;
    let (n, turns) = quarters(x);
    // x − n π/2 as r + low. The first two products are exact, and so is the first difference.
    let first = fma(n, -QUARTER, x);
    let second = n * SECOND;
    let most = first - second;
    let third = fma(n, THIRD, -((first - most) - second));
    let r = most - third;
    let low = (most - r) - third;
    let z = r * r;
    let sin = polynomial::<f64, FMA>(SIN, z);
    let cos = polynomial::<f64, FMA>(COS, z);
    // sin(r + low) and cos(r + low) to the first order in low; what 1 − z/2 loses is added last.
    let half = 0.5 * z;
    let sin = r + fma(r * z, sin, low * (1.0 - half));
    let top = 1.0 - half;
    let cos = top + (((1.0 - top) - half) + fma(z * z, cos, -(r * low)));
    quadrant(sin, cos, turns.wrapping_add(more))
}
