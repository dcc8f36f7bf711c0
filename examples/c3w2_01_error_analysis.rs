//! Course 3, week 2, lectures 2.1 and 2.3: counting kinds of mistakes says beforehand how much each piece of work can gain.
//!
//!     cargo run --release --example c3w2_01_error_analysis

mod lecture;

use anyhow::{Result, ensure};
use chainrule::data::{Dataset, digits};
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::plot::{Picture, image_sheet};
use chainrule::prelude::*;

const KINDS: [&str; 3] = ["negative", "faint", "shifted"];

/// A picture of this kind.
fn change(kind: usize, image: &[f32]) -> Vec<f32> {
    let at = |i: usize| match kind {
        0 => 1.0 - image[i],
        1 => 0.15 * image[i],
        2 if i.is_multiple_of(8) => 0.0,
        2 => image[i - 1],
        _ => image[i],
    };
    (0..64).map(at).collect()
}

/// What arrives: of 100 pictures 8 negatives, 8 faint, 8 shifted, the others as they should be; and each one's kind.
fn arrived(data: &Dataset) -> Result<(Dataset, Vec<usize>)> {
    let kinds: Vec<usize> =
        (0..data.examples()).map(|i| (i % 25) / 2).map(|k| if k < 3 { k } else { 3 }).collect();
    let pixels = data.features().to_vec::<f32>()?;
    let changed = pixels.chunks(64).zip(&kinds).flat_map(|(image, kind)| change(*kind, image)).collect();
    Ok((data.map_features(|x| Ok(Tensor::from_vec(changed, x.shape())?))?, kinds))
}

/// The training set, a third of which is turned into this kind.
fn with_kind(data: &Dataset, kind: usize) -> Result<Dataset> {
    let pixels = data.features().to_vec::<f32>()?;
    let changed = pixels.chunks(64).enumerate();
    let changed =
        changed.flat_map(|(i, image)| change(if i.is_multiple_of(3) { kind } else { 3 }, image)).collect();
    Ok(data.map_features(|x| Ok(Tensor::from_vec(changed, x.shape())?))?)
}

/// Prints the table, draws mistakes of the first seed; fails if the lecture's claim does not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: the share of a kind among the mistakes is the most that work on it can gain, and ranks the work\n"
    );
    let mut ceilings = [(); 3].map(|()| Trials::default());
    let mut gains = [(); 3].map(|()| Trials::default());
    let mut error = Trials::default();
    let mut sheet = None;
    for seed in 0..seeds {
        let [train, dev] = digits()?.reshape_examples(&[64])?.split_stratified([0.5, 0.5], Key::new(seed))?;
        let (dev, kinds) = arrived(&dev)?;
        let network =
            || Trainer::new(lecture::dense(&[32], 10), softmax_cross_entropy).optimiser(Adam::new(0.005));
        let errors = |data: &Dataset| -> Result<Vec<usize>> {
            let trainer = network().epochs(epochs).seed(seed);
            let seen = trainer.evaluator().run(&lecture::train(&trainer, data)?, &dev)?.classes;
            Ok(chainrule::metric::mistakes(&seen, dev.targets())?)
        };
        let percent = |n: usize| 100.0 * n as f64 / dev.examples() as f64;
        let wrong = errors(&train)?;
        error.0.push(percent(wrong.len()));
        for kind in 0..3 {
            ceilings[kind].0.push(percent(wrong.iter().filter(|i| kinds[**i] == kind).count()));
            gains[kind].0.push(percent(wrong.len()) - percent(errors(&with_kind(&train, kind)?)?.len()));
        }
        if sheet.is_none() {
            let shown = &wrong[..wrong.len().min(24)];
            let captions: Vec<&str> =
                shown.iter().map(|i| KINDS.get(kinds[*i]).copied().unwrap_or("other")).collect();
            let images = dev.select(shown)?.reshape_examples(&[8, 8])?;
            sheet = Some(image_sheet(images.features(), &captions, 8)?);
        }
    }
    println!("dev error {error:.1} % ({seeds} seeds)\n");
    println!("kind       of all pictures %, wrong and of this kind   gained by training with the kind %");
    for (kind, name) in KINDS.iter().enumerate() {
        println!("{name:<10} {:>44.1} {:>36.1}", ceilings[kind], gains[kind]);
        ensure!(gains[kind].mean() < ceilings[kind].mean() + 1.0, "{name}: beyond the ceiling");
    }
    let (c, g) = (ceilings.map(|c| c.mean()), gains.map(|g| g.mean()));
    let least = (0..3).min_by(|a, b| c[*a].total_cmp(&c[*b])).unwrap_or(0);
    ensure!((0..3).all(|k| k == least || g[k] > g[least]), "the least ceiling must gain least: {c:?} {g:?}");
    println!("\nthe claim holds");
    sheet.ok_or_else(|| anyhow::anyhow!("at least one seed"))
}

fn main() -> Result<()> {
    lecture::draw("c3w2_01_error_analysis", &run(10, 25)?)
}
