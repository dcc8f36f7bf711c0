//! Normalisation: over batches, features, instances, groups and channels.

use chainrule::graph::Var;
use chainrule::nn::{Layer, LayerNorm, Params, RmsNorm};
use chainrule::tensor::keep;

use super::node::{Node, Outcome, axis_of, lengths};

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    Some(Ok(match n.op.as_str() {
        "BatchNormalization" => batch(n),
        "GroupNormalization" => vec![group(n)],
        "InstanceNormalization" => {
            let x = n.x(0);
            vec![standardised(x, &from(x, 2), epsilon(n)) * by_channel(x, n.x(1)) + by_channel(x, n.x(2))]
        }
        "LRN" => vec![local_response(n)],
        "LayerNormalization" => layer(n),
        "MeanVarianceNormalization" => {
            let axes = n.ints("axes").unwrap_or_else(|| vec![0, 2, 3]);
            let axes: Vec<isize> = axes.iter().map(|a| *a as isize).collect();
            let x = n.x(0) - n.x(0).mean(keep(&axes));
            vec![x / (x.square().mean(keep(&axes)).sqrt() + 1e-9)]
        }
        "RMSNormalization" => {
            vec![by_layer(n, &RmsNorm::new().epsilon(epsilon(n)), &["weight"])]
        }
        _ => return None,
    }))
}

fn epsilon(n: &Node<'_>) -> f64 {
    n.real_or("epsilon", 1e-5)
}

/// The axes from `first` on.
fn from(x: Var<'_>, first: usize) -> Vec<isize> {
    (first as isize..x.rank() as isize).collect()
}

/// (x − mean) / √(variance + ε) over `axes`.
fn standardised<'g>(x: Var<'g>, axes: &[isize], epsilon: f64) -> Var<'g> {
    let centred = x - x.mean(keep(axes));
    centred * (x.var(keep(axes)) + epsilon).rsqrt()
}

/// One number for each channel (axis 1), ready to broadcast with `x`.
fn by_channel<'g>(x: Var<'g>, v: Var<'g>) -> Var<'g> {
    (2..x.rank()).fold(v, |v, _| v.insert_axis(-1))
}

fn batch<'g>(n: &Node<'g>) -> Vec<Var<'g>> {
    let [x, scale, bias, mean, variance] = [0, 1, 2, 3, 4].map(|i| n.x(i));
    let normal = |mean, variance: Var<'g>| {
        (x - by_channel(x, mean)) * by_channel(x, scale * (variance + epsilon(n)).rsqrt())
            + by_channel(x, bias)
    };
    if !n.flag("training_mode", false) {
        return vec![normal(mean, variance)];
    }
    let axes: Vec<isize> = (0..x.rank() as isize).filter(|a| *a != 1).collect();
    let (own_mean, own_variance) = (x.mean(&axes), x.var(&axes));
    let momentum = n.real_or("momentum", 0.9);
    let running = |old: Var<'g>, new: Var<'g>| old * momentum + new * (1.0 - momentum);
    vec![normal(own_mean, own_variance), running(mean, own_mean), running(variance, own_variance)]
}

fn group<'g>(n: &Node<'g>) -> Var<'g> {
    let x = n.x(0);
    let groups = n.int_or("num_groups", 1) as isize;
    let grouped = x.reshape((x.shape()[0], groups, -1));
    standardised(grouped, &[2], epsilon(n)).reshape(lengths(x)) * by_channel(x, n.x(1))
        + by_channel(x, n.x(2))
}

/// What a layer over the last axis gives where ONNX's axes are one; its parameters are the inputs behind the first.
fn by_layer<'g>(n: &Node<'g>, layer: &impl Layer, names: &[&str]) -> Var<'g> {
    let x = n.x(0);
    let first = axis_of(x, n.axis_or(-1));
    let mut params = Params::new();
    for (i, name) in names.iter().enumerate() {
        let value = n.value(i + 1).expect("all cases have it");
        params.insert(*name, value.reshape([-1]).expect("as flat as can be"));
    }
    let mut flat = lengths(x)[..first].to_vec();
    flat.push(-1);
    layer.forward(&n.scope(params), x.reshape(flat)).reshape(lengths(x))
}

fn layer<'g>(n: &Node<'g>) -> Vec<Var<'g>> {
    let x = n.x(0);
    let axes = from(x, axis_of(x, n.axis_or(-1)));
    let y = by_layer(n, &LayerNorm::new().epsilon(epsilon(n)), &["weight", "bias"]);
    vec![y, x.mean(keep(&axes)), (x.var(keep(&axes)) + epsilon(n)).rsqrt()]
}

/// Each element over a power of the squares in its neighbourhood of channels.
fn local_response<'g>(n: &Node<'g>) -> Var<'g> {
    let x = n.x(0);
    let size = n.int_or("size", 1) as usize;
    let channels = x.shape()[1];
    let before = (size - 1) / 2;
    let padded = x.square().pad(1, before, size - 1 - before);
    let squares =
        (0..size).map(|i| padded.slice(1, i..i + channels)).reduce(|a, b| a + b).expect("size is above 0");
    let scale = squares * (n.real_or("alpha", 1e-4) / size as f64) + n.real_or("bias", 1.0);
    x / scale.pow(n.real_or("beta", 0.75))
}
