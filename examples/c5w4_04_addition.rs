//! Course 5, week 4, lecture 4.4: a small transformer learns to add from examples, and adds numbers that it never saw. One that
//! sees only what is before needs no positions for it: how much is before tells where it stands.
//!
//!     cargo run --release --example c5w4_04_addition

mod lecture;

use anyhow::{Result, ensure};
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use lecture::sequences::{each_token, evaluate, first, fit, padded};

/// Digits of each number; tokens are the ten digits, + and =.
const DIGITS: usize = 2;
const TOKENS: usize = 12;
const SIZE: usize = 48;
/// a + b = and the sum, its last digit first, as one adds on paper; the sum's last token is not read.
const ASKED: usize = 2 * DIGITS + 2;
const LENGTH: usize = ASKED + DIGITS;

fn digits(n: usize, count: usize) -> impl Iterator<Item = i64> {
    (0..count).map(move |i| (n / 10_usize.pow(i as u32) % 10) as i64)
}

/// Tokens read, and those that come next: those of the question are not to be predicted.
fn rows(pairs: &[(usize, usize)]) -> Result<Vec<Tensor>> {
    let all = pairs.iter().map(|(a, b)| {
        let question = digits(*a, DIGITS).chain([10]).chain(digits(*b, DIGITS)).chain([11]);
        question.chain(digits(a + b, DIGITS + 1)).collect::<Vec<i64>>()
    });
    let all: Vec<Vec<i64>> = all.collect();
    let read: Vec<Vec<i64>> = all.iter().map(|row| row[..LENGTH].to_vec()).collect();
    let next = |row: &Vec<i64>| [&[-1; ASKED - 1], &row[ASKED..]].concat();
    let next: Vec<Vec<i64>> = all.iter().map(next).collect();
    Ok(vec![padded(&read, LENGTH, 0)?, padded(&next, LENGTH, -1)?])
}

fn model<'g>(s: &Scope<'g>, tokens: Var<'g>, told: bool) -> Var<'g> {
    let x = Embedding::new(TOKENS, SIZE).init(Init::Normal(0.3)).forward(&s.at("tokens"), tokens);
    let mut x = if told { Position::learnt(LENGTH).forward(&s.at("position"), x) } else { x };
    for name in ["block1", "block2"] {
        let block = TransformerBlock::new(MultiHead::new(4).causal(), 2 * SIZE).pre_norm();
        x = block.forward(&s.at(name), x);
    }
    let x = LayerNorm::new().forward(&s.at("norm"), x);
    Linear::new(TOKENS).init(Init::Xavier).forward(&s.at("next"), x)
}

/// The share of sums of which every digit is right, when each digit is read after it was written.
fn right(params: &Params, pairs: &[(usize, usize)], told: bool) -> Result<f64> {
    let mut read = rows(pairs)?.swap_remove(0);
    let mut found = Vec::new();
    for at in ASKED - 1..LENGTH {
        let next = evaluate(params, &[read.clone()], |s, x| vec![model(s, x[0], told).argmax(-1)])?;
        found.push(next[0].slice(1, at as isize..at as isize + 1, 1)?);
        let (before, own) = (read.slice(1, 0..ASKED as isize, 1)?, found.iter().collect::<Vec<_>>());
        let rest = Tensor::zeros([pairs.len(), LENGTH - ASKED], DType::I64);
        let row = Tensor::concat(&[&[&before], &own[..], &[&rest]].concat(), 1)?;
        read = row.slice(1, 0..LENGTH as isize, 1)?;
    }
    let found = Tensor::concat(&found.iter().collect::<Vec<_>>(), 1)?.to_vec::<i64>()?;
    let same = |(f, (a, b)): &(&[i64], &(usize, usize))| f.iter().copied().eq(digits(a + b, DIGITS + 1));
    Ok(found.chunks(DIGITS + 1).zip(pairs).filter(same).count() as f64 / pairs.len() as f64)
}

/// Prints how many sums are right, draws the losses; fails if the claim does not hold.
pub fn run(seeds: u64, steps: usize) -> Result<Picture> {
    println!(
        "claim: a transformer learns addition from examples; a causal one does so without being told of positions\n"
    );
    let mut plot = LinePlot::new("Addition", "step", "loss (mean of 25 steps)").log_y();
    let mut means = Vec::new();
    for (name, told) in [("positions learnt", true), ("no positions", false)] {
        let mut unseen = Trials::default();
        for seed in 0..seeds {
            let base = 10_usize.pow(DIGITS as u32);
            let mut all: Vec<(usize, usize)> = (0..base * base).map(|i| (i / base, i % base)).collect();
            Key::new(seed).named("pairs").shuffle(&mut all);
            let (test, train) = all.split_at(1000);
            let train = rows(train)?;
            let mut step =
                Step::builder().seed(seed).record(Params::new(), &first(&train, 128)?, |s, x| {
                    let loss = each_token().of(model(s, x[0], told), x[1]);
                    let adam = Adam::new(chainrule::optim::Rate::one_cycle(0.006, steps));
                    Learning::of(Goal::new("loss", loss, adam))
                })?;
            let losses = fit(&mut step, &train, steps, seed)?;
            unseen.0.push(100.0 * right(&step.params(), test, told)?);
            if seed == 0 {
                let means = losses.chunks(25).map(|c| c.iter().sum::<f64>() / c.len() as f64);
                plot =
                    plot.line(name, means.enumerate().map(|(i, l)| (25.0 * i as f64, l)).collect::<Vec<_>>());
            }
        }
        println!(
            "{name:<18} right of 1,000 sums of {DIGITS} digits that were not in training: {unseen:.1} %   ({seeds} seeds)"
        );
        means.push(unseen.mean());
    }
    ensure!(means.iter().all(|right| *right > 98.0), "{means:?}");
    println!("\nthe claim holds");
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c5w4_04_addition", &run(3, 700)?)
}
