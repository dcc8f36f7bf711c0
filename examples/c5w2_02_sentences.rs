//! Course 5, week 2, lecture 2.9: a mean of word vectors tells what a sentence is about, but not what it says. A recurrent
//! network that reads the words in their order does.
//!
//!     cargo run --release --example c5w2_02_sentences

mod lecture;

use anyhow::{Result, ensure};
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::{Trials, accuracy};
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use lecture::sequences::{Draws, evaluate, first, fit, padded};

const THINGS: &str = "food service room view music price staff wine soup garden";
const GOOD: &str = "good lovely fresh kind fine warm superb fair";
const BAD: &str = "bad dull stale rude poor cold awful dear";
const OTHER: &str = "the was very rather not but and used to be though hoped for it we found";
const LONGEST: usize = 12;

fn words(of: &str) -> Vec<&str> {
    of.split(' ').collect()
}

fn vocabulary() -> Vec<&'static str> {
    let mut all = vec![""]; // padding
    [THINGS, GOOD, BAD, OTHER].iter().for_each(|of| all.extend(words(of)));
    all
}

/// A sentence and whether it praises: said plainly, or so that the words in another order say the opposite.
fn sentence(draws: &mut Draws, turned: bool) -> (String, i64) {
    let (thing, praise) = (*draws.of(&words(THINGS)), draws.chance(0.5));
    let (good, bad) = (*draws.of(&words(GOOD)), *draws.of(&words(BAD)));
    let (is, other) = if praise { (good, bad) } else { (bad, good) };
    let very = *draws.of(&["", "very ", "rather "]);
    let text = match (turned, draws.below(3)) {
        (false, 0) => format!("the {thing} was {very}{is}"),
        (false, 1) => format!("we found the {thing} {very}{is}"),
        (false, _) => {
            let more = if praise { words(GOOD) } else { words(BAD) };
            format!("the {thing} was {very}{is} and {}", draws.of(&more))
        }
        (true, 0) => format!("the {thing} was not {other} but {very}{is}"),
        (true, 1) => format!("the {thing} used to be {other} but it was {very}{is}"),
        (true, _) => format!("though we hoped for {other} {thing} we found it {very}{is}"),
    };
    (text, i64::from(praise))
}

/// Sentences as tokens, padded at the left, so that each ends with its last word; and their labels.
fn drawn(draws: &mut Draws, m: usize, turned: impl Fn(&mut Draws) -> bool) -> Result<[Tensor; 2]> {
    let vocabulary = vocabulary();
    let number = |w: &str| vocabulary.iter().position(|v| *v == w).expect("is in the vocabulary") as i64;
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..m {
        let turned = turned(draws);
        let (text, label) = sentence(draws, turned);
        let tokens: Vec<i64> = text.split(' ').map(number).collect();
        rows.push([vec![0; LONGEST - tokens.len()], tokens].concat());
        labels.push(label);
    }
    Ok([padded(&rows, LONGEST, 0)?, Tensor::from(&labels[..])])
}

fn model<'g>(s: &Scope<'g>, tokens: Var<'g>, ordered: bool) -> Var<'g> {
    let x = Embedding::new(vocabulary().len(), 16).forward(&s.at("words"), tokens);
    let h = if ordered {
        Recurrent::gru(24).forward(&s.at("gru"), x).slice(1, LONGEST - 1..LONGEST).squeeze(1)
    } else {
        let there = tokens.not_equal(0).real().insert_axis(-1);
        (x * there).sum(1) / there.sum(1)
    };
    let h = Linear::new(24).forward(&s.at("hidden"), h).relu();
    Linear::new(2).init(Init::Xavier).forward(&s.at("output"), h)
}

/// Prints the table, draws the losses; fails if the claim does not hold.
pub fn run(seeds: u64, steps: usize) -> Result<Picture> {
    println!(
        "claim: the mean of word vectors cannot tell sentences of the same words apart; a network that reads in order can\n"
    );
    println!(
        "right on 1,000 sentences not seen, %   plainly said      in words of both kinds   ({seeds} seeds)"
    );
    let mut picture = LinePlot::new("Sentences whose order matters", "step", "loss (mean of 20 steps)");
    let mut right = Vec::new();
    for (name, ordered) in [("mean of word vectors", false), ("GRU", true)] {
        let mut sets = [Trials::default(), Trials::default()];
        for seed in 0..seeds {
            let mut draws = Draws::new(Key::new(seed).named("sentences"));
            let train = drawn(&mut draws, 4000, |d| d.chance(0.5))?;
            let mut step =
                Step::builder().seed(seed).record(Params::new(), &first(&train, 64)?, |s, x| {
                    let loss = softmax_cross_entropy(model(s, x[0], ordered), x[1]);
                    Learning::of(Goal::new("loss", loss, Adam::new(0.005)))
                })?;
            let losses = fit(&mut step, &train, steps, seed)?;
            for (turned, trials) in [false, true].into_iter().zip(&mut sets) {
                let [x, y] = drawn(&mut draws, 1000, |_| turned)?;
                let z = evaluate(&step.params(), &[x], |s, x| vec![model(s, x[0], ordered).argmax(-1)])?;
                trials.0.push(100.0 * accuracy(&z[0], &y)?);
            }
            if seed == 0 {
                let means = losses.chunks(20).map(|c| c.iter().sum::<f64>() / c.len() as f64);
                let points = means.enumerate().map(|(i, loss)| (20.0 * i as f64, loss));
                picture = picture.line(name, points.collect::<Vec<_>>());
            }
        }
        println!("{name:<32} {:>18.1} {:>27.1}", sets[0], sets[1]);
        right.push(sets.map(|t| t.mean()));
    }
    ensure!(right[0][0] > 98.0 && right[1][0] > 98.0, "both read what is said plainly: {right:?}");
    ensure!(right[0][1] < 60.0 && right[1][1] > 98.0, "only order tells the others: {right:?}");
    println!("\nthe claim holds");
    Ok(picture.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c5w2_02_sentences", &run(10, 400)?)
}
