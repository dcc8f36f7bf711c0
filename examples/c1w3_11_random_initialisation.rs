//! Course 1, week 3, lecture 3.11: units that start equal stay equal for ever; weights that start large saturate tanh.
//!
//!     cargo run --release --example c1w3_11_random_initialisation

mod lecture;

use anyhow::{Context, Result, ensure};
use chainrule::data::flower;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use chainrule::progress::Silent;

/// Prints the table, draws the cost of the first seed; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: with equal weights all hidden units stay one unit; with large ones tanh's slope is gone\n"
    );
    println!(
        "{:<22} {:>15} {:>18} {:>18}",
        "weights start", "accuracy %", "units differ by", "slope at the start"
    );
    let starts = [
        ("all 0", Init::Zeros),
        ("all 0.5", Init::Constant(0.5)),
        ("normal · 0.01", Init::Normal(0.01)),
        ("normal · 1", Init::Normal(1.0)),
        ("normal · 30", Init::Normal(30.0)),
    ];
    let mut plot = LinePlot::new("The flower, four tanh units", "step", "J");
    let mut rows = Vec::new();
    for (name, init) in starts {
        let [mut accuracy, mut apart, mut slope] = [(); 3].map(|()| Trials::default());
        for seed in 0..seeds {
            let data = flower(400, Key::new(seed))?;
            let model = layer(move |s, x| {
                let a = Linear::new(4).init(init).forward(&s.at("hidden"), x).tanh();
                Linear::new(1).init(init).forward(&s.at("output"), a)
            });
            let trainer = Trainer::new(model, lecture::logistic).optimiser(Sgd::new(1.2)).batch_size(400);
            let trainer = trainer.epochs(epochs).seed(seed);
            let mut params = Params::new();
            let history = trainer.fit(&mut params, &data, None, &mut Silent)?;
            accuracy.0.push(100.0 * trainer.evaluator().accuracy(&params, &data)?);
            // How far a unit's incoming weights are from the first unit's.
            let w = params.get("hidden.weight").context("a weight")?.to_vec::<f32>()?;
            apart.0.push(
                w.iter().enumerate().map(|(i, x)| f64::from((x - w[i - i % 4]).abs())).fold(0.0, f64::max),
            );
            let g = Graph::new();
            let s = Scope::root(&g, Params::new(), Mode::Train, seed);
            let a = Linear::new(4)
                .init(init)
                .forward(&s.at("hidden"), g.constant(data.features().clone()))
                .tanh();
            slope.0.push((1.0 - a.square()).mean(..).value()?.item()?);
            if seed == 0 {
                plot = plot.line(name, history.series("train loss").iter().map(|(t, j)| (*t as f64, *j)));
            }
        }
        println!("{name:<22} {accuracy:>15.1} {apart:>18.3} {slope:>18.3}");
        rows.push([accuracy.mean(), apart.mean(), slope.mean()]);
    }
    ensure!(rows[0][1] == 0.0 && rows[1][1] == 0.0, "equal units must stay equal to the last bit: {rows:?}");
    ensure!(rows[2][0] > rows[1][0] + 5.0 && rows[2][1] > 0.5, "small random weights must learn: {rows:?}");
    ensure!(rows[4][2] < 0.05 && rows[2][2] > 0.99, "large weights must saturate: {rows:?}");
    println!("\nthe claim holds");
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c1w3_11_random_initialisation", &run(10, 3000)?)
}
