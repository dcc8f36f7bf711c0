//! Course 4, lectures 3.5 to 3.9: YOLO. Each cell of a grid says whether the middle of an object lies in it, and where the object
//! ends; anchor boxes tell two apart that share a cell, and non-max suppression leaves one box of many.
//!
//!     cargo run --release --example c4w3_yolo

mod images;
mod lecture;

use anyhow::{Context, Result, ensure};
use chainrule::boxes::{iou, non_max_suppression};
use chainrule::data::Dataset;
use chainrule::loss::from_fn;
use chainrule::metric::Trials;
use chainrule::plot::{Picture, image_sheet};
use chainrule::prelude::*;
use images::{Object, bars, crossed, hits, outline, same, sigmoid, suppressed};

const SIDE: usize = 32;
/// Cells along each side, each of `CELL` pixels.
const GRID: usize = 4;
const CELL: f64 = (SIDE / GRID) as f64;
/// Is there an object; where in the cell its middle is; log of its size in anchors; full or hollow.
const NUMBERS: usize = 1 + 2 + 2 + 2;
/// Width and height.
const TWO: [[f64; 2]; 2] = [[5.0, 12.0], [12.0, 5.0]];
const ONE: [[f64; 2]; 1] = [[8.0, 8.0]];

/// What each cell and anchor is to say, (n, anchors · NUMBERS, GRID, GRID): an object belongs to the cell of its middle and the
/// anchor that it overlaps most; of two that have both alike, one stays.
fn answers(images: &Tensor, truth: &[Vec<Object>], anchors: &[[f64; 2]]) -> Result<Dataset> {
    let each = anchors.len() * NUMBERS * GRID * GRID;
    let mut y = vec![0.0_f32; truth.len() * each];
    let forms = anchors.iter().flat_map(|[w, h]| [0.0, 0.0, *w, *h]).collect();
    let forms = Tensor::from_vec(forms, [anchors.len(), 4])?;
    for (there, y) in truth.iter().zip(y.chunks_mut(each)) {
        for object in there {
            let [x0, y0, x1, y1] = object.corners;
            let (middle, size) = ([(x0 + x1) / 2.0 / CELL, (y0 + y1) / 2.0 / CELL], [x1 - x0, y1 - y0]);
            let overlaps = iou(&Tensor::from([[0.0, 0.0, size[0], size[1]]]), &forms)?;
            let anchor = overlaps.argmax(1)?.to_vec::<i64>()?[0] as usize;
            let cell = middle.map(|m| m as usize);
            let class = [1.0 - object.class as f64, object.class as f64];
            let log = |a: usize| (size[a] / anchors[anchor][a]).ln();
            let numbers = [1.0, middle[0].fract(), middle[1].fract(), log(0), log(1), class[0], class[1]];
            for (i, number) in numbers.into_iter().enumerate() {
                y[((anchor * NUMBERS + i) * GRID + cell[1]) * GRID + cell[0]] = number as f32;
            }
        }
    }
    let y = Tensor::from_vec(y, [truth.len(), anchors.len() * NUMBERS, GRID, GRID])?;
    Ok(Dataset::regression(images.clone(), y)?)
}

fn network(anchors: usize) -> impl Layer {
    layer(move |s, x| {
        let mut a = x;
        for (at, channels) in [("conv1", 8), ("conv2", 16), ("conv3", 32)] {
            a = Conv::new(channels, [3, 3]).slide(same()).forward(&s.at(at), a).relu();
            a = MaxPool::new([2, 2]).forward(s, a);
        }
        let a = Conv::new(48, [3, 3]).slide(same()).forward(&s.at("conv4"), a).relu();
        Conv::new(anchors * NUMBERS, [1, 1]).forward(&s.at("output"), a)
    })
}

/// Place, size and class count only where there is an object.
fn cost<'g>(z: Var<'g>, y: Var<'g>) -> Var<'g> {
    let split = |v: Var<'g>| v.reshape((v.dim(0), -1, NUMBERS, (GRID * GRID)));
    let (z, y) = (split(z), split(y));
    let part = |[from, to]: [usize; 2]| (z.slice(2, from..to), y.slice(2, from..to));
    let [(p, there), (place, at), (size, log), (scores, class)] = [[0, 1], [1, 3], [3, 5], [5, 7]].map(part);
    let seen = p.softplus() - there * p;
    let apart = (place.sigmoid() - at).square().sum(keep(2)) + (size - log).square().sum(keep(2));
    let wrong = -(class * scores.log_softmax(2)).sum(keep(2));
    (seen + there * (apart * 4.0 + wrong)).sum([1, 2, 3]).mean(..)
}

/// The objects that cells are surer of than `least`.
fn read(z: &[f32], anchors: &[[f64; 2]], least: f64) -> Vec<Object> {
    let mut found = Vec::new();
    for (i, cell) in (0..anchors.len()).flat_map(|a| (0..GRID * GRID).map(move |cell| (a, cell))) {
        let of = |n: usize| z[(i * NUMBERS + n) * GRID * GRID + cell];
        let class = usize::from(of(6) > of(5));
        let score = f64::from(sigmoid(of(0)) * sigmoid((of(6) - of(5)).abs()));
        let x = ((cell % GRID) as f64 + f64::from(sigmoid(of(1)))) * CELL;
        let y = ((cell / GRID) as f64 + f64::from(sigmoid(of(2)))) * CELL;
        let [w, h] = [0, 1].map(|a| anchors[i][a] * f64::from(of(3 + a)).exp() / 2.0);
        if score > least {
            found.push(Object { corners: [x - w, y - h, x + w, y + h], class, score });
        }
    }
    found
}

/// Prints the table, draws it; fails if the lectures' claims do not hold.
pub fn run(seeds: u64, epochs: usize) -> Result<Picture> {
    println!("claim: one pass boxes all objects; with an anchor for each form also two of one cell\n");
    let half = Tensor::from([[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0], [5.0, 5.0, 6.0, 6.0]]);
    ensure!(iou(&half, &half)?.to_vec::<f64>()?[1] == 1.0 / 3.0, "two boxes that share a half");
    ensure!(non_max_suppression(&half, &Tensor::from([0.6, 0.9, 0.7]), 0.3)? == [1, 2], "the best stay");
    println!("two boxes that share a half of each: intersection / union 1/3; of them the surer one stays\n");
    println!("anchors   recall %       precision %    crossed bars %  boxes for 100  left   ({seeds} seeds)");
    let (mut rows, mut picture) = (Vec::new(), None);
    for anchors in [&ONE[..], &TWO[..]] {
        let [mut recall, mut precision, mut pairs, mut before, mut after] = [const { Trials(Vec::new()) }; 5];
        for seed in 0..seeds {
            let (images, truth) = bars(800, SIDE, Key::new(seed).named("learn"))?;
            let trainer = Trainer::new(network(anchors.len()), from_fn(cost)).optimiser(Adam::new(0.003));
            let trainer = trainer.epochs(epochs).batch_size(16).seed(seed);
            let params = lecture::train(&trainer, &answers(&images, &truth, anchors)?)?;
            let (images, truth) = bars(200, SIDE, Key::new(seed).named("test"))?;
            let outputs = images::outputs(trainer.model(), &params, &images)?.to_vec::<f32>()?;
            let [mut found, mut objects, mut boxes, mut kept, mut crossing, mut both] = [0; 6];
            let mut sheet = images.to_vec::<f32>()?;
            for (i, there) in truth.iter().enumerate() {
                let each = anchors.len() * NUMBERS * GRID * GRID;
                let all = read(&outputs[i * each..][..each], anchors, 0.3);
                let of_class =
                    |c: usize| all.iter().filter(move |o| o.class == c).copied().collect::<Vec<_>>();
                let left = [suppressed(&of_class(0), 0.5)?, suppressed(&of_class(1), 0.5)?].concat();
                (found, objects) = (found + hits(there, &left)?, objects + there.len());
                (boxes, kept) = (boxes + all.len(), kept + left.len());
                let crossed = crossed(there);
                (both, crossing) = (both + hits(&crossed, &left)?, crossing + crossed.len());
                for object in left {
                    outline(&mut sheet[i * SIDE * SIDE..][..SIDE * SIDE], SIDE, object.corners, 1.6);
                }
            }
            let share = |a: usize, b: usize| 100.0 * a as f64 / b as f64;
            recall.0.push(share(found, objects));
            precision.0.push(share(found, kept));
            pairs.0.push(share(both, crossing));
            before.0.push(share(boxes, objects));
            after.0.push(share(kept, objects));
            let sheet = Tensor::from_vec(sheet[..8 * SIDE * SIDE].to_vec(), [8, SIDE, SIDE])?;
            picture = Some(image_sheet(&sheet, &["what was found"; 8], 4)?);
        }
        let n = anchors.len();
        println!("{n:<9} {recall:<14.1} {precision:<14.1} {pairs:<15.1} {before:<14.0} {after:<14.0}");
        rows.push((recall, precision, pairs));
    }
    ensure!(rows[1].0.mean() > 80.0 && rows[1].1.mean() > 80.0, "objects are missed or invented");
    ensure!(rows[1].2.mean() > rows[0].2.mean() + 20.0, "a second anchor does not find the second object");
    println!("\nthe claim holds");
    picture.context("no seeds")
}

fn main() -> Result<()> {
    lecture::draw("c4w3_yolo", &run(3, 12)?)
}
