//! Course 1, week 3, lectures 3.1 to 3.5, 3.9 and 3.10: a network with one hidden layer, forward for all examples at once and backward
//! by the lectures' six equations, learns; automatic differentiation of the cost finds the same six by itself.
//!
//!     cargo run --release --example c1w3_09_gradient_descent

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::flower;
use chainrule::loss::binary_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

const HIDDEN: usize = 4;
const RATE: f64 = 1.2;

/// W1 (hidden, n), b1 (hidden, 1), W2 (1, hidden), b2 (1, 1).
type Weights = [Tensor; 4];

/// Small weights, no biases (lecture 3.11).
fn drawn(n: usize, key: Key) -> Result<Weights> {
    let small = |name, shape: [usize; 2]| Tensor::normal(key.named(name), shape, 0.0, 0.01, DType::F64);
    let zeros = |rows: usize| Tensor::zeros([rows, 1], DType::F64);
    Ok([small("W1", [HIDDEN, n])?, zeros(HIDDEN), small("W2", [1, HIDDEN])?, zeros(1)])
}

/// Lectures 3.3 to 3.5: Z = WX + b and A = g(Z), layer by layer; each example is a column.
fn forward([w1, b1, w2, b2]: &Weights, x: &Tensor) -> Result<[Tensor; 2]> {
    let a1 = (&w1.matmul(x)? + b1)?.tanh()?;
    let a2 = (&w2.matmul(&a1)? + b2)?.sigmoid()?;
    Ok([a1, a2])
}

/// Lecture 3.9, from the last line to the first as 3.10 derives them.
fn backward(weights: &Weights, [a1, a2]: &[Tensor; 2], x: &Tensor, y: &Tensor) -> Result<Weights> {
    let (m, one) = (Tensor::from(x.shape()[1] as f64), Tensor::from(1.0));
    let dz2 = (a2 - y)?;
    let dw2 = (&dz2.matmul(&a1.t()?)? / &m)?;
    let db2 = (&dz2.sum(keep(1))? / &m)?;
    let dz1 = (&weights[2].t()?.matmul(&dz2)? * &(&one - &(a1 * a1)?)?)?;
    let dw1 = (&dz1.matmul(&x.t()?)? / &m)?;
    let db1 = (&dz1.sum(keep(1))? / &m)?;
    Ok([dw1, db1, dw2, db2])
}

/// The mean over the examples of −ln of what the network gives to the right class.
fn cost(a2: &Tensor, y: &Tensor) -> Result<f64> {
    let one = Tensor::from(1.0);
    let right = (&(a2 * y)? + &(&(&one - a2)? * &(&one - y)?)?)?;
    Ok(-right.ln()?.mean(..)?.item::<f64>()?)
}

/// Prints the table, draws the cost; fails if the equations are not the gradient, or if nothing is learnt.
pub fn run(seeds: u64, steps: usize) -> Result<Picture> {
    println!(
        "claim: the six equations of the lecture are the gradient of the cost, and descent along it learns\n"
    );
    let (mut widest, mut right) = (0.0_f64, Trials::default());
    let mut plot = LinePlot::new("A hidden layer of four units", "step", "J");
    for seed in 0..seeds {
        let data = flower(400, Key::new(seed))?;
        let x = data.features().cast(DType::F64).t()?.to_contiguous();
        let y = data.targets().cast(DType::F64).reshape([1, -1])?;
        let mut gradient = value_and_grad(|g, w| {
            let (x, y) = (g.constant(x.clone()), g.constant(y.clone()));
            let a1 = (w[0].matmul(x) + w[1]).tanh();
            Ok(binary_cross_entropy((w[2].matmul(a1) + w[3]).sigmoid(), y))
        });
        let mut weights = drawn(x.shape()[0], Key::new(seed).named("weights"))?;
        let mut curve = Vec::new();
        for step in 0..steps {
            let a = forward(&weights, &x)?;
            let slopes = backward(&weights, &a, &x, &y)?;
            if step % (steps / 50).max(1) == 0 {
                curve.push((step as f64, cost(&a[1], &y)?));
                for (by_hand, found) in slopes.iter().zip(&gradient.call(&weights)?[1..]) {
                    let gap = (by_hand - found)?.abs()?.max(..)?.item::<f64>()?;
                    widest = widest.max(gap / found.abs()?.max(..)?.item::<f64>()?.max(1e-3));
                }
            }
            for (w, slope) in weights.iter_mut().zip(&slopes) {
                *w = (&*w - &(slope * &Tensor::from(RATE))?)?;
            }
        }
        let said = forward(&weights, &x)?[1].greater(&Tensor::from(0.5))?.cast(DType::F64);
        right.0.push(100.0 * (1.0 - (&said - &y)?.abs()?.mean(..)?.item::<f64>()?));
        plot = plot.line(format!("seed {seed}"), curve);
    }
    println!(
        "equations and automatic differentiation differ by {widest:.0e} of a gradient at most   ({seeds} seeds)"
    );
    println!("after {steps} steps {right:.1} % of the flower's points are right (the course: 90 %)");
    ensure!(widest < 1e-9, "the equations are not the gradient: {widest}");
    ensure!(right.mean() > 80.0, "four units learn the flower: {right}");
    println!("\nthe claim holds");
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c1w3_09_gradient_descent", &run(10, 5000)?)
}
