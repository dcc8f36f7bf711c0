//! Course 3, week 2, lecture 2.8: one network for several questions learns from examples that answer only some of them,
//! and shares what it sees.
//!
//!     cargo run --release --example c3w2_08_multi_task

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::{Dataset, digits};
use chainrule::loss;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// Four questions about a digit.
const QUESTIONS: [(&str, [i64; 5]); 4] = [
    ("is it even?", [0, 2, 4, 6, 8]),
    ("is it above 4?", [5, 6, 7, 8, 9]),
    ("has it a loop?", [0, 6, 8, 9, 9]),
    ("is it prime?", [2, 3, 5, 7, 7]),
];

/// Answers (m, 4): 1, 0, or −1 where nobody has answered. Each example answers one question, or all.
fn answers(data: &Dataset, all: bool) -> Result<Dataset> {
    let labels = data.targets().to_vec::<i64>()?;
    let answer = |i: usize, q: usize| match all || i % 4 == q {
        true => f32::from(u8::from(QUESTIONS[q].1.contains(&labels[i]))),
        false => -1.0,
    };
    let flat = (0..labels.len()).flat_map(|i| (0..4).map(move |q| answer(i, q))).collect();
    Ok(Dataset::regression(data.features().clone(), Tensor::from_vec(flat, [labels.len(), 4])?)?)
}

/// The mean logistic loss over the answers that are there.
fn answered<'g>(z: Var<'g>, y: Var<'g>) -> Var<'g> {
    let there = y.greater(-0.5).real();
    let known = y.maximum(0.0);
    ((z.softplus() - known * z) * there).sum(..) / there.sum(..).maximum(1.0)
}

/// The share of right answers to each question, in %.
fn right(outputs: &Tensor, truth: &Dataset) -> Result<Vec<f64>> {
    let (z, y) = (outputs.to_vec::<f32>()?, truth.targets().to_vec::<f32>()?);
    let (width, m) = (outputs.shape()[1], truth.examples());
    let correct =
        |q: usize| (0..m).filter(|i| (z[i * width + q % width] > 0.0) == (y[i * 4 + q] > 0.5)).count();
    Ok((0..4).map(|q| 100.0 * correct(q) as f64 / m as f64).collect())
}

/// Prints the table, draws it; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: one network for four questions is better than four for one each, if each example answers only one\n"
    );
    let (mut one, mut four) = (vec![Trials::default(); 4], vec![Trials::default(); 4]);
    for seed in 0..seeds {
        let [train, test] =
            digits()?.reshape_examples(&[64])?.split_stratified([0.3, 0.7], Key::new(seed))?;
        let (data, truth) = (answers(&train, false)?, answers(&test, true)?);
        let network = |units: usize, outputs: usize| {
            let trainer = Trainer::new(lecture::dense(&[units], outputs), loss::from_fn(answered));
            trainer.optimiser(Adam::new(0.01)).epochs(epochs).seed(seed)
        };
        let together = network(64, 4);
        let found = together.evaluator().run(&lecture::train(&together, &data)?, &truth)?.outputs;
        one.iter_mut().zip(right(&found, &truth)?).for_each(|(t, a)| t.0.push(a));
        for (q, trials) in four.iter_mut().enumerate() {
            // Its own examples, as many steps, a quarter of the units.
            let rows: Vec<usize> = (0..data.examples()).filter(|i| i % 4 == q).collect();
            let own = data.select(&rows)?;
            let column = |d: &Dataset| -> Result<Dataset> {
                let y = d.targets().to_vec::<f32>()?;
                let y: Vec<f32> = y.chunks(4).map(|row| row[q]).collect();
                Ok(Dataset::regression(d.features().clone(), Tensor::from_vec(y, [d.examples(), 1])?)?)
            };
            let alone = network(16, 1).epochs(4 * epochs);
            let outputs =
                alone.evaluator().run(&lecture::train(&alone, &column(&own)?)?, &column(&truth)?)?.outputs;
            trials.0.push(right(&outputs, &truth)?[q]);
        }
    }
    println!(
        "{:<16} {:>17} {:>17} {:>14}   ({seeds} seeds)",
        "right %", "four networks", "one network", "gained"
    );
    let mut gain = 0.0;
    for (q, (name, _)) in QUESTIONS.iter().enumerate() {
        let gained = one[q].minus(&four[q]);
        println!("{name:<16} {:>17.1} {:>17.1} {gained:>14.1}", four[q], one[q]);
        gain += gained.mean() / 4.0;
    }
    ensure!(gain > 1.0, "sharing gains only {gain}");
    println!("\nthe claim holds");
    let line = |t: &[Trials]| (1..).map(f64::from).zip(t.iter().map(Trials::mean)).collect::<Vec<_>>();
    let plot = LinePlot::new("Even, above 4, loop, prime", "question", "right %");
    Ok(plot.line("four networks", line(&four)).line("one network", line(&one)).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c3w2_08_multi_task", &run(10, 40)?)
}
