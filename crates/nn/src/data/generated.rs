//! Points of the plane in two classes, drawn anew for each key: the tasks that the course's assignments generate.

use std::f64::consts::PI;

use chainrule_tensor::{DType, Key, Tensor};

use super::Dataset;
use crate::error::Result;

/// Reals in 0..1 and of the normal distribution, one of each for each of `n` rows and `columns`.
fn noise(key: Key, n: usize, columns: usize) -> Result<Vec<f64>> {
    Ok(Tensor::normal(key, [n, columns], 0.0, 1.0, DType::F64)?.to_vec()?)
}

fn points(rows: Vec<[f64; 2]>, labels: Vec<i64>) -> Result<Dataset> {
    let n = rows.len();
    let flat = rows.into_iter().flatten().map(|x| x as f32).collect();
    Dataset::classification(Tensor::from_vec(flat, [n, 2])?, Tensor::from_vec(labels, [n])?, 2)
}

/// Two half circles of radius 1 that reach into each other (scikit-learn's `make_moons`), `n` points in all, with normal
/// noise of this deviation.
///
/// # Errors
/// A deviation that is negative or not finite.
pub fn moons(n: usize, deviation: f64, key: Key) -> Result<Dataset> {
    let noise = noise(key, n, 2)?;
    let outer = n.div_ceil(2);
    let angle = |i: usize, of: usize| PI * i as f64 / (of.max(2) - 1) as f64;
    let place = |i: usize| match i.checked_sub(outer) {
        None => [angle(i, outer).cos(), angle(i, outer).sin()],
        Some(i) => [1.0 - angle(i, n - outer).cos(), 0.5 - angle(i, n - outer).sin()],
    };
    let row = |i: usize| {
        let [x, y] = place(i);
        [x + deviation * noise[2 * i], y + deviation * noise[2 * i + 1]]
    };
    points((0..n).map(row).collect(), (0..n).map(|i| i64::from(i >= outer)).collect())?
        .checked_deviation(deviation)
}

/// A circle of radius 1, class 0, around one of radius `inner`, class 1 (scikit-learn's `make_circles`), with noise.
///
/// # Errors
/// A deviation that is negative or not finite.
pub fn circles(n: usize, inner: f64, deviation: f64, key: Key) -> Result<Dataset> {
    let noise = noise(key, n, 2)?;
    let outer = n.div_ceil(2);
    let row = |i: usize| {
        let (k, of, radius) = if i < outer { (i, outer, 1.0) } else { (i - outer, n - outer, inner) };
        let angle = 2.0 * PI * k as f64 / of as f64;
        [radius * angle.cos() + deviation * noise[2 * i], radius * angle.sin() + deviation * noise[2 * i + 1]]
    };
    points((0..n).map(row).collect(), (0..n).map(|i| i64::from(i >= outer)).collect())?
        .checked_deviation(deviation)
}

/// A flower of four petals whose halves are the two classes (course 1, week 3's task): radius 4 sin 4θ, with noise of
/// deviation 0.2 in angle and radius.
///
/// # Errors
/// None for sizes that memory holds.
pub fn flower(n: usize, key: Key) -> Result<Dataset> {
    let noise = noise(key, n, 2)?;
    let half = n.div_ceil(2);
    let row = |i: usize| {
        let (class, k, of) = if i < half { (0.0, i, half) } else { (1.0, i - half, n - half) };
        let start = class * 3.12;
        let angle = start + 3.12 * k as f64 / (of.max(2) - 1) as f64 + 0.2 * noise[2 * i];
        let radius = 4.0 * (4.0 * angle).sin() + 0.2 * noise[2 * i + 1];
        [radius * angle.sin(), radius * angle.cos()]
    };
    points((0..n).map(row).collect(), (0..n).map(|i| i64::from(i >= half)).collect())
}

impl Dataset {
    fn checked_deviation(self, deviation: f64) -> Result<Self> {
        if deviation >= 0.0 && deviation.is_finite() {
            return Ok(self);
        }
        Err(crate::Error::argument(
            "data",
            format!("the noise has deviation {deviation}; at least 0 and finite are wanted"),
        ))
    }
}
