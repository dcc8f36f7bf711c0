//! One register of numbers, for each SIMD level: what the kernels of products are written over.
//!
//! Unlike [`lanes`](super::lanes), whose width is part of the order of sums, a register here is as wide as the processor
//! has it: kernels over it give every sum one lane, so that the width changes no bit.

/// A register of numbers.
///
/// All functions have one contract: the processor has the instructions of the level that the register is of, and
/// addresses hold as many numbers as are read or written.
pub trait Vector<T>: Copy {
    /// How many numbers it holds.
    const LANES: usize;
    /// Zeros.
    ///
    /// # Safety
    /// As the trait says.
    unsafe fn zero() -> Self;
    /// The number at an address, everywhere.
    ///
    /// # Safety
    /// As the trait says.
    unsafe fn broadcast(from: *const T) -> Self;
    /// The numbers at an address.
    ///
    /// # Safety
    /// As the trait says.
    unsafe fn load(from: *const T) -> Self;
    /// Writes the numbers to an address.
    ///
    /// # Safety
    /// As the trait says.
    unsafe fn store(self, to: *mut T);
    /// The first `n` of the numbers at an address, at most as many as it holds, and zeros.
    ///
    /// # Safety
    /// As the trait says, of `n` numbers.
    unsafe fn load_first(from: *const T, n: usize) -> Self;
    /// Writes its first `n` numbers to an address.
    ///
    /// # Safety
    /// As [`load_first`](Vector::load_first).
    unsafe fn store_first(self, to: *mut T, n: usize);
    /// self·b + c, rounded once (at levels without fused multiply-add, twice).
    ///
    /// # Safety
    /// As the trait says.
    unsafe fn fma(self, b: Self, c: Self) -> Self;
    /// self + b.
    ///
    /// # Safety
    /// As the trait says.
    unsafe fn plus(self, b: Self) -> Self;
    /// The side of the squares that [`turn`](Vector::turn) turns.
    const SIDE: usize;
    /// Writes the first [`SIDE`](Vector::SIDE) numbers at as many addresses as columns: those of each row side by side, the
    /// rows `step` apart.
    ///
    /// # Safety
    /// As the trait says.
    unsafe fn turn(from: &[*const T], to: *mut T, step: usize);
}

/// The registers of a type.
pub trait HasVectors: Copy {
    /// What every processor of the architecture has.
    type Baseline: Vector<Self>;
    /// The same with each product and sum rounded once, whatever that costs: the measure for all others.
    #[cfg(test)]
    type Exact: Vector<Self>;
    /// AVX2 and fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    type Avx2: Vector<Self>;
    /// AVX-512.
    #[cfg(target_arch = "x86_64")]
    type Avx512: Vector<Self>;
}

/// 16 bytes in an array; `FUSED` says whether each product and sum is rounded once.
#[derive(Clone, Copy)]
pub struct Portable<T, const N: usize, const FUSED: bool>([T; N]);

macro_rules! portable {
    ($($type:ty, $lanes:literal;)*) => {$(
        impl<const FUSED: bool> Vector<$type> for Portable<$type, $lanes, FUSED> {
            const LANES: usize = $lanes;
            #[inline(always)]
            unsafe fn zero() -> Self {
                Portable([0.0; $lanes])
            }
            #[inline(always)]
            unsafe fn broadcast(from: *const $type) -> Self {
                // SAFETY: the caller's promise.
                Portable([unsafe { *from }; $lanes])
            }
            #[inline(always)]
            unsafe fn load(from: *const $type) -> Self {
                // SAFETY: the caller's promise.
                Portable(unsafe { from.cast::<[$type; $lanes]>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $type) {
                // SAFETY: the caller's promise.
                unsafe { to.cast::<[$type; $lanes]>().write_unaligned(self.0) }
            }
            #[inline(always)]
            unsafe fn load_first(from: *const $type, n: usize) -> Self {
                let mut all = [0.0; $lanes];
                // SAFETY: the caller's promise; `n` is at most the length.
                unsafe { std::ptr::copy_nonoverlapping(from, all.as_mut_ptr(), n) };
                Portable(all)
            }
            #[inline(always)]
            unsafe fn store_first(self, to: *mut $type, n: usize) {
                // SAFETY: as above.
                unsafe { std::ptr::copy_nonoverlapping(self.0.as_ptr(), to, n) };
            }
            #[inline(always)]
            unsafe fn fma(mut self, b: Self, c: Self) -> Self {
                for ((a, b), c) in self.0.iter_mut().zip(b.0).zip(c.0) {
                    *a = if FUSED { a.mul_add(b, c) } else { *a * b + c };
                }
                self
            }
            #[inline(always)]
            unsafe fn plus(mut self, b: Self) -> Self {
                self.0.iter_mut().zip(b.0).for_each(|(a, b)| *a += b);
                self
            }
            const SIDE: usize = $lanes;
            #[inline(always)]
            unsafe fn turn(from: &[*const $type], to: *mut $type, step: usize) {
                for row in 0..Self::SIDE {
                    for (column, from) in from[..Self::SIDE].iter().enumerate() {
                        // SAFETY: the caller's promise.
                        unsafe { *to.add(row * step + column) = *from.add(row) };
                    }
                }
            }
        }

        impl HasVectors for $type {
            // Every processor of aarch64 has the fused instruction; elsewhere it would be a call into libm.
            type Baseline = Portable<$type, $lanes, { cfg!(target_arch = "aarch64") }>;
            #[cfg(test)]
            type Exact = Portable<$type, $lanes, true>;
            #[cfg(target_arch = "x86_64")]
            type Avx2 = registers::Avx2<$type>;
            #[cfg(target_arch = "x86_64")]
            type Avx512 = registers::Avx512<$type>;
        }
    )*};
}

portable! {
    f32, 4;
    f64, 2;
}

#[cfg(target_arch = "x86_64")]
mod registers {
    use std::arch::x86_64::*;

    use super::Vector;

    /// The machine's register for a type.
    pub trait Machine: Copy {
        type Avx2: Copy;
        type Avx512: Copy;
    }

    impl Machine for f32 {
        type Avx2 = __m256;
        type Avx512 = __m512;
    }

    impl Machine for f64 {
        type Avx2 = __m256d;
        type Avx512 = __m512d;
    }

    #[derive(Clone, Copy)]
    pub struct Avx2<T: Machine>(T::Avx2);
    #[derive(Clone, Copy)]
    pub struct Avx512<T: Machine>(T::Avx512);

    macro_rules! registers {
        ($($name:ident<$type:ty>, $lanes:literal: $zero:ident $set:ident $load:ident $store:ident $fma:ident $add:ident
           $mask:ident $load_first:ident $store_first:ident $turn:ident $side:literal;)*) => {$(
            impl Vector<$type> for $name<$type> {
                const LANES: usize = $lanes;
                #[inline(always)]
                unsafe fn zero() -> Self {
                    // SAFETY: the caller's promise.
                    $name(unsafe { $zero() })
                }
                #[inline(always)]
                unsafe fn broadcast(from: *const $type) -> Self {
                    // SAFETY: the caller's promise.
                    $name(unsafe { $set(*from) })
                }
                #[inline(always)]
                unsafe fn load(from: *const $type) -> Self {
                    // SAFETY: the caller's promise.
                    $name(unsafe { $load(from) })
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut $type) {
                    // SAFETY: the caller's promise.
                    unsafe { $store(to, self.0) }
                }
                #[inline(always)]
                unsafe fn load_first(from: *const $type, n: usize) -> Self {
                    // SAFETY: the caller's promise; lanes that the mask leaves out are not read.
                    $name(unsafe { $load_first(from, $mask(n)) })
                }
                #[inline(always)]
                unsafe fn store_first(self, to: *mut $type, n: usize) {
                    // SAFETY: the caller's promise; lanes that the mask leaves out are not written.
                    unsafe { $store_first(to, $mask(n), self.0) }
                }
                #[inline(always)]
                unsafe fn fma(self, b: Self, c: Self) -> Self {
                    // SAFETY: the caller's promise.
                    $name(unsafe { $fma(self.0, b.0, c.0) })
                }
                #[inline(always)]
                unsafe fn plus(self, b: Self) -> Self {
                    // SAFETY: the caller's promise.
                    $name(unsafe { $add(self.0, b.0) })
                }
                const SIDE: usize = $side;
                #[inline(always)]
                unsafe fn turn(from: &[*const $type], to: *mut $type, step: usize) {
                    // SAFETY: the caller's promise.
                    unsafe { $turn(from, to, step) }
                }
            }
        )*};
    }

    #[inline(always)]
    unsafe fn load_512(from: *const f32, mask: u16) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_maskz_loadu_ps(mask, from) }
    }

    #[inline(always)]
    unsafe fn load_512d(from: *const f64, mask: u8) -> __m512d {
        // SAFETY: the caller's promise.
        unsafe { _mm512_maskz_loadu_pd(mask, from) }
    }

    #[inline(always)]
    fn bits_16(n: usize) -> u16 {
        ((1_u32 << n) - 1) as u16
    }

    #[inline(always)]
    fn bits_8(n: usize) -> u8 {
        bits_16(n) as u8
    }

    #[inline(always)]
    unsafe fn lanes_8(n: usize) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe {
            let all = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), all)
        }
    }

    #[inline(always)]
    unsafe fn lanes_4(n: usize) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { _mm256_cmpgt_epi64(_mm256_set1_epi64x(n as i64), _mm256_setr_epi64x(0, 1, 2, 3)) }
    }

    /// A square of 8 by 8: halves of lines four apart share a register, so that two rounds of shuffles are enough.
    #[inline(always)]
    unsafe fn turn_8(from: &[*const f32], to: *mut f32, step: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            for half in 0..2 {
                let mut lines = [_mm256_setzero_ps(); 4];
                for (i, line) in lines.iter_mut().enumerate() {
                    let low = _mm256_castps128_ps256(_mm_loadu_ps(from[i].add(4 * half)));
                    *line = _mm256_insertf128_ps::<1>(low, _mm_loadu_ps(from[i + 4].add(4 * half)));
                }
                let [a, b, c, d] = lines;
                let (ab0, ab1) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
                let (cd0, cd1) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
                let to = to.add(4 * half * step);
                _mm256_storeu_ps(to, _mm256_shuffle_ps::<0x44>(ab0, cd0));
                _mm256_storeu_ps(to.add(step), _mm256_shuffle_ps::<0xee>(ab0, cd0));
                _mm256_storeu_ps(to.add(2 * step), _mm256_shuffle_ps::<0x44>(ab1, cd1));
                _mm256_storeu_ps(to.add(3 * step), _mm256_shuffle_ps::<0xee>(ab1, cd1));
            }
        }
    }

    /// A square of 4 by 4.
    #[inline(always)]
    unsafe fn turn_4(from: &[*const f64], to: *mut f64, step: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            for half in 0..2 {
                let mut lines = [_mm256_setzero_pd(); 2];
                for (i, line) in lines.iter_mut().enumerate() {
                    let low = _mm256_castpd128_pd256(_mm_loadu_pd(from[i].add(2 * half)));
                    *line = _mm256_insertf128_pd::<1>(low, _mm_loadu_pd(from[i + 2].add(2 * half)));
                }
                let [a, b] = lines;
                let to = to.add(2 * half * step);
                _mm256_storeu_pd(to, _mm256_unpacklo_pd(a, b));
                _mm256_storeu_pd(to.add(step), _mm256_unpackhi_pd(a, b));
            }
        }
    }

    registers! {
        Avx2<f32>, 8: _mm256_setzero_ps _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_fmadd_ps _mm256_add_ps
            lanes_8 _mm256_maskload_ps _mm256_maskstore_ps turn_8 8;
        Avx2<f64>, 4: _mm256_setzero_pd _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_fmadd_pd _mm256_add_pd
            lanes_4 _mm256_maskload_pd _mm256_maskstore_pd turn_4 4;
        Avx512<f32>, 16: _mm512_setzero_ps _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_fmadd_ps _mm512_add_ps
            bits_16 load_512 _mm512_mask_storeu_ps turn_8 8;
        Avx512<f64>, 8: _mm512_setzero_pd _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_fmadd_pd _mm512_add_pd
            bits_8 load_512d _mm512_mask_storeu_pd turn_4 4;
    }
}
