//! Course 3, week 2, lecture 2.7: what was learnt on much data helps a related task with little, and not one with much.
//!
//!     cargo run --release --example c3w2_07_transfer

mod lecture;

use anyhow::{Context, Result, ensure};
use chainrule::data::{Dataset, digits};
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use chainrule::progress::Silent;

/// Another question about the same pictures: is the digit prime?
fn prime(data: &Dataset) -> Result<Dataset> {
    let labels = data.targets().to_vec::<i64>()?;
    let own: Vec<i64> = labels.iter().map(|l| i64::from([2, 3, 5, 7].contains(l))).collect();
    Ok(Dataset::classification(data.features().clone(), Tensor::from(&own[..]), 2)?)
}

/// Prints the table, draws it; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: a body that has learnt to read digits helps to tell primes from few examples, and hardly from many\n"
    );
    println!(
        "examples of primes   from scratch %   head alone, body frozen %   all of it further %   ({seeds} seeds)"
    );
    let mut rows = Vec::new();
    for examples in [10, 20, 50, 400] {
        let mut found = [(); 3].map(|()| Trials::default());
        for seed in 0..seeds {
            let all = digits()?.reshape_examples(&[64])?;
            let [first, task, unseen] = all.split_stratified([0.4, 0.3, 0.3], Key::new(seed))?;
            let unseen = prime(&unseen)?;
            let data = prime(&task.select(&(0..examples).collect::<Vec<_>>())?)?;
            let network = |classes: usize| {
                let trainer = Trainer::new(lecture::dense(&[32], classes), softmax_cross_entropy);
                trainer.optimiser(Adam::new(0.01)).seed(seed)
            };
            let before = lecture::train(&network(10).epochs(epochs), &first)?;
            // The body goes over, the head is drawn anew.
            let body = || -> Params {
                let kept = before.iter().filter(|(path, _)| path.starts_with("hidden1"));
                kept.map(|(path, value)| (path.to_owned(), value.clone())).collect()
            };
            let further = || network(2).epochs((epochs * 400 / examples).min(100)).draw_missing(true);
            let cases =
                [(further(), Params::new()), (further().freeze("hidden1"), body()), (further(), body())];
            for ((trainer, mut params), trials) in cases.into_iter().zip(&mut found) {
                trainer.fit(&mut params, &data, None, &mut Silent).context("training further")?;
                trials.0.push(100.0 * trainer.evaluator().accuracy(&params, &unseen)?);
            }
        }
        let [scratch, frozen, all] = &found;
        println!("{examples:>18} {scratch:>16.1} {frozen:>27.1} {all:>21.1}");
        rows.push((examples as f64, found));
    }
    let gain = |i: usize| rows[i].1[2].minus(&rows[i].1[0]);
    println!("\ntransfer gains {:.1} % from 10 examples, {:.1} % from 400", gain(0), gain(3));
    ensure!(gain(0).mean() > 3.0 && gain(3).mean() < 0.4 * gain(0).mean(), "{rows:?}");
    println!("the claim holds");
    let line = |what: usize| rows.iter().map(move |(n, t)| (n.log10(), t[what].mean()));
    let plot =
        LinePlot::new("From digits to primes", "log10 examples", "accuracy %").line("from scratch", line(0));
    Ok(plot.line("body frozen", line(1)).line("all trained further", line(2)).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c3w2_07_transfer", &run(10, 20)?)
}
