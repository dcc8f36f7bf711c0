//! Course 3, week 2, lectures 2.9 and 2.10: with few examples steps that people know are better than one network from end
//! to end; much data make up for it.
//!
//!     cargo run --release --example c3w2_09_end_to_end

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::{Dataset, digits};
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;

/// Pairs of pictures, each with the sum of its two digits: 19 classes.
fn sums(data: &Dataset, pairs: usize, key: Key) -> Result<(Dataset, Vec<[usize; 2]>)> {
    let (x, y, m) = (data.features().to_vec::<f32>()?, data.targets().to_vec::<i64>()?, data.examples());
    let drawn = Tensor::uniform(key, [pairs, 2], 0.0..1.0, DType::F64)?.to_vec::<f64>()?;
    let at = |u: f64| ((u * m as f64) as usize).min(m - 1);
    let chosen: Vec<[usize; 2]> = drawn.chunks(2).map(|u| [at(u[0]), at(u[1])]).collect();
    let image = |i: usize| &x[64 * i..64 * i + 64];
    let flat = chosen.iter().flat_map(|[a, b]| image(*a).iter().chain(image(*b)).copied()).collect();
    let labels: Vec<i64> = chosen.iter().map(|[a, b]| y[*a] + y[*b]).collect();
    Ok((
        Dataset::classification(Tensor::from_vec(flat, [pairs, 128])?, Tensor::from(&labels[..]), 19)?,
        chosen,
    ))
}

/// Prints the table, draws it; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, most: usize) -> Result<Picture> {
    println!(
        "claim: reading two digits and adding beats one network from pictures to the sum, by less the more examples there are\n"
    );
    println!("labelled pairs   in two steps %   end to end %        behind %   ({seeds} seeds)");
    let mut rows = Vec::new();
    for pairs in [50, 200, 800, 3200].into_iter().filter(|n| *n <= most) {
        let (mut steps, mut whole) = (Trials::default(), Trials::default());
        for seed in 0..seeds {
            let key = Key::new(seed);
            let [train, test] = digits()?.reshape_examples(&[64])?.split_stratified([0.7, 0.3], key)?;
            let (data, seen) = sums(&train, pairs, key.named("train"))?;
            let (unseen, chosen) = sums(&test, 1000, key.named("test"))?;
            let network = |hidden: &[usize], outputs: usize, examples: usize| {
                let trainer = Trainer::new(lecture::dense(hidden, outputs), softmax_cross_entropy);
                trainer
                    .optimiser(Adam::new(0.003))
                    .epochs((40_000 / examples).clamp(10, 100))
                    .batch_size(32)
                    .seed(seed)
            };
            let direct = network(&[64, 64], 19, pairs);
            whole.0.push(100.0 * lecture::accuracies(&direct, &data, &[&unseen])?[0]);
            // The same pictures, each labelled by itself.
            let own = train.select(&seen.concat())?;
            let reader = network(&[64], 10, own.examples());
            let read =
                reader.evaluator().run(&lecture::train(&reader, &own)?, &test)?.classes.to_vec::<i64>()?;
            let labels = unseen.targets().to_vec::<i64>()?;
            let right =
                chosen.iter().zip(&labels).filter(|([a, b], sum)| read[*a] + read[*b] == **sum).count();
            steps.0.push(100.0 * right as f64 / 1000.0);
        }
        let behind = steps.minus(&whole);
        println!("{pairs:>14} {steps:>16.1} {whole:>14.1} {behind:>15.1}");
        rows.push([(pairs as f64).log10(), steps.mean(), whole.mean()]);
    }
    let behind = |r: &[f64; 3]| r[1] - r[2];
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    ensure!(behind(first) > 20.0, "few examples need steps: {rows:?}");
    ensure!(rows.len() < 3 || behind(last) < 0.5 * behind(first), "much data must make up: {rows:?}");
    println!("\nthe claim holds");
    let line = |what: usize| rows.iter().map(move |r| (r[0], r[what]));
    let plot = LinePlot::new("The sum of two digits", "log10 labelled pairs", "right %");
    Ok(plot.line("read, then add", line(1)).line("end to end", line(2)).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c3w2_09_end_to_end", &run(10, 3200)?)
}
