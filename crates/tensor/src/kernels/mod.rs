//! Loops over flat slices: everything that costs time when a model runs. All `unsafe` of the project is here.
//!
//! | file | what |
//! | --- | --- |
//! | [`elementwise`] | chains of elementwise operations run block by block: one kernel for any mix |
//! | [`reduce`] | sum, product, maximum, minimum, argmax, argmin along an axis |
//! | [`matmul`] | batched matrix products with any strides |
//! | [`copy`] | strided copies: concat, pad, materialised views |
//! | [`gather`] | picking by index, and its transpose |
//! | [`order`] | running sums, sorting |
//! | [`linear_algebra`] | solving, Cholesky factors, determinants |
//! | [`random`] | uniform numbers as a function of key and position |
//! | [`threads`] | the fixed partition of work over threads |

pub mod copy;
pub mod elementwise;
pub mod gather;
mod level;
pub mod linear_algebra;
mod math;
pub mod matmul;
pub mod order;
pub mod random;
pub mod recurrence;
pub mod reduce;
pub mod threads;

pub use level::Level;
pub(crate) use math::Math;

use crate::Real;

/// What kind of number a value is. A graph knows only this; the width of reals is chosen when it is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A real number, `f32` or `f64`.
    Real,
    /// A 64-bit integer.
    Int,
    /// A truth value.
    Truth,
}

/// A borrowed buffer of any kind, reals at width `T`.
#[derive(Clone, Copy, Debug)]
pub enum Slice<'a, T: Real> {
    /// Reals.
    Real(&'a [T]),
    /// Integers.
    Int(&'a [i64]),
    /// Truth values.
    Truth(&'a [bool]),
}

/// A mutably borrowed buffer of any kind, reals at width `T`.
#[derive(Debug)]
pub enum SliceMut<'a, T: Real> {
    /// Reals.
    Real(&'a mut [T]),
    /// Integers.
    Int(&'a mut [i64]),
    /// Truth values.
    Truth(&'a mut [bool]),
}
