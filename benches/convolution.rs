//! Convolutions of several shapes, forward and backward, and what stands around them in a network, on one thread: each product as
//! a share of the multiplications and additions that this processor can do at most, measured beside it.
//!
//!     cargo bench --bench convolution               # all
//!     cargo bench --bench convolution -- depthwise  # those whose name holds this

use std::time::{Duration, Instant};

use anyhow::Result;
use chainrule::graph::{Padding, Precision, Slide};
use chainrule::prelude::*;
use chainrule::tensor::keep;
use chainrule::tensor::kernels::{Level, peak, threads};

/// Batch, channels, side, outputs, side of the kernel, groups.
const SHAPES: [(&str, [usize; 6]); 8] = [
    ("3 x 3, 64 to 64, 8 x 28 x 28", [8, 64, 28, 64, 3, 1]),
    ("3 x 3, 64 to 64, 8 x 56 x 56", [8, 64, 56, 64, 3, 1]),
    ("3 x 3, 256 to 256, 8 x 14 x 14", [8, 256, 14, 256, 3, 1]),
    ("3 x 3, 1 to 8, 32 x 28 x 28", [32, 1, 28, 8, 3, 1]),
    ("5 x 5, 3 to 16, 8 x 64 x 64", [8, 3, 64, 16, 5, 1]),
    ("1 x 1, 64 to 256, 8 x 28 x 28", [8, 64, 28, 256, 1, 1]),
    ("5 x 5, 7 to 9, 3 x 31 x 31", [3, 7, 31, 9, 5, 1]),
    ("3 x 3, depthwise, 64, 8 x 28 x 28", [8, 64, 28, 64, 3, 64]),
];
/// What is timed.
type Formula = for<'g> fn(&[Var<'g>]) -> Var<'g>;

const ROUNDS: usize = 15;
/// How long a function runs in a round, at least.
const TURN: Duration = Duration::from_millis(5);

fn main() -> Result<()> {
    threads::set_threads(1);
    let filter = std::env::args().skip(1).find(|a| !a.starts_with('-')).unwrap_or_default();
    println!("f32, one thread, {:?}: µs, share of peak", Level::detected());
    println!("  {:36} {:>18} {:>18}", "", "forward", "with gradients");
    for (name, [batch, channels, side, outputs, size, groups]) in SHAPES {
        if !name.contains(&filter) {
            continue;
        }
        let work = batch * side * side * outputs * channels / groups * size * size;
        let slide = Slide::new().padding(Padding::Same);
        let kernel = [outputs, channels / groups, size, size];
        let [forward, both] =
            timed(&[&[batch, channels, side, side], &kernel], |x| x[0].grouped_conv(x[1], groups, &slide))?;
        let share = |(time, peak): (f64, f64), products: usize| {
            format!("{:9.1} {:6.1} %", 1e6 * time, 1e2 * (products * work) as f64 / time / peak)
        };
        println!("  {name:36} {:>18} {:>18}", share(forward, 1), share(both, 3));
    }
    let image: &[usize] = &[8, 64, 28, 28];
    let pool: Formula = |x| x[0].max_pool([2, 2], &Slide::new());
    let norm: Formula = |x| {
        let axes = || keep([0, 2, 3]);
        (x[0] - x[0].mean(axes())) / (x[0].var(axes()) + 1e-5).sqrt()
    };
    for (name, formula) in [("2 x 2 maxima", pool), ("batch norm", norm)] {
        if name.contains(&filter) {
            let [forward, both] = timed(&[image], formula)?;
            println!(
                "  {:36} {:9.1} {:18.1}",
                format!("{name}, 8 x 64 x 28 x 28"),
                1e6 * forward.0,
                1e6 * both.0
            );
        }
    }
    Ok(())
}

/// Seconds that a formula takes, and that it takes with its gradients; with each the peak meanwhile, in multiplications with
/// additions a second. Medians of rounds.
fn timed(shapes: &[&[usize]], formula: impl for<'g> Fn(&[Var<'g>]) -> Var<'g>) -> Result<[(f64, f64); 2]> {
    let g = Graph::new();
    let input = |(i, shape): (usize, &&[usize])| g.input(&format!("x{i}"), *shape, Kind::Real);
    let x: Vec<Var<'_>> = shapes.iter().enumerate().map(input).collect();
    let y = formula(&x);
    let cotangent = g.input("ct", y.shape(), Kind::Real);
    let numbers = |shape: &[usize], i| Tensor::normal(Key::new(i), shape, 0.0, 1.0, DType::F32);
    let mut values =
        shapes.iter().zip(0..).map(|(shape, i)| numbers(shape, i)).collect::<Result<Vec<_>, _>>()?;
    let mut forward = g.compiler(&x, &[y]).precision(Precision::F32).build()?;
    let forward = median(|| forward.run(&values).map(|_| ()).map_err(Into::into))?;
    let all: Vec<Var<'_>> = x.iter().copied().chain([cotangent]).collect();
    let outputs: Vec<Var<'_>> = [y].into_iter().chain((y * cotangent).sum(..).grad(&x)?).collect();
    values.push(numbers(&y.shape(), 9)?);
    let mut both = g.compiler(&all, &outputs).precision(Precision::F32).build()?;
    Ok([forward, median(|| both.run(&values).map(|_| ()).map_err(Into::into))?])
}

fn median(mut run: impl FnMut() -> Result<()>) -> Result<(f64, f64)> {
    run()?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let (start, mut calls) = (Instant::now(), 0);
        while start.elapsed() < TURN {
            run()?;
            calls += 1;
        }
        let time = start.elapsed().as_secs_f64() / f64::from(calls);
        let start = Instant::now();
        let done = peak::multiply_add::<f32>(Level::detected(), 50_000);
        rounds.push((time, done as f64 / start.elapsed().as_secs_f64()));
    }
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(rounds[ROUNDS / 2])
}
