//! Course 2, week 2: mini-batches with gradient descent, momentum and Adam on two moons.
//!
//!     cargo run --release --example c2w2_08_optimisers

use anyhow::{Result, ensure};
use chainrule::data::{Dataset, moons};
use chainrule::loss::binary_cross_entropy_with_logits;
use chainrule::optim::{Optimiser, Rate};
use chainrule::prelude::*;
use chainrule::progress::Silent;

/// Accuracy and last loss of a network of 5 and 2 hidden units.
fn trained(optimiser: Box<dyn Optimiser>, data: &Dataset, seed: u64, epochs: usize) -> Result<(f64, f64)> {
    let model = layer(|s, x| {
        let a = Linear::new(5).forward(&s.at("first"), x).relu();
        let a = Linear::new(2).forward(&s.at("second"), a).relu();
        Linear::new(1).forward(&s.at("output"), a)
    });
    let cost = chainrule::loss::from_fn(|z, y| binary_cross_entropy_with_logits(z, y.insert_axis(1)));
    let trainer = Trainer::new(model, cost).optimiser(optimiser).epochs(epochs).batch_size(64).seed(seed);
    let mut params = Params::new();
    let history = trainer.fit(&mut params, data, None, &mut Silent)?;
    let loss = history.last("train loss").map_or(f64::NAN, |l| l.1);
    Ok((trainer.evaluator().accuracy(&params, data)?, loss))
}

/// Prints the table; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<()> {
    println!(
        "claim: at the same small rate Adam is far ahead of gradient descent, and momentum changes little"
    );
    println!("(in the course 79.7, 79.7 and 94 % after 5,000 epochs)\n");
    println!("optimiser              loss     accuracy   (means of {seeds} seeds, {epochs} epochs)");
    let rate = 0.0007;
    type Make = fn(f64, usize) -> Box<dyn Optimiser>;
    let rows: [(&str, Make); 4] = [
        ("gradient descent", |rate, _| Box::new(Sgd::new(rate))),
        // The lectures' velocity is a mean: (1 − β) of the gradient.
        ("momentum 0.9", |rate, _| Box::new(Momentum::new(rate * 0.1))),
        ("Adam", |rate, _| Box::new(Adam::new(rate))),
        ("Adam, rate falling", |rate, steps| Box::new(Adam::new(Rate::cosine(2.0 * rate, 0.0, steps)))),
    ];
    let mut means = Vec::new();
    for (name, make) in rows {
        let (mut accuracy, mut loss) = (0.0, 0.0);
        for seed in 0..seeds {
            let data = moons(300, 0.2, Key::new(seed))?;
            let one = trained(make(rate, epochs * 5), &data, seed, epochs)?;
            accuracy += one.0 / seeds as f64;
            loss += one.1 / seeds as f64;
        }
        println!("{name:<20} {loss:>8.4}  {:>8.1} %", 100.0 * accuracy);
        means.push((accuracy, loss));
    }
    ensure!(means[2].1 < 0.8 * means[0].1, "Adam is not ahead: {means:?}");
    ensure!((means[1].1 - means[0].1).abs() < 0.1 * means[0].1, "momentum changes much: {means:?}");
    println!("\nthe claim holds");
    Ok(())
}

fn main() -> Result<()> {
    run(10, 1500)
}
