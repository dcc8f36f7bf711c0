//! Course 2, week 3, lectures 3.1 to 3.3: random points try more values of what matters than a grid does, and a rate is
//! drawn by its logarithm.
//!
//!     cargo run --release --example c2w3_01_random_search

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::digits;
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// The dev accuracy with this rate and this ε of Adam, which hardly matters.
fn accuracy(rate: f64, epsilon: f64, seed: u64, epochs: usize) -> Result<f64> {
    let [train, dev] = digits()?.reshape_examples(&[64])?.split_stratified([0.7, 0.3], Key::new(seed))?;
    let adam = Adam { epsilon, ..Adam::new(rate) };
    let trainer = Trainer::new(lecture::dense(&[16], 10), softmax_cross_entropy).optimiser(adam);
    let trainer = trainer.epochs(epochs).batch_size(128).seed(seed);
    Ok(100.0 * lecture::accuracies(&trainer, &train, &[&dev])?[0])
}

/// Nine pairs in 0..1.
fn grid(_: Key) -> Result<Vec<f64>> {
    Ok((0..9).flat_map(|i| [(i % 3) as f64 * 0.5, (i / 3) as f64 * 0.5]).collect())
}
fn random(key: Key) -> Result<Vec<f64>> {
    Ok(Tensor::uniform(key, [9, 2], 0.0..1.0, DType::F64)?.to_vec()?)
}

/// From 0..1 to a rate between 10⁻⁵ and 1.
fn by_size(u: f64) -> f64 {
    1e-5 + u * (1.0 - 1e-5)
}
fn by_logarithm(u: f64) -> f64 {
    10_f64.powf(-5.0 + 5.0 * u)
}

type Scale = fn(f64) -> f64;
type Place = fn(Key) -> Result<Vec<f64>>;

/// Prints the table, draws what the rate does; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: nine random points find a better rate than a 3 × 3 grid, and on the logarithmic scale than on the plain one\n"
    );
    println!(
        "{:<34} {:>18} {:>22}   ({seeds} seeds)",
        "nine trials", "best dev accuracy %", "of the rates < 0.1"
    );
    let rows: [(&str, Place, Scale); 4] = [
        ("grid, plain scale", grid, by_size),
        ("random, plain scale", random, by_size),
        ("grid, logarithmic scale", grid, by_logarithm),
        ("random, logarithmic scale", random, by_logarithm),
    ];
    let mut found = Vec::new();
    for (name, place, scale) in rows {
        let (mut best, mut small) = (Trials::default(), Trials::default());
        for seed in 0..seeds {
            let points = place(Key::new(seed).named("search"))?;
            let tried =
                points.chunks(2).map(|p| accuracy(scale(p[0]), 10_f64.powf(-8.0 + 3.0 * p[1]), seed, epochs));
            best.0.push(tried.collect::<Result<Vec<_>>>()?.into_iter().fold(0.0, f64::max));
            small.0.push(points.chunks(2).filter(|p| scale(p[0]) < 0.1).count() as f64 / 9.0);
        }
        println!("{name:<34} {best:>18.1} {:>22.2}", small.mean());
        found.push(best);
    }
    println!("\nrandom against grid: {:+.1} % on the logarithmic scale", found[3].minus(&found[2]));
    println!("logarithmic against plain: {:+.1} % for random points", found[3].minus(&found[1]));
    ensure!(found[3].mean() > found[1].mean() + 1.0, "the logarithm must help: {found:?}");
    ensure!(found[3].mean() > found[2].mean() - 0.3, "random must not be behind: {found:?}");
    println!("\nthe claim holds");
    let rates: Vec<f64> = (0..=10).map(|k| -5.0 + 0.5 * f64::from(k)).collect();
    let line = rates
        .iter()
        .map(|r| Ok((*r, accuracy(10_f64.powf(*r), 1e-8, 0, epochs)?)))
        .collect::<Result<Vec<_>>>()?;
    Ok(LinePlot::new("The rate matters", "log10 α", "dev accuracy %").line("ε = 1e-8", line).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c2w3_01_random_search", &run(10, 10)?)
}
