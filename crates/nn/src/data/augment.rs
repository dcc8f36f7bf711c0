//! Augmentation: images that are changed at random each time they are seen.

mod draw;
mod warp;

use std::ops::Range;

use chainrule_tensor::{DType, Key, Shape, Tensor};

use super::{Batch, Classes, Dataset, one_hot};
use crate::{Error, Result};
use draw::Dice;
use warp::{Map, Pixel, Size};

/// Changes images at random, each time they are seen, into others of the same meaning (course 2, lecture 1.8; course 4, lecture
/// 2.10). Images are (height, width) or, as convolutions take them, (channels, height, width).
///
/// As a stage of training: [`Trainer::augment`](crate::Trainer::augment); of batches: [`Batches::augmented`](super::Batches::augmented).
/// What becomes of an image is a function of the key and its row, so it does not depend on the size of batches or on threads,
/// and a run that is resumed sees the same images.
///
/// All that moves pixels (crop, flip, scale, rotation, shift, in this order) is one map, and pixels are looked up once, so
/// nothing is blurred twice; flips and shifts alone copy. Then brightness, noise and limits are applied, then mixup.
///
/// Labels of classes stay. Targets that lie in the image move with it if it is [said](Augment::targets) what they are.
///
/// ```
/// use chainrule_nn::data::{Augment, digits};
/// use chainrule_tensor::Key;
/// let digits = digits()?.reshape_examples(&[8, 8])?; // flipped, digits would be no digits
/// let augment = Augment::new().shift(1).rotate(10.0).noise(0.5);
/// for batch in digits.batches(64)?.augmented(&augment, Key::new(1))?.take(3) {
///     assert_eq!(batch?.features.shape(), [64, 8, 8]);
/// }
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Augment {
    flip: [f64; 2],
    shift: usize,
    rotate: f64,
    scale: Range<f64>,
    crop: f64,
    brightness: f64,
    noise: f64,
    limits: Option<(f64, f64)>,
    outside: f64,
    mixup: f64,
    targets: Moves,
}

/// What becomes of targets where pixels move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Moves {
    /// Labels of classes, (m,), stay; other targets are refused.
    #[default]
    Labels,
    /// All targets stay, whatever they are.
    Nothing,
    /// Labels of pixels, i64 (m, height, width), move with these; what comes in from outside has this label.
    Mask {
        /// Such as the one that the loss ignores.
        outside: i64,
    },
    /// Boxes (m, …, 4) as corners (x₀, y₀, x₁, y₁) in pixels, see [`boxes`](crate::boxes), move with these. A turned box becomes the
    /// upright one around it; what leaves the image is cut off, and a box that has left it is all 0.
    Boxes,
}

impl Default for Augment {
    fn default() -> Self {
        Augment::new()
    }
}

impl Augment {
    /// One that changes nothing.
    pub fn new() -> Self {
        Augment {
            flip: [0.0; 2],
            shift: 0,
            rotate: 0.0,
            scale: 1.0..1.0,
            crop: 1.0,
            brightness: 0.0,
            noise: 0.0,
            limits: None,
            outside: 0.0,
            mixup: 0.0,
            targets: Moves::Labels,
        }
    }

    /// Left becomes right, with this probability.
    pub fn flip(self, chance: f64) -> Self {
        Augment { flip: [chance, self.flip[1]], ..self }
    }

    /// Top becomes bottom, with this probability.
    pub fn flip_upside_down(self, chance: f64) -> Self {
        Augment { flip: [self.flip[0], chance], ..self }
    }

    /// Moves by up to so many whole pixels, in both directions.
    pub fn shift(self, pixels: usize) -> Self {
        Augment { shift: pixels, ..self }
    }

    /// Turns about the middle by up to so many degrees, either way.
    pub fn rotate(self, degrees: f64) -> Self {
        Augment { rotate: degrees, ..self }
    }

    /// Makes what is seen larger or smaller, by a factor of the range: `0.8..1.2`.
    pub fn scale(self, factors: Range<f64>) -> Self {
        Augment { scale: factors, ..self }
    }

    /// Cuts out a window anywhere in the image, whose sides are at least this share of the image's, and brings it to the
    /// size of the image.
    pub fn crop(self, least: f64) -> Self {
        Augment { crop: least, ..self }
    }

    /// Adds one number to all pixels of an image, up to this, either way.
    pub fn brightness(self, most: f64) -> Self {
        Augment { brightness: most, ..self }
    }

    /// Adds normal noise of this standard deviation to each number.
    pub fn noise(self, std: f64) -> Self {
        Augment { noise: std, ..self }
    }

    /// Numbers that brightness and noise bring beyond these limits are brought back to them.
    pub fn limits(self, least: f64, most: f64) -> Self {
        Augment { limits: Some((least, most)), ..self }
    }

    /// What comes in from outside the image; 0 if nothing is said.
    pub fn outside(self, value: f64) -> Self {
        Augment { outside: value, ..self }
    }

    /// Mixes each example with the next one of its batch, λ to 1 − λ, λ drawn from Beta(α, α) (Zhang et al. 2018), targets alike:
    /// labels become shares of classes (m, classes), as the [cross-entropy](crate::loss::CrossEntropy) takes them.
    pub fn mixup(self, alpha: f64) -> Self {
        Augment { mixup: alpha, ..self }
    }

    /// What targets are.
    pub fn targets(self, moves: Moves) -> Self {
        Augment { targets: moves, ..self }
    }

    fn moves_pixels(&self) -> bool {
        self.flip != [0.0; 2]
            || self.shift > 0
            || self.rotate != 0.0
            || self.scale != (1.0..1.0)
            || self.crop != 1.0
    }

    /// Refuses data that are no images, targets of which nothing is said, and numbers that make no sense.
    pub(super) fn fits(&self, data: &Dataset) -> Result<()> {
        let refuse = |why: String| Err(Error::argument("Augment", why));
        let shape = data.example_shape();
        if !matches!(shape.len(), 2 | 3) {
            let why = "images are (height, width) or (channels, height, width); Dataset::reshape_examples makes them so";
            return refuse(format!("examples have shape {shape}; {why}"));
        }
        if !matches!(data.features().dtype(), DType::F32 | DType::F64) {
            return refuse(format!("images of {} are not real numbers", data.features().dtype()));
        }
        let chances = [("flip", self.flip[0]), ("flip_upside_down", self.flip[1])];
        if let Some((name, chance)) = chances.into_iter().find(|(_, chance)| !(0.0..=1.0).contains(chance)) {
            return refuse(format!("{name} is {chance}; a probability is within 0 and 1"));
        }
        let not_negative = [("rotate", self.rotate), ("brightness", self.brightness), ("noise", self.noise)];
        if let Some((name, value)) = not_negative.into_iter().find(|(_, v)| !(v.is_finite() && *v >= 0.0)) {
            return refuse(format!("{name} is {value}; it is at least 0 and finite"));
        }
        if !(self.scale.start > 0.0 && self.scale.end >= self.scale.start && self.scale.end.is_finite()) {
            return refuse(format!("scale is {:?}; factors are positive, the lesser first", self.scale));
        }
        if !(self.crop > 0.0 && self.crop <= 1.0) {
            return refuse(format!(
                "crop is {}; the least share of a side is above 0 and at most 1",
                self.crop
            ));
        }
        if !(0.0..=1.0).contains(&self.mixup) {
            return refuse(format!("mixup is {}; α is within 0 and 1", self.mixup));
        }
        if !self.outside.is_finite()
            || self.limits.is_some_and(|(least, most)| least > most || (least + most).is_nan())
        {
            return refuse(format!("outside is {}, limits are {:?}", self.outside, self.limits));
        }
        let targets = data.targets();
        let (found, pixels) = (Shape::from(targets.shape()), Shape::from(&shape[shape.len() - 2..]));
        match self.targets {
            Moves::Labels if self.moves_pixels() && (data.classes().is_none() || targets.rank() != 1) => {
                refuse(format!(
                    "targets {found} are no classes of whole images, and pixels move: say with Augment::targets what \
                     becomes of them (Moves::Nothing, Moves::Mask, Moves::Boxes)"
                ))
            }
            Moves::Mask { .. } if targets.dtype() != DType::I64 || targets.shape()[1..] != pixels[..] => {
                refuse(format!(
                    "a mask has a label i64 for each pixel, (m, {}, {}), not {found}",
                    pixels[0], pixels[1]
                ))
            }
            Moves::Boxes if targets.shape().last() != Some(&4) || targets.dtype() == DType::I64 => {
                refuse(format!("boxes are real numbers (m, …, 4), not {} {found}", targets.dtype()))
            }
            Moves::Mask { .. } | Moves::Boxes if self.mixup > 0.0 => {
                refuse("masks and boxes of two images cannot be mixed: leave out mixup".into())
            }
            _ => Ok(()),
        }
    }

    /// The examples of a batch, which are `rows` of the data, changed.
    pub(super) fn apply(
        &self,
        batch: Batch,
        rows: &[usize],
        key: Key,
        classes: Option<&Classes>,
    ) -> Result<Batch> {
        let shape = &batch.features.shape()[1..];
        let size = [shape[shape.len() - 2], shape[shape.len() - 1]];
        let dice: Vec<Dice> = rows.iter().map(|row| Dice::new(key.at(*row as u64))).collect::<Result<_>>()?;
        let maps: Vec<Map> = dice.iter().map(|dice| self.map(dice, size)).collect();
        let features = match batch.features.dtype() {
            DType::F32 => self.images::<f32>(&batch.features, &dice, &maps, size)?,
            _ => self.images::<f64>(&batch.features, &dice, &maps, size)?,
        };
        let mut targets = self.moved(batch.targets, &maps, size)?;
        if self.mixup == 0.0 {
            return Ok(Batch { features, targets });
        }
        if let Some(classes) = classes {
            targets = one_hot(&targets, classes.clone())?;
        }
        let shares: Vec<f64> = dice.iter().map(|dice| dice.beta(self.mixup)).collect::<Result<_>>()?;
        Ok(Batch { features: mixed(&features, &shares)?, targets: mixed(&targets, &shares)? })
    }

    fn map(&self, dice: &Dice, [h, w]: Size) -> Map {
        if !self.moves_pixels() {
            return Map::SAME;
        }
        let [across, up_down, shift_x, shift_y, turn, scale, side, place_x, place_y, _] = dice.drawn;
        let whole = |drawn: f64| (drawn * (2 * self.shift + 1) as f64).floor() - self.shift as f64;
        let moved = Map([1.0, 0.0, -whole(shift_x), 0.0, 1.0, -whole(shift_y)]);
        let (sin, cos) = (self.rotate * (2.0 * turn - 1.0)).to_radians().sin_cos();
        let turned = Map([cos, sin, 0.0, -sin, cos, 0.0]);
        let factor = 1.0 / (self.scale.start + (self.scale.end - self.scale.start) * scale);
        let sign = |drawn: f64, chance: f64| if drawn < chance { -1.0 } else { 1.0 };
        let flipped = [sign(across, self.flip[0]), sign(up_down, self.flip[1])];
        let scaled = Map([factor * flipped[0], 0.0, 0.0, 0.0, factor * flipped[1], 0.0]);
        let side = self.crop + (1.0 - self.crop) * side;
        let place = |drawn: f64, length: usize| (drawn - 0.5) * (1.0 - side) * length as f64;
        let cut = Map([side, 0.0, place(place_x, w), 0.0, side, place(place_y, h)]);
        moved.then(turned).then(scaled).then(cut)
    }

    fn images<T: Pixel + chainrule_tensor::Element>(
        &self,
        from: &Tensor,
        dice: &[Dice],
        maps: &[Map],
        size: Size,
    ) -> Result<Tensor> {
        let numbers: Vec<T> = from.to_vec()?;
        let (length, plane) = (from.shape()[1..].iter().product::<usize>(), size[0] * size[1]);
        let mut made = numbers.clone();
        let images = numbers.chunks_exact(length).zip(made.chunks_exact_mut(length));
        for ((old, new), (dice, map)) in images.zip(dice.iter().zip(maps)) {
            if *map != Map::SAME {
                for (old, new) in old.chunks_exact(plane).zip(new.chunks_exact_mut(plane)) {
                    warp::image(old, new, size, *map, self.outside);
                }
            }
            let brighter = self.brightness * (2.0 * dice.drawn[9] - 1.0);
            let noise = if self.noise > 0.0 { dice.normal(length)? } else { Vec::new() };
            let noise = noise.into_iter().chain(std::iter::repeat(0.0));
            if self.brightness > 0.0 || self.noise > 0.0 {
                for (value, noise) in new.iter_mut().zip(noise) {
                    let value_now = value.wide() + brighter + noise * self.noise;
                    let (least, most) = self.limits.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
                    *value = T::of(value_now.clamp(least, most));
                }
            }
        }
        Ok(Tensor::from_vec(made, from.shape())?)
    }

    fn moved(&self, targets: Tensor, maps: &[Map], size: Size) -> Result<Tensor> {
        match self.targets {
            Moves::Labels | Moves::Nothing => Ok(targets),
            Moves::Mask { outside } => {
                let old = targets.to_vec::<i64>()?;
                let mut new = old.clone();
                let length = size[0] * size[1];
                for ((old, new), map) in old.chunks_exact(length).zip(new.chunks_exact_mut(length)).zip(maps)
                {
                    warp::mask(old, new, size, *map, outside);
                }
                Ok(Tensor::from_vec(new, targets.shape())?)
            }
            Moves::Boxes => {
                let mut boxes = targets.cast(DType::F64).to_vec::<f64>()?;
                let each = boxes.len() / maps.len().max(1);
                for (boxes, map) in boxes.chunks_exact_mut(each.max(4)).zip(maps) {
                    for four in boxes.chunks_exact_mut(4) {
                        four.copy_from_slice(&warp::corners(
                            [four[0], four[1], four[2], four[3]],
                            size,
                            *map,
                        ));
                    }
                }
                Ok(Tensor::from_vec(boxes, targets.shape())?.cast(targets.dtype()))
            }
        }
    }
}

/// Each row λ times itself and 1 − λ times the next; the last one's next is the first.
fn mixed(rows: &Tensor, shares: &[f64]) -> Result<Tensor> {
    let old = rows.cast(DType::F64).to_vec::<f64>()?;
    let width = old.len() / shares.len().max(1);
    let mix = |(i, share): (usize, &f64)| {
        let next = (i + 1) % shares.len();
        let (own, other) = (&old[i * width..][..width], &old[next * width..][..width]);
        own.iter().zip(other).map(|(a, b)| a * share + b * (1.0 - share)).collect::<Vec<f64>>()
    };
    let new: Vec<f64> = shares.iter().enumerate().flat_map(mix).collect();
    let dtype = if rows.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
    Ok(Tensor::from_vec(new, rows.shape())?.cast(dtype))
}
