//! The derivative of a number along a line, from its values alone, with an estimate of the error.
//!
//! Central differences err by truncation at large steps and by rounding at small ones. So the step is swept over
//! many orders of magnitude, neighbours are extrapolated to step 0 (Richardson), and the plateau is taken: the
//! place where neighbours agree best. How far they disagree there, plus the rounding of the values divided by the
//! step, is the error. The same values give the slopes to the left and to the right, which differ at a kink.

use crate::error::Result;

/// A derivative, and how far it may be off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    pub(super) value: f64,
    pub(super) error: f64,
}

/// What a sweep found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slopes {
    pub(super) central: Estimate,
    pub(super) left: Estimate,
    pub(super) right: Estimate,
    /// The step at which plain central differences are best.
    pub(super) step: f64,
}

/// A function on a line through the point of interest: given how far to move, how far it really moved (positions
/// are rounded) and the value there.
pub(super) trait Line: FnMut(f64) -> Result<(f64, f64)> {}
impl<F: FnMut(f64) -> Result<(f64, f64)>> Line for F {}

/// A central difference, and how much the slopes on either side differ.
pub(super) struct Quick {
    pub(super) slope: f64,
    pub(super) bend: f64,
}

/// (f(h) − f(−h)) / 2h, given f(0).
pub(super) fn quick(mut f: impl Line, here: f64, step: f64) -> Result<Quick> {
    let ((right, above), (left, below)) = (f(step)?, f(-step)?);
    let slope = (above - below) / (right - left);
    Ok(Quick { slope, bend: ((above - here) / right - (below - here) / left).abs() })
}

/// The error of rounding in values of `f`, from fourth differences over a tiny stretch, in which nothing but
/// rounding is left.
pub(super) fn noise(mut f: impl Line, here: f64) -> Result<f64> {
    let floor = f64::EPSILON * here.abs();
    let mut values = [0.0; 8];
    // If rounding swallows such a stretch whole, a longer one shows how coarse the values are.
    for stretch in [1e-9, 1e-7, 1e-5, 1e-3] {
        for (i, v) in values.iter_mut().enumerate() {
            *v = f((i + 1) as f64 * stretch)?.1;
        }
        if values.iter().any(|v| *v != here) {
            break;
        }
    }
    for order in 0..4 {
        for i in 0..values.len() - 1 - order {
            values[i] = values[i + 1] - values[i];
        }
    }
    // A fourth difference of independent errors of deviation σ has deviation σ√(1 + 16 + 36 + 16 + 1).
    let mean = values[..4].iter().map(|d| d * d).sum::<f64>() / 4.0;
    let deviation = (mean / 70.0).sqrt();
    Ok(if deviation.is_finite() { deviation.max(floor) } else { floor })
}

/// The steps of a sweep about a number of size `size`, greatest first.
pub(super) fn ladder(size: f64) -> Vec<f64> {
    let scale = size.max(1.0);
    let mut steps: Vec<f64> = (2..=9).map(|k| scale * 10_f64.powi(-k)).collect();
    // The function may vary on the scale of a small number, as ln does.
    if size > 0.0 && size < 1e-2 {
        steps.extend((1..=5).map(|k| size * 10_f64.powi(-k)));
        steps.sort_by(|a, b| b.total_cmp(a));
        steps.dedup_by(|a, b| *a > 0.7 * *b);
    }
    steps
}

/// Differences of one kind at one step.
#[derive(Clone, Copy)]
struct Difference {
    step: f64,
    slope: f64,
}

/// The derivative of `f` where it has the value `here` known to within `noise`, by differences at all `steps`,
/// greatest first.
pub(super) fn sweep(mut f: impl Line, here: f64, noise: f64, steps: &[f64]) -> Result<Slopes> {
    let (mut central, mut left, mut right) = (Vec::new(), Vec::new(), Vec::new());
    for &step in steps {
        let ((to, above), (from, below)) = (f(step)?, f(-step)?);
        // A step that rounding swallows says nothing.
        if to <= 0.0 || from >= 0.0 {
            continue;
        }
        central.push(Difference { step: (to - from) / 2.0, slope: (above - below) / (to - from) });
        right.push(Difference { step: to, slope: (above - here) / to });
        left.push(Difference { step: -from, slope: (below - here) / from });
    }
    let best = plateau(&central, 2, noise);
    let off = |d: &Difference| (d.slope - best.value).abs() + noise / d.step;
    let step =
        central.iter().min_by(|a, b| off(a).total_cmp(&off(b))).map_or(f64::EPSILON.cbrt(), |d| d.step);
    Ok(Slopes { central: best, left: plateau(&left, 1, noise), right: plateau(&right, 1, noise), step })
}

/// Where neighbours, extrapolated to step 0 by the order of their error, agree best.
fn plateau(differences: &[Difference], order: i32, noise: f64) -> Estimate {
    if let Some(jump) = jump(differences, noise) {
        return jump;
    }
    let mut best = Estimate { value: f64::NAN, error: f64::INFINITY };
    let mut before: Option<f64> = None;
    for pair in differences.windows(2) {
        let (coarse, fine) = (pair[0], pair[1]);
        if !(coarse.slope.is_finite() && fine.slope.is_finite()) {
            before = None;
            continue;
        }
        let gain = (coarse.step / fine.step).powi(order) - 1.0;
        let value = fine.slope + (fine.slope - coarse.slope) / gain;
        let disagreement = (value - before.unwrap_or(fine.slope)).abs();
        let error = disagreement + 2.0 * noise / fine.step;
        if error < best.error {
            best = Estimate { value, error };
        }
        before = Some(value);
    }
    if best.value.is_nan() {
        // A single step that works is better than none, but vouches for nothing.
        let last = differences.iter().rev().find(|d| d.slope.is_finite());
        best.value = last.map_or(f64::NAN, |d| d.slope);
    }
    best
}

/// An infinite slope, if the value jumps: the difference quotient grows as the step shrinks, far above rounding.
fn jump(differences: &[Difference], noise: f64) -> Option<Estimate> {
    let sound: Vec<&Difference> = differences.iter().filter(|d| d.slope.is_finite()).collect();
    let [.., a, b, c] = sound[..] else { return None };
    let rise = |d: &Difference| d.slope * d.step;
    let above_rounding = rise(c).abs() > 1e3 * noise;
    let constant =
        (rise(a) - rise(c)).abs() < 1e-3 * rise(c).abs() && (rise(b) - rise(c)).abs() < 1e-3 * rise(c).abs();
    (above_rounding && constant).then(|| Estimate { value: f64::INFINITY.copysign(c.slope), error: 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(f: impl Fn(f64) -> f64) -> impl Line {
        move |by| Ok((by, f(by)))
    }

    fn slopes(f: impl Fn(f64) -> f64 + Copy) -> Slopes {
        let here = f(0.0);
        let noise = noise(line(f), here).expect("no error");
        sweep(line(f), here, noise, &ladder(1.0)).expect("no error")
    }

    #[test]
    fn smooth_functions_get_ten_digits_and_an_honest_error() {
        for (f, exact) in [
            ((|t: f64| (1.0 + t).exp()) as fn(f64) -> f64, 1_f64.exp()),
            (|t| (3.0 * (0.3 + t)).sin(), 3.0 * 0.9_f64.cos()),
            (|t| 1.0 / (0.05 + t), -400.0),
            (|t| 5.0 * t, 5.0),
            (|t| (1.0 + t).powi(7), 7.0),
        ] {
            let s = slopes(f);
            assert!((s.central.value - exact).abs() < 1e-9 * exact.abs(), "{s:?}");
            assert!((s.central.value - exact).abs() <= 3.0 * s.central.error, "{s:?}");
            assert!((s.left.value - s.right.value).abs() < 1e-5 * exact.abs(), "{s:?}");
        }
    }

    #[test]
    fn a_kink_has_two_slopes_and_a_jump_an_infinite_one() {
        let s = slopes(|t| if t > 0.0 { 2.0 * t } else { -t });
        assert!((s.left.value + 1.0).abs() < 1e-9 && (s.right.value - 2.0).abs() < 1e-9, "{s:?}");
        let s = slopes(|t| if t > 0.0 { 1.0 } else { 0.0 });
        assert!(s.right.value.is_infinite() && s.left.value == 0.0, "{s:?}");
    }

    #[test]
    fn rounding_shows_as_noise() {
        let s = slopes(|t| (1e9 + t.sin()) - 1e9);
        assert!((s.central.value - 1.0).abs() <= s.central.error && s.central.error > 1e-7, "{s:?}");
        let s = slopes(|t| (1e9 + 1e-5 * t.sin()) - 1e9);
        assert!((s.central.value - 1e-5).abs() <= 4.0 * s.central.error, "{s:?}");
    }
}
