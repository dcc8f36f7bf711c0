//! Course 2, week 1, lectures 1.1 and 1.8: training that stops where the dev set's cost is least keeps a network from learning its
//! examples by heart, without a penalty; the test set, which chose nothing, says so.
//!
//!     cargo run --release --example c2w1_08_other_regularisation

mod images;
mod lecture;

use anyhow::{Result, ensure};
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use chainrule::progress::Silent;

fn network<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let h = Linear::new(64).forward(&s.at("hidden"), Flatten.forward(s, x)).relu();
    Linear::new(10).init(Init::Xavier).forward(&s.at("output"), h)
}

const WAYS: [&str; 2] = ["to the end", "stopped where dev is least"];

/// Prints the table, draws the dev set's cost; fails if the lectures' claims do not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!("claim: stopping early keeps a network from learning its few examples by heart\n");
    let mut costs = WAYS.map(|_| Trials::default());
    let mut errors = costs.clone();
    let mut curves = LinePlot::new("Cost on the dev set", "epoch", "cross-entropy");
    for seed in 0..seeds {
        // Lecture 1.1: what is learnt from, what choices are made on, and what judges them.
        let parts = [0.1, 0.3, 0.6];
        let [learn, dev, test] = images::digits()?.split_stratified(parts, Key::new(seed))?;
        let trainer = || {
            let trainer = Trainer::new(network, softmax_cross_entropy).optimiser(Adam::new(0.005));
            trainer.epochs(epochs).batch_size(32).seed(seed)
        };
        let trainers = [trainer(), trainer().best(Best::lowest("dev loss"))];
        for (i, trainer) in trainers.iter().enumerate() {
            let mut params = Params::new();
            let history = trainer.fit(&mut params, &learn, Some(&dev), &mut Silent)?;
            let judged = trainer.evaluator().run(&params, &test)?;
            costs[i].0.push(judged.loss);
            errors[i].0.push(100.0 * (1.0 - judged.accuracy(test.targets())?));
            if i == 0 {
                let curve = history.series("dev loss").iter().map(|(epoch, loss)| (*epoch as f64, *loss));
                curves = curves.line(format!("seed {seed}"), curve.collect::<Vec<_>>());
            }
        }
    }
    println!("trained                      test cost        error on the test set, %   ({seeds} seeds)");
    for ((way, cost), error) in WAYS.iter().zip(&costs).zip(&errors) {
        println!("{way:<28} {cost:<16.3} {error:.1}");
    }
    let early = costs[0].minus(&costs[1]);
    println!("\nstopping early takes {early:.3} off the cost");
    ensure!(early.mean() > 0.0, "stopping early costs: {early}");
    println!("the claim holds");
    Ok(curves.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c2w1_08_other_regularisation", &run(10, 150)?)
}
