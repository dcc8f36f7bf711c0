//! One training step of four networks, and of the same steps with momentum, as users run them.
//!
//!     cargo bench --bench steps
//!
//! Absolute times mean little on a shared machine: compare only with what a peer gives for the same work in the same
//! minutes, by medians.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

use chainrule::data::Batch;
use chainrule::loss;
use chainrule::nn::{Step, optim::Optimiser};
use chainrule::prelude::*;

/// Layers of `sizes` units with ReLU (or tanh) between them.
struct Mlp {
    sizes: Vec<usize>,
    tanh: bool,
}

impl Layer for Mlp {
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let mut a = x;
        for (l, units) in self.sizes.iter().enumerate() {
            a = Linear::new(*units).forward(&s.at(&format!("layer{l}")), a);
            if l + 1 < self.sizes.len() {
                a = if self.tanh { a.tanh() } else { a.relu() };
            }
        }
        a
    }
}

fn binary<'g>(z: Var<'g>, y: Var<'g>) -> Var<'g> {
    loss::binary_cross_entropy_with_logits(z, y)
}

fn batch(examples: usize, features: usize, classes: Option<usize>) -> Batch {
    let key = Key::new(1);
    let features =
        Tensor::uniform(key.named("x"), [examples, features], 0.0..1.0, DType::F32).expect("a range");
    let targets = match classes {
        Some(n) => Tensor::from((0..examples).map(|i| (i * 7 % n) as i64).collect::<Vec<_>>()),
        None => {
            let truth: Vec<f32> = (0..examples).map(|i| f32::from(u8::from(i % 3 == 0))).collect();
            Tensor::from_vec(truth, [examples, 1]).expect("a column")
        }
    };
    Batch { features, targets }
}

fn step(sizes: &[usize], tanh: bool, batch: &Batch, optimiser: impl Optimiser + 'static) -> Step {
    let model = Mlp { sizes: sizes.to_vec(), tanh };
    let examples = batch.features.shape()[0];
    let compiled = if batch.targets.dtype() == DType::I64 {
        Trainer::new(model, loss::softmax_cross_entropy).optimiser(optimiser).step(
            Params::new(),
            batch,
            examples,
        )
    } else {
        Trainer::new(model, binary).optimiser(optimiser).step(Params::new(), batch, examples)
    };
    compiled.expect("a sound model")
}

fn steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("step");
    let mut run = |name: &str, mut step: Step, batch: Batch| {
        group.bench_function(name, |b| b.iter(|| step.run(&batch).expect("a sound batch")));
    };
    let digits = batch(64, 64, Some(10));
    run("digits 64-128-64-10, batch 64, adam", step(&[128, 64, 10], false, &digits, Adam::new(1e-3)), digits);
    let cat = batch(209, 12288, None);
    run("W1 logistic 12288 x 209, sgd", step(&[1], false, &cat, Sgd::new(1e-3)), cat);
    let cancer = batch(569, 30, None);
    run("W1t logistic 30 x 569, sgd", step(&[1], false, &cancer, Sgd::new(1e-3)), cancer);
    let flower = batch(400, 2, None);
    run("W2 2-4-1 tanh, 400 rows, sgd", step(&[4, 1], true, &flower, Sgd::new(0.1)), flower);
    let images = batch(128, 784, Some(10));
    run(
        "W3a 784-512-256-10, batch 128, momentum",
        step(&[512, 256, 10], false, &images, Momentum::new(0.01)),
        images.clone(),
    );
    run(
        "W3a 784-512-256-10, batch 128, adam",
        step(&[512, 256, 10], false, &images, Adam::new(1e-3)),
        images,
    );
    let few = batch(32, 784, Some(10));
    run("W3b 784-128-64-10, batch 32, momentum", step(&[128, 64, 10], false, &few, Momentum::new(0.01)), few);
    let deep = batch(64, 64, Some(64));
    run("W4 20 layers of 64, batch 64, sgd", step(&[64; 20], false, &deep, Sgd::new(0.01)), deep);
    group.finish();
}

fn compiling(c: &mut Criterion) {
    let images = batch(128, 784, Some(10));
    c.bench_function("record, differentiate and plan 784-512-256-10 with adam", |b| {
        b.iter_batched(
            || (),
            |()| step(&[512, 256, 10], false, &images, Adam::new(1e-3)),
            BatchSize::PerIteration,
        );
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).warm_up_time(std::time::Duration::from_millis(500));
    targets = steps, compiling
}
criterion_main!(benches);
