//! Signals: window functions, and Fourier transforms as products with matrices of sines and cosines.

use std::f64::consts::PI;

use chainrule::graph::Var;
use chainrule::tensor::Tensor;

use super::node::{Node, Outcome, axis_of};
use super::shape::crop_or_pad;

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    let y = match n.op.as_str() {
        "BlackmanWindow" => window(n, &[0.42, -0.5, 0.08]),
        "DFT" => transform(n),
        "HammingWindow" => window(n, &[25.0 / 46.0, -21.0 / 46.0]),
        "HannWindow" => window(n, &[0.5, -0.5]),
        "STFT" => short_time(n),
        _ => return None,
    };
    Some(Ok(vec![y]))
}

/// A sum of cosines of 0, 1, 2, … turns over the window.
fn window<'g>(n: &Node<'g>, weights: &[f64]) -> Var<'g> {
    let size = n.ints_of(0).expect("a length")[0];
    let turns = if n.flag("periodic", true) { size } else { size - 1 };
    let angle = n.g.iota([size as usize], 0).real() * (2.0 * PI / turns as f64);
    let term = |(k, weight): (usize, &f64)| (angle * k as f64).cos() * *weight;
    weights.iter().enumerate().map(term).reduce(|a, b| a + b).expect("weights")
}

/// Real and imaginary part of a signal whose last axis is the time.
type Complex<'g> = [Var<'g>; 2];

/// The first `bins` frequencies of a signal of `length` moments; the inverse turns the other way and divides.
fn fourier<'g>([re, im]: Complex<'g>, length: usize, bins: usize, inverse: bool) -> Complex<'g> {
    let g = re.graph();
    let sign = if inverse { 1.0 } else { -1.0 };
    let table = |f: fn(f64) -> f64, scale: f64| {
        // Whole turns are taken off first: they cost digits.
        let at = |i: usize| f(2.0 * PI * ((i / bins * (i % bins)) % length) as f64 / length as f64) * scale;
        let table: Vec<f64> = (0..length * bins).map(at).collect();
        g.constant(Tensor::from_vec(table, [length, bins]).expect("a matrix"))
    };
    let scale = if inverse { 1.0 / length as f64 } else { 1.0 };
    let (cos, sin) = (table(f64::cos, scale), table(f64::sin, sign * scale));
    [re.matmul(cos) - im.matmul(sin), re.matmul(sin) + im.matmul(cos)]
}

/// Real and imaginary part of the last axis, which may hold the real part alone.
fn parts(x: Var<'_>) -> Complex<'_> {
    let re = x.slice(-1, 0..1).sum(-1);
    let complex = x.shape()[x.rank() - 1] == 2;
    [re, if complex { x.slice(-1, 1..2).sum(-1) } else { re * 0.0 }]
}

fn transform<'g>(n: &Node<'g>) -> Var<'g> {
    let x = n.x(0);
    let axis = if n.opset >= 20 { n.ints_of(2).map_or(-2, |a| a[0] as isize) } else { n.axis_or(1) };
    let axis = axis_of(x, axis);
    let last = x.rank() - 2;
    let mut order: Vec<isize> = (0..=last as isize).collect();
    order.swap(axis, last);
    let (inverse, onesided) = (n.flag("inverse", false), n.flag("onesided", false));
    let own = x.shape()[axis];
    let length =
        n.ints_of(1).map_or(if inverse && onesided { 2 * (own - 1) } else { own }, |l| l[0] as usize);
    let half = length / 2 + 1;
    let present = if inverse && onesided { half } else { length };
    let fitted = |v: Var<'g>| crop_or_pad(v.permute(&order), last as isize, 0, present as i64 - own as i64);
    let mut signal = parts(x).map(fitted);
    if inverse && onesided {
        // The missing half mirrors the first, conjugate.
        let mirrored = |v: Var<'g>| v.slice(-1, 1..length - half + 1).flip(-1);
        let [re, im] = signal;
        signal = [n.g.concat(&[re, mirrored(re)], -1), n.g.concat(&[im, -mirrored(im)], -1)];
    }
    let bins = if onesided && !inverse { half } else { length };
    let [re, im] = fourier(signal, length, bins, inverse).map(|v| v.permute(&order));
    if inverse && onesided { re.insert_axis(-1) } else { n.g.stack(&[re, im], -1) }
}

/// The transform of overlapping frames.
fn short_time<'g>(n: &Node<'g>) -> Var<'g> {
    let [re, im] = parts(n.x(0));
    let step = n.ints_of(1).expect("a step")[0] as usize;
    let total = re.shape()[1];
    let window = n.given(2);
    let length = match (n.ints_of(3), window) {
        (Some(length), _) => length[0] as usize,
        (None, Some(window)) => window.shape()[0],
        (None, None) => total,
    };
    let frames = 1 + (total - length) / step;
    let framed = |v: Var<'g>| {
        let frame = |i: usize| v.slice(1, i * step..i * step + length);
        let all = n.g.stack(&(0..frames).map(frame).collect::<Vec<_>>(), 1);
        window.map_or(all, |window| all * window)
    };
    let bins = if n.flag("onesided", true) { length / 2 + 1 } else { length };
    n.g.stack(&fourier([framed(re), framed(im)], length, bins, false), -1)
}
