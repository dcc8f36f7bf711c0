//! Course 2, week 1: how a network starts. Zeros never break the symmetry, large weights start badly, He's scale is right.
//!
//!     cargo run --release --example c2w1_11_initialisation

use anyhow::{Result, ensure};
use chainrule::data::{Dataset, circles};
use chainrule::loss::binary_cross_entropy_with_logits;
use chainrule::prelude::*;
use chainrule::progress::Silent;

struct Start {
    /// The loss after the first epoch.
    first: f64,
    last: f64,
    train: f64,
    test: f64,
}

fn trained(init: Init, train: &Dataset, test: &Dataset, seed: u64, epochs: usize) -> Result<Start> {
    let model = layer(|s, x| {
        let a = Linear::new(10).init(init).forward(&s.at("first"), x).relu();
        let a = Linear::new(5).init(init).forward(&s.at("second"), a).relu();
        Linear::new(1).init(init).forward(&s.at("output"), a)
    });
    let cost = chainrule::loss::from_fn(|z, y| binary_cross_entropy_with_logits(z, y.insert_axis(1)));
    let trainer =
        Trainer::new(model, cost).optimiser(Sgd::new(0.01)).epochs(epochs).batch_size(300).seed(seed);
    let mut params = Params::new();
    let history = trainer.fit(&mut params, train, None, &mut Silent)?;
    let losses = history.series("train loss");
    let mut evaluator = trainer.evaluator();
    Ok(Start {
        first: losses.first().map_or(f64::NAN, |l| l.1),
        last: losses.last().map_or(f64::NAN, |l| l.1),
        train: evaluator.accuracy(&params, train)?,
        test: evaluator.accuracy(&params, test)?,
    })
}

/// Prints the table; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<()> {
    println!(
        "claim: zeros learn nothing (50 % in the course), weights ten times too large start with a huge cost"
    );
    println!("(83 / 86 %), He's initialisation learns best (99 / 96 %)\n");
    println!("start     loss, first → last    training   test    (means of {seeds} seeds)");
    let starts = [("zeros", Init::Zeros), ("large", Init::Normal(10.0)), ("He", Init::He)];
    let mut means = Vec::new();
    for (name, init) in starts {
        let mut sum = Start { first: 0.0, last: 0.0, train: 0.0, test: 0.0 };
        for seed in 0..seeds {
            let key = Key::new(seed);
            let train = circles(300, 0.8, 0.05, key.named("train"))?;
            let test = circles(100, 0.8, 0.05, key.named("test"))?;
            let one = trained(init, &train, &test, seed, epochs)?;
            sum.first += one.first / seeds as f64;
            sum.last += one.last / seeds as f64;
            sum.train += one.train / seeds as f64;
            sum.test += one.test / seeds as f64;
        }
        println!(
            "{name:<8} {:>8.4} → {:<8.4}  {:>7.1} % {:>6.1} %",
            sum.first,
            sum.last,
            100.0 * sum.train,
            100.0 * sum.test
        );
        means.push(sum);
    }
    let [zeros, large, he] = &means[..] else { unreachable!("three starts") };
    ensure!((zeros.last - std::f64::consts::LN_2).abs() < 1e-3, "zeros learn: {}", zeros.last);
    ensure!(large.first > 3.0 * he.first, "large weights start well: {} and {}", large.first, he.first);
    ensure!(he.test > 0.85 && he.test > large.test, "He's start is not the best: {} {}", he.test, large.test);
    println!("\nthe claim holds: the loss of zeros stays at ln 2 = 0.6931, for all units stay alike");
    Ok(())
}

fn main() -> Result<()> {
    run(10, 15_000)
}
