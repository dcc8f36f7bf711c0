//! Course 1, week 2, lectures 2.13 to 2.16: broadcasting writes the loops, and its derivative is a sum; arrays of rank 1
//! behave as neither rows nor columns.
//!
//!     cargo run --release --example c1w2_15_broadcasting

mod lecture;

use anyhow::{Result, ensure};
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// Z = wᵀX + b with loops, and by broadcasting; db likewise. The greatest difference.
fn apart(seed: u64) -> Result<f64> {
    let (n, m) = (2 + seed as usize % 5, 3 + seed as usize % 7);
    let draw = |name: &str, shape: [usize; 2]| {
        Tensor::normal(Key::new(seed).named(name), shape, 0.0, 1.0, DType::F64)
    };
    let (w, x, dz) = (draw("w", [n, 1])?, draw("x", [n, m])?, draw("dz", [1, m])?);
    let g = Graph::new();
    let (wv, b) = (g.leaf("w", w.clone()), g.leaf("b", 0.5));
    let z = wv.t().matmul(g.constant(x.clone())) + b; // b is one number, Z is (1, m)
    let d = (z * g.constant(dz.clone())).sum(..).grad(&[wv, b])?;
    let (w, x, dz) = (w.to_vec::<f64>()?, x.to_vec::<f64>()?, dz.to_vec::<f64>()?);
    let (mut by_loops, mut db, mut dw) = (vec![0.5; m], 0.0, vec![0.0; n]);
    for i in 0..m {
        for k in 0..n {
            by_loops[i] += w[k] * x[k * m + i];
            dw[k] += x[k * m + i] * dz[i];
        }
        db += dz[i];
    }
    let expected = [by_loops, dw, vec![db]].concat();
    let found = [z.value()?.to_vec::<f64>()?, d[0].value()?.to_vec()?, d[1].value()?.to_vec()?].concat();
    Ok(expected.iter().zip(found).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max))
}

/// Prints the lecture's table, draws it; fails if the claim does not hold.
pub fn run(seeds: u64, _: usize) -> Result<Picture> {
    println!(
        "claim: broadcasting gives what loops give, and the derivative of what was stretched is the sum\n"
    );
    let g = Graph::new();
    // Calories from carbohydrates, proteins and fats in 100 g of apples, beef, eggs and potatoes.
    let foods = ["apples", "beef", "eggs", "potatoes"];
    let calories = g.constant([[56.0, 0.0, 4.4, 68.0], [1.2, 104.0, 52.0, 8.0], [1.8, 135.0, 99.0, 0.9]]);
    let all = calories.sum(0);
    let percent = 100.0 * calories / all.reshape([1, 4]);
    let (all, shares) = (all.value()?.to_vec::<f64>()?, percent.value()?.to_vec::<f64>()?);
    println!("{:<14} {:>9} {:>9} {:>9} {:>9}", "", foods[0], foods[1], foods[2], foods[3]);
    println!("{:<14} {:>9.1} {:>9.1} {:>9.1} {:>9.1}", "calories", all[0], all[1], all[2], all[3]);
    for (name, row) in ["carbs %", "protein %", "fat %"].iter().zip(shares.chunks(4)) {
        println!("{name:<14} {:>9.1} {:>9.1} {:>9.1} {:>9.1}", row[0], row[1], row[2], row[3]);
    }
    ensure!((shares[0] - 94.9).abs() < 0.05 && (all[0] - 59.0).abs() < 1e-9, "the lecture has 59 and 94.9 %");

    let found = Trials::over(0..seeds, apart)?;
    println!(
        "\nZ = wᵀX + b, dw and db against explicit loops, {seeds} seeds: at most {:.0e} apart",
        found.0.iter().fold(0.0, |a: f64, b| a.max(*b))
    );
    ensure!(found.0.iter().all(|gap| *gap < 1e-13), "{found:?}");

    println!("\nrank 1, as in 2.16:");
    let a = g.constant([1.0, 2.0, 3.0]);
    let column = a.reshape([3, 1]);
    let (product, outer) = (column.matmul(column.t()), a + column);
    println!("  a (3,): a + a.reshape(3, 1) is {}, which is seldom meant", outer.shape());
    println!("  a column (3, 1) times its transpose is {}", product.shape());
    ensure!(product.shape()[..] == [3, 3] && outer.shape()[..] == [3, 3]);
    let mixed = chainrule::loss::mean_squared_error(column, a);
    let refused = mixed.value().err().map(|e| e.to_string()).unwrap_or_default();
    println!("  and a loss of (3, 1) against (3,) is refused:\n    {}", refused.replace('\n', "\n    "));
    ensure!(!refused.is_empty(), "a loss must not broadcast");
    println!("\nthe claim holds");
    let lines = ["carbohydrates", "proteins", "fats"].into_iter().zip(shares.chunks(4));
    let plot = lines
        .fold(LinePlot::new("Calories: apples, beef, eggs, potatoes", "food", "%"), |plot, (name, row)| {
            plot.line(name, (1..).map(f64::from).zip(row.iter().copied()))
        });
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c1w2_15_broadcasting", &run(20, 0)?)
}
