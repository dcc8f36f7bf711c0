//! Course 4, lecture 4.7: what a network looks at. Class activation points at the object, though training never said where it is,
//! and the picture that excites a unit most can be made.
//!
//!     cargo run --release --example c4w4_what_a_net_sees

mod images;
mod lecture;

use anyhow::{Context, Result, ensure};
use chainrule::data::Dataset;
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{Picture, image_sheet};
use chainrule::prelude::*;
use images::{Object, SHAPES, Scenes, descended, outputs, same, scenes};

const SIDE: usize = 32;
/// The last convolution has so many channels, and positions along each side.
const SEEN: usize = 24;
const GRID: usize = SIDE / 4;
const EXCITING: [&str; 3] = ["made for disc", "made for square", "made for cross"];

/// What the last convolution sees, (m, SEEN, GRID, GRID).
fn seen<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let mut a = x;
    for (at, channels) in [("conv1", 8), ("conv2", 16)] {
        a = Conv::new(channels, [3, 3]).slide(same()).forward(&s.at(at), a).relu();
        a = MaxPool::new([2, 2]).forward(s, a);
    }
    let a = Conv::new(SEEN, [3, 3]).slide(same()).forward(&s.at("conv3"), a).relu();
    Conv::new(SEEN, [3, 3]).slide(same()).forward(&s.at("conv4"), a).relu()
}

fn network<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    Linear::new(SHAPES.len())
        .init(Init::Xavier)
        .forward(&s.at("output"), GlobalAvgPool.forward(s, seen(s, x)))
}

/// The score of each class at each position, whose mean is the class's score: (m, GRID · GRID, classes).
fn class_activation<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let a = seen(s, x).permute([0, 2, 3, 1]).reshape([x.dim(0), (GRID * GRID), SEEN]);
    Linear::new(SHAPES.len()).forward(&s.at("output"), a)
}

fn named(scenes: &Scenes) -> Result<Dataset> {
    let labels: Vec<i64> = scenes.objects.iter().map(|o| o[0].class as i64).collect();
    Ok(Dataset::classification(scenes.images.clone(), Tensor::from(&labels[..]), SHAPES)?)
}

fn greatest(values: &[f32]) -> usize {
    (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(0)
}

/// Whether position `p` of the last convolution, which stands for 4 × 4 pixels, shares some with an object.
fn touches(object: &Object, p: usize) -> bool {
    let at = [p % GRID, p / GRID].map(|a| 4.0 * a as f64);
    (0..2).all(|a| at[a] < object.corners[a + 2] && object.corners[a] < at[a] + 4.0)
}

/// Each picture with this root of its mean square.
fn as_loud<'g>(x: Var<'g>, like: f64) -> Var<'g> {
    x * like / (x.square().mean(keep([1, 2, 3])) + 1e-12).sqrt()
}

/// Each position of the last convolution as 4 × 4 pixels.
fn enlarged(values: &[f32]) -> Vec<f32> {
    let greatest = values.iter().copied().fold(1e-6, f32::max);
    let at = |p: usize| p / SIDE / 4 * GRID + p % SIDE / 4;
    (0..SIDE * SIDE).map(|p| (values[at(p)] / greatest).max(0.0)).collect()
}

/// Prints the table, draws it; fails if the lecture's claims do not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!("claim: what a network looks at can be seen: the object, though only its name was taught\n");
    let [mut accuracy, mut activation, mut blind, mut made, mut best] = [const { Trials(Vec::new()) }; 5];
    let mut picture = None;
    for seed in 0..seeds {
        let learn = scenes(1000, SIDE, 1..=1, Key::new(seed).named("learn"))?;
        let test = scenes(60, SIDE, 1..=1, Key::new(seed).named("test"))?;
        let trainer = Trainer::new(network, softmax_cross_entropy).optimiser(Adam::new(0.004));
        let trainer = trainer.epochs(epochs).batch_size(20).seed(seed);
        let params = lecture::train(&trainer, &named(&learn)?)?;
        accuracy.0.push(100.0 * trainer.evaluator().accuracy(&params, &named(&test)?)?);

        let all = outputs(&class_activation, &params, &test.images)?.to_vec::<f32>()?;
        let (pixels, m) = (test.images.to_vec::<f32>()?, test.objects.len() as f64);
        let (mut found, mut drawn, mut sheet, mut captions) = (0.0, 0.0, Vec::new(), Vec::new());
        for (i, there) in test.objects.iter().enumerate() {
            let (object, class) = (there[0], there[0].class);
            let image = &pixels[i * SIDE * SIDE..][..SIDE * SIDE];
            let map = (0..GRID * GRID).map(|p| all[(i * GRID * GRID + p) * SHAPES.len() + class]);
            let map = map.collect::<Vec<_>>();
            let there = |p: usize| 100.0 * f64::from(touches(&object, p)) / m;
            found += there(greatest(&map));
            drawn += (0..GRID * GRID).map(there).sum::<f64>() / (GRID * GRID) as f64;
            if i < 3 {
                sheet.extend([image.to_vec(), enlarged(&map)].concat());
                captions.extend([SHAPES[class], "class activation"]);
            }
        }
        activation.0.push(found);
        blind.0.push(drawn);

        let rms = (&test.images * &test.images)?.mean(..)?.cast(DType::F64).item::<f64>()?.sqrt();
        let score = layer(move |s, x| network(s, as_loud(x, rms)));
        let scores = outputs(&score, &params, &test.images)?;
        for (class, caption) in EXCITING.into_iter().enumerate() {
            let of = class as isize..class as isize + 1;
            best.0.push(f64::from(scores.slice(1, of.clone(), 1)?.max(..)?.item::<f32>()?));
            let own = params.clone();
            let key = Key::new(seed).named("start").at(class as u64);
            let start = Tensor::normal(key, [1, 1, SIDE, SIDE], 0.0, 0.1, DType::F32)?;
            let image = descended(
                move |g, x| {
                    let s = Scope::root(g, own.clone(), Mode::Evaluate, 0);
                    -network(&s, as_loud(x, rms)).slice(1, class..class + 1).sum(..)
                },
                &start,
                60,
                0.05,
            )?;
            let own = outputs(&score, &params, &image)?.slice(1, of, 1)?;
            made.0.push(f64::from(own.max(..)?.item::<f32>()?));
            sheet.extend(image.to_vec::<f32>()?);
            captions.push(caption);
        }
        let sheet = Tensor::from_vec(sheet, [captions.len(), SIDE, SIDE])?;
        picture = Some(image_sheet(&sheet, &captions, 3)?);
    }
    println!("objects named right                              {accuracy:.1} %   ({seeds} seeds)");
    println!("class activation is greatest on the object       {activation:.1} %");
    println!("a place drawn at random lies on it               {blind:.1} %");
    println!(
        "score of a picture that was made for a class     {made:.1}, of the best test picture as loud {best:.1}"
    );
    ensure!(accuracy.mean() > 90.0, "objects are not named: {accuracy:.1}");
    ensure!(activation.mean() > 90.0, "the network looks elsewhere");
    ensure!(made.minus(&best).mean() > 0.0, "real pictures excite more than made ones");
    println!("\nthe claim holds");
    picture.context("no seeds")
}

fn main() -> Result<()> {
    lecture::draw("c4w4_what_a_net_sees", &run(3, 8)?)
}
