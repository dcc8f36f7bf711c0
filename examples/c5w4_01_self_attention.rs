//! Course 5, week 4, lectures 4.1 to 4.3: self-attention by hand. Each word asks all words and takes a mean of what they
//! tell, weighted by how well they answer; the layer is this formula, heads are parts side by side, and order is not seen
//! unless positions are told.
//!
//!     cargo run --release --example c5w4_01_self_attention

mod lecture;

use anyhow::{Result, ensure};
use chainrule::nn::position::sinusoidal;
use chainrule::plot::{Picture, image_sheet};
use chainrule::prelude::*;

const TOKENS: usize = 7;
const SIZE: usize = 12;
const NAMES: [&str; 4] = ["query", "key", "value", "output"];

fn normal(key: Key, shape: impl Into<Shape>) -> Result<Tensor> {
    Ok(Tensor::normal(key, shape, 0.0, 1.0, DType::F64)?)
}

/// Weights and biases of the four projections.
fn drawn(seed: u64) -> Result<Params> {
    let mut params = Params::new();
    for name in NAMES {
        let key = Key::new(seed).named(name);
        let weight = Tensor::normal(key.named("weight"), [SIZE, SIZE], 0.0, 0.4, DType::F64)?;
        params.insert(format!("{name}.weight"), weight);
        params.insert(format!("{name}.bias"), normal(key.named("bias"), [SIZE])?);
    }
    Ok(params)
}

/// The lecture's steps for tokens (time, size): each head's weights, and the outputs.
fn by_hand(params: &Params, x: &Tensor, heads: usize, causal: bool) -> Result<(Vec<Tensor>, Tensor)> {
    let of = |name: String| params.get(&name).expect("was drawn");
    let linear = |name: &str, x: &Tensor| {
        Ok::<_, anyhow::Error>(
            (&x.matmul(of(format!("{name}.weight")))? + of(format!("{name}.bias")))?.to_contiguous(),
        )
    };
    let rows = |x: Tensor| Ok::<_, anyhow::Error>(x.to_vec::<f64>()?);
    let [q, k, v] = [rows(linear("query", x)?)?, rows(linear("key", x)?)?, rows(linear("value", x)?)?];
    let part = SIZE / heads;
    let (mut maps, mut told) = (Vec::new(), vec![0.0; TOKENS * SIZE]);
    for head in 0..heads {
        let mut map = vec![0.0; TOKENS * TOKENS];
        for i in 0..TOKENS {
            // q⟨i⟩ · k⟨j⟩ / √size for all j that are seen; softmax over j; A⟨i⟩ = Σ weight · v⟨j⟩.
            let seen = if causal { i + 1 } else { TOKENS };
            let own = |m: &[f64], t: usize, n: usize| m[t * SIZE + head * part + n];
            let fit = |j: usize| (0..part).map(|n| own(&q, i, n) * own(&k, j, n)).sum::<f64>();
            let e: Vec<f64> = (0..seen).map(|j| (fit(j) / (part as f64).sqrt()).exp()).collect();
            for j in 0..seen {
                map[i * TOKENS + j] = e[j] / e.iter().sum::<f64>();
                for n in 0..part {
                    told[i * SIZE + head * part + n] += map[i * TOKENS + j] * own(&v, j, n);
                }
            }
        }
        maps.push(Tensor::from_vec(map, [TOKENS, TOKENS])?);
    }
    Ok((maps, linear("output", &Tensor::from_vec(told, [TOKENS, SIZE])?)?))
}

/// The layer's outputs, with positions added to the tokens or not.
fn layer_of(params: &Params, x: &Tensor, layer: &MultiHead, told: bool) -> Result<Tensor> {
    let g = Graph::new();
    let s = Scope::root(&g, params.clone(), Mode::Evaluate, 0);
    let x = g.constant(x.insert_axis(0)?);
    let x = if told { x + sinusoidal(&g, TOKENS, SIZE) } else { x };
    Ok(layer.forward(&s, x).value()?.squeeze(0)?)
}

fn gap(a: &Tensor, b: &Tensor) -> Result<f64> {
    Ok((a - b)?.abs()?.max(..)?.item::<f64>()?)
}

/// Prints the worst differences, draws the weights; fails if the claim does not hold.
pub fn run(seeds: u64, _: usize) -> Result<Picture> {
    println!(
        "claim: attention is a mean of values by fitting keys; without positions it does not see order\n"
    );
    println!("{seeds} seeds, {TOKENS} tokens of {SIZE} numbers: worst difference between loops and layer");
    for heads in [1, 2, 4] {
        for causal in [false, true] {
            let layer = MultiHead::new(heads);
            let layer = if causal { layer.causal() } else { layer };
            let mut worst = 0.0_f64;
            for seed in 0..seeds {
                let (params, x) = (drawn(seed)?, normal(Key::new(seed).named("x"), [TOKENS, SIZE])?);
                let (_, hand) = by_hand(&params, &x, heads, causal)?;
                worst = worst.max(gap(&hand, &layer_of(&params, &x, &layer, false)?)?);
            }
            println!(
                "  {heads} heads{}: {worst:.1e}",
                if causal { ", each sees what is before it" } else { "" }
            );
            ensure!(worst < 1e-12, "{heads} heads: {worst}");
        }
    }
    let (mut blind, mut sighted) = (0.0_f64, f64::INFINITY);
    for seed in 0..seeds {
        let (params, x) = (drawn(seed)?, normal(Key::new(seed).named("x"), [TOKENS, SIZE])?);
        let order = Key::new(seed).named("order").permutation(TOKENS)?;
        for told in [false, true] {
            let layer = MultiHead::new(2);
            let turned = layer_of(&params, &x.take(0, &order)?, &layer, told)?;
            let apart = gap(&turned, &layer_of(&params, &x, &layer, told)?.take(0, &order)?)?;
            // An order that is drawn may be the old one.
            if !told {
                blind = blind.max(apart);
            } else if order.iter().enumerate().any(|(i, j)| i != *j) {
                sighted = sighted.min(apart);
            }
        }
    }
    println!("\nwords in another order: outputs, put back in order, differ by at most {blind:.1e},");
    println!("and by at least {sighted:.2} where positions are added to the words");
    ensure!(blind < 1e-12 && sighted > 1e-2, "{blind}, {sighted}");
    println!("\nthe claim holds");
    let (maps, _) = by_hand(&drawn(1)?, &normal(Key::new(1).named("x"), [TOKENS, SIZE])?, 4, true)?;
    let maps: Vec<Tensor> = maps.iter().map(|m| m.cast(DType::F32)).collect();
    let captions: Vec<String> = (1..=4).map(|h| format!("head {h}: rows ask, columns answer")).collect();
    Ok(image_sheet(&Tensor::stack(&maps.iter().collect::<Vec<_>>(), 0)?, &captions, 2)?)
}

fn main() -> Result<()> {
    lecture::draw("c5w4_01_self_attention", &run(20, 0)?)
}
