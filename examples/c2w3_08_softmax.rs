//! Course 2, week 3, lectures 3.8 and 3.9: softmax turns scores into shares of 1, with two classes it is logistic
//! regression, and its gradient is ŷ − y.
//!
//!     cargo run --release --example c2w3_08_softmax

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::Dataset;
use chainrule::loss::{binary_cross_entropy_with_logits, softmax_cross_entropy};
use chainrule::metric::Trials;
use chainrule::plot::{Picture, image_sheet};
use chainrule::prelude::*;

/// How far the loss of two classes is from the logistic one of z₁ − z₀, and dz of C classes from (ŷ − y) / m.
fn apart(seed: u64) -> Result<[f64; 2]> {
    let (m, classes) = (8, 2 + seed as usize % 6);
    let g = Graph::new();
    let z = g.leaf("z", Tensor::normal(Key::new(seed), [m, classes], 0.0, 3.0, DType::F64)?);
    let labels: Vec<i64> = (0..m as i64).map(|i| (i * 7 + seed as i64) % classes as i64).collect();
    let y = g.constant(Tensor::from(&labels[..]));
    let d = softmax_cross_entropy(z, y).grad(&[z])?[0];
    let formula = (z.softmax(1) - y.one_hot(classes).real()) / m as f64;
    let slope = (d - formula).abs().max(..).value()?.item()?;
    let two = z.slice(1, 0..2);
    let first = y.equal(1);
    let logit = (two.slice(1, 1..2) - two.slice(1, 0..1)).squeeze(1);
    let both = softmax_cross_entropy(two, first.select(1, 0))
        - binary_cross_entropy_with_logits(logit, first.real());
    Ok([both.abs().value()?.item()?, slope])
}

/// Points around `classes` centres on a circle.
fn clusters(classes: usize, seed: u64) -> Result<Dataset> {
    let noise = Tensor::normal(Key::new(seed), [60 * classes, 2], 0.0, 0.25, DType::F32)?.to_vec::<f32>()?;
    let angle = |i: usize| std::f32::consts::TAU * (i % classes) as f32 / classes as f32;
    let points =
        (0..60 * classes).flat_map(|i| [angle(i).cos() + noise[2 * i], angle(i).sin() + noise[2 * i + 1]]);
    let labels: Vec<i64> = (0..60 * classes).map(|i| (i % classes) as i64).collect();
    let points = Tensor::from_vec(points.collect(), [60 * classes, 2])?;
    Ok(Dataset::classification(points, Tensor::from(&labels[..]), classes)?)
}

/// Prints the lecture's example and the table, draws the regions; fails if the claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: softmax of (5, 2, −1, 3) is (0.842, 0.042, 0.002, 0.114); without hidden layers its borders are lines\n"
    );
    let g = Graph::new();
    let shares = g.leaf("z", [5.0, 2.0, -1.0, 3.0]).softmax(0).value()?.to_vec::<f64>()?;
    println!("softmax: {shares:.3?}, sum {:.3}", shares.iter().sum::<f64>());
    ensure!(shares.iter().zip([0.842, 0.042, 0.002, 0.114]).all(|(a, b)| (a - b).abs() < 5e-4), "{shares:?}");
    let found = (0..seeds).map(apart).collect::<Result<Vec<_>>>()?;
    let worst = found.iter().fold([0.0_f64; 2], |w, f| [w[0].max(f[0]), w[1].max(f[1])]);
    println!(
        "two classes against the logistic loss: {:.0e} apart; dz against (ŷ − y) / m: {:.0e}, {seeds} seeds",
        worst[0], worst[1]
    );
    ensure!(worst.iter().all(|w| *w < 1e-14), "{worst:?}");

    println!("\nclasses   accuracy %, no hidden layer   cost at the start, ln C");
    let side = 48;
    let at = |i: usize| 3.2 * i as f32 / (side - 1) as f32 - 1.6;
    let grid = Tensor::from_vec(
        (0..side * side).flat_map(|i| [at(i % side), -at(i / side)]).collect(),
        [side * side, 2],
    )?;
    let mut views = Vec::new();
    for classes in [3, 4, 6] {
        let mut accuracy = Trials::default();
        for seed in 0..seeds {
            let data = clusters(classes, seed)?;
            let model = layer(move |s, x| Linear::new(classes).init(Init::Zeros).forward(s, x));
            let trainer = Trainer::new(model, softmax_cross_entropy)
                .optimiser(Adam::new(0.05))
                .epochs(epochs)
                .seed(seed);
            let params = lecture::train(&trainer, &data)?;
            accuracy.0.push(100.0 * trainer.evaluator().accuracy(&params, &data)?);
            if seed == 0 {
                let all =
                    Dataset::classification(grid.clone(), Tensor::zeros([side * side], DType::I64), classes)?;
                let seen = trainer.evaluator().run(&params, &all)?.classes.cast(DType::F32);
                let scale = Tensor::from(1.0_f32 / (classes - 1) as f32);
                views.push((&seen * &scale)?.reshape([1, side, side])?);
            }
        }
        println!("{classes:>7}   {accuracy:>28.1}   {:.4}", (classes as f64).ln());
        ensure!(accuracy.mean() > 90.0, "{classes} classes: {accuracy}");
    }
    println!("\nthe claim holds");
    let views = Tensor::concat(&views.iter().collect::<Vec<_>>(), 0)?;
    Ok(image_sheet(&views, &["3 classes", "4 classes", "6 classes"], 3)?)
}

fn main() -> Result<()> {
    lecture::draw("c2w3_08_softmax", &run(10, 30)?)
}
