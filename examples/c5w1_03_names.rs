//! Course 5, week 1: a language model of letters. A GRU that reads first names invents others, and is less surprised by
//! names it has not seen than counts of letter triples are.
//!
//!     cargo run --release --example c5w1_03_names

use anyhow::{Result, ensure};
use chainrule::data::Batch;
use chainrule::generate::Sampling;
use chainrule::loss::{CrossEntropy, EachToken};
use chainrule::metric::perplexity;
use chainrule::prelude::*;

/// Letters are 1 to 26; 0 begins and ends a name.
const TOKENS: usize = 27;
const LONGEST: usize = 13;
const BATCH: usize = 64;

fn names() -> Vec<Vec<i64>> {
    let text = include_str!("data/first_names.txt").to_lowercase();
    let plain = text.lines().filter(|n| n.len() < LONGEST && n.bytes().all(|b| b.is_ascii_lowercase()));
    plain.map(|n| n.bytes().map(|b| i64::from(b - b'a') + 1).collect()).collect()
}

/// Letters, and the next ones; behind the end nothing is to be predicted.
fn batch(names: &[Vec<i64>]) -> Result<Batch> {
    let (mut x, mut y) = (Vec::<i64>::new(), Vec::<i64>::new());
    for name in names {
        let mut row = [&[0], &name[..]].concat();
        row.resize(LONGEST, 0);
        x.extend(&row);
        let mut row = [&name[..], &[0]].concat();
        row.resize(LONGEST, -1);
        y.extend(&row);
    }
    let shape = [names.len(), LONGEST];
    Ok(Batch { features: Tensor::from_vec(x, shape)?, targets: Tensor::from_vec(y, shape)? })
}

fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let h = Embedding::new(TOKENS, 16).forward(&s.at("letters"), x);
    let h = Recurrent::gru(64).forward(&s.at("gru"), h);
    Linear::new(TOKENS).init(Init::Xavier).forward(&s.at("next"), h)
}

fn loss() -> EachToken {
    EachToken(CrossEntropy::new().ignoring(-1))
}

/// Perplexity of counted triples, each count with a half added, on the test names.
fn counted(train: &[Vec<i64>], test: &[Vec<i64>]) -> f64 {
    let mut counts = vec![[0.5_f64; TOKENS]; TOKENS * TOKENS];
    let triples = |name: &Vec<i64>| {
        let all: Vec<usize> = [&[0, 0], &name[..], &[0]].concat().iter().map(|t| *t as usize).collect();
        all.windows(3).map(|w| (w[0] * TOKENS + w[1], w[2])).collect::<Vec<_>>()
    };
    for (two, next) in train.iter().flat_map(triples) {
        counts[two][next] += 1.0;
    }
    let losses: Vec<f64> = test
        .iter()
        .flat_map(triples)
        .map(|(two, next)| -(counts[two][next] / counts[two].iter().sum::<f64>()).ln())
        .collect();
    perplexity(losses.iter().sum::<f64>() / losses.len() as f64)
}

/// Draws names letter by letter.
fn invented(params: &Params, count: u64) -> Result<Vec<String>> {
    let g = Graph::new();
    let x = g.input("x", [1, LONGEST], Kind::Int);
    let logits = model(&Scope::root(&g, params.clone(), Mode::Evaluate, 1), x);
    let mut next = g.compile(&[x], &[logits])?;
    let mut found = Vec::new();
    for nth in 0..count {
        let mut name = vec![0_i64];
        while name.len() < LONGEST {
            let mut row = name.clone();
            row.resize(LONGEST, 0);
            let all = next.run(&[Tensor::from_vec(row, [1, LONGEST])?])?[0].to_vec::<f32>()?;
            let at = (name.len() - 1) * TOKENS;
            let logits: Vec<f64> = all[at..at + TOKENS].iter().map(|z| f64::from(*z)).collect();
            let key = Key::new(nth).at(name.len() as u64);
            match Sampling::new().temperature(0.8).pick(&logits, key)? {
                0 => break,
                letter => name.push(letter as i64),
            }
        }
        found.push(name[1..].iter().map(|c| char::from(b'a' + *c as u8 - 1)).collect());
    }
    Ok(found)
}

/// Prints perplexities and names; fails if the claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<()> {
    println!("claim: a recurrent language model predicts letters better than counts of triples do\n");
    let (mut ours, mut theirs, mut last) = (Vec::new(), Vec::new(), None);
    for seed in 0..seeds {
        let mut all = names();
        Key::new(seed).named("split").shuffle(&mut all);
        let (test, train) = all.split_at(500);
        let trainer = Trainer::new(model, loss()).optimiser(Adam::new(0.004)).seed(seed);
        let mut step = trainer.step(Params::new(), &batch(&train[..BATCH])?, train.len())?;
        let mut order: Vec<usize> = (0..train.len()).collect();
        for epoch in 0..epochs {
            Key::new(seed).at(epoch as u64).shuffle(&mut order);
            for rows in order.chunks_exact(BATCH) {
                let rows: Vec<Vec<i64>> = rows.iter().map(|i| train[*i].clone()).collect();
                step.run(&batch(&rows)?)?;
            }
        }
        let g = Graph::new();
        let s = Scope::root(&g, step.params(), Mode::Evaluate, seed);
        let test_batch = batch(test)?;
        let z = model(&s, g.constant(test_batch.features));
        let value = loss().of(z, g.constant(test_batch.targets)).value()?.item::<f32>()?;
        ours.push(perplexity(value.into()));
        theirs.push(counted(train, test));
        last = Some(step.params());
    }
    let told = |x: &[f64]| {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let spread = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (x.len() as f64 - 1.0).max(1.0);
        format!("{mean:.2} ± {:.2}", spread.sqrt())
    };
    println!(
        "perplexity on 500 names not seen, {seeds} seeds: GRU {}, triples {}",
        told(&ours),
        told(&theirs)
    );
    if let Some(params) = last {
        println!("invented: {}", invented(&params, 10)?.join(", "));
    }
    ensure!(ours.iter().zip(&theirs).all(|(a, b)| a < b), "{ours:?} against {theirs:?}");
    println!("\nthe claim holds");
    Ok(())
}

fn main() -> Result<()> {
    run(3, 12)
}
