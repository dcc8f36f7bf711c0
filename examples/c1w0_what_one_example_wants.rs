//! Course 1, the network of 3Blue1Brown's films: what does this one example want to change? Each has a gradient of its own, the
//! step is their mean, and a batch's mean points nearly where the whole set's does.
//!
//!     cargo run --release --example c1w0_what_one_example_wants

mod lecture;

use anyhow::{Context, Result, ensure};
use chainrule::data::digits;
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{Picture, image_sheet};
use chainrule::prelude::*;

/// The cosine of the angle between two vectors.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(x * y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Prints what one digit wants, draws it for ten; fails if a claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: the step is the mean of what each example wants; a weight is wanted to change as active as its source is\n"
    );
    let (mut mean_apart, mut rule_apart) = (0.0_f64, 0.0_f64);
    let (mut alone, mut batches) = (Trials::default(), Trials::default());
    let mut sheet = None;
    for seed in 0..seeds {
        let data = digits()?.reshape_examples(&[64])?.shuffled(Key::new(seed))?;
        let network = lecture::dense(&[16, 16], 10);
        let trainer =
            Trainer::new(lecture::dense(&[16, 16], 10), softmax_cross_entropy).epochs(epochs).seed(seed);
        let params = lecture::train(&trainer, &data)?;
        let few = data.select(&(0..256).collect::<Vec<_>>())?;

        let g = Graph::new();
        let s = Scope::root(&g, params.without_names(), Mode::Train, seed);
        let (x, y) = (g.constant(few.features().clone()), g.constant(few.targets().clone()));
        let logits = network.forward(&s, x);
        let weights: Vec<Var<'_>> = s.traced().into_iter().map(|(_, v)| v).collect();
        // One example is a batch of one; vmap asks each for its own gradient.
        let each = vmap(&[x, y], |e| {
            let z = network.forward(&s.shared(), e[0].insert_axis(0));
            softmax_cross_entropy(z, e[1].insert_axis(0)).grad(&weights)
        })?;
        let whole = softmax_cross_entropy(logits, y).grad(&weights)?;
        let wants = each[0]; // of the first layer's weights, (256, 64, 16)
        for (e, w) in each.iter().zip(&whole) {
            mean_apart = mean_apart.max((e.mean(0) - *w).abs().max(..).value()?.item()?);
        }
        // dW of one example is its pixel times dz of the unit: what is dark in the picture counts.
        let rule = x.insert_axis(2) * each[1].insert_axis(1);
        rule_apart = rule_apart.max((wants - rule).abs().max(..).value()?.item()?);

        let (own, all) = (wants.value()?.to_vec::<f32>()?, whole[0].value()?.to_vec::<f32>()?);
        let group = |n: usize, i: usize| -> Vec<f32> {
            let rows = own.chunks(1024).skip(i * n).take(n);
            rows.fold(vec![0.0; 1024], |sum, row| sum.iter().zip(row).map(|(a, b)| a + b).collect())
        };
        alone.0.push((0..8).map(|i| cosine(&group(1, i), &all)).sum::<f64>() / 8.0);
        batches.0.push((0..4).map(|i| cosine(&group(64, i), &all)).sum::<f64>() / 4.0);

        if sheet.is_none() {
            let labels = few.targets().to_vec::<i64>()?;
            let share = logits.softmax(1).value()?.to_vec::<f32>()?;
            println!("the first example is a {}. What it wants of the ten outputs:", labels[0]);
            for (digit, p) in share[..10].iter().enumerate() {
                let nudge = if digit as i64 == labels[0] { 1.0 - p } else { -p };
                println!("  {digit}  {p:.3}  {nudge:>+7.3}  {}", "#".repeat((nudge.abs() * 40.0) as usize));
            }
            // What each wants the ten outputs' weights from the last hidden layer to be: less where light, more where dark.
            let shown = (0..10).map(|d| labels.iter().position(|l| *l == d).context("every digit"));
            let shown = shown.collect::<Result<Vec<_>>>()?;
            let change = (-each[4]).value()?.take(0, &shown)?;
            let captions: Vec<String> = shown.iter().map(|i| format!("a {} wants", labels[*i])).collect();
            sheet = Some(image_sheet(&change, &captions, 5)?);
        }
    }
    println!("\nmean of 256 single gradients against the batch's: {mean_apart:.0e} apart ({seeds} seeds)");
    println!("dW against pixel · dz: {rule_apart:.0e} apart");
    println!("cosine to the gradient of all 256:  one example {alone:.2},  a batch of 64 {batches:.2}");
    ensure!(mean_apart < 1e-5 && rule_apart < 1e-5, "{mean_apart:e} {rule_apart:e}");
    ensure!(batches.mean() > 0.6 && batches.mean() > 2.0 * alone.mean(), "{batches} against {alone}");
    println!("\nthe claim holds");
    sheet.context("at least one seed")
}

fn main() -> Result<()> {
    lecture::draw("c1w0_what_one_example_wants", &run(10, 2)?)
}
