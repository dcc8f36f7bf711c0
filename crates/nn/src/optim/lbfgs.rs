//! L-BFGS with a line search: for losses of all examples at once.

use std::collections::VecDeque;

use crate::error::{Error, Result};

/// Minimises a smooth function by quasi-Newton steps of limited memory (Liu and Nocedal 1989), along each of which a line search
/// finds a point that satisfies the strong Wolfe conditions (Nocedal and Wright 2006, algorithms 3.5, 3.6 and 7.4). For a loss
/// over all examples at once it needs far fewer steps than gradient descent; with losses of mini-batches it has no use.
///
/// [`Trainer::minimise`](crate::Trainer::minimise) minimises the loss of a model.
///
/// ```
/// use chainrule_nn::optim::Lbfgs;
/// // Rosenbrock's valley.
/// let valley = |x: &[f64]| {
///     let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
///     Ok((a * a + 100.0 * b * b, vec![-2.0 * a - 400.0 * x[0] * b, 200.0 * b]))
/// };
/// let found = Lbfgs::new().minimise(vec![-1.2, 1.0], valley)?;
/// assert!(found.converged && found.steps < 60);
/// assert!((found.at[0] - 1.0).abs() < 1e-6 && (found.at[1] - 1.0).abs() < 1e-6);
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lbfgs {
    memory: usize,
    steps: usize,
    tolerance: f64,
}

/// Where [`Lbfgs`] came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimum {
    /// The point.
    pub at: Vec<f64>,
    /// The value there.
    pub value: f64,
    /// The greatest slope there, as an absolute value.
    pub slope: f64,
    /// How many steps were taken.
    pub steps: usize,
    /// How often the function was evaluated.
    pub evaluations: usize,
    /// Whether the greatest slope is within the tolerance, or no point is lower as far as rounding tells.
    pub converged: bool,
    /// The value before each step.
    pub values: Vec<f64>,
}

/// Of the Wolfe conditions: how much of the slope's promise a step must keep, and how much flatter it must be there.
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;

impl Default for Lbfgs {
    fn default() -> Self {
        Lbfgs::new()
    }
}

impl Lbfgs {
    /// Remembers 10 steps, takes at most 1,000, and stops where no slope is greater than 1e-8.
    pub fn new() -> Self {
        Lbfgs { memory: 10, steps: 1000, tolerance: 1e-8 }
    }

    /// Remembers so many steps, at least one.
    pub fn memory(self, steps: usize) -> Self {
        Lbfgs { memory: steps.max(1), ..self }
    }

    /// Takes at most so many steps.
    pub fn steps(self, most: usize) -> Self {
        Lbfgs { steps: most, ..self }
    }

    /// Stops where no slope is greater.
    pub fn tolerance(self, slope: f64) -> Self {
        Lbfgs { tolerance: slope, ..self }
    }

    /// From `start`, with `f` giving value and gradient at a point.
    ///
    /// # Errors
    /// Those of `f`; [`Error::Argument`] for a value or a gradient that is not finite at the start, a gradient of another
    /// length, and a tolerance that is not positive.
    pub fn minimise(
        &self,
        start: Vec<f64>,
        f: impl FnMut(&[f64]) -> Result<(f64, Vec<f64>)>,
    ) -> Result<Minimum> {
        let refuse = |why: String| Err(Error::argument("Lbfgs", why));
        if !(self.tolerance > 0.0 && self.tolerance.is_finite()) {
            return refuse(format!("the tolerance is {}; it must be positive and finite", self.tolerance));
        }
        let mut f = Counted { f, evaluations: 0 };
        let (value, gradient) = f.at(&start)?;
        if gradient.len() != start.len() {
            return refuse(format!("{} slopes for {} numbers", gradient.len(), start.len()));
        }
        if !value.is_finite() || gradient.iter().any(|slope| !slope.is_finite()) {
            return refuse(format!("the value at the start is {value}, or a slope there is not finite"));
        }
        let mut point = Point { x: start, value, gradient };
        let mut past: VecDeque<Pair> = VecDeque::new();
        let mut values = Vec::new();
        let mut converged = point.steepest() <= self.tolerance;
        while !converged && values.len() < self.steps {
            let mut way = descent(&point.gradient, &past);
            if dot(&way, &point.gradient) >= 0.0 {
                past.clear();
                way = descent(&point.gradient, &past);
            }
            // Without a memory of curvature the length of a step is a guess.
            let length = if past.is_empty() { (1.0 / norm(&point.gradient)).min(1.0) } else { 1.0 };
            let Some(next) = search(&mut f, &point, &way, length)? else {
                // Nothing lower along the gradient itself: as low as rounding shows.
                converged = past.is_empty();
                if converged {
                    break;
                }
                past.clear();
                continue;
            };
            values.push(point.value);
            let pair = Pair::new(difference(&next.x, &point.x), difference(&next.gradient, &point.gradient));
            past.extend(pair);
            if past.len() > self.memory {
                past.pop_front();
            }
            point = next;
            converged = point.steepest() <= self.tolerance;
        }
        let (slope, steps, evaluations) = (point.steepest(), values.len(), f.evaluations);
        Ok(Minimum { at: point.x, value: point.value, slope, steps, evaluations, converged, values })
    }
}

struct Counted<F> {
    f: F,
    evaluations: usize,
}

impl<F: FnMut(&[f64]) -> Result<(f64, Vec<f64>)>> Counted<F> {
    fn at(&mut self, x: &[f64]) -> Result<(f64, Vec<f64>)> {
        self.evaluations += 1;
        (self.f)(x)
    }
}

struct Point {
    x: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

impl Point {
    fn steepest(&self) -> f64 {
        self.gradient.iter().fold(0.0, |most, slope| slope.abs().max(most))
    }
}

/// A step and how the gradient changed along it.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    /// Their product, the curvature, positive.
    product: f64,
}

impl Pair {
    fn new(step: Vec<f64>, change: Vec<f64>) -> Option<Self> {
        let product = dot(&step, &change);
        // As good as no curvature: what follows from it would be noise.
        (product > 1e-16 * dot(&change, &change)).then_some(Pair { step, change, product })
    }
}

/// −H g by two loops over the past.
fn descent(gradient: &[f64], past: &VecDeque<Pair>) -> Vec<f64> {
    let mut way: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
    let mut shares = Vec::new();
    for pair in past.iter().rev() {
        let share = dot(&pair.step, &way) / pair.product;
        add(&mut way, -share, &pair.change);
        shares.push(share);
    }
    if let Some(pair) = past.back() {
        let scale = pair.product / dot(&pair.change, &pair.change);
        way.iter_mut().for_each(|x| *x *= scale);
    }
    for (pair, share) in past.iter().zip(shares.into_iter().rev()) {
        let back = dot(&pair.change, &way) / pair.product;
        add(&mut way, share - back, &pair.step);
    }
    way
}

/// A point on the line: how far, the value, the slope along it.
#[derive(Clone, Copy)]
struct On {
    far: f64,
    value: f64,
    slope: f64,
}

/// A point along `way` that satisfies the strong Wolfe conditions; `None` if none is found that is lower.
fn search<F: FnMut(&[f64]) -> Result<(f64, Vec<f64>)>>(
    f: &mut Counted<F>,
    from: &Point,
    way: &[f64],
    length: f64,
) -> Result<Option<Point>> {
    let start = On { far: 0.0, value: from.value, slope: dot(&from.gradient, way) };
    let mut look = |far: f64| -> Result<(On, Point)> {
        let mut x = from.x.clone();
        add(&mut x, far, way);
        let (value, gradient) = f.at(&x)?;
        Ok((On { far, value, slope: dot(&gradient, way) }, Point { x, value, gradient }))
    };
    // NaN is as good as infinite.
    let high = |on: &On| on.value.is_nan() || on.value > start.value + DECREASE * on.far * start.slope;
    let flat = |on: &On| on.slope.abs() <= -CURVATURE * start.slope;
    let (mut before, mut far) = (start, length);
    let (mut bracket, mut lower) = (None, None);
    for i in 0..30 {
        let (on, point) = look(far)?;
        if high(&on) || (i > 0 && on.value >= before.value) {
            bracket = Some((before, on));
            break;
        }
        if flat(&on) {
            return Ok(Some(point));
        }
        if on.slope >= 0.0 {
            bracket = Some((on, before));
            break;
        }
        (before, far) = (on, far * 2.0);
        lower = Some(point);
    }
    // Downhill as far as was looked.
    let Some((mut low, mut up)) = bracket else { return Ok(lower) };
    let mut best: Option<Point> = None;
    for _ in 0..40 {
        let (on, point) = look(between(&low, &up))?;
        if high(&on) || on.value >= low.value {
            up = on;
        } else {
            if flat(&on) {
                return Ok(Some(point));
            }
            if on.slope * (up.far - low.far) >= 0.0 {
                up = low;
            }
            low = on;
            best = Some(point);
        }
        if (up.far - low.far).abs() <= 1e-12 * low.far.max(up.far) {
            break;
        }
    }
    // Rounding may hide the slope that the conditions ask for.
    Ok(match best {
        Some(point) => Some(point),
        None if low.far > 0.0 && low.value < start.value => Some(look(low.far)?.1),
        None => None,
    })
}

/// The minimum of the cubic through two points and their slopes, kept off the ends; the middle where there is none.
fn between(a: &On, b: &On) -> f64 {
    let (least, most) = (a.far.min(b.far), a.far.max(b.far));
    let d = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.far - b.far);
    let root = (d * d - a.slope * b.slope).sqrt() * (b.far - a.far).signum();
    let found = b.far - (b.far - a.far) * (b.slope + root - d) / (b.slope - a.slope + 2.0 * root);
    let margin = 0.1 * (most - least);
    if found.is_finite() && found > least + margin && found < most - margin {
        found
    } else {
        (least + most) / 2.0
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn add(to: &mut [f64], times: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(a, b)| *a += times * b);
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}
