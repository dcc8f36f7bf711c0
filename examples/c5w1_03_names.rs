//! Course 5, week 1, lectures 1.6 and 1.7: a language model of letters. A GRU that reads first names invents others, and is less
//! surprised by names it has not seen than counts of any number of letters are.
//!
//!     cargo run --release --example c5w1_03_names

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::Batch;
use chainrule::generate::Sampling;
use chainrule::loss::CrossEntropy;
use chainrule::metric::{Trials, perplexity};
use chainrule::optim::Rate;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use lecture::sequences::NGrams;

/// Letters are 1 to 26; 0 begins and ends a name.
const TOKENS: usize = 27;
const LONGEST: usize = 13;
const BATCH: usize = 64;
/// How many letters the counts know, the last among them.
const ORDERS: [usize; 5] = [2, 3, 4, 5, 6];

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
    let h = Recurrent::gru(96).forward(&s.at("gru"), h);
    let h = Dropout::keep(0.7).forward(&s.at("drop"), h);
    Linear::new(TOKENS).init(Init::Xavier).forward(&s.at("next"), h)
}

fn loss() -> CrossEntropy {
    CrossEntropy::new().ignoring(-1)
}

/// Perplexity on the test names of counts of so many letters.
fn counted(order: usize, train: &[Vec<i64>], test: &[Vec<i64>]) -> f64 {
    let whole = |names: &[Vec<i64>]| names.iter().map(|n| [&[0], &n[..], &[0]].concat()).collect::<Vec<_>>();
    let (train, test) = (whole(train), whole(test));
    let grams = NGrams::count(order, TOKENS, train.iter().map(|n| &n[..]));
    perplexity(grams.cross_entropy(test.iter().map(|n| &n[..]), 1))
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

/// Prints perplexities and names, draws them; fails if the claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: a recurrent language model predicts letters better than counts of n letters do, for every n\n"
    );
    let (mut ours, mut theirs, mut last) = (Trials::default(), ORDERS.map(|_| Trials::default()), None);
    for seed in 0..seeds {
        let mut all = names();
        Key::new(seed).named("split").shuffle(&mut all);
        let (test, train) = all.split_at(500);
        let rate = Rate::one_cycle(0.008, epochs * (train.len() / BATCH));
        let trainer = Trainer::new(model, loss()).optimiser(Adam::new(rate)).seed(seed);
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
        ours.0.push(perplexity(value.into()));
        for (order, trials) in ORDERS.iter().zip(&mut theirs) {
            trials.0.push(counted(*order, train, test));
        }
        last = Some(step.params());
    }
    println!("perplexity of letters in 500 names not seen ({seeds} seeds)");
    println!("  GRU                   {ours:.2}");
    for (order, trials) in ORDERS.iter().zip(&theirs) {
        println!("  counts of {order} letters   {trials:.2}");
    }
    if let Some(params) = last {
        println!("invented: {}", invented(&params, 10)?.join(", "));
    }
    // A few epochs are enough for counts of two and three letters alone.
    let rivals = if epochs < 15 { 2 } else { ORDERS.len() };
    let best = theirs[..rivals].iter().map(Trials::mean).fold(f64::INFINITY, f64::min);
    ensure!(ours.mean() < best, "{ours:?} against {theirs:?}");
    println!("\nthe claim holds");
    let lines = LinePlot::new("Names that were not seen", "letters that are counted", "perplexity");
    let counts = ORDERS.iter().zip(&theirs).map(|(n, t)| (*n as f64, t.mean()));
    let ends = [ORDERS[0], ORDERS[ORDERS.len() - 1]].map(|n| (n as f64, ours.mean()));
    Ok(lines.line("counts", counts).line("GRU", ends).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c5w1_03_names", &run(3, 20)?)
}
