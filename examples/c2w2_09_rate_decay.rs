//! Course 2, week 2, lecture 2.9: with one rate mini-batches wander around the minimum; a falling rate lets them settle.
//!
//!     cargo run --release --example c2w2_09_rate_decay

mod lecture;

use anyhow::{Context, Result, ensure};
use chainrule::data::Dataset;
use chainrule::loss::mean_squared_error;
use chainrule::metric::Trials;
use chainrule::optim::Rate;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

const TRUE: [f32; 4] = [1.0, -2.0, 0.5, 3.0];

/// 512 noisy values of a linear function.
fn data(seed: u64) -> Result<Dataset> {
    let key = Key::new(seed);
    let x = Tensor::normal(key.named("x"), [512, 4], 0.0, 1.0, DType::F32)?;
    let noise = Tensor::normal(key.named("noise"), [512, 1], 0.0, 1.0, DType::F32)?;
    let y = (&x.matmul(&Tensor::from_vec(TRUE.to_vec(), [4, 1])?)? + &noise)?;
    Ok(Dataset::regression(x, y)?)
}

/// The cost of all data above the least one, after each epoch.
fn excess(rate: Rate, epochs: usize, seed: u64) -> Result<Vec<f64>> {
    let data = data(seed)?;
    let model = |epochs: usize, rate: Rate, batch: usize| {
        let model = layer(|s, x| Linear::new(1).forward(s, x));
        Trainer::new(model, mean_squared_error)
            .optimiser(Sgd::new(rate))
            .epochs(epochs)
            .batch_size(batch)
            .seed(seed)
    };
    let best = model(100, 0.1.into(), 512);
    let least = best.evaluator().run(&lecture::train(&best, &data)?, &data)?.loss;
    let trainer = model(epochs, rate, 8);
    let mut step = trainer.step(Params::new(), &lecture::first(&data, 8)?, 512)?;
    let mut evaluator = trainer.evaluator();
    let mut found = Vec::new();
    for epoch in 0..epochs as u64 {
        for batch in data.batches(8)?.shuffled(Key::new(seed).at(epoch)) {
            step.run(&batch)?;
        }
        found.push(evaluator.run(&step.params(), &data)?.loss - least);
    }
    Ok(found)
}

/// Prints the table, draws the excess of the first seed; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!("claim: a falling rate ends nearer to the minimum than the constant rate that it starts with\n");
    println!(
        "α of step t, 64 steps an epoch      cost above the least, last {epochs}th epoch   ({seeds} seeds)"
    );
    let steps = 64 * epochs;
    let rows: [(&str, Rate); 6] = [
        ("0.05", 0.05.into()),
        ("0.05 / (1 + 0.01 t)", Rate::inverse_time(0.05, 0.01)),
        ("0.05 · 0.85^epoch", Rate::steps(0.05, 64, 0.85)),
        ("0.05 / √(1 + t)", Rate::formula(|t| 0.05 / (1.0 + t).sqrt())),
        ("halved every 5 epochs", Rate::steps(0.05, 5 * 64, 0.5)),
        ("cosine to 0", Rate::cosine(0.05, 0.0, steps)),
    ];
    let mut plot = LinePlot::new("Rates that fall", "epoch", "cost above the least").log_y();
    let mut means = Vec::new();
    for (name, rate) in rows {
        let runs = (0..seeds).map(|seed| excess(rate.clone(), epochs, seed)).collect::<Result<Vec<_>>>()?;
        let last = Trials(runs.iter().filter_map(|r| r.last().copied()).collect());
        println!("{name:<28} {last:>28.5}");
        plot = plot.line(name, runs[0].iter().enumerate().map(|(e, x)| (e as f64 + 1.0, *x)));
        means.push(last.mean());
    }
    let worst = means[1..].iter().copied().reduce(f64::max).context("rates")?;
    ensure!(worst < 0.5 * means[0], "falling rates must settle: {means:?}");
    println!("\nthe claim holds");
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c2w2_09_rate_decay", &run(10, 20)?)
}
