//! Course 2, week 2, lectures 2.6 to 2.8: in a long valley gradient descent swings from side to side; momentum and RMSprop
//! damp the swing and go along.
//!
//!     cargo run --release --example c2w2_06_momentum_and_rmsprop

mod lecture;

use anyhow::{Context, Result, ensure};
use chainrule::graph::Precision;
use chainrule::metric::Trials;
use chainrule::optim::{Optimiser, Parameter, RmsProp, updates};
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// The valley: along it a curvature of 1, across it 50.
fn valley(w: Var<'_>) -> Var<'_> {
    (w.square() * w.graph().constant([0.5, 25.0])).sum(..)
}

/// The way from `start`, at most `most` steps.
fn path(optimiser: &dyn Optimiser, start: [f64; 2], most: usize) -> Result<Vec<[f64; 2]>> {
    let g = Graph::new();
    let (w, before) = (g.leaf("w", start), g.leaf("steps", 0.0));
    let (loss, step) = (valley(w), before + 1.0);
    let parameters = [Parameter { path: "w".into(), value: w }];
    let state = updates(optimiser, step, &parameters, loss.grad(&[w])?).state;
    let state = [state, vec![(before, step)]].concat();
    let mut plan = g.compiler(&[], &[loss]).state(&state).precision(Precision::F64).build()?;
    let mut way = vec![start];
    while way.len() <= most && !way[way.len() - 1].iter().all(|x| x.abs() <= 0.05) {
        plan.run(&[])?;
        let at = plan.state()[0].to_vec::<f64>()?;
        way.push([at[0], at[1]]);
    }
    Ok(way)
}

type Make = fn(f64) -> Box<dyn Optimiser>;

/// Prints the table, draws the paths of the first seed; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, most: usize) -> Result<Picture> {
    println!(
        "claim: each at its best rate, momentum and RMSprop need fewer steps through a valley 50 times as steep as long\n"
    );
    let rows: [(&str, Make); 4] = [
        ("gradient descent", |rate| Box::new(Sgd::new(rate))),
        ("momentum, β = 0.75", |rate| Box::new(Momentum { beta: 0.75, ..Momentum::new(rate) })),
        ("RMSprop", |rate| Box::new(RmsProp::new(rate))),
        ("Adam", |rate| Box::new(Adam::new(rate))),
    ];
    println!("{:<20} {:>15} {:>12} {:>18}   ({seeds} starts)", "", "steps", "best rate", "swings across");
    let mut plot = LinePlot::new("Through the valley", "along", "across");
    let mut steps = Vec::new();
    for (name, make) in rows {
        let (mut taken, mut swings, mut rates) = (Trials::default(), Trials::default(), Trials::default());
        for seed in 0..seeds {
            let side = Tensor::uniform(Key::new(seed), [2], 0.5..1.5, DType::F64)?.to_vec::<f64>()?;
            let start = [-8.0 * side[0], side[1]];
            let tried = (-12..=2).map(|k| 10_f64.powf(0.25 * f64::from(k)));
            let tried = tried.map(|rate| Ok((rate, path(make(rate).as_ref(), start, most)?)));
            let tried = tried.collect::<Result<Vec<_>>>()?;
            let (rate, way) = tried.into_iter().min_by_key(|(_, way)| way.len()).context("rates")?;
            taken.0.push((way.len() - 1) as f64);
            rates.0.push(rate);
            swings.0.push(way.windows(2).filter(|w| w[0][1] * w[1][1] < 0.0).count() as f64);
            if seed == 0 {
                plot = plot.line(name, way.iter().take(40).map(|w| (w[0], w[1])));
            }
        }
        println!("{name:<20} {taken:>15.1} {:>12.3} {swings:>18.1}", rates.mean());
        steps.push(taken.mean());
    }
    ensure!(steps[1] < 0.6 * steps[0] && steps[2] < 0.6 * steps[0], "they must be ahead: {steps:?}");
    println!("\nthe claim holds");
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c2w2_06_momentum_and_rmsprop", &run(10, 400)?)
}
