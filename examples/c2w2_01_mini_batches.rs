//! Course 2, week 2, lectures 2.1 and 2.2: many steps on parts of the data learn faster than few on all of it, and their
//! cost is noisy.
//!
//!     cargo run --release --example c2w2_01_mini_batches

mod lecture;

use std::time::Instant;

use anyhow::{Result, ensure};
use chainrule::data::digits;
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// Prints the table, draws the cost of each step of the first seed; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: at one rate and as many epochs, mini-batches reach a lower cost than the whole batch; the smaller, the noisier\n"
    );
    println!(
        "batch   steps   dev accuracy %   noise of the cost   s a seed   ({seeds} seeds, {epochs} epochs)"
    );
    let mut plot = LinePlot::new("Cost of each step", "share of training", "J");
    let (mut accuracies, mut noises) = (Vec::new(), Vec::new());
    for size in [16, 64, 256, 1257] {
        let (mut accuracy, mut noise, start) = (Trials::default(), Trials::default(), Instant::now());
        for seed in 0..seeds {
            let [train, dev] =
                digits()?.reshape_examples(&[64])?.split_stratified([0.7, 0.3], Key::new(seed))?;
            let trainer =
                Trainer::new(lecture::dense(&[32], 10), softmax_cross_entropy).optimiser(Sgd::new(0.1));
            // A loop of one's own: the cost of each step is what the lecture draws.
            let first = lecture::first(&train, size)?;
            let mut step = trainer.seed(seed).step(Params::new(), &first, train.examples())?;
            let mut costs = Vec::new();
            for epoch in 0..epochs as u64 {
                for batch in train.batches(size)?.shuffled(Key::new(seed).at(epoch)) {
                    if batch.features.shape()[0] == step.examples() {
                        costs.push(step.run(&batch)?);
                    }
                }
            }
            let evaluator = Trainer::new(lecture::dense(&[32], 10), softmax_cross_entropy);
            accuracy.0.push(100.0 * evaluator.evaluator().accuracy(&step.params(), &dev)?);
            // How much neighbours differ over the last half, where the trend is small.
            let half = &costs[costs.len() / 2..];
            noise.0.push(
                half.windows(2).map(|w| (w[1] - w[0]).abs()).sum::<f64>() / (half.len() - 1).max(1) as f64,
            );
            if seed == 0 {
                let every = costs.len().div_ceil(200);
                let points = costs.iter().enumerate().step_by(every);
                plot = plot.line(format!("{size}"), points.map(|(i, j)| (i as f64 / costs.len() as f64, *j)));
            }
        }
        let steps = epochs * (1257 / size);
        let seconds = start.elapsed().as_secs_f64() / seeds as f64;
        println!("{size:>5}   {steps:>5}   {accuracy:>14.1}   {noise:>17.4}   {seconds:>8.2}");
        accuracies.push(accuracy.mean());
        noises.push(noise.mean());
    }
    ensure!(accuracies[1] > accuracies[3] + 1.0, "mini-batches must be ahead: {accuracies:?}");
    ensure!(noises.windows(2).all(|w| w[0] > w[1]), "smaller must be noisier: {noises:?}");
    println!("\nthe claim holds");
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c2w2_01_mini_batches", &run(10, 20)?)
}
