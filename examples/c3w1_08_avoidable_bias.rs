//! Course 3, week 1, lectures 1.8 to 1.12: no classifier is better than Bayes' error; the distance to it is avoidable bias,
//! and whether bias or variance is to be worked on depends on where it lies.
//!
//!     cargo run --release --example c3w1_08_avoidable_bias

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::Dataset;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// Two normal clouds in eight dimensions whose centres are 2 apart: the best classifier errs on Φ(−1) = 15.87 %.
const BAYES: f64 = 15.866;

fn clouds(n: usize, key: Key) -> Result<Dataset> {
    let mut x = Tensor::normal(key, [n, 8], 0.0, 1.0, DType::F32)?.to_vec::<f32>()?;
    let labels: Vec<i64> = (0..n as i64).map(|i| i % 2).collect();
    x.chunks_mut(8).zip(&labels).for_each(|(row, label)| row[0] += if *label == 1 { 1.0 } else { -1.0 });
    Ok(Dataset::classification(Tensor::from_vec(x, [n, 8])?, Tensor::from(&labels[..]), 2)?)
}

/// What to work on, of errors in %: Bayes' (or the best human's), training, dev.
fn advice([bayes, training, dev]: [f64; 3]) -> &'static str {
    if training - bayes > dev - training { "bias" } else { "variance" }
}

/// Prints the tables, draws the second; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: the same errors call for other work if humans err more; learners come near to Bayes' error, not below\n"
    );
    println!("the lecture's example   human %   training %   dev %   work on");
    for (what, errors) in [("clear pictures", [1.0, 8.0, 10.0]), ("blurred pictures", [7.5, 8.0, 10.0])] {
        println!("{what:<23} {:>7.1} {:>12.1} {:>7.1}   {}", errors[0], errors[1], errors[2], advice(errors));
    }
    ensure!(advice([1.0, 8.0, 10.0]) == "bias" && advice([7.5, 8.0, 10.0]) == "variance");
    // Which human stands for Bayes' error: the best team, since Bayes' error cannot be above it.
    let humans = [
        ("typical human", 3.0),
        ("typical doctor", 1.0),
        ("experienced doctor", 0.7),
        ("team of doctors", 0.5),
    ];
    let least = humans.iter().map(|h| h.1).fold(f64::INFINITY, f64::min);
    println!("of {} the last, {least} %, is the estimate of Bayes' error\n", humans.map(|h| h.0).join(", "));
    println!(
        "examples   training %           dev %   avoidable bias %      variance %   ({seeds} seeds, Bayes {BAYES:.2} %)"
    );
    let mut lines = Vec::new();
    for n in [50, 200, 1000, 4000] {
        let (mut training, mut dev) = (Trials::default(), Trials::default());
        for seed in 0..seeds {
            let key = Key::new(seed);
            let (data, unseen) = (clouds(n, key.named("train"))?, clouds(10_000, key.named("dev"))?);
            let trainer =
                Trainer::new(lecture::dense(&[16], 1), lecture::logistic).optimiser(Adam::new(0.01));
            let trainer = trainer.epochs((epochs * 1000 / n).clamp(1, 100)).batch_size(50).seed(seed);
            let found = lecture::accuracies(&trainer, &data, &[&data, &unseen])?;
            training.0.push(100.0 * (1.0 - found[0]));
            dev.0.push(100.0 * (1.0 - found[1]));
        }
        let variance = dev.minus(&training);
        println!("{n:>8} {training:>12.2} {dev:>15.2} {:>18.2} {variance:>15.2}", training.mean() - BAYES);
        lines.push([n as f64, training.mean(), dev.mean()]);
        // Three standard errors of 10,000 examples.
        ensure!(dev.0.iter().all(|e| *e > BAYES - 1.1), "nothing is below Bayes' error: {dev:?}");
    }
    ensure!(lines[3][2] - BAYES < 0.4 * (lines[0][2] - BAYES) && lines[3][2] < BAYES + 2.0, "{lines:?}");
    println!("\nthe claim holds (training errors below Bayes' are learnt by heart)");
    let line = |what: usize| lines.iter().map(move |l| (l[0].log10(), l[what]));
    let plot = LinePlot::new("Towards Bayes' error", "log10 examples", "error %");
    let bayes = [(50_f64.log10(), BAYES), (4000_f64.log10(), BAYES)];
    Ok(plot.line("training", line(1)).line("dev", line(2)).line("Bayes", bayes).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c3w1_08_avoidable_bias", &run(10, 20)?)
}
