//! Course 4, lectures 3.3 and 3.4: sliding windows. A classifier of windows whose dense layers are convolutions reads all windows of
//! a scene in one pass.
//!
//!     cargo run --release --example c4w3_sliding_windows

mod images;
mod lecture;

use anyhow::{Context, Result, ensure};
use chainrule::data::{self, Dataset};
use chainrule::loss;
use chainrule::metric::Trials;
use chainrule::plot::{Picture, image_sheet};
use chainrule::prelude::*;
use images::{Object, hits, outline, suppressed};

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

/// What stands in the window whose upper left end is at (y, x).
fn object([y, x]: [usize; 2], class: usize, score: f64) -> Object {
    Object { corners: [x, y, x + SIDE, y + SIDE].map(|c| c as f64), class, score }
}

/// Scenes (n, 1, SCENE, SCENE) with three digits each, well apart, and what lies where.
fn scenes(digits: &Dataset, n: usize, key: Key) -> Result<(Tensor, Vec<Vec<Object>>)> {
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
            object(at, labels[digit] as usize, 1.0)
        });
        truth.push(placed.collect());
    }
    Ok((Tensor::from_vec(picture, [n, 1, SCENE, SCENE])?, truth))
}

/// Windows of scenes, with the digit where one lies exactly there.
fn windows(scenes: &Tensor, truth: &[Vec<Object>], key: Key) -> Result<Dataset> {
    let (mut parts, mut labels) = (Vec::new(), Vec::new());
    for (i, truth) in truth.iter().enumerate() {
        let scene = scenes.slice(0, i as isize..i as isize + 1, 1)?;
        // Some anywhere, the digits themselves, and what nearly is one.
        let anywhere = key.at(i as u64).permutation(ACROSS * ACROSS)?.into_iter().take(6);
        let mut near: Vec<[usize; 2]> = anywhere.map(|w| [w / ACROSS * STEP, w % ACROSS * STEP]).collect();
        for t in truth {
            let off = |a: usize, by: usize| (a + by).saturating_sub(STEP).min(SCENE - SIDE);
            let moved = [[2, 2], [4, 2], [0, 2], [2, 4], [2, 0]];
            let [x, y] = [0, 1].map(|a| t.corners[a] as usize);
            near.extend(moved.iter().map(|m| [off(y, m[0]), off(x, m[1])]));
        }
        for [down, right] in near {
            let range = |a: usize| a as isize..(a + SIDE) as isize;
            parts.push(scene.slice(2, range(down), 1)?.slice(3, range(right), 1)?);
            let digit = truth.iter().find(|t| t.corners == object([down, right], 0, 0.0).corners);
            labels.push(digit.map_or(BACKGROUND, |t| t.class) as i64);
        }
    }
    let features = Tensor::concat(&parts.iter().collect::<Vec<_>>(), 0)?;
    Ok(Dataset::classification(features, Tensor::from(&labels[..]), BACKGROUND + 1)?)
}

fn probabilities(params: &Params, x: &Tensor) -> Result<Tensor> {
    images::outputs(&layer(|s, x| detector(s, x).softmax(1)), params, x)
}

/// Prints what is found, draws the last scenes; fails if the lectures' claims do not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!("claim: one pass over a scene gives what each window gives alone, and finds the digits\n");
    let digits = data::digits()?;
    let [mut apart, mut before, mut after, mut recall, mut precision] = [(); 5].map(|()| Trials::default());
    let mut picture = None;
    for seed in 0..seeds {
        let [train, test] = digits.split_stratified([0.8, 0.2], Key::new(seed))?;
        let (pictures, truth) = scenes(&train, 450, Key::new(seed).named("train"))?;
        let learn = windows(&pictures, &truth, Key::new(seed).named("windows"))?;
        let cost = loss::from_fn(|z, y| loss::softmax_cross_entropy(z.squeeze(3).squeeze(2), y));
        let trainer = Trainer::new(detector, cost).optimiser(Adam::new(0.003)).epochs(epochs).seed(seed);
        let params = lecture::train(&trainer, &learn)?;

        let (pictures, truth) = scenes(&test, 100, Key::new(seed).named("test"))?;
        let all = probabilities(&params, &pictures)?;
        ensure!(all.shape() == [100, BACKGROUND + 1, ACROSS, ACROSS], "{:?}", all.shape());
        let corner = pictures.slice(2, 4..12, 1)?.slice(3, 6..14, 1)?;
        let alone = probabilities(&params, &corner)?.to_vec::<f32>()?;
        let there = all.slice(2, 2..3, 1)?.slice(3, 3..4, 1)?.to_contiguous().to_vec::<f32>()?;
        apart.0.push(alone.iter().zip(&there).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max));

        let [mut found, mut boxes, mut kept] = [0; 3];
        let mut sheet = pictures.to_vec::<f32>()?;
        for (i, truth) in truth.iter().enumerate() {
            let scene = all.index_axis(0, i as isize)?.to_contiguous().to_vec::<f32>()?;
            let each = (0..ACROSS * ACROSS).flat_map(|w| (0..BACKGROUND).map(move |class| (w, class)));
            let each = each.map(|(w, class)| {
                let score = f64::from(scene[class * ACROSS * ACROSS + w]);
                object([w / ACROSS * STEP, w % ACROSS * STEP], class, score)
            });
            let sure: Vec<Object> = each.filter(|o| o.score > 0.5).collect();
            let left = suppressed(&sure, 0.2)?;
            (found, boxes, kept) = (found + hits(truth, &left)?, boxes + sure.len(), kept + left.len());
            for o in &left {
                outline(&mut sheet[i * SCENE * SCENE..][..SCENE * SCENE], SCENE, o.corners, 0.5);
            }
        }
        let share = |a: usize, b: usize| 100.0 * a as f64 / b as f64;
        before.0.push(boxes as f64 / 3.0);
        after.0.push(kept as f64 / 3.0);
        recall.0.push(share(found, 300));
        precision.0.push(share(found, kept));
        let sheet = Tensor::from_vec(sheet[..4 * SCENE * SCENE].to_vec(), [4, SCENE, SCENE])?;
        picture = Some(image_sheet(&sheet, &["what was found"; 4], 4)?);
    }
    let most = apart.0.iter().copied().fold(0.0, f64::max);
    println!("{ACROSS} × {ACROSS} windows in one pass, at most {most:.0e} from each alone   ({seeds} seeds)");
    println!("boxes for 100 digits {before:.1}, after suppression {after:.1}");
    println!("recall % {recall:.1}, precision % {precision:.1}");
    ensure!(most < 1e-5, "windows alone differ from windows of the scene by {most}");
    ensure!(recall.mean() > 85.0 && precision.mean() > 85.0, "too many missed or invented");
    println!("\nthe claim holds");
    picture.context("no seeds")
}

fn main() -> Result<()> {
    lecture::draw("c4w3_sliding_windows", &run(5, 8)?)
}
