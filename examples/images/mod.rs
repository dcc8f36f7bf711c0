//! What the programs of course 4 share: the digits as images, rendered scenes of objects, boxes.

#![allow(dead_code, unreachable_pub)]

use std::ops::RangeInclusive;

use anyhow::Result;
use chainrule::boxes::{iou, non_max_suppression};
use chainrule::data::{self, Dataset};
use chainrule::prelude::*;

/// As large as its input.
pub fn same() -> Slide {
    Slide::new().padding(Padding::Same)
}

/// The digits, (m, 1, 8, 8).
pub fn digits() -> Result<Dataset> {
    Ok(data::digits()?.reshape_examples(&[1, 8, 8])?)
}

/// The rows of `data` whose label `wanted` takes.
pub fn rows_of(data: &Dataset, wanted: impl Fn(i64) -> bool) -> Result<Vec<usize>> {
    let labels = data.targets().to_vec::<i64>()?;
    Ok((0..labels.len()).filter(|i| wanted(labels[*i])).collect())
}

/// The first `n` of each class, and the others.
pub fn few_of_each(data: &Dataset, n: usize) -> Result<[Dataset; 2]> {
    let mut seen = std::collections::BTreeMap::new();
    let (mut some, mut others) = (Vec::new(), Vec::new());
    for (i, label) in data.targets().to_vec::<i64>()?.into_iter().enumerate() {
        let count = seen.entry(label).or_insert(0);
        *count += 1;
        if *count <= n { some.push(i) } else { others.push(i) }
    }
    Ok([data.select(&some)?, data.select(&others)?])
}

/// What a model makes of images, outside training.
pub fn outputs(model: &impl Layer, params: &Params, x: &Tensor) -> Result<Tensor> {
    let g = Graph::new();
    let s = Scope::root(&g, params.clone(), Mode::Evaluate, 0);
    Ok(model.forward(&s, g.constant(x.clone())).value()?.cast(DType::F32))
}

/// Random numbers in 0..1, as many as `shape` holds.
pub fn drawn(key: Key, shape: &[usize]) -> Result<Vec<f32>> {
    Ok(Tensor::uniform(key, shape, 0.0..1.0, DType::F32)?.to_vec()?)
}

/// The least `cost` of an image that is found from `start` in so many steps against the gradient, each as long as `rate` times
/// the root of the number of pixels, ever shorter.
pub fn descended<F>(cost: F, start: &Tensor, steps: usize, rate: f64) -> Result<Tensor>
where
    F: for<'g> Fn(&'g Graph, Var<'g>) -> Var<'g>,
{
    let mut slope = value_and_grad(move |g, x| Ok(cost(g, x[0])));
    let mut image = start.clone();
    for step in 0..steps {
        let d = &slope.call(&[image.clone()])?[1];
        let length = (d * d)?.mean(..)?.cast(DType::F64).item::<f64>()?.sqrt().max(1e-12);
        let by = rate * (1.0 - step as f64 / steps as f64) / length;
        image = (&image - &(d * &Tensor::from(by).cast(d.dtype()))?)?;
    }
    Ok(image)
}

/// The kinds of objects in rendered scenes.
pub const SHAPES: [&str; 3] = ["disc", "square", "cross"];

/// Whether an object of a kind, with its middle at (0, 0) and so far a reach, covers the place (y, x).
pub fn covers(kind: usize, y: f32, x: f32, reach: f32) -> bool {
    match kind {
        0 => y.hypot(x) <= reach,
        1 => y.abs().max(x.abs()) <= 0.85 * reach,
        _ => y.abs().max(x.abs()) <= reach && y.abs().min(x.abs()) <= 0.35 * reach,
    }
}

/// An object, found or there.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    /// (x₀, y₀, x₁, y₁) in pixels.
    pub corners: [f64; 4],
    pub class: usize,
    pub score: f64,
}

pub fn boxes(of: &[Object]) -> Result<Tensor> {
    Ok(Tensor::from_vec(of.iter().flat_map(|o| o.corners).collect(), [of.len(), 4])?)
}

/// What stays of objects that overlap by more than `most`.
pub fn suppressed(found: &[Object], most: f64) -> Result<Vec<Object>> {
    let scores: Vec<f64> = found.iter().map(|o| o.score).collect();
    let kept = non_max_suppression(&boxes(found)?, &Tensor::from(&scores[..]), most)?;
    Ok(kept.into_iter().map(|i| found[i]).collect())
}

/// How many of `truth` are found with their class and an overlap above a half.
pub fn hits(truth: &[Object], found: &[Object]) -> Result<usize> {
    let overlaps = iou(&boxes(truth)?, &boxes(found)?)?.to_vec::<f64>()?;
    let near = |t: usize, f: usize| overlaps[t * found.len() + f] > 0.5 && found[f].class == truth[t].class;
    Ok((0..truth.len()).filter(|t| (0..found.len()).any(|f| near(*t, f))).count())
}

pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Pictures of objects on a noisy ground, and what is where in them.
pub struct Scenes {
    /// (n, 1, side, side).
    pub images: Tensor,
    pub objects: Vec<Vec<Object>>,
    /// (n, side, side): 0 for the ground, 1 + kind for an object.
    pub masks: Tensor,
}

/// How often a place is drawn for an object before it is left out.
const TRIES: usize = 8;

/// Scenes with so many objects of any kind each; their boxes do not meet.
pub fn scenes(n: usize, side: usize, count: RangeInclusive<usize>, key: Key) -> Result<Scenes> {
    let noise = Tensor::normal(key.named("noise"), [n, side, side], 0.0, 0.15, DType::F32)?;
    let (mut pixels, mut masks) = (noise.to_vec::<f32>()?, vec![0_i64; n * side * side]);
    let spread = count.end() - count.start() + 1;
    let each = 2 + 3 * TRIES;
    let numbers = drawn(key.named("objects"), &[n, 1 + each * count.end()])?;
    let mut objects = Vec::new();
    for (i, u) in numbers.chunks(1 + each * count.end()).enumerate() {
        let mut there: Vec<Object> = Vec::new();
        let wanted = count.start() + ((u[0] * spread as f32) as usize).min(spread - 1);
        for u in u[1..].chunks(each).take(wanted) {
            let kind = ((u[0] * SHAPES.len() as f32) as usize).min(SHAPES.len() - 1);
            let bright = 0.6 + 0.4 * u[1];
            let places = u[2..].chunks(3).map(|u| {
                let reach = 3.5 + 4.0 * u[0];
                [u[1], u[2]].map(|u| reach + u * (side as f32 - 1.0 - 2.0 * reach)).map(|at| (at, reach))
            });
            for [(y, reach), (x, _)] in places {
                let long = if kind == 1 { 0.85 * reach } else { reach };
                // A pixel is a square around its middle.
                let corners = [x - long, y - long, x + long + 1.0, y + long + 1.0].map(f64::from);
                let object = Object { corners, class: kind, score: 1.0 };
                let apart = |other: &Object| {
                    (0..2).any(|a| corners[a + 2] < other.corners[a] || other.corners[a + 2] < corners[a])
                };
                if there.iter().all(apart) {
                    for p in 0..side * side {
                        if covers(kind, (p / side) as f32 - y, (p % side) as f32 - x, reach) {
                            pixels[i * side * side + p] += bright;
                            masks[i * side * side + p] = 1 + kind as i64;
                        }
                    }
                    there.push(object);
                    break;
                }
            }
        }
        objects.push(there);
    }
    let images = Tensor::from_vec(pixels, [n, 1, side, side])?;
    Ok(Scenes { images, objects, masks: Tensor::from_vec(masks, [n, side, side])? })
}

/// Bars, upright and lying, full and hollow, (n, 1, side, side); in a third of the places two cross with one middle.
pub fn bars(n: usize, side: usize, key: Key) -> Result<(Tensor, Vec<Vec<Object>>)> {
    let noise = Tensor::normal(key.named("noise"), [n, side * side], 0.0, 0.1, DType::F32)?;
    let (mut pixels, mut truth) = (noise.to_vec::<f32>()?, Vec::new());
    let numbers = drawn(key.named("bars"), &[n, 4 * 12])?;
    for (u, image) in numbers.chunks(48).zip(pixels.chunks_mut(side * side)) {
        let mut there = Vec::new();
        for (quarter, u) in u.chunks(12).enumerate().filter(|(_, u)| u[0] < 0.6) {
            let corner = [side / 2 * (quarter % 2), side / 2 * (quarter / 2)];
            let middle =
                [0, 1].map(|a| (corner[a] + side / 4 - 1) as f64 + f64::from(u[1 + a] * 3.0).floor());
            let upright = [u[3] < 0.67, u[3] > 0.33];
            for (i, _) in upright.iter().enumerate().filter(|(_, there)| **there) {
                let u = &u[4 + 4 * i..];
                let (long, wide) = (5.0 + f64::from(u[0] * 2.0), 2.0 + f64::from(u[1]));
                let half = if i == 0 { [wide, long] } else { [long, wide] };
                let class = usize::from(u[2] < 0.5);
                for (p, pixel) in image.iter_mut().enumerate() {
                    // How far a pixel lies within the bar.
                    let at = [(p % side) as f64 + 0.5, (p / side) as f64 + 0.5];
                    let inside =
                        (0..2).map(|a| half[a] - (at[a] - middle[a]).abs()).fold(f64::INFINITY, f64::min);
                    if inside > 0.0 && (class == 0 || inside < 1.1) {
                        *pixel += 0.5 + 0.3 * u[3];
                    }
                }
                let [x, y] = middle;
                let corners = [x - half[0], y - half[1], x + half[0], y + half[1]];
                there.push(Object { corners, class, score: 1.0 });
            }
        }
        truth.push(there);
    }
    Ok((Tensor::from_vec(pixels, [n, 1, side, side])?, truth))
}

/// Those that share their middle with another.
pub fn crossed(there: &[Object]) -> Vec<Object> {
    let middle = |o: &Object| [o.corners[0] + o.corners[2], o.corners[1] + o.corners[3]];
    let shared = |o: &&Object| there.iter().filter(|other| middle(other) == middle(o)).count() > 1;
    there.iter().filter(shared).copied().collect()
}

/// Draws the outline of a box into an image (side, side).
pub fn outline(pixels: &mut [f32], side: usize, corners: [f64; 4], bright: f32) {
    let [x0, y0, x1, y1] = corners.map(|c| (c.round().max(0.0) as usize).min(side - 1));
    for (p, pixel) in pixels.iter_mut().enumerate() {
        let (y, x) = (p / side, p % side);
        let inside = (y0..=y1).contains(&y) && (x0..=x1).contains(&x);
        if inside && (y == y0 || y == y1 || x == x0 || x == x1) {
            *pixel = bright;
        }
    }
}

/// Pixels along each side of a face.
const FACE: usize = 24;

/// Whether a drawn face is dark at (y, x); `u`, from 0 to 1, says whose it is.
fn dark(u: &[f32], y: f32, x: f32) -> bool {
    let between = |i: usize, low: f32, high: f32| low + u[i] * (high - low);
    let beside = x.abs() - between(0, 2.5, 4.5);
    let (eye, mouth) = (between(1, -3.5, -0.5), between(2, 3.5, 6.0));
    let wide = between(3, 1.5, 4.5);
    let round = (x / between(4, 7.0, 9.0)).hypot(y / between(5, 8.0, 9.5));
    let smile = mouth - between(6, -1.5, 1.5) * (x / wide).powi(2);
    (round - 1.0).abs() < 0.09
        || (y - eye).hypot(beside) < between(7, 0.8, 1.7)
        || (y - eye + between(8, 2.0, 3.5)).abs() < 0.6 && beside.abs() < 1.6
        || (y - smile).abs() < 0.7 && x.abs() < wide
        || x.abs() < 0.6 && (eye..eye + between(9, 1.5, 4.5)).contains(&y)
}

/// `each` pictures of so many people, (people · each, 1, FACE, FACE): from beside, tilted, in light from one side.
pub fn faces(people: usize, each: usize, key: Key) -> Result<Dataset> {
    let n = people * each;
    let mut pixels =
        Tensor::normal(key.named("noise"), [n, FACE * FACE], 0.0, 0.1, DType::F32)?.to_vec::<f32>()?;
    let (whose, how) = (drawn(key.named("whose"), &[people, 10])?, drawn(key.named("how"), &[n, 5])?);
    for (i, (u, image)) in how.chunks(5).zip(pixels.chunks_mut(FACE * FACE)).enumerate() {
        let (sin, cos) = (0.4 * (u[0] - 0.5)).sin_cos();
        let [down, right] = [u[1], u[2]].map(|u| 11.5 + 4.0 * (u - 0.5));
        for (p, pixel) in image.iter_mut().enumerate() {
            let (y, x) = ((p / FACE) as f32 - down, (p % FACE) as f32 - right);
            let light = 0.6 + 0.4 * u[3] + 0.04 * (u[4] - 0.5) * x;
            let line = dark(&whose[i % people * 10..][..10], y * cos + x * sin, x * cos - y * sin);
            *pixel += light * f32::from(u8::from(line));
        }
    }
    let labels = (0..n).map(|i| (i % people) as i64).collect();
    Ok(Dataset::classification(
        Tensor::from_vec(pixels, [n, 1, FACE, FACE])?,
        Tensor::from_vec(labels, [n])?,
        people,
    )?)
}
