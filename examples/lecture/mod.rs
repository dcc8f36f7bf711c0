//! What the programs of the lectures share: a dense network, a loss of two classes, and where pictures go.

#![allow(dead_code, unreachable_pub)]

pub mod sequences;
pub mod sounds;
pub mod words;

use anyhow::{Context, Result};
use chainrule::data::{Batch, Dataset};
use chainrule::loss::binary_cross_entropy_with_logits;
use chainrule::plot::Picture;
use chainrule::prelude::*;
use chainrule::progress::Silent;

/// Hidden layers of these units with ReLU, then `outputs` scores.
pub fn dense(hidden: &[usize], outputs: usize) -> impl Layer + use<> {
    let hidden = hidden.to_vec();
    layer(move |s, x| {
        let mut a = x;
        for (l, units) in hidden.iter().enumerate() {
            a = Linear::new(*units).forward(&s.at(&format!("hidden{}", l + 1)), a).relu();
        }
        Linear::new(outputs).init(Init::Xavier).forward(&s.at("output"), a)
    })
}

/// The logistic loss of one score for each example, (m, 1), and labels (m,).
pub fn logistic<'g>(z: Var<'g>, y: Var<'g>) -> Var<'g> {
    binary_cross_entropy_with_logits(z, y.insert_axis(1))
}

/// Parameters, drawn and trained.
pub fn train<M: Layer, L: Loss>(trainer: &Trainer<M, L>, data: &Dataset) -> Result<Params> {
    let mut params = Params::new();
    trainer.fit(&mut params, data, None, &mut Silent)?;
    Ok(params)
}

/// The accuracy on each of `sets` of a network that was trained on `data`.
pub fn accuracies<M: Layer, L: Loss>(
    trainer: &Trainer<M, L>,
    data: &Dataset,
    sets: &[&Dataset],
) -> Result<Vec<f64>> {
    let params = train(trainer, data)?;
    let mut evaluator = trainer.evaluator();
    sets.iter().map(|set| Ok(evaluator.accuracy(&params, set)?)).collect()
}

/// The first examples, as a batch to compile a step for.
pub fn first(data: &Dataset, size: usize) -> Result<Batch> {
    data.batches(size)?.next().context("there are examples")
}

/// Writes the picture to `out/lectures`.
pub fn draw(name: &str, picture: &Picture) -> Result<()> {
    std::fs::create_dir_all("out/lectures").context("out/lectures: cannot make this folder")?;
    let file = format!("out/lectures/{name}.svg");
    picture.write(&file)?;
    println!("picture: {file}");
    Ok(())
}
