//! Course 1, week 1, lectures 1.2 to 1.4: a network maps x to y; with few examples its size hardly matters, with many the larger
//! one is ahead.
//!
//!     cargo run --release --example c1w1_scale_drives_progress

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::digits;
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// Prints the table, draws it; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, steps: usize) -> Result<Picture> {
    println!("claim: accuracy grows with the data, and the larger the network the further\n");
    let networks: [(&str, &[usize]); 3] = [("no hidden layer", &[]), ("4 units", &[4]), ("64 units", &[64])];
    println!(
        "examples {:>18} {:>18} {:>18}   (% of unseen digits, {seeds} seeds)",
        networks[0].0, networks[1].0, networks[2].0
    );
    let mut rows = Vec::new();
    for examples in [50, 200, 1200] {
        let mut found = [(); 3].map(|()| Trials::default());
        for seed in 0..seeds {
            let [train, test] =
                digits()?.reshape_examples(&[64])?.split_stratified([0.7, 0.3], Key::new(seed))?;
            let data = train.select(&(0..examples).collect::<Vec<_>>())?;
            for ((_, hidden), trials) in networks.iter().zip(&mut found) {
                let trainer = Trainer::new(lecture::dense(hidden, 10), softmax_cross_entropy)
                    .optimiser(Adam::new(0.01));
                // As many steps for each.
                let trainer = trainer.batch_size(50).epochs((steps * 50 / examples).max(1)).seed(seed);
                trials.0.push(100.0 * lecture::accuracies(&trainer, &data, &[&test])?[0]);
            }
        }
        println!("{examples:>8} {:>18.1} {:>18.1} {:>18.1}", found[0], found[1], found[2]);
        rows.push(((examples as f64).log10(), found.map(|t| t.mean())));
    }
    let (few, many) = (rows[0].1, rows[2].1);
    ensure!((0..3).all(|i| many[i] > few[i] + 2.0), "data must help: {rows:?}");
    ensure!(
        many[2] > many[0] + 0.5 && many[2] > many[1] + 2.0,
        "with many examples the large one is ahead: {rows:?}"
    );
    println!("\nthe claim holds");
    let line = |what: usize| rows.iter().map(move |r| (r.0, r.1[what]));
    let plot = LinePlot::new("Scale", "log10 examples", "accuracy %");
    Ok((0..3).fold(plot, |plot, i| plot.line(networks[i].0, line(i))).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c1w1_scale_drives_progress", &run(10, 600)?)
}
