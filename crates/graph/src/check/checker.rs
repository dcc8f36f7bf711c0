//! The options of a check, and how it goes.

use chainrule_tensor::{Key, Tensor};

use super::difference;
use super::measure::{Measure, Meter, Point, excuse, norm, verdict};
use super::probe::{Probe, draw, reals, spread, stir, unravel, wide};
use super::report::{Mode, Parameter, Report, Worst};
use super::search;
use super::verdict::{Fault, Kink, Verdict};
use crate::copy::between;
use crate::diff::broken::where_broken;
use crate::diff::jvp::jvp;
use crate::error::{Error, ErrorKind, Result};
use crate::precision::Precision;
use crate::prim::Op;
use crate::rewrite::expand::expand;
use crate::types::NodeId;
use crate::var::Var;

/// How a gradient is checked.
///
/// ```
/// use chainrule_graph::{Graph, check::Checker};
/// let g = Graph::new();
/// let w = g.leaf("w", [0.5, -1.0, 2.0]);
/// let report = Checker::default().elements(2).order(2).check((w.tanh() * w).sum(..), &[w])?;
/// assert!(report.is_fine(), "{report}");
/// # Ok::<(), chainrule_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Checker {
    step: Option<f64>,
    elements: usize,
    directions: Option<usize>,
    order: usize,
    seed: u64,
}

impl Default for Checker {
    /// All elements; first order; the step found by a sweep.
    fn default() -> Self {
        Checker { step: None, elements: usize::MAX, directions: None, order: 1, seed: 0 }
    }
}

/// Checks the gradient of `loss` with respect to each element of `parameters`, which are leaves with values.
///
/// # Errors
/// As [`Checker::check`].
#[track_caller]
pub fn gradients(loss: Var<'_>, parameters: &[Var<'_>]) -> Result<Report> {
    Checker::default().check(loss, parameters)
}

impl Checker {
    /// Checks at most `n` elements of each parameter, evenly spread, for models with many.
    pub fn elements(mut self, n: usize) -> Self {
        self.elements = n.max(1);
        self
    }

    /// Checks the derivatives along `k` random directions per parameter instead of single elements: the cost does
    /// not grow with the size of a parameter, and every element has a part in it.
    pub fn directions(mut self, k: usize) -> Self {
        self.directions = Some(k.max(1));
        self
    }

    /// Checks derivatives up to this order: 1 (the default) for the gradient, 2 for the gradient's own derivatives
    /// too, that is, the Hessian times a random direction. Higher ones work alike.
    pub fn order(mut self, order: usize) -> Self {
        self.order = order.max(1);
        self
    }

    /// The step ε of (J(θ + ε) − J(θ − ε)) / 2ε, relative to max(1, |θ|), instead of a sweep over many. It is also doubled
    /// and halved, to tell the error and to extrapolate.
    pub fn step(mut self, step: f64) -> Self {
        self.step = Some(step.abs());
        self
    }

    /// The seed of the random directions.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Compares recorded and numeric gradient, and looks for the culprit if they differ.
    ///
    /// # Errors
    /// A poisoned value; a loss that is not a single real; a parameter that is not a real leaf with a value, or is listed
    /// twice; a step that is not a positive number; any error of evaluating the loss.
    #[track_caller]
    pub fn check<'g>(&self, loss: Var<'g>, parameters: &[Var<'g>]) -> Result<Report> {
        loss.graph.admit("check", &[&[loss], parameters].concat())?;
        loss.graph.scratch(|| self.check_in_scratch(loss, parameters))
    }

    fn check_in_scratch<'g>(&self, loss: Var<'g>, parameters: &[Var<'g>]) -> Result<Report> {
        if let Some(step) = self.step.filter(|s| !(*s > 0.0 && s.is_finite())) {
            let why = format!("the step must be a positive number, not {step}");
            return Err(Error::new(ErrorKind::Kind { op: "check", why }).placed(loss.origin()));
        }
        for (i, p) in parameters.iter().enumerate() {
            if parameters[..i].iter().any(|q| q.id == p.id) {
                let why = "a parameter is listed twice".into();
                let error = Error::new(ErrorKind::Kind { op: "check", why });
                return Err(error.placed(p.origin()).hint("list each parameter once"));
            }
        }
        let reached = loss.gradients(parameters)?;
        let mut report = self.compare(loss, parameters, &reached, 1)?;
        let both = parameters.iter().zip(reached).filter_map(|(p, g)| Some((*p, g?)));
        let (parameters, mut gradients): (Vec<Var<'g>>, Vec<Var<'g>>) = both.unzip();
        for order in 2..=self.order {
            if report.parameters.iter().any(|p| p.verdict.is_wrong()) || parameters.is_empty() {
                break;
            }
            // The derivative of ⟨∇J, u⟩ is the Hessian times u.
            let u = self.constants(&parameters, order);
            let along = gradients.iter().zip(&u).map(|(g, u)| (*g * *u).sum(..)).reduce(|a, b| a + b);
            gradients = jvp(&gradients, &parameters, &u)?;
            let reached: Vec<Option<Var<'g>>> = gradients.iter().copied().map(Some).collect();
            let next = self.compare(along.unwrap_or(loss), &parameters, &reached, order)?;
            report.difference = report.difference.max(next.difference);
            report.parameters.extend(next.parameters);
            report.culprits.extend(next.culprits);
        }
        Ok(report)
    }

    fn key(&self, purpose: &str) -> Key {
        Key::new(self.seed).named(purpose)
    }

    /// A random direction for each parameter, as constants.
    fn constants<'g>(&self, parameters: &[Var<'g>], order: usize) -> Vec<Var<'g>> {
        let key = self.key("order").at(order as u64);
        let one = |(i, p): (usize, &Var<'g>)| {
            let shape = p.shape();
            let drawn = draw(key.at(i as u64), shape.size());
            p.graph.constant(
                Tensor::from_vec(drawn, &shape).unwrap_or_else(|_| unreachable!("drawn to its size")),
            )
        };
        parameters.iter().enumerate().map(one).collect()
    }

    /// Compares `reached`, the recorded derivatives of `loss`, with numeric ones.
    fn compare<'g>(
        &self,
        loss: Var<'g>,
        parameters: &[Var<'g>],
        reached: &[Option<Var<'g>>],
        order: usize,
    ) -> Result<Report> {
        let graph = loss.graph;
        let compile = |outputs: &[Var<'g>]| {
            graph.compiler(parameters, outputs).precision(Precision::F64).exact(true).build()
        };
        let (names, values): (Vec<String>, Vec<Tensor>) =
            parameters.iter().map(|p| leaf(*p)).collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let gradients: Vec<Var<'g>> =
            parameters.iter().zip(reached).map(|(p, g)| g.unwrap_or_else(|| p.like(0.0))).collect();
        let recorded = compile(&gradients)?.run(&values)?.to_vec();
        let mut probe = Probe::new(compile(&[loss])?, values);
        let (here, again) = (probe.here()?, probe.here()?);
        let mut entries = Vec::new();
        for (name, p) in names.into_iter().zip(parameters) {
            let mode = if self.directions.is_some() { Mode::Directions } else { Mode::Elements };
            entries.push(Parameter::unchecked(name, p.shape().to_vec(), order, mode));
        }
        let mut report = Report { parameters: entries, difference: 0.0, culprits: Vec::new() };
        let random = here.to_bits() != again.to_bits() && !(here.is_nan() && again.is_nan());
        let mut points = vec![Points::default(); parameters.len()];
        if random || !here.is_finite() {
            let verdict = if random {
                Verdict::Random { first: here, second: again }
            } else {
                Verdict::Wrong(Fault::Loss(here))
            };
            report.parameters.iter_mut().for_each(|e| e.verdict = verdict.clone());
        } else {
            points = self.measure(&mut report, &mut probe, here, &recorded)?;
        }
        for (i, entry) in report.parameters.iter_mut().enumerate().filter(|(i, _)| reached[*i].is_none()) {
            entry.verdict = Verdict::Unused(where_broken(graph, loss.id, parameters[i].id));
        }
        self.blame(&mut report, loss, parameters, &probe, &points)?;
        conclude(&mut report, &points);
        Ok(report)
    }

    /// Takes differences where the loss is `here`, for first verdicts.
    fn measure(
        &self,
        report: &mut Report,
        probe: &mut Probe,
        here: f64,
        recorded: &[Tensor],
    ) -> Result<Vec<Points>> {
        let noise = self.noise(probe, here)?;
        let mut meter = Meter::new(here, noise, self.step);
        let mut all = Vec::new();
        for (i, gradient) in recorded.iter().enumerate() {
            meter.forget();
            all.push(self.points(probe, &mut meter, i, &wide(gradient))?);
        }
        let largest = all.iter().map(|p| Measure::of(&p.points).size).fold(0.0, f64::max);
        for (entry, Points { points, gauge, .. }) in report.parameters.iter_mut().zip(&all) {
            entry.verdict = verdict(points, *gauge, largest, noise);
        }
        Ok(all)
    }

    /// Finds out which operations are to blame for what is wrong, and for what cannot be told otherwise.
    fn blame(
        &self,
        report: &mut Report,
        loss: Var<'_>,
        parameters: &[Var<'_>],
        probe: &Probe,
        points: &[Points],
    ) -> Result<()> {
        let all: Vec<NodeId> = parameters.iter().chain([&loss]).map(|v| v.id).collect();
        // A formula without a rule of its own has no derivative of its own to blame: what is in it has.
        if let Some(opened) = expand(loss.graph, &all, &Default::default(), Op::is_plain_call) {
            let parameters: Vec<Var<'_>> = parameters.iter().map(|p| opened.var(*p)).collect();
            return self.blame(report, opened.var(loss), &parameters, probe, points);
        }
        let graph = loss.graph;
        let ids: Vec<NodeId> = parameters.iter().map(|p| p.id).collect();
        let in_question = |v: &Verdict, p: &Points| match v {
            Verdict::Wrong(_) | Verdict::Kink(_) | Verdict::NoiseFloor { .. } => true,
            Verdict::Pass => p.points.iter().any(|point| point.is_open(p.gauge)),
            _ => false,
        };
        let asked: Vec<bool> =
            report.parameters.iter().zip(points).map(|(e, p)| in_question(&e.verdict, p)).collect();
        let wrong: Vec<NodeId> = ids.iter().zip(&asked).filter(|(_, a)| **a).map(|(id, _)| *id).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        let mut found = search::find(loss, &ids, probe.point(), &wrong, self.key("culprit"))?;
        // Where differences of the whole do not say that it is wrong, only evidence away from kinks counts.
        let differs = report.parameters.iter().any(|p| p.verdict.is_wrong());
        if !differs {
            found.culprits.retain(|c| c.smooth);
        }
        for (i, p) in report.parameters.iter_mut().enumerate().filter(|(i, _)| asked[*i]) {
            let way = between(graph, &[ids[i]], &[loss.id]);
            let kink = found.kinks.iter().find(|k| way.contains(k)).map(|k| graph.node(*k));
            let at = kink.map(|node| (node.op.name().to_string(), node.origin));
            match &mut p.verdict {
                Verdict::Wrong(Fault::Differs) if found.culprits.is_empty() => {
                    let Some(worst) = points[i].worst() else { continue };
                    if let Some(kink) = excuse(&points[i].points, points[i].gauge) {
                        p.verdict = Verdict::Kink(Kink { at, ..kink });
                    } else if at.is_some() {
                        // Kinks that cancel each other: no single operation is wrong.
                        let slope = worst.numeric.value;
                        p.verdict = Verdict::Kink(Kink {
                            index: worst.index.clone(),
                            count: 1,
                            left: slope,
                            right: slope,
                            recorded: worst.recorded,
                            at,
                        });
                    } else if worst.numeric.value == 0.0 || found.open.iter().any(|node| way.contains(node)) {
                        // No operation is wrong, as far as differences show; and of one they show nothing, or rounding
                        // swallows even what the greatest step should change in the whole.
                        let error = Measure::of(&points[i].points).difference();
                        p.verdict = Verdict::NoiseFloor { noise: points[i].noise, error };
                    }
                }
                Verdict::Wrong(_) => {}
                _ if found.culprits.iter().any(|c| c.smooth && way.contains(&c.node)) => {
                    p.verdict = Verdict::Wrong(Fault::Operation);
                }
                Verdict::Kink(kink) => kink.at = at,
                _ => {}
            }
        }
        // What has a part in a kink only is no fault of the gradient.
        if report.parameters.iter().any(|p| p.verdict.is_wrong()) {
            report.culprits = found.culprits.into_iter().map(|c| c.culprit).collect();
        }
        Ok(())
    }

    /// The error of rounding in the loss, found by moving all parameters at once.
    fn noise(&self, probe: &mut Probe, here: f64) -> Result<f64> {
        let key = self.key("noise");
        let values = probe.point().iter().map(reals).enumerate();
        let directions: Vec<Vec<f64>> = values.map(|(i, x)| stir(key.at(i as u64), x)).collect();
        difference::noise(|by| probe.move_all(&directions, by), here)
    }

    /// Recorded beside numeric derivatives of parameter `i`.
    fn points(&self, probe: &mut Probe, meter: &mut Meter, i: usize, gradient: &Tensor) -> Result<Points> {
        let g = reals(gradient);
        let size = norm(g.iter().copied().filter(|g| g.is_finite()).collect());
        let mut points = Vec::new();
        let Some(k) = self.directions.filter(|_| !g.is_empty()) else {
            let gauge = size / (g.len().max(1) as f64).sqrt();
            for at in spread(g.len(), self.elements) {
                let size = probe.element(i, at).abs();
                let mut point = meter.point(|by| probe.move_element(i, at, by), g[at], gauge, size)?;
                point.index = unravel(at, gradient.shape());
                points.push(point);
            }
            return Ok(Points { points, gauge, noise: meter.noise });
        };
        let gauge = size;
        let size = reals(&probe.point()[i]).iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let key = self.key("direction").at(i as u64);
        for number in 0..k {
            let direction = draw(key.at(number as u64), g.len());
            let recorded = g.iter().zip(&direction).map(|(g, d)| g * d).sum();
            let mut point = meter.point(|by| probe.move_along(i, &direction, by), recorded, gauge, size)?;
            point.index = vec![number];
            points.push(point);
        }
        Ok(Points { points, gauge, noise: meter.noise })
    }
}

/// The derivatives by one parameter, the size of a typical one, and the error of rounding in the loss.
#[derive(Clone, Default)]
struct Points {
    points: Vec<Point>,
    gauge: f64,
    noise: f64,
}

impl Points {
    fn worst(&self) -> Option<&Point> {
        // A gap that is not a number is worse than any.
        let gap = |p: &Point| if p.gap().is_nan() { f64::INFINITY } else { p.gap() };
        self.points.iter().max_by(|a, b| gap(a).total_cmp(&gap(b)))
    }
}

/// Fills in the numbers. Where the verdict is a kink, slopes that the gradient need not have do not count.
fn conclude(report: &mut Report, all: &[Points]) {
    let mut counted = Vec::new();
    for (entry, p) in report.parameters.iter_mut().zip(all) {
        let kink = matches!(entry.verdict, Verdict::Kink(_));
        let points: Vec<&Point> =
            p.points.iter().filter(|point| !(kink && point.is_wrong(p.gauge))).collect();
        let measure = Measure::of(points.iter().copied());
        let worst = p.worst();
        entry.checked = p.points.len();
        entry.difference = measure.difference();
        entry.error = measure.error();
        entry.step = worst.map_or(0.0, |p| p.step);
        entry.worst =
            worst.map(|p| Worst { index: p.index.clone(), recorded: p.recorded, numeric: p.numeric.value });
        counted.extend(points);
    }
    report.difference = Measure::of(counted).difference();
}

/// The name and the value of a parameter, in f64.
fn leaf(v: Var<'_>) -> Result<(String, Tensor)> {
    let node = v.graph.node(v.id);
    let Op::Input(p) = &node.op else {
        let why = format!("checks leaves, not the result of {}", node.op.name());
        return Err(Error::new(ErrorKind::Kind { op: "check", why }).placed(node.origin));
    };
    let leaf = v.graph.inner.borrow().leaves[p.index].clone();
    let name = leaf.name.to_string();
    match leaf.value {
        Some(value) => Ok((name, wide(&value))),
        None => Err(Error::new(ErrorKind::Unbound { name }).placed(node.origin)),
    }
}
