//! Course 2, week 1, lectures 1.10 and 1.11: through many layers signals and gradients grow or shrink like a power, unless
//! weights start with the right variance.
//!
//!     cargo run --release --example c2w1_10_vanishing_and_exploding

mod lecture;

use anyhow::{Result, ensure};
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

const UNITS: usize = 64;

/// log10 of the root mean square of the activations behind each layer, and that of the gradient in the input over the
/// one in the output.
fn scales(depth: usize, init: Init, relu: bool, seed: u64) -> Result<(Vec<f64>, f64)> {
    let g = Graph::new();
    let key = Key::new(seed);
    let x = g.leaf("x", Tensor::normal(key.named("x"), [64, UNITS], 0.0, 1.0, DType::F64)?);
    let s = Scope::root(&g, Params::new(), Mode::Train, seed);
    let (mut a, mut all) = (x, Vec::new());
    for l in 0..depth {
        a = Linear::new(UNITS).init(init).forward(&s.at(&format!("layer{l}")), a);
        a = if relu { a.relu() } else { a.tanh() };
        all.push(a.square().mean(..).sqrt());
    }
    let direction = g.constant(Tensor::normal(key.named("d"), [64, UNITS], 0.0, 1.0, DType::F64)?);
    let d = (a * direction).sum(..).grad(&[x])?[0].square().mean(..).sqrt();
    let mut plan =
        g.compiler(&[], &[&all[..], &[d]].concat()).precision(chainrule::graph::Precision::F64).build()?;
    let values = plan.run(&[])?.iter().map(|v| Ok(v.item::<f64>()?.log10())).collect::<Result<Vec<f64>>>()?;
    Ok((values[..depth].to_vec(), values[depth]))
}

/// Prints the table, draws the activations by depth; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, depth: usize) -> Result<Picture> {
    println!(
        "claim: with w = 1.5 activations grow as 1.5^L, with 0.5 they vanish as 0.5^L; variance 2/n keeps ReLU alive\n"
    );
    for w in [1.5_f64, 0.5] {
        let g = Graph::new();
        let (x, w_) = (g.leaf("x", 1.0), g.constant(w));
        let a = (0..depth).fold(x, |a, _| a * w_);
        let (value, slope) = (a.value()?.item::<f64>()?, a.grad(&[x])?[0].value()?.item::<f64>()?);
        println!("w = {w}: after {depth} layers the activation is {value:.2e}, the gradient {slope:.2e}");
        ensure!((value / w.powi(depth as i32) - 1.0).abs() < 1e-9 && value == slope, "w^L");
    }
    println!(
        "\n{:<26} {:>16} {:>16}   (log10, {seeds} seeds)",
        format!("{depth} layers of {UNITS}"),
        "activation",
        "gradient"
    );
    let rows = [
        ("ReLU, deviation 0.01", Init::Normal(0.01), true),
        ("ReLU, variance 1/n", Init::Xavier, true),
        ("ReLU, variance 2/n (He)", Init::He, true),
        ("ReLU, variance 4/n", Init::Normal((4.0 / UNITS as f64).sqrt()), true),
        ("tanh, variance 1/n", Init::Xavier, false),
    ];
    let mut plot = LinePlot::new("Activations by depth", "layer", "log10 of the root mean square");
    let mut means = Vec::new();
    for (name, init, relu) in rows {
        let found = (0..seeds).map(|seed| scales(depth, init, relu, seed)).collect::<Result<Vec<_>>>()?;
        let last = Trials(found.iter().map(|(a, _)| a[depth - 1]).collect());
        let gradient = Trials(found.iter().map(|(_, d)| *d).collect());
        println!("{name:<26} {last:>16.2} {gradient:>16.2}");
        plot = plot.line(name, found[0].0.iter().enumerate().map(|(l, a)| (l as f64 + 1.0, *a)));
        means.push([last.mean(), gradient.mean()]);
    }
    ensure!(means[2].iter().all(|m| m.abs() < 0.7), "He's must keep the scale: {means:?}");
    let layers = depth as f64;
    // Half the variance is lost in each layer, or half too much is there.
    ensure!(
        means[1].iter().all(|m| (m + 0.15 * layers).abs() < 1.0),
        "1/n must vanish as 2^(-L/2): {means:?}"
    );
    ensure!(means[3].iter().all(|m| (m - 0.15 * layers).abs() < 1.0) && means[0][0] < -layers, "{means:?}");
    println!("\nthe claim holds");
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c2w1_10_vanishing_and_exploding", &run(10, 30)?)
}
