//! Course 3, week 2, lecture 2.2: learning forgives wrong labels that fall at random, not those that follow a rule.
//!
//!     cargo run --release --example c3w2_02_mislabelled

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::{Dataset, digits};
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// This share of all labels is wrong: of random examples, as any other class, or every one an 8 or 1 taken for a 3.
fn spoilt(data: &Dataset, share: f64, rule: bool, key: Key) -> Result<Dataset> {
    let mut labels = data.targets().to_vec::<i64>()?;
    let mut left = (share * labels.len() as f64) as usize;
    for i in key.permutation(labels.len())? {
        if left > 0 && (!rule || labels[i] == 8 || labels[i] == 1) {
            labels[i] = if rule { 3 } else { (labels[i] + 1 + (i % 9) as i64) % 10 };
            left -= 1;
        }
    }
    Ok(Dataset::classification(data.features().clone(), Tensor::from(&labels[..]), 10)?)
}

/// Prints the table, draws it; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: as many wrong labels cost little where they are random and much where they are systematic\n"
    );
    println!(
        "labels wrong   error at random %   error by a rule %   ({seeds} seeds, true labels in the dev set)"
    );
    let mut rows = Vec::new();
    for share in [0.0, 0.05, 0.1, 0.15] {
        let mut found = [Trials::default(), Trials::default()];
        for seed in 0..seeds {
            let key = Key::new(seed);
            let [train, dev] = digits()?.reshape_examples(&[64])?.split_stratified([0.7, 0.3], key)?;
            let dev = Dataset::classification(dev.features().clone(), dev.targets().clone(), 10)?;
            for (rule, trials) in [false, true].into_iter().zip(&mut found) {
                let data = spoilt(&train, share, rule, key.named("labels"))?;
                let trainer = Trainer::new(lecture::dense(&[32], 10), softmax_cross_entropy)
                    .optimiser(Adam::new(0.005));
                let trainer = trainer.penalty(Penalty::l2(1.0)).epochs(epochs).seed(seed);
                trials.0.push(100.0 * (1.0 - lecture::accuracies(&trainer, &data, &[&dev])?[0]));
            }
        }
        println!("{:>10} % {:>19.1} {:>19.1}", 100.0 * share, found[0], found[1]);
        rows.push([100.0 * share, found[0].mean(), found[1].mean()]);
    }
    let cost = |what: usize| rows[3][what] - rows[0][what];
    println!("\n15 % of wrong labels cost {:.1} % at random, {:.1} % by a rule", cost(1), cost(2));
    ensure!(cost(1) < 5.0 && cost(2) > 2.0 * cost(1).max(1.0), "{rows:?}");
    println!("the claim holds");
    let line = |what: usize| rows.iter().map(move |r| (r[0], r[what]));
    let plot = LinePlot::new("Wrong labels in training", "labels wrong, %", "dev error %");
    Ok(plot.line("at random", line(1)).line("8 and 1 taken for 3", line(2)).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c3w2_02_mislabelled", &run(10, 25)?)
}
