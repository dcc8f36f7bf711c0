//! Course 1, week 3: a flower that no line parts. Logistic regression guesses; one hidden layer of tanh finds the petals.
//!
//!     cargo run --release --example c1w3_12_planar_classification

use anyhow::{Result, ensure};
use chainrule::data::{Dataset, flower};
use chainrule::loss::binary_cross_entropy_with_logits;
use chainrule::prelude::*;
use chainrule::progress::Silent;

/// The accuracy on the points trained on, as the lecture measures it: full batches, a rate of 1.2.
fn accuracy(hidden: usize, data: &Dataset, seed: u64, epochs: usize) -> Result<f64> {
    let model = layer(|s, x| {
        let h = match hidden {
            0 => x,
            units => Linear::new(units).init(Init::Glorot).forward(&s.at("hidden"), x).tanh(),
        };
        Linear::new(1).init(Init::Glorot).forward(&s.at("output"), h)
    });
    let cost = chainrule::loss::from_fn(|z, y| binary_cross_entropy_with_logits(z, y.insert_axis(1)));
    let trainer =
        Trainer::new(model, cost).optimiser(Sgd::new(1.2)).epochs(epochs).batch_size(400).seed(seed);
    let mut params = Params::new();
    trainer.fit(&mut params, data, None, &mut Silent)?;
    Ok(trainer.evaluator().accuracy(&params, data)?)
}

/// Prints the table; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<()> {
    println!(
        "claim: logistic regression cannot part the flower (47 % in the course), four hidden units can (90 %)\n"
    );
    println!("hidden  course  accuracy over {seeds} seeds");
    let course = [(0, 47.0), (1, 67.5), (2, 67.25), (3, 90.75), (4, 90.5), (5, 91.25), (20, 90.0)];
    let mut means = Vec::new();
    for (hidden, published) in course {
        let found: Vec<f64> = (0..seeds)
            .map(|seed| accuracy(hidden, &flower(400, Key::new(seed))?, seed, epochs))
            .collect::<Result<_>>()?;
        let mean = found.iter().sum::<f64>() / seeds as f64;
        let least = found.iter().copied().fold(1.0, f64::min);
        let most = found.iter().copied().fold(0.0, f64::max);
        println!(
            "{hidden:>6}  {published:>5} %  {:>5.1} %  ({:.1} to {:.1})",
            100.0 * mean,
            100.0 * least,
            100.0 * most
        );
        means.push(mean);
    }
    ensure!(means[0] < 0.65, "a line parts the flower: {}", means[0]);
    ensure!(means[4] > 0.8 && means[4] > means[1] + 0.1, "four units do not: {means:?}");
    println!("\nthe claim holds: more units follow the petals, until there are enough");
    Ok(())
}

fn main() -> Result<()> {
    run(10, 5000)
}
