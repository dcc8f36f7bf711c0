//! What the programs of course 4 share: measurements over seeds, the digits as images, training.

#![allow(dead_code, unreachable_pub)]

use std::fmt;

use anyhow::Result;
use chainrule::boxes::{iou, non_max_suppression};
use chainrule::data::{self, Dataset};
use chainrule::prelude::*;
use chainrule::progress::Silent;

/// What was measured with each seed.
#[derive(Clone, Debug, Default)]
pub struct Measured(pub Vec<f64>);

/// Student's t of 95 % for 1, 2, … degrees of freedom.
const T95: [f64; 9] = [12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26];

impl Measured {
    pub fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }

    /// Half the width of the mean's 95 % interval.
    pub fn half(&self) -> f64 {
        let (n, mean) = (self.0.len(), self.mean());
        let variance = self.0.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n as f64 - 1.0);
        T95.get(n.wrapping_sub(2)).copied().unwrap_or(2.2) * (variance / n as f64).sqrt()
    }

    /// By how much each seed's value exceeds that of `other`.
    pub fn above(&self, other: &Measured) -> Measured {
        Measured(self.0.iter().zip(&other.0).map(|(a, b)| a - b).collect())
    }

    /// Whether a claim that this is above 0 holds.
    pub fn verdict(&self) -> &'static str {
        match (self.mean() - self.half(), self.mean() + self.half()) {
            (low, _) if low > 0.0 => "the claim holds",
            (_, high) if high < 0.0 => "the claim does NOT hold: it is the other way round",
            _ => "not decided: the interval holds 0",
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(3);
        if self.0.len() < 2 {
            return write!(f, "{:.digits$} (one seed)", self.mean());
        }
        write!(f, "{:.digits$} ± {:.digits$}", self.mean(), self.half())
    }
}

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

/// Parameters, drawn and trained.
pub fn train<M: Layer, L: Loss>(trainer: &Trainer<M, L>, data: &Dataset) -> Result<Params> {
    let mut params = Params::new();
    trainer.fit(&mut params, data, None, &mut Silent)?;
    Ok(params)
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

/// Writes images (n, height, width) to `out/`.
pub fn draw(name: &str, images: &Tensor, captions: &[String], columns: usize) -> Result<()> {
    std::fs::create_dir_all("out")?;
    let file = format!("out/{name}.svg");
    chainrule::plot::image_sheet(images, captions, columns)?.write(&file)?;
    println!("picture: {file}");
    Ok(())
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
