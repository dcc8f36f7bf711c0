//! Sixteen numbers at once, in registers that are named: where a loop's sums must stay in registers, the compiler is not
//! left to find out.

/// How many numbers.
pub(super) const LANES: usize = 16;

/// [`LANES`] numbers of one type.
pub trait Lanes<T>: Copy {
    /// The same number everywhere.
    ///
    /// # Safety
    /// As [`fma`](Lanes::fma).
    unsafe fn splat(x: T) -> Self;
    /// The numbers at an address.
    ///
    /// # Safety
    /// There are so many, and the processor has what the level says that this runs at.
    unsafe fn load(from: *const T) -> Self;
    /// Writes the numbers to an address.
    ///
    /// # Safety
    /// As [`load`](Lanes::load).
    unsafe fn store(self, to: *mut T);
    /// self·b + c, rounded once.
    ///
    /// # Safety
    /// The processor has what the level says that this runs at.
    unsafe fn fma(self, b: Self, c: Self) -> Self;
    /// self + b.
    ///
    /// # Safety
    /// As [`fma`](Lanes::fma).
    unsafe fn plus(self, b: Self) -> Self;
}

/// The lanes of a type, and those that every processor has: they round products before they add.
pub trait HasLanes: Copy {
    /// With fused multiply-add.
    type Fused: Lanes<Self>;
    /// Without.
    type Plain: Lanes<Self>;
}

/// Lanes in an array.
#[derive(Clone, Copy)]
pub struct Array<T>([T; LANES]);

macro_rules! arrays {
    ($($type:ty),*) => {$(
        impl Lanes<$type> for Array<$type> {
            #[inline(always)]
            unsafe fn splat(x: $type) -> Self {
                Array([x; LANES])
            }
            #[inline(always)]
            unsafe fn load(from: *const $type) -> Self {
                // SAFETY: the caller's promise.
                unsafe { Array(from.cast::<[$type; LANES]>().read_unaligned()) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $type) {
                // SAFETY: the caller's promise.
                unsafe { to.cast::<[$type; LANES]>().write_unaligned(self.0) }
            }
            #[inline(always)]
            unsafe fn fma(mut self, b: Self, c: Self) -> Self {
                for ((a, b), c) in self.0.iter_mut().zip(b.0).zip(c.0) {
                    *a = *a * b + c;
                }
                self
            }
            #[inline(always)]
            unsafe fn plus(mut self, b: Self) -> Self {
                self.0.iter_mut().zip(b.0).for_each(|(a, b)| *a += b);
                self
            }
        }
    )*};
}

arrays!(f32, f64);

#[cfg(not(target_arch = "x86_64"))]
mod fused {
    //! No level of these architectures promises fused multiply-add.

    use super::{Array, HasLanes};

    impl HasLanes for f32 {
        type Fused = Array<f32>;
        type Plain = Array<f32>;
    }

    impl HasLanes for f64 {
        type Fused = Array<f64>;
        type Plain = Array<f64>;
    }
}

#[cfg(target_arch = "x86_64")]
mod fused {
    //! Registers of AVX2, at the level AVX-512 as well: products that wait for memory gain nothing from wider ones.

    use std::arch::x86_64::*;

    use super::{Array, HasLanes, LANES, Lanes};

    macro_rules! registers {
        ($($name:ident: $type:ty, $register:ty, $splat:ident $load:ident $store:ident $fma:ident $add:ident;)*) => {$(
            #[derive(Clone, Copy)]
            pub struct $name([$register; LANES * size_of::<$type>() / 32]);

            impl HasLanes for $type {
                type Fused = $name;
                type Plain = Array<$type>;
            }

            impl Lanes<$type> for $name {
                #[inline(always)]
                unsafe fn splat(x: $type) -> Self {
                    // SAFETY: the caller's promise.
                    $name([unsafe { $splat(x) }; LANES * size_of::<$type>() / 32])
                }
                #[inline(always)]
                unsafe fn load(from: *const $type) -> Self {
                    const EACH: usize = 32 / size_of::<$type>();
                    // SAFETY: the caller's promise.
                    unsafe {
                        let mut all = Self::splat(0.0);
                        for (i, part) in all.0.iter_mut().enumerate() {
                            *part = $load(from.add(i * EACH));
                        }
                        all
                    }
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut $type) {
                    const EACH: usize = 32 / size_of::<$type>();
                    for (i, part) in self.0.iter().enumerate() {
                        // SAFETY: the caller's promise.
                        unsafe { $store(to.add(i * EACH), *part) };
                    }
                }
                #[inline(always)]
                unsafe fn fma(mut self, b: Self, c: Self) -> Self {
                    for (i, part) in self.0.iter_mut().enumerate() {
                        // SAFETY: the caller's promise.
                        *part = unsafe { $fma(*part, b.0[i], c.0[i]) };
                    }
                    self
                }
                #[inline(always)]
                unsafe fn plus(mut self, b: Self) -> Self {
                    for (i, part) in self.0.iter_mut().enumerate() {
                        // SAFETY: the caller's promise.
                        *part = unsafe { $add(*part, b.0[i]) };
                    }
                    self
                }
            }
        )*};
    }

    registers! {
        F32: f32, __m256, _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_fmadd_ps _mm256_add_ps;
        F64: f64, __m256d, _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_fmadd_pd _mm256_add_pd;
    }
}
