//! Course 2, week 1, lectures 1.2 and 1.3: the error in training shows bias, what is added on other examples shows
//! variance, and each has its own cure.
//!
//!     cargo run --release --example c2w1_02_bias_and_variance

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::moons;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// Errors in training and on 1,000 other points, in %.
fn errors(hidden: &[usize], points: usize, seeds: u64, epochs: usize) -> Result<[Trials; 2]> {
    let mut both = [Trials::default(), Trials::default()];
    for seed in 0..seeds {
        let key = Key::new(seed);
        let (data, dev) = (moons(points, 0.2, key.named("train"))?, moons(1000, 0.2, key.named("dev"))?);
        let trainer = Trainer::new(lecture::dense(hidden, 1), lecture::logistic).optimiser(Adam::new(0.01));
        // As many steps whatever the number of points.
        let batch = points.min(50);
        let trainer = trainer.batch_size(batch).epochs((epochs * batch / points).max(1)).seed(seed);
        let found = lecture::accuracies(&trainer, &data, &[&data, &dev])?;
        both.iter_mut().zip(found).for_each(|(trials, a)| trials.0.push(100.0 * (1.0 - a)));
    }
    Ok(both)
}

/// Prints the tables, draws errors against the number of examples; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: a larger network cures bias, more examples cure variance, and neither makes the other worse\n"
    );
    println!(
        "{:<34} {:>12} {:>12} {:>12}",
        format!("two moons, {seeds} seeds"),
        "training %",
        "dev %",
        "gap %"
    );
    let row = |name: &str, hidden: &[usize], points: usize| -> Result<[Trials; 3]> {
        let [training, dev] = errors(hidden, points, seeds, epochs)?;
        let gap = dev.minus(&training);
        println!("{name:<34} {training:>12.1} {dev:>12.1} {gap:>12.1}");
        Ok([training, dev, gap])
    };
    let small = row("a line, 50 examples: bias", &[], 50)?;
    let more = row("a line, 800 examples: still bias", &[], 800)?;
    let large = row("64 + 64 units, 50 ex.: variance", &[64, 64], 50)?;
    let both = row("64 + 64 units, 800 ex.: neither", &[64, 64], 800)?;
    let mean = |of: &[Trials; 3], i: usize| of[i].mean();
    ensure!(mean(&small, 0) > 5.0 && mean(&more, 0) > 5.0, "a line must not fit: {small:?} {more:?}");
    ensure!(mean(&large, 0) < 1.0 && mean(&large, 2) > 1.5, "large on few must overfit: {large:?}");
    ensure!(mean(&both, 2) < 0.7 * mean(&large, 2) && mean(&both, 1) < 0.5 * mean(&more, 1), "{both:?}");
    println!("\nthe claim holds");
    let sizes = if seeds < 3 { vec![50, 800] } else { vec![25, 50, 100, 200, 400, 800] };
    let mut plot = LinePlot::new("Bias and variance", "examples", "error %");
    for (name, hidden) in [("a line", &[][..]), ("64 + 64", &[64, 64])] {
        let found =
            sizes.iter().map(|n| errors(hidden, *n, seeds.min(3), epochs)).collect::<Result<Vec<_>>>()?;
        for (i, what) in ["training", "dev"].into_iter().enumerate() {
            let points = sizes.iter().zip(&found).map(|(n, e)| (*n as f64, e[i].mean()));
            plot = plot.line(format!("{name}, {what}"), points.collect::<Vec<_>>());
        }
    }
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c2w1_02_bias_and_variance", &run(10, 1000)?)
}
