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
