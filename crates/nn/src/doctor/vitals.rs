//! What is measured of one tensor: a handful of numbers.
//!
//! A look at a step measures everything that the step knows, so these are loops that processors do eight numbers at a time.

use chainrule_tensor::{DType, Tensor};

use crate::error::Result;

/// How an activation is bounded, and so where it is saturated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Squash {
    /// Not bounded on both sides.
    None,
    /// Between −1 and 1.
    Tanh,
    /// Between 0 and 1.
    Sigmoid,
}

/// |tanh z| beyond which a unit counts as saturated: |z| > 5, as DeepDiagnosis has it; the slope is below 0.0002 there.
const SATURATED: f64 = 0.999_909;

/// What is measured of one tensor.
///
/// ```
/// use chainrule_nn::doctor::{Squash, Vitals};
/// use chainrule_tensor::Tensor;
/// let v = Vitals::of(&Tensor::from([[0.0, 3.0], [0.0, 5.0]]), Some(1), Squash::None)?;
/// assert_eq!((v.mean, v.zeros, v.silent, v.largest), (2.0, 0.5, 0.5, 5.0));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Vitals {
    /// Mean of all elements.
    pub mean: f64,
    /// Standard deviation of all elements.
    pub deviation: f64,
    /// Root of the mean square.
    pub rms: f64,
    /// The greatest magnitude.
    pub largest: f64,
    /// Share of elements that are exactly 0.
    pub zeros: f64,
    /// Share of elements at a bound of the activation.
    pub saturated: f64,
    /// Share of units, positions of one axis, that are 0 in all of the tensor.
    pub silent: f64,
    /// The greatest difference of a unit from the first one: 0 where all units are equal.
    pub apart: f64,
    /// Share of elements that are NaN or infinite.
    pub not_finite: f64,
}

impl Vitals {
    /// Of an array whose units lie along axis `units`; zeros if it has no elements.
    ///
    /// # Errors
    /// None but those of the tensor crate.
    pub fn of(x: &Tensor, units: Option<usize>, squash: Squash) -> Result<Self> {
        if x.size() == 0 {
            return Ok(Vitals::default());
        }
        let shape = x.shape();
        let units = units.filter(|axis| *axis < shape.len() && shape[*axis] > 1);
        let units = units.map(|axis| Units { count: shape[axis], run: shape[axis + 1..].iter().product() });
        let x = if matches!(x.dtype(), DType::F32 | DType::F64) { x.clone() } else { x.cast(DType::F64) };
        let x = x.to_contiguous();
        Ok(match x.as_slice::<f32>() {
            Some(values) => measured(values, units, squash),
            None => measured(x.as_slice::<f64>().unwrap_or_default(), units, squash),
        })
    }
}

/// How units lie: so many, each in runs of so many elements.
#[derive(Clone, Copy)]
struct Units {
    count: usize,
    run: usize,
}

/// Elements that are summed side by side.
const LANES: usize = 8;

/// Of each lane, so far.
#[derive(Clone, Copy, Default)]
struct Sums {
    sum: f64,
    squares: f64,
    largest: f64,
    zeros: f64,
    saturated: f64,
    not_finite: f64,
}

impl Sums {
    fn add(&mut self, v: f64, bounded: f64) {
        self.sum += v;
        self.squares += v * v;
        self.largest = larger(self.largest, v.abs());
        self.zeros += f64::from(u8::from(v == 0.0));
        self.saturated += f64::from(u8::from(bounded > SATURATED));
        self.not_finite += f64::from(u8::from(!v.is_finite()));
    }
}

/// The larger one; NaN if either is.
fn larger(a: f64, b: f64) -> f64 {
    if a >= b || a.is_nan() { a } else { b }
}

fn measured<T: Copy + Into<f64>>(values: &[T], units: Option<Units>, squash: Squash) -> Vitals {
    let sums = match squash {
        Squash::None => sums(values, |_| 0.0),
        Squash::Tanh => sums(values, f64::abs),
        Squash::Sigmoid => sums(values, |v| (v * 2.0 - 1.0).abs()),
    };
    let n = values.len() as f64;
    let all = |part: fn(&Sums) -> f64| sums.iter().map(part).sum::<f64>();
    let (mean, largest) = (all(|s| s.sum) / n, sums.iter().fold(0.0, |most, s| larger(most, s.largest)));
    let mut apart_from_mean = [0.0; LANES];
    lanes(values, |lane, v: f64| apart_from_mean[lane] += (v - mean) * (v - mean));
    let (silent, apart) = match units {
        Some(units) => unlike(values, units),
        // A single unit is silent where all is 0, and has no twin.
        None => (f64::from(u8::from(largest == 0.0)), 1.0),
    };
    Vitals {
        mean,
        deviation: (apart_from_mean.iter().sum::<f64>() / n).sqrt(),
        rms: (all(|s| s.squares) / n).sqrt(),
        largest,
        zeros: all(|s| s.zeros) / n,
        saturated: all(|s| s.saturated) / n,
        silent,
        apart,
        not_finite: all(|s| s.not_finite) / n,
    }
}

fn sums<T: Copy + Into<f64>>(values: &[T], bounded: impl Fn(f64) -> f64) -> [Sums; LANES] {
    let mut sums = [Sums::default(); LANES];
    lanes(values, |lane, v| sums[lane].add(v, bounded(v)));
    sums
}

/// Gives each element to its lane.
fn lanes<T: Copy + Into<f64>>(values: &[T], mut take: impl FnMut(usize, f64)) {
    let (whole, rest) = values.as_chunks::<LANES>();
    for chunk in whole {
        (0..LANES).for_each(|lane| take(lane, chunk[lane].into()));
    }
    rest.iter().enumerate().for_each(|(lane, v)| take(lane, (*v).into()));
}

/// The share of units that are 0 everywhere, and the greatest difference of any from the first.
fn unlike<T: Copy + Into<f64>>(values: &[T], Units { count, run }: Units) -> (f64, f64) {
    let mut largest = vec![0.0_f64; count];
    let mut apart = 0.0;
    for example in values.chunks(count * run) {
        let first = &example[..run];
        for (largest, unit) in largest.iter_mut().zip(example.chunks(run)) {
            for (v, first) in unit.iter().zip(first) {
                let v: f64 = (*v).into();
                *largest = larger(*largest, v.abs());
                apart = larger(apart, (v - (*first).into()).abs());
            }
        }
    }
    (largest.iter().filter(|most| **most == 0.0).count() as f64 / count as f64, apart)
}

/// The axis of the units of an activation (batch, …): channels of images, features of all else.
pub(super) fn units_of_activation(rank: usize) -> Option<usize> {
    match rank {
        0 | 1 => None,
        4.. => Some(1),
        _ => Some(rank - 1),
    }
}

/// The axis of the units of a weight: its last, but of a convolution its first.
pub(super) fn units_of_weight(rank: usize) -> Option<usize> {
    match rank {
        0 | 1 => None,
        2 => Some(1),
        _ => Some(0),
    }
}
