//! Course 5, week 2, lectures 2.1 to 2.10: word vectors from words that stand together, by skip-grams with negative sampling and
//! by GloVe. Differences of them are analogies, and a prejudice of the text is a direction that can be measured and taken out.
//! The text is made by the program, with a prejudice of known size for each profession.
//!
//!     cargo run --release --example c5w2_01_word_vectors

mod lecture;

use anyhow::{Result, ensure};
use chainrule::loss::negative_sampling;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use lecture::sequences::{Draws, first, fit};
use lecture::words::{
    PAIRS, PROFESSIONS, Text, Vector, correlation, dot, neighbours, planted, plus, text, unit,
};

const SIZE: usize = 16;
const NEGATIVES: usize = 5;
/// Which of the neighbours of a word are real, which are drawn from the text, by frequency to the power 3/4.
fn skip_grams(text: &Text, draws: &mut Draws, steps: usize, seed: u64) -> Result<Tensor> {
    let v = text.words.len();
    let mut share = vec![0.0; v];
    text.sentences.iter().flatten().for_each(|w| share[*w] += 1.0);
    let all: f64 = share.iter().map(|n: &f64| n.powf(0.75)).sum();
    let urn: Vec<i64> =
        (0..v).flat_map(|w| vec![w as i64; (20_000.0 * share[w].powf(0.75) / all).ceil() as usize]).collect();
    let pairs: Vec<(usize, usize)> = neighbours(text).collect();
    let (center, beside) = pairs.iter().map(|(a, b)| (*a as i64, *b as i64)).unzip::<_, _, Vec<_>, Vec<_>>();
    let drawn: Vec<i64> = (0..NEGATIVES * pairs.len()).map(|_| *draws.of(&urn)).collect();
    let drawn = Tensor::from_vec(drawn, [pairs.len(), NEGATIVES])?;
    let data = [Tensor::from(&center[..]), Tensor::from(&beside[..]), drawn];
    let mut step = Step::builder().seed(seed).record(Params::new(), &first(&data, 512)?, |s, x| {
        let table = |name: &str| Embedding::new(v, SIZE).init(Init::Normal(0.1)).table(&s.at(name));
        let (w, c) = (table("words"), table("contexts"));
        let word = w.take(0, x[0]).insert_axis(1);
        let together = (word * c.take(0, x[1]).insert_axis(1)).sum([1, 2]);
        let loss = negative_sampling(together, (word * c.take(0, x[2])).sum(-1));
        Learning::of(Goal::new("loss", loss, Adam::new(chainrule::optim::Rate::linear(0.02, 0.002, steps))))
    })?;
    fit(&mut step, &data, steps, seed)?;
    Ok(step.params().get("words.weight").expect("was learnt").clone())
}

/// w · c + b + b' is to be ln of how often both stand together; frequent pairs count more, up to a bound.
fn glove(text: &Text, steps: usize, seed: u64) -> Result<Tensor> {
    let v = text.words.len();
    let mut counts = vec![0.0_f32; v * v];
    neighbours(text).for_each(|(a, b)| counts[a * v + b] += 1.0);
    let data = [Tensor::from_vec(counts, [v, v])?];
    let mut step = Step::builder().seed(seed).record(Params::new(), &data, |s, x| {
        let part = |name: &str, n: usize| s.param(name, [v, n], Init::Normal(0.1));
        let (w, c) = (part("words", SIZE), part("contexts", SIZE));
        let guess = w.matmul(c.t()) + part("word bias", 1) + part("context bias", 1).t();
        let weight = (x[0] / 100.0).minimum(1.0).maximum(1e-9).pow(0.75);
        let loss = (weight * (guess - x[0].maximum(1.0).ln()).square() * x[0].greater(0.0).real()).mean(..);
        Learning::of(Goal::new("loss", loss, Adam::new(chainrule::optim::Rate::linear(0.05, 0.005, steps))))
    })?;
    for _ in 0..steps {
        step.run(&data)?;
    }
    Ok(step.params().get("words").expect("was learnt").clone())
}

/// The share of "a is to b as c to d" of all pairs that the vectors know, in %.
fn analogies(e: &[Vector]) -> f64 {
    let (mut right, mut all) = (0.0, 0.0);
    for (p, q) in (0..PAIRS.len()).flat_map(|p| (0..PAIRS.len()).map(move |q| (p, q))).filter(|(p, q)| p != q)
    {
        for (from, to) in [(0, 1), (1, 0)] {
            let [a, b, c, d] = [2 * p + from, 2 * p + to, 2 * q + from, 2 * q + to];
            let wanted = unit(&plus(&plus(&e[b], -1.0, &e[a]), 1.0, &e[c]));
            let fit = |w: &usize| dot(&wanted, &e[*w]);
            let found =
                (0..e.len()).filter(|w| ![a, b, c].contains(w)).max_by(|v, w| fit(v).total_cmp(&fit(w)));
            right += f64::from(u8::from(found == Some(d)));
            all += 1.0;
        }
    }
    100.0 * right / all
}

/// Moves a pair to equal distances from all that is neutral: what they share stays, along `g` they are opposite.
fn equalise(a: &[f64], b: &[f64], g: &[f64]) -> [Vector; 2] {
    let mean = plus(&plus(a, 1.0, b), -0.5, &plus(a, 1.0, b));
    let shared = plus(&mean, -dot(&mean, g), g);
    let along = (1.0 - dot(&shared, &shared)).max(0.0).sqrt();
    let sign = (dot(a, g) - dot(b, g)).signum();
    [plus(&shared, sign * along, g), plus(&shared, -sign * along, g)]
}

/// Prints the table, draws the prejudice; fails if the claim does not hold.
pub fn run(seeds: u64, steps: usize) -> Result<Picture> {
    println!(
        "claim: analogies are differences of word vectors, a text's prejudice is a direction, and can be taken out\n"
    );
    let count = PROFESSIONS.split(' ').count();
    let shares: Vec<f64> = (0..count).map(planted).collect();
    let mut plot = LinePlot::new("Professions along woman − man", "planted: how often a woman", "cosine");
    for (name, by_count) in [("skip-grams", false), ("GloVe", true)] {
        let [mut right, mut seen, mut unequal] = [const { Trials(Vec::new()) }; 3];
        let (mut left, mut apart, mut curve) = (0.0_f64, 0.0_f64, vec![0.0; count]);
        for seed in 0..seeds {
            let mut draws = Draws::new(Key::new(seed).named("text"));
            let text = text(&mut draws, 6000);
            let table = if by_count {
                glove(&text, steps, seed)?
            } else {
                skip_grams(&text, &mut draws, 2 * steps, seed)?
            };
            let e: Vec<Vector> = table.cast(DType::F64).to_vec::<f64>()?.chunks(SIZE).map(unit).collect();
            right.0.push(analogies(&e));
            let g = (0..PAIRS.len())
                .fold(vec![0.0; SIZE], |g, p| plus(&plus(&g, 1.0, &e[2 * p + 1]), -1.0, &e[2 * p]));
            let g = unit(&g);
            let professions = &e[2 * PAIRS.len()..2 * PAIRS.len() + count];
            let along: Vec<f64> = professions.iter().map(|p| dot(p, &g)).collect();
            seen.0.push(correlation(&along, &shares));
            curve.iter_mut().zip(&along).for_each(|(c, a)| *c += a / seeds as f64);
            let neutral: Vec<Vector> = professions.iter().map(|p| unit(&plus(p, -dot(p, &g), &g))).collect();
            left = neutral.iter().map(|p| dot(p, &g).abs()).fold(left, f64::max);
            let mut sum = 0.0;
            for pair in e[..2 * PAIRS.len()].chunks(2) {
                let [a, b] = equalise(&pair[0], &pair[1], &g);
                let unlike = |a: &[f64], b: &[f64]| {
                    neutral.iter().map(|p| (dot(p, a) - dot(p, b)).abs()).fold(0.0, f64::max)
                };
                sum += unlike(&pair[0], &pair[1]) / PAIRS.len() as f64;
                apart = apart.max(unlike(&a, &b));
            }
            unequal.0.push(sum);
        }
        println!("{name} ({seeds} seeds)");
        println!("  analogies right                               {right:.0} %");
        println!("  planted and measured prejudice correlate by   {seen:.3}");
        println!("  left along the direction once neutralised     {left:.0e}");
        println!("  a profession is nearer to one of a pair by    {unequal:.2}, once equalised {apart:.0e}");
        ensure!(right.mean() > 90.0 && seen.mean() > 0.95, "{name}: {right}, {seen}");
        ensure!(left < 1e-12 && apart < 1e-12 && unequal.mean() > 1e-3, "{name}: {left}, {apart}, {unequal}");
        plot = plot.line(name, shares.iter().copied().zip(curve));
    }
    println!("\nthe claim holds");
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c5w2_01_word_vectors", &run(5, 400)?)
}
