//! Randomness as a function: the same key gives the same numbers, on every machine and at any number of threads.
//!
//! There is no hidden generator whose state depends on what ran before. A [`Key`] is made from one seed, and
//! split by name and by number into as many independent keys as a program needs; drawing from a key
//! does not change it.
//!
//! ```
//! use chainrule_tensor::{DType, Key, Tensor};
//!
//! let key = Key::new(42);
//! let weights = Tensor::normal(key.named("init"), [25, 10], 0.0, 0.1, DType::F32)?;
//! for epoch in 0..3 {
//!     let order = key.named("shuffle").at(epoch).permutation(100)?;
//!     assert_eq!(order.len(), 100);
//! }
//! # Ok::<(), chainrule_tensor::Error>(())
//! ```

use std::ops::Range;

use chacha20::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use crate::create::real_only;
use crate::{DType, Error, Real, Result, Shape, Tensor};

/// A seed or what was derived from it: 192 bits that determine every number drawn with it.
///
/// Bits come from the ChaCha8 stream cipher, seeded with the key's words (little-endian) and a tag for the
/// purpose. The cipher is specified, so they do not change with a machine or a release of a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u64; 3]);

/// The purposes a key's bits are put to, so that no two of them ever see the same stream.
#[derive(Clone, Copy)]
enum Purpose {
    Draw = 0,
    Named = 1,
    At = 2,
}

impl Key {
    /// The root of a program's randomness.
    pub fn new(seed: u64) -> Self {
        Key([seed, 0, 0])
    }

    /// The key for one purpose, such as `"init"`, `"shuffle"`, `"dropout"`. Different names give independent
    /// keys, as do different parents.
    pub fn named(self, name: &str) -> Self {
        // FNV-1a spreads the name over 64 bits; ChaCha mixes them with the parent.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        self.derive(Purpose::Named, hash)
    }

    /// The `index`-th of a series of keys: one for each epoch, step, layer or example.
    pub fn at(self, index: u64) -> Self {
        self.derive(Purpose::At, index)
    }

    /// The words of the key, to be stored in a checkpoint.
    pub fn words(self) -> [u64; 3] {
        self.0
    }

    /// The key with these [`words`](Key::words).
    pub fn from_words(words: [u64; 3]) -> Self {
        Key(words)
    }

    /// The numbers `0..n` in random order (Fisher–Yates), every order equally likely.
    ///
    /// # Panics
    /// As `Vec` does, if `n` numbers would not fit the address space.
    ///
    /// ```
    /// # use chainrule_tensor::Key;
    /// let mut order = Key::new(7).permutation(5)?;
    /// assert_eq!(order, Key::new(7).permutation(5)?);
    /// order.sort();
    /// assert_eq!(order, [0, 1, 2, 3, 4]);
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] for more numbers than memory holds.
    pub fn permutation(self, n: usize) -> Result<Vec<usize>> {
        crate::shape::room("permutation", &[n].into(), size_of::<usize>())?;
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        Ok(order)
    }

    /// Puts `items` in an order in which every one of the possible ones is equally likely.
    pub fn shuffle<T>(self, items: &mut [T]) {
        let mut rng = self.rng(Purpose::Draw);
        for last in (1..items.len()).rev() {
            items.swap(last, below(&mut rng, last as u64 + 1) as usize);
        }
    }

    fn derive(self, purpose: Purpose, stream: u64) -> Self {
        let mut rng = self.rng(purpose);
        rng.set_stream(stream);
        Key(std::array::from_fn(|_| rng.next_u64()))
    }

    fn rng(self, purpose: Purpose) -> ChaCha8Rng {
        let mut seed = [0; 32];
        let words = self.0.into_iter().chain([purpose as u64]);
        for (bytes, word) in seed.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        ChaCha8Rng::from_seed(seed)
    }
}

impl Tensor {
    /// Numbers drawn evenly from `range`, its end excluded.
    ///
    /// Drawn as `f64` and rounded, so the two widths of one key agree.
    ///
    /// # Errors
    /// [`Error::DType`] if `dtype` is not real, [`Error::Value`] if the range is empty or not finite, or has no
    /// number of this dtype in it or an end beyond its greatest.
    ///
    /// ```
    /// # use chainrule_tensor::{DType, Key, Tensor};
    /// let t = Tensor::uniform(Key::new(1), [2, 3], -1.0..1.0, DType::F32)?;
    /// assert!(t.view::<f32>()?.iter().all(|x| (-1.0..1.0).contains(x)));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn uniform(key: Key, shape: impl Into<Shape>, range: Range<f64>, dtype: DType) -> Result<Self> {
        let width = range.end - range.start;
        if !(width > 0.0 && width.is_finite()) {
            let why = format!("needs a finite range of positive width, not {range:?}");
            return Err(Error::Value { op: "uniform", why });
        }
        if dtype == DType::F32 && !holds_f32(&range) {
            let why = format!("f32 reaches to {:e} and has no number for {range:?}", f32::MAX);
            return Err(Error::Value { op: "uniform", why });
        }
        draw("uniform", key, shape.into(), dtype, |rng| {
            let unit = (rng.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64);
            range.start + width * unit
        })
        .map(|drawn| within(drawn, &range))
    }

    /// Normally distributed numbers with the given mean and standard deviation.
    ///
    /// Drawn as `f64` (by `rand_distr`'s ziggurat) and rounded, so the two widths of one key agree.
    ///
    /// # Errors
    /// [`Error::DType`] if `dtype` is not real, [`Error::Value`] if `mean` or `std` is not finite in it or `std`
    /// is negative.
    ///
    /// ```
    /// # use chainrule_tensor::{DType, Key, Tensor};
    /// let noise = Tensor::normal(Key::new(1), [100], 0.0, 0.1, DType::F32)?;
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn normal(key: Key, shape: impl Into<Shape>, mean: f64, std: f64, dtype: DType) -> Result<Self> {
        if !(mean.is_finite() && std.is_finite() && std >= 0.0) {
            let why = format!("needs a finite mean and a finite std >= 0, not {mean} and {std}");
            return Err(Error::Value { op: "normal", why });
        }
        if dtype == DType::F32 && !((mean as f32).is_finite() && (std as f32).is_finite()) {
            let why = format!("f32 reaches to {:e}, not to mean {mean:e} and std {std:e}", f32::MAX);
            return Err(Error::Value { op: "normal", why });
        }
        draw("normal", key, shape.into(), dtype, |rng| {
            let unit: f64 = StandardNormal.sample(rng);
            mean + std * unit
        })
    }
}

/// A tensor of `shape` filled in row-major order.
fn draw(
    op: &'static str,
    key: Key,
    shape: Shape,
    dtype: DType,
    next: impl Fn(&mut ChaCha8Rng) -> f64,
) -> Result<Tensor> {
    let mut rng = key.rng(Purpose::Draw);
    let n = crate::shape::room(op, &shape, 8)?;
    let mut numbers = std::iter::repeat_with(|| next(&mut rng)).take(n);
    match dtype {
        DType::F32 => Tensor::from_vec(numbers.by_ref().map(f32::from_f64).collect(), shape),
        DType::F64 => Tensor::from_vec(numbers.collect::<Vec<f64>>(), shape),
        found => Err(real_only(op, found)),
    }
}

/// The least f32 of a range, and the greatest below its end.
fn ends_f32(range: &Range<f64>) -> [f32; 2] {
    let (first, end) = (range.start as f32, range.end as f32);
    let first = if f64::from(first) < range.start { first.next_up() } else { first };
    [first, if f64::from(end) < range.end { end } else { end.next_down() }]
}

/// Whether f32 reaches to both ends of a range and has a number in it.
fn holds_f32(range: &Range<f64>) -> bool {
    let [first, last] = ends_f32(range);
    first.is_finite() && (range.start as f32).is_finite() && (range.end as f32).is_finite() && first <= last
}

/// Rounding can carry a number out of a half-open range; this takes it back.
fn within(tensor: Tensor, range: &Range<f64>) -> Tensor {
    match tensor {
        Tensor::F32(a) => {
            let [first, last] = ends_f32(range);
            Tensor::F32(a.mapv_into(|x| x.clamp(first, last)))
        }
        Tensor::F64(a) => Tensor::F64(a.mapv_into(|x| x.min(range.end.next_down()))),
        other => other,
    }
}

/// A number below `n`, each equally likely (multiplication with rejection).
fn below(rng: &mut ChaCha8Rng, n: u64) -> u64 {
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(n);
        // The low half tells how far into its bucket the draw fell; the first 2⁶⁴ mod n would be one too many.
        if product as u64 >= n.wrapping_neg() % n {
            return (product >> 64) as u64;
        }
    }
}
