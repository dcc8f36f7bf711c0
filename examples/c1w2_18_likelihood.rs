//! Course 1, week 2, lectures 2.3 and 2.18: the logistic cost is the negative log-likelihood, so its least value lies at the
//! most likely parameters, and those come closer to the true ones with more examples.
//!
//!     cargo run --release --example c1w2_18_likelihood

mod lecture;

use anyhow::{Result, ensure};
use chainrule::graph::Precision;
use chainrule::loss::{binary_cross_entropy, binary_cross_entropy_with_logits};
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// The parameters that labels are drawn with: two weights and a bias.
const TRUE: [f64; 3] = [1.5, -1.0, 0.5];

/// How far the most likely parameters of `m` drawn examples are from the true ones, and the gap between J and −ln P / m.
fn fitted(m: usize, seed: u64) -> Result<[f64; 2]> {
    let key = Key::new(seed).at(m as u64);
    let x = Tensor::normal(key.named("x"), [m, 2], 0.0, 1.0, DType::F64)?.to_vec::<f64>()?;
    let luck = Tensor::uniform(key.named("luck"), [m], 0.0..1.0, DType::F64)?.to_vec::<f64>()?;
    let chance = |z: f64| 1.0 / (1.0 + (-z).exp());
    let z = |p: &[f64], i: usize| p[0] * x[2 * i] + p[1] * x[2 * i + 1] + p[2];
    let y: Vec<f64> = (0..m).map(|i| f64::from(luck[i] < chance(z(&TRUE, i)))).collect();

    let g = Graph::new();
    let (w, b) = (g.leaf("w", Tensor::zeros([2, 1], DType::F64)), g.leaf("b", 0.0));
    let (xs, ys) =
        (g.constant(Tensor::from_vec(x.clone(), [m, 2])?), g.constant(Tensor::from_vec(y.clone(), [m, 1])?));
    let cost = binary_cross_entropy_with_logits(xs.matmul(w) + b, ys);
    let d = cost.grad(&[w, b])?;
    let state = [(w, w - 2.0 * d[0]), (b, b - 2.0 * d[1])];
    let mut step = g.compiler(&[], &[cost]).state(&state).precision(Precision::F64).build()?;
    let mut j = f64::NAN;
    for _ in 0..200 {
        j = step.run(&[])?[0].item()?;
    }
    let state = step.state();
    let found = [state[0].to_vec::<f64>()?, state[1].to_vec()?].concat();
    // P(y | x) of all examples, which are independent: the product of a^y (1 − a)^(1 − y).
    let each = |i: usize| chance(z(&found, i)).powf(y[i]) * (1.0 - chance(z(&found, i))).powf(1.0 - y[i]);
    let likelihood: f64 = (0..m).map(|i| each(i).ln()).sum();
    let apart = found.iter().zip(TRUE).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    Ok([apart, (j + likelihood / m as f64).abs()])
}

/// Prints the table, draws it; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, most: usize) -> Result<Picture> {
    println!(
        "claim: J is −ln P(labels) / m, and the most likely parameters are the true ones but for chance\n"
    );
    let g = Graph::new();
    let a = g.leaf("a", Tensor::from([0.2, 0.9]));
    let losses = [0.0, 1.0].map(|y| binary_cross_entropy(a, g.constant(Tensor::from([y, y]))).value());
    for (y, loss) in [0, 1].into_iter().zip(losses) {
        println!("y = {y}: mean loss of a = 0.2 and a = 0.9 is {:.4}", loss?.item::<f64>()?);
    }
    println!("\nexamples   distance to the true parameters   J against −ln P / m   ({seeds} seeds)");
    let mut points = Vec::new();
    for m in [100, 400, 1600, 6400].into_iter().filter(|m| *m <= most) {
        let found = (0..seeds).map(|seed| fitted(m, seed)).collect::<Result<Vec<_>>>()?;
        let apart = Trials(found.iter().map(|f| f[0]).collect());
        let gap = found.iter().map(|f| f[1]).fold(0.0, f64::max);
        println!("{m:>8}   {apart:>31.3}   {gap:>19.1e}");
        ensure!(gap < 1e-3, "J is not the likelihood: {gap}");
        points.push(((m as f64).log10(), apart.mean()));
    }
    let (first, last) = (points[0].1, points[points.len() - 1].1);
    ensure!(last < 0.7 * first, "more examples must come closer: {first} and {last}");
    println!("\nfour times the examples: distance divided by about 2 each time\nthe claim holds");
    Ok(LinePlot::new("Maximum likelihood", "log10 examples", "distance")
        .line("mean", points)
        .log_y()
        .draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c1w2_18_likelihood", &run(20, 6400)?)
}
