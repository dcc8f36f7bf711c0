//! What was seen of a run: losses, readings, facts about the data.

use std::collections::{BTreeMap, BTreeSet};

use chainrule_tensor::{DType, Tensor};

use super::vitals::Vitals;
use crate::error::Result;

/// What a tensor is in a training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A parameter before the step.
    Parameter,
    /// Its gradient.
    Gradient,
    /// What the step adds to it.
    Update,
    /// What a layer gives before its activation function.
    Linear,
    /// What a relu gives.
    Relu,
    /// What another activation function gives.
    Activation,
    /// What the model gives.
    Output,
}

/// Error rates of the splits, or losses, smaller being better; what is not known is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Errors {
    /// What is possible: human-level error.
    pub base: Option<f64>,
    /// On the training set.
    pub train: Option<f64>,
    /// On examples like the training set's that were not trained on.
    pub train_dev: Option<f64>,
    /// On the dev set.
    pub dev: Option<f64>,
    /// On the test set.
    pub test: Option<f64>,
}

/// What was seen of a run.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// Step and loss.
    pub losses: Vec<(usize, f64)>,
    /// Step and penalty within the loss.
    pub penalties: Vec<(usize, f64)>,
    /// By role and name: step and what was measured, in order.
    pub readings: BTreeMap<(Role, String), Vec<(usize, Vitals)>>,
    /// Training and dev loss of each epoch.
    pub epochs: Vec<(f64, Option<f64>)>,
    pub(super) lines: BTreeMap<String, String>,
    pub(super) ranks: BTreeMap<String, usize>,
    /// Names in the order of the model.
    pub(super) order: Vec<String>,
    /// Parameters that are not trained.
    pub(super) frozen: BTreeSet<String>,
    /// The number of classes, if the loss is a cross-entropy.
    pub(super) entropy_of: Option<usize>,
    pub(super) data: Option<DataFacts>,
    pub(super) shared_rows: Option<(usize, usize)>,
    /// For each batch seen, how many labels it has, and their entropy.
    pub(super) label_entropies: Vec<(usize, f64)>,
    pub(super) errors: Option<Errors>,
}

/// Facts about the data.
#[derive(Clone, Debug, Default)]
pub(super) struct DataFacts {
    pub(super) not_finite: usize,
    /// Of each column, mean and standard deviation.
    pub(super) columns: Vec<(f64, f64)>,
    /// Of each class, how many examples.
    pub(super) counts: Vec<usize>,
    /// Mean and standard deviation of targets that are no classes.
    pub(super) targets: Option<(f64, f64)>,
    pub(super) whole_numbers: bool,
}

impl Chart {
    /// Readings of `role`, layer by layer in the model's order.
    pub(super) fn of(&self, role: Role) -> Vec<(&str, &[(usize, Vitals)])> {
        let mut all: Vec<(&str, &[(usize, Vitals)])> = self
            .readings
            .iter()
            .filter(|((r, _), _)| *r == role)
            .map(|((_, name), readings)| (name.as_str(), &readings[..]))
            .collect();
        let place = |name: &str| self.order.iter().position(|n| n == name).unwrap_or(usize::MAX);
        all.sort_by_key(|(name, _)| place(name));
        all
    }

    /// What is known of a name before it is measured: its place in the model, its line, its rank.
    pub(super) fn place(&mut self, name: &str, line: String, rank: Option<usize>) {
        if !self.order.iter().any(|known| known == name) {
            self.order.push(name.into());
        }
        self.lines.insert(name.into(), line);
        self.ranks.extend(rank.map(|rank| (name.to_owned(), rank)));
    }

    pub(super) fn line(&self, name: &str) -> String {
        self.lines.get(name).cloned().unwrap_or_default()
    }

    /// Whether `name` is a weight, not a bias.
    pub(super) fn is_weight(&self, name: &str) -> bool {
        self.ranks.get(name).is_none_or(|rank| *rank >= 2)
    }

    pub(super) fn see_labels(&mut self, targets: &Tensor) -> Result<()> {
        if targets.dtype() == DType::I64 && targets.shape().len() == 1 && targets.size() >= 8 {
            self.label_entropies.push((targets.size(), entropy(&counts(&targets.to_vec::<i64>()?))));
        }
        Ok(())
    }

    pub(super) fn see_data(&mut self, x: &Tensor, y: &Tensor, classes: Option<usize>) -> Result<()> {
        let mut facts = DataFacts::default();
        let rows = x.shape().first().copied().unwrap_or(0);
        if rows > 0 && x.dtype() != DType::Bool && x.size() > 0 {
            let width = x.size() / rows;
            let values = x.cast(DType::F64).to_vec::<f64>()?;
            facts.not_finite = values.iter().filter(|v| !v.is_finite()).count();
            facts.whole_numbers = x.dtype() == DType::I64;
            for column in 0..width {
                let of = || values.iter().skip(column).step_by(width).filter(|v| v.is_finite());
                facts.columns.push(moments(of));
            }
        }
        match classes {
            Some(k) if y.dtype() == DType::I64 => {
                let found = counts(&y.to_vec::<i64>()?);
                facts.counts = (0..k as i64).map(|c| found.get(&c).copied().unwrap_or(0)).collect();
            }
            _ if matches!(y.dtype(), DType::F32 | DType::F64) && y.size() > 0 => {
                let values = y.cast(DType::F64).to_vec::<f64>()?;
                facts.targets = Some(moments(|| values.iter()));
            }
            _ => {}
        }
        self.data = Some(facts);
        Ok(())
    }

    pub(super) fn compare(&mut self, train: &Tensor, dev: &Tensor) -> Result<()> {
        let rows = |x: &Tensor| -> Result<Vec<Vec<u64>>> {
            let n = x.shape().first().copied().unwrap_or(0);
            let values = x.cast(DType::F64).to_vec::<f64>()?;
            let width = (values.len() / n.max(1)).max(1);
            Ok(values.chunks(width).map(|row| row.iter().map(|v| v.to_bits()).collect()).collect())
        };
        let known: BTreeSet<Vec<u64>> = rows(train)?.into_iter().collect();
        let dev = rows(dev)?;
        let both = dev.iter().filter(|row| known.contains(*row)).count();
        self.shared_rows = Some((both, dev.len()));
        Ok(())
    }
}

/// Mean and standard deviation.
fn moments<'a, I: Iterator<Item = &'a f64>>(values: impl Fn() -> I) -> (f64, f64) {
    let n = values().count().max(1) as f64;
    let mean = values().sum::<f64>() / n;
    let variance = values().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

fn counts(labels: &[i64]) -> BTreeMap<i64, usize> {
    let mut counts = BTreeMap::new();
    labels.iter().for_each(|label| *counts.entry(*label).or_default() += 1);
    counts
}

/// In nats.
fn entropy(counts: &BTreeMap<i64, usize>) -> f64 {
    let total = counts.values().sum::<usize>() as f64;
    counts.values().map(|n| *n as f64 / total).map(|p| -p * p.ln()).sum()
}
