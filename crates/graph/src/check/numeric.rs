//! Central differences over the elements of each parameter.

use chainrule_tensor::{DType, Tensor};

use super::report::{Parameter, Report, Worst};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::compile::Precision;
use crate::exec::machine::Compiled;
use crate::prim::Op;
use crate::var::Var;

/// How a gradient is checked.
///
/// ```
/// use chainrule_graph::{Graph, check::Checker};
/// let g = Graph::new();
/// let w = g.leaf("w", [0.5, -1.0, 2.0]);
/// let report = Checker::default().elements(2).check((w.tanh() * w).sum(&[]), &[w])?;
/// assert!(report.is_fine(), "{report}");
/// # Ok::<(), chainrule_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Checker {
    step: f64,
    elements: usize,
}

impl Default for Checker {
    /// All elements; a step of ∛ε, at which the errors of rounding and of truncation are equal.
    fn default() -> Self {
        Checker { step: f64::EPSILON.cbrt(), elements: usize::MAX }
    }
}

/// Checks the gradient of `loss` with respect to each element of `parameters`, which are leaves with values.
///
/// # Errors
/// As [`Checker::check`].
pub fn gradients(loss: Var<'_>, parameters: &[Var<'_>]) -> Result<Report> {
    Checker::default().check(loss, parameters)
}

impl Checker {
    /// Checks at most `n` elements of each parameter, evenly spread, for models with many.
    pub fn elements(mut self, n: usize) -> Self {
        self.elements = n.max(1);
        self
    }

    /// The step ε of (J(θ + ε) − J(θ − ε)) / 2ε, relative to max(1, |θ|).
    pub fn step(mut self, step: f64) -> Self {
        self.step = step;
        self
    }

    /// Compares recorded and numeric gradient.
    ///
    /// # Errors
    /// Those of [`Var::grad`]; a parameter that is not a leaf with a value.
    pub fn check<'g>(&self, loss: Var<'g>, parameters: &[Var<'g>]) -> Result<Report> {
        let gradients = loss.grad(parameters)?;
        let graph = loss.graph;
        let compile =
            |outputs: &[Var<'g>]| graph.compiler(parameters, outputs).precision(Precision::F64).build();
        let mut loss = compile(&[loss])?;
        let mut recorded = compile(&gradients)?;
        let mut names = Vec::new();
        let mut values = Vec::new();
        for p in parameters {
            let (name, value) = leaf(*p)?;
            names.push(name);
            values.push(value.cast(DType::F64).to_contiguous());
        }
        let recorded = recorded.run(&values)?.to_vec();
        let mut reports = Vec::new();
        let mut total = Measure::default();
        for (i, name) in names.into_iter().enumerate() {
            let size = values[i].size();
            let mut measure = Measure::default();
            let mut worst: Option<(f64, Worst)> = None;
            let mut checked = 0;
            for at in spread(size, self.elements) {
                checked += 1;
                let numeric = self.difference(&mut loss, &mut values, i, at)?;
                let recorded = recorded[i].as_slice::<f64>().map_or(f64::NAN, |g| g[at]);
                measure.add(recorded, numeric);
                total.add(recorded, numeric);
                let gap = (recorded - numeric).abs();
                // NaN is worse than any number.
                let worse = |most: f64| gap > most || gap.is_nan() && !most.is_nan();
                if worst.as_ref().is_none_or(|(most, _)| worse(*most)) {
                    worst = Some((gap, Worst { index: unravel(at, values[i].shape()), recorded, numeric }));
                }
            }
            let shape = values[i].shape().to_vec();
            let worst = worst.map(|w| w.1);
            reports.push(Parameter { name, shape, checked, difference: measure.value(), worst });
        }
        Ok(Report { parameters: reports, difference: total.value() })
    }

    /// (J(θ + ε) − J(θ − ε)) / 2ε for element `at` of parameter `i`.
    fn difference(&self, loss: &mut Compiled, values: &mut [Tensor], i: usize, at: usize) -> Result<f64> {
        let original = values[i].clone();
        let mut at_shifted = |by: f64| -> Result<(f64, f64)> {
            let mut elements = original.as_slice::<f64>().map(<[f64]>::to_vec).unwrap_or_default();
            elements[at] += by;
            let moved = elements[at];
            values[i] = Tensor::from_vec(elements, original.shape())?;
            Ok((loss.run(values)?[0].item::<f64>()?, moved))
        };
        let step = self.step * original.as_slice::<f64>().map_or(1.0, |x| x[at].abs().max(1.0));
        let (above, right) = at_shifted(step)?;
        let (below, left) = at_shifted(-step)?;
        values[i] = original;
        // The distance really moved, since θ + ε is rounded.
        Ok((above - below) / (right - left))
    }
}

/// ‖g − ĝ‖₂ / (‖g‖₂ + ‖ĝ‖₂), element by element.
#[derive(Default)]
struct Measure {
    gap: f64,
    recorded: f64,
    numeric: f64,
}

impl Measure {
    fn add(&mut self, recorded: f64, numeric: f64) {
        self.gap += (recorded - numeric).powi(2);
        self.recorded += recorded.powi(2);
        self.numeric += numeric.powi(2);
    }

    fn value(&self) -> f64 {
        let scale = self.recorded.sqrt() + self.numeric.sqrt();
        if scale == 0.0 { 0.0 } else { self.gap.sqrt() / scale }
    }
}

fn leaf(v: Var<'_>) -> Result<(String, Tensor)> {
    let node = v.graph.node(v.id);
    let Op::Input(p) = &node.op else {
        let why = format!("checks leaves, not the result of {}", node.op.name());
        return Err(Error::new(ErrorKind::Kind { op: "check", why }).placed(node.origin));
    };
    let leaf = v.graph.inner.borrow().leaves[p.index].clone();
    let name = leaf.name.to_string();
    match leaf.value {
        Some(value) => Ok((name, value)),
        None => Err(Error::new(ErrorKind::Unbound { name }).placed(node.origin)),
    }
}

/// At most `n` positions of `0..size`, evenly spread.
fn spread(size: usize, n: usize) -> impl Iterator<Item = usize> {
    let n = n.min(size);
    (0..n).map(move |i| ((2 * i + 1) as u128 * size as u128 / (2 * n) as u128) as usize)
}

/// The index of a row-major position.
fn unravel(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for axis in (0..shape.len()).rev() {
        index[axis] = at % shape[axis];
        at /= shape[axis];
    }
    index
}
