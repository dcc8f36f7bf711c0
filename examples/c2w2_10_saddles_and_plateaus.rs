//! Course 2, week 2, lecture 2.10: in many dimensions a point without slope is a saddle, hardly ever a bad minimum; what
//! costs time are the plateaus around it.
//!
//!     cargo run --release --example c2w2_10_saddles_and_plateaus

mod lecture;

use anyhow::{Result, ensure};
use chainrule::graph::Precision;
use chainrule::metric::Trials;
use chainrule::optim::{Optimiser, Parameter, updates};
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// Whether a random symmetric matrix bends upwards in all directions: Cholesky's pivots are all positive.
fn is_minimum(n: usize, key: Key) -> Result<bool> {
    let a = Tensor::normal(key, [n, n], 0.0, 1.0, DType::F64)?.to_vec::<f64>()?;
    let mut m: Vec<Vec<f64>> =
        (0..n).map(|i| (0..n).map(|j| a[i * n + j] + a[j * n + i]).collect()).collect();
    for k in 0..n {
        if m[k][k] <= 0.0 {
            return Ok(false);
        }
        for i in k + 1..n {
            let factor = m[i][k] / m[k][k];
            (k..n).for_each(|j| m[i][j] -= factor * m[k][j]);
        }
    }
    Ok(true)
}

/// J at each step from near the saddle of (x² − y²) / 2 + y⁴ / 4, whose minima have J = −1/4.
fn leaving(optimiser: &dyn Optimiser, start: f64, most: usize) -> Result<Vec<f64>> {
    let g = Graph::new();
    let (w, before) = (g.leaf("w", [1.0, start]), g.leaf("steps", 0.0));
    let (square, step) = (w.square(), before + 1.0);
    let loss =
        (square * g.constant([0.5, -0.5])).sum(..) + (square.square() * g.constant([0.0, 0.25])).sum(..);
    let parameters = [Parameter { path: "w".into(), value: w }];
    let state = updates(optimiser, step, &parameters, loss.grad(&[w])?).state;
    let state = [state, vec![(before, step)]].concat();
    let mut plan = g.compiler(&[], &[loss]).state(&state).precision(Precision::F64).build()?;
    let mut found = Vec::new();
    while found.len() < most && found.last().is_none_or(|j| *j > -0.24) {
        found.push(plan.run(&[])?[0].item()?);
    }
    Ok(found)
}

/// Prints the tables, draws J on the way from the saddle; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, draws: usize) -> Result<Picture> {
    println!(
        "claim: the more dimensions, the rarer minima among points without slope; Adam leaves a plateau sooner\n"
    );
    println!("dimensions   minima among random curvatures   2^−n   ({} draws)", seeds * draws as u64);
    let mut shares = Vec::new();
    for n in 1..=6 {
        let share = Trials::over(0..seeds, |seed| {
            let key = Key::new(seed).at(n as u64);
            let found = (0..draws as u64).map(|i| is_minimum(n, key.at(i))).collect::<Result<Vec<_>>>()?;
            anyhow::Ok(found.iter().filter(|m| **m).count() as f64 / draws as f64)
        })?;
        println!("{n:>10}   {share:>30.4}   {:.4}", 0.5_f64.powi(n as i32));
        shares.push(share.mean());
    }
    ensure!(shares.windows(2).all(|w| w[1] < w[0] || w[0] == 0.0) && shares[4] < 0.01, "{shares:?}");
    println!("\nsteps from 10⁻⁶ beside a saddle to its minimum, rate 0.1 ({seeds} starts)");
    let rows: [(&str, Box<dyn Optimiser>); 3] = [
        ("gradient descent", Box::new(Sgd::new(0.1))),
        ("momentum", Box::new(Momentum::new(0.1))),
        ("Adam", Box::new(Adam::new(0.1))),
    ];
    let mut plot = LinePlot::new("Leaving a saddle", "step", "J");
    let mut steps = Vec::new();
    for (name, optimiser) in &rows {
        let near = |seed| {
            Ok::<f64, anyhow::Error>(
                1e-6 * (1.0 + Tensor::uniform(Key::new(seed), (), 0.0..1.0, DType::F64)?.item::<f64>()?),
            )
        };
        let taken = Trials::over(0..seeds, |seed| {
            Ok::<f64, anyhow::Error>(leaving(optimiser.as_ref(), near(seed)?, 1000)?.len() as f64)
        })?;
        println!("  {name:<18} {taken:>14.1}");
        plot = plot.line(
            *name,
            leaving(optimiser.as_ref(), near(0)?, 1000)?.into_iter().enumerate().map(|(t, j)| (t as f64, j)),
        );
        steps.push(taken.mean());
    }
    ensure!(steps[2] < 0.5 * steps[0], "Adam must leave sooner: {steps:?}");
    println!("\nthe claim holds");
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c2w2_10_saddles_and_plateaus", &run(10, 2000)?)
}
