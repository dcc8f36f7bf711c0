//! xʸ = e^(y ln x). Any error of the logarithm grows with y ln x, so it is taken with bits to spare: in f64 for
//! f32, and as a sum of two numbers for f64.

use super::{LN2_HIGH, LN2_LOW, Math, Power, clamp, fma_f64, polynomial, round_even};

#[inline(always)]
pub(in crate::kernels) fn pow<T: Math, const FMA: bool>(x: T, y: T) -> T {
    let (zero, one, half) = (T::zero(), T::one(), T::lit(0.5));
    let size = T::pow_size::<FMA>(x.abs(), y);
    let size = if x.abs() == one { if y.is_nan() { y } else { one } } else { size };
    let whole = round_even(y) == y;
    let odd = whole && round_even(y * half) != y * half;
    let signed = if odd { size.copysign(x) } else { size };
    let real = if x < zero && x > T::neg_infinity() && !whole { T::nan() } else { signed };
    if y == zero || x == one { one } else { real }
}

/// For x ≥ 0 other than 1.
#[inline(always)]
pub(super) fn size_f32<const FMA: bool>(x: f32, y: f32) -> f32 {
    let fma = fma_f64::<FMA>;
    let wide = f64::from(x);
    let (e, m) = split(wide);
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    const ARTANH: &[f64] =
        &[2.0 / 15.0, 2.0 / 13.0, 2.0 / 11.0, 2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0];
    let series = polynomial::<f64, FMA>(ARTANH, z);
    let ln = fma(e, std::f64::consts::LN_2, s * series);
    let p = clamp(f64::from(y) * logarithm_at_ends(wide, ln), -110.0, 90.0);
    let (Power { half, rest }, r) = <f64 as Math>::reduce::<FMA>(p);
    const EXP: &[f64] =
        &[1.0 / 40320.0, 1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let exp = polynomial::<f64, FMA>(EXP, r);
    (exp * half * rest) as f32
}

/// For x ≥ 0 other than 1.
#[inline(always)]
pub(super) fn size_f64<const FMA: bool>(x: f64, y: f64) -> f64 {
    // Exact products are what makes this fast.
    if !FMA {
        return x.powf(y);
    }
    let fma = fma_f64::<FMA>;
    const SCALE: f64 = (1_u64 << 54) as f64;
    let small = x < f64::MIN_POSITIVE;
    let (e, m) = split(if small { x * SCALE } else { x });
    let e = if small { e - 54.0 } else { e };
    // ln m = 2 artanh s = 2s + 2s (z/3 + z² (1/5 + …)), s = f/(2 + f), z = s²; each name and its `_low` are a sum.
    let f = m - 1.0;
    let below = 2.0 + f;
    let below_low = f - (below - 2.0);
    let inverse = 1.0 / below;
    let s = f * inverse;
    let s_low = fma(-s, below_low, fma(-s, below, f)) * inverse;
    let z = s * s;
    let z_low = fma(s, s, -z) + 2.0 * s * s_low;
    #[rustfmt::skip]
    const ARTANH: &[f64] = &[
        1.0 / 23.0, 1.0 / 21.0, 1.0 / 19.0, 1.0 / 17.0, 1.0 / 15.0, 1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0,
        1.0 / 5.0,
    ];
    let series = polynomial::<f64, FMA>(ARTANH, z);
    const THIRD: f64 = 1.0 / 3.0;
    const THIRD_LOW: f64 = 1.850371707708594e-17;
    let third = z * THIRD;
    let third_low = fma(z, THIRD, -third) + fma(z, THIRD_LOW, z_low * THIRD);
    let rest = z * z * series;
    let (w, w_low) = add(third, rest);
    let w_low = w_low + third_low;
    let product = 2.0 * s * w;
    let product_low = fma(2.0 * s, w, -product) + fma(2.0 * s, w_low, 2.0 * s_low * w);
    let (ln_m, ln_m_low) = add(2.0 * s, product);
    let (ln, ln_low) = add(e * LN2_HIGH, ln_m);
    let ln_low = ln_low + (fma(e, LN2_LOW, ln_m_low) + (product_low + 2.0 * s_low));
    let ln = logarithm_at_ends(x, ln);
    let p = y * ln;
    // Beyond the range of eˣ the lower part does not matter, and it may be no number.
    let p_low = if p.abs() < 800.0 { fma(y, ln, -p) + y * ln_low } else { 0.0 };
    let (Power { half, rest }, r) = <f64 as Math>::reduce::<FMA>(clamp(p, -746.0, 710.0));
    (<f64 as Math>::expm1_core::<FMA>(r + p_low) + 1.0) * half * rest
}

/// a + b as a sum of its rounded value and the rest, for |a| ≥ |b| or a = 0.
#[inline(always)]
fn add(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    (sum, (a - sum) + b)
}

/// x = 2ᵉ m with √½ ≤ m < √2, for positive normal x.
#[inline(always)]
fn split(x: f64) -> (f64, f64) {
    const ROOT: i64 = std::f64::consts::FRAC_1_SQRT_2.to_bits() as i64;
    let bits = x.to_bits() as i64;
    let e = bits.wrapping_sub(ROOT) >> 52;
    (e as f64, f64::from_bits(bits.wrapping_sub(e << 52) as u64))
}

/// The logarithm, with the right ends.
#[inline(always)]
fn logarithm_at_ends(x: f64, ln: f64) -> f64 {
    let ln = if x == f64::INFINITY { x } else { ln };
    let ln = if x.is_nan() { x } else { ln };
    if x == 0.0 { f64::NEG_INFINITY } else { ln }
}
