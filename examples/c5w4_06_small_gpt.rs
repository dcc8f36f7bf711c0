//! Course 5, week 4: a small GPT, two blocks of causal attention, reads Genesis letter by letter, is less surprised by its last
//! chapters than counts of any number of letters are, and goes on with what one begins.
//!
//!     cargo run --release --example c5w4_06_small_gpt

mod lecture;

use anyhow::{Result, ensure};
use chainrule::generate::Sampling;
use chainrule::metric::perplexity;
use chainrule::optim::{AdamW, ClipGlobalNorm, Optimiser, Rate};
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use lecture::sequences::{Draws, NGrams, each_token, evaluate, padded};

const TIME: usize = 64;
const BATCH: usize = 16;
const SIZE: usize = 64;
const HEADS: usize = 4;
/// Small letters, spaces, ends of lines and the punctuation of the text.
const LETTERS: &str = "\n !'(),-.:;?abcdefghijklmnopqrstuvwxyz";

fn text() -> Vec<i64> {
    let text = include_str!("data/genesis.txt").to_lowercase();
    text.chars().filter_map(|c| LETTERS.find(c).map(|i| i as i64)).collect()
}

fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let mut x = Embedding::new(LETTERS.len(), SIZE).init(Init::Normal(0.1)).forward(&s.at("letters"), x);
    for name in ["block1", "block2"] {
        let attention = MultiHead::new(HEADS).causal().rotary();
        x = TransformerBlock::new(attention, 4 * SIZE).pre_norm().gelu().forward(&s.at(name), x);
    }
    let x = LayerNorm::new().forward(&s.at("norm"), x);
    Linear::new(LETTERS.len()).init(Init::Xavier).forward(&s.at("next"), x)
}

/// Parts of the text from these places on, and the same one letter further.
fn parts(text: &[i64], from: &[usize]) -> Result<[Tensor; 2]> {
    let part = |more: usize| from.iter().flat_map(move |i| text[i + more..i + more + TIME].iter().copied());
    let shape = [from.len(), TIME];
    Ok([Tensor::from_vec(part(0).collect(), shape)?, Tensor::from_vec(part(1).collect(), shape)?])
}

/// The mean of −ln p over `test`, where each letter is predicted from at least half of TIME letters before it.
fn surprise(params: &Params, test: &[i64]) -> Result<f64> {
    let from: Vec<usize> = (0..test.len() - TIME).step_by(TIME / 2).collect();
    let mut sum = 0.0;
    for from in from.chunks(64) {
        let losses = evaluate(params, &parts(test, from)?, |s, x| {
            let half = |x: Var<'_>| x.shape()[1] / 2..x.shape()[1];
            vec![each_token().of(model(s, x[0]).slice(1, half(x[0])), x[1].slice(1, half(x[1])))]
        })?;
        sum += losses[0].item::<f32>()? as f64 * from.len() as f64;
    }
    Ok(sum / from.len() as f64)
}

/// Goes on with `begun`, letter by letter.
fn go_on(params: &Params, begun: &str, key: Key) -> Result<String> {
    let g = Graph::new();
    let x = g.input("letters", [1, TIME], Kind::Int);
    let logits = model(&Scope::root(&g, params.clone(), Mode::Evaluate, 0), x);
    let mut net = g.compile(&[x], &[logits])?;
    let mut letters: Vec<i64> = begun.chars().filter_map(|c| LETTERS.find(c).map(|i| i as i64)).collect();
    for at in letters.len()..TIME {
        let z = net.run(&[padded(&[letters.clone()], TIME, 0)?])?[0].index_axis(1, at as isize - 1)?;
        let z = z.cast(DType::F64).to_contiguous().to_vec::<f64>()?;
        letters.push(Sampling::new().temperature(0.7).top_p(0.95).pick(&z, key.at(at as u64))? as i64);
    }
    let said = letters.iter().map(|t| LETTERS.as_bytes()[*t as usize] as char);
    Ok(said.collect::<String>().replace('\n', " / "))
}

/// Prints perplexities and samples, draws the loss; fails if the claim does not hold.
pub fn run(seeds: u64, steps: usize) -> Result<Picture> {
    println!("claim: a small GPT predicts letters better than counts of n letters do, for every n\n");
    let text = text();
    let (train, test) = text.split_at(text.len() / 20 * 19);
    println!("perplexity of a letter in the last {} letters of {}", test.len(), text.len());
    let mut rival = f64::INFINITY;
    for order in 2..=7 {
        let counted = perplexity(NGrams::count(order, LETTERS.len(), [train]).cross_entropy([test], order));
        println!("  counts of {order} letters   {counted:.2}");
        // A few hundred steps are enough for counts of three letters alone.
        if steps >= 2000 || order <= 3 {
            rival = rival.min(counted);
        }
    }
    let mut plot = LinePlot::new("A small GPT", "step", "loss (mean of 25 steps)");
    for seed in 0..seeds {
        let mut draws = Draws::new(Key::new(seed).named("parts"));
        let mut places = || (0..BATCH).map(|_| draws.below(train.len() - TIME)).collect::<Vec<usize>>();
        let mut step =
            Step::builder().seed(seed).record(Params::new(), &parts(train, &places())?, |s, x| {
                let adam = AdamW::new(Rate::one_cycle(0.008, steps), 0.01);
                Learning::of(Goal::new(
                    "loss",
                    each_token().of(model(s, x[0]), x[1]),
                    ClipGlobalNorm(1.0).then(adam),
                ))
            })?;
        let losses =
            (0..steps).map(|_| Ok(step.run(&parts(train, &places())?)?)).collect::<Result<Vec<f64>>>()?;
        let means = losses.chunks(25).map(|c| c.iter().sum::<f64>() / c.len() as f64);
        plot = plot.line(
            format!("seed {seed}"),
            means.enumerate().map(|(i, l)| (25.0 * i as f64, l)).collect::<Vec<_>>(),
        );
        let params = step.params();
        let ours = perplexity(surprise(&params, test)?);
        println!("GPT, seed {seed}           {ours:.2}");
        for (i, begun) in ["and god said", "and abraham", "in the land of "].iter().enumerate() {
            println!("  {}", go_on(&params, begun, Key::new(seed).at(i as u64))?);
        }
        ensure!(ours < rival, "GPT {ours}, counts {rival}");
    }
    println!("\nthe claim holds");
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c5w4_06_small_gpt", &run(1, 3000)?)
}
