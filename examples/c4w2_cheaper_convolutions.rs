//! Course 4, lectures 2.5 to 2.8: 1 x 1 convolutions, bottlenecks and depthwise-separable convolutions: what they save,
//! counted, and what they cost in accuracy, measured.
//!
//!     cargo run --release --example c4w2_cheaper_convolutions

use anyhow::{Result, ensure};
use chainrule::prelude::*;
use chainrule::{data, loss, progress::Silent};

fn same() -> Slide {
    Slide::new().padding(Padding::Same)
}

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

fn main() -> Result<()> {
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
    let digits = data::digits()?.reshape_examples(&[1, 8, 8])?;
    let mut means = [0.0; 2];
    for seed in 0..3 {
        let [train, test] = digits.split_stratified([0.8, 0.2], Key::new(seed))?;
        let mut found = [0.0; 2];
        for (found, separated) in found.iter_mut().zip([false, true]) {
            let trainer = Trainer::new(reader(separated), loss::softmax_cross_entropy);
            let trainer = trainer.optimiser(Adam::new(0.003)).epochs(6).batch_size(32).seed(seed);
            let mut params = Params::new();
            trainer.fit(&mut params, &train, None, &mut Silent)?;
            *found = trainer.evaluator().accuracy(&params, &test)?;
        }
        println!("  seed {seed}: full {:.2} %, separable {:.2} %", 100.0 * found[0], 100.0 * found[1]);
        means = [means[0] + found[0] / 3.0, means[1] + found[1] / 3.0];
    }
    println!("  mean: full {:.2} %, separable {:.2} %", 100.0 * means[0], 100.0 * means[1]);
    ensure!(means[1] > means[0] - 0.02, "more than two points worse");
    println!("all held");
    Ok(())
}
