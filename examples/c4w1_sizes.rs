//! Course 4, lectures 1.4 to 1.10: padding, stride, sizes of volumes, and how few parameters they take.
//!
//!     cargo run --release --example c4w1_sizes

use anyhow::{Result, ensure};
use chainrule::prelude::*;

/// Lecture 1.8: 39 x 39 x 3 to 1,960 features.
fn volumes<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let a = Conv::new(10, [3, 3]).forward(&s.at("conv1"), x).relu();
    let a = Conv::new(20, [5, 5]).slide(Slide::new().stride(2)).forward(&s.at("conv2"), a).relu();
    let a = Conv::new(40, [5, 5]).slide(Slide::new().stride(2)).forward(&s.at("conv3"), a).relu();
    Flatten.forward(&s.at("features"), a)
}

/// Lecture 1.10: a network in the manner of LeNet-5 for 32 x 32 x 3.
fn lenet<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let half = MaxPool::new([2, 2]);
    let a = half.forward(s, Conv::new(8, [5, 5]).forward(&s.at("conv1"), x).relu());
    let a = half.forward(s, Conv::new(16, [5, 5]).forward(&s.at("conv2"), a).relu());
    let a = Flatten.forward(s, a);
    let a = Linear::new(120).forward(&s.at("fc3"), a).relu();
    let a = Linear::new(84).forward(&s.at("fc4"), a).relu();
    Linear::new(10).forward(&s.at("softmax"), a)
}

/// The length of the result of a window `f` wide over `n` elements.
fn length(n: usize, f: usize, p: usize, s: usize) -> Result<usize> {
    let g = Graph::new();
    let x = g.constant(Tensor::zeros([1, 1, n], DType::F32));
    let kernel = g.constant(Tensor::zeros([1, 1, f], DType::F32));
    let y = x.conv(kernel, &Slide::new().stride(s).padding([(p, p)]));
    y.checked()?;
    Ok(y.dim(-1))
}

/// Prints what is counted; fails if it is not what the lectures say. Nothing is drawn: seeds and epochs do nothing.
pub fn run(_seeds: u64, _epochs: usize) -> Result<()> {
    println!("claim 1.5: an axis has floor((n + 2p - f) / s) + 1 windows");
    let mut cases = 0;
    for n in 1..12 {
        for (f, p, s) in (1..6).flat_map(|f| (0..3).flat_map(move |p| (1..4).map(move |s| (f, p, s)))) {
            if n + 2 * p < f {
                // No window fits: an error, not an empty result.
                ensure!(length(n, f, p, s).is_err(), "n {n}, f {f}, p {p} holds no window");
                continue;
            }
            let (found, wanted) = (length(n, f, p, s)?, (n + 2 * p - f) / s + 1);
            ensure!(found == wanted, "n {n}, f {f}, p {p}, s {s}: {found}, not {wanted}");
            cases += 1;
        }
    }
    println!("  held for {cases} choices of n, f, p, s");
    ensure!((1..8).all(|half| length(9, 2 * half + 1, half, 1).is_ok_and(|n| n == 9)), "same");
    println!("claim 1.4: with p = (f - 1) / 2 the result is as long as the input: held for odd f to 15");

    println!("claim 1.7: ten filters of 3 x 3 x 3 have 280 parameters, whatever the image's size");
    for side in [8, 64, 1000] {
        let found = Summary::of(&Conv::new(10, [3, 3]), &Params::new(), [3, side, side])?.parameters();
        println!("  {side:>4} x {side:<4} {found} parameters");
        ensure!(found == 280, "not 280");
    }

    println!("claim 1.8: 39 x 39 x 3, 37 x 37 x 10, 17 x 17 x 20, 7 x 7 x 40, 1960");
    let table = Summary::of(&volumes, &Params::new(), [3, 39, 39])?.to_string();
    println!("{table}");
    for shape in ["(m, 10, 37, 37)", "(m, 20, 17, 17)", "(m, 40, 7, 7)", "(m, 1960)"] {
        ensure!(table.contains(shape), "no {shape}");
    }

    println!("claim 1.10: most parameters are in the dense layers: 608, 3216, 48120, 10164, 850");
    let summary = Summary::of(&lenet, &Params::new(), [3, 32, 32])?;
    println!("{summary}");
    ensure!(summary.parameters() == 608 + 3216 + 48_120 + 10_164 + 850, "{}", summary.parameters());
    println!(
        "claim 1.11: a dense layer from 32 x 32 x 3 to 28 x 28 x 6 has 14 million weights, a filter bank 456"
    );
    let dense = Summary::of(&Linear::new(28 * 28 * 6).without_bias(), &Params::new(), [32 * 32 * 3])?;
    let shared = Summary::of(&Conv::new(6, [5, 5]), &Params::new(), [3, 32, 32])?;
    println!("  {} and {}", dense.parameters(), shared.parameters());
    ensure!(dense.parameters() == 14_450_688 && shared.parameters() == 456, "other counts");
    println!("all held");
    Ok(())
}

fn main() -> Result<()> {
    run(0, 0)
}
