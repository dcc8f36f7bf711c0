//! Course 3, week 1, lectures 1.5 and 1.6: a dev set of another distribution aims at the wrong target, and a small one
//! cannot tell good from better.
//!
//!     cargo run --release --example c3w1_05_dev_and_test_sets

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::{Dataset, digits};
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// The same digits one pixel to the right, as another camera sees them.
fn moved(data: &Dataset) -> Result<Dataset> {
    let right = |x: &Tensor| {
        let pixels = x.to_vec::<f32>()?;
        let at = |i: usize| if i.is_multiple_of(8) { 0.0 } else { pixels[i - 1] };
        Ok(Tensor::from_vec((0..pixels.len()).map(at).collect(), x.shape())?)
    };
    Ok(data.map_features(right)?)
}

/// Prints the tables, draws the second; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!("claim: choose on the distribution that counts, with enough examples to see the difference\n");
    println!("users' pictures lie one pixel to the right; A learnt from upright ones, B from users'");
    let mut found = [[Trials::default(), Trials::default()], [Trials::default(), Trials::default()]];
    for seed in 0..seeds {
        let [train, dev] = digits()?.reshape_examples(&[64])?.split_stratified([0.6, 0.4], Key::new(seed))?;
        for (model, data) in [train.clone(), moved(&train)?].iter().enumerate() {
            let trainer =
                Trainer::new(lecture::dense(&[32], 10), softmax_cross_entropy).optimiser(Adam::new(0.005));
            let accuracies =
                lecture::accuracies(&trainer.epochs(epochs).seed(seed), data, &[&dev, &moved(&dev)?])?;
            found[model].iter_mut().zip(accuracies).for_each(|(t, a)| t.0.push(100.0 * a));
        }
    }
    println!("{:<10} {:>18} {:>18}   ({seeds} seeds)", "", "dev, upright %", "users' pictures %");
    for (name, [dev, users]) in ["A", "B"].iter().zip(&found) {
        println!("{name:<10} {dev:>18.1} {users:>18.1}");
    }
    let lost = found[1][1].minus(&found[0][1]);
    println!("the upright dev set chooses A, which costs the users {lost:.1} %");
    ensure!(found[0][0].mean() > found[1][0].mean() && lost.mean() > 5.0, "{found:?}");

    println!("\nhow often a dev set finds the better of two classifiers, 97.0 and 97.5 % right");
    println!("examples   found by chance of the draw   ({} sets of each size)", 200 * seeds);
    let mut points = Vec::new();
    for size in [100, 1000, 10_000] {
        let share = Trials::over(0..seeds, |seed| {
            let mut better = 0.0;
            for i in 0..200 {
                let count = |which: &str, chance: f64| -> Result<f64> {
                    // The number of right answers is nearly normal.
                    let deviation = (size as f64 * chance * (1.0 - chance)).sqrt();
                    let key = Key::new(seed).at(i).at(size as u64).named(which);
                    Ok(Tensor::normal(key, (), size as f64 * chance, deviation, DType::F64)?
                        .item::<f64>()?
                        .round())
                };
                let (a, b) = (count("a", 0.970)?, count("b", 0.975)?);
                better += if a < b {
                    1.0
                } else if a == b {
                    0.5
                } else {
                    0.0
                };
            }
            anyhow::Ok(100.0 * better / 200.0)
        })?;
        println!("{size:>8}   {share:>20.1} %");
        points.push(((size as f64).log10(), share.mean()));
    }
    ensure!(points[0].1 < 70.0 && points[2].1 > 95.0, "{points:?}");
    println!("\nthe claim holds");
    Ok(LinePlot::new("Dev sets", "log10 examples", "better one found, %")
        .line("97.0 against 97.5 %", points)
        .draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c3w1_05_dev_and_test_sets", &run(10, 20)?)
}
