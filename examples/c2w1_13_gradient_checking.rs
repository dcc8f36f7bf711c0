//! Course 2, week 1, lectures 1.12 to 1.14: differences of values tell a right gradient from one with a mistake in it.
//!
//!     cargo run --release --example c2w1_13_gradient_checking

mod lecture;

use anyhow::{Result, ensure};
use chainrule::loss::binary_cross_entropy_with_logits;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use chainrule::tensor::Tensor as T;

/// The assignment's network: 4 features, 5, 3 and 1 units, 3 examples. Weights and biases in turn.
const SHAPES: [[usize; 2]; 6] = [[4, 5], [1, 5], [5, 3], [1, 3], [3, 1], [1, 1]];

fn cost<'g>(x: Var<'g>, y: Var<'g>, p: &[Var<'g>]) -> Var<'g> {
    let a = (x.matmul(p[0]) + p[1]).relu();
    let a = (a.matmul(p[2]) + p[3]).relu();
    binary_cross_entropy_with_logits(a.matmul(p[4]) + p[5], y)
}

fn normal(key: Key, name: &str, shape: [usize; 2]) -> Result<T> {
    Ok(T::normal(key.named(name), shape, 0.0, 1.0, DType::F64)?)
}

/// ‖ĝ − g‖ / (‖ĝ‖ + ‖g‖).
fn difference(numeric: &[f64], recorded: &[f64]) -> f64 {
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    let apart = norm(&mut numeric.iter().zip(recorded).map(|(a, b)| a - b));
    apart / (norm(&mut numeric.iter().copied()) + norm(&mut recorded.iter().copied()))
}

/// The measure with this ε: of the recorded gradient, and of one with the assignment's two mistakes.
fn measured(seed: u64, epsilon: f64) -> Result<[f64; 2]> {
    let key = Key::new(seed);
    let labels = T::from([[1.0], [1.0], [0.0]]);
    let (x, values) = (normal(key, "x", [3, 4])?, SHAPES.iter().enumerate());
    let values = values.map(|(i, s)| normal(key, &format!("p{i}"), *s)).collect::<Result<Vec<T>>>()?;
    let mut gradient =
        value_and_grad(move |g, p| Ok(cost(g.constant(x.clone()), g.constant(labels.clone()), p)));
    let (mut numeric, mut right, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    let all = gradient.call(&values)?.to_vec();
    for (p, value) in values.iter().enumerate() {
        let flat = value.to_vec::<f64>()?;
        for i in 0..flat.len() {
            let mut at = |step: f64| -> Result<f64> {
                let mut moved = flat.clone();
                moved[i] += step;
                let mut values = values.clone();
                values[p] = T::from_vec(moved, value.shape())?;
                Ok(gradient.call(&values)?[0].item()?)
            };
            numeric.push((at(epsilon)? - at(-epsilon)?) / (2.0 * epsilon));
        }
        // The assignment's mistakes: dW2 twice too large, db1 four times.
        let factor = [1.0, 4.0, 2.0, 1.0, 1.0, 1.0][p];
        let slopes = all[p + 1].to_vec::<f64>()?;
        wrong.extend(slopes.iter().map(|d| d * factor));
        right.extend(slopes);
    }
    Ok([difference(&numeric, &right), difference(&numeric, &wrong)])
}

/// Prints the table, draws the measure against ε; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, _: usize) -> Result<Picture> {
    println!(
        "claim: with ε = 1e-7 a right gradient differs by about 1e-7 or less, a wrong one by more than 1e-3"
    );
    println!("(in the course 1.189e-7, and 0.2851 with two planted mistakes; 2.919e-10 for J = θx)\n");
    let mut seen = 0;
    println!("seed  as recorded   with dW2 · 2 and db1 · 4");
    for seed in 0..seeds {
        let [right, wrong] = measured(seed, 1e-7)?;
        println!("{seed:>4}  {right:>11.2e}   {wrong:.4}");
        ensure!(right < 2e-7, "seed {seed}: {right:e}");
        if wrong == right {
            println!("      (all units behind one layer are dead: where a gradient is 0, no mistake shows)");
        } else {
            ensure!(wrong > 1e-2, "seed {seed}: {wrong:e}");
            seen += 1;
        }
    }
    ensure!(2 * seen > seeds, "only {seen} of {seeds} networks are alive");
    let epsilons: Vec<f64> = (2..=24).map(|k| 10_f64.powf(-0.5 * f64::from(k))).collect();
    let lines = epsilons.iter().map(|e| measured(0, *e)).collect::<Result<Vec<_>>>()?;
    let line = |which: usize| epsilons.iter().zip(&lines).map(move |(e, l)| (e.log10(), l[which]));
    println!("\ntwo-sided differences are best near ε = 1e-5: below, rounding; above, curvature");
    // The library's check needs no ε of ours, and names the operation.
    let g = Graph::new();
    let w = g.leaf("w", normal(Key::new(0), "w", [4, 5])?);
    let x = g.constant(normal(Key::new(0), "x", [3, 4])?);
    let z = g.custom_vjp(
        "affine",
        &[x, w],
        |v| v[0].matmul(v[1]),
        |v, _, ct| vec![ct.matmul(v[1].t()), 2.0 * v[0].t().matmul(ct)],
    );
    let report = check::gradients(z.tanh().sum(..), &[w])?;
    ensure!(
        report.culprits.first().is_some_and(|c| c.op == "affine"),
        "the library must find the mistake:\n{report}"
    );
    println!(
        "\nthe library's own check, on a product whose derivative is twice too large:\n{report}\n\nthe claim holds"
    );
    let plot = LinePlot::new("Gradient check", "log10 ε", "difference").log_y();
    Ok(plot.line("as recorded", line(0)).line("with two mistakes", line(1)).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c2w1_13_gradient_checking", &run(10, 0)?)
}
