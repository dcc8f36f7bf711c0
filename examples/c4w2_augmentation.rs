//! Course 4, lecture 2.10: copies that are turned, shifted and sized anew teach what the few originals cannot, if they still are what
//! their labels say: digits must not be mirrored.
//!
//!     cargo run --release --example c4w2_augmentation

mod images;
mod lecture;

use anyhow::{Context, Result, ensure};
use chainrule::data::{Augment, Dataset};
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{Picture, image_sheet};
use chainrule::prelude::*;
use images::{few_of_each, same};

fn network<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let a = Conv::new(16, [3, 3]).slide(same()).forward(&s.at("conv1"), x).relu();
    let a = Conv::new(32, [3, 3]).slide(same()).forward(&s.at("conv2"), a).relu();
    let a = Flatten.forward(s, MaxPool::new([2, 2]).forward(s, a));
    Linear::new(10).init(Init::Xavier).forward(&s.at("output"), a)
}

/// Prints the table, draws copies; fails if the lecture's claims do not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: moved copies teach what a few originals do not show; mirrored digits are no digits and harm\n"
    );
    println!(
        "error on unseen digits that lie a little anywhere %, as many steps with each   ({seeds} seeds)"
    );
    println!("of each digit   as they are       moved             mirrored");
    let moved = Augment::new().rotate(14.0).scale(0.88..1.12).shift(1);
    let changes = [Augment::new(), moved.clone(), Augment::new().flip(0.5)];
    let mut gains = Vec::new();
    for n in [2, 5, 20] {
        let mut errors = [(); 3].map(|()| Trials::default());
        for seed in 0..seeds {
            let [some, test] = images::digits()?.split_stratified([0.5, 0.5], Key::new(seed))?;
            let [few, _] = few_of_each(&some, n)?;
            let anywhere =
                test.batches(test.examples())?.augmented(&moved, Key::new(seed).named("test"))?.next();
            let anywhere = anywhere.context("the test")??;
            let test = Dataset::classification(anywhere.features, anywhere.targets, 10)?;
            for (errors, change) in errors.iter_mut().zip(&changes) {
                let trainer = Trainer::new(network, softmax_cross_entropy).optimiser(Adam::new(0.002));
                let trainer =
                    trainer.augment(change.clone()).epochs(epochs * 20 / n).batch_size(20).seed(seed);
                errors.0.push(100.0 * (1.0 - lecture::accuracies(&trainer, &few, &[&test])?[0]));
            }
        }
        let [plain, moved, mirrored] = &errors;
        println!("{n:>13}   {plain:<17.1} {moved:<17.1} {mirrored:.1}");
        gains.push((plain.minus(moved), plain.minus(mirrored)));
    }
    println!("\nmoved copies gain {:.1} of 2 each, {:.1} of 20", gains[0].0, gains[2].0);
    ensure!(gains[0].0.mean() > 2.0, "moved copies do not help: {:.1}", gains[0].0);
    ensure!(gains.iter().all(|(moved, mirrored)| moved.mean() > mirrored.mean()), "mirrors do not harm");
    println!("the claim holds");
    let [one, _] = few_of_each(&images::digits()?, 1)?;
    let four = one.select(&[4; 16])?;
    let batch = four.batches(16)?.augmented(&moved, Key::new(0))?.next().context("a batch")??;
    image_sheet(&batch.features.reshape([16, 8, 8])?, &["moved"; 16], 8).context("the copies")
}

fn main() -> Result<()> {
    lecture::draw("c4w2_augmentation", &run(5, 25)?)
}
