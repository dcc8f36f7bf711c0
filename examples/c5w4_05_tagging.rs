//! Course 5, week 4, lectures 4.1 to 4.4: which meaning a word has may be said far away. An encoder tags it by asking all words
//! of the sentence; a network that sees a window of neighbours knows it where the neighbours say so.
//!
//!     cargo run --release --example c5w4_05_tagging

mod lecture;

use anyhow::{Result, ensure};
use chainrule::metric::Trials;
use chainrule::nn::position::sinusoidal;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use lecture::sequences::{Draws, each_token, evaluate, first, fit, padded};

const LENGTH: usize = 16;
/// Words of two meanings: bank, pitch, bat … Each may be anywhere in a sentence.
const DOUBLE: usize = 6;
/// Words that say what a sentence is about, four for each of two subjects; one of them stands somewhere.
const TELLING: usize = 8;
/// Words of a fixed tag, a third for each of three tags.
const PLAIN: usize = 30;
const WORDS: usize = DOUBLE + TELLING + PLAIN;
/// Tags: the three of plain words, that of telling words, and two for each word of two meanings.
const TAGS: usize = 4 + 2 * DOUBLE;
const SIZE: usize = 32;
const BESIDE: usize = 2;

/// A sentence and its tags; where its words of two meanings stand, and how far the telling word is from each.
struct Tagged {
    words: Vec<i64>,
    tags: Vec<i64>,
    distance: Vec<(usize, usize)>,
}

fn sentence(draws: &mut Draws) -> Tagged {
    let plain = |draws: &mut Draws| DOUBLE + TELLING + draws.below(PLAIN);
    let mut words: Vec<usize> = (0..LENGTH).map(|_| plain(draws)).collect();
    let (subject, told) = (draws.below(2), draws.below(LENGTH));
    for word in &mut words {
        if draws.chance(0.2) {
            *word = draws.below(DOUBLE);
        }
    }
    words[told] = DOUBLE + 4 * subject + draws.below(4);
    let tag = |w: &usize| match *w {
        w if w < DOUBLE => 4 + 2 * w + subject,
        w if w < DOUBLE + TELLING => 3,
        w => w % 3,
    };
    let of = |x: &[usize]| x.iter().map(|x| *x as i64).collect();
    let tags: Vec<usize> = words.iter().map(tag).collect();
    let double = words.iter().enumerate().filter(|(_, w)| **w < DOUBLE);
    let distance = double.map(|(i, _)| (i, i.abs_diff(told))).collect();
    Tagged { words: of(&words), tags: of(&tags), distance }
}

type Net = for<'g> fn(&Scope<'g>, Var<'g>) -> Var<'g>;

fn encoder<'g>(s: &Scope<'g>, words: Var<'g>) -> Var<'g> {
    let x = Embedding::new(WORDS, SIZE).forward(&s.at("words"), words);
    let x = x + sinusoidal(s.graph(), LENGTH, SIZE);
    let x = TransformerBlock::new(MultiHead::new(2), 2 * SIZE).forward(&s.at("block"), x);
    Linear::new(TAGS).init(Init::Xavier).forward(&s.at("tags"), x)
}

/// Each word with its neighbours side by side, through two layers of as many units as fit.
fn window<'g>(s: &Scope<'g>, words: Var<'g>) -> Var<'g> {
    let x = Embedding::new(WORDS, SIZE).forward(&s.at("words"), words).pad(1, BESIDE, BESIDE);
    let parts: Vec<Var<'g>> = (0..=2 * BESIDE).map(|i| x.slice(1, i..i + LENGTH)).collect();
    let h = Linear::new(2 * SIZE).forward(&s.at("first"), s.graph().concat(&parts, -1)).relu();
    let h = Linear::new(SIZE).forward(&s.at("second"), h).relu();
    Linear::new(TAGS).init(Init::Xavier).forward(&s.at("tags"), h)
}

/// Right tags of words with two meanings, in %, by how far the telling word is.
fn by_distance(found: &Tensor, test: &[Tagged]) -> Result<Vec<f64>> {
    let found = found.to_vec::<i64>()?;
    let (mut right, mut all) = (vec![0.0; LENGTH], vec![0.0; LENGTH]);
    for (sentence, found) in test.iter().zip(found.chunks(LENGTH)) {
        for (i, distance) in &sentence.distance {
            right[*distance] += 100.0 * f64::from(u8::from(found[*i] == sentence.tags[*i]));
            all[*distance] += 1.0;
        }
    }
    Ok(right.iter().zip(&all).map(|(r, n)| r / n).collect())
}

/// Prints the table, draws it; fails if the claim does not hold.
pub fn run(seeds: u64, steps: usize) -> Result<Picture> {
    println!("claim: attention reaches over any distance, a window sees its neighbours\n");
    println!(
        "right tags of words with two meanings, %, by the distance of the word that tells   ({seeds} seeds)"
    );
    println!("{:<28} {:>12} {:>12} {:>12}", "", "1 and 2", "3 to 7", "8 and more");
    let nets: [(&str, Net); 2] = [("encoder", encoder), ("window of two on each side", window)];
    let mut plot =
        LinePlot::new("Tags of words with two meanings", "distance of the word that tells", "right %");
    let mut means = Vec::new();
    for (name, net) in nets {
        let (mut bands, mut curve) = ([const { Trials(Vec::new()) }; 3], vec![0.0; LENGTH]);
        for seed in 0..seeds {
            let mut draws = Draws::new(Key::new(seed).named("sentences"));
            let all: Vec<Tagged> = (0..6000).map(|_| sentence(&mut draws)).collect();
            let set = |of: &[Tagged]| -> Result<Vec<Tensor>> {
                let rows = |f: fn(&Tagged) -> &Vec<i64>| of.iter().map(|s| f(s).clone()).collect::<Vec<_>>();
                Ok(vec![padded(&rows(|s| &s.words), LENGTH, 0)?, padded(&rows(|s| &s.tags), LENGTH, 0)?])
            };
            let (test, train) = all.split_at(1000);
            let train = set(train)?;
            let mut step =
                Step::builder().seed(seed).record(Params::new(), &first(&train, 64)?, |s, x| {
                    let loss = each_token().of(net(s, x[0]), x[1]);
                    Learning::of(Goal::new("loss", loss, Adam::new(0.004)))
                })?;
            fit(&mut step, &train, steps, seed)?;
            let words = set(test)?.swap_remove(0);
            let found = evaluate(&step.params(), &[words], |s, x| vec![net(s, x[0]).argmax(-1)])?;
            let right = by_distance(&found[0], test)?;
            for (band, range) in bands.iter_mut().zip([1..3, 3..8, 8..LENGTH - 1]) {
                band.0.push(right[range.clone()].iter().sum::<f64>() / range.len() as f64);
            }
            curve.iter_mut().zip(&right).for_each(|(c, r)| *c += r / seeds as f64);
        }
        println!("{name:<28} {:>12.1} {:>12.1} {:>12.1}", bands[0], bands[1], bands[2]);
        means.push(bands.map(|b| b.mean()));
        plot = plot.line(name, (1..LENGTH - 1).map(|d| (d as f64, curve[d])));
    }
    let [encoder, window] = [means[0], means[1]];
    ensure!(encoder.iter().all(|r| *r > 98.0), "the encoder knows at every distance: {encoder:?}");
    ensure!(window[0] > 90.0 && window[2] < 65.0, "a window ends: {window:?}");
    println!("\nthe claim holds");
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c5w4_05_tagging", &run(5, 600)?)
}
