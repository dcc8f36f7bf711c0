//! From single points to a verdict on a parameter.

use super::difference::{self, Estimate, Line};
use super::verdict::{Fault, Kink, Verdict};
use crate::error::Result;

/// A recorded derivative beside a numeric one.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) index: Vec<usize>,
    pub(super) recorded: f64,
    pub(super) numeric: Estimate,
    /// The slopes to the left and to the right, if they differ.
    pub(super) sides: Option<(f64, f64)>,
    pub(super) step: f64,
}

impl Point {
    pub(super) fn gap(&self) -> f64 {
        (self.recorded - self.numeric.value).abs()
    }

    fn size(&self) -> f64 {
        self.recorded.abs() + self.numeric.value.abs()
    }

    /// Whether the two differ beyond doubt, in a gradient whose elements are of size `gauge`.
    pub(super) fn is_wrong(&self, gauge: f64) -> bool {
        let gap = self.gap();
        let beyond = |much: f64| gap > much;
        !self.recorded.is_finite()
            || beyond(1e-4 * self.size()) && beyond(10.0 * self.numeric.error) && beyond(1e-6 * gauge)
    }

    /// Whether the numeric derivative neither confirms the recorded one nor refutes it.
    pub(super) fn is_open(&self, gauge: f64) -> bool {
        let gap = self.gap();
        gap.is_nan() || gap > 1e-3 * self.size() && gap > 1e-9 * gauge && !self.is_wrong(gauge)
    }
}

/// Takes numeric derivatives of one function, at as few values as will do.
pub(super) struct Meter {
    /// The value at the point, and the error of rounding in it.
    pub(super) here: f64,
    pub(super) noise: f64,
    /// The only steps to try, relative to the size of what is moved.
    pub(super) fixed: Option<f64>,
    step: Option<f64>,
    faults: usize,
}

impl Meter {
    /// Beyond so many wrong points, further ones are not looked into.
    const FAULTS: usize = 64;

    pub(super) fn new(here: f64, noise: f64, fixed: Option<f64>) -> Self {
        Meter { here, noise, fixed, step: None, faults: 0 }
    }

    /// Sweeps anew at the next point: another parameter has another scale.
    pub(super) fn forget(&mut self) {
        self.step = None;
        self.faults = 0;
    }

    /// Compares `recorded` with differences of `f`, which moves something of size `size`; derivatives around are of
    /// size `gauge`.
    pub(super) fn point(&mut self, mut f: impl Line, recorded: f64, gauge: f64, size: f64) -> Result<Point> {
        let scale = size.max(1.0);
        let point = |numeric, sides, step| Point { index: Vec::new(), recorded, numeric, sides, step };
        if let Some(step) = self.fixed.or(self.step) {
            let q = difference::quick(&mut f, self.here, step * scale)?;
            let error = 2.0 * self.noise / (step * scale);
            let typical = gauge.max(recorded.abs() + q.slope.abs());
            let agrees = (q.slope - recorded).abs() + error <= 2e-8 * typical && q.bend <= 1e-2 * typical;
            if agrees || self.faults >= Self::FAULTS {
                return Ok(point(Estimate { value: q.slope, error }, None, step));
            }
        }
        let steps = match self.fixed {
            Some(step) => vec![2.0 * step * scale, step * scale, 0.5 * step * scale],
            None => difference::ladder(size),
        };
        let slopes = difference::sweep(&mut f, self.here, self.noise, &steps)?;
        let step = slopes.step / scale;
        self.step = Some(step);
        let (left, right) = (slopes.left, slopes.right);
        let jumps = left.value.is_infinite() || right.value.is_infinite();
        let found = if jumps || (right.value - left.value).abs() > apart(left, right) {
            (at_kink(recorded, left, right), Some((left.value, right.value)))
        } else {
            // At the edge of a domain only one side has values, and a kink nearby spoils what reaches beyond it.
            let all = [slopes.central, right, left];
            (difference::best(&all).unwrap_or(slopes.central), None)
        };
        let found = point(found.0, found.1, step);
        self.faults += usize::from(found.is_wrong(gauge));
        Ok(found)
    }
}

/// How far one-sided slopes must be apart to be two.
fn apart(left: Estimate, right: Estimate) -> f64 {
    let finite = |x: f64| if x.is_finite() { x.abs() } else { 0.0 };
    4.0 * (left.error + right.error) + 1e-4 * finite(left.value).max(finite(right.value))
}

/// At a kink every slope between the two is accepted; at a jump, any.
fn at_kink(recorded: f64, left: Estimate, right: Estimate) -> Estimate {
    let slack = |e: Estimate| e.error + 1e-6 * if e.value.is_finite() { e.value.abs() } else { 0.0 };
    let slack = slack(left) + slack(right);
    let (low, high) = (left.value.min(right.value) - slack, left.value.max(right.value) + slack);
    let jumps = left.value.is_infinite() || right.value.is_infinite();
    if (low..=high).contains(&recorded) || jumps && recorded.is_finite() {
        return Estimate { value: recorded, error: left.error + right.error };
    }
    let near = |e: &Estimate| (e.value - recorded).abs();
    if near(&left) < near(&right) { left } else { right }
}

/// ‖g − ĝ‖₂ / (‖g‖₂ + ‖ĝ‖₂), and the same measure of the errors of ĝ.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measure {
    gap: f64,
    error: f64,
    /// ‖g‖₂ + ‖ĝ‖₂.
    pub(super) size: f64,
}

impl Measure {
    pub(super) fn of<'a>(points: impl IntoIterator<Item = &'a Point>) -> Measure {
        let points: Vec<&Point> = points.into_iter().collect();
        let over = |f: fn(&Point) -> f64| norm(points.iter().map(|p| f(p)).collect());
        Measure {
            gap: over(Point::gap),
            error: over(|p| p.numeric.error),
            size: over(|p| p.recorded) + over(|p| p.numeric.value),
        }
    }

    pub(super) fn difference(&self) -> f64 {
        if self.gap == 0.0 { 0.0 } else { self.gap / self.size }
    }

    pub(super) fn error(&self) -> f64 {
        if self.error == 0.0 { 0.0 } else { self.error / self.size }
    }
}

/// ‖values‖₂, without overflow.
pub(super) fn norm(values: Vec<f64>) -> f64 {
    let most = values.iter().fold(0.0, |most, v| if v.is_nan() { *v } else { v.abs().max(most) });
    if most == 0.0 || !most.is_finite() {
        return most;
    }
    values.iter().map(|v| (v / most).powi(2)).sum::<f64>().sqrt() * most
}

/// The verdict on one parameter, given the root mean square of its gradient, the greatest size of the gradient of
/// any parameter, and the error of rounding in the loss.
pub(super) fn verdict(points: &[Point], gauge: f64, largest: f64, noise: f64) -> Verdict {
    if let Some(p) = points.iter().find(|p| !p.recorded.is_finite()) {
        return Verdict::Wrong(Fault::NotFinite(p.recorded));
    }
    let measure = Measure::of(points);
    let differs =
        measure.difference() >= 1e-4 && measure.gap > 4.0 * measure.error && measure.gap > 1e-9 * largest;
    if differs || points.iter().any(|p| p.is_wrong(gauge)) {
        return Verdict::Wrong(Fault::Differs);
    }
    if let Some(kink) = kink(points) {
        return Verdict::Kink(kink);
    }
    if !measure.difference().is_finite() {
        return Verdict::NoiseFloor { noise, error: f64::INFINITY };
    }
    // A gradient that is zero beside the others, as a bias before batch normalisation has, is zero in both.
    let zero = measure.size + measure.error <= 1e-6 * largest;
    if measure.difference() >= 1e-6 && measure.error() > 2.5e-5 && !zero {
        return Verdict::NoiseFloor { noise, error: measure.error() };
    }
    Verdict::Pass
}

/// The first of the points that are at a kink.
fn kink(points: &[Point]) -> Option<Kink> {
    let kinks = points.iter().filter(|p| p.sides.is_some());
    let count = kinks.clone().count();
    let first = kinks.clone().next()?;
    let (left, right) = first.sides?;
    Some(Kink { index: first.index.clone(), count, left, right, recorded: first.recorded, at: None })
}

/// What a gradient that differs from differences may be if no operation is to blame: there are kinks, at which each
/// operation takes one of its slopes, but which of them together give no slope of the whole.
pub(super) fn excuse(points: &[Point], gauge: f64) -> Option<Kink> {
    let wrong: Vec<Point> = points.iter().filter(|p| p.is_wrong(gauge)).cloned().collect();
    if wrong.iter().all(|p| p.sides.is_some()) { kink(&wrong) } else { None }
}
