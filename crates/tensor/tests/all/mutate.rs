//! Damage to files, drawn from a seed: bits, bytes, numbers, cuts, splices and repetitions. It knows no format, so the
//! readers of other crates can be put under it as well.

/// Mutations of each reader in a quick run; the environment variable `CHAINRULE_FUZZ` asks for another number.
pub(crate) fn rounds() -> u64 {
    std::env::var("CHAINRULE_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000)
}

/// A source of numbers (SplitMix64).
pub(crate) struct Mutator(u64);

impl Mutator {
    pub(crate) fn new(seed: u64) -> Self {
        Mutator(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `n`, or 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// `bytes` with one to four damages; `other` lends its parts.
    pub(crate) fn damaged(&mut self, bytes: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            self.damage(&mut bytes, other);
        }
        bytes
    }

    fn damage(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        const NUMBERS: [u64; 8] = [0, 1, 0x7f, 0xff, 0xffff, u32::MAX as u64, i64::MAX as u64, u64::MAX];
        const DIGITS: [&str; 6] =
            ["0", "-1", "4294967296", "9223372036854775807", "1e999", "99999999999999999999"];
        let at = self.below(bytes.len() + 1);
        let end = (at + self.below(16)).min(bytes.len());
        let spare = self.below(other.len() + 1);
        let lent = &other[spare..(spare + self.below(32)).min(other.len())];
        match self.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = self.next() as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => drop(bytes.splice(at..end, lent.iter().copied())),
            5 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            // A number in place of the bytes there, as lengths and offsets are stored.
            6 => {
                let number = NUMBERS[self.below(NUMBERS.len())].to_le_bytes();
                let width = [1, 2, 4, 8][self.below(4)].min(bytes.len() - at);
                bytes[at..at + width].copy_from_slice(&number[..width]);
            }
            // A number in place of one in text.
            7 => {
                if let Some(start) = (at..bytes.len()).find(|i| bytes[*i].is_ascii_digit()) {
                    let stop = (start..bytes.len()).find(|i| !bytes[*i].is_ascii_digit());
                    let digits = DIGITS[self.below(DIGITS.len())].bytes();
                    bytes.splice(start..stop.unwrap_or(bytes.len()), digits);
                }
            }
            _ => bytes.extend_from_slice(lent),
        }
    }
}
