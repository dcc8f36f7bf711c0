//! Images read between their pixels: each output is a product of weights over the axes.

use chainrule::graph::Var;

use super::node::{Node, Outcome};
use super::window::{Window, groups, product};

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    let y = match n.op.as_str() {
        "AffineGrid" => affine_grid(n),
        "DeformConv" => deformed(n),
        "GridSample" => grid_sample(n),
        "RoiAlign" if n.text_or("mode", "avg") == "max" => {
            return Some(Err("a maximum of weighted corners"));
        }
        "RoiAlign" => roi_align(n),
        _ => return None,
    };
    Some(Ok(vec![y]))
}

/// Pixel centres of an axis of `length` pixels on the line from −1 to 1.
fn centres<'g>(n: &Node<'g>, length: usize) -> Var<'g> {
    let ranks = n.g.iota([length], 0).real();
    match n.flag("align_corners", false) {
        true => ranks * (2.0 / (length as f64 - 1.0)) - 1.0,
        false => (ranks * 2.0 + 1.0) * (1.0 / length as f64) - 1.0,
    }
}

/// Each output pixel's place in the input, by a matrix of one row for each axis.
fn affine_grid<'g>(n: &Node<'g>) -> Var<'g> {
    let size: Vec<usize> = n.ints_of(1).expect("a size").iter().map(|n| *n as usize).collect();
    let image = &size[2..];
    // The matrix takes the last axis first, and a 1.
    let axis = |i: usize| {
        let line = (i + 1..image.len()).fold(centres(n, image[i]), |line, _| line.insert_axis(-1));
        line.broadcast_to(image)
    };
    let mut places: Vec<Var<'g>> = (0..image.len()).rev().map(axis).collect();
    places.push(n.g.constant(1.0).broadcast_to(image));
    let places = n.g.stack(&places, -1).reshape((-1, image.len() + 1));
    let grid = places.matmul(n.x(0).t());
    let shape = std::iter::once(size[0]).chain(image.iter().copied()).chain([image.len()]);
    grid.reshape(shape.map(|n| n as isize).collect::<Vec<_>>())
}

/// 1 where a place on the line is pixel `j`, less with distance, 0 from the next pixel on.
fn hat<'g>(at: Var<'g>, pixels: usize) -> Var<'g> {
    let pixel = at.graph().iota([pixels], 0).real();
    (1.0 - (at.insert_axis(-1) - pixel).abs()).maximum(0.0)
}

fn grid_sample<'g>(n: &Node<'g>) -> Var<'g> {
    let (x, grid) = (n.x(0), n.x(1));
    let shape = x.shape();
    let axes = x.rank() - 2;
    let places = grid.reshape((shape[0], -1, axes));
    // Places name the last axis first.
    let weights = |i: usize| axis_weights(n, places.slice(2, axes - 1 - i..axes - i).sum(2), shape[2 + i]);
    let mut factors: Vec<Var<'g>> = (0..axes).map(weights).collect();
    factors.push(x);
    let spec = ["npa,nca->ncp", "npa,npb,ncab->ncp", "npa,npb,npd,ncabd->ncp"][axes - 1];
    let outer = grid.shape();
    let to = [shape[0], shape[1]].into_iter().chain(outer[1..=axes].iter().copied());
    n.g.einsum(spec, &factors).reshape(to.map(|n| n as isize).collect::<Vec<_>>())
}

/// Weights (batch, places, pixels) of the pixels of one axis for places between −1 and 1.
fn axis_weights<'g>(n: &Node<'g>, place: Var<'g>, pixels: usize) -> Var<'g> {
    let (length, corners) = (pixels as f64, n.flag("align_corners", false));
    let at =
        if corners { (place + 1.0) * (0.5 * (length - 1.0)) } else { ((place + 1.0) * length - 1.0) * 0.5 };
    let (low, high) = if corners { (0.0, length - 1.0) } else { (-0.5, length - 0.5) };
    let mode = n.text_or("mode", "linear");
    let at = if mode == "nearest" { at.round() } else { at };
    let inside = |at: Var<'g>| match n.text_or("padding_mode", "zeros") {
        "border" => at.clip(0.0..=length - 1.0),
        "reflection" => reflected(at, low, high),
        _ => at,
    };
    let beyond = at.less(low).maximum(at.greater(high));
    let at = beyond.select(inside(at), at);
    let first = at.floor();
    let t = at - first;
    let taps: Vec<(f64, Var<'g>)> = match mode {
        "nearest" => vec![(0.0, t * 0.0 + 1.0)],
        "cubic" => (-1..=2).map(|k| (k as f64, cubic((t - k as f64).abs()))).collect(),
        _ => vec![(0.0, 1.0 - t), (1.0, t)],
    };
    let pixel = n.g.iota([pixels], 0).real();
    let weight = |(offset, weight): (f64, Var<'g>)| {
        let hit = inside(first + offset).insert_axis(-1).equal(pixel);
        hit.select(weight.insert_axis(-1), 0.0)
    };
    taps.into_iter().map(weight).reduce(|a, b| a + b).expect("a tap")
}

/// A place thrown back at `low` and `high` until it lies between them.
fn reflected(at: Var<'_>, low: f64, high: f64) -> Var<'_> {
    let span = high - low;
    let t = (at - low).abs();
    let t = t - (t * (0.5 / span)).floor() * (2.0 * span);
    t.greater(span).select(2.0 * span - t, t) + low
}

/// Keys' cubic convolution kernel at distance `d` below 2.
fn cubic(d: Var<'_>) -> Var<'_> {
    let a = -0.75;
    let near = ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0;
    let far = ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a;
    d.less_equal(1.0).select(near, far)
}

/// The mean of samples in each cell of each region.
fn roi_align<'g>(n: &Node<'g>) -> Var<'g> {
    let (x, regions) = (n.x(0).take(0, n.x(2)), n.x(1));
    let half_pixel = n.text_or("coordinate_transformation_mode", "half_pixel") == "half_pixel";
    let samples = n.int_or("sampling_ratio", 0) as usize;
    let edge = |i: usize| {
        let edge = regions.slice(1, i..i + 1) * n.real_or("spatial_scale", 1.0);
        if half_pixel { edge - 0.5 } else { edge }
    };
    let weights = |start: usize, name: &str, pixels: usize| {
        let cells = n.int_or(name, 1) as usize;
        let span = edge(start + 2) - edge(start);
        let span = if half_pixel { span } else { span.maximum(1.0) };
        let step = 1.0 / (cells * samples) as f64;
        let at = edge(start) + span * ((n.g.iota([cells * samples], 0).real() + 0.5) * step);
        let seen = at.greater_equal(-1.0).minimum(at.less_equal(pixels as f64)).real();
        let weights = hat(at.clip(0.0..=pixels as f64 - 1.0), pixels) * seen.insert_axis(-1);
        weights.reshape((-1, cells, samples, pixels)).mean(2)
    };
    let shape = x.shape();
    let (rows, columns) = (weights(1, "output_height", shape[2]), weights(0, "output_width", shape[3]));
    n.g.einsum("rah,rbw,rchw->rcab", &[rows, columns, x])
}

/// A convolution whose taps are moved by offsets, and weighed if there is a mask.
fn deformed<'g>(n: &Node<'g>) -> Var<'g> {
    let (x, kernels, offsets) = (n.x(0), n.x(1), n.x(2));
    let shape = x.shape();
    let window = Window::of(n, x, kernels);
    let (taps, out) = (window.kernel.iter().product::<usize>(), offsets.shape());
    let teams = n.int_or("offset_group", 1) as usize;
    let channels = shape[1] / teams;
    let sizes = |list: &[usize]| list.iter().map(|n| *n as isize).collect::<Vec<_>>();
    let offsets = offsets.reshape(sizes(&[shape[0], teams, taps, 2, out[2], out[3]]));
    let mask = n.given(4).map(|m| m.reshape(sizes(&[shape[0], teams, taps, out[2] * out[3]])));
    let mut columns = Vec::new();
    for k in 0..taps {
        let tap = [k / window.kernel[1], k % window.kernel[1]];
        // Weights (batch, team, window, pixel) of one axis.
        let weights = |i: usize| {
            let start = (tap[i] * window.dilations[i]) as f64 - window.pads[i].0 as f64;
            let home = n.g.iota(&out[2..], i as isize).real() * window.strides[i] as f64 + start;
            let moved = offsets.slice(2, k..k + 1).slice(3, i..i + 1).sum([2, 3]) + home;
            hat(moved.reshape((shape[0], teams, -1)), shape[2 + i])
        };
        let image = x.reshape(sizes(&[shape[0], teams, channels, shape[2], shape[3]]));
        let read = n.g.einsum("ntph,ntpw,ntchw->ntcp", &[weights(0), weights(1), image]);
        let read = mask.map_or(read, |m| read * m.slice(2, k..k + 1));
        columns.push(read.reshape(sizes(&[shape[0], shape[1], out[2], out[3]])));
    }
    let y = product(n.g.stack(&columns, 2), kernels, groups(n));
    n.given(3).map_or(y, |b| y + b.insert_axis(-1).insert_axis(-1))
}
