//! Course 4, lectures 2.6 and 2.7: an Inception block does not choose a filter's size, it has all of them beside each other;
//! 1 x 1 convolutions before them keep that cheap.
//!
//!     cargo run --release --example c4w2_inception

mod images;
mod lecture;

use anyhow::{Result, ensure};
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::nn::models::Inception;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use images::same;

/// What stands in the middle of the network; all give 40 channels.
#[derive(Clone, Copy)]
enum Middle {
    Size(usize),
    Inception(Inception),
}

const BLOCK: Inception = Inception { one: 8, three: [12, 16], five: [6, 8], pool: 8 };

impl Layer for Middle {
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        match self {
            Middle::Size(n) => Conv::new(40, [*n, *n]).slide(same()).forward(s, x).relu(),
            Middle::Inception(block) => block.forward(s, x),
        }
    }
}

/// Multiply-adds of a block on an image of these channels and this side: each weight is used once at each position.
fn cost(block: &impl Layer, channels: usize, side: usize) -> Result<usize> {
    let (graph, shape) = (Graph::new(), [1, channels, side, side]);
    let s = Scope::root(&graph, Params::new(), Mode::Train, 0);
    block.forward(&s, graph.constant(Tensor::zeros(shape, DType::F32))).checked()?;
    let weights = s.params();
    let weights = weights.iter().filter(|(path, _)| path.ends_with("weight")).map(|(_, w)| w.size());
    Ok(side * side * weights.sum::<usize>())
}

/// Prints what is counted and measured, draws it; fails if the lectures' claims do not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim 2.7: bottlenecks make a block of all sizes more than twice as cheap (28 x 28 x 192, block 3a of GoogLeNet)"
    );
    let lecture = Inception { one: 64, three: [96, 128], five: [16, 32], pool: 32 };
    let direct = 28 * 28 * 192 * (64 + 9 * 128 + 25 * 32 + 32);
    let counted = cost(&lecture, 192, 28)?;
    println!("  {direct} multiply-adds without, {counted} with them");
    ensure!(counted == 28 * 28 * 163_328 && 2 * counted < direct, "other counts");

    println!("\nclaim 2.6: who takes all sizes need not choose: it reads as well as the best of them\n");
    let middles = [
        ("1 x 1", Middle::Size(1)),
        ("3 x 3", Middle::Size(3)),
        ("5 x 5", Middle::Size(5)),
        ("all", Middle::Inception(BLOCK)),
    ];
    println!("size   multiply-adds   error on unseen digits %   ({seeds} seeds)");
    let (mut all, mut read) = (Vec::new(), 0);
    for (name, middle) in middles {
        let mut errors = Trials::default();
        for seed in 0..seeds {
            let [train, test] = images::digits()?.split_stratified([0.8, 0.2], Key::new(seed))?;
            let model = layer(move |s, x| {
                let a = Conv::new(16, [3, 3]).slide(same()).forward(&s.at("first"), x).relu();
                let a = MaxPool::new([2, 2]).forward(s, middle.forward(&s.at("middle"), a));
                Linear::new(10).init(Init::Xavier).forward(&s.at("softmax"), Flatten.forward(s, a))
            });
            let trainer = Trainer::new(model, softmax_cross_entropy).optimiser(Adam::new(0.003));
            let trainer = trainer.epochs(epochs).batch_size(32).seed(seed);
            read = seeds as usize * test.examples();
            errors.0.push(100.0 * (1.0 - lecture::accuracies(&trainer, &train, &[&test])?[0]));
        }
        let multiplied = cost(&middle, 16, 8)?;
        println!("{name:<5}  {multiplied:>13}   {errors:.2}");
        all.push((name, multiplied, errors));
    }
    let best = all[..3].iter().map(|(_, _, errors)| errors.mean()).fold(100.0, f64::min);
    let found = all[3].2.mean();
    // Two standard errors of the difference: what chance may do over so many digits.
    let rate = found.max(best) / 100.0;
    let chance = 200.0 * (2.0 * rate * (1.0 - rate) / read as f64).sqrt();
    ensure!(
        found <= best + chance,
        "all sizes err in {found} %, the best in {best} %, {chance:.2} is chance"
    );
    ensure!(all[3].1 < all[1].1, "all sizes are to cost less than 3 x 3 alone");
    println!("\nthe claim holds");
    let plot = LinePlot::new("One size, or all", "thousand multiply-adds", "error %");
    let points = all.iter().map(|(name, cost, errors)| (*name, [(*cost as f64 / 1e3, errors.mean())]));
    Ok(points.fold(plot, |plot, (name, point)| plot.line(name, point)).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c4w2_inception", &run(5, 12)?)
}
