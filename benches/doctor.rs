//! What a doctor at its default interval adds to a training, beside the same training without one.
//!
//!     cargo bench --bench doctor
//!
//! Long trainings and short ones take turns; a share is of the time by which the long one is longer, so that what a doctor
//! does once, before and after, does not count. It is told by itself, in steps.

use std::time::Instant;

use chainrule::data::Dataset;
use chainrule::doctor::Doctor;
use chainrule::progress::Silent;
use chainrule::{loss, prelude::*};

const BATCH: usize = 32;
const ROUNDS: usize = 9;

fn data(examples: usize, features: usize) -> anyhow::Result<Dataset> {
    let x = Tensor::normal(Key::new(1), [examples, features], 0.0, 1.0, DType::F32)?;
    let labels = Tensor::from_vec((0..examples as i64).map(|i| i % 10).collect(), [examples])?;
    Ok(Dataset::classification(x, labels, 10)?)
}

/// Seconds of so many epochs.
fn seconds(data: &Dataset, hidden: &[usize], epochs: usize, watched: bool) -> anyhow::Result<f64> {
    let model = layer(|s, x| {
        let h = hidden
            .iter()
            .enumerate()
            .fold(x, |h, (i, units)| Linear::new(*units).forward(&s.at(&format!("hidden{i}")), h).relu());
        Linear::new(10).forward(&s.at("output"), h)
    });
    let trainer = Trainer::new(model, loss::softmax_cross_entropy)
        .optimiser(Adam::new(1e-3))
        .batch_size(BATCH)
        .epochs(epochs);
    let mut params = Params::new();
    let start = Instant::now();
    if watched {
        Doctor::new().attend(&trainer, &mut params, data, None, &mut Silent)?;
    } else {
        trainer.fit(&mut params, data, None, &mut Silent)?;
    }
    Ok(start.elapsed().as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> anyhow::Result<()> {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|word| word == "--test") {
        return Ok(());
    }
    for (name, features, hidden) in [("784-128-64-10", 784, &[128, 64][..]), ("16-16-10", 16, &[16])] {
        let data = data(100 * BATCH, features)?;
        let [short, long] = [4, 24];
        let (mut shares, mut once) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let time = |epochs, watched| seconds(&data, hidden, epochs, watched);
            let [plain, watched] =
                [[time(short, false)?, time(long, false)?], [time(short, true)?, time(long, true)?]];
            let more = [plain[1] - plain[0], watched[1] - watched[0]];
            shares.push(more[1] / more[0] - 1.0);
            let step = more[0] / (100 * (long - short)) as f64;
            once.push((watched[0] - plain[0]) / step);
        }
        println!(
            "{name}, batch {BATCH}: {:.1} % more time; the first {} steps, the data and the end cost {:.0} steps more",
            100.0 * median(shares),
            100 * short,
            median(once)
        );
    }
    Ok(())
}
