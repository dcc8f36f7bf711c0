//! Course 1, week 4, lecture 4.4: a deep circuit needs few units for what a shallow one needs exponentially many for.
//!
//!     cargo run --release --example c1w4_04_why_deep

mod lecture;

use anyhow::{Result, ensure};
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// All inputs of n bits, and the parity of each.
fn inputs(n: usize) -> Result<(Tensor, Vec<f64>)> {
    let bits: Vec<f64> =
        (0..1 << n).flat_map(|i| (0..n).map(move |k| f64::from((i >> k & 1) as u8))).collect();
    let parity = (0_u32..1 << n).map(|i| f64::from(i.count_ones() % 2)).collect();
    Ok((Tensor::from_vec(bits, [1 << n, n])?, parity))
}

/// A tree of exclusive ors, each of two ReLU units: a ⊕ b = relu(a + b) − 2 relu(a + b − 1). Also the units.
fn deep(x: Var<'_>, n: usize) -> (Var<'_>, usize) {
    let mut wires: Vec<Var<'_>> = (0..n).map(|k| x.slice(1, k..k + 1)).collect();
    let mut units = 0;
    while wires.len() > 1 {
        let next = wires.chunks(2).map(|p| match p {
            [a, b] => {
                units += 2;
                (*a + *b).relu() - 2.0 * (*a + *b - 1.0).relu()
            }
            rest => rest[0],
        });
        wires = next.collect();
    }
    (wires[0], units)
}

/// One hidden layer of gates: a unit for each input of odd parity, which answers 1 for this input alone.
fn shallow<'g>(x: Var<'g>, n: usize, without: Option<usize>) -> Result<(Var<'g>, usize)> {
    let odd: Vec<usize> = (0..1_usize << n).filter(|i| i.count_ones() % 2 == 1).collect();
    let kept: Vec<usize> =
        odd.iter().enumerate().filter(|(j, _)| Some(*j) != without).map(|(_, i)| *i).collect();
    let weight = |k: usize, i: usize| if i >> k & 1 == 1 { 1.0 } else { -1.0 };
    let w: Vec<f64> = (0..n).flat_map(|k| kept.iter().map(move |i| weight(k, *i))).collect();
    let b: Vec<f64> = kept.iter().map(|i| 1.0 - f64::from(i.count_ones())).collect();
    let g = x.graph();
    let gates = (x.matmul(g.constant(Tensor::from_vec(w, [n, kept.len()])?))
        + g.constant(Tensor::from(&b[..])))
    .relu();
    Ok((gates.sum(keep(1)), kept.len()))
}

/// How many inputs a network answers wrongly.
fn wrong(y: Var<'_>, parity: &[f64]) -> Result<usize> {
    Ok(y.value()?.to_vec::<f64>()?.iter().zip(parity).filter(|(a, b)| (**a - **b).abs() > 1e-9).count())
}

/// Prints the table, draws it; fails if the lecture's claim does not hold.
pub fn run(most: u64, _: usize) -> Result<Picture> {
    println!(
        "claim: the parity of n bits takes O(log n) layers of few units, or one layer of 2^(n − 1) gates"
    );
    println!(
        "(checked on all 2^n inputs; gates that see one pattern each, as in the lecture: a layer whose units add up"
    );
    println!(" all bits could count them with n units)\n");
    println!("bits   deep: units  wrong   shallow: units  wrong   wrong if one gate is missing");
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for n in (2..=most as usize).step_by(2) {
        let (x, parity) = inputs(n)?;
        let g = Graph::new();
        let x = g.constant(x);
        let (deep, units) = deep(x, n);
        let (flat, gates) = shallow(x, n, None)?;
        let (less, _) = shallow(x, n, Some(gates / 2))?;
        let found = [wrong(deep, &parity)?, wrong(flat, &parity)?, wrong(less, &parity)?];
        println!("{n:>4}   {units:>11}  {:>5}   {gates:>14}  {:>5}   {:>4}", found[0], found[1], found[2]);
        ensure!(found == [0, 0, 1] && units == 2 * (n - 1) && gates == 1 << (n - 1), "{n} bits: {found:?}");
        few.push((n as f64, units as f64));
        many.push((n as f64, gates as f64));
    }
    println!("\nthe claim holds");
    let plot = LinePlot::new("Parity", "bits", "units").log_y();
    Ok(plot.line("deep: 2(n − 1)", few).line("one layer of gates: 2^(n − 1)", many).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c1w4_04_why_deep", &run(12, 0)?)
}
