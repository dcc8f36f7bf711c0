//! Course 4, lecture 4.7: what a network looks at. Pictures that excite a unit most, parts that matter when they are covered, and
//! class activation: all point at the object, though training never said where it is.
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
/// Side of the square that covers a part of a picture, and how far apart two lie.
const COVER: usize = 9;
const STEP: usize = 3;
const ACROSS: usize = (SIDE - COVER) / STEP + 1;

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

/// By how much covering each part lowers the score of the class: (ACROSS · ACROSS) of one image.
fn covered(params: &Params, image: &[f32], class: usize) -> Result<Vec<f32>> {
    let mut copies = Vec::new();
    for p in 0..ACROSS * ACROSS {
        let mut copy = image.to_vec();
        for row in 0..COVER {
            let start = (p / ACROSS * STEP + row) * SIDE + p % ACROSS * STEP;
            copy[start..start + COVER].fill(0.0);
        }
        copies.extend(copy);
    }
    copies.extend(image);
    let x = Tensor::from_vec(copies, [ACROSS * ACROSS + 1, 1, SIDE, SIDE])?;
    let scores = outputs(&layer(|s, x| network(s, x).log_softmax(1)), params, &x)?.to_vec::<f32>()?;
    let of = |copy: usize| scores[copy * SHAPES.len() + class];
    Ok((0..ACROSS * ACROSS).map(|p| of(ACROSS * ACROSS) - of(p)).collect())
}

fn greatest(values: &[f32]) -> usize {
    (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(0)
}

/// Whether a square, `side` long, at position `p` of a grid whose squares begin `step` apart, shares pixels with an object.
fn touches(object: &Object, p: usize, across: usize, step: usize, side: usize) -> bool {
    let at = [p % across * step, p / across * step].map(|a| a as f64);
    (0..2).all(|a| at[a] < object.corners[a + 2] && object.corners[a] < at[a] + side as f64)
}

/// Each picture with this root of its mean square.
fn as_loud<'g>(x: Var<'g>, like: f64) -> Var<'g> {
    x * like / (x.square().mean(keep([1, 2, 3])) + 1e-12).sqrt()
}

/// Each pixel of a grid repeated until it is SIDE × SIDE.
fn enlarged(values: &[f32], across: usize) -> Vec<f32> {
    let greatest = values.iter().copied().fold(1e-6, f32::max);
    let at = |p: usize| (p / SIDE * across / SIDE) * across + p % SIDE * across / SIDE;
    (0..SIDE * SIDE).map(|p| (values[at(p)] / greatest).max(0.0)).collect()
}

/// Prints the table, draws it; fails if the lecture's claims do not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: what a network looks at can be seen, and it is the object, though only its name was taught\n"
    );
    let [mut accuracy, mut activation, mut cover, mut seen, mut hidden, mut made, mut best] =
        [(); 7].map(|()| Trials::default());
    let mut picture = None;
    for seed in 0..seeds {
        let (learn, test) = (
            scenes(1000, SIDE, 1..=1, Key::new(seed).named("learn"))?,
            scenes(60, SIDE, 1..=1, Key::new(seed).named("test"))?,
        );
        let trainer = Trainer::new(network, softmax_cross_entropy).optimiser(Adam::new(0.004));
        let trainer = trainer.epochs(epochs).batch_size(20).seed(seed);
        let params = lecture::train(&trainer, &named(&learn)?)?;
        accuracy.0.push(100.0 * trainer.evaluator().accuracy(&params, &named(&test)?)?);

        let all = outputs(&class_activation, &params, &test.images)?.to_vec::<f32>()?;
        let pixels = test.images.to_vec::<f32>()?;
        let (mut hits, mut sheet, mut captions) = ([0.0; 4], Vec::new(), Vec::new());
        for (i, there) in test.objects.iter().enumerate() {
            let (object, class) = (there[0], there[0].class);
            let image = &pixels[i * SIDE * SIDE..][..SIDE * SIDE];
            let map = (0..GRID * GRID).map(|p| all[(i * GRID * GRID + p) * SHAPES.len() + class]);
            let map = map.collect::<Vec<_>>();
            let drop = covered(&params, image, class)?;
            // A position of the last convolution stands for 4 × 4 pixels.
            let seen = |p: usize| f64::from(touches(&object, p, GRID, 4, 4));
            let hidden = |p: usize| f64::from(touches(&object, p, ACROSS, STEP, COVER));
            let share = |of: &dyn Fn(usize) -> f64, n: usize| (0..n).map(of).sum::<f64>() / n as f64;
            let found = [seen(greatest(&map)), hidden(greatest(&drop))];
            let blind = [share(&seen, GRID * GRID), share(&hidden, ACROSS * ACROSS)];
            hits = [hits[0] + found[0], hits[1] + found[1], hits[2] + blind[0], hits[3] + blind[1]];
            if i < 3 {
                sheet.extend([image.to_vec(), enlarged(&map, GRID), enlarged(&drop, ACROSS)].concat());
                captions.extend([SHAPES[class], "class activation", "covering matters"]);
            }
        }
        let shares = hits.map(|h| 100.0 * h / test.objects.len() as f64);
        [&mut activation, &mut cover, &mut seen, &mut hidden]
            .into_iter()
            .zip(shares)
            .for_each(|(t, s)| t.0.push(s));

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
            made.0
                .push(f64::from(outputs(&score, &params, &image)?.slice(1, of, 1)?.max(..)?.item::<f32>()?));
            sheet.extend(image.to_vec::<f32>()?);
            captions.push(caption);
        }
        let sheet = Tensor::from_vec(sheet, [captions.len(), SIDE, SIDE])?;
        picture = Some(image_sheet(&sheet, &captions, 3)?);
    }
    println!(
        "({seeds} seeds)                                          %             at a place drawn at random"
    );
    println!("objects named right                            {accuracy:<14.1}");
    println!("class activation is greatest on the object     {activation:<14.1}{seen:.1}");
    println!("covering matters most on the object            {cover:<14.1}{hidden:.1}");
    println!(
        "score of a picture that was made for a class {made:.1}, of the best test picture as loud {best:.1}"
    );
    ensure!(accuracy.mean() > 90.0, "objects are not named: {accuracy:.1}");
    ensure!(activation.mean() > 90.0 && cover.mean() > 90.0, "the network looks elsewhere");
    ensure!(made.minus(&best).mean() > 0.0, "real pictures excite more than made ones");
    println!("\nthe claim holds");
    picture.context("no seeds")
}

fn main() -> Result<()> {
    lecture::draw("c4w4_what_a_net_sees", &run(3, 8)?)
}
