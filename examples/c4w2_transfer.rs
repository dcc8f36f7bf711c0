//! Course 4, lecture 2.9: a network that has learnt to see many pictures needs few of a new kind: its body is kept as it is and only a
//! new head is trained; with more of them all of it is.
//!
//!     cargo run --release --example c4w2_transfer

mod images;
mod lecture;

use std::ops::Range;

use anyhow::{Context, Result, ensure};
use chainrule::data::Dataset;
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use chainrule::progress::Silent;
use images::{covers, drawn, few_of_each, same};

const SIDE: usize = 24;
/// Discs, squares and crosses: the new kinds.
const NEW: Range<usize> = 0..3;
/// What the body has seen: rings, frames, diamonds, triangles, saltires, upright and lying bars.
const OLD: Range<usize> = 3..10;

fn inside(kind: usize, y: f32, x: f32, reach: f32) -> bool {
    let (near, far) = (y.abs().min(x.abs()), y.abs().max(x.abs()));
    match kind {
        3 => (0.65 * reach..reach).contains(&y.hypot(x)),
        4 => (0.55 * reach..0.9 * reach).contains(&far),
        5 => near + far <= reach,
        6 => y.abs() <= 0.8 * reach && x.abs() <= 0.5 * (y + 0.8 * reach),
        7 => far <= 0.8 * reach && far - near <= 0.4 * reach,
        8 => y.abs() <= reach && x.abs() <= 0.4 * reach,
        9 => x.abs() <= reach && y.abs() <= 0.4 * reach,
        new => covers(new, y, x, reach),
    }
}

/// Pictures (n, 1, SIDE, SIDE) of an object anywhere, of any size, in noise; kinds are counted from the first of `kinds`.
fn pictures(n: usize, kinds: Range<usize>, key: Key) -> Result<Dataset> {
    let mut pixels =
        Tensor::normal(key.named("noise"), [n, SIDE * SIDE], 0.0, 0.25, DType::F32)?.to_vec::<f32>()?;
    let places = drawn(key.named("places"), &[n, 3])?;
    for (i, (u, image)) in places.chunks(3).zip(pixels.chunks_mut(SIDE * SIDE)).enumerate() {
        let reach = 4.0 + 3.0 * u[0];
        let [down, right] = [u[1], u[2]].map(|u| reach + u * (SIDE as f32 - 1.0 - 2.0 * reach));
        for (p, pixel) in image.iter_mut().enumerate() {
            let (y, x) = ((p / SIDE) as f32 - down, (p % SIDE) as f32 - right);
            *pixel += f32::from(u8::from(inside(kinds.start + i % kinds.len(), y, x, reach)));
        }
    }
    let labels = Tensor::from_vec((0..n).map(|i| (i % kinds.len()) as i64).collect(), [n])?;
    Ok(Dataset::classification(Tensor::from_vec(pixels, [n, 1, SIDE, SIDE])?, labels, kinds.len())?)
}

/// Convolutions at `body`, and a head for so many classes.
fn network(classes: usize) -> impl Layer {
    layer(move |s, x| {
        let (body, mut a) = (s.at("body"), x);
        for (at, channels) in [("conv1", 8), ("conv2", 16), ("conv3", 32)] {
            a = Conv::new(channels, [3, 3]).slide(same()).forward(&body.at(at), a).relu();
            a = MaxPool::new([2, 2]).forward(s, a);
        }
        Linear::new(classes).init(Init::Xavier).forward(&s.at("head"), GlobalAvgPool.forward(s, a))
    })
}

/// Prints the table, draws it; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: with few pictures a frozen body with a new head is best, with more it pays to train all further\n"
    );
    println!("of each new kind   from scratch %   body frozen %   all trained further %   ({seeds} seeds)");
    let mut rows: Vec<(usize, [Trials; 3])> = [2, 5, 100].map(|n| (n, Default::default())).to_vec();
    for seed in 0..seeds {
        let key = Key::new(seed);
        let old = pictures(1400, OLD, key.named("old"))?;
        let (new, unseen) = (pictures(330, NEW, key.named("new"))?, pictures(300, NEW, key.named("test"))?);
        let teach = |classes: usize, rate: f64| {
            Trainer::new(network(classes), softmax_cross_entropy).optimiser(Adam::new(rate)).seed(seed)
        };
        let before = lecture::train(&teach(OLD.len(), 0.005).epochs(epochs).batch_size(20), &old)?;
        let body = || -> Params {
            let kept = before.iter().filter(|(path, _)| path.starts_with("body"));
            kept.map(|(path, value)| (path.to_owned(), value.clone())).collect()
        };
        for (n, found) in &mut rows {
            let [few, _] = few_of_each(&new, *n)?;
            // As many steps with few as with many.
            let further = |rate: f64| {
                let epochs = 150 / few.examples().div_ceil(15);
                teach(NEW.len(), rate).batch_size(15).epochs(epochs.max(1)).draw_missing(true)
            };
            let cases = [
                (further(0.005), Params::new()),
                (further(0.03).freeze("body"), body()),
                (further(0.005), body()),
            ];
            for ((trainer, mut params), trials) in cases.into_iter().zip(found) {
                trainer.fit(&mut params, &few, None, &mut Silent).context("the new kinds")?;
                trials.0.push(100.0 * trainer.evaluator().accuracy(&params, &unseen)?);
            }
        }
    }
    for (n, [scratch, frozen, all]) in &rows {
        println!("{n:>16} {scratch:>16.1} {frozen:>15.1} {all:>23.1}");
    }
    // By how much the frozen body is ahead of another way.
    let ahead = |i: usize, other: usize| rows[i].1[1].minus(&rows[i].1[other]);
    println!("\nfrom 5 of each a frozen body is {:.1} % ahead of none", ahead(1, 0));
    println!(
        "it is ahead of one that is trained further by {:.1} % from 5, by {:.1} % from 100",
        ahead(1, 2),
        ahead(2, 2)
    );
    ensure!(ahead(1, 0).mean() > 5.0, "no gain from five of each: {:.1}", ahead(1, 0));
    ensure!(ahead(2, 2).mean() < ahead(0, 2).mean(), "training further gains nothing from more pictures");
    println!("the claim holds");
    let line = |what: usize| rows.iter().map(move |(n, t)| ((*n as f64).log10(), t[what].mean()));
    let plot = LinePlot::new("New kinds from few examples", "log10 examples of each", "accuracy %");
    let plot = plot.line("from scratch", line(0)).line("body frozen", line(1));
    Ok(plot.line("all trained further", line(2)).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c4w2_transfer", &run(3, 8)?)
}
