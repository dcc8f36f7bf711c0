//! Course 2, week 3: batch normalisation. A deep network of sigmoids hardly learns; normalised, it does, at any scale of
//! its weights.
//!
//!     cargo run --release --example c2w3_04_batch_norm

use anyhow::{Result, ensure};
use chainrule::data::{Dataset, digits};
use chainrule::loss::softmax_cross_entropy;
use chainrule::prelude::*;
use chainrule::progress::Silent;

fn accuracy(norm: bool, scale: f64, [train, test]: [&Dataset; 2], seed: u64, epochs: usize) -> Result<f64> {
    let model = layer(|s, x| {
        let mut a = x;
        for l in 1..=4 {
            let s = s.at(&format!("hidden{l}"));
            let z = Linear::new(32).init(Init::Normal(scale)).forward(&s, a);
            a = if norm { BatchNorm::new().forward(&s.at("norm"), z).sigmoid() } else { z.sigmoid() };
        }
        Linear::new(10).init(Init::Xavier).forward(&s.at("output"), a)
    });
    let trainer =
        Trainer::new(model, softmax_cross_entropy).optimiser(Momentum::new(0.05)).epochs(epochs).seed(seed);
    let mut params = Params::new();
    trainer.fit(&mut params, train, None, &mut Silent)?;
    Ok(trainer.evaluator().accuracy(&params, test)?)
}

/// Prints the table; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<()> {
    println!(
        "claim: batch norm makes a deep network learn sooner, and whatever the scale of its first weights is\n"
    );
    println!(
        "scale of weights    plain    with batch norm    (accuracy on test digits, means of {seeds} seeds)"
    );
    for scale in [0.05, 0.3, 2.0] {
        let mut means = [0.0, 0.0];
        for seed in 0..seeds {
            let [train, test] =
                digits()?.reshape_examples(&[64])?.split_stratified([0.8, 0.2], Key::new(seed))?;
            for (mean, norm) in means.iter_mut().zip([false, true]) {
                *mean += accuracy(norm, scale, [&train, &test], seed, epochs)? / seeds as f64;
            }
        }
        println!("{scale:>16}  {:>5.1} %  {:>15.1} %", 100.0 * means[0], 100.0 * means[1]);
        ensure!(means[1] > 0.9 && means[1] > means[0], "batch norm does not help at {scale}: {means:?}");
    }
    println!("\nthe claim holds");
    Ok(())
}

fn main() -> Result<()> {
    run(10, 20)
}
