//! Course 4, lectures 2.5 to 2.8: 1 x 1 convolutions, bottlenecks and depthwise-separable convolutions: what they save,
//! counted, and what they cost in accuracy, measured.
//!
//!     cargo run --release --example c4w2_cheaper_convolutions

mod images;
mod lecture;

use anyhow::{Result, ensure};
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use images::same;

/// Multiplications of a stack of convolutions on an image of `side` x `side`, and its weights: each weight is used once
/// at each position.
fn cost(model: &impl Layer, channels: usize, side: usize) -> Result<(usize, usize)> {
    let weights = Summary::of(model, &Params::new(), [channels, side, side])?.parameters();
    Ok((weights * side * side, weights))
}

fn separable<'g>(s: &Scope<'g>, x: Var<'g>, outputs: usize) -> Var<'g> {
    let depthwise = Conv::depthwise(1, [3, 3]).slide(same()).without_bias();
    let each = depthwise.forward(&s.at("depthwise"), x);
    Conv::new(outputs, [1, 1]).without_bias().forward(&s.at("pointwise"), each)
}

/// Two convolutions and a dense layer, the convolutions in full or separated.
fn reader(separated: bool) -> impl Layer {
    layer(move |s, x| {
        let mut a = Conv::new(16, [3, 3]).slide(same()).forward(&s.at("first"), x).relu();
        for name in ["second", "third"] {
            let s = s.at(name);
            let full = Conv::new(32, [3, 3]).slide(same()).without_bias();
            a = if separated { separable(&s, a, 32) } else { full.forward(&s, a) }.relu();
        }
        let a = MaxPool::new([2, 2]).forward(s, a);
        Linear::new(10).forward(&s.at("softmax"), Flatten.forward(s, a))
    })
}

/// Prints what is counted and measured, draws it; fails if the lectures' claims do not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim 2.5: 32 filters of 5 x 5 on 28 x 28 x 192 take 120 million multiplications, 12.4 behind a bottleneck"
    );
    let direct = Conv::new(32, [5, 5]).slide(same()).without_bias();
    let bottleneck = layer(|s, x| {
        let few = Conv::new(16, [1, 1]).without_bias().forward(&s.at("bottleneck"), x);
        Conv::new(32, [5, 5]).slide(same()).without_bias().forward(&s.at("filters"), few)
    });
    let ((all, _), (less, _)) = (cost(&direct, 192, 28)?, cost(&bottleneck, 192, 28)?);
    println!("  {all} and {less}");
    ensure!(all == 120_422_400 && less == 2_408_448 + 10_035_200, "other counts");

    println!("claim 2.7: a separable convolution costs 1 / outputs + 1 / f² of a full one");
    for (channels, outputs) in [(3, 5), (64, 128), (512, 512)] {
        let full = Conv::new(outputs, [3, 3]).slide(same()).without_bias();
        let cheap = layer(|s, x| separable(s, x, outputs));
        let ((full, _), (cheap, _)) = (cost(&full, channels, 14)?, cost(&cheap, channels, 14)?);
        let (ratio, wanted) = (cheap as f64 / full as f64, 1.0 / outputs as f64 + 1.0 / 9.0);
        println!("  {channels:>3} to {outputs:>3} channels: {cheap} of {full}, {ratio:.4}");
        ensure!((ratio - wanted).abs() < 1e-12, "not {wanted}");
    }

    println!("claim 2.8: it reads about as well");
    let mut errors = [(); 2].map(|()| Trials::default());
    for seed in 0..seeds {
        let [train, test] = images::digits()?.split_stratified([0.8, 0.2], Key::new(seed))?;
        for (errors, separated) in errors.iter_mut().zip([false, true]) {
            let trainer = Trainer::new(reader(separated), softmax_cross_entropy).optimiser(Adam::new(0.003));
            let trainer = trainer.epochs(epochs).batch_size(32).seed(seed);
            errors.0.push(100.0 * (1.0 - lecture::accuracies(&trainer, &train, &[&test])?[0]));
        }
    }
    // The second and third convolution, on 8 × 8.
    let costs = [64 * 9 * (16 * 32 + 32 * 32), 64 * (9 * 16 + 16 * 32 + 9 * 32 + 32 * 32)];
    println!(
        "  error on unseen digits ({seeds} seeds): full {:.2} %, separable {:.2} %",
        errors[0], errors[1]
    );
    println!("  for {} and {} multiplications in the two layers that differ", costs[0], costs[1]);
    ensure!(errors[1].minus(&errors[0]).mean() < 2.0, "more than two points worse");
    println!("\nthe claim holds");
    let plot = LinePlot::new("Full and separable", "thousand multiplications", "error %");
    let point = |i: usize| [(costs[i] as f64 / 1e3, errors[i].mean())];
    Ok(plot.line("full", point(0)).line("separable", point(1)).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c4w2_cheaper_convolutions", &run(5, 6)?)
}
