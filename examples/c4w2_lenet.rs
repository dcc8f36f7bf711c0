//! Course 4, week 2: LeNet's shape on small digits. Convolutions that share weights read them better than a dense network
//! of more parameters.
//!
//!     cargo run --release --example c4w2_lenet

use anyhow::{Result, ensure};
use chainrule::data::digits;
use chainrule::loss::softmax_cross_entropy;
use chainrule::optim::Rate;
use chainrule::prelude::*;
use chainrule::progress::Silent;

/// Two convolutions, pooling, one dense layer: LeNet's idea for images of 8 × 8.
fn lenet<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let same = Slide::new().padding(Padding::Same);
    let a = Conv::new(16, [3, 3]).slide(same.clone()).forward(&s.at("conv1"), x).relu();
    let a = Conv::new(32, [3, 3]).slide(same).forward(&s.at("conv2"), a).relu();
    let a = MaxPool::new([2, 2]).forward(s, a);
    let a = Dropout::keep(0.6).forward(&s.at("pool"), Flatten.forward(s, a));
    Linear::new(10).init(Init::Xavier).forward(&s.at("output"), a)
}

fn dense<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let a = Linear::new(96).forward(&s.at("hidden1"), Flatten.forward(s, x)).relu();
    let a = Linear::new(64).forward(&s.at("hidden2"), a).relu();
    let a = Dropout::keep(0.8).forward(&s.at("hidden2"), a);
    Linear::new(10).init(Init::Xavier).forward(&s.at("output"), a)
}

/// Prints the table; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<()> {
    println!("claim: shared weights see more with fewer parameters\n");
    println!("{}\n", Summary::of(&lenet, &Params::new(), [1, 8, 8])?);
    println!("network  parameters  test accuracy (mean and range of {seeds} splits)");
    type Model = for<'g> fn(&Scope<'g>, Var<'g>) -> Var<'g>;
    let mut means = Vec::new();
    for (name, model) in [("dense", dense as Model), ("LeNet", lenet as Model)] {
        let mut found = Vec::new();
        for seed in 0..seeds {
            let images = digits()?.reshape_examples(&[1, 8, 8])?;
            let [train, test] = images.split_stratified([0.8, 0.2], Key::new(seed))?;
            let steps = epochs * train.examples().div_ceil(64);
            let optimiser = Adam::new(Rate::cosine(4e-3, 0.0, steps));
            let trainer =
                Trainer::new(model, softmax_cross_entropy).optimiser(optimiser).epochs(epochs).seed(seed);
            let mut params = Params::new();
            trainer.fit(&mut params, &train, None, &mut Silent)?;
            found.push(trainer.evaluator().accuracy(&params, &test)?);
        }
        let mean = found.iter().sum::<f64>() / seeds as f64;
        let least = found.iter().copied().fold(1.0, f64::min);
        let most = found.iter().copied().fold(0.0, f64::max);
        let parameters = Summary::of(&model, &Params::new(), [1, 8, 8])?.parameters();
        println!(
            "{name:<7}  {parameters:>10}  {:.2} %  ({:.2} to {:.2})",
            100.0 * mean,
            100.0 * least,
            100.0 * most
        );
        means.push(mean);
    }
    ensure!(means[1] > means[0] && means[1] > 0.98, "LeNet is not ahead: {means:?}");
    println!("\nthe claim holds");
    Ok(())
}

fn main() -> Result<()> {
    run(5, 30)
}
