//! Course 3, week 1, lecture 1.7: where the error ranks classifiers against what users need, the metric is to be changed.
//!
//!     cargo run --release --example c3w1_07_changing_the_metric

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::{Standardize, breast_cancer};
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// How much worse it is to miss a malignant tumour than to fear a benign one.
const WEIGHT: f64 = 10.0;

/// Prints the table, draws both metrics against the threshold; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: the plain error prefers one classifier, the error in which misses count {WEIGHT} times another\n"
    );
    let chances = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9];
    // Plain error, weighted error and missed tumours, for each threshold.
    let mut all = vec![[(); 3].map(|()| Trials::default()); chances.len()];
    for seed in 0..seeds {
        let [train, dev] = breast_cancer()?.split_stratified([0.5, 0.5], Key::new(seed))?;
        let scale = Standardize::fit(&train)?;
        let (train, dev) = (scale.apply(&train)?, scale.apply(&dev)?);
        let trainer = Trainer::new(lecture::dense(&[], 1), lecture::logistic).optimiser(Adam::new(0.02));
        let trainer = trainer.penalty(Penalty::l2(1.0)).epochs(epochs).seed(seed);
        let params = lecture::train(&trainer, &train)?;
        let logits = trainer.evaluator().run(&params, &dev)?.outputs.to_vec::<f32>()?;
        let labels = dev.targets().to_vec::<i64>()?; // 0 is malignant
        for (trials, chance) in all.iter_mut().zip(chances) {
            let (mut plain, mut weighted, mut weights, mut missed) = (0.0, 0.0, 0.0, 0.0);
            for (z, label) in logits.iter().zip(&labels) {
                let malignant = *label == 0;
                let said = 1.0 / (1.0 + f64::from(*z).exp()) > chance;
                let weight = if malignant { WEIGHT } else { 1.0 };
                weights += weight;
                if said != malignant {
                    plain += 100.0 / labels.len() as f64;
                    weighted += 100.0 * weight;
                    missed += if malignant { 1.0 } else { 0.0 };
                }
            }
            [plain, weighted / weights, missed].into_iter().zip(trials).for_each(|(x, t)| t.0.push(x));
        }
    }
    println!("called malignant from   error %        weighted error %   tumours missed   ({seeds} seeds)");
    for (chance, [plain, weighted, missed]) in chances.iter().zip(&all) {
        println!("{chance:<18} {plain:>15.2} {weighted:>20.2} {missed:>16.1}");
    }
    let least = |what: usize| {
        let mean = |i: &usize| all[*i][what].mean();
        (0..chances.len()).min_by(|a, b| mean(a).total_cmp(&mean(b))).unwrap_or(0)
    };
    let (plain, weighted) = (least(0), least(1));
    println!("\nthe error prefers {}, the weighted error {}", chances[plain], chances[weighted]);
    ensure!(weighted < plain, "the metrics must disagree");
    ensure!(all[weighted][2].mean() < all[plain][2].mean(), "fewer tumours must be missed");
    println!("the claim holds");
    let line = |what: usize| chances.iter().zip(&all).map(move |(c, t)| (*c, t[what].mean()));
    let plot = LinePlot::new("Two metrics", "called malignant from", "%");
    Ok(plot.line("error", line(0)).line("weighted error", line(1)).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c3w1_07_changing_the_metric", &run(20, 40)?)
}
