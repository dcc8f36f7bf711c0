//! Resizing: along each axis a product with a matrix of interpolation weights.

use chainrule::graph::Var;
use chainrule::tensor::Tensor;

use super::node::{Node, Outcome, axis_of};

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    let (roi, scales, sizes) = match n.op.as_str() {
        "Resize" => (n.reals_of(1), n.reals_of(2), n.ints_of(3)),
        "Upsample" => (None, n.reals_of(1), None),
        _ => return None,
    };
    let roi = roi.filter(|r| !r.is_empty());
    let x = n.x(0);
    let axes = n.ints("axes").unwrap_or_else(|| (0..x.rank() as i64).collect());
    let axes: Vec<usize> = axes.iter().map(|a| axis_of(x, *a as isize)).collect();
    let plan = lengths(n, x, &axes, scales.filter(|s| !s.is_empty()), sizes);
    let mut y = x;
    for (i, (axis, (scale, length))) in axes.iter().zip(plan).enumerate() {
        let roi = roi.as_ref().map(|r| [r[i], r[axes.len() + i]]);
        let line = Line { input: x.shape()[*axis], length, scale, roi };
        y = resized(n, y, *axis, &line);
    }
    Some(Ok(vec![y]))
}

/// How one axis is resized.
struct Line {
    input: usize,
    length: usize,
    scale: f64,
    roi: Option<[f64; 2]>,
}

/// Scale and new length of each axis.
fn lengths(
    n: &Node<'_>,
    x: Var<'_>,
    axes: &[usize],
    scales: Option<Vec<f64>>,
    sizes: Option<Vec<i64>>,
) -> Vec<(f64, usize)> {
    let old = |i: usize| x.shape()[axes[i]] as f64;
    let Some(sizes) = sizes else {
        let scales = scales.expect("scales or sizes");
        return scales.iter().enumerate().map(|(i, s)| (*s, (s * old(i)).floor() as usize)).collect();
    };
    let own: Vec<f64> = sizes.iter().enumerate().map(|(i, size)| *size as f64 / old(i)).collect();
    let common = match n.text_or("keep_aspect_ratio_policy", "stretch") {
        "not_larger" => own.iter().copied().reduce(f64::min),
        "not_smaller" => own.iter().copied().reduce(f64::max),
        _ => None,
    };
    let each = own.iter().zip(&sizes).enumerate();
    each.map(|(i, (own, size))| match common {
        Some(scale) => (scale, (scale * old(i) + 0.5) as usize),
        None => (*own, *size as usize),
    })
    .collect()
}

fn resized<'g>(n: &Node<'g>, y: Var<'g>, axis: usize, line: &Line) -> Var<'g> {
    let mut weights = vec![0.0; line.length * line.input];
    let mut outside = vec![false; line.length];
    for (i, row) in weights.chunks_mut(line.input.max(1)).enumerate() {
        let at = source(n, i as f64, line);
        outside[i] = n.text_or("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize"
            && !(0.0..=line.input as f64 - 1.0).contains(&at);
        let (first, taps) = taps(n, at, line.scale);
        let inside = |k: i64| (0..line.input as i64).contains(&k);
        let kept = |k: usize| !n.flag("exclude_outside", false) || inside(first + k as i64);
        let total: f64 = (0..taps.len()).filter(|k| kept(*k)).map(|k| taps[k]).sum();
        let total = if n.flag("exclude_outside", false) { total } else { 1.0 };
        for k in (0..taps.len()).filter(|k| kept(*k)) {
            row[(first + k as i64).clamp(0, line.input as i64 - 1) as usize] += taps[k] / total;
        }
    }
    let weights = n.g.constant(Tensor::from_vec(weights, [line.length, line.input]).expect("a matrix"));
    // The axis goes last, is multiplied, and goes back.
    let mut order: Vec<isize> = (0..y.rank() as isize).collect();
    order.swap(axis, y.rank() - 1);
    let moved = y.permute(&order);
    let flat = moved.reshape((-1, line.input)).matmul(weights.t());
    let beyond = n.g.constant(Tensor::from(outside));
    let flat = beyond.select(n.real_or("extrapolation_value", 0.0), flat);
    let mut shape: Vec<isize> = moved.shape().iter().map(|n| *n as isize).collect();
    shape[y.rank() - 1] = line.length as isize;
    flat.reshape(&shape).permute(&order)
}

/// The place in the input that element `i` of the output comes from.
fn source(n: &Node<'_>, i: f64, line: &Line) -> f64 {
    let (input, scale) = (line.input as f64, line.scale);
    let output = scale * input;
    let default = if n.op == "Upsample" { "asymmetric" } else { "half_pixel" };
    match n.text_or("coordinate_transformation_mode", default) {
        "align_corners" if output == 1.0 => 0.0,
        "align_corners" => i * (input - 1.0) / (output - 1.0),
        "asymmetric" => i / scale,
        "half_pixel_symmetric" => {
            let offset = input / 2.0 * (1.0 - line.length as f64 / output);
            offset + (i + 0.5) / scale - 0.5
        }
        "pytorch_half_pixel" if output == 1.0 => -0.5,
        "tf_crop_and_resize" => {
            let [start, end] = line.roi.unwrap_or([0.0, 1.0]);
            let span = (end - start) * (input - 1.0);
            start * (input - 1.0) + if output == 1.0 { span / 2.0 } else { i * span / (output - 1.0) }
        }
        _ => (i + 0.5) / scale - 0.5,
    }
}

/// The first element that an output at `at` is made of, and the weights of it and its successors.
fn taps(n: &Node<'_>, at: f64, scale: f64) -> (i64, Vec<f64>) {
    // Shrinking with antialiasing widens the kernel.
    let shrink = if n.flag("antialias", false) { scale.min(1.0) } else { 1.0 };
    let kernel: Box<dyn Fn(f64) -> f64> = match n.text_or("mode", "nearest") {
        "nearest" => return (nearest(n, at), vec![1.0]),
        "linear" => Box::new(|d: f64| (1.0 - d).max(0.0)),
        _ => {
            let a = n.real_or("cubic_coeff_a", -0.75);
            Box::new(move |d| cubic(d, a))
        }
    };
    let reach = if n.text_or("mode", "nearest") == "linear" { 1.0 } else { 2.0 } / shrink;
    let first = (at - reach).floor() as i64;
    let last = (at + reach).ceil() as i64;
    let taps: Vec<f64> = (first..=last).map(|k| kernel((k as f64 - at).abs() * shrink)).collect();
    let total: f64 = taps.iter().sum();
    (first, taps.iter().map(|t| t / total).collect())
}

fn nearest(n: &Node<'_>, at: f64) -> i64 {
    let tie = at - at.floor() == 0.5;
    let rounded = match n.text_or("nearest_mode", "round_prefer_floor") {
        "floor" => at.floor(),
        "ceil" => at.ceil(),
        "round_prefer_ceil" if tie => at.ceil(),
        "round_prefer_floor" if tie && n.op == "Resize" => at.floor(),
        _ if n.op == "Upsample" => at.floor(),
        _ => at.round(),
    };
    rounded as i64
}

/// Keys' cubic convolution kernel at distance `d`.
fn cubic(d: f64, a: f64) -> f64 {
    match d {
        d if d <= 1.0 => ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0,
        d if d < 2.0 => ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a,
        _ => 0.0,
    }
}
