//! Formats of 16 bits, in which reals can be kept.

use std::fmt;

use crate::kernels::elementwise::Unary;
use crate::{Real, Result, Tensor};

/// A format of 16 bits for reals.
///
/// | | digits | greatest | least normal | least |
/// | --- | --- | --- | --- | --- |
/// | `Bf16` | 8 bits | 3.39·10³⁸ | 1.18·10⁻³⁸ | 9.2·10⁻⁴¹ |
/// | `F16` | 11 bits | 65504 | 6.1·10⁻⁵ | 6.0·10⁻⁸ |
///
/// `Bf16` has the range of f32 and training needs no scaling of the loss; `F16` has more digits (Micikevicius et al.,
/// "Mixed Precision Training", 2018; Kalamkar et al., "A Study of BFLOAT16", 2019).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// The upper half of an f32: 8 bits of exponent.
    Bf16,
    /// IEEE half precision: 5 bits of exponent.
    F16,
}

impl Format {
    /// Both.
    pub const ALL: &[Format] = &[Format::Bf16, Format::F16];

    /// The name in messages, dumps and files.
    pub fn name(self) -> &'static str {
        match self {
            Format::Bf16 => "bf16",
            Format::F16 => "f16",
        }
    }

    /// The elementwise function that rounds to it.
    pub fn rounding(self) -> Unary {
        match self {
            Format::Bf16 => Unary::ToBf16,
            Format::F16 => Unary::ToF16,
        }
    }

    /// Bits of the significand, the exponent of the least normal number, the greatest number.
    const fn limits(self) -> (u32, i32, f64) {
        match self {
            Format::Bf16 => (8, -126, 3.389_531_389_251_535_5e38),
            Format::F16 => (11, -14, 65504.0),
        }
    }

    /// The nearest number of this format, of two equally near ones that with an even last digit; infinite beyond the
    /// greatest by half a last digit and more.
    ///
    /// ```
    /// use chainrule_tensor::Format;
    /// assert_eq!(Format::Bf16.round(1.0 + 1.0 / 256.0), 1.0);
    /// assert_eq!(Format::F16.round(1e5), f64::INFINITY);
    /// ```
    #[inline(always)]
    pub fn round(self, x: f64) -> f64 {
        let (digits, least, most) = self.limits();
        // What of an f64's 53 digits is cut off a normal number. An infinity stays one; of NaN a digit is kept.
        let cut = 53 - digits;
        let bits = x.to_bits();
        let half = (1 << (cut - 1)) - 1 + ((bits >> cut) & 1);
        let normal = f64::from_bits(bits.wrapping_add(half) & !((1 << cut) - 1));
        // Below, numbers are multiples of the least one: adding this leaves no digit that is finer.
        let coarse = 1.5 * f64::from_bits(((least + 53 - digits as i32 + 1023) as u64) << 52);
        let small = ((x.abs() + coarse) - coarse).copysign(x);
        let tiny = f64::from_bits(((least + 1023) as u64) << 52);
        let y = if x.abs() < tiny { small } else { normal };
        let y = if y.abs() > most { f64::INFINITY.copysign(x) } else { y };
        if x.is_nan() { x } else { y }
    }

    /// The 16 bits of a number that is rounded to this format.
    pub(crate) fn bits<T: Real>(self, x: T) -> u16 {
        let (digits, least, _) = self.limits();
        let x = x.to_f64();
        let sign = if x.is_sign_negative() { 1 << 15 } else { 0 };
        let (shift, x) = (digits - 1, x.abs());
        let special = (1 << 15) - (1 << shift);
        let rest = match x {
            _ if x.is_nan() => special | 1 << (shift - 1),
            _ if x.is_infinite() => special,
            _ => {
                // The exponent, 1 for the least normal one and for all below; digits as a multiple of the last one. The
                // first digit of a normal number carries into the exponent.
                let exponent = (((x.to_bits() >> 52) as i32 - 1023 - least) + 1).max(1);
                let last = power(exponent - 1 + least - shift as i32);
                (((exponent - 1) as u16) << shift) + (x / last) as u16
            }
        };
        sign | rest
    }

    /// The number that 16 bits are in this format.
    pub(crate) fn number<T: Real>(self, bits: u16) -> T {
        let (digits, least, _) = self.limits();
        let shift = digits - 1;
        let exponent = i32::from(bits & !(1 << 15)) >> shift;
        let rest = f64::from(bits & ((1 << shift) - 1));
        let x = match exponent {
            _ if exponent == (1 << (15 - shift)) - 1 => {
                if rest > 0.0 {
                    f64::NAN
                } else {
                    f64::INFINITY
                }
            }
            0 => rest * power(least - shift as i32),
            _ => (rest + f64::from(1_u32 << shift)) * power(exponent - 1 + least - shift as i32),
        };
        T::from_f64(if bits >> 15 == 1 { -x } else { x })
    }

    /// Rounds numbers to this format and puts their bits into `to`.
    ///
    /// # Panics
    /// If `from` has another length.
    pub fn encode<T: Real>(self, from: &[T], to: &mut [u16]) {
        assert!(from.len() == to.len(), "{} numbers do not fill {}", from.len(), to.len());
        from.iter().zip(to).for_each(|(x, y)| *y = self.bits(T::from_f64(self.round(Real::to_f64(*x)))));
    }

    /// Puts the numbers of this format that bits are into `to`.
    ///
    /// # Panics
    /// If `from` has another length.
    pub fn decode<T: Real>(self, from: &[u16], to: &mut [T]) {
        assert!(from.len() == to.len(), "{} numbers do not fill {}", from.len(), to.len());
        from.iter().zip(to).for_each(|(x, y)| *y = self.number(*x));
    }
}

/// 2ⁿ, for exponents of normal numbers.
fn power(n: i32) -> f64 {
    f64::from_bits(((n + 1023) as u64) << 52)
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Tensor {
    /// Each real rounded to a format of 16 bits, in which [`io`](crate::io) can store it without loss; the dtype stays.
    ///
    /// # Errors
    /// [`Error::DType`](crate::Error::DType) if it holds no reals.
    ///
    /// ```
    /// use chainrule_tensor::{Format, Tensor};
    /// let x = Tensor::from([0.1_f32, 1.0, 300.0]).round_to(Format::Bf16)?;
    /// assert_eq!(x, Tensor::from([0.100_097_656_25_f32, 1.0, 300.0]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn round_to(&self, format: Format) -> Result<Tensor> {
        self.unary(format.rounding())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All numbers of a format, in order, without infinities.
    fn numbers(format: Format) -> Vec<f64> {
        let mut all: Vec<f64> =
            (0..=u16::MAX).map(|b| format.number(b)).filter(|x: &f64| x.is_finite()).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    #[test]
    fn numbers_of_a_format_are_their_own_rounding() {
        for &format in Format::ALL {
            for x in numbers(format) {
                assert_eq!(format.round(x).to_bits(), x.to_bits(), "{x} in {format}");
                assert_eq!(format.number::<f64>(format.bits(x)).to_bits(), x.to_bits());
            }
            assert!(format.round(f64::NAN).is_nan());
            assert_eq!(format.round(f64::NEG_INFINITY), f64::NEG_INFINITY);
            let (.., most) = format.limits();
            assert_eq!(numbers(format).last(), Some(&most));
        }
    }

    #[test]
    fn what_lies_between_goes_to_the_nearer_and_from_the_middle_to_the_even_one() {
        for &format in Format::ALL {
            for pair in numbers(format).windows(2).filter(|pair| pair[0] < pair[1]) {
                let [low, high] = [pair[0], pair[1]];
                let middle = low / 2.0 + high / 2.0;
                let even = if format.bits(low) % 2 == 0 { low } else { high };
                assert_eq!(format.round(middle), even, "between {low} and {high} in {format}");
                // The nearest f64s beside the middle: what a detour through f32 would lose.
                assert_eq!(format.round(middle.next_down()), low, "below {middle} in {format}");
                assert_eq!(format.round(middle.next_up()), high, "above {middle} in {format}");
            }
            let (digits, _, most) = format.limits();
            let end = most * (1.0 + 0.5 / (2_f64.powi(digits as i32) - 1.0));
            assert_eq!(format.round(end), f64::INFINITY);
            assert_eq!(format.round(-end.next_down()), -most);
        }
    }

    #[test]
    fn bits_are_those_of_the_standards() {
        for bits in 0..=u16::MAX {
            // bf16 is the upper half of an f32.
            let half = f32::from_bits(u32::from(bits) << 16);
            let x: f32 = Format::Bf16.number(bits);
            assert!(x.to_bits() == half.to_bits() || x.is_nan() && half.is_nan(), "{bits:#x}");
            let nan = Format::F16.number::<f32>(bits).is_nan();
            assert_eq!(nan, bits & 0x7fff > 0x7c00);
            assert!(nan || Format::F16.bits(Format::F16.number::<f32>(bits)) == bits, "{bits:#x}");
        }
        // IEEE 754's binary16: the least number, the greatest without a first digit, the least with one, 1/3, 1, what is
        // next to it, the greatest, infinity.
        let known = [
            (0x0001, 2_f64.powi(-24)),
            (0x03ff, 2_f64.powi(-14) - 2_f64.powi(-24)),
            (0x0400, 2_f64.powi(-14)),
            (0x3555, 0.333_251_953_125),
            (0x3c00, 1.0),
            (0x3c01, 1.0 + 2_f64.powi(-10)),
            (0x7bff, 65504.0),
            (0x7c00, f64::INFINITY),
        ];
        for (bits, x) in known {
            assert_eq!((Format::F16.number(bits), Format::F16.number(bits | 0x8000)), (x, -x));
            assert_eq!((Format::F16.bits(x), Format::F16.bits(-x)), (bits, bits | 0x8000));
        }
        for i in 0..200_000_u32 {
            let x = f32::from_bits(i.wrapping_mul(0x9e37_79b9));
            let cut = x.to_bits().wrapping_add(0x7fff + (x.to_bits() >> 16 & 1)) & !0xffff;
            assert!(
                x.is_nan() || Format::Bf16.round(f64::from(x)) == f64::from(f32::from_bits(cut)),
                "{x:e}"
            );
        }
    }
}
