//! Loops over flat slices: everything that costs time when a model runs. All `unsafe` of the project is here.
//!
//! | file | what |
//! | --- | --- |
//! | [`elementwise`] | chains of elementwise operations run block by block: one kernel for any mix |
//! | [`reduce`] | sum, product, maximum, minimum, argmax, argmin along an axis |
//! | [`rows`] | maps and reductions of rows, a block of rows at a time |
//! | [`matmul`] | batched matrix products with any strides |
//! | [`copy`] | strided copies: concat, pad, materialised views |
//! | [`gather`] | picking by index, and its transpose |
//! | [`order`] | running sums, sorting |
//! | [`decompose`] | eigenvalues, singular values, orthogonal factors |
//! | [`linear_algebra`] | solving, Cholesky factors, determinants |
//! | [`peak`] | what the processor can do at most, for shares of it |
//! | [`random`] | uniform numbers as a function of key and position |
//! | [`windows`] | windows added up where they overlap |
//! | [`threads`] | the fixed partition of work over threads |

pub mod copy;
pub mod decompose;
pub mod elementwise;
pub mod gather;
mod lanes;
mod level;
pub mod linear_algebra;
mod math;
pub mod matmul;
pub mod order;
pub mod peak;
pub mod random;
pub mod recurrence;
pub mod reduce;
pub mod rows;
mod scratch;
mod simd;
pub mod threads;
pub mod windows;

pub use level::Level;
pub(crate) use math::Math;

use crate::{Element, Real};

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

/// Elements that can be added up: the reals, and integers, whose sums wrap in every build.
pub trait Additive: Element {
    /// A sum under way, held so exactly that its error does not grow with the number of terms.
    type Running: Copy;
    /// The sum of nothing. −0 for reals, since −0 + x is x for every x.
    const NOTHING: Self::Running;
    /// `sum` with one term more.
    fn run_on(sum: Self::Running, term: Self) -> Self::Running;
    /// The sum, rounded to an element.
    fn rounded(sum: Self::Running) -> Self;
}

impl Additive for f32 {
    type Running = f64;
    const NOTHING: f64 = -0.0;
    #[inline(always)]
    fn run_on(sum: f64, term: f32) -> f64 {
        sum + f64::from(term)
    }
    #[inline(always)]
    fn rounded(sum: f64) -> f32 {
        sum as f32
    }
}

/// The sum as it was rounded, and what the roundings took (Neumaier, with Knuth's exact error of an addition).
impl Additive for f64 {
    type Running = (f64, f64);
    const NOTHING: (f64, f64) = (-0.0, 0.0);
    #[inline(always)]
    fn run_on((sum, lost): (f64, f64), term: f64) -> (f64, f64) {
        let next = sum + term;
        let part = next - sum;
        let error = (sum - (next - part)) + (term - part);
        // Infinities have no error that could be told.
        (next, if error.is_finite() { lost + error } else { lost })
    }
    #[inline(always)]
    fn rounded((sum, lost): (f64, f64)) -> f64 {
        if lost == 0.0 { sum } else { sum + lost }
    }
}

impl Additive for i64 {
    type Running = i64;
    const NOTHING: i64 = 0;
    #[inline(always)]
    fn run_on(sum: i64, term: i64) -> i64 {
        sum.wrapping_add(term)
    }
    #[inline(always)]
    fn rounded(sum: i64) -> i64 {
        sum
    }
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

impl<'a, T: Real> Slice<'a, T> {
    /// The number of elements.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        match self {
            Slice::Real(x) => x.len(),
            Slice::Int(x) => x.len(),
            Slice::Truth(x) => x.len(),
        }
    }

    /// The first `len` elements.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn start(self, len: usize) -> Slice<'a, T> {
        match self {
            Slice::Real(x) => Slice::Real(&x[..len]),
            Slice::Int(x) => Slice::Int(&x[..len]),
            Slice::Truth(x) => Slice::Truth(&x[..len]),
        }
    }
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

impl<T: Real> SliceMut<'_, T> {
    /// The number of elements.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        match self {
            SliceMut::Real(x) => x.len(),
            SliceMut::Int(x) => x.len(),
            SliceMut::Truth(x) => x.len(),
        }
    }

    /// The same elements, borrowed for a shorter time.
    pub fn reborrow(&mut self) -> SliceMut<'_, T> {
        match self {
            SliceMut::Real(x) => SliceMut::Real(x),
            SliceMut::Int(x) => SliceMut::Int(x),
            SliceMut::Truth(x) => SliceMut::Truth(x),
        }
    }
}
