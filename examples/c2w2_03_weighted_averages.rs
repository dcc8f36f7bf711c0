//! Course 2, week 2, lectures 2.3 to 2.5: v ← βv + (1 − β)θ averages over about 1/(1 − β) days, and its first days need a
//! correction.
//!
//!     cargo run --release --example c2w2_03_weighted_averages

mod lecture;

use std::f64::consts::TAU;

use anyhow::{Result, ensure};
use chainrule::metric::Trials;
use chainrule::optim::{Parameter, updates};
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

const DAYS: usize = 365;

/// A year of temperatures in °C, as in London: a season, and weather that is drawn anew each day.
fn temperatures(seed: u64) -> Result<Vec<f64>> {
    let weather = Tensor::normal(Key::new(seed), [DAYS], 0.0, 3.0, DType::F64)?.to_vec::<f64>()?;
    Ok(weather.iter().enumerate().map(|(t, w)| season(t as f64) + w).collect())
}

fn season(day: f64) -> f64 {
    11.0 - 8.0 * (TAU * day / DAYS as f64).cos()
}

/// v of each day, and v / (1 − βᵗ).
fn averages(days: &[f64], beta: f64) -> (Vec<f64>, Vec<f64>) {
    let mut v = 0.0;
    let step = |(t, theta): (usize, &f64)| {
        v = beta * v + (1.0 - beta) * theta;
        (v, v / (1.0 - beta.powi(t as i32 + 1)))
    };
    days.iter().enumerate().map(step).unzip()
}

fn distance(a: &[f64], days: std::ops::Range<usize>) -> f64 {
    (days.clone().map(|t| (a[t] - season(t as f64)).powi(2)).sum::<f64>() / days.len() as f64).sqrt()
}

/// Prints the table, draws the first year; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, _: usize) -> Result<Picture> {
    println!(
        "claim: β near 1 is smooth and late, a small one follows the noise; correction mends the first days alone\n"
    );
    println!(
        "β      noise left in v   noise by theory   first 10 days, off by: v    corrected   ({seeds} seeds)"
    );
    let mut off = Vec::new();
    for beta in [0.5_f64, 0.9, 0.98] {
        let [mut noise, mut plain, mut corrected] = [(); 3].map(|()| Trials::default());
        for seed in 0..seeds {
            let days = temperatures(seed)?;
            let (v, c) = averages(&days, beta);
            // The season's own average has the same lag; what differs is the weather.
            let calm: Vec<f64> = (0..DAYS).map(|t| season(t as f64)).collect();
            let (trend, _) = averages(&calm, beta);
            let squares = (100..DAYS).map(|t| (v[t] - trend[t]).powi(2)).sum::<f64>();
            noise.0.push((squares / (DAYS - 100) as f64).sqrt());
            plain.0.push(distance(&v, 0..10));
            corrected.0.push(distance(&c, 0..10));
        }
        // The weights' squares sum to (1 − β) / (1 + β).
        let theory = 3.0 * ((1.0 - beta) / (1.0 + beta)).sqrt();
        println!("{beta:<5} {noise:>16.2}   {theory:>15.2}   {plain:>24.2} {corrected:>12.2}");
        ensure!((noise.mean() / theory - 1.0).abs() < 0.3, "β = {beta}: {noise} against {theory}");
        off.push([plain.mean(), corrected.mean()]);
    }
    ensure!(off[1][1] < 0.8 * off[1][0] && off[2][1] < 0.7 * off[2][0], "the correction must help: {off:?}");
    println!("\n0.9^10 = {:.3} and 0.98^50 = {:.3}: both about 1/e", 0.9_f64.powi(10), 0.98_f64.powi(50));

    // Why Adam corrects: without it the first step would have the size α (1 − β₁) / √(1 − β₂).
    let g = Graph::new();
    let (w, gradient) = (g.leaf("w", [0.0, 0.0, 0.0]), g.constant([1e-3, 1.0, 100.0]));
    let parameters = [Parameter { path: "w".into(), value: w }];
    let next = updates(&Adam::new(0.001), g.constant(1.0), &parameters, vec![gradient]).state[0].1;
    let first = next.value()?.to_vec::<f64>()?;
    println!("Adam's first step at rate 0.001, for gradients of 0.001, 1 and 100: {first:.6?}");
    ensure!(first.iter().all(|w| (w + 0.001).abs() < 1e-6), "α, whatever the gradient: {first:?}");
    println!("\nthe claim holds");
    let days = temperatures(0)?;
    let line = |values: Vec<f64>| (0..).map(f64::from).zip(values);
    let plot = LinePlot::new("Daily temperature and its averages", "day", "°C")
        .line("temperature", line(days.clone()));
    let plot =
        plot.line("β = 0.9", line(averages(&days, 0.9).0)).line("β = 0.98", line(averages(&days, 0.98).0));
    Ok(plot.line("β = 0.98, corrected", line(averages(&days, 0.98).1)).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c2w2_03_weighted_averages", &run(20, 0)?)
}
