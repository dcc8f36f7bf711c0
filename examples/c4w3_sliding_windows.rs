//! Course 4, lectures 3.3 to 3.8: a classifier of windows, run as one convolution over scenes; boxes, intersection over
//! union, non-max suppression.
//!
//!     cargo run --release --example c4w3_sliding_windows

use anyhow::{Result, ensure};
use chainrule::prelude::*;
use chainrule::{data, loss, progress::Silent};

/// A window is this long; the network's pooling makes windows begin at every second pixel.
const SIDE: usize = 8;
const STEP: usize = 2;
/// The class behind the ten digits: no digit in the middle of the window.
const BACKGROUND: usize = 10;
const SCENE: usize = 40;
/// Windows along each side of a scene.
const ACROSS: usize = (SCENE - SIDE) / STEP + 1;

/// Scores (m, 11, positions down, positions across): the dense layers are convolutions.
fn detector<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let a = Conv::new(24, [3, 3]).forward(&s.at("conv1"), x).relu();
    let a = MaxPool::new([2, 2]).forward(s, a);
    let a = Conv::new(96, [3, 3]).forward(&s.at("dense2"), a).relu();
    Conv::new(BACKGROUND + 1, [1, 1]).forward(&s.at("dense3"), a)
}

/// Upper and left end, class, score.
#[derive(Clone, Copy, Debug)]
struct Found {
    at: [usize; 2],
    class: usize,
    score: f32,
}

/// Intersection over union of two boxes of `SIDE` by `SIDE` with these corners.
fn iou(a: [usize; 2], b: [usize; 2]) -> f64 {
    let overlap = |i: usize| SIDE.saturating_sub(a[i].abs_diff(b[i]));
    let both = overlap(0) * overlap(1);
    both as f64 / (2 * SIDE * SIDE - both) as f64
}

/// The best, without those that overlap a better one by more than `most`.
fn suppress(mut found: Vec<Found>, most: f64) -> Vec<Found> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Found> = Vec::new();
    for one in found {
        if kept.iter().all(|k| iou(k.at, one.at) <= most) {
            kept.push(one);
        }
    }
    kept
}

/// `scenes` (n, 1, SCENE, SCENE) with three digits each, well apart, and what lies where.
fn scenes(digits: &data::Dataset, n: usize, key: Key) -> Result<(Tensor, Vec<Vec<Found>>)> {
    let (pixels, labels) = (digits.features().to_vec::<f32>()?, digits.targets().to_vec::<i64>()?);
    let mut picture = vec![0.0; n * SCENE * SCENE];
    let order = key.permutation(digits.examples())?;
    let mut truth = Vec::new();
    for i in 0..n {
        let cells = key.at(i as u64).permutation(16)?;
        let shifts = key.named("shift").at(i as u64).permutation(9)?;
        let placed = (0..3).map(|j| {
            let digit = order[(3 * i + j) % order.len()];
            let shift = [shifts[j] / 2 % 2, shifts[j] % 2];
            let at = [10 * (cells[j] / 4) + STEP * shift[0], 10 * (cells[j] % 4) + STEP * shift[1]];
            for (row, line) in pixels[digit * SIDE * SIDE..][..SIDE * SIDE].chunks(SIDE).enumerate() {
                let start = (i * SCENE + at[0] + row) * SCENE + at[1];
                picture[start..start + SIDE].copy_from_slice(line);
            }
            Found { at, class: labels[digit] as usize, score: 1.0 }
        });
        truth.push(placed.collect());
    }
    Ok((Tensor::from_vec(picture, [n, 1, SCENE, SCENE])?, truth))
}

/// Windows of scenes, with the digit where one lies exactly there.
fn windows(scenes: &Tensor, truth: &[Vec<Found>], key: Key) -> Result<data::Dataset> {
    let (mut parts, mut labels) = (Vec::new(), Vec::new());
    for (i, truth) in truth.iter().enumerate() {
        let scene = scenes.slice(0, i as isize..i as isize + 1, 1)?;
        // Some anywhere, the digits themselves, and what nearly is one.
        let anywhere = key.at(i as u64).permutation(ACROSS * ACROSS)?.into_iter().take(6);
        let mut near: Vec<[usize; 2]> = anywhere.map(|w| [w / ACROSS * STEP, w % ACROSS * STEP]).collect();
        for t in truth {
            let off = |a: usize, by: usize| (a + by).saturating_sub(STEP).min(SCENE - SIDE);
            let moved = [[2, 2], [4, 2], [0, 2], [2, 4], [2, 0]];
            near.extend(moved.iter().map(|m| [off(t.at[0], m[0]), off(t.at[1], m[1])]));
        }
        for [down, right] in near {
            let range = |a: usize| a as isize..(a + SIDE) as isize;
            parts.push(scene.slice(2, range(down), 1)?.slice(3, range(right), 1)?);
            let digit = truth.iter().find(|t| t.at == [down, right]);
            labels.push(digit.map_or(BACKGROUND, |t| t.class) as i64);
        }
    }
    let features = Tensor::concat(&parts.iter().collect::<Vec<_>>(), 0)?;
    let n = labels.len();
    Ok(data::Dataset::classification(features, Tensor::from_vec(labels, [n])?, BACKGROUND + 1)?)
}

fn probabilities(params: &Params, x: &Tensor) -> Result<Tensor> {
    let g = Graph::new();
    let s = Scope::root(&g, params.clone(), Mode::Evaluate, 0);
    Ok(detector(&s, g.constant(x.clone())).softmax(1).value()?.cast(DType::F32))
}

fn main() -> Result<()> {
    println!("claim 3.6: two windows that share a half have an intersection over union of 1/3");
    ensure!(iou([0, 0], [0, 4]) == 1.0 / 3.0 && iou([0, 0], [0, 0]) == 1.0 && iou([0, 0], [8, 0]) == 0.0);
    println!("  held");
    let digits = data::digits()?;
    for seed in 0..3 {
        let [train, test] = digits.split_stratified([0.8, 0.2], Key::new(seed))?;
        let (pictures, truth) = scenes(&train, 450, Key::new(seed).named("train"))?;
        let learn = windows(&pictures, &truth, Key::new(seed).named("windows"))?;
        let cost = loss::from_fn(|z, y| loss::softmax_cross_entropy(z.squeeze(3).squeeze(2), y));
        let trainer = Trainer::new(detector, cost).optimiser(Adam::new(0.003)).epochs(8).seed(seed);
        let mut params = Params::new();
        trainer.fit(&mut params, &learn, None, &mut Silent)?;

        let (pictures, truth) = scenes(&test, 100, Key::new(seed).named("test"))?;
        let all = probabilities(&params, &pictures)?;
        ensure!(all.shape() == [100, BACKGROUND + 1, ACROSS, ACROSS], "{:?}", all.shape());
        // Claim 3.4: one pass over the picture gives what each window alone gives.
        let corner = pictures.slice(2, 4..12, 1)?.slice(3, 6..14, 1)?;
        let alone = probabilities(&params, &corner)?.to_vec::<f32>()?;
        let there = all.slice(2, 2..3, 1)?.slice(3, 3..4, 1)?.to_contiguous().to_vec::<f32>()?;
        let apart = alone.iter().zip(&there).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        ensure!(apart < 1e-5, "windows alone differ from windows of the scene by {apart}");

        let (mut hits, mut claimed, mut before) = (0, 0, 0);
        for (i, truth) in truth.iter().enumerate() {
            let scene = all.index_axis(0, i as isize)?.to_contiguous().to_vec::<f32>()?;
            let score = |class: usize, w: usize| scene[class * ACROSS * ACROSS + w];
            let found = (0..ACROSS * ACROSS).flat_map(|w| (0..BACKGROUND).map(move |class| (w, class)));
            let found = found.filter(|(w, class)| score(*class, *w) > 0.5).map(|(w, class)| Found {
                at: [w / ACROSS * STEP, w % ACROSS * STEP],
                class,
                score: score(class, w),
            });
            let found: Vec<Found> = found.collect();
            before += found.len();
            let kept = suppress(found, 0.2);
            claimed += kept.len();
            let right = |t: &&Found| kept.iter().any(|k| k.class == t.class && iou(k.at, t.at) > 0.5);
            hits += truth.iter().filter(right).count();
        }
        let (recall, precision) = (hits as f64 / 300.0, hits as f64 / claimed as f64);
        println!(
            "  seed {seed}: {ACROSS} x {ACROSS} windows in one pass, {apart:.0e} from each alone; {before} boxes, \
             {claimed} after suppression; recall {recall:.3}, precision {precision:.3}"
        );
        ensure!(claimed <= before && recall > 0.85 && precision > 0.85, "too many missed or invented");
    }
    println!("all held");
    Ok(())
}
