//! Course 1, week 4, lectures 4.1 to 4.6: a deep network is blocks in a row, each with a forward and a backward half and a
//! cache between them; shapes say what fits.
//!
//!     cargo run --release --example c1w4_01_deep_networks

mod lecture;

use anyhow::{Result, ensure};
use chainrule::loss::binary_cross_entropy_with_logits;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// What the forward half of a layer keeps for its backward half.
struct Cache {
    a: Tensor,
    w: Tensor,
    z: Tensor,
}

/// Z = W A + b, then ReLU unless it is the last: examples are columns, as in the lectures.
fn forward(a: &Tensor, w: &Tensor, b: &Tensor, last: bool) -> Result<(Tensor, Cache)> {
    let z = (&w.matmul(a)? + b)?;
    let zero = Tensor::from(0.0);
    let next = if last { z.sigmoid()? } else { z.less(&zero)?.select(&zero, &z)? };
    Ok((next, Cache { a: a.clone(), w: w.clone(), z }))
}

/// dW = dZ Aᵀ / m, db = Σ dZ / m, and dA of the layer before = Wᵀ dZ.
fn backward(dz: &Tensor, cache: &Cache) -> Result<[Tensor; 3]> {
    let m = Tensor::from(dz.shape()[1] as f64);
    let dw = (&dz.matmul(&cache.a.t()?)? / &m)?;
    let db = (&dz.sum(keep(1))? / &m)?;
    Ok([dw, db, cache.w.t()?.matmul(dz)?])
}

/// The greatest difference of the hand-written gradients to the recorded ones.
fn apart(sizes: &[usize], m: usize, seed: u64) -> Result<f64> {
    let key = Key::new(seed);
    let draw =
        |name: String, shape: [usize; 2]| Tensor::normal(key.named(&name), shape, 0.0, 0.7, DType::F64);
    let layers = sizes.len() - 1;
    let w = (1..=layers)
        .map(|l| draw(format!("w{l}"), [sizes[l], sizes[l - 1]]))
        .collect::<Result<Vec<_>, _>>()?;
    let b = (1..=layers).map(|l| draw(format!("b{l}"), [sizes[l], 1])).collect::<Result<Vec<_>, _>>()?;
    let x = draw("x".into(), [sizes[0], m])?;
    let y = draw("y".into(), [1, m])?.less(&Tensor::from(0.0))?.cast(DType::F64);

    let (mut a, mut caches) = (x.clone(), Vec::new());
    for l in 0..layers {
        let (next, cache) = forward(&a, &w[l], &b[l], l + 1 == layers)?;
        a = next;
        caches.push(cache);
    }
    let (mut dz, mut by_hand) = ((&a - &y)?, Vec::new());
    for l in (0..layers).rev() {
        let [dw, db, da] = backward(&dz, &caches[l])?;
        by_hand.push([dw, db]);
        if l > 0 {
            let zero = Tensor::from(0.0);
            dz = caches[l - 1].z.less(&zero)?.select(&zero, &da)?;
        }
    }
    by_hand.reverse();

    // The forward formula alone.
    let g = Graph::new();
    let wv: Vec<Var<'_>> = w.iter().map(|w| g.leaf("W", w.clone())).collect();
    let bv: Vec<Var<'_>> = b.iter().map(|b| g.leaf("b", b.clone())).collect();
    let mut out = g.constant(x);
    for l in 0..layers {
        let z = wv[l].matmul(out) + bv[l];
        out = if l + 1 == layers { z } else { z.relu() };
    }
    let cost = binary_cross_entropy_with_logits(out, g.constant(y));
    let (dw, db) = (cost.grad(&wv)?, cost.grad(&bv)?);
    let mut worst = 0.0_f64;
    for l in 0..layers {
        for (recorded, hand) in [(dw[l], &by_hand[l][0]), (db[l], &by_hand[l][1])] {
            ensure!(recorded.shape()[..] == *hand.shape(), "dW has W's shape, db has b's");
            worst = worst.max((&recorded.value()? - hand)?.abs()?.max(..)?.item()?);
        }
    }
    Ok(worst)
}

/// Prints shapes and differences, draws the latter; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, deepest: usize) -> Result<Picture> {
    println!("claim: the blocks' backward halves, written by hand, give what is recorded, at any depth\n");
    let (sizes, m) = ([3, 5, 5, 3, 1], 10);
    println!("layer  W         b        Z and A    ({m} examples as columns)");
    for l in 1..sizes.len() {
        println!("{l:>5}  ({}, {})    ({}, 1)   ({}, {m})", sizes[l], sizes[l - 1], sizes[l], sizes[l]);
    }
    println!("\nlayers   hand-written against recorded, at most ({seeds} seeds)");
    let mut points = Vec::new();
    for layers in 1..=deepest {
        let sizes: Vec<usize> = (0..layers).map(|l| 3 + l % 3).chain([1]).collect();
        let mut worst = 0.0_f64;
        for seed in 0..seeds {
            worst = worst.max(apart(&sizes, m, seed)?);
        }
        println!("{layers:>6}   {worst:.1e}");
        ensure!(worst < 1e-12, "{layers} layers: {worst:e}");
        points.push((layers as f64, worst));
    }
    println!("\na matrix the wrong way round does not get further than its line:");
    let g = Graph::new();
    let (w, x) =
        (g.leaf("W1", Tensor::zeros([3, 5], DType::F64)), g.leaf("X", Tensor::zeros([3, 10], DType::F64)));
    let refused = w.matmul(x).value().err().map(|e| e.to_string()).unwrap_or_default();
    println!("  {}", refused.replace('\n', "\n  "));
    ensure!(refused.contains("c1w4_01_deep_networks.rs"), "the error names the line");
    println!("\nthe claim holds");
    Ok(LinePlot::new("By hand and recorded", "layers", "greatest difference")
        .line("gradients", points)
        .log_y()
        .draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c1w4_01_deep_networks", &run(10, 8)?)
}
