//! Course 1, week 3, lectures 3.6 to 3.8: tanh learns faster than σ in hidden layers, ReLU does not saturate, and without
//! any of them a deep network is no more than a line.
//!
//!     cargo run --release --example c1w3_06_activations

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::moons;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

type Activation = for<'g> fn(Var<'g>) -> Var<'g>;

/// A name, g, and g' by the lecture in terms of z and a = g(z).
type Row = (&'static str, Activation, fn(f64, f64) -> f64);

const ROWS: [Row; 5] = [
    ("none", |z| z * 1.0, |_, _| 1.0),
    ("sigmoid", |z| z.sigmoid(), |_, a| a * (1.0 - a)),
    ("tanh", |z| z.tanh(), |_, a| 1.0 - a * a),
    ("ReLU", |z| z.relu(), |z, _| if z < 0.0 { 0.0 } else { 1.0 }),
    ("leaky ReLU", |z| z.leaky_relu(0.01), |z, _| if z < 0.0 { 0.01 } else { 1.0 }),
];

/// Prints the table, draws the slopes; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: hidden layers learn faster with tanh than with σ; without activation they are one line\n"
    );
    let points: Vec<f64> = (-50..=50).map(|i| f64::from(i) * 0.1).collect();
    let mut plot = LinePlot::new("Slopes of activations", "z", "g'(z)");
    for (name, activation, slope) in &ROWS[1..] {
        let g = Graph::new();
        let z = g.leaf("z", Tensor::from(&points[..]));
        let a = activation(z);
        let (a, d) = (a.value()?.to_vec::<f64>()?, a.sum(..).grad(&[z])?[0].value()?.to_vec::<f64>()?);
        let apart = (0..points.len()).map(|i| (d[i] - slope(points[i], a[i])).abs()).fold(0.0, f64::max);
        println!(
            "{name:<10} recorded slope against the lecture's formula: at most {apart:.0e} apart, at 0 it is {}",
            d[50]
        );
        ensure!(apart < 1e-15, "{name}");
        plot = plot.line(*name, points.iter().copied().zip(d));
    }
    println!(
        "\n{:<10} {:>16} {:>16}   (two moons, two layers of 8, {epochs} steps, {seeds} seeds)",
        "", "loss", "accuracy %"
    );
    let (mut losses, mut accuracies) = (Vec::new(), Vec::new());
    for (name, activation, _) in ROWS {
        let (mut loss, mut accuracy) = (Trials::default(), Trials::default());
        for seed in 0..seeds {
            let data = moons(200, 0.1, Key::new(seed))?;
            let model = layer(move |s, x| {
                let a = activation(Linear::new(8).init(Init::Xavier).forward(&s.at("hidden1"), x));
                let a = activation(Linear::new(8).init(Init::Xavier).forward(&s.at("hidden2"), a));
                Linear::new(1).init(Init::Xavier).forward(&s.at("output"), a)
            });
            let trainer = Trainer::new(model, lecture::logistic).optimiser(Sgd::new(0.5)).batch_size(200);
            let trainer = trainer.epochs(epochs).seed(seed);
            let params = lecture::train(&trainer, &data)?;
            let found = trainer.evaluator().run(&params, &data)?;
            loss.0.push(found.loss);
            accuracy.0.push(100.0 * found.accuracy(data.targets())?);
        }
        println!("{name:<10} {loss:>16.3} {accuracy:>16.1}");
        losses.push(loss.mean());
        accuracies.push(accuracy.mean());
    }
    ensure!(losses[2] < 0.7 * losses[1], "tanh must be ahead of sigmoid: {losses:?}");
    ensure!(
        accuracies[0] < 92.0 && accuracies[2] > accuracies[0] + 4.0,
        "a line must not do: {accuracies:?}"
    );
    println!("\nthe claim holds");
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c1w3_06_activations", &run(10, 1000)?)
}
