//! Course 4, lectures 3.9 to 3.11: a U-Net says for each pixel what it belongs to. What it saw at full size goes past the
//! bottleneck by shortcuts, else the edges are lost.
//!
//!     cargo run --release --example c4w3_segmentation

mod images;
mod lecture;

use anyhow::{Context, Result, ensure};
use chainrule::data::Dataset;
use chainrule::loss;
use chainrule::metric::{Confusion, Trials};
use chainrule::plot::{Picture, image_sheet};
use chainrule::prelude::*;
use images::{same, scenes};

const SIDE: usize = 32;
const CLASSES: [&str; 4] = ["ground", "disc", "square", "cross"];
/// Channels at full size; each smaller size has twice as many.
const WIDTH: usize = 8;

fn pair<'g>(s: &Scope<'g>, channels: usize, x: Var<'g>) -> Var<'g> {
    let conv = || Conv::new(channels, [3, 3]).slide(same());
    let a = conv().forward(&s.at("conv1"), x).relu();
    conv().forward(&s.at("conv2"), a).relu()
}

/// Twice down and twice up, (m, classes, side, side), with what was seen on the way down beside it or without.
fn unet(shortcuts: bool) -> impl Layer {
    layer(move |s, x| {
        let (mut a, mut seen) = (x, Vec::new());
        for depth in 0..2 {
            a = pair(&s.at(&format!("down{depth}")), WIDTH << depth, a);
            seen.push(a);
            a = MaxPool::new([2, 2]).forward(s, a);
        }
        a = pair(&s.at("bottom"), WIDTH << 2, a);
        for (depth, beside) in seen.into_iter().enumerate().rev() {
            let (s, channels) = (s.at(&format!("up{depth}")), WIDTH << depth);
            let up = ConvTranspose::new(channels, [2, 2]).slide(Slide::new().stride(2));
            a = up.forward(&s.at("twice"), a);
            a = pair(&s, channels, if shortcuts { s.graph().concat(&[a, beside], 1) } else { a });
        }
        // The classes last, as losses and metrics have them.
        let scores = Conv::new(CLASSES.len(), [1, 1]).forward(&s.at("output"), a);
        scores.permute([0, 2, 3, 1])
    })
}

fn pixels(n: usize, key: Key) -> Result<Dataset> {
    let scenes = scenes(n, SIDE, 1..=3, key)?;
    Ok(Dataset::classification(scenes.images, scenes.masks, CLASSES)?)
}

/// Prints the table, draws it; fails if the lectures' claims do not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!("claim: a U-Net names the objects' pixels, and its shortcuts keep their edges sharp\n");
    println!("                        right     overlap (intersection / union) with");
    println!("({seeds} seeds)               pixels %  ground   disc     square   cross    mean");
    let mut means = Vec::new();
    let mut picture = None;
    for (name, shortcuts) in [("without shortcuts", false), ("U-Net", true)] {
        let mut found = vec![Trials::default(); 6];
        for seed in 0..seeds {
            let (learn, test) = (
                pixels(40 * epochs, Key::new(seed).named("learn"))?,
                pixels(100, Key::new(seed).named("test"))?,
            );
            let trainer =
                Trainer::new(unet(shortcuts), loss::softmax_cross_entropy).optimiser(Adam::new(0.004));
            let trainer = trainer.epochs(epochs).batch_size(8).seed(seed);
            let params = lecture::train(&trainer, &learn)?;
            let classes = images::outputs(trainer.model(), &params, test.features())?.argmax(-1)?;
            let table = Confusion::new(&classes, test.targets(), CLASSES)?;
            found[0].0.push(100.0 * table.accuracy());
            for (class, trials) in found[1..5].iter_mut().enumerate() {
                trials.0.push(table.overlap(class).context("a class that does not occur")?);
            }
            found[5].0.push(table.mean_overlap());
            let first = |t: &Tensor, scale: f32| -> Result<Tensor> {
                let t = t.slice(0, 0..4, 1)?.to_contiguous().cast(DType::F32).reshape([4, SIDE, SIDE])?;
                Ok((t * Tensor::from(scale))?)
            };
            let rows = [first(test.features(), 1.0)?, first(test.targets(), 0.33)?, first(&classes, 0.33)?];
            let captions = [["image"; 4], ["what is there"; 4], ["what the U-Net says"; 4]].concat();
            picture = Some(image_sheet(&Tensor::concat(&rows.each_ref(), 0)?, &captions, 4)?);
        }
        let [right, overlaps @ .., mean] = &found[..] else { unreachable!("six columns") };
        print!("{name:<20} {right:>11.2} ");
        overlaps.iter().for_each(|o| print!("  {:.3}  ", o.mean()));
        println!("  {mean:.3}");
        means.push(mean.clone());
    }
    let gain = means[1].minus(&means[0]);
    println!("\nshortcuts gain {gain:.3} of overlap");
    ensure!(means[1].mean() > 0.8, "the U-Net does not find the objects: {:.3}", means[1]);
    ensure!(gain.mean() > 0.02, "shortcuts gain only {gain:.3}");
    println!("the claim holds");
    picture.context("no seeds")
}

fn main() -> Result<()> {
    lecture::draw("c4w3_segmentation", &run(3, 10)?)
}
