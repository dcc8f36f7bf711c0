//! Course 3, week 2, lectures 2.4 to 2.6: where training and dev data differ in kind, a part of the training data that is
//! kept aside tells variance from mismatch; data made like the dev set's cure the latter.
//!
//!     cargo run --release --example c3w2_05_mismatched_sets

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::{Dataset, digits};
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// The same pictures as in a car at night: fainter, and with noise.
fn at_night(data: &Dataset, key: Key) -> Result<Dataset> {
    let noise = Tensor::uniform(key, data.features().shape(), 0.0..0.7, DType::F32)?;
    Ok(data.map_features(|x| Ok((&(x * &Tensor::from(0.6_f32))? + &noise)?))?)
}

/// Prints the table, draws it; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: training to train-dev shows variance, train-dev to dev shows mismatch, and each is where it was planted\n"
    );
    println!(
        "{:<40} {:>11} {:>12} {:>12} {:>12}   ({seeds} seeds)",
        "error %", "training", "train-dev", "dev", "test"
    );
    let cases = [
        ("60 clear examples, clear dev", 60, false, false),
        ("all clear, dev at night", 1000, true, false),
        ("half of them with night made up, same dev", 1000, true, true),
    ];
    let mut plot =
        LinePlot::new("Where the error comes from: training, train-dev, dev, test", "set", "error %");
    let mut means = Vec::new();
    for (name, examples, night, made_up) in cases {
        let mut errors = [(); 4].map(|()| Trials::default());
        for seed in 0..seeds {
            let key = Key::new(seed);
            let all = digits()?.reshape_examples(&[64])?;
            let [train, train_dev, dev, test] = all.split_stratified([0.6, 0.1, 0.15, 0.15], key)?;
            let rows: Vec<usize> = (0..train.examples().min(examples)).collect();
            let train = train.select(&rows)?;
            // The lecture's synthesis: recorded noise added to clear recordings.
            let halved = at_night(&train, key.named("made up"))?.features().to_vec::<f32>()?;
            let half = |x: &Tensor| {
                let clear = x.to_vec::<f32>()?;
                let pick = |i: usize| if (i / 64).is_multiple_of(2) { halved[i] } else { clear[i] };
                Ok(Tensor::from_vec((0..clear.len()).map(pick).collect(), x.shape())?)
            };
            let data = if made_up { train.map_features(half)? } else { train };
            let seen = |set: &Dataset, name: &str| {
                if night { at_night(set, key.named(name)) } else { Ok(set.clone()) }
            };
            let trainer =
                Trainer::new(lecture::dense(&[32], 10), softmax_cross_entropy).optimiser(Adam::new(0.005));
            // As many steps for few examples.
            let trainer = trainer.epochs(epochs * 1078 / data.examples()).seed(seed);
            let sets = [&data, &train_dev, &seen(&dev, "dev")?, &seen(&test, "test")?];
            let found = lecture::accuracies(&trainer, &data, &sets)?;
            errors.iter_mut().zip(found).for_each(|(t, a)| t.0.push(100.0 * (1.0 - a)));
        }
        let [a, b, c, d] = &errors;
        println!("{name:<40} {a:>11.1} {b:>12.1} {c:>12.1} {d:>12.1}");
        let mean = errors.map(|e| e.mean());
        plot = plot.line(name, (1..).map(f64::from).zip(mean));
        means.push(mean);
    }
    println!("\n{:<40} {:>10} {:>10}", "", "variance", "mismatch");
    for ((name, ..), mean) in cases.iter().zip(&means) {
        println!("{name:<40} {:>10.1} {:>10.1}", mean[1] - mean[0], mean[2] - mean[1]);
    }
    let (variance, mismatch) = (|i: usize| means[i][1] - means[i][0], |i: usize| means[i][2] - means[i][1]);
    ensure!(variance(0) > 8.0 && mismatch(0).abs() < 4.0, "few examples are variance: {means:?}");
    ensure!(variance(1) < 6.0 && mismatch(1) > 8.0, "night is mismatch: {means:?}");
    ensure!(mismatch(2) < 0.6 * mismatch(1), "made-up night must help: {means:?}");
    println!("\nthe claim holds");
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c3w2_05_mismatched_sets", &run(10, 20)?)
}
