//! shim
use crate::Real;
/// shim
pub fn uniform<T: Real>(key: [u64; 3], out: &mut [T]) {
    use rand::{Rng, SeedableRng};
    let mut seed = [0u8; 32]; for (i, k) in key.iter().enumerate() { seed[i*8..i*8+8].copy_from_slice(&k.to_le_bytes()); }
    let mut r = rand_chacha::ChaCha8Rng::from_seed(seed);
    for o in out { *o = T::from_f64((r.next_u64() >> 11) as f64 / (1u64 << 53) as f64); }
}
