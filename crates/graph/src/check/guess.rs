//! Finds the kind of mistake: what a wrong derivative has in common with the right one.

use std::collections::HashMap;
use std::ops::Range;

use chainrule_tensor::{Key, Shape, Tensor};

use super::formula::{Variable, close, power, ratio, recognise, root_mean_square};
use super::hypothesis::{Hypothesis, Length};
use super::measure::{Measure, Point};
use super::probe::{draw, reals, spread, unravel};
use super::replay::{Replay, Scene};
use super::report::Worst;
use super::transposed;
use crate::error::Result;

/// A wrong derivative by one operand, at sample elements in one or several scenes.
pub(super) struct Evidence<'r> {
    pub(super) replay: &'r mut Replay,
    pub(super) scenes: Vec<Scene>,
    /// The input in question, and its shape.
    pub(super) input: usize,
    pub(super) shape: Shape,
    /// The position of each input among the operands, for names.
    pub(super) names: Vec<usize>,
    /// The scene and the position of each sample element, and the derivatives there.
    pub(super) sample: Vec<(usize, usize)>,
    pub(super) recorded: Vec<f64>,
    pub(super) numeric: Vec<f64>,
    pub(super) gauge: f64,
    known: HashMap<(usize, usize), f64>,
}

/// What evidence amounts to.
pub(super) struct Finding {
    pub(super) hypothesis: Hypothesis,
    pub(super) difference: f64,
    pub(super) worst: Worst,
    /// Whether it is wrong away from kinks too.
    pub(super) smooth: bool,
}

/// How many elements are looked at.
const SAMPLE: usize = 256;

/// Looks at the derivative of the operation by input `i`, element by element; `None` if it is right after all.
pub(super) fn examine(
    replay: &mut Replay,
    mut scene: Scene,
    i: usize,
    names: Vec<usize>,
    key: Key,
) -> Result<Option<Finding>> {
    let shape: Shape = scene.values[i].shape().into();
    let size = scene.recorded.len();
    scene.meter.forget();
    let mut positions: Vec<usize> = spread(size, SAMPLE).collect();
    let mut points = look(replay, &mut scene, i, &positions)?;
    if size > SAMPLE && !points.iter().any(|p| p.is_wrong(scene.gauge)) {
        positions = narrow(replay, &mut scene, i, key)?.collect();
        points = look(replay, &mut scene, i, &positions)?;
    }
    let wrong = |p: &&Point| p.is_wrong(scene.gauge);
    let gap = |p: &Point| if p.gap().is_nan() { f64::INFINITY } else { p.gap() };
    let worst =
        points.iter().zip(&positions).filter(|(p, _)| wrong(p)).max_by(|a, b| gap(a.0).total_cmp(&gap(b.0)));
    let Some((worst, at)) = worst else { return Ok(None) };
    let worst = Worst { index: unravel(*at, &shape), recorded: worst.recorded, numeric: worst.numeric.value };
    let difference = Measure::of(&points).difference();
    let smooth = points.iter().any(|p| p.is_wrong(scene.gauge) && p.sides.is_none());
    let found = |hypothesis| Ok(Some(Finding { hypothesis, difference, worst, smooth }));
    if points.iter().any(|p| !p.recorded.is_finite()) {
        return found(Hypothesis::NotFinite);
    }
    let mut evidence = Evidence {
        replay,
        scenes: Vec::new(),
        input: i,
        shape,
        names,
        sample: Vec::new(),
        recorded: Vec::new(),
        numeric: Vec::new(),
        gauge: 0.0,
        known: HashMap::new(),
    };
    evidence.add(scene, &positions, &points);
    // A few numbers fit anything; they are looked at with other operands too.
    let more = if size < 16 { 3 } else { 0 };
    for again in 0..more {
        evidence.elsewhere(&positions, key.at(again))?;
    }
    evidence.gauge = root_mean_square(&evidence.numeric).max(root_mean_square(&evidence.recorded));
    found(evidence.guess()?)
}

/// A range of elements that is small enough to be looked at, and in which a derivative that is wrong in few of many is
/// wrong: by halves, in which a random direction shows it.
fn narrow(replay: &mut Replay, scene: &mut Scene, i: usize, key: Key) -> Result<Range<usize>> {
    let mut range = 0..scene.recorded.len();
    let mut depth = 0;
    while range.len() > SAMPLE {
        let middle = range.start + range.len() / 2;
        let mut gap = |range: Range<usize>| -> Result<f64> {
            Ok(replay.direction(scene, i, key.named("narrow").at(depth), range)?.gap())
        };
        let (first, second) = (gap(range.start..middle)?, gap(middle..range.end)?);
        range = if first >= second { range.start..middle } else { middle..range.end };
        depth += 1;
    }
    Ok(range)
}

fn look(replay: &mut Replay, scene: &mut Scene, i: usize, positions: &[usize]) -> Result<Vec<Point>> {
    positions.iter().map(|at| replay.element(scene, i, *at)).collect()
}

impl Evidence<'_> {
    fn add(&mut self, scene: Scene, positions: &[usize], points: &[Point]) {
        let number = self.scenes.len();
        for (at, p) in positions.iter().zip(points) {
            self.sample.push((number, *at));
            self.recorded.push(p.recorded);
            self.numeric.push(p.numeric.value);
            self.known.insert((number, *at), p.numeric.value);
        }
        self.scenes.push(scene);
    }

    /// A further scene, with real operands a little different, if all is finite there.
    fn elsewhere(&mut self, positions: &[usize], key: Key) -> Result<()> {
        let first = &self.scenes[0].values;
        let mut values = Vec::new();
        for (i, value) in first[..first.len() - 1].iter().enumerate() {
            let x = reals(value);
            if x.is_empty() {
                values.push(value.clone());
                continue;
            }
            let u = draw(key.named("elsewhere").at(i as u64), x.len());
            values.push(Tensor::from_vec(
                x.iter().zip(u).map(|(x, u)| x * (1.0 + 0.2 * u)).collect(),
                value.shape(),
            )?);
        }
        let Some(mut scene) = self.replay.scene(self.input, values, key)? else { return Ok(()) };
        if !scene.meter.here.is_finite() {
            return Ok(());
        }
        let points = look(self.replay, &mut scene, self.input, positions)?;
        if points.iter().all(|p| p.recorded.is_finite() && p.numeric.value.is_finite()) {
            self.add(scene, positions, &points);
        }
        Ok(())
    }

    fn guess(&mut self) -> Result<Hypothesis> {
        if self.recorded.iter().all(|g| *g == 0.0) {
            return Ok(Hypothesis::Lost);
        }
        if self.numeric.iter().all(|d| d.abs() <= 1e-9 * self.gauge) {
            return Ok(Hypothesis::Spurious);
        }
        if self.forgets_cotangent()? {
            return Ok(Hypothesis::Cotangent);
        }
        if let Some(found) = self.factor() {
            return Ok(found);
        }
        if let Some(found) = transposed::product(&self.scenes[0], self)? {
            return Ok(found);
        }
        if let Some(found) = self.moved()? {
            return Ok(found);
        }
        let partly = self.partly();
        if let Some(Hypothesis::Partly { condition: Some(_), factor: Some(_), .. }) = &partly {
            return Ok(partly.unwrap_or(Hypothesis::Unknown));
        }
        if let Some(found) = self.formula().or(partly) {
            return Ok(found);
        }
        if let Some(found) = self.slice()? {
            return Ok(found);
        }
        Ok(self.permuted().unwrap_or(Hypothesis::Unknown))
    }

    /// Whether the recorded derivative stays the same with half the cotangent.
    fn forgets_cotangent(&mut self) -> Result<bool> {
        let scene = &self.scenes[0];
        let ct = &scene.values[scene.values.len() - 1];
        let half = Tensor::from_vec(reals(ct).iter().map(|c| 0.5 * c).collect::<Vec<f64>>(), ct.shape())?;
        Ok(self.replay.recorded_with(scene, self.input, half)? == scene.recorded)
    }

    fn factor(&self) -> Option<Hypothesis> {
        let factor = ratio(&self.recorded, &self.numeric)?;
        if (factor + 1.0).abs() < 1e-5 {
            return Some(Hypothesis::Sign);
        }
        let is = |length: usize| {
            let n = length as f64;
            length > 1 && ((factor.abs() - n).abs() < 1e-5 * n || (factor.abs() * n - 1.0).abs() < 1e-5)
        };
        let result = &self.replay.shape;
        let axes = |operand: bool, shape: &Shape| {
            let lengths: Vec<(Option<usize>, usize)> =
                shape.iter().copied().enumerate().map(|(a, n)| (Some(a), n)).collect();
            let all = (None, shape.size());
            lengths
                .into_iter()
                .chain([all])
                .map(move |(axis, length)| Length { operand, axis, length })
                .collect::<Vec<_>>()
        };
        let lengths = axes(true, &self.shape).into_iter().chain(axes(false, result));
        let axis = lengths.into_iter().find(|l| is(l.length));
        Some(Hypothesis::Factor { factor, axis })
    }

    /// The numeric derivative at any element of a scene.
    pub(super) fn numeric_at(&mut self, scene: usize, at: usize) -> Result<f64> {
        if let Some(known) = self.known.get(&(scene, at)) {
            return Ok(*known);
        }
        let found = self.replay.element(&mut self.scenes[scene], self.input, at)?.numeric.value;
        self.known.insert((scene, at), found);
        Ok(found)
    }

    /// The operands and the result where they have the shape of the operand in question, at the sample elements.
    fn variables(&self) -> Vec<Variable> {
        let of = |name: String, value: &dyn Fn(&Scene) -> Tensor| {
            let same = |t: &Tensor| t.shape() == &self.shape[..] && !reals(t).is_empty();
            let tensors: Vec<Tensor> = self.scenes.iter().map(value).collect();
            tensors.iter().all(same).then(|| {
                let values = self.sample.iter().map(|(scene, at)| reals(&tensors[*scene])[*at]).collect();
                Variable { name, values }
            })
        };
        let inputs = (0..self.names.len()).map(|i| (i, self.names[i]));
        let mut found: Vec<Variable> =
            inputs.filter_map(|(i, name)| of(format!("x{name}"), &|s: &Scene| s.values[i].clone())).collect();
        found.extend(of("y".into(), &|s: &Scene| s.result.clone()));
        found
    }

    fn cotangent(&self) -> Option<Variable> {
        let ct = |s: &Scene| s.values[s.values.len() - 1].clone();
        (self.replay.shape == self.shape).then(|| {
            let tensors: Vec<Tensor> = self.scenes.iter().map(ct).collect();
            let values = self.sample.iter().map(|(scene, at)| reals(&tensors[*scene])[*at]).collect();
            Variable { name: "ct".into(), values }
        })
    }

    /// Another function than the derivative.
    fn formula(&self) -> Option<Hypothesis> {
        let variables = self.variables();
        let over = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a / b).collect() };
        let Some(ct) = self.cotangent() else {
            let extra = power(&over(&self.recorded, &self.numeric), &variables)?;
            return Some(Hypothesis::Extra(extra));
        };
        let local = |d: &[f64]| recognise(&over(d, &ct.values), &variables);
        let (recorded, shown) = (local(&self.recorded), local(&self.numeric));
        if let (Some(recorded), Some(shown)) = (&recorded, &shown) {
            return Some(Hypothesis::Formula { recorded: recorded.clone(), shown: Some(shown.clone()) });
        }
        let mut all = variables;
        all.push(ct);
        if let Some(extra) = power(&over(&self.recorded, &self.numeric), &all) {
            return Some(Hypothesis::Extra(extra));
        }
        // A function that is right at most elements is better told as such.
        let wrong = (0..self.sample.len())
            .filter(|k| !close(self.recorded[*k], self.numeric[*k], self.gauge))
            .count();
        recorded
            .filter(|_| 2 * wrong > self.sample.len())
            .map(|recorded| Hypothesis::Formula { recorded, shown })
    }

    /// Right but for some elements.
    fn partly(&self) -> Option<Hypothesis> {
        let first = self.sample.iter().filter(|(scene, _)| *scene == 0).count();
        let wrong: Vec<bool> =
            (0..self.sample.len()).map(|k| !close(self.recorded[k], self.numeric[k], self.gauge)).collect();
        let count = wrong[..first].iter().filter(|w| **w).count();
        let holds =
            |test: fn(f64) -> bool, v: &Variable| v.values.iter().zip(&wrong).all(|(v, w)| test(*v) == *w);
        let condition = self.variables().iter().find_map(|v| match v {
            v if holds(|v| v < 0.0, v) => Some(format!("{} < 0", v.name)),
            v if holds(|v| v > 0.0, v) => Some(format!("{} > 0", v.name)),
            _ => None,
        });
        if count == 0 || count == first || (2 * count > first && condition.is_none()) {
            return None;
        }
        let at_wrong =
            |d: &[f64]| -> Vec<f64> { d.iter().zip(&wrong).filter(|(_, w)| **w).map(|(d, _)| *d).collect() };
        let (recorded, numeric) = (at_wrong(&self.recorded), at_wrong(&self.numeric));
        let lost = recorded.iter().all(|g| *g == 0.0);
        let factor = if lost { Some(0.0) } else { ratio(&recorded, &numeric) };
        let places = (0..first).filter(|k| wrong[*k]).take(8);
        let elements = places.map(|k| unravel(self.sample[k].1, &self.shape)).collect();
        Some(Hypothesis::Partly { elements, count, of: first, condition, factor })
    }

    /// The recorded and the numeric derivative at the sample elements of the first scene, by position.
    pub(super) fn first(&self) -> impl Iterator<Item = (usize, f64, f64)> + '_ {
        let here = self.sample.iter().enumerate().filter(|(_, (scene, _))| *scene == 0);
        here.map(|(k, (_, at))| (*at, self.recorded[k], self.numeric[k]))
    }
}
