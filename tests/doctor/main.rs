//! The doctor: each illness has a run that has it and is named; healthy runs raise no alarm.
//!
//! `CHAINRULE_DOCTOR_SEEDS` sets the seeds of each illness (3), `CHAINRULE_DOCTOR_HEALTHY` those of each healthy kind (3).

mod healthy;
mod ill;
mod vitals;

use chainrule::doctor::{Doctor, Finding};
use chainrule::nn::data::Dataset;
use chainrule::prelude::*;
use chainrule::progress::Silent;

/// As many seeds as the variable says.
fn seeds(variable: &str, few: u64) -> std::ops::Range<u64> {
    0..std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(few)
}

/// What the doctor finds in a run; training itself may fail.
fn attended<M: Layer, L: Loss>(
    trainer: Trainer<M, L>,
    train: &Dataset,
    dev: Option<&Dataset>,
) -> Vec<Finding> {
    let mut doctor = Doctor::new().every(10);
    let _ = doctor.attend(&trainer, &mut Params::new(), train, dev, &mut Silent);
    doctor.findings()
}

/// Features and labels of `classes` clouds, each around its own corner.
fn clouds(rows: usize, columns: usize, classes: usize, seed: u64) -> (Vec<f32>, Vec<i64>) {
    let noise =
        Tensor::normal(Key::new(seed).named("clouds"), [rows, columns], 0.0, 1.0, DType::F32).unwrap();
    let corners =
        Tensor::normal(Key::new(seed).named("corners"), [classes, columns], 0.0, 0.7, DType::F32).unwrap();
    let (noise, corners) = (noise.to_vec::<f32>().unwrap(), corners.to_vec::<f32>().unwrap());
    let label = |i: usize| (i * 7 + i / classes) % classes;
    let x = noise.iter().enumerate().map(|(at, n)| n + corners[label(at / columns) * columns + at % columns]);
    (x.collect(), (0..rows).map(|i| label(i) as i64).collect())
}

fn dataset(x: Vec<f32>, y: Vec<i64>, classes: usize) -> Dataset {
    let columns = x.len() / y.len();
    let x = Tensor::from_vec(x, [y.len(), columns]).unwrap();
    Dataset::classification(x, Tensor::from(y), classes).unwrap()
}

fn easy(seed: u64) -> Dataset {
    let (x, y) = clouds(320, 10, 4, seed);
    dataset(x, y, 4)
}

/// Layers of these widths with this start and activation, then a linear one.
#[derive(Clone)]
struct Mlp {
    widths: Vec<usize>,
    init: Init,
    last: Init,
    act: for<'g> fn(Var<'g>) -> Var<'g>,
    end: for<'g> fn(Var<'g>) -> Var<'g>,
}

fn relu(z: Var<'_>) -> Var<'_> {
    z.relu()
}
fn tanh(z: Var<'_>) -> Var<'_> {
    z.tanh()
}
fn sigmoid(z: Var<'_>) -> Var<'_> {
    z.sigmoid()
}
fn same(z: Var<'_>) -> Var<'_> {
    z
}

impl Mlp {
    fn new(widths: &[usize], act: for<'g> fn(Var<'g>) -> Var<'g>) -> Self {
        Mlp { widths: widths.into(), init: Init::He, last: Init::He, act, end: same }
    }
}

impl Layer for Mlp {
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let (last, hidden) = self.widths.split_last().unwrap();
        let mut h = x;
        for (i, n) in hidden.iter().enumerate() {
            h = (self.act)(Linear::new(*n).init(self.init).forward(&s.at(&format!("hidden{i}")), h));
        }
        (self.end)(Linear::new(*last).init(self.last).forward(&s.at("output"), h))
    }
}
