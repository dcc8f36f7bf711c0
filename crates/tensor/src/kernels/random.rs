//! Uniform numbers as a function of key and position.

use chacha20::ChaCha8Rng;
use rand::{Rng, SeedableRng};

use super::threads;
use crate::{Key, Real};

/// Elements that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// Fills `out` with uniform numbers in [0, 1): element `i` depends on `key` and `i` only.
///
/// The source is ChaCha8, seeded with the key's three words; an element takes 64 bits, of which an f64 shows
/// the upper 53 and an f32 the upper 24, so the f32 is the f64 rounded down.
///
/// ```
/// use chainrule_tensor::kernels::random::uniform;
/// let (mut a, mut b) = ([0.0_f64; 5], [0.0_f64; 9]);
/// uniform([1, 2, 3], &mut a);
/// uniform([1, 2, 3], &mut b);
/// assert_eq!(a, b[..5]);
/// ```
pub fn uniform<T: Real>(key: [u64; 3], out: &mut [T]) {
    let mut seed = [0; 32];
    for (bytes, word) in seed.chunks_exact_mut(8).zip(key) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    // Digits that a float of this type shows: 24 or 53.
    let digits = if size_of::<T>() == 4 { 24 } else { 53 };
    let unit = 1.0 / (1_u64 << digits) as f64;
    threads::for_chunks(out, CHUNK, |i, out| {
        let mut source = ChaCha8Rng::from_seed(seed);
        // Two words of 32 bits for each element before.
        source.set_word_pos(2 * (i * CHUNK) as u128);
        let mut bytes = [0; 4096];
        for out in out.chunks_mut(bytes.len() / 8) {
            source.fill_bytes(&mut bytes[..out.len() * 8]);
            for (x, word) in out.iter_mut().zip(bytes.as_chunks().0) {
                *x = T::from_f64((u64::from_le_bytes(*word) >> (64 - digits)) as f64 * unit);
            }
        }
    });
}

/// The words that [`uniform`] takes for a key of two numbers or more and a stream: two numbers stand for themselves, each
/// further one gives a key of its own that is derived from those before.
pub fn words(key: &[i64], stream: u64) -> [u64; 3] {
    let number = |i: usize| key.get(i).map_or(0, |x| *x as u64);
    let mut words = [number(0), number(1), stream];
    for further in key.iter().skip(2) {
        words = Key::from_words(words).at(*further as u64).words();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_uniform_and_keys_independent() {
        let mut a = vec![0.0_f64; 100_000];
        let mut b = vec![0.0_f64; 100_000];
        uniform([7, 0, 1], &mut a);
        uniform([7, 1, 1], &mut b);
        assert!(a.iter().all(|x| (0.0..1.0).contains(x)));
        let n = a.len() as f64;
        let mean = a.iter().sum::<f64>() / n;
        let square = a.iter().map(|x| (x - 0.5).powi(2)).sum::<f64>() / n;
        let together = a.iter().zip(&b).map(|(x, y)| (x - 0.5) * (y - 0.5)).sum::<f64>() / n;
        // Four standard errors each.
        assert!((mean - 0.5).abs() < 0.004 && (square - 1.0 / 12.0).abs() < 0.001 && together.abs() < 0.0011);
    }

    #[test]
    fn an_element_depends_on_its_position_alone() {
        let mut all = vec![0.0_f64; 3 * CHUNK + 5];
        uniform([1, 2, 3], &mut all);
        let mut source = ChaCha8Rng::from_seed(std::array::from_fn(|i| {
            if i < 24 && i % 8 == 0 { i as u8 / 8 + 1 } else { 0 }
        }));
        for x in all {
            assert_eq!(x, (source.next_u64() >> 11) as f64 / (1_u64 << 53) as f64);
        }
    }

    #[test]
    fn single_precision_is_double_rounded_down() {
        let (mut narrow, mut wide) = ([0.0_f32; 100], [0.0_f64; 100]);
        uniform([1, 2, 3], &mut narrow);
        uniform([1, 2, 3], &mut wide);
        for (n, w) in narrow.iter().zip(&wide) {
            assert!(f64::from(*n) <= *w && w - f64::from(*n) < 1.0 / (1 << 24) as f64);
        }
    }
}
