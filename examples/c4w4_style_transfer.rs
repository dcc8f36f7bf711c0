//! Course 4, lectures 4.6 to 4.10: neural style transfer. Pixels are what is learnt: the content of one image, in the style of
//! another, as a small network sees both that we taught to tell textures apart.
//!
//!     cargo run --release --example c4w4_style_transfer

mod images;
mod lecture;

use anyhow::{Context, Result, ensure};
use chainrule::data::Dataset;
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{Picture, image_sheet};
use chainrule::prelude::*;
use images::{covers, descended, drawn, same};
use lecture::train;

const SIDE: usize = 24;
const TEXTURES: [&str; 4] = ["lying stripes", "upright stripes", "checks", "dots"];

/// How bright a texture is at (y, x).
fn bright(texture: usize, y: f32, x: f32) -> f32 {
    let wave = |t: f32| (t * std::f32::consts::TAU / 4.0).sin();
    match texture {
        0 => wave(y),
        1 => wave(x),
        2 => wave(y) * wave(x) * 1.4,
        _ => f32::from(u8::from((y % 4.0).hypot(x % 4.0) < 1.5)) * 1.6 - 0.4,
    }
}

/// Images (n, 1, SIDE, SIDE) of textures that begin anywhere, in noise.
fn textures(n: usize, key: Key) -> Result<Dataset> {
    let noise = Tensor::normal(key.named("noise"), [n, 1, SIDE, SIDE], 0.0, 0.3, DType::F32)?;
    let mut pixels = noise.to_vec::<f32>()?;
    for (i, u) in drawn(key.named("phases"), &[n, 2])?.chunks(2).enumerate() {
        for p in 0..SIDE * SIDE {
            let (y, x) = ((p / SIDE) as f32 + 4.0 * u[0], (p % SIDE) as f32 + 4.0 * u[1]);
            pixels[i * SIDE * SIDE + p] += bright(i % TEXTURES.len(), y, x);
        }
    }
    let labels = Tensor::from_vec((0..n).map(|i| (i % TEXTURES.len()) as i64).collect(), [n])?;
    Ok(Dataset::classification(Tensor::from_vec(pixels, [n, 1, SIDE, SIDE])?, labels, TEXTURES)?)
}

/// What the layers make of images: the shallow one and the deep one.
fn seen<'g>(s: &Scope<'g>, x: Var<'g>) -> [Var<'g>; 2] {
    let fine = Conv::new(12, [3, 3]).slide(same()).forward(&s.at("conv1"), x).relu();
    let half = AvgPool::new([2, 2]).forward(s, fine);
    [fine, Conv::new(24, [3, 3]).slide(same()).forward(&s.at("conv2"), half).relu()]
}

fn network<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let [_, deep] = seen(s, x);
    Linear::new(TEXTURES.len()).forward(&s.at("output"), GlobalAvgPool.forward(s, deep))
}

/// Which channels are bright together, wherever that is: (channels, channels) of (1, channels, height, width).
fn gram(a: Var<'_>) -> Var<'_> {
    let flat = a.reshape((a.dim(1), -1));
    flat.matmul(flat.t()) / flat.shape().size() as f64
}

/// How far the second image is from the first in content and in style.
fn apart<'g>(params: &Params, of: Var<'g>, image: Var<'g>) -> [Var<'g>; 2] {
    let look = |x: Var<'g>| seen(&Scope::root(of.graph(), params.clone(), Mode::Evaluate, 0), x);
    let (a, b) = (look(of), look(image));
    let squares = |a: Var<'g>, b: Var<'g>| (a - b).square().mean(..);
    [squares(a[1], b[1]), squares(gram(a[0]), gram(b[0])) + squares(gram(a[1]), gram(b[1]))]
}

fn distances(params: &Params, of: &Tensor, image: &Tensor) -> Result<[f64; 2]> {
    let g = Graph::new();
    let [content, style] = apart(params, g.constant(of.clone()), g.constant(image.clone()));
    Ok([content.value()?.cast(DType::F64).item()?, style.value()?.cast(DType::F64).item()?])
}

/// Prints what is found, draws the last image; fails if the lectures' claims do not hold.
pub fn run(seeds: u64, steps: usize) -> Result<Picture> {
    println!(
        "claim: an image takes another one's style and keeps its own content, with the network left as it is\n"
    );
    let [mut accuracy, mut style_left, mut content_lost] = [(); 3].map(|()| Trials::default());
    let disc = |p: usize| covers(0, (p / SIDE) as f32 - 11.5, (p % SIDE) as f32 - 11.5, 8.0);
    let pixels = (0..SIDE * SIDE).map(|p| if disc(p) { 1.0 } else { -1.0 }).collect();
    let content = Tensor::from_vec::<f32>(pixels, [1, 1, SIDE, SIDE])?;
    let pixels = (0..SIDE * SIDE).map(|p| bright(1, (p / SIDE) as f32, (p % SIDE) as f32)).collect();
    let style = Tensor::from_vec::<f32>(pixels, [1, 1, SIDE, SIDE])?;
    let mut picture = None;
    for seed in 0..seeds {
        let (learn, test) = (textures(240, Key::new(seed))?, textures(80, Key::new(seed).named("test"))?);
        let trainer = Trainer::new(network, softmax_cross_entropy).optimiser(Adam::new(0.005));
        let trainer = trainer.epochs(6).batch_size(20).seed(seed);
        let params = train(&trainer, &learn)?;
        accuracy.0.push(trainer.evaluator().accuracy(&params, &test)?);

        let ([_, far_style], [far_content, _]) =
            (distances(&params, &style, &content)?, distances(&params, &content, &style)?);
        let noise = Tensor::normal(Key::new(seed).named("start"), content.shape(), 0.0, 0.3, DType::F32)?;
        let (own, from, to) = (params.clone(), content.clone(), style.clone());
        let made = descended(
            move |g, x| {
                let [like, _] = apart(&own, g.constant(from.clone()), x);
                let [_, styled] = apart(&own, g.constant(to.clone()), x);
                // Each as a share of what lies between the two images.
                like * (0.2 / far_content) + styled * (1.0 / far_style)
            },
            &(&content + &noise)?,
            steps,
            0.05,
        )?;
        style_left.0.push(distances(&params, &style, &made)?[1] / far_style);
        content_lost.0.push(distances(&params, &content, &made)?[0] / far_content);
        let all = Tensor::concat(&[&content, &style, &made], 0)?.reshape([3, SIDE, SIDE])?;
        picture = Some(image_sheet(&all, &["content", "style", "made"], 3)?);
    }
    println!("({seeds} seeds) the network tells textures apart: {accuracy:.3}");
    println!("distance to the style, as a share of the content image's:  {style_left:.3}");
    println!("distance to the content, as a share of the style image's:  {content_lost:.3}");
    ensure!(style_left.mean() < 0.3, "the style is not taken: {style_left}");
    ensure!(content_lost.mean() < 0.7, "the content is lost: {content_lost}");
    println!("\nthe claim holds");
    picture.context("no seeds")
}

fn main() -> Result<()> {
    lecture::draw("c4w4_style_transfer", &run(3, 200)?)
}
