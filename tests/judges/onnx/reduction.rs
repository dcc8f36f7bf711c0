//! Along axes: reductions, positions of extremes, softmax and norms.

use chainrule::graph::{Kind, Var};
use chainrule::tensor::keep;

use super::node::{Node, Outcome, axis_of};

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    let y = if n.op.starts_with("Reduce") { reduce(n)? } else { along(n)? };
    Some(Ok(vec![y]))
}

fn reduce<'g>(n: &Node<'g>) -> Option<Var<'g>> {
    let x = n.x(0);
    let named = n.ints("axes").or_else(|| n.ints_of(1)).unwrap_or_default();
    let axes: Vec<isize> = match named.is_empty() {
        true if n.flag("noop_with_empty_axes", false) => return noop(&n.op, x),
        true => (0..x.rank() as isize).collect(),
        false => named.iter().map(|a| *a as isize).collect(),
    };
    let mut y = over(&n.op, x, &axes)?;
    if n.flag("keepdims", true) {
        let mut places: Vec<usize> = axes.iter().map(|a| axis_of(x, *a)).collect();
        places.sort_unstable();
        y = places.iter().fold(y, |y, place| y.insert_axis(*place as isize));
    }
    Some(y)
}

/// A reduction over no axes: the elementwise part alone.
fn noop<'g>(op: &str, x: Var<'g>) -> Option<Var<'g>> {
    match op {
        "ReduceL1" | "ReduceL2" => Some(x.abs()),
        "ReduceLogSum" => Some(x.ln()),
        "ReduceSumSquare" => Some(x.square()),
        _ => Some(x),
    }
}

fn over<'g>(op: &str, x: Var<'g>, axes: &[isize]) -> Option<Var<'g>> {
    Some(match op {
        "ReduceL1" => x.abs().sum(axes),
        "ReduceL2" => x.square().sum(axes).sqrt(),
        "ReduceLogSum" => x.sum(axes).ln(),
        "ReduceLogSumExp" => log_sum_exp(x, axes),
        "ReduceMax" => extreme(x, axes, f64::NEG_INFINITY, |x, axes| x.max(axes)),
        "ReduceMean" => x.mean(axes),
        "ReduceMin" => extreme(x, axes, f64::INFINITY, |x, axes| x.min(axes)),
        "ReduceProd" => {
            let mut last_first: Vec<usize> = axes.iter().map(|a| axis_of(x, *a)).collect();
            last_first.sort_by_key(|a| std::cmp::Reverse(*a));
            last_first.iter().fold(x, |x, axis| x.prod(*axis as isize))
        }
        "ReduceSum" => x.sum(axes),
        "ReduceSumSquare" => x.square().sum(axes),
        _ => return None,
    })
}

/// How many elements one result of a reduction is made of.
fn count(x: Var<'_>, axes: &[isize]) -> usize {
    axes.iter().map(|a| x.shape()[axis_of(x, *a)]).product()
}

/// ONNX gives the extreme of nothing a value, where chainrule refuses; and it has extremes of truth values.
fn extreme<'g>(x: Var<'g>, axes: &[isize], of_nothing: f64, f: fn(Var<'g>, &[isize]) -> Var<'g>) -> Var<'g> {
    if x.kind() == Kind::Truth {
        let y = extreme(x.real(), axes, of_nothing, f);
        return y.greater(0.0);
    }
    if count(x, axes) == 0 { x.sum(axes) + of_nothing } else { f(x, axes) }
}

fn log_sum_exp<'g>(x: Var<'g>, axes: &[isize]) -> Var<'g> {
    if count(x, axes) == 0 {
        return x.sum(axes).ln();
    }
    (x - x.max(keep(axes))).exp().sum(axes).ln() + x.max(axes)
}

fn along<'g>(n: &Node<'g>) -> Option<Var<'g>> {
    let x = n.given(0)?;
    Some(match n.op.as_str() {
        "ArgMax" => position(n, x),
        "ArgMin" => position(n, -x),
        "GlobalAveragePool" => {
            let axes: Vec<isize> = (2..x.rank() as isize).collect();
            x.mean(keep(&axes))
        }
        "GlobalMaxPool" => {
            let axes: Vec<isize> = (2..x.rank() as isize).collect();
            x.max(keep(&axes))
        }
        "Hardmax" => {
            let axis = n.axis_or(-1);
            let ranks = n.g.iota(x.shape(), axis_of(x, axis) as isize);
            ranks.equal(x.argmax(axis).insert_axis(axis)).real()
        }
        "LogSoftmax" => x.log_softmax(n.axis_or(-1)),
        "LpNormalization" => {
            let axis = keep(n.axis_or(-1));
            let norm = match n.int_or("p", 2) {
                1 => x.abs().sum(&axis),
                _ => x.square().sum(&axis).sqrt(),
            };
            norm.equal(0.0).select(0.0, x / norm)
        }
        "Softmax" => x.softmax(n.axis_or(-1)),
        _ => return None,
    })
}

fn position<'g>(n: &Node<'g>, x: Var<'g>) -> Var<'g> {
    let axis = n.axis_or(0);
    let y = if n.flag("select_last_index", false) {
        // The last of equals is the first from behind.
        let last = x.shape()[axis_of(x, axis)] as i64 - 1;
        n.g.constant(last) - x.flip(axis).argmax(axis)
    } else {
        x.argmax(axis)
    };
    if n.flag("keepdims", true) { y.insert_axis(axis) } else { y }
}
