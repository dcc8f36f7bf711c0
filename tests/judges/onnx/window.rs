//! Windows that slide over images: convolution, pooling and their transposes.

use chainrule::graph::{Slide, Var, vjp};

use super::node::{Node, Outcome, lengths};
use super::shape::{crop_or_pad, filled};

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    Some(Ok(match n.op.as_str() {
        "AveragePool" => vec![average(n)],
        "CausalConvWithState" => causal(n),
        "Col2Im" => vec![col2im(n)],
        "Conv" => vec![biased(n, convolution(n.x(0), n.x(1), &Window::of(n, n.x(0), n.x(1)), groups(n)))],
        "ConvTranspose" => vec![biased(n, transposed(n))],
        "LpPool" => {
            let window = Window::of(n, n.x(0), n.x(0));
            vec![n.x(0).lp_pool(n.int_or("p", 2) as f64, &window.kernel, &window.slide())]
        }
        "MaxPool" => maxima(n),
        _ => return None,
    }))
}

/// Kernel, strides, dilations and pads of each spatial axis.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) kernel: Vec<usize>,
    pub(crate) strides: Vec<usize>,
    pub(crate) dilations: Vec<usize>,
    pub(crate) pads: Vec<(i64, i64)>,
}

impl Window {
    /// The window that a node slides over `x`; the last axes of `weights` are the kernel if the node does not say.
    pub(crate) fn of(n: &Node<'_>, x: Var<'_>, weights: Var<'_>) -> Window {
        let image = &x.shape()[2..];
        let each = |name: &str, default: usize| -> Vec<usize> {
            n.ints(name).map_or(vec![default; image.len()], |v| v.iter().map(|n| *n as usize).collect())
        };
        let kernel = n.ints("kernel_shape").map(|k| k.iter().map(|n| *n as usize).collect());
        let kernel: Vec<usize> = kernel.unwrap_or_else(|| weights.shape()[2..].to_vec());
        let mut window =
            Window { kernel, strides: each("strides", 1), dilations: each("dilations", 1), pads: vec![] };
        let named = n.ints("pads").unwrap_or_else(|| vec![0; 2 * image.len()]);
        window.pads = (0..image.len())
            .map(|i| {
                let missing = || {
                    let steps = image[i].div_ceil(window.strides[i]) - 1;
                    ((steps * window.strides[i] + window.reach(i)) as i64 - image[i] as i64).max(0)
                };
                match n.text_or("auto_pad", "NOTSET") {
                    "SAME_UPPER" => (missing() / 2, missing() - missing() / 2),
                    "SAME_LOWER" => (missing() - missing() / 2, missing() / 2),
                    "VALID" => (0, 0),
                    _ => (named[i], named[i + image.len()]),
                }
            })
            .collect();
        if n.flag("ceil_mode", false) {
            window.round_up(image);
        }
        window
    }

    /// As the library says it, but for pads that are crops.
    fn slide(&self) -> Slide {
        let pads: Vec<_> = self.pads.iter().map(|p| (p.0.max(0) as usize, p.1.max(0) as usize)).collect();
        Slide::new().stride(self.strides.clone()).dilation(self.dilations.clone()).padding(pads)
    }

    /// How many elements of axis `i` the kernel spans.
    pub(crate) fn reach(&self, i: usize) -> usize {
        self.dilations[i] * (self.kernel[i] - 1) + 1
    }

    /// Pads behind so that a window that starts inside the image or its front pad also counts.
    fn round_up(&mut self, image: &[usize]) {
        for (i, length) in image.iter().enumerate() {
            let stride = self.strides[i] as i64;
            let (before, after) = self.pads[i];
            let free = *length as i64 + before + after - self.reach(i) as i64;
            let mut steps = (free + stride - 1) / stride;
            if steps * stride >= *length as i64 + before {
                steps -= 1;
            }
            self.pads[i].1 = after + (steps * stride - free).max(0);
        }
    }

    /// The image with `fill` around it.
    fn padded<'g>(&self, x: Var<'g>, fill: f64) -> Var<'g> {
        let each: Vec<_> = self.pads.iter().enumerate().map(|(i, p)| (i as isize + 2, p.0, p.1)).collect();
        filled(x, &each, x.graph().constant(fill))
    }

    /// For each element of the kernel, what lies under it in every window: (batch, channels, windows…).
    fn taps<'g>(&self, x: Var<'g>, fill: f64) -> Vec<Var<'g>> {
        let x = self.padded(x, fill);
        let mut taps = vec![x];
        for i in 0..self.kernel.len() {
            let (stride, length) = (self.strides[i], x.shape()[2 + i]);
            let windows = (length - self.reach(i)) / stride + 1;
            let part = |x: Var<'g>, k: usize| {
                let start = k * self.dilations[i];
                x.slice_step(2 + i as isize, start..start + (windows - 1) * stride + 1, stride)
            };
            taps = taps.into_iter().flat_map(|x| (0..self.kernel[i]).map(move |k| part(x, k))).collect();
        }
        taps
    }
}

fn sum(taps: Vec<Var<'_>>) -> Var<'_> {
    taps.into_iter().reduce(|a, b| a + b).expect("a kernel has elements")
}

pub(crate) fn groups(n: &Node<'_>) -> usize {
    n.int_or("group", 1) as usize
}

/// The bias of each output channel, if there is one.
fn biased<'g>(n: &Node<'g>, y: Var<'g>) -> Var<'g> {
    n.given(2).map_or(y, |b| y + (2..y.rank()).fold(b, |b, _| b.insert_axis(-1)))
}

/// Images (batch, channels, …) with kernels (outputs, channels / groups, …).
fn convolution<'g>(x: Var<'g>, kernels: Var<'g>, window: &Window, groups: usize) -> Var<'g> {
    x.grouped_conv(kernels, groups, &window.slide())
}

/// Columns (batch, channels, kernel, windows…) with kernels: one product of matrices for each group.
pub(crate) fn product<'g>(columns: Var<'g>, kernels: Var<'g>, groups: usize) -> Var<'g> {
    let shape = columns.shape();
    let batch = shape[0] as isize;
    let (inputs, outputs) = (shape[1] / groups, kernels.shape()[0] / groups);
    let group = |i: usize| {
        let rows = columns.slice(1, i * inputs..(i + 1) * inputs);
        let rows = rows.reshape([
            batch,
            (inputs * shape[2]) as isize,
            shape[3..].iter().product::<usize>() as isize,
        ]);
        kernels.slice(0, i * outputs..(i + 1) * outputs).reshape((outputs, -1)).matmul(rows)
    };
    let y = columns.graph().concat(&(0..groups).map(group).collect::<Vec<_>>(), 1);
    let windows = shape[3..].iter().map(|n| *n as isize);
    y.reshape([batch, kernels.shape()[0] as isize].into_iter().chain(windows).collect::<Vec<_>>())
}

/// ONNX says how much is added behind each axis, the library for all; a length that is wanted may ask for pads that add.
fn transposed<'g>(n: &Node<'g>) -> Var<'g> {
    let (x, kernels) = (n.x(0), n.x(1));
    let spatial = x.rank() - 2;
    let mut window = Window::of(n, x, kernels);
    let extra = n.ints("output_padding").unwrap_or_else(|| vec![0; spatial]);
    let wanted = n.ints("output_shape");
    let auto = n.text_or("auto_pad", "NOTSET");
    for i in 0..spatial {
        let full = (window.strides[i] * (x.shape()[2 + i] - 1) + window.reach(i)) as i64;
        let same = auto.starts_with("SAME").then(|| (x.shape()[2 + i] * window.strides[i]) as i64);
        if let Some(length) = same.or(wanted.as_ref().map(|w| w[i])) {
            let cut = full + extra[i] - length;
            let half = cut.div_euclid(2);
            window.pads[i] = if auto == "SAME_UPPER" { (half, cut - half) } else { (cut - half, half) };
        }
    }
    let more = extra.iter().copied().max().unwrap_or(0);
    let y = x.conv_transpose(kernels, groups(n), &window.slide(), more as usize);
    (0..spatial).fold(y, |y, i| {
        let (before, after) = window.pads[i];
        crop_or_pad(y, 2 + i as isize, -before.min(0), extra[i] - more - after.min(0))
    })
}

/// The cotangent of `image` for that of `y`, which is linear in it.
fn pulled_back<'g>(y: Var<'g>, image: Var<'g>, ct: Var<'g>) -> Var<'g> {
    match vjp(&[y], &[image], &[ct]) {
        Ok(found) => found[0].unwrap_or_else(|| image * 0.0),
        Err(error) => image.fail(error),
    }
}

/// Columns of windows added up to an image: the transpose of taking them.
fn col2im<'g>(n: &Node<'g>) -> Var<'g> {
    let x = n.x(0);
    let sizes = |i: usize| n.ints_of(i).expect("lengths").iter().map(|n| *n as usize).collect::<Vec<_>>();
    let (shape, kernel) = (sizes(1), sizes(2));
    let channels = x.shape()[1] / kernel.iter().product::<usize>();
    let shape = [&[x.shape()[0], channels], &shape[..]].concat();
    let image = n.g.constant(0.0).broadcast_to(shape) * n.g.leaf("one", 1.0);
    let mut window = Window::of(n, image, image);
    window.kernel = kernel;
    let taps = n.g.stack(&window.taps(image, 0.0), 2);
    pulled_back(taps.reshape(lengths(x)), image, x)
}

fn average<'g>(n: &Node<'g>) -> Var<'g> {
    let x = n.x(0);
    let window = Window::of(n, x, x);
    let included = n.flag("count_include_pad", false);
    if !included || !n.flag("ceil_mode", false) {
        return x.avg_pool(&window.kernel, &window.slide(), included);
    }
    // What counts is 1: the image and its pads, but not what only rounding up adds.
    let one = n.g.constant(1.0).broadcast_to(x.shape());
    let named = n.ints("pads").unwrap_or_else(|| vec![0; 2 * window.kernel.len()]);
    let each = (0..window.kernel.len()).map(|i| (i as isize + 2, named[i], named[i + window.kernel.len()]));
    let ones = filled(one, &each.clone().collect::<Vec<_>>(), n.g.constant(1.0));
    // The window pads once more: take off what is there already.
    let mut rest = window.clone();
    for (pad, (_, before, after)) in rest.pads.iter_mut().zip(each) {
        *pad = (pad.0 - before, pad.1 - after);
    }
    let counted = sum(rest.taps(ones, 0.0));
    sum(window.taps(x, 0.0)) / counted
}

/// The greatest element of each window, and where in the whole tensor it stands.
fn maxima<'g>(n: &Node<'g>) -> Vec<Var<'g>> {
    let x = n.x(0);
    let window = Window::of(n, x, x);
    let taps = n.g.stack(&window.taps(x, f64::NEG_INFINITY), 0);
    let mut places = n.g.iota([x.shape().size()], 0).reshape(lengths(x)).real();
    if n.flag("storage_order", false) {
        // Column-major within an image: the last two axes change places.
        let mut shape = lengths(x);
        shape.swap(x.rank() - 2, x.rank() - 1);
        places = n.g.iota([x.shape().size()], 0).reshape(&shape).t().real();
    }
    let places = n.g.stack(&window.taps(places, -1.0), 0);
    let best = n.g.iota(taps.shape(), 0).equal(taps.argmax(0));
    vec![x.max_pool(&window.kernel, &window.slide()), best.select(places, 0.0).sum(0).int()]
}

/// A convolution of each channel with its past, and what the next call needs of it.
fn causal<'g>(n: &Node<'g>) -> Vec<Var<'g>> {
    let (x, kernels) = (n.x(0), n.x(1));
    let (channels, kernel) = (x.shape()[1], kernels.shape()[2]);
    let past =
        n.given(3).unwrap_or_else(|| n.g.constant(0.0).broadcast_to([x.shape()[0], channels, kernel - 1]));
    let all = n.g.concat(&[past, x], 2);
    let window = Window { kernel: vec![kernel], strides: vec![1], dilations: vec![1], pads: vec![(0, 0)] };
    let y = biased(n, convolution(all, kernels, &window, channels));
    let y = if n.text_or("activation", "none") == "none" { y } else { y.silu() };
    let length = all.shape()[2] as i64;
    vec![y, crop_or_pad(all, 2, kernel as i64 - 1 - length, 0)]
}
