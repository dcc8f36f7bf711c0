//! Course 5, week 1: in a plain recurrent network the gradient of what was seen long ago vanishes; gates that stay open
//! carry it.
//!
//!     cargo run --release --example c5w1_02_vanishing_gradients

use anyhow::{Result, ensure};
use chainrule::prelude::*;

const UNITS: usize = 32;
const FEATURES: usize = 8;

/// The gradient's size in the input of `ago` steps before the last, relative to that in the last.
fn carried(net: &Recurrent, open: f64, ago: usize, seed: u64) -> Result<f64> {
    let g = Graph::new();
    let key = Key::new(seed);
    let x = g.leaf("x", Tensor::normal(key, [8, ago + 1, FEATURES], 0.0, 1.0, DType::F32)?);
    let drawn = Scope::root(&g, Params::new(), Mode::Train, seed);
    let _ = net.forward(&drawn, x);
    let mut params = drawn.params();
    // The gate that keeps: the LSTM's second (forget), the GRU's second (z).
    let bias = params.get("forward0.input.bias").cloned();
    if let Some(bias) = bias.filter(|b| b.shape()[0] > UNITS) {
        let gate: Vec<f32> =
            (0..bias.shape()[0]).map(|i| if i / UNITS == 1 { open as f32 } else { 0.0 }).collect();
        params.insert("forward0.input.bias", Tensor::from(&gate[..]));
    }
    let s = Scope::root(&g, params, Mode::Train, seed);
    let h = net.forward(&s, x);
    let last = h.slice(1, ago..ago + 1).sin().sum(..);
    let d = last.grad(&[x])?[0].square().sum([0, 2]).sqrt().value()?.to_vec::<f32>()?;
    Ok(f64::from(d[0]) / f64::from(d[ago]))
}

/// Prints the table; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, _: usize) -> Result<()> {
    println!(
        "claim: in a plain RNN the gradient vanishes with the distance; LSTM and GRU carry it where their gates are open\n"
    );
    println!(
        "gradient in the input that many steps ago, as a share of that in the last (geometric mean ± spread of {seeds} seeds, log10)\n"
    );
    let nets = [
        ("plain", Recurrent::plain(UNITS), 0.0),
        ("LSTM, gates at 1/2", Recurrent::lstm(UNITS), 0.0),
        ("LSTM, gates open", Recurrent::lstm(UNITS), 4.0),
        ("GRU, gates open", Recurrent::gru(UNITS), 4.0),
    ];
    println!("{:<20} {:>14} {:>14} {:>14}", "steps ago", 10, 30, 60);
    let mut far = Vec::new();
    for (name, net, open) in nets {
        print!("{name:<20}");
        for ago in [10, 30, 60] {
            let logs = (0..seeds).map(|seed| Ok(carried(&net, open, ago, seed)?.log10()));
            let logs = logs.collect::<Result<Vec<f64>>>()?;
            let mean = logs.iter().sum::<f64>() / logs.len() as f64;
            let spread = logs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (logs.len() as f64 - 1.0);
            print!(" {mean:>7.1} ± {:>4.1}", spread.sqrt());
            if ago == 60 {
                far.push(mean);
            }
        }
        println!();
    }
    ensure!(far[0] < -4.0 && far[2] > far[0] + 2.0 && far[3] > far[0] + 2.0, "60 steps ago: {far:?}");
    println!("\nthe claim holds");
    Ok(())
}

fn main() -> Result<()> {
    run(10, 0)
}
