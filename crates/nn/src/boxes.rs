//! Boxes around objects: how far two overlap, and which of many that overlap stay (course 4, lectures 3.6 to 3.9).
//!
//! A box is a row of four numbers, (x₀, y₀, x₁, y₁): two opposite corners, with x₀ ≤ x₁ and y₀ ≤ y₁, in any unit. [`corners`] and
//! [`centred`] go between this and (middle x, middle y, width, height), which networks are taught.

use std::cmp::Ordering;

use chainrule_tensor::{DType, Shape, Tensor};

use crate::{Error, Result};

/// Intersection over union of each box of `a`, (n, 4), with each of `b`, (m, 4): (n, m) of f64 in 0..=1. It is 0 where both boxes
/// are empty.
///
/// ```
/// use chainrule_nn::boxes::iou;
/// use chainrule_tensor::Tensor;
/// let a = Tensor::from([[0.0, 0.0, 8.0, 8.0]]);
/// let b = Tensor::from([[4.0, 0.0, 12.0, 8.0], [0.0, 0.0, 8.0, 8.0], [8.0, 8.0, 9.0, 9.0]]);
/// assert_eq!(iou(&a, &b)?, Tensor::from([[1.0 / 3.0, 1.0, 0.0]]));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for other shapes, and for a row that is no box: a corner that is not finite, or the second before the first.
#[doc(alias = "jaccard")]
pub fn iou(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (a, b) = (boxes("iou", a)?, boxes("iou", b)?);
    let each = a.iter().flat_map(|a| b.iter().map(|b| overlap(a, b)));
    Ok(Tensor::from_vec(each.collect(), [a.len(), b.len()])?)
}

/// Non-max suppression: the rows of `boxes`, (n, 4), that stay, the best first. Of all that are left the one with the greatest of
/// `scores`, (n,), is taken, of equal ones the first; those that overlap it by more than `most` go.
///
/// Objects of several classes are suppressed class by class.
///
/// ```
/// use chainrule_nn::boxes::non_max_suppression;
/// use chainrule_tensor::Tensor;
/// let boxes = Tensor::from([[0.0, 0.0, 8.0, 8.0], [1.0, 0.0, 9.0, 8.0], [20.0, 0.0, 28.0, 8.0]]);
/// let scores = Tensor::from([0.6, 0.9, 0.5]);
/// assert_eq!(non_max_suppression(&boxes, &scores, 0.5)?, [1, 2]);
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
///
/// # Errors
/// As [`iou`]; [`Error::Argument`] for scores that are NaN or not one for each box, and for `most` outside 0..=1.
#[doc(alias = "nms")]
pub fn non_max_suppression(boxes: &Tensor, scores: &Tensor, most: f64) -> Result<Vec<usize>> {
    const OP: &str = "non_max_suppression";
    let rows = self::boxes(OP, boxes)?;
    if scores.shape() != [rows.len()] {
        let found = Shape::from(scores.shape());
        return Err(Error::argument(OP, format!("{} boxes have scores ({0},), not {found}", rows.len())));
    }
    if !(0.0..=1.0).contains(&most) {
        return Err(Error::argument(OP, format!("the greatest overlap is in 0..=1, not {most}")));
    }
    let scores = scores.cast(DType::F64).to_vec::<f64>()?;
    if let Some(row) = scores.iter().position(|s| s.is_nan()) {
        return Err(Error::argument(OP, format!("the score of row {row} (from 0) is NaN")));
    }
    let mut order: Vec<usize> = (0..rows.len()).collect();
    // NaN is refused above; 0 and −0 are equal.
    order.sort_by(|a, b| scores[*b].partial_cmp(&scores[*a]).unwrap_or(Ordering::Equal));
    let mut kept: Vec<usize> = Vec::new();
    for i in order {
        if kept.iter().all(|k| overlap(&rows[*k], &rows[i]) <= most) {
            kept.push(i);
        }
    }
    Ok(kept)
}

/// Corners (x₀, y₀, x₁, y₁) of boxes (…, 4) that are given as (middle x, middle y, width, height), in f64.
///
/// # Errors
/// [`Error::Argument`] for a last axis that is not 4 long.
pub fn corners(centred: &Tensor) -> Result<Tensor> {
    fours("corners", centred, |[x, y, w, h]| [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0])
}

/// Boxes (…, 4) of corners as (middle x, middle y, width, height), in f64.
///
/// ```
/// use chainrule_nn::boxes::{centred, corners};
/// use chainrule_tensor::Tensor;
/// let boxes = Tensor::from([[2.0, 0.0, 6.0, 10.0]]);
/// assert_eq!(centred(&boxes)?, Tensor::from([[4.0, 5.0, 4.0, 10.0]]));
/// assert_eq!(corners(&centred(&boxes)?)?, boxes);
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
///
/// # Errors
/// As [`corners`].
pub fn centred(corners: &Tensor) -> Result<Tensor> {
    fours("centred", corners, |[x0, y0, x1, y1]| {
        [x0 + (x1 - x0) / 2.0, y0 + (y1 - y0) / 2.0, x1 - x0, y1 - y0]
    })
}

fn fours(op: &'static str, boxes: &Tensor, f: impl Fn([f64; 4]) -> [f64; 4]) -> Result<Tensor> {
    let shape = boxes.shape();
    if shape.last() != Some(&4) {
        return Err(Error::argument(op, format!("boxes are (…, 4), not {}", Shape::from(shape))));
    }
    let numbers = boxes.cast(DType::F64).to_vec::<f64>()?;
    let made = numbers.chunks_exact(4).flat_map(|b| f([b[0], b[1], b[2], b[3]]));
    Ok(Tensor::from_vec(made.collect(), shape)?)
}

/// The rows of (n, 4), each a box.
fn boxes(op: &'static str, boxes: &Tensor) -> Result<Vec<[f64; 4]>> {
    let shape = boxes.shape();
    if shape.len() != 2 || shape[1] != 4 {
        return Err(Error::argument(op, format!("boxes are (n, 4), not {}", Shape::from(shape))));
    }
    let numbers = boxes.cast(DType::F64).to_vec::<f64>()?;
    let rows = numbers.chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
    let rows: Vec<[f64; 4]> = rows.collect();
    let bad = |b: &[f64; 4]| b.iter().any(|x| !x.is_finite()) || b[0] > b[2] || b[1] > b[3];
    match rows.iter().position(bad) {
        Some(row) => {
            let why = format!(
                "row {row} (from 0) is {:?}: finite (x0, y0, x1, y1) with x0 <= x1 and y0 <= y1 is wanted; \
                 `boxes::corners` makes it of middles and sizes",
                rows[row]
            );
            Err(Error::argument(op, why))
        }
        None => Ok(rows),
    }
}

fn area(b: &[f64; 4]) -> f64 {
    (b[2] - b[0]) * (b[3] - b[1])
}

fn overlap(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    let side = |i: usize| (a[i + 2].min(b[i + 2]) - a[i].max(b[i])).max(0.0);
    let both = side(0) * side(1);
    let either = area(a) + area(b) - both;
    if either > 0.0 { both / either } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Corners on a grid, and which of its cells lie inside.
    fn cells(b: &[i64; 4]) -> Vec<(i64, i64)> {
        (b[0]..b[2]).flat_map(|x| (b[1]..b[3]).map(move |y| (x, y))).collect()
    }

    fn tensor(rows: &[[i64; 4]]) -> Tensor {
        Tensor::from_vec(rows.concat(), [rows.len(), 4]).unwrap()
    }

    fn any_box() -> impl Strategy<Value = [i64; 4]> {
        (0..9_i64, 0..9_i64, 0..6_i64, 0..6_i64).prop_map(|(x, y, w, h)| [x, y, x + w, y + h])
    }

    proptest! {
        #[test]
        fn overlap_is_what_counting_cells_gives(a in any_box(), b in any_box()) {
            let (inside, other) = (cells(&a), cells(&b));
            let both = inside.iter().filter(|c| other.contains(c)).count() as f64;
            let either = (inside.len() + other.len()) as f64 - both;
            let right = if either > 0.0 { both / either } else { 0.0 };
            let found = iou(&tensor(&[a]), &tensor(&[b])).unwrap().to_vec::<f64>().unwrap();
            prop_assert_eq!(&found, &[right]);
        }

        /// What stays overlaps nothing better; what goes overlaps something better that stays.
        #[test]
        fn suppression_keeps_the_best_of_what_overlaps(
            rows in prop::collection::vec((any_box(), 0..6_i64), 0..12), most in 0.0..1.0_f64,
        ) {
            let (rows, scores): (Vec<[i64; 4]>, Vec<i64>) = rows.into_iter().unzip();
            let boxes = tensor(&rows);
            let kept = non_max_suppression(&boxes, &Tensor::from(&scores[..]), most).unwrap();
            let overlaps = iou(&boxes, &boxes).unwrap().to_vec::<f64>().unwrap();
            let better = |a: usize, b: usize| (scores[a], b) > (scores[b], a);
            let covered = |i: usize| kept.iter().any(|k| better(*k, i) && overlaps[k * rows.len() + i] > most);
            for i in 0..rows.len() {
                prop_assert_eq!(kept.contains(&i), !covered(i), "row {}", i);
            }
            prop_assert!(kept.windows(2).all(|pair| better(pair[0], pair[1])));
        }
    }

    #[test]
    fn what_is_no_box_is_refused() {
        let fine = Tensor::from([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 2.0, 2.0]]);
        let says = |result: Result<Tensor>, words: &str| {
            let text = result.unwrap_err().to_string();
            assert!(text.contains(words), "{text}");
        };
        says(iou(&fine, &Tensor::from([0.0, 0.0, 1.0, 1.0])), "[iou] boxes are (n, 4), not (4,)");
        says(iou(&fine, &Tensor::from([[0.0, 0.0, 1.0, 1.0], [0.0, 3.0, 2.0, 2.0]])), "row 1 (from 0)");
        says(iou(&fine, &Tensor::from([[0.0, 0.0, f64::NAN, 1.0]])), "row 0 (from 0)");
        says(iou(&Tensor::from([[0.0, 0.0, f64::INFINITY, 1.0]]), &fine), "finite");
        says(corners(&Tensor::from([[1.0, 2.0, 3.0]])), "[corners] boxes are (…, 4), not (1, 3)");
        says(centred(&Tensor::from(1.0)), "[centred]");
        let says = |scores: Tensor, most: f64, words: &str| {
            let text = non_max_suppression(&fine, &scores, most).unwrap_err().to_string();
            assert!(text.contains(words), "{text}");
        };
        says(Tensor::from([1.0]), 0.5, "2 boxes have scores (2,), not (1,)");
        says(Tensor::from([1.0, f64::NAN]), 0.5, "score of row 1");
        says(Tensor::from([1.0, 2.0]), 1.5, "in 0..=1, not 1.5");
        says(Tensor::from([1.0, 2.0]), f64::NAN, "NaN");
    }

    #[test]
    fn no_boxes_are_none() {
        let none = Tensor::zeros([0, 4], DType::F32);
        assert_eq!(iou(&none, &none).unwrap().shape(), [0, 0]);
        assert!(non_max_suppression(&none, &Tensor::zeros([0], DType::F32), 0.5).unwrap().is_empty());
    }
}
