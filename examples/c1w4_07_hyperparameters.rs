//! Course 1, week 4, lecture 4.7: hyperparameters steer what parameters become, and one finds good ones by trying.
//!
//!     cargo run --release --example c1w4_07_hyperparameters

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::{Standardize, breast_cancer};
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use chainrule::progress::Silent;

/// Prints the table, draws J against the steps of the first seed; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: a rate too small learns slowly, one too large leaps about or leaves the numbers, some between is good\n"
    );
    println!("rate     cost after {epochs} steps   steps in which J rose   ({seeds} seeds)");
    let mut plot = LinePlot::new("One network, five learning rates", "step", "J").log_y();
    let mut rows = Vec::new();
    for rate in [0.001, 0.01, 0.1, 0.5, 10.0] {
        let (mut cost, mut rises) = (Trials::default(), Trials::default());
        for seed in 0..seeds {
            let [data, _] = breast_cancer()?.split_stratified([0.8, 0.2], Key::new(seed))?;
            let data = Standardize::fit(&data)?.apply(&data)?;
            let trainer =
                Trainer::new(lecture::dense(&[8, 4], 1), lecture::logistic).optimiser(Sgd::new(rate));
            let trainer = trainer.batch_size(data.examples()).epochs(epochs).seed(seed);
            let history = match trainer.fit(&mut Params::new(), &data, None, &mut Silent) {
                Ok(history) => history,
                // A cost that is no number any more counts as that of a guess.
                Err(chainrule::nn::Error::Diverged { .. } | chainrule::nn::Error::Overshot { .. }) => {
                    cost.0.push(2_f64.ln());
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let run = history.series("train loss");
            cost.0.push(run.last().map_or(f64::NAN, |l| l.1));
            rises.0.push(run.windows(2).filter(|w| w[1].1 > w[0].1).count() as f64);
            if seed == 0 {
                plot = plot.line(format!("{rate}"), run.iter().map(|(t, j)| (*t as f64, *j)));
            }
        }
        println!("{rate:<6} {cost:>22.3}   {rises:>21.1}");
        rows.push([cost.mean(), rises.mean()]);
    }
    ensure!(rows[0][0] > 3.0 * rows[3][0] && rows[0][1] == 0.0, "0.001 must be slow and smooth: {rows:?}");
    ensure!(rows[4][0] > rows[3][0] && rows[2][0] < rows[1][0], "10 must be too large: {rows:?}");
    println!("\nthe claim holds");
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c1w4_07_hyperparameters", &run(10, 300)?)
}
