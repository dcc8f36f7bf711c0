//! Course 4, lectures 3.1 and 3.2: a network that says what is in a picture says where as well, if it has a few numbers more to
//! put out: a box, or landmarks.
//!
//!     cargo run --release --example c4w3_localisation

mod images;
mod lecture;

use anyhow::{Context, Result, ensure};
use chainrule::boxes::iou;
use chainrule::data::Dataset;
use chainrule::loss::{self, mean_squared_error};
use chainrule::metric::Trials;
use chainrule::plot::{Picture, image_sheet};
use chainrule::prelude::*;
use images::{SHAPES, Scenes, boxes, drawn, outline, same, scenes, sigmoid};

const SIDE: usize = 32;
/// Is there an object; its box; its class.
const NUMBERS: usize = 1 + 4 + SHAPES.len();

/// Three convolutions, and so many numbers of what they see and where.
fn network(numbers: usize) -> impl Layer {
    layer(move |s, x| {
        let mut a = x;
        for (at, channels) in [("conv1", 8), ("conv2", 16), ("conv3", 32)] {
            a = Conv::new(channels, [3, 3]).slide(same()).forward(&s.at(at), a).relu();
            a = MaxPool::new([2, 2]).forward(s, a);
        }
        let a = Linear::new(64).forward(&s.at("dense"), Flatten.forward(s, a)).relu();
        Linear::new(numbers).init(Init::Xavier).forward(&s.at("output"), a)
    })
}

/// The lecture's y: (p, x₀, y₀, x₁, y₁ as shares of the side, one number a class); zeros where there is no object.
fn answers(scenes: &Scenes) -> Result<Dataset> {
    let answer = scenes.objects.iter().map(|there| {
        let mut y = [0.0_f32; NUMBERS];
        if let Some(object) = there.first() {
            y[0] = 1.0;
            (0..4).for_each(|i| y[1 + i] = object.corners[i] as f32 / SIDE as f32);
            y[5 + object.class] = 1.0;
        }
        y
    });
    let flat = answer.flatten().collect();
    Ok(Dataset::regression(scenes.images.clone(), Tensor::from_vec(flat, [scenes.objects.len(), NUMBERS])?)?)
}

/// Box and class count only where there is an object.
fn localised<'g>(z: Var<'g>, y: Var<'g>) -> Var<'g> {
    let part = |from: usize, to: usize| (z.slice(1, from..to), y.slice(1, from..to));
    let ((z0, there), (place, truth), (scores, class)) = (part(0, 1), part(1, 5), part(5, NUMBERS));
    let missed = z0.softplus() - there * z0;
    let apart = (place.sigmoid() - truth).square().sum(keep(1)) * 10.0;
    let wrong = -(class * scores.log_softmax(1)).sum(keep(1)) * 2.0;
    (missed + there * (apart + wrong)).mean(..)
}

/// Faces: a ring with two eyes and a mouth, tilted, and where these three are, in shares of the side.
fn faces(n: usize, key: Key) -> Result<Dataset> {
    let noise = Tensor::normal(key.named("noise"), [n, SIDE * SIDE], 0.0, 0.15, DType::F32)?;
    let (mut pixels, mut marks) = (noise.to_vec::<f32>()?, Vec::new());
    for (u, image) in drawn(key.named("faces"), &[n, 4])?.chunks(4).zip(pixels.chunks_mut(SIDE * SIDE)) {
        let (reach, tilt) = (6.0 + 4.0 * u[0], 1.2 * (u[1] - 0.5));
        let middle = [u[2], u[3]].map(|u| reach + u * (SIDE as f32 - 1.0 - 2.0 * reach));
        let parts = [[-0.35, -0.4], [-0.35, 0.4], [0.45, 0.0_f32]].map(|[y, x]| {
            let (sin, cos) = tilt.sin_cos();
            [middle[0] + reach * (y * cos + x * sin), middle[1] + reach * (x * cos - y * sin)]
        });
        for (p, pixel) in image.iter_mut().enumerate() {
            let far = |at: [f32; 2]| ((p / SIDE) as f32 - at[0]).hypot((p % SIDE) as f32 - at[1]);
            let ring = (far(middle) - reach).abs() < 0.8;
            let eye = far(parts[0]) < 1.2 || far(parts[1]) < 1.2;
            *pixel += f32::from(u8::from(ring || eye || far(parts[2]) < 1.8));
        }
        marks.extend(parts.concat().iter().map(|at| at / SIDE as f32));
    }
    let images = Tensor::from_vec(pixels, [n, 1, SIDE, SIDE])?;
    Ok(Dataset::regression(images, Tensor::from_vec(marks, [n, 6])?)?)
}

/// How far landmarks lie from the right ones, in pixels.
fn off(found: &[f32], right: &[f32]) -> f64 {
    let far = found.chunks(2).zip(right.chunks(2)).map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1]));
    SIDE as f64 * far.map(f64::from).sum::<f64>() / (right.len() / 2) as f64
}

/// Prints the table, draws it; fails if the lectures' claims do not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!("claim: a few outputs more say where an object is, or where the parts of a face are\n");
    let [mut seen, mut named, mut overlap, mut guessed, mut landmarks, mut middles] =
        [(); 6].map(|()| Trials::default());
    let mut picture = None;
    for seed in 0..seeds {
        let key = Key::new(seed);
        let test = scenes(200, SIDE, 0..=1, key.named("test"))?;
        let trainer = Trainer::new(network(NUMBERS), loss::from_fn(localised)).optimiser(Adam::new(0.003));
        let trainer = trainer.epochs(epochs).batch_size(32).seed(seed);
        let params = lecture::train(&trainer, &answers(&scenes(1600, SIDE, 0..=1, key.named("learn"))?)?)?;
        let found = images::outputs(trainer.model(), &params, &test.images)?.to_vec::<f32>()?;
        let (mut right, mut classes, mut overlaps, mut blind) = (0, 0, Vec::new(), Vec::new());
        let mut sheet = test.images.to_vec::<f32>()?;
        for (i, (z, there)) in found.chunks(NUMBERS).zip(&test.objects).enumerate() {
            right += usize::from((z[0] > 0.0) != there.is_empty());
            let Some(object) = there.first() else { continue };
            let best = (0..SHAPES.len()).max_by(|a, b| z[5 + a].total_cmp(&z[5 + b]));
            classes += usize::from(best == Some(object.class));
            let [a, b, c, d] = [1, 2, 3, 4].map(|j| f64::from(sigmoid(z[j])) * SIDE as f64);
            let corners = [a.min(c), b.min(d), a.max(c), b.max(d)];
            let truth = boxes(&there[..1])?;
            let of =
                |corners| -> Result<f64> { Ok(iou(&truth, &Tensor::from([corners]))?.to_vec::<f64>()?[0]) };
            overlaps.push(of(corners)?);
            blind.push(of([10.0, 10.0, 22.0, 22.0])?);
            outline(&mut sheet[i * SIDE * SIDE..][..SIDE * SIDE], SIDE, corners, 1.6);
        }
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
        seen.0.push(100.0 * right as f64 / 200.0);
        named.0.push(100.0 * classes as f64 / overlaps.len() as f64);
        overlap.0.push(mean(&overlaps));
        guessed.0.push(mean(&blind));
        let captions = test.objects[..12].iter().map(|o| o.first().map_or("nothing", |o| SHAPES[o.class]));
        let sheet = Tensor::from_vec(sheet[..12 * SIDE * SIDE].to_vec(), [12, SIDE, SIDE])?;
        picture = Some(image_sheet(&sheet, &captions.collect::<Vec<_>>(), 6)?);

        let (learn, test) = (faces(1200, key.named("faces"))?, faces(200, key.named("test faces"))?);
        let trainer = Trainer::new(network(6), mean_squared_error).optimiser(Adam::new(0.003));
        let trainer = trainer.epochs(epochs).batch_size(32).seed(seed);
        let params = lecture::train(&trainer, &learn)?;
        let right = test.targets().to_vec::<f32>()?;
        landmarks.0.push(off(&trainer.evaluator().run(&params, &test)?.outputs.to_vec::<f32>()?, &right));
        let mean = learn.targets().mean(0)?.to_vec::<f32>()?;
        middles.0.push(off(&mean.repeat(200), &right));
    }
    println!("({seeds} seeds)                       found                by a constant guess");
    println!("is there an object?  right %     {seen:<20.1}");
    println!("which?               right %     {named:<20.1}");
    println!("its box    intersection / union  {overlap:<20.3} {guessed:.3}");
    println!("eyes, mouth      off by pixels   {landmarks:<20.2} {middles:.2}");
    ensure!(seen.mean() > 95.0 && named.mean() > 85.0, "objects are missed or mistaken");
    ensure!(overlap.mean() > 0.65 && overlap.mean() > 3.0 * guessed.mean(), "boxes lie elsewhere");
    ensure!(landmarks.mean() < 0.35 * middles.mean(), "landmarks lie elsewhere");
    println!("\nthe claim holds");
    picture.context("no seeds")
}

fn main() -> Result<()> {
    lecture::draw("c4w3_localisation", &run(3, 14)?)
}
