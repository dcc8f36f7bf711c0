//! Course 1, week 2, lectures 2.1 to 2.14: logistic regression on the breast cancer data, written three times: with explicit loops (2.10), in matrix
//! form (2.13 and 2.14), and by automatic differentiation. All three agree to rounding.
//!
//!     cargo run --release --example c1w2_09_logistic_regression

mod lecture;

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use chainrule::data::{Standardize, breast_cancer};
use chainrule::graph::Precision;
use chainrule::loss::binary_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// The learning rate α.
const RATE: f64 = 0.3;

/// The parameters, and the loss before each step.
struct Fitted {
    w: Vec<f64>,
    b: f64,
    losses: Vec<f64>,
}

/// A way to write it: X is (n, m), one example a column, as in the notes; Y is (1, m).
type Way = fn(&Tensor, &Tensor, usize) -> Result<Fitted>;

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Lecture 2.10: one loop over the examples, one over the features, with J, dw₁ … dwₙ and db as accumulators.
fn with_loops(x: &Tensor, y: &Tensor, steps: usize) -> Result<Fitted> {
    let (n, m) = (x.shape()[0], x.shape()[1]);
    let (x, y) = (x.t()?.to_vec::<f64>()?, y.to_vec::<f64>()?);
    let (mut w, mut b, mut losses) = (vec![0.0; n], 0.0, Vec::new());
    for _ in 0..steps {
        let (mut j, mut dw, mut db) = (0.0, vec![0.0; n], 0.0);
        for i in 0..m {
            let mut z = b;
            for k in 0..n {
                z += w[k] * x[i * n + k];
            }
            let a = sigmoid(z);
            j += -(y[i] * a.ln() + (1.0 - y[i]) * (1.0 - a).ln());
            let dz = a - y[i];
            for k in 0..n {
                dw[k] += x[i * n + k] * dz;
            }
            db += dz;
        }
        losses.push(j / m as f64);
        for k in 0..n {
            w[k] -= RATE * dw[k] / m as f64;
        }
        b -= RATE * db / m as f64;
    }
    Ok(Fitted { w, b, losses })
}

/// Lectures 2.13 and 2.14: Z = wᵀX + b, dZ = A − Y, dw = X dZᵀ/m.
fn with_matrices(x: &Tensor, y: &Tensor, steps: usize) -> Result<Fitted> {
    let (rate, m, one) = (Tensor::from(RATE), Tensor::from(x.shape()[1] as f64), Tensor::from(1.0));
    let (mut w, mut b) = (Tensor::zeros([x.shape()[0], 1], DType::F64), Tensor::from(0.0));
    let mut losses = Vec::new();
    for _ in 0..steps {
        let a = (&w.t()?.matmul(x)? + &b)?.sigmoid()?;
        let likelihood = (&(y * &a.ln()?)? + &(&(&one - y)? * &(&one - &a)?.ln()?)?)?;
        losses.push(-likelihood.mean(..)?.item::<f64>()?);
        let dz = (&a - y)?;
        let dw = (&x.matmul(&dz.t()?)? / &m)?;
        let db = (&dz.sum(..)? / &m)?;
        w = (&w - &(&rate * &dw)?)?;
        b = (&b - &(&rate * &db)?)?;
    }
    Ok(Fitted { w: w.to_vec()?, b: b.item()?, losses })
}

/// The formula of the loss alone: gradient and update are recorded from it, and the whole step is one plan.
fn with_autodiff(x: &Tensor, y: &Tensor, steps: usize) -> Result<Fitted> {
    let g = Graph::new();
    let w = g.leaf("w", Tensor::zeros([x.shape()[0], 1], DType::F64));
    let b = g.leaf("b", 0.0);
    let (x, y) = (g.constant(x.clone()), g.constant(y.clone()));
    let loss = binary_cross_entropy((w.t().matmul(x) + b).sigmoid(), y);
    let d = loss.grad(&[w, b])?;
    let updates = [(w, w - RATE * d[0]), (b, b - RATE * d[1])];
    let mut step = g.compiler(&[], &[loss]).state(&updates).precision(Precision::F64).build()?;
    let losses = (0..steps).map(|_| Ok(step.run(&[])?[0].item()?)).collect::<Result<Vec<f64>>>()?;
    let state = step.state();
    Ok(Fitted { w: state[0].to_vec()?, b: state[1].item()?, losses })
}

/// The widest difference of any loss or parameter, relative to those above 1; NaN if anything is.
fn gap(a: &Fitted, b: &Fitted) -> f64 {
    let all = |f: &Fitted| [&f.losses[..], &f.w, &[f.b]].concat();
    let gaps = all(a).into_iter().zip(all(b)).map(|(a, b)| (a - b).abs() / a.abs().max(1.0));
    gaps.fold(0.0, |widest, gap| if gap > widest || gap.is_nan() { gap } else { widest })
}

/// The share of examples on the right side of wᵀx + b = 0, in %.
fn accuracy(fitted: &Fitted, x: &Tensor, y: &Tensor) -> Result<f64> {
    let w = Tensor::from(&fitted.w[..]).reshape([1, -1])?;
    let z = (&w.matmul(x)? + &Tensor::from(fitted.b))?;
    let said = z.greater(&Tensor::from(0.0))?.cast(DType::F64);
    Ok(100.0 * (1.0 - (&said - y)?.abs()?.mean(..)?.item::<f64>()?))
}

/// Prints the table, draws the cost; fails if the three ways differ.
pub fn run(seeds: u64, steps: usize) -> Result<Picture> {
    println!("claim: loops, matrices and automatic differentiation compute the same descent\n");
    let ways = [("loops", with_loops as Way), ("matrix form", with_matrices), ("autodiff", with_autodiff)];
    let (mut times, mut widest) = ([(); 3].map(|()| Trials::default()), 0.0_f64);
    let (mut learnt, mut unseen) = (Trials::default(), Trials::default());
    let mut plot = LinePlot::new("Logistic regression", "iteration", "J");
    for seed in 0..seeds {
        let [train, test] = breast_cancer()?.split_stratified([0.8, 0.2], Key::new(seed))?;
        let scale = Standardize::fit(&train)?;
        let columns = |x: &Tensor| Ok::<_, anyhow::Error>(x.cast(DType::F64).t()?.to_contiguous());
        let row = |y: &Tensor| y.cast(DType::F64).reshape([1, -1]);
        let (x, y) = (columns(scale.apply(&train)?.features())?, row(train.targets())?);
        let mut fitted = Vec::new();
        for ((_, way), times) in ways.iter().zip(&mut times) {
            let start = Instant::now();
            fitted.push(way(&x, &y, steps)?);
            times.0.push(start.elapsed().as_secs_f64() * 1e6 / steps as f64);
        }
        let gaps = [gap(&fitted[0], &fitted[1]), gap(&fitted[0], &fitted[2])];
        ensure!(gaps.iter().all(|gap| *gap < 1e-9), "the three ways differ by {gaps:?}");
        widest = widest.max(gaps[0]).max(gaps[1]);
        let last = fitted.last().context("three ways")?;
        learnt.0.push(accuracy(last, &x, &y)?);
        unseen.0.push(accuracy(last, &columns(scale.apply(&test)?.features())?, &row(test.targets())?)?);
        plot =
            plot.line(format!("split {seed}"), last.losses.iter().enumerate().map(|(i, j)| (i as f64, *j)));
    }
    println!("all losses and parameters of {steps} steps agree to {widest:.0e}   ({seeds} splits)\n");
    ways.iter().zip(&times).for_each(|((name, _), time)| println!("{name:<12} {time:>10.1} µs per step"));
    println!("\naccuracy {learnt:.1} % on training, {unseen:.1} % on held-out examples\n\nthe claim holds");
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c1w2_09_logistic_regression", &run(10, 300)?)
}
