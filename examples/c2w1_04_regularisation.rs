//! Course 2, week 1, lectures 1.4 to 1.7: a penalty on large weights, or units that are switched off at random, keep a
//! network from learning the noise of its examples.
//!
//!     cargo run --release --example c2w1_04_regularisation

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::Dataset;
use chainrule::metric::Trials;
use chainrule::plot::{Picture, image_sheet};
use chainrule::prelude::*;

/// Points to the left and right of a bent line, as players on a field; one label in twenty is wrong.
fn field(n: usize, key: Key) -> Result<Dataset> {
    let draw = |what: &str, width: usize| Tensor::uniform(key.named(what), [n, width], -1.0..1.0, DType::F32);
    let (x, wrong) = (draw("x", 2)?, draw("wrong", 1)?.to_vec::<f32>()?);
    let side =
        |(p, w): (&[f32], &f32)| i64::from((p[1] > 0.9 * p[0] + 0.3 * (5.0 * p[0]).sin()) != (*w > 0.9));
    let labels: Vec<i64> = x.to_vec::<f32>()?.chunks(2).zip(&wrong).map(side).collect();
    Ok(Dataset::classification(x, Tensor::from(&labels[..]), 2)?)
}

/// The assignment's network, 20 and 3 units.
fn network(keep: f64) -> impl Layer {
    layer(move |s, x| {
        let a = Linear::new(20).forward(&s.at("hidden1"), x).relu();
        let a = Dropout::keep(keep).forward(&s.at("hidden1"), a);
        let a = Linear::new(3).forward(&s.at("hidden2"), a).relu();
        let a = Dropout::keep(keep).forward(&s.at("hidden2"), a);
        Linear::new(1).init(Init::Xavier).forward(&s.at("output"), a)
    })
}

/// Prints the table, draws where each network of the first seed sees which class; fails if the claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!("claim: L2 and dropout cost accuracy in training and gain it in testing");
    println!(
        "(in the course, on other points of the kind: none 94.8/91.5, L2 93.8/93.0, dropout 92.9/95.0 %)\n"
    );
    println!("{:<14} {:>15} {:>15} {:>15}   ({seeds} seeds)", "", "training %", "test %", "gap %");
    let side = 48;
    let at = |i: usize| 2.0 * i as f32 / (side - 1) as f32 - 1.0;
    let grid: Vec<f32> = (0..side * side).flat_map(|i| [at(i % side), -at(i / side)]).collect();
    let grid = Dataset::classification(
        Tensor::from_vec(grid, [side * side, 2])?,
        Tensor::zeros([side * side], DType::I64),
        2,
    )?;
    let (mut gaps, mut tests, mut views) = (Vec::new(), Vec::new(), Vec::new());
    for (name, lambda, keep) in [("none", 0.0, 1.0), ("L2, λ = 0.7", 0.7, 1.0), ("dropout, 0.86", 0.0, 0.86)]
    {
        let (mut training, mut test) = (Trials::default(), Trials::default());
        for seed in 0..seeds {
            let key = Key::new(seed);
            let (data, unseen) = (field(211, key.named("train"))?, field(1000, key.named("test"))?);
            let trainer = Trainer::new(network(keep), lecture::logistic).optimiser(Sgd::new(0.3));
            let trainer = trainer.penalty(Penalty::l2(lambda)).epochs(epochs).batch_size(211).seed(seed);
            let params = lecture::train(&trainer, &data)?;
            let mut evaluator = trainer.evaluator();
            training.0.push(100.0 * evaluator.accuracy(&params, &data)?);
            test.0.push(100.0 * evaluator.accuracy(&params, &unseen)?);
            if seed == 0 {
                views.push(evaluator.run(&params, &grid)?.classes.cast(DType::F32).reshape([1, side, side])?);
            }
        }
        let gap = training.minus(&test);
        println!("{name:<14} {training:>15.1} {test:>15.1} {gap:>15.1}");
        gaps.push(gap);
        tests.push(test);
    }
    println!(
        "\nL2 gains {:.1} % in testing, dropout {:.1} %",
        tests[1].minus(&tests[0]),
        tests[2].minus(&tests[0])
    );
    ensure!(
        gaps[1].mean() < gaps[0].mean() && gaps[2].mean() < gaps[0].mean(),
        "the gap does not close: {gaps:?}"
    );
    ensure!(tests[1].mean() > tests[0].mean(), "L2 gains nothing: {tests:?}");
    println!("the claim holds");
    let views = Tensor::concat(&views.iter().collect::<Vec<_>>(), 0)?;
    Ok(image_sheet(&views, &["none", "L2", "dropout"], 3)?)
}

fn main() -> Result<()> {
    lecture::draw("c2w1_04_regularisation", &run(10, 5000)?)
}
