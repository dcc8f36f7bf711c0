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

impl Estimate {
    /// The error as a part of the value.
    fn relative(&self) -> f64 {
        if self.error == 0.0 { 0.0 } else { self.error / self.value.abs() }
    }

    /// Whether neighbouring steps agree on a digit or two.
    fn has_digits(&self) -> bool {
        self.relative() < 0.03
    }
}

/// The estimate to believe: that of the least relative error; if none has a few digits, as where the slope is 0, that
/// of the least error.
///
/// A function that varies faster than the greatest steps can see has slopes like 1/h there, which are small, and so are
/// their errors: those must not win.
pub(super) fn best(estimates: &[Estimate]) -> Option<Estimate> {
    let least = |by: fn(&Estimate) -> f64| estimates.iter().min_by(|a, b| by(a).total_cmp(&by(b))).copied();
    least(Estimate::relative).filter(Estimate::has_digits).or_else(|| least(|e| e.error))
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

/// The error of rounding in values of `f` here and as far away as the greatest step: where a loss is 0, rounding may be
/// 0 as well, but not beside it.
pub(super) fn noise(mut f: impl Line, here: f64) -> Result<f64> {
    let away = f(1e-2)?.1;
    Ok(noise_at(&mut f, 0.0, here)?.max(noise_at(&mut f, 1e-2, away)?))
}

/// The error of rounding in values of `f` near `base`, from fourth differences over a tiny stretch, in which nothing
/// but rounding is left.
fn noise_at(f: &mut impl Line, base: f64, here: f64) -> Result<f64> {
    if !here.is_finite() {
        return Ok(0.0);
    }
    let floor = f64::EPSILON * here.abs();
    let mut values = [0.0; 8];
    // Where rounding swallows most of a stretch, a longer one shows how coarse the values are.
    for stretch in [1e-12, 1e-9, 1e-7, 1e-5, 1e-3] {
        for (i, v) in values.iter_mut().enumerate() {
            *v = f(base + (i + 1) as f64 * stretch)?.1;
        }
        if values.windows(2).filter(|pair| pair[0] != pair[1]).count() >= values.len() / 2 {
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
    if [&left, &right].iter().all(|side| side.iter().all(|d| d.slope == 0.0))
        && let Some(greatest) = central.first()
    {
        // Values of order 1 on the way may swallow what is smaller.
        let flat = Estimate { value: 0.0, error: (f64::EPSILON + noise) / greatest.step };
        return Ok(Slopes { central: flat, left: flat, right: flat, step: greatest.step });
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
    let mut estimates: Vec<Estimate> = Vec::new();
    let mut before: Option<f64> = None;
    let mut refuted = false;
    let sound: Vec<Difference> = differences.iter().filter(|d| d.slope.is_finite()).copied().collect();
    for (i, pair) in sound.windows(2).enumerate() {
        let (coarse, fine) = (pair[0], pair[1]);
        let gain = (coarse.step / fine.step).powi(order) - 1.0;
        let value = fine.slope + (fine.slope - coarse.slope) / gain;
        let disagreement = before.map_or(fine.slope - coarse.slope, |before| value - before).abs();
        before = Some(value);
        let found = Estimate { value, error: disagreement + 2.0 * noise / fine.step };
        // Slopes at finer steps come closer, but for rounding; if they do not, this plateau is one of a coarser structure
        // of the function.
        let near = found.error + 2.0 * (fine.slope - value).abs();
        let refutes = |d: &Difference| (d.slope - value).abs() > near + 100.0 * noise / d.step;
        if sound[i + 2..].iter().any(refutes) {
            refuted = true;
        } else {
            estimates.push(found);
        }
    }
    match best(&estimates) {
        Some(found) if found.has_digits() || !refuted => found,
        // Slopes move on to the end, and nobody knows how far.
        Some(found) => Estimate { error: f64::INFINITY, ..found },
        // A single step that works is better than none, but vouches for nothing.
        None => Estimate { value: sound.last().map_or(f64::NAN, |d| d.slope), error: f64::INFINITY },
    }
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
