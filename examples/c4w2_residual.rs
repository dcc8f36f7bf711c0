//! Course 4, lectures 2.3 and 2.4: a deep plain network does not train, with shortcuts it does.
//!
//!     cargo run --release --example c4w2_residual

use anyhow::{Context, Result, ensure};
use chainrule::prelude::*;
use chainrule::{data, loss, progress::Silent};

/// A network of so many convolutions of 8 channels, with a shortcut over each two of them or without.
fn network(convolutions: usize, residual: bool) -> impl Layer {
    layer(move |s, x| {
        let conv = || Conv::new(8, [3, 3]).slide(Slide::new().padding(Padding::Same));
        let mut a = conv().forward(&s.at("first"), x).relu();
        for block in 0..convolutions / 2 {
            let (shortcut, s) = (a, s.at(&format!("block{block}")));
            a = conv().forward(&s.at("one"), a).relu();
            // The block begins as the identity, which is what makes it easy to train (lecture 2.4).
            let start = if residual { Init::Zeros } else { Init::He };
            a = conv().init(start).forward(&s.at("two"), a);
            a = if residual { (a + shortcut).relu() } else { a.relu() };
        }
        Linear::new(10).forward(&s.at("softmax"), GlobalAvgPool.forward(s, a))
    })
}

/// The loss of the last epoch on the training set.
fn training_loss(model: impl Layer, train: &data::Dataset, seed: u64) -> Result<f64> {
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).optimiser(Adam::new(0.003));
    let trainer = trainer.epochs(10).batch_size(64).seed(seed);
    let history = trainer.fit(&mut Params::new(), train, None, &mut Silent)?;
    Ok(history.last("train loss").context("a loss")?.1)
}

fn main() -> Result<()> {
    println!(
        "claim: a plain network 32 convolutions deep trains worse than one 4 deep, and shortcuts repair much of it"
    );
    let few: Vec<usize> = (0..600).collect();
    let digits = data::digits()?.reshape_examples(&[1, 8, 8])?.select(&few)?;
    let depths = [4, 32];
    println!("  {:<10} {:>10} {:>10}", "", "4 deep", "32 deep");
    let mut means = Vec::new();
    for (name, residual) in [("plain", false), ("residual", true)] {
        let mut mean = [0.0; 2];
        for seed in 0..3 {
            let mut losses = [0.0; 2];
            for (loss, depth) in losses.iter_mut().zip(depths) {
                *loss = training_loss(network(depth, residual), &digits, seed)?;
            }
            println!("  {name:<10} {:>10.4} {:>10.4}  seed {seed}", losses[0], losses[1]);
            mean = [mean[0] + losses[0] / 3.0, mean[1] + losses[1] / 3.0];
        }
        println!("  {name:<10} {:>10.4} {:>10.4}  mean", mean[0], mean[1]);
        means.push(mean);
    }
    ensure!(means[0][1] > means[0][0], "depth did not harm the plain network");
    ensure!(means[1][1] < means[0][1], "shortcuts did not help the deep network");
    let gained = if means[1][1] < means[1][0] { "and gained" } else { "but did not gain" };
    println!("held: with shortcuts the deep network learns, {gained} over the shallow one in so few steps");
    Ok(())
}
