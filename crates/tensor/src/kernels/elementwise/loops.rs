//! The loops of single instructions: plain, over slices of equal length, so that they become SIMD code.
//!
//! Everything here is inlined into the code of a SIMD level, because only that is compiled for it. The loops are
//! a macro for the same reason: a closure is a function of its own, which the compiler may leave outside, and a
//! fused multiply-add that stays outside is a call into libm.

use super::{Binary, Compare, Unary};
use crate::Real;
use crate::kernels::math::{self, Choose};

#[cold]
pub(super) fn wrong_kind() -> ! {
    panic!("a buffer of another kind than the program's")
}

/// `each!(y; a, b => a + b)` is `for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) { *y = a + b; }`.
macro_rules! each {
    ($y:ident; $a:ident => $value:expr) => {
        for ($y, &$a) in $y.iter_mut().zip($a) {
            *$y = $value;
        }
    };
    ($y:ident; $a:ident, $b:ident => $value:expr) => {
        for (($y, &$a), &$b) in $y.iter_mut().zip($a).zip($b) {
            *$y = $value;
        }
    };
    ($y:ident; $a:ident, $b:ident, $c:ident => $value:expr) => {
        for ((($y, &$a), &$b), &$c) in $y.iter_mut().zip($a).zip($b).zip($c) {
            *$y = $value;
        }
    };
}

pub(super) use each;

#[inline(always)]
pub(super) fn unary_real<T: Real, const FMA: bool>(op: Unary, x: &[T], y: &mut [T]) {
    let (zero, one) = (T::zero(), T::one());
    match op {
        Unary::Neg => each!(y; x => -x),
        Unary::Abs => each!(y; x => x.abs()),
        Unary::Sign => each!(y; x => {
            let negative = if x < zero { -one } else { x };
            if x > zero { one } else { negative }
        }),
        Unary::Floor => each!(y; x => x.floor()),
        Unary::Ceil => each!(y; x => x.ceil()),
        Unary::Round => each!(y; x => math::round_even(x)),
        Unary::Sqrt => each!(y; x => x.sqrt()),
        Unary::Rsqrt => each!(y; x => one / x.sqrt()),
        Unary::Exp => each!(y; x => math::exp::<T, FMA>(x)),
        Unary::Expm1 => each!(y; x => math::expm1::<T, FMA>(x)),
        Unary::Ln => each!(y; x => math::ln::<T, FMA>(x)),
        Unary::Ln1p => each!(y; x => math::ln_1p::<T, FMA>(x)),
        Unary::Sin => {
            each!(y; x => math::sin::<T, FMA>(x));
            many_turns(x, y, T::sin);
        }
        Unary::Cos => {
            each!(y; x => math::cos::<T, FMA>(x));
            many_turns(x, y, T::cos);
        }
        Unary::Atan => each!(y; x => math::atan::<T, FMA>(x)),
        Unary::Sinh => each!(y; x => math::sinh::<T, FMA>(x)),
        Unary::Cosh => each!(y; x => math::cosh::<T, FMA>(x)),
        Unary::Tanh => each!(y; x => math::tanh::<T, FMA>(x)),
        Unary::Sigmoid => each!(y; x => math::logistic::<T, FMA>(x)),
        Unary::Softplus => each!(y; x => math::softplus::<T, FMA>(x)),
        Unary::Erf => each!(y; x => math::erf::<T, FMA>(x)),
        Unary::Erfc => each!(y; x => math::erfc::<T, FMA>(x)),
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

#[inline(always)]
pub(super) fn binary_real<T: Real, const FMA: bool>(op: Binary, a: &[T], b: &[T], y: &mut [T]) {
    match op {
        Binary::Add => each!(y; a, b => a + b),
        Binary::Sub => each!(y; a, b => a - b),
        Binary::Mul => each!(y; a, b => a * b),
        Binary::Div => each!(y; a, b => a / b),
        Binary::Pow => each!(y; a, b => math::pow::<T, FMA>(a, b)),
        Binary::Max => each!(y; a, b => math::max(a, b)),
        Binary::Min => each!(y; a, b => math::min(a, b)),
    }
}

#[inline(always)]
pub(super) fn unary_int(op: Unary, x: &[i64], y: &mut [i64]) {
    match op {
        Unary::Neg => each!(y; x => x.wrapping_neg()),
        Unary::Abs => each!(y; x => x.wrapping_abs()),
        Unary::Sign => each!(y; x => x.signum()),
        _ => wrong_kind(),
    }
}

#[inline(always)]
pub(super) fn binary_int(op: Binary, a: &[i64], b: &[i64], y: &mut [i64]) {
    match op {
        Binary::Add => each!(y; a, b => a.wrapping_add(b)),
        Binary::Sub => each!(y; a, b => a.wrapping_sub(b)),
        Binary::Mul => each!(y; a, b => a.wrapping_mul(b)),
        Binary::Max => each!(y; a, b => a.max(b)),
        Binary::Min => each!(y; a, b => a.min(b)),
        Binary::Div | Binary::Pow => wrong_kind(),
    }
}

#[inline(always)]
pub(super) fn binary_truth(op: Binary, a: &[bool], b: &[bool], y: &mut [bool]) {
    match op {
        Binary::Max => each!(y; a, b => a | b),
        Binary::Min => each!(y; a, b => a & b),
        _ => wrong_kind(),
    }
}

#[inline(always)]
pub(super) fn compare<E: Copy + PartialOrd>(op: Compare, a: &[E], b: &[E], y: &mut [bool]) {
    match op {
        Compare::Eq => each!(y; a, b => a == b),
        Compare::Ne => each!(y; a, b => a != b),
        Compare::Lt => each!(y; a, b => a < b),
        Compare::Le => each!(y; a, b => a <= b),
        Compare::Gt => each!(y; a, b => a > b),
        Compare::Ge => each!(y; a, b => a >= b),
    }
}

#[inline(always)]
pub(super) fn select<E: Choose>(condition: &[bool], yes: &[E], no: &[E], y: &mut [E]) {
    each!(y; condition, yes, no => E::choose(condition, yes, no));
}
