//! What the processor can do at most, for shares of it: registers that multiply and add, and wait for nothing else.

use std::hint::black_box;

use super::level::Level;
use super::simd::{HasVectors, Vector};
use crate::Real;

/// Sums that are under way at once: more than an addition takes steps, and no more than there are registers.
const CHAINS: usize = 12;

/// Multiplies and adds `rounds` times in each of some registers of `level`, or of the best one that the processor has if
/// that is less, on this thread; gives the number of multiplications. With a clock around it that is the peak that
/// products are measured by.
///
/// ```
/// use chainrule_tensor::kernels::{Level, peak::multiply_add};
/// assert!(multiply_add::<f32>(Level::detected(), 10) >= 10);
/// ```
pub fn multiply_add<T: Real>(level: Level, rounds: usize) -> usize {
    match level.min(Level::detected()) {
        // SAFETY: `min` leaves no level that this processor lacks.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { avx512::<T>(rounds) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { avx2::<T>(rounds) },
        // SAFETY: every processor has these registers.
        _ => unsafe { chains::<T, T::Baseline>(rounds) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<T: HasVectors + Real>(rounds: usize) -> usize {
    // SAFETY: this function's features.
    unsafe { chains::<T, T::Avx2>(rounds) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn avx512<T: HasVectors + Real>(rounds: usize) -> usize {
    // SAFETY: this function's features.
    unsafe { chains::<T, T::Avx512>(rounds) }
}

/// # Safety
/// The processor has the registers.
#[inline(always)]
unsafe fn chains<T: Real, V: Vector<T>>(rounds: usize) -> usize {
    let factor = black_box(T::lit(0.5));
    // SAFETY: the caller's promise; the results are as long as a register.
    unsafe {
        let factor = V::broadcast(&factor);
        let mut sums = [factor; CHAINS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = sum.fma(factor, factor);
            }
        }
        for sum in sums {
            let mut out = [T::zero(); 16];
            sum.store(out.as_mut_ptr());
            black_box(out);
        }
    }
    rounds * CHAINS * V::LANES
}
