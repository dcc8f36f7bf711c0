//! Mixed precision: a deep network reads digits as well when everything between its layers has 16 bits. Parameters stay 32 bits
//! wide, so that small steps are not lost. What is kept for the backward part takes half the bytes; beside it a step needs its
//! operands at full width while it runs, so it is depth that gains.
//!
//!     cargo run --release --example sixteen_bits

use anyhow::{Result, ensure};
use chainrule::data::{Dataset, digits};
use chainrule::graph::Mixed;
use chainrule::loss::softmax_cross_entropy;
use chainrule::prelude::*;
use chainrule::progress::Silent;
use chainrule::tensor::Format;

/// Layers with a shortcut around each, so that so many of them learn.
const DEPTH: usize = 16;

fn network<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let width = x.dim(-1);
    let hidden = (1..=DEPTH).fold(x, |a, l| {
        a + Linear::new(width).forward(&s.at(&format!("hidden{l}")), a).relu() * (1.0 / DEPTH as f64)
    });
    Linear::new(10).init(Init::Xavier).forward(&s.at("output"), hidden)
}

/// The network with its results in `format`, if there is one. The loss has the precision of the plan in either case.
fn stored<'g>(format: Option<Format>, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let Some(format) = format else { return network(s, x) };
    let made = x.graph().mixed(&Mixed::new(format), || Ok(network(s, x)));
    made.unwrap_or_else(|error| x.fail(error))
}

fn accuracy(format: Option<Format>, [train, test]: [&Dataset; 2], seed: u64, epochs: usize) -> Result<f64> {
    let trainer = Trainer::new(layer(move |s, x| stored(format, s, x)), softmax_cross_entropy)
        .optimiser(Adam::new(0.002))
        .epochs(epochs)
        .seed(seed);
    let mut params = Params::new();
    trainer.fit(&mut params, train, None, &mut Silent)?;
    Ok(trainer.evaluator().accuracy(&params, test)?)
}

/// Bytes that a training step of 1024 examples works in.
fn bytes(format: Option<Format>, data: &Dataset) -> Result<usize> {
    let examples: Vec<usize> = (0..1024).collect();
    let batch = data.select(&examples)?;
    let inputs = [batch.features().clone(), batch.targets().clone()];
    let step = Step::builder().record(Params::new(), &inputs, move |s, x| {
        Learning::of(Goal::new("loss", softmax_cross_entropy(stored(format, s, x[0]), x[1]), Sgd::new(0.1)))
    })?;
    Ok(step.plan().bytes())
}

/// Prints the table; fails if the claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<()> {
    println!(
        "claim: what lies between the layers may have 16 bits: accuracy stays within the spread of seeds\n"
    );
    println!("numbers    accuracy on test digits ({seeds} seeds)    bytes of a step of 1024 examples");
    let mut measured = Vec::new();
    for format in [None, Some(Format::Bf16), Some(Format::F16)] {
        let mut all = Vec::new();
        for seed in 0..seeds {
            let [train, test] =
                digits()?.reshape_examples(&[64])?.split_stratified([0.8, 0.2], Key::new(seed))?;
            all.push(accuracy(format, [&train, &test], seed, epochs)?);
        }
        let n = all.len() as f64;
        let mean = all.iter().sum::<f64>() / n;
        let spread = (all.iter().map(|a| (a - mean) * (a - mean)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt();
        let bytes = bytes(format, &digits()?.reshape_examples(&[64])?)?;
        let name = format.map_or("f32", Format::name);
        println!("{name:>7}    {:>8.2} % ± {:.2} {:>34}", 100.0 * mean, 100.0 * spread, bytes);
        measured.push((mean, spread, bytes));
    }
    let (wide, spread, bytes) = measured[0];
    for (narrow, other, fewer) in &measured[1..] {
        // One seed has no spread: then two images of the test set are one.
        let allowed = (2.0 * spread.max(*other)).max(0.006);
        ensure!((narrow - wide).abs() <= allowed, "accuracy changes: {narrow} in place of {wide}");
        ensure!(*fewer < bytes * 9 / 10, "{fewer} bytes in place of {bytes}");
    }
    println!("\nthe claim holds");
    Ok(())
}

fn main() -> Result<()> {
    run(10, 30)
}
