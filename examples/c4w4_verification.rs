//! Course 4, lectures 4.1 to 4.5: one-shot learning. A network that is taught distances, by triplets, knows people again whom it saw
//! in one picture, and in training never.
//!
//!     cargo run --release --example c4w4_verification

mod images;
mod lecture;

use anyhow::{Context, Result, ensure};
use chainrule::loss;
use chainrule::metric::{Ranking, Trials};
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use images::{faces, few_of_each, same};

/// People of the test, none of whom is among those of the training. Those must be many: of seven kinds of digits nothing was learnt
/// that told the other three apart better than pixels do.
const NEW: usize = 20;
const MARGIN: f64 = 0.4;

/// f(x) of lecture 4.3: vectors of length 1.
fn encoding<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let mut a = x;
    for (at, channels) in [("conv1", 8), ("conv2", 16), ("conv3", 24)] {
        a = Conv::new(channels, [3, 3]).slide(same()).forward(&s.at(at), a).relu();
        a = MaxPool::new([2, 2]).forward(s, a);
    }
    let f = Linear::new(32).init(Init::Xavier).forward(&s.at("output"), Flatten.forward(s, a));
    f / (f.square().sum(keep(1)) + 1e-6).sqrt()
}

/// The pixels themselves, as vectors of length 1.
fn pixels<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let f = Flatten.forward(s, x);
    f / (f.square().sum(keep(1)) + 1e-6).sqrt()
}

/// d of lecture 4.3 between all rows, (n, n).
fn distances<'g>(f: Var<'g>) -> Var<'g> {
    (f.insert_axis(1) - f.insert_axis(0)).square().sum(2)
}

/// Lecture 4.4: max(0, d(A, P) − d(A, N) + α) of all triplets in the batch, the mean of those that are not yet apart.
fn triplets<'g>(f: Var<'g>, labels: Var<'g>) -> Var<'g> {
    let d = distances(f);
    let same = labels.insert_axis(1).equal(labels.insert_axis(0)).real();
    let loss = (d.insert_axis(2) - d.insert_axis(1) + MARGIN).relu();
    let loss = loss * same.insert_axis(2) * (1.0 - same).insert_axis(1);
    loss.sum(..) / loss.greater(0.0).real().sum(..).maximum(1.0)
}

/// Of pairs of images: how well distances tell equal kinds from others, and the curve over all thresholds.
fn verified(d: &[f64], labels: &[i64]) -> Result<Ranking> {
    let n = labels.len();
    let pairs = || (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    let scores = Tensor::from_vec(pairs().map(|(i, j)| -d[i * n + j]).collect(), [n * (n - 1) / 2])?;
    let equal = pairs().map(|(i, j)| i64::from(labels[i] == labels[j])).collect();
    let mut ranking = Ranking::new();
    ranking.add(&scores, &Tensor::from_vec(equal, [n * (n - 1) / 2])?)?;
    Ok(ranking)
}

/// The share of rows behind the first `NEW`, one of each kind, that are nearest to their own kind, in %.
fn one_shot(d: &[f64], labels: &[i64]) -> f64 {
    let n = labels.len();
    let nearest = |i: &usize| (0..NEW).min_by(|a, b| d[a * n + i].total_cmp(&d[b * n + i]));
    let right = (NEW..n).filter(|i| nearest(i).is_some_and(|k| labels[k] == labels[*i])).count();
    100.0 * right as f64 / (n - NEW) as f64
}

/// Prints the table, draws it; fails if the lectures' claims do not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!(
        "claim: distances that are learnt from some people's pictures tell others apart, of whom one each is known\n"
    );
    let kinds = ["pixels", "encoding, drawn", "encoding, learnt"];
    let mut areas = [(); 3].map(|()| Trials::default());
    let mut shots = areas.clone();
    let mut plot = None;
    for seed in 0..seeds {
        let key = Key::new(seed);
        let (old, unseen) = (faces(80, 8, key.named("old"))?, faces(NEW, 10, key.named("new"))?);
        let trainer = Trainer::new(encoding, loss::from_fn(triplets)).optimiser(Adam::new(0.002));
        let trainer = trainer.epochs(epochs).batch_size(48).seed(seed);
        let learnt = lecture::train(&trainer, &old)?;
        // One of each kind first.
        let [one, others] = few_of_each(&unseen, 1)?;
        let x = Tensor::concat(&[one.features(), others.features()], 0)?;
        let labels = [one.targets().to_vec::<i64>()?, others.targets().to_vec()?].concat();
        type Model = for<'g> fn(&Scope<'g>, Var<'g>) -> Var<'g>;
        let models = [(pixels as Model, Params::new()), (encoding, Params::new()), (encoding, learnt)];
        let mut curves = LinePlot::new("Is it the same person? People never seen", "false alarms", "found");
        for (i, (model, params)) in models.iter().enumerate() {
            let d = images::outputs(&layer(|s, x| distances(model(s, x))), params, &x)?;
            let d = d.cast(DType::F64).to_vec::<f64>()?;
            let ranking = verified(&d, &labels)?;
            areas[i].0.push(ranking.roc_auc()?);
            shots[i].0.push(one_shot(&d, &labels));
            let curve = ranking.curve()?;
            let thin = curve.iter().step_by(curve.len().div_ceil(150)).chain(curve.last());
            curves = curves.line(kinds[i], thin.map(|t| (t.false_alarms, t.recall)));
        }
        plot = Some(curves.draw()?);
    }
    println!(
        "distance of         same or not: area under ROC   one-shot, {NEW} new people: right %   ({seeds} seeds)"
    );
    for ((name, area), shot) in kinds.iter().zip(&areas).zip(&shots) {
        println!("{name:<19} {area:>29.3} {shot:>36.1}");
    }
    let gain = areas[2].minus(&areas[0]);
    println!("\nlearnt distances are ahead of pixels by {gain:.3}");
    ensure!(
        gain.mean() > 0.05 && shots[2].mean() > 1.5 * shots[0].mean(),
        "nothing was learnt for new people"
    );
    println!("the claim holds");
    plot.context("no seeds")
}

fn main() -> Result<()> {
    lecture::draw("c4w4_verification", &run(5, 20)?)
}
