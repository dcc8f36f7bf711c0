//! Whether two sets come from one distribution.

use std::fmt;

use chainrule_tensor::{DType, Key};

use super::Dataset;
use crate::{Error, Result};

/// What [`two_samples`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoSamples {
    /// The energy distance (Székely and Rizzo 2004) between the rows, each feature in units of its standard deviation over both
    /// sets: 2 E|X − Y| − E|X − X′| − E|Y − Y′|, 0 for equal distributions.
    pub energy: f64,
    /// How often a distance as great comes of one distribution, by permutations; at least 1/1000.
    pub p: f64,
    /// Each feature by itself.
    pub features: Vec<Drift>,
}

/// How one feature differs between two sets.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// The feature, or its number from 0.
    pub name: String,
    /// The greatest difference of the two distribution functions (Kolmogorov and Smirnov).
    pub distance: f64,
    /// How often a difference as great comes of one distribution, for large sets (Kolmogorov 1933). Of n features, the smallest of n is
    /// to be multiplied by n.
    pub p: f64,
}

/// Rows of each set that the energy distance looks at.
const ROWS: usize = 200;
const PERMUTATIONS: usize = 999;

/// Whether the features of `a` and `b` come from one distribution, such as those of a training and a dev set, or of last year's data
/// and today's (course 3, lectures 1.5 and 2.5). At most 200 rows of each set, drawn by `key`, are compared as
/// wholes, all rows feature by feature.
///
/// ```
/// use chainrule_nn::data::{two_samples, wine};
/// use chainrule_tensor::Key;
/// let [train, test] = wine()?.split([0.5, 0.5], Key::new(1))?;
/// assert!(two_samples(&train, &test, Key::new(2))?.p > 0.01);
/// // Split where the rows are sorted by class, the parts differ.
/// let rows: Vec<usize> = (0..178).collect();
/// let (first, last) = (wine()?.select(&rows[..89])?, wine()?.select(&rows[89..])?);
/// let found = two_samples(&first, &last, Key::new(2))?;
/// assert!(found.p < 0.01);
/// println!("{found}");
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
///
/// # Errors
/// [`Error::Names`] for features of other names, [`Error::Argument`] for other sizes or a set of one row.
pub fn two_samples(a: &Dataset, b: &Dataset, key: Key) -> Result<TwoSamples> {
    const OP: &str = "two_samples";
    a.names().agree(OP, ["the first set has", "the second has"], b.names())?;
    if a.example_shape() != b.example_shape() {
        let why = format!("examples of shape {} against {}", a.example_shape(), b.example_shape());
        return Err(Error::argument(OP, why));
    }
    if a.examples() < 2 || b.examples() < 2 {
        return Err(Error::argument(OP, "a set of one row has no distribution: at least two are needed"));
    }
    let width = a.example_shape().iter().product::<usize>();
    let numbers = |data: &Dataset| data.features().cast(DType::F64).to_vec::<f64>();
    let (x, y) = (numbers(a)?, numbers(b)?);
    let column = |of: &[f64], j: usize| {
        let mut column: Vec<f64> = of.iter().skip(j).step_by(width).copied().collect();
        column.sort_by(f64::total_cmp);
        column
    };
    let names = a.names().or(b.names());
    let named = |j: usize| {
        names.features.as_ref().and_then(|n| n.get(j)).map_or_else(|| j.to_string(), |n| n.clone())
    };
    let mut features = Vec::new();
    let mut scales = Vec::new();
    for j in 0..width {
        let (p, q) = (column(&x, j), column(&y, j));
        scales.push(deviation(&p, &q));
        let distance = kolmogorov_smirnov(&p, &q);
        let n = (p.len() * q.len()) as f64 / (p.len() + q.len()) as f64;
        features.push(Drift { name: named(j), distance, p: beyond(distance * n.sqrt()) });
    }
    let some = |m: usize, name: &str| -> Result<Vec<usize>> {
        let mut rows = key.named(name).permutation(m)?;
        rows.truncate(ROWS);
        Ok(rows)
    };
    let (first, second) = (some(a.examples(), "first")?, some(b.examples(), "second")?);
    let row = |of: &[f64], i: usize| -> Vec<f64> {
        let values = of[i * width..][..width].iter().zip(&scales);
        // A feature that is the same everywhere tells nothing.
        values.map(|(value, scale)| if *scale > 0.0 { value / scale } else { 0.0 }).collect()
    };
    let rows: Vec<Vec<f64>> =
        first.iter().map(|i| row(&x, *i)).chain(second.iter().map(|i| row(&y, *i))).collect();
    let (energy, p) = permuted(&rows, first.len(), key.named("permutations"))?;
    Ok(TwoSamples { energy, p, features })
}

impl TwoSamples {
    /// Whether the sets differ at this level, such as 0.01, in their rows or in a feature, each of the two at half the level.
    pub fn differ(&self, level: f64) -> bool {
        let least = self.features.iter().map(|feature| feature.p).fold(1.0, f64::min);
        self.p <= level / 2.0 || least * self.features.len() as f64 <= level / 2.0
    }
}

/// The rows as a whole, then the five features that differ most.
impl fmt::Display for TwoSamples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "energy distance {:.4}, p {:.3}", self.energy, self.p)?;
        let mut features: Vec<&Drift> = self.features.iter().collect();
        features.sort_by(|a, b| a.p.total_cmp(&b.p));
        features.iter().take(5).try_for_each(|drift| {
            write!(f, "\n  {}: differs by {:.3}, p {:.3e}", drift.name, drift.distance, drift.p)
        })
    }
}

/// Over both together.
fn deviation(a: &[f64], b: &[f64]) -> f64 {
    let n = (a.len() + b.len()) as f64;
    let all = || a.iter().chain(b);
    let mean = all().sum::<f64>() / n;
    (all().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt()
}

/// The greatest difference of two distribution functions; both samples are sorted.
fn kolmogorov_smirnov(a: &[f64], b: &[f64]) -> f64 {
    let (mut i, mut j, mut most) = (0, 0, 0.0_f64);
    while i < a.len() && j < b.len() {
        let here = a[i].min(b[j]);
        i += a[i..].iter().take_while(|x| **x <= here).count();
        j += b[j..].iter().take_while(|x| **x <= here).count();
        most = most.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
    }
    most
}

/// The probability beyond `x` of Kolmogorov's distribution: 2 Σ (−1)ᵏ⁻¹ exp(−2 k² x²), for small x by the other series.
fn beyond(x: f64) -> f64 {
    if x < 1.0 {
        let pi = std::f64::consts::PI;
        let term = |k: i32| (-(f64::from(2 * k - 1) * pi / x).powi(2) / 8.0).exp();
        let below = (2.0 * pi).sqrt() / x * (1..20).map(term).sum::<f64>();
        return if x <= 0.0 { 1.0 } else { (1.0 - below).clamp(0.0, 1.0) };
    }
    let term =
        |k: i32| f64::from(if k % 2 == 1 { 2 } else { -2 }) * (-2.0 * (f64::from(k) * x).powi(2)).exp();
    (1..20).map(term).sum::<f64>().clamp(0.0, 1.0)
}

/// The energy distance between the first `n` rows and the others, and how often it is as great for rows in random order.
fn permuted(rows: &[Vec<f64>], n: usize, key: Key) -> Result<(f64, f64)> {
    let all = rows.len();
    let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    let distances: Vec<f64> = rows.iter().flat_map(|a| rows.iter().map(move |b| apart(a, b))).collect();
    let (p, q) = (n as f64, (all - n) as f64);
    // With the sums of all distances, and of those from the rows of the first part, the three means are known.
    let whole: f64 = distances.iter().sum();
    let of_row: Vec<f64> = distances.chunks(all).map(|row| row.iter().sum()).collect();
    let energy = |order: &[usize]| {
        let (first, _) = order.split_at(n);
        let within: f64 =
            first.iter().map(|i| first.iter().map(|j| distances[i * all + j]).sum::<f64>()).sum();
        let from: f64 = first.iter().map(|i| of_row[*i]).sum();
        let across = from - within;
        let rest = whole - within - 2.0 * across;
        2.0 * across / (p * q) - within / (p * p) - rest / (q * q)
    };
    let mut order: Vec<usize> = (0..all).collect();
    let found = energy(&order);
    let mut as_great = 0;
    for i in 0..PERMUTATIONS {
        key.at(i as u64).shuffle(&mut order);
        // Equal but for rounding counts as equal.
        as_great += usize::from(energy(&order) >= found - 1e-12 * whole);
    }
    Ok((found, (as_great + 1) as f64 / (PERMUTATIONS + 1) as f64))
}
