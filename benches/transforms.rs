//! What transforms cost, each beside the plain way to the same numbers in the same run.
//!
//!     cargo bench --bench transforms
//!
//! Only ratios mean something on a shared machine.

use criterion::{Criterion, criterion_group, criterion_main};

use chainrule::graph::{Compiled, Error};
use chainrule::loss::softmax_cross_entropy;
use chainrule::prelude::*;

fn draw(name: &str, shape: &[usize]) -> Tensor {
    Tensor::normal(Key::new(1).named(name), shape, 0.0, 0.1, DType::F32).expect("a deviation")
}

/// The weights of layers of `sizes` units.
fn weights<'g>(g: &'g Graph, sizes: &[usize]) -> Vec<Var<'g>> {
    sizes.windows(2).enumerate().map(|(i, s)| g.leaf(&format!("w{i}"), draw(&format!("w{i}"), s))).collect()
}

fn network<'g>(w: &[Var<'g>], x: Var<'g>) -> Var<'g> {
    let Some((last, hidden)) = w.split_last() else { return x };
    hidden.iter().fold(x, |a, w| a.matmul(*w).tanh()).matmul(*last)
}

fn labels(n: usize) -> Tensor {
    Tensor::from((0..n as i64).map(|i| i * 7 % 10).collect::<Vec<_>>())
}

/// Per-example gradients of 128 digits: all at once, and one after the other.
fn per_example(c: &mut Criterion) {
    let (n, sizes) = (128, [64, 128, 64, 10]);
    let mut group = c.benchmark_group("gradients of each of 128 examples, 64-128-64-10");
    let together = || -> Result<Compiled, Error> {
        let g = Graph::new();
        let (x, y) = (g.constant(draw("x", &[n, 64])), g.constant(labels(n)));
        let w = weights(&g, &sizes);
        let each = vmap(&[x, y], |e| {
            softmax_cross_entropy(network(&w, e[0].insert_axis(0)), e[1].insert_axis(0)).grad(&w)
        })?;
        g.compile(&[], &each)
    };
    let alone = || -> Result<Compiled, Error> {
        let g = Graph::new();
        let (x, y) = (g.input("x", [1, 64], Kind::Real), g.input("y", [1], Kind::Int));
        let w = weights(&g, &sizes);
        g.compile(&[x, y], &softmax_cross_entropy(network(&w, x), y).grad(&w)?)
    };
    let mut f = together().expect("a sound model");
    group.bench_function("vmap", |b| b.iter(|| f.run(&[]).expect("runs").len()));
    let mut f = alone().expect("a sound model");
    let x: Vec<Tensor> = (0..n).map(|i| draw(&format!("x{i}"), &[1, 64])).collect();
    let y = Tensor::from([3_i64]);
    group.bench_function("one after the other", |b| {
        b.iter(|| x.iter().map(|x| f.run(&[x.clone(), y.clone()]).expect("runs").len()).sum::<usize>())
    });
    group.finish();
}

/// A gradient, a Hessian-vector product, and a gradient with checkpoints.
fn products(c: &mut Criterion) {
    let mut group = c.benchmark_group("batch of 128, 20 layers of 64");
    let g = Graph::new();
    let sizes = [64; 21];
    let w = weights(&g, &sizes);
    let x = g.constant(draw("x", &[128, 64]));
    let loss = network(&w, x).square().mean(..);
    let v: Vec<Var<'_>> = w.iter().map(|w| g.constant(draw("v", &w.shape()))).collect();
    let mut run = |name: &str, outputs: Result<Vec<Var<'_>>, Error>| {
        let mut f = g.compile(&[], &outputs.expect("connected")).expect("compiles");
        group.bench_function(name, |b| b.iter(|| f.run(&[]).expect("runs").len()));
    };
    run("gradient", loss.grad(&w));
    run("Hessian-vector product", hvp(loss, &w, &v));
    let mut h = x;
    for part in w.chunks(5) {
        let start = h;
        h = part.iter().fold(h, |a, w| a.matmul(*w).tanh()).checkpoint(&[start]);
    }
    run("gradient, a checkpoint every 5", h.square().mean(..).grad(&w));
    group.finish();
}

/// 512 rows of a table of 1000 x 64, forward and backward: picked, and by a product with one-hot rows.
fn rows(c: &mut Criterion) {
    let mut group = c.benchmark_group("512 rows of a table of 1000 x 64, and their gradient");
    let g = Graph::new();
    let table = g.leaf("table", draw("table", &[1000, 64]));
    let index = g.input("index", [512], Kind::Int);
    let words = Tensor::from((0..512_i64).map(|i| i * i % 1000).collect::<Vec<_>>());
    for (name, picked) in
        [("take", table.take(0, index)), ("one-hot product", index.one_hot(1000).real().matmul(table))]
    {
        let d = picked.square().sum(..).grad(&[table]).expect("connected");
        let mut f = g.compile(&[index], &d).expect("compiles");
        group.bench_function(name, |b| b.iter(|| f.run(std::slice::from_ref(&words)).expect("runs").len()));
    }
    group.finish();
}

criterion_group!(benches, per_example, products, rows);
criterion_main!(benches);
