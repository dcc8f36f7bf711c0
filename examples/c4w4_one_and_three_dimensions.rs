//! Course 4, lecture 4.11: convolutions along one axis read signals, along three they read volumes and films; sizes follow the same
//! rule, and what no single picture shows is seen.
//!
//!     cargo run --release --example c4w4_one_and_three_dimensions

mod images;
mod lecture;

use anyhow::{Context, Result, ensure};
use chainrule::data::Dataset;
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use images::{drawn, same};

/// Samples of a signal, about two beats.
const LONG: usize = 64;
/// Frames of a film, and their side.
const FRAMES: usize = 5;
const SIDE: usize = 8;

/// Signals (n, 1, LONG) like an electrocardiogram's: a small and a great wave each beat; in half of them, class 1, the great
/// one is broad. Where the beat begins is drawn.
fn beats(n: usize, key: Key) -> Result<Dataset> {
    let noise = Tensor::normal(key.named("noise"), [n, LONG], 0.0, 0.15, DType::F32)?;
    let mut signal = noise.to_vec::<f32>()?;
    for (i, (u, line)) in
        drawn(key.named("beats"), &[n, 3])?.chunks(3).zip(signal.chunks_mut(LONG)).enumerate()
    {
        let (period, width) = (26.0 + 8.0 * u[1], if i % 2 == 0 { 1.0 } else { 2.0 } + 0.3 * u[2]);
        for (t, value) in line.iter_mut().enumerate() {
            let phase = (t as f32 + period * u[0]) % period;
            let wave = |at: f32, width: f32| (-((phase - at) / width).powi(2)).exp();
            // Both have the same area, so the mean says nothing.
            *value += 0.3 * wave(6.0, 2.0) + 2.0 / width * wave(14.0, width);
        }
    }
    let labels = (0..n).map(|i| (i % 2) as i64).collect();
    Ok(Dataset::classification(Tensor::from_vec(signal, [n, 1, LONG])?, Tensor::from_vec(labels, [n])?, 2)?)
}

/// Films (n, 1, FRAMES, SIDE, SIDE) of a dot that goes up, down, left or right, around the edge and in again.
fn films(n: usize, key: Key) -> Result<Dataset> {
    let noise = Tensor::normal(key.named("noise"), [n, FRAMES * SIDE * SIDE], 0.0, 0.2, DType::F32)?;
    let mut film = noise.to_vec::<f32>()?;
    let starts = drawn(key.named("starts"), &[n, 2])?;
    for (i, (u, frames)) in starts.chunks(2).zip(film.chunks_mut(FRAMES * SIDE * SIDE)).enumerate() {
        let (dy, dx) = [(-1, 0), (1, 0), (0, -1), (0, 1)][i % 4];
        let start = [u[0], u[1]].map(|u| (u * SIDE as f32) as isize);
        for (t, frame) in frames.chunks_mut(SIDE * SIDE).enumerate() {
            let wrap = |at: isize| at.rem_euclid(SIDE as isize) as usize;
            let (y, x) = (start[0] + t as isize * dy, start[1] + t as isize * dx);
            for (a, b) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                frame[wrap(y + a) * SIDE + wrap(x + b)] += 1.0;
            }
        }
    }
    let labels = Tensor::from_vec((0..n).map(|i| (i % 4) as i64).collect(), [n])?;
    Ok(Dataset::classification(Tensor::from_vec(film, [n, 1, FRAMES, SIDE, SIDE])?, labels, 4)?)
}

/// Two convolutions with kernels of these lengths, and the mean over all places: where something is does not count.
fn reader(kernel: &[usize], classes: usize) -> impl Layer {
    let kernel = kernel.to_vec();
    layer(move |s, x| {
        let mut a = x;
        for (at, channels) in [("conv1", 6), ("conv2", 12)] {
            a = Conv::new(channels, &kernel[..]).slide(same()).forward(&s.at(at), a).relu();
        }
        Linear::new(classes).init(Init::Xavier).forward(&s.at("output"), GlobalAvgPool.forward(s, a))
    })
}

/// The shape of the result of two convolutions of 16 and of 32 channels with 5 elements along each axis.
fn shape(axes: &[usize]) -> Result<Vec<usize>> {
    let g = Graph::new();
    let s = Scope::root(&g, Params::new(), Mode::Evaluate, 0);
    let five = vec![5; axes.len()];
    let x = g.constant(Tensor::zeros([&[1, 1], axes].concat(), DType::F32));
    let a = Conv::new(16, &five[..]).forward(&s.at("conv1"), x);
    Ok(Conv::new(32, five).forward(&s.at("conv2"), a).checked()?.shape.to_vec())
}

fn accuracy(model: impl Layer, data: [&Dataset; 2], epochs: usize, seed: u64) -> Result<f64> {
    let trainer = Trainer::new(model, softmax_cross_entropy).optimiser(Adam::new(0.01)).epochs(epochs);
    let found = lecture::accuracies(&trainer.batch_size(20).seed(seed), data[0], &data[1..])?;
    Ok(100.0 * found[0])
}

/// Prints the table, draws it; fails if the lecture's claims do not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!("claim: the same layers along one axis and along three\n");
    for axes in [vec![14], vec![14, 14], vec![14, 14, 14]] {
        let made = shape(&axes)?;
        println!(
            "{axes:?} with one channel, two convolutions of 5: {:?} with {} channels",
            &made[2..],
            made[1]
        );
        ensure!(made[1] == 32 && made[2..].iter().all(|n| *n == 6), "the lecture has 14, 10, 6");
    }
    let [mut one, mut still, mut film] = [(); 3].map(|()| Trials::default());
    let mut plot = None;
    for seed in 0..seeds {
        let key = Key::new(seed);
        let (learn, test) = (beats(300, key.named("beats"))?, beats(200, key.named("test beats"))?);
        one.0.push(accuracy(reader(&[7], 2), [&learn, &test], epochs, seed)?);
        let (learn, test) = (films(300, key.named("films"))?, films(200, key.named("test films"))?);
        // Frame by frame: the kernel is one frame long.
        still.0.push(accuracy(reader(&[1, 3, 3], 4), [&learn, &test], epochs, seed)?);
        film.0.push(accuracy(reader(&[3, 3, 3], 4), [&learn, &test], epochs, seed)?);
        let signal = beats(2, key)?.features().to_vec::<f32>()?;
        let line =
            |i: usize| (0..LONG).map(|t| (t as f64, f64::from(signal[i * LONG + t]))).collect::<Vec<_>>();
        let both = LinePlot::new("Two hearts, and where a 1-D convolution reads", "sample", "signal");
        plot = Some(both.line("narrow", line(0)).line("broad", line(1)).draw()?);
    }
    println!("\n({seeds} seeds)                                   right %         by chance");
    println!("1-D: is the beat narrow or broad?           {one:<15.1} 50");
    println!("3-D kernels of one frame: where does it go? {still:<15.1} 25");
    println!("3-D kernels of three frames                 {film:<15.1} 25");
    ensure!(one.mean() > 90.0 && film.mean() > 90.0, "they do not learn");
    ensure!(still.mean() < 40.0, "single frames show motion");
    println!("\nthe claim holds");
    plot.context("no seeds")
}

fn main() -> Result<()> {
    lecture::draw("c4w4_one_and_three_dimensions", &run(5, 20)?)
}
