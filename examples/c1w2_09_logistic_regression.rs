//! Course 1, week 2, lectures 2.1 to 2.14: logistic regression on the breast cancer data, written three times: with explicit loops (2.10), in matrix
//! form (2.13 and 2.14), and by automatic differentiation. All three agree to rounding.
//!
//!     cargo run --release --example c1w2_09_logistic_regression

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use chainrule::data::{Dataset, Standardize, breast_cancer};
use chainrule::graph::Precision;
use chainrule::loss::binary_cross_entropy;
use chainrule::plot::LinePlot;
use chainrule::prelude::*;
use clap::Parser;

/// Logistic regression, written three ways.
#[derive(Parser)]
struct Options {
    /// Steps of gradient descent
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    iterations: u32,
    /// Learning rate α
    #[arg(long, default_value_t = 0.3, value_parser = positive, allow_negative_numbers = true)]
    rate: f64,
    /// Seed of the split into training and test examples
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for the loss curve
    #[arg(long, value_name = "DIR", default_value = "out/logistic_regression")]
    out: PathBuf,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => Err("a learning rate is a positive number".into()),
    }
}

/// The parameters, and the loss before each step.
struct Fitted {
    w: Vec<f64>,
    b: f64,
    losses: Vec<f64>,
    time: Duration,
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Lecture 2.10: one loop over the examples, one over the features, with J, dw₁ … dwₙ and db as accumulators.
fn with_loops(x: &[Vec<f64>], y: &[f64], options: &Options) -> Fitted {
    let (m, n) = (x.len(), x[0].len());
    let (mut w, mut b, mut losses) = (vec![0.0; n], 0.0, Vec::new());
    let start = Instant::now();
    for _ in 0..options.iterations {
        let (mut j, mut dw, mut db) = (0.0, vec![0.0; n], 0.0);
        for i in 0..m {
            let mut z = b;
            for k in 0..n {
                z += w[k] * x[i][k];
            }
            let a = sigmoid(z);
            j += -(y[i] * a.ln() + (1.0 - y[i]) * (1.0 - a).ln());
            let dz = a - y[i];
            for k in 0..n {
                dw[k] += x[i][k] * dz;
            }
            db += dz;
        }
        losses.push(j / m as f64);
        for k in 0..n {
            w[k] -= options.rate * dw[k] / m as f64;
        }
        b -= options.rate * db / m as f64;
    }
    Fitted { w, b, losses, time: start.elapsed() }
}

/// Lectures 2.13 and 2.14: X is (n, m), one example a column; Z = wᵀX + b, dZ = A − Y, dw = X dZᵀ/m.
fn with_matrices(x: &Tensor, y: &Tensor, options: &Options) -> Result<Fitted> {
    let (n, m) = (x.shape()[0], x.shape()[1]);
    let (rate, m) = (Tensor::from(options.rate), Tensor::from(m as f64));
    let one = Tensor::from(1.0);
    let (mut w, mut b) = (Tensor::zeros([n, 1], DType::F64), Tensor::from(0.0));
    let mut losses = Vec::new();
    let start = Instant::now();
    for _ in 0..options.iterations {
        let a = (&w.t()?.matmul(x)? + &b)?.sigmoid()?;
        let likelihood = (&(y * &a.ln()?)? + &(&(&one - y)? * &(&one - &a)?.ln()?)?)?;
        losses.push(-likelihood.mean(..)?.item::<f64>()?);
        let dz = (&a - y)?;
        let dw = (&x.matmul(&dz.t()?)? / &m)?;
        let db = (&dz.sum(..)? / &m)?;
        w = (&w - &(&rate * &dw)?)?;
        b = (&b - &(&rate * &db)?)?;
    }
    let time = start.elapsed();
    Ok(Fitted { w: w.to_vec()?, b: b.item()?, losses, time })
}

/// The formula of the loss alone: gradient and update are recorded from it, and the whole step is one plan.
fn with_autodiff(x: &Tensor, y: &Tensor, options: &Options) -> Result<Fitted> {
    let g = Graph::new();
    let w = g.leaf("w", Tensor::zeros([x.shape()[0], 1], DType::F64));
    let b = g.leaf("b", 0.0);
    let (x, y) = (g.constant(x.clone()), g.constant(y.clone()));
    let loss = binary_cross_entropy((w.t().matmul(x) + b).sigmoid(), y);
    let d = loss.grad(&[w, b])?;
    let updates = [(w, w - options.rate * d[0]), (b, b - options.rate * d[1])];
    let mut step = g.compiler(&[], &[loss]).state(&updates).precision(Precision::F64).build()?;
    let mut losses = Vec::new();
    let start = Instant::now();
    for _ in 0..options.iterations {
        losses.push(step.run(&[])?[0].item()?);
    }
    let time = start.elapsed();
    let state = step.state();
    Ok(Fitted { w: state[0].to_vec()?, b: state[1].item()?, losses, time })
}

/// The widest difference of any loss or parameter, relative to those above 1; NaN if anything is.
fn gap(a: &Fitted, b: &Fitted) -> f64 {
    let all = |f: &Fitted| [&f.losses[..], &f.w, &[f.b]].concat();
    let gaps = all(a).into_iter().zip(all(b)).map(|(a, b)| (a - b).abs() / a.abs().max(1.0));
    gaps.fold(0.0, |widest, gap| if gap > widest || gap.is_nan() { gap } else { widest })
}

/// The share of examples on the right side of wᵀx + b = 0.
fn accuracy(fitted: &Fitted, data: &Dataset) -> Result<f64> {
    let (x, labels) = (rows(data)?, data.targets().to_vec::<i64>()?);
    let z = |x: &Vec<f64>| x.iter().zip(&fitted.w).map(|(x, w)| x * w).sum::<f64>() + fitted.b;
    let right = x.iter().zip(&labels).filter(|(x, label)| i64::from(z(x) > 0.0) == **label).count();
    Ok(right as f64 / labels.len() as f64)
}

fn rows(data: &Dataset) -> Result<Vec<Vec<f64>>> {
    let width = data.example_shape().size();
    let flat = data.features().cast(DType::F64).to_vec::<f64>()?;
    Ok(flat.chunks(width).map(<[f64]>::to_vec).collect())
}

fn main() -> Result<()> {
    let options = Options::parse();
    let [train, test] = breast_cancer()?.split_stratified([0.8, 0.2], Key::new(options.seed))?;
    let scale = Standardize::fit(&train)?;
    let (train, test) = (scale.apply(&train)?, scale.apply(&test)?);

    // The notes' layout: X (n, m), Y (1, m).
    let x = train.features().cast(DType::F64).t()?.to_contiguous();
    let y = train.targets().cast(DType::F64).reshape([1, -1])?;
    println!(
        "{} training examples of {} features, {} test examples",
        x.shape()[1],
        x.shape()[0],
        test.examples()
    );

    let loops = with_loops(&rows(&train)?, &y.to_vec::<f64>()?, &options);
    if let Some(step) = loops.losses.iter().position(|j| !j.is_finite()) {
        // A prediction has become 0 or 1 exactly, whose logarithm the lecture's formula cannot take.
        bail!("the loss is not a number in step {}: try a --rate below {}", step + 1, options.rate);
    }
    let matrices = with_matrices(&x, &y, &options)?;
    let autodiff = with_autodiff(&x, &y, &options)?;

    println!("\nstep   loss by loops        in matrix form       by autodiff");
    let last = options.iterations as usize - 1;
    for i in (0..=last).step_by((last / 8).max(1)).chain([last]) {
        let [a, b, c] = [&loops, &matrices, &autodiff].map(|f| f.losses[i]);
        println!("{:>4}   {a:<18.15}   {b:<18.15}   {c:<18.15}", i + 1);
    }
    let gaps = [&matrices, &autodiff].map(|other| gap(&loops, other));
    ensure!(gaps.iter().all(|gap| *gap < 1e-9), "the three ways differ by {gaps:?}");
    println!("all losses and parameters agree to {:.1e}", gaps[0].max(gaps[1]));

    println!("\ntime per step");
    for (name, fitted) in [("loops", &loops), ("matrix form", &matrices), ("autodiff", &autodiff)] {
        let step = fitted.time.as_secs_f64() * 1e6 / f64::from(options.iterations);
        let ratio = loops.time.as_secs_f64() / fitted.time.as_secs_f64();
        println!("  {name:<12} {step:>8.1} µs   {ratio:>5.1} times as fast as the loops");
    }
    println!(
        "\naccuracy {:.1} % on training, {:.1} % on held-out examples",
        100.0 * accuracy(&autodiff, &train)?,
        100.0 * accuracy(&autodiff, &test)?
    );

    let out = &options.out;
    std::fs::create_dir_all(out).with_context(|| format!("{}: cannot make this folder", out.display()))?;
    let points = autodiff.losses.iter().enumerate().map(|(i, j)| (i as f64 + 1.0, *j));
    let file = out.join("loss.svg");
    LinePlot::new("Logistic regression", "iteration", "J").line("training", points).draw()?.write(&file)?;
    println!("the loss curve is in {}", file.display());
    Ok(())
}
