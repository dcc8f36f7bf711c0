//! Course 3, week 1, lectures 1.3 and 1.4: one number says which of two classifiers is better; of several demands one is
//! optimised, and the others need only be met.
//!
//!     cargo run --release --example c3w1_03_one_number

mod lecture;

use anyhow::{Context, Result, ensure};
use chainrule::data::digits;
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

fn f1(precision: f64, recall: f64) -> f64 {
    2.0 / (1.0 / precision + 1.0 / recall)
}

/// Prints the tables, draws precision against recall of the first seed; fails if the claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: precision and recall disagree on which is better, F1 decides; running time is only to be met\n"
    );
    println!("the lecture's classifiers   precision %   recall %   F1 %");
    for (name, p, r) in [("A", 95.0, 90.0), ("B", 98.0, 85.0)] {
        println!("{name:<27} {p:>11.1} {r:>10.1} {:>6.1}", f1(p, r));
    }
    ensure!((f1(95.0, 90.0) - 92.4).abs() < 0.05 && (f1(98.0, 85.0) - 91.0).abs() < 0.05, "92.4 and 91.0");

    println!("\n\"is this an 8?\", {seeds} seeds: {:>14} {:>14} {:>14}", "precision %", "recall %", "F1 %");
    let thresholds = [0.05, 0.2, 0.5, 0.7, 0.8];
    let mut all = vec![[(); 3].map(|()| Trials::default()); thresholds.len()];
    for seed in 0..seeds {
        let [train, dev] =
            digits()?.reshape_examples(&[64])?.split_stratified([0.15, 0.85], Key::new(seed))?;
        let trainer = Trainer::new(lecture::dense(&[], 10), softmax_cross_entropy).optimiser(Adam::new(0.02));
        let trainer = trainer.epochs(epochs).seed(seed);
        let params = lecture::train(&trainer, &train)?;
        let scores = trainer.evaluator().run(&params, &dev)?.outputs;
        let g = Graph::new();
        let chance = g.constant(scores).softmax(1).slice(1, 8..9).value()?.to_vec::<f32>()?;
        let labels = dev.targets().to_vec::<i64>()?;
        for (trials, threshold) in all.iter_mut().zip(thresholds) {
            let said = |p: &f32| f64::from(*p) > threshold;
            let count = |test: &dyn Fn(bool, bool) -> bool| {
                chance.iter().zip(&labels).filter(|(p, l)| test(said(p), **l == 8)).count() as f64
            };
            let right = count(&|said, is| said && is);
            let (precision, recall) =
                (100.0 * right / count(&|said, _| said), 100.0 * right / count(&|_, is| is));
            [precision, recall, f1(precision, recall)].into_iter().zip(trials).for_each(|(x, t)| t.0.push(x));
        }
    }
    for (threshold, [p, r, f]) in thresholds.iter().zip(&all) {
        println!("said above {threshold:<22} {p:>14.1} {r:>14.1} {f:>14.1}");
    }
    let mean = |i: usize, what: usize| all[i][what].mean();
    ensure!(
        (1..5).all(|i| mean(i, 0) >= mean(i - 1, 0) && mean(i, 1) < mean(i - 1, 1)),
        "they must disagree"
    );
    let best = (0..5).max_by(|a, b| mean(*a, 2).total_cmp(&mean(*b, 2))).context("thresholds")?;
    println!("F1 is greatest for {}", thresholds[best]);
    ensure!((1..4).contains(&best), "F1 must decide in between");

    println!("\nsatisficing: the best accuracy of those that take at most 100 ms");
    let rows: [(&str, f64, f64); 3] = [("A", 90.0, 80.0), ("B", 92.0, 95.0), ("C", 95.0, 1500.0)];
    for (name, accuracy, time) in rows {
        println!(
            "  {name}  accuracy {accuracy} %  {time:>6} ms  {}",
            if time <= 100.0 { "meets it" } else { "too slow" }
        );
    }
    let chosen =
        rows.iter().filter(|r| r.2 <= 100.0).max_by(|a, b| a.1.total_cmp(&b.1)).context("one meets it")?;
    println!("  chosen: {}", chosen.0);
    ensure!(chosen.0 == "B");
    println!("\nthe claim holds");
    let line = |what: usize| thresholds.iter().zip(&all).map(move |(t, m)| (*t, m[what].mean()));
    let plot = LinePlot::new("Is this an 8?", "threshold", "%").line("precision", line(0));
    Ok(plot.line("recall", line(1)).line("F1", line(2)).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c3w1_03_one_number", &run(10, 30)?)
}
