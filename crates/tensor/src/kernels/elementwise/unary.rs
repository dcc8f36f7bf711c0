//! Functions of one argument: one row each.

use super::loops::each;
use crate::kernels::{Kind, math};
use crate::{Format, Real};

/// Hands all rows to a macro: the variant, the method's name, what it is, the cost of an element in tenths of a
/// nanosecond, its value in terms of `x` (`FMA` says whether the processor has a fused multiply-add), and the same
/// in f64 by the standard library or libm, which is what tests hold it to. `far` is what takes over for arguments
/// of very many turns.
macro_rules! functions {
    ($macro:ident) => {
        $macro! {
            Neg      neg      "−x."                                               1   |x| -x,                           -x;
            Abs      abs      "|x|."                                              1   |x| x.abs(),                      x.abs();
            Sign     sign     "−1, 0 or 1 by sign; NaN for NaN."                  1   |x| math::sign(x),                if x == 0.0 || x.is_nan() { x } else { x.signum() };
            Floor    floor    "The greatest whole number not above x."            4   |x| x.floor(),                    x.floor();
            Ceil     ceil     "The least whole number not below x."               4   |x| x.ceil(),                     x.ceil();
            Round    round    "The nearest whole number, halves to even."         4   |x| math::round_even(x),          x.round_ties_even();
            Sqrt     sqrt     "√x; NaN below 0."                                  4   |x| x.sqrt(),                     x.sqrt();
            Rsqrt    rsqrt    "1/√x."                                             4   |x| T::one() / x.sqrt(),          1.0 / x.sqrt();
            Exp      exp      "eˣ."                                               4   |x| math::exp::<T, FMA>(x),       x.exp();
            Expm1    expm1    "eˣ − 1, accurate near 0."                          4   |x| math::expm1::<T, FMA>(x),     x.exp_m1();
            Ln       ln       "Natural logarithm; −∞ at 0, NaN below."            4   |x| math::ln::<T, FMA>(x),        x.ln();
            Ln1p     ln_1p    "ln(1 + x), accurate near 0."                       4   |x| math::ln_1p::<T, FMA>(x),     x.ln_1p();
            Sin      sin      "Sine of x radians."                                100 |x| math::sin::<T, FMA>(x),       x.sin(), far T::sin;
            Cos      cos      "Cosine of x radians."                              100 |x| math::cos::<T, FMA>(x),       x.cos(), far T::cos;
            Atan     atan     "Inverse tangent, in radians: −π/2 to π/2."         4   |x| math::atan::<T, FMA>(x),      x.atan();
            Sinh     sinh     "Hyperbolic sine, (eˣ − e⁻ˣ)/2, accurate near 0."   4   |x| math::sinh::<T, FMA>(x),      libm::sinh(x);
            Cosh     cosh     "Hyperbolic cosine, (eˣ + e⁻ˣ)/2."                  4   |x| math::cosh::<T, FMA>(x),      libm::cosh(x);
            Tanh     tanh     "Hyperbolic tangent."                               4   |x| math::tanh::<T, FMA>(x),      x.tanh();
            Sigmoid  sigmoid  "1/(1 + e⁻ˣ)."                                      4   |x| math::logistic::<T, FMA>(x),  x.min(0.0).exp() / (1.0 + (-x.abs()).exp());
            Softplus softplus "ln(1 + eˣ), without overflow."                     4   |x| math::softplus::<T, FMA>(x),  x.max(0.0) + (-x.abs()).exp().ln_1p();
            Erf      erf      "The error function, 2/√π ∫₀ˣ e^(−t²) dt."          100 |x| math::erf::<T, FMA>(x),       libm::erf(x);
            Erfc     erfc     "1 − erf x, to 8 units in the last place however small it is." 100 |x| math::erfc::<T, FMA>(x), libm::erfc(x);
            ToBf16   to_bf16  "x rounded to bf16, as `round_to` has it."              4   |x| T::from_f64(Format::Bf16.round(x.to_f64())), Format::Bf16.round(x);
            ToF16    to_f16   "x rounded to f16, as `round_to` has it."                4   |x| T::from_f64(Format::F16.round(x.to_f64())), Format::F16.round(x);
        }
    };
}

pub(crate) use functions;

macro_rules! unary {
    ($($variant:ident $method:ident $doc:literal $cost:literal
        |$x:ident| $value:expr, $reference:expr $(, far $far:path)?;)*) => {
        /// An elementwise function of one argument.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Unary { $(#[doc = $doc] $variant),* }

        impl Unary {
            /// All of them.
            pub const ALL: &[Unary] = &[$(Unary::$variant),*];

            /// The name in messages and dumps.
            pub fn name(self) -> &'static str {
                match self { $(Unary::$variant => stringify!($method)),* }
            }

            /// Its value by the standard library or libm.
            #[cfg(test)]
            pub(super) fn reference(self, x: f64) -> f64 {
                match self { $(Unary::$variant => { let $x = x; $reference })* }
            }

            /// Rough cost of one element in tenths of a nanosecond.
            pub(super) fn cost(self) -> usize {
                match self { $(Unary::$variant => $cost),* }
            }
        }

        #[inline(always)]
        pub(super) fn unary_real<T: Real, const FMA: bool>(op: Unary, x: &[T], y: &mut [T]) {
            match op {
                $(Unary::$variant => {
                    let $x = x;
                    each!(y; $x => $value);
                    $(many_turns($x, y, $far);)?
                })*
            }
        }
    };
}

functions!(unary);

impl Unary {
    /// Whether it is defined on this kind.
    pub fn takes(self, kind: Kind) -> bool {
        match kind {
            Kind::Real => true,
            Kind::Int => matches!(self, Unary::Neg | Unary::Abs | Unary::Sign),
            Kind::Truth => false,
        }
    }
}

/// Does the rare elements again whose quarter turns are too many to be taken off fast.
#[inline(always)]
fn many_turns<T: Real>(x: &[T], y: &mut [T], function: fn(T) -> T) {
    let mut any = false;
    for x in x {
        any |= x.abs() > T::TURNS;
    }
    if any {
        for (y, x) in y.iter_mut().zip(x).filter(|(_, x)| x.abs() > T::TURNS) {
            *y = function(*x);
        }
    }
}
