//! What a graph costs before and at its first run, over sizes: to record, differentiate and plan it.
//!
//!     cargo bench --bench planning
//!
//! Costs are proportional to the number of nodes, so the times of one phase grow as the sizes do. Only ratios mean
//! something on a shared machine: `per element` in the reports of one group should be level.

use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};

use chainrule::prelude::*;

const SIZES: [usize; 3] = [1_250, 5_000, 20_000];

/// A formula of some size: a number, and what it is differentiated by.
type Formula = for<'g> fn(&'g Graph, usize) -> (Var<'g>, Vec<Var<'g>>);

fn start(g: &Graph) -> Var<'_> {
    g.leaf("x", [0.5, -0.25, 0.125])
}

fn chain(g: &Graph, n: usize) -> (Var<'_>, Vec<Var<'_>>) {
    let x = start(g);
    ((0..n).fold(x, |y, _| (y * 0.999).sin()).sum(..), vec![x])
}

fn distinct_constants(g: &Graph, n: usize) -> (Var<'_>, Vec<Var<'_>>) {
    let x = start(g);
    ((0..n).fold(x, |y, i| y * 0.5 + i as f64).sum(..), vec![x])
}

fn products(g: &Graph, n: usize) -> (Var<'_>, Vec<Var<'_>>) {
    let (x, w) = (g.leaf("x", [[0.5, -0.25]]), g.leaf("w", [[0.6, 0.8], [-0.8, 0.6]]));
    ((0..n).fold(x, |y, _| y.matmul(w).tanh()).sum(..), vec![x, w])
}

fn leaves(g: &Graph, n: usize) -> (Var<'_>, Vec<Var<'_>>) {
    let x: Vec<Var<'_>> = (0..n).map(|i| g.leaf(&format!("x{i}"), [0.5, 0.25])).collect();
    (x.iter().fold(g.constant(1.0), |y, x| (y * *x).sin()).sum(..), x)
}

fn parts(g: &Graph, n: usize) -> (Var<'_>, Vec<Var<'_>>) {
    let x = start(g);
    let parts: Vec<Var<'_>> = (0..n).map(|i| x * i as f64).collect();
    (g.concat(&parts, 0).square().sum(..), vec![x])
}

fn slices(g: &Graph, n: usize) -> (Var<'_>, Vec<Var<'_>>) {
    let x = g.leaf("x", Tensor::from((0..n).map(|i| i as f64).collect::<Vec<_>>()));
    let each = (0..n).map(|i| x.slice(0, i..i + 1).sin());
    (each.reduce(|a, b| a + b).unwrap_or(x).sum(..), vec![x])
}

fn checkpoints(g: &Graph, n: usize) -> (Var<'_>, Vec<Var<'_>>) {
    let x = start(g);
    ((0..n).fold(x, |y, _| (y * 0.999).sin().checkpoint(&[y])).sum(..), vec![x])
}

fn rules(g: &Graph, n: usize) -> (Var<'_>, Vec<Var<'_>>) {
    let x = start(g);
    let sine = |y| g.custom_vjp("sine", &[y], |y| y[0].sin(), |y, _, ct| vec![ct * y[0].cos()]);
    ((0..n).fold(x, |y, _| sine(y)).sum(..), vec![x])
}

const FORMULAS: [(&str, Formula); 8] = [
    ("chain of sines", chain),
    ("distinct constants", distinct_constants),
    ("matrix products", products),
    ("leaves", leaves),
    ("concat of parts", parts),
    ("slices of one value", slices),
    ("chain of checkpoints", checkpoints),
    ("chain of custom rules", rules),
];

fn phases(c: &mut Criterion) {
    for (name, formula) in FORMULAS {
        let mut group = c.benchmark_group(name);
        group.sample_size(10).measurement_time(std::time::Duration::from_secs(2));
        for n in SIZES {
            group.throughput(Throughput::Elements(n as u64));
            phase(&mut group, formula, n);
        }
        group.finish();
    }
}

fn phase(group: &mut BenchmarkGroup<'_, WallTime>, formula: Formula, n: usize) {
    group.bench_function(BenchmarkId::new("record", n), |b| b.iter(|| formula(&Graph::new(), n).1.len()));
    let gradient = |g: &Graph| {
        let (y, x) = formula(g, n);
        y.grad(&x).expect("connected").len()
    };
    group.bench_function(BenchmarkId::new("record and differentiate", n), |b| {
        b.iter(|| gradient(&Graph::new()))
    });
    let g = Graph::new();
    let (y, x) = formula(&g, n);
    let d = y.grad(&x).expect("connected");
    let plan = || g.compile(&[], &d).expect("plans");
    group.bench_function(BenchmarkId::new("compile", n), |b| b.iter(|| plan().bytes()));
    group.bench_function(BenchmarkId::new("first run", n), |b| {
        b.iter_batched(plan, |mut f| f.run(&[]).expect("runs").len(), BatchSize::PerIteration)
    });
}

/// Asking for a derivative and its value again and again, in a graph that holds much else.
fn asking(c: &mut Criterion) {
    let mut group = c.benchmark_group("a gradient and its value, beside other nodes");
    for n in SIZES {
        let g = Graph::new();
        let other = chain(&g, n).0;
        let x = start(&g);
        let y = x.sin().sum(..);
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter(|| y.grad(&[x]).expect("connected")[0].value().expect("runs").size())
        });
        assert!(g.len() < n * 2 + 50 && other.rank() == 0);
    }
    group.finish();
}

criterion_group!(benches, phases, asking);
criterion_main!(benches);
