//! Course 4, week 1: edges. A filter by hand finds them, and a convolution learns the same filter from examples.
//!
//!     cargo run --release --example c4w1_edge_detection

use anyhow::{Result, ensure};
use chainrule::data::{Dataset, digits};
use chainrule::loss::mean_squared_error;
use chainrule::optim::Rate;
use chainrule::prelude::*;
use chainrule::progress::Silent;

/// The lecture's vertical edges, and Sobel's.
const FILTERS: [(&str, [[f64; 3]; 3]); 2] = [
    ("vertical edges", [[1.0, 0.0, -1.0], [1.0, 0.0, -1.0], [1.0, 0.0, -1.0]]),
    ("Sobel", [[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]),
];

/// The 6 × 6 image of lecture 1.2: 10 on the left, 0 on the right.
fn step() -> [[f64; 6]; 6] {
    [[10.0, 10.0, 10.0, 0.0, 0.0, 0.0]; 6]
}

fn filtered(images: &Tensor, filter: [[f64; 3]; 3]) -> Result<Tensor> {
    let g = Graph::new();
    let (x, w) = (g.constant(images.clone()), g.constant(Tensor::from(filter).reshape([1, 1, 3, 3])?));
    Ok(x.conv(w, &Slide::new()).value()?)
}

/// Prints what is found; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<()> {
    println!(
        "claim: a 3 × 3 filter finds vertical edges, and its nine numbers can be learnt instead of chosen\n"
    );
    let image = Tensor::from(step()).reshape([1, 1, 6, 6])?;
    let edges = filtered(&image, FILTERS[0].1)?.reshape([4, 4])?;
    println!("the lecture's image, 10 on the left and 0 on the right, becomes\n{edges}\n");
    ensure!(edges == Tensor::from([[0.0, 30.0, 30.0, 0.0]; 4]), "the lecture has 0 30 30 0 in each row");

    let images = digits()?.features().reshape([-1, 1, 8, 8])?;
    let mut worst = 0.0_f64;
    for (name, filter) in FILTERS {
        let data = Dataset::regression(images.clone(), filtered(&images, filter)?)?;
        for seed in 0..seeds {
            let model = layer(|s, x| Conv::new(1, [3, 3]).without_bias().forward(&s.at("filter"), x));
            let rate = Rate::cosine(0.05, 0.0, epochs * data.examples().div_ceil(64));
            let trainer =
                Trainer::new(model, mean_squared_error).optimiser(Adam::new(rate)).epochs(epochs).seed(seed);
            let mut params = Params::new();
            trainer.fit(&mut params, &data, None, &mut Silent)?;
            let Some(found) = params.get("filter.weight") else { unreachable!("the filter is a parameter") };
            let found = found.cast(DType::F64).reshape([3, 3])?;
            let off = (&found - Tensor::from(filter))?.abs()?.max(..)?.item::<f64>()?;
            worst = worst.max(off);
            if seed == 0 {
                println!("{name}, learnt from {} images:\n{found}\n", data.examples());
            }
        }
    }
    println!(
        "the greatest difference from the filter that made the examples, over {seeds} seeds: {worst:.1e}"
    );
    ensure!(worst < 0.02, "the filters are not learnt: {worst}");
    println!("the claim holds");
    Ok(())
}

fn main() -> Result<()> {
    run(10, 80)
}
