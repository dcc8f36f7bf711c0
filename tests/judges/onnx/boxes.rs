//! Non-max suppression, whose result has as many rows as boxes stay: by the library's function on tensors.

use chainrule::boxes::{corners, non_max_suppression};
use chainrule::tensor::{DType, Tensor};

use super::node::{Node, Outcome};

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    (n.op == "NonMaxSuppression").then(|| Ok(vec![n.g.constant(kept(n))]))
}

/// A row (image, class, box) for each box that stays.
fn kept(n: &Node<'_>) -> Tensor {
    let (boxes, scores) = (n.value(0).expect("boxes"), n.value(1).expect("scores"));
    let boxes =
        if n.flag("center_point_box", false) { corners(boxes).expect("boxes") } else { ordered(boxes) };
    let one = |i: usize| n.reals_of(i).and_then(|x| x.first().copied());
    let (limit, most) = (one(2).unwrap_or(0.0) as usize, one(3).unwrap_or(0.0));
    let least = one(4).unwrap_or(f64::NEG_INFINITY);
    let mut rows = Vec::new();
    for image in 0..scores.shape()[0] {
        let boxes = boxes.index_axis(0, image as isize).expect("an image");
        for class in 0..scores.shape()[1] {
            let scores = scores.index_axis(0, image as isize).and_then(|s| s.index_axis(0, class as isize));
            let scores = scores.expect("a class").cast(DType::F64).to_vec::<f64>().expect("scores");
            let high: Vec<usize> = (0..scores.len()).filter(|i| scores[*i] > least).collect();
            let boxes = boxes.take(0, &high).expect("rows");
            let scores: Vec<f64> = high.iter().map(|i| scores[*i]).collect();
            let kept = non_max_suppression(&boxes, &Tensor::from(&scores[..]), most).expect("boxes");
            let kept = kept.into_iter().take(limit);
            rows.extend(kept.flat_map(|i| [image as i64, class as i64, high[i] as i64]));
        }
    }
    let count = rows.len() / 3;
    Tensor::from_vec(rows, [count, 3]).expect("threes")
}

/// ONNX takes any two opposite corners.
fn ordered(boxes: &Tensor) -> Tensor {
    let corners = boxes.cast(DType::F64).to_vec::<f64>().expect("numbers");
    let ordered =
        corners.chunks(4).flat_map(|b| [b[0].min(b[2]), b[1].min(b[3]), b[0].max(b[2]), b[1].max(b[3])]);
    Tensor::from_vec(ordered.collect(), boxes.shape()).expect("as many")
}
