//! Course 2, week 1, lecture 1.9: with inputs of one scale the cost's contours are round, and descent is fast.
//!
//!     cargo run --release --example c2w1_09_normalising_inputs

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::{Dataset, Standardize, breast_cancer};
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use chainrule::progress::Silent;

/// The cost after each step of logistic regression at this rate; none where it left the numbers.
fn costs(data: &Dataset, rate: f64, steps: usize, seed: u64) -> Option<Vec<(usize, f64)>> {
    let model = layer(|s, x| Linear::new(1).init(Init::Zeros).forward(s, x));
    let trainer = Trainer::new(model, lecture::logistic).optimiser(Sgd::new(rate));
    let trainer = trainer.batch_size(data.examples()).epochs(steps).seed(seed);
    let history = trainer.fit(&mut Params::new(), data, None, &mut Silent).ok()?;
    Some(history.series("train loss").to_vec())
}

/// The best run of all rates in steps of √10: each side has its own best rate.
fn best(data: &Dataset, steps: usize, seed: u64) -> Option<(f64, Vec<(usize, f64)>)> {
    let rates = (-14..=4).map(|k| 10_f64.powf(0.5 * f64::from(k)));
    let runs = rates.filter_map(|rate| Some((rate, costs(data, rate, steps, seed)?)));
    let last = |run: &(f64, Vec<(usize, f64)>)| run.1.last().map_or(f64::INFINITY, |l| l.1);
    runs.min_by(|a, b| last(a).total_cmp(&last(b)))
}

/// Prints the table, draws the costs of the first seed; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, steps: usize) -> Result<Picture> {
    println!("claim: normalised inputs reach a lower cost in as many steps, each at its best rate\n");
    let (mut raw, mut scaled, mut lines) = (Trials::default(), Trials::default(), Vec::new());
    for seed in 0..seeds {
        let [train, test] = breast_cancer()?.split_stratified([0.8, 0.2], Key::new(seed))?;
        let scale = Standardize::fit(&train)?;
        // The same μ and σ for both: they are part of the model.
        let (normal, unseen) = (scale.apply(&train)?, scale.apply(&test)?);
        ensure!(unseen.examples() == test.examples());
        for (name, data, trials) in [("as measured", &train, &mut raw), ("normalised", &normal, &mut scaled)]
        {
            let Some((rate, run)) = best(data, steps, seed) else {
                anyhow::bail!("no rate works for {name}")
            };
            trials.0.push(run.last().map_or(f64::NAN, |l| l.1));
            if seed == 0 {
                println!("{name}: the best rate of the first seed is {rate:.1e}");
                lines.push((name, run));
            }
        }
    }
    println!(
        "\ncost after {steps} steps ({seeds} seeds)\n  as measured  {raw:.3}\n  normalised   {scaled:.3}"
    );
    ensure!(scaled.mean() < 0.6 * raw.mean(), "normalising gains too little: {scaled} and {raw}");
    println!("\nthe claim holds");
    let mut plot = LinePlot::new("Logistic regression, each at its best rate", "step", "J").log_y();
    for (name, run) in lines {
        plot = plot.line(name, run.into_iter().map(|(step, cost)| (step as f64, cost)));
    }
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c2w1_09_normalising_inputs", &run(10, 200)?)
}
