//! Course 5, week 1: a recurrent network and an LSTM step by step. Back-propagation through time, written out as the
//! lectures have it, gives the numbers of the recorded gradient.
//!
//!     cargo run --release --example c5w1_01_back_propagation_through_time

use anyhow::{Result, ensure};
use chainrule::prelude::*;

const STEPS: usize = 6;
const BATCH: usize = 4;
const FEATURES: usize = 3;
const UNITS: usize = 5;

fn normal(seed: u64, name: &str, shape: [usize; 2]) -> Result<Tensor> {
    Ok(Tensor::normal(Key::new(seed).named(name), shape, 0.0, 0.5, DType::F64)?)
}

/// 1 − y², and y(1 − y).
fn slopes(y: &Tensor) -> Result<[Tensor; 2]> {
    let one = Tensor::from(1.0);
    Ok([(&one - &(y * y)?)?, (y * &(&one - y)?)?])
}

fn part(x: &Tensor, i: usize) -> Result<Tensor> {
    Ok(x.slice(1, (i * UNITS) as isize..((i + 1) * UNITS) as isize, 1)?)
}

/// dW and dR of the sum of all outputs, by the lecture's recursion: dh from the step behind, through the cell, to the step
/// before.
fn by_hand(lstm: bool, x: &[Tensor], w: &Tensor, r: &Tensor) -> Result<[Tensor; 2]> {
    let zeros = Tensor::zeros([BATCH, UNITS], DType::F64);
    let (mut h, mut c) = (vec![zeros.clone()], vec![zeros.clone()]);
    let mut gates = Vec::new();
    for x in x {
        let z = (&x.matmul(w)? + &h[h.len() - 1].matmul(r)?)?;
        if lstm {
            let [i, f, o] = [part(&z, 0)?.sigmoid()?, part(&z, 1)?.sigmoid()?, part(&z, 3)?.sigmoid()?];
            let g = part(&z, 2)?.tanh()?;
            c.push((&(&f * &c[c.len() - 1])? + &(&i * &g)?)?);
            h.push((&o * &c[c.len() - 1].tanh()?)?);
            gates.push([i, f, g, o]);
        } else {
            h.push(z.tanh()?);
        }
    }
    let (mut dw, mut dr) = (Tensor::zeros(w.shape(), DType::F64), Tensor::zeros(r.shape(), DType::F64));
    let (mut dh, mut dc) = (zeros.clone(), zeros);
    for t in (0..STEPS).rev() {
        dh = (&dh + &Tensor::from(1.0))?; // each output's own part in the sum
        let dz = if lstm {
            let [i, f, g, o] = &gates[t];
            let a = c[t + 1].tanh()?;
            dc = (&dc + &(&(&dh * o)? * &slopes(&a)?[0])?)?;
            let di = (&(&dc * g)? * &slopes(i)?[1])?;
            let df = (&(&dc * &c[t])? * &slopes(f)?[1])?;
            let dg = (&(&dc * i)? * &slopes(g)?[0])?;
            let d_o = (&(&dh * &a)? * &slopes(o)?[1])?;
            dc = (&dc * f)?;
            Tensor::concat(&[&di, &df, &dg, &d_o], 1)?
        } else {
            (&dh * &slopes(&h[t + 1])?[0])?
        };
        dw = (&dw + &x[t].t()?.matmul(&dz)?)?;
        dr = (&dr + &h[t].t()?.matmul(&dz)?)?;
        dh = dz.matmul(&r.t()?)?;
    }
    Ok([dw, dr])
}

fn recorded(lstm: bool, x: &[Tensor], w: &Tensor, r: &Tensor) -> Result<[Tensor; 2]> {
    let g = Graph::new();
    let mut params = Params::new();
    params.insert("forward0.input.weight", w.clone());
    params.insert("forward0.hidden.weight", r.clone());
    for place in ["input", "hidden"] {
        params.insert(format!("forward0.{place}.bias"), Tensor::zeros([w.shape()[1]], DType::F64));
    }
    let s = Scope::root(&g, params, Mode::Train, 1);
    let net = if lstm { Recurrent::lstm(UNITS) } else { Recurrent::plain(UNITS) };
    let steps: Vec<&Tensor> = x.iter().collect();
    let y = net.forward(&s, g.constant(Tensor::stack(&steps, 1)?));
    let of = |name: &str| s.traced().into_iter().find(|(path, _)| path == name).map(|(_, var)| var);
    let wanted: Vec<Var<'_>> =
        ["forward0.input.weight", "forward0.hidden.weight"].into_iter().filter_map(of).collect();
    let d = y.sum(..).grad(&wanted)?;
    Ok([d[0].value()?, d[1].value()?])
}

/// Prints the worst differences; fails if there is one beyond rounding.
pub fn run(seeds: u64, _: usize) -> Result<()> {
    println!("claim: back-propagation through time is the chain rule, applied to the unrolled network\n");
    for (name, lstm) in [("RNN", false), ("LSTM", true)] {
        let (mut worst, width) = (0.0_f64, if lstm { 4 * UNITS } else { UNITS });
        for seed in 0..seeds {
            let x = (0..STEPS).map(|t| normal(seed, &format!("x{t}"), [BATCH, FEATURES]));
            let x = x.collect::<Result<Vec<Tensor>>>()?;
            let (w, r) = (normal(seed, "w", [FEATURES, width])?, normal(seed, "r", [UNITS, width])?);
            for (a, b) in by_hand(lstm, &x, &w, &r)?.iter().zip(recorded(lstm, &x, &w, &r)?) {
                let gap = (a - &b)?.abs()?.max(..)?.item::<f64>()?;
                worst = worst.max(gap / a.abs()?.max(..)?.item::<f64>()?);
            }
        }
        println!(
            "{name:<5} {STEPS} steps, {seeds} seeds: dW and dR by hand and recorded differ by {worst:.1e}"
        );
        ensure!(worst < 1e-13, "{name}: {worst}");
    }
    println!("\nthe claim holds");
    Ok(())
}

fn main() -> Result<()> {
    run(20, 0)
}
