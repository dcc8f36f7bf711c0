//! Course 4, lectures 2.3 and 2.4: a deep plain network does not train, with shortcuts it does.
//!
//!     cargo run --release --example c4w2_residual

mod images;
mod lecture;

use anyhow::{Context, Result, ensure};
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use chainrule::progress::Silent;
use images::same;

const DEPTHS: [usize; 3] = [4, 16, 32];

/// A network of so many convolutions of 8 channels, with a shortcut over each two of them or without.
fn network(convolutions: usize, residual: bool) -> impl Layer {
    layer(move |s, x| {
        let conv = || Conv::new(8, [3, 3]).slide(same());
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

/// Prints the table, draws it; fails if the lectures' claims do not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!("claim: plain networks train worse the deeper they are, and shortcuts repair much of it\n");
    println!("loss in training after {epochs} epochs ({seeds} seeds)");
    println!("{:<10} {:>17} {:>17} {:>17}", "", "4 deep", "16 deep", "32 deep");
    let digits = images::digits()?.select(&(0..600).collect::<Vec<_>>())?;
    let mut plot = LinePlot::new("Training loss", "convolutions", "loss");
    let mut found = Vec::new();
    for (name, residual) in [("plain", false), ("residual", true)] {
        let mut row = Vec::new();
        for depth in DEPTHS {
            row.push(Trials::over(0..seeds, |seed| -> Result<f64> {
                let trainer = Trainer::new(network(depth, residual), softmax_cross_entropy);
                let trainer = trainer.optimiser(Adam::new(0.003)).epochs(epochs).batch_size(64).seed(seed);
                let history = trainer.fit(&mut Params::new(), &digits, None, &mut Silent)?;
                Ok(history.last("train loss").context("a loss")?.1)
            })?);
        }
        println!("{name:<10} {:>17.3} {:>17.3} {:>17.3}", row[0], row[1], row[2]);
        plot = plot.line(name, DEPTHS.iter().zip(&row).map(|(d, t)| (*d as f64, t.mean())));
        found.push(row);
    }
    let (plain, residual) = (&found[0], &found[1]);
    ensure!(plain[2].mean() > plain[0].mean(), "depth did not harm the plain network");
    ensure!(residual[2].mean() < plain[2].mean(), "shortcuts did not help the deep network");
    println!("\nthe claim holds");
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c4w2_residual", &run(3, 10)?)
}
