//! The doctor: what is wrong with a training run, by name, with the number, the layer, the line and what helps.
//!
//! It works on numbers: losses and named tensors step by step, from whatever loop they come.
//!
//! ```
//! use chainrule_nn::doctor::{Doctor, Illness, Role};
//! use chainrule_tensor::Tensor;
//!
//! let mut doctor = Doctor::new();
//! for step in 0..3 {
//!     doctor.loss(step, 0.69);
//!     let weight = Tensor::zeros([4, 8], chainrule_tensor::DType::F32);
//!     doctor.see(step, Role::Parameter, "hidden.weight", &weight)?;
//!     doctor.see(step, Role::Gradient, "hidden.weight", &weight)?;
//! }
//! let found = doctor.findings();
//! assert_eq!(found[0].illness, Illness::Symmetric);
//! assert!(found[0].to_string().starts_with("symmetric units: hidden.weight"));
//! # Ok::<(), chainrule_nn::Error>(())
//! ```
//!
//! A [`Probe`] measures a model: activations, gradients, how the layers are wired. [`Doctor::attend`] looks on while a
//! [`Trainer`](crate::Trainer) trains.
//!
//! An alarm needs evidence: a rule that is met in several readings, and none where another illness explains it.

mod chart;
mod illness;
mod probe;
mod rules;
mod trial;
mod vitals;
mod watch;
mod wiring;

use std::fmt;

use chainrule_tensor::Tensor;

use crate::data::Dataset;
use crate::error::Result;

pub use chart::{Chart, Errors, Role};
pub use illness::Illness;
pub use probe::Probe;
pub use vitals::{Squash, Vitals};

/// Something wrong, and the evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What it is.
    pub illness: Illness,
    /// The number that was measured.
    pub value: f64,
    /// What was measured, in words.
    pub measured: String,
    /// The layer or parameter, or empty.
    pub layer: String,
    /// The user's line, or empty.
    pub line: String,
    /// The step at which it was first seen.
    pub step: Option<usize>,
}

impl Finding {
    pub(crate) fn new(illness: Illness, value: f64, measured: impl Into<String>) -> Self {
        let (layer, line) = (String::new(), String::new());
        Finding { illness, value, measured: measured.into(), layer, line, step: None }
    }

    fn of(mut self, layer: &str) -> Self {
        self.layer = layer.into();
        self
    }

    fn at(mut self, line: impl Into<String>) -> Self {
        self.line = line.into();
        self
    }

    fn in_step(mut self, step: usize) -> Self {
        self.step = Some(step);
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.illness.name(), self.measured)?;
        if let Some(step) = self.step {
            write!(f, " (step {step})")?;
        }
        if !self.line.is_empty() {
            write!(f, "\n  at {}", self.line)?;
        }
        write!(f, "\n  see {}", self.illness.lecture())?;
        write!(f, "\n  try: {}", self.illness.remedy())
    }
}

/// Collects what is seen of a run, and says what is wrong with it.
#[derive(Clone, Debug)]
pub struct Doctor {
    chart: Chart,
    every: usize,
    /// What was found by looking at formulas or by trying.
    found: Vec<Finding>,
}

impl Default for Doctor {
    fn default() -> Self {
        Doctor::new()
    }
}

impl Doctor {
    /// One that looks at each 50th step when it [attends](Doctor::attend) a trainer.
    pub fn new() -> Self {
        Doctor { chart: Chart::default(), every: 50, found: Vec::new() }
    }

    /// Looks at each such step, the first five readings being closer together: at steps 0, 1, 2, 4 and 8. One look costs
    /// about one step.
    pub fn every(mut self, steps: usize) -> Self {
        self.every = steps.max(1);
        self
    }

    /// Whether a step is one to be looked at.
    pub fn looks_at(&self, step: usize) -> bool {
        step.is_multiple_of(self.every) || step == 1 || step == 2 || step == 4 || step == 8
    }

    /// The loss of a step.
    pub fn loss(&mut self, step: usize, loss: f64) {
        self.chart.losses.push((step, loss));
    }

    /// The penalty within the loss of a step.
    pub fn penalty(&mut self, step: usize, penalty: f64) {
        self.chart.penalties.push((step, penalty));
    }

    /// A tensor of a step, under the name of its parameter or layer. An activation is seen as relu or unbounded;
    /// [`record`](Doctor::record) says otherwise.
    ///
    /// # Errors
    /// None but those of the tensor crate.
    pub fn see(&mut self, step: usize, role: Role, name: &str, value: &Tensor) -> Result<()> {
        let rank = value.shape().len();
        let units = match role {
            Role::Parameter | Role::Gradient | Role::Update => vitals::units_of_weight(rank),
            _ => vitals::units_of_activation(rank),
        };
        let measured = Vitals::of(value, units, Squash::None)?;
        self.chart.ranks.insert(name.into(), rank);
        self.record(step, role, name, measured);
        Ok(())
    }

    /// What was measured of a tensor of a step.
    pub fn record(&mut self, step: usize, role: Role, name: &str, measured: Vitals) {
        self.chart.readings.entry((role, name.into())).or_default().push((step, measured));
    }

    /// Inputs and labels of the batch of a step; the order of the labels is looked at.
    ///
    /// # Errors
    /// None but those of the tensor crate.
    pub fn batch(&mut self, targets: &Tensor) -> Result<()> {
        self.chart.see_labels(targets)
    }

    /// The data, before training: scale, constants, NaN, classes, and rows that are in both.
    ///
    /// # Errors
    /// None but those of the tensor crate.
    pub fn data(&mut self, train: &Dataset, dev: Option<&Dataset>) -> Result<()> {
        let classes = train.classes().map(|c| c.count());
        self.arrays(train.features(), train.targets(), classes)?;
        if let Some(dev) = dev {
            self.chart.compare(train.features(), dev.features())?;
        }
        Ok(())
    }

    /// As [`data`](Doctor::data), from arrays whose rows are examples; `classes` where the targets are labels.
    ///
    /// # Errors
    /// None but those of the tensor crate.
    pub fn arrays(&mut self, features: &Tensor, targets: &Tensor, classes: Option<usize>) -> Result<()> {
        self.chart.see_data(features, targets, classes)
    }

    /// Error rates, or losses, of the splits (course 2, lecture 1.2; course 3, lecture 2.5).
    pub fn errors(&mut self, errors: Errors) {
        self.chart.errors = Some(errors);
    }

    /// Losses of an epoch on training and dev data.
    pub fn epoch(&mut self, train: f64, dev: Option<f64>) {
        self.chart.epochs.push((train, dev));
    }

    /// What was seen, to draw or store.
    pub fn chart(&self) -> &Chart {
        &self.chart
    }

    pub(crate) fn found(&mut self, finding: Finding) {
        if !self.found.iter().any(|f| f.illness == finding.illness && f.layer == finding.layer) {
            self.found.push(finding);
        }
    }

    /// What is wrong, causes alone: one finding for each illness, at the first layer that has it.
    pub fn findings(&self) -> Vec<Finding> {
        let mut all = self.found.clone();
        rules::judge(&self.chart, &mut all);
        let mut kept: Vec<Finding> = Vec::new();
        for finding in &all {
            let explained = all.iter().any(|f| f.illness.explains().contains(&finding.illness));
            if !explained && !kept.iter().any(|k| k.illness == finding.illness) {
                kept.push(finding.clone());
            }
        }
        kept
    }

    /// The findings as text; a line that says so where there are none.
    pub fn advice(&self) -> String {
        let findings: Vec<String> = self.findings().iter().map(Finding::to_string).collect();
        if findings.is_empty() {
            "nothing is wrong that the doctor knows".into()
        } else {
            findings.join("\n")
        }
    }
}
