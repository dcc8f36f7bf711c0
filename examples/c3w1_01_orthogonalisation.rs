//! Course 3, week 1, lectures 1.1 and 1.2: good knobs turn one thing each. More examples close the gap to dev and hardly move the
//! training error, early stopping moves both at once.
//!
//!     cargo run --release --example c3w1_01_orthogonalisation

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::moons;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// Training error and gap to 1,000 other points, in %, of two layers of `units` after `steps` steps.
fn errors(units: usize, points: usize, steps: usize, seeds: u64) -> Result<[Trials; 2]> {
    let mut both = [Trials::default(), Trials::default()];
    for seed in 0..seeds {
        let key = Key::new(seed);
        let (data, dev) = (moons(points, 0.3, key.named("train"))?, moons(1000, 0.3, key.named("dev"))?);
        let trainer = Trainer::new(lecture::dense(&[units, units], 1), lecture::logistic);
        let trainer = trainer.optimiser(Adam::new(0.01)).batch_size(points).epochs(steps).seed(seed);
        let found = lecture::accuracies(&trainer, &data, &[&data, &dev])?;
        both[0].0.push(100.0 * (1.0 - found[0]));
        both[1].0.push(100.0 * (found[0] - found[1]));
    }
    Ok(both)
}

/// Prints the table, draws it; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, steps: usize) -> Result<Picture> {
    println!(
        "claim: more examples are a knob of the gap, early stopping turns two things at once, and so does a smaller network\n"
    );
    println!(
        "{:<44} {:>16} {:>16}   ({seeds} seeds)",
        "two moons with much noise", "training error %", "gap to dev %"
    );
    let rows = [
        ("64 + 64 units, 60 examples", 64, 60, steps),
        ("a smaller network: 1 + 1 units", 1, 60, steps),
        ("more examples: 480", 64, 480, steps),
        ("early stopping: a thirtieth of the steps", 64, 60, steps / 30),
    ];
    let mut found = Vec::new();
    for (name, units, points, steps) in rows {
        let [training, gap] = errors(units, points, steps, seeds)?;
        println!("{name:<44} {training:>16.1} {gap:>16.1}");
        found.push([training.mean(), gap.mean()]);
    }
    let moved = |row: usize, what: usize| found[row][what] - found[0][what];
    println!("\nmoved by                  training      gap");
    for (row, name) in [(1, "a smaller network"), (2, "more examples"), (3, "early stopping")] {
        println!("{name:<22} {:>+10.1} {:>+10.1}", moved(row, 0), moved(row, 1));
    }
    ensure!(moved(1, 0) > 4.0, "the size must move the training error: {found:?}");
    ensure!(
        moved(2, 1) < -4.0 && moved(2, 1).abs() > 1.5 * moved(2, 0),
        "examples must move the gap: {found:?}"
    );
    ensure!(moved(3, 0) > 2.0 && moved(3, 1) < -2.0, "early stopping must move both: {found:?}");
    println!("\nthe claim holds");
    let counts = if seeds < 10 { vec![1, 8] } else { vec![1, 2, 3, 5, 8, 12, 20, 30] };
    let runs = counts.iter().map(|n| errors(64, 60, steps * n / 30, seeds.min(3)));
    let runs = runs.collect::<Result<Vec<_>>>()?;
    let line =
        |what: usize| counts.iter().zip(&runs).map(move |(n, r)| ((steps * n / 30) as f64, r[what].mean()));
    let plot = LinePlot::new("Stopping early turns two knobs", "steps", "%");
    Ok(plot.line("training error", line(0)).line("gap to dev", line(1)).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c3w1_01_orthogonalisation", &run(10, 900)?)
}
