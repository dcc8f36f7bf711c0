//! Where elements stand: reshaping, slicing, joining, padding, and values made of shapes alone.

use chainrule::graph::{Kind, Var};
use chainrule::tensor::{DType, Shape, Tensor};
use serde_json::Value;

use super::node::{Node, Outcome, axis_of, lengths};

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    let y = match n.op.as_str() {
        "Split" => return Some(Ok(split(n))),
        "Dropout" => return dropout(n),
        "Pad" => pad(n),
        "CenterCropPad" => center_crop_pad(n),
        _ => arranged(n).or_else(|| made(n))?,
    };
    Some(Ok(vec![y]))
}

fn arranged<'g>(n: &Node<'g>) -> Option<Var<'g>> {
    let x = n.given(0)?;
    let size = |i: usize| x.shape()[i] as isize;
    Some(match n.op.as_str() {
        "Concat" => n.g.concat(&n.all(), n.axis_or(0)),
        "DepthToSpace" => {
            let block = n.int_or("blocksize", 1) as isize;
            let (b, c, h, w) = (size(0), size(1) / (block * block), size(2), size(3));
            let blocks = match n.text_or("mode", "DCR") {
                "CRD" => x.reshape([b, c, block, block, h, w]).permute([0, 1, 4, 2, 5, 3]),
                _ => x.reshape([b, block, block, c, h, w]).permute([0, 3, 4, 1, 5, 2]),
            };
            blocks.reshape([b, c, h * block, w * block])
        }
        "Expand" => {
            let to: Vec<usize> = n.ints_of(1)?.iter().map(|n| *n as usize).collect();
            let common = chainrule::tensor::shape::broadcast("expand", &x.shape(), &to).ok()?;
            x.broadcast_to(common)
        }
        "Flatten" => {
            let axis = axis_of(x, n.axis_or(1));
            let rows: usize = x.shape()[..axis].iter().product();
            x.reshape((rows, -1))
        }
        "Identity" => x,
        "Reshape" => x.reshape(target(n, x)),
        "ReverseSequence" => reverse_sequence(n, x),
        "Shape" => {
            let rank = x.rank() as i64;
            let at = |name, default| {
                n.int(name).map_or(default, |i| if i < 0 { i + rank } else { i }).clamp(0, rank)
            };
            let (start, end) = (at("start", 0) as usize, at("end", rank) as usize);
            let shape: Vec<i64> = x.shape()[start..end.max(start)].iter().map(|n| *n as i64).collect();
            n.g.constant(Tensor::from(shape))
        }
        "Size" => n.g.constant(x.shape().size() as i64),
        "Slice" => slice(n, x),
        "SpaceToDepth" => {
            let block = n.int_or("blocksize", 1) as isize;
            let (b, c, h, w) = (size(0), size(1), size(2) / block, size(3) / block);
            let order: [isize; 6] =
                if n.text_or("mode", "DCR") == "CRD" { [0, 1, 3, 5, 2, 4] } else { [0, 3, 5, 1, 2, 4] };
            x.reshape([b, c, h, block, w, block]).permute(order).reshape([b, c * block * block, h, w])
        }
        "Squeeze" => {
            let axes: Vec<usize> = n.ints_of(1)?.iter().map(|a| axis_of(x, *a as isize)).collect();
            let kept = lengths(x).into_iter().enumerate().filter(|(i, _)| !axes.contains(i));
            x.reshape(kept.map(|(_, n)| n).collect::<Vec<_>>())
        }
        "Tile" => n
            .ints_of(1)?
            .iter()
            .enumerate()
            .fold(x, |x, (axis, times)| n.g.concat(&vec![x; *times as usize], axis as isize)),
        "Transpose" => {
            let reversed = || (0..x.rank() as i64).rev().collect();
            let axes = n.ints("perm").unwrap_or_else(reversed);
            x.permute(axes.iter().map(|a| *a as isize).collect::<Vec<_>>())
        }
        "Trilu" => {
            let k = n.ints_of(1).map_or(0, |k| k[0]);
            let rank = x.rank() as isize;
            // How far right of the diagonal an element stands.
            let place = n.g.iota(x.shape(), rank - 1) - n.g.iota(x.shape(), rank - 2);
            let kept = if n.flag("upper", true) { place.greater_equal(k) } else { place.less_equal(k) };
            kept.select(x, zero(n, x))
        }
        "Unsqueeze" => {
            let named = n.ints("axes").or_else(|| n.ints_of(1))?;
            let rank = (x.rank() + named.len()) as i64;
            let mut axes: Vec<i64> = named.iter().map(|a| if *a < 0 { a + rank } else { *a }).collect();
            axes.sort_unstable();
            axes.iter().fold(x, |x, axis| x.insert_axis(*axis as isize))
        }
        _ => return None,
    })
}

/// Zero in the kind of `x`.
fn zero<'g>(n: &Node<'g>, x: Var<'g>) -> Var<'g> {
    match x.kind() {
        Kind::Real => n.g.constant(0.0),
        Kind::Int => n.g.constant(0_i64),
        Kind::Truth => n.g.constant(false),
    }
}

/// The target of Reshape: 0 copies a length unless `allowzero`.
fn target(n: &Node<'_>, x: Var<'_>) -> Vec<isize> {
    let to = n.ints_of(1).expect("a shape");
    let copied = |(i, length): (usize, &i64)| match length {
        0 if !n.flag("allowzero", false) => x.shape()[i] as isize,
        length => *length as isize,
    };
    to.iter().enumerate().map(copied).collect()
}

/// Python's slice of one axis: negative positions count from the end, a negative step walks backwards.
fn slice<'g>(n: &Node<'g>, x: Var<'g>) -> Var<'g> {
    let (starts, ends) = (n.ints_of(1).expect("starts"), n.ints_of(2).expect("ends"));
    let axes = n.ints_of(3).unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = n.ints_of(4).unwrap_or_else(|| vec![1; starts.len()]);
    let mut y = x;
    for (i, axis) in axes.iter().enumerate() {
        let axis = axis_of(x, *axis as isize) as isize;
        let length = x.shape()[axis as usize] as i64;
        let from_front = |at: i64| if at < 0 { at + length } else { at };
        let step = steps[i];
        if step > 0 {
            let start = from_front(starts[i]).clamp(0, length);
            let end = from_front(ends[i]).clamp(start, length);
            y = y.slice_step(axis, start as usize..end as usize, step as usize);
        } else {
            let start = from_front(starts[i]).clamp(-1, length - 1);
            let end = from_front(ends[i]).clamp(-1, start);
            // Walking backwards from `start` to `end` is walking forwards in the flipped axis.
            let range = (length - 1 - start) as usize..(length - 1 - end) as usize;
            y = y.flip(axis).slice_step(axis, range, -step as usize);
        }
    }
    y
}

fn split<'g>(n: &Node<'g>) -> Vec<Var<'g>> {
    let x = n.x(0);
    let axis = n.axis_or(0);
    let length = x.shape()[axis_of(x, axis)];
    let parts = n.int_or("num_outputs", n.outputs as i64) as usize;
    let sizes = n.ints_of(1).map(|s| s.iter().map(|n| *n as usize).collect::<Vec<_>>());
    let chunk = length.div_ceil(parts);
    let sizes =
        sizes.unwrap_or_else(|| (0..parts).map(|i| chunk.min(length.saturating_sub(i * chunk))).collect());
    let mut start = 0;
    let mut next = |size| {
        start += size;
        x.slice(axis, start - size..start)
    };
    sizes.into_iter().map(&mut next).collect()
}

fn reverse_sequence<'g>(n: &Node<'g>, x: Var<'g>) -> Var<'g> {
    let (batch, time) = (n.int_or("batch_axis", 1) as isize, n.int_or("time_axis", 0) as isize);
    let (entries, steps) = (x.shape()[batch as usize], x.shape()[time as usize]);
    let lengths = n.ints_of(1).expect("lengths");
    let row = |b: usize| {
        let (row, length) = (x.slice(batch, b..b + 1), lengths[b] as usize);
        n.g.concat(&[row.slice(time, 0..length).flip(time), row.slice(time, length..steps)], time)
    };
    n.g.concat(&(0..entries).map(row).collect::<Vec<_>>(), batch)
}

/// Without training, and in training with nothing dropped, dropout passes on what comes.
fn dropout<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    let x = n.x(0);
    let training = n.ints_of(2).is_some_and(|t| t[0] != 0);
    let ratio = n.reals_of(1).map_or(0.5, |r| r[0]);
    if training && ratio != 0.0 {
        return Some(Err("random numbers of ONNX's own generator"));
    }
    Some(Ok(vec![x, n.g.constant(true).broadcast_to(x.shape())]))
}

fn pad<'g>(n: &Node<'g>) -> Var<'g> {
    let x = n.x(0);
    let amounts = n.ints_of(1).expect("pads");
    let axes = n.ints_of(3).unwrap_or_else(|| (0..x.rank() as i64).collect());
    let axes: Vec<isize> = axes.iter().map(|a| axis_of(x, *a as isize) as isize).collect();
    let each = axes.iter().enumerate().map(|(i, axis)| (*axis, amounts[i], amounts[i + axes.len()]));
    match n.text_or("mode", "constant") {
        "constant" => {
            let value = n.given(2).unwrap_or_else(|| zero(n, x));
            filled(x, &each.collect::<Vec<_>>(), value)
        }
        mode => each.fold(x, |y, (axis, before, after)| {
            let length = y.shape()[axis as usize] as i64;
            let element = |i: i64| y.slice(axis, i as usize..i as usize + 1);
            let at = |i: i64| match mode {
                "edge" => i.clamp(0, length - 1),
                "reflect" => {
                    let period = (2 * (length - 1)).max(1);
                    let i = i.rem_euclid(period);
                    i.min(period - i)
                }
                _ => i.rem_euclid(length),
            };
            n.g.concat(&(-before..length + after).map(|i| element(at(i))).collect::<Vec<_>>(), axis)
        }),
    }
}

/// `x` with `value` in front of and behind each named axis.
pub(crate) fn filled<'g>(x: Var<'g>, each: &[(isize, i64, i64)], value: Var<'g>) -> Var<'g> {
    let grow = |y: Var<'g>, (axis, before, after): &(isize, i64, i64)| crop_or_pad(y, *axis, *before, *after);
    let inside = x.graph().constant(1.0).broadcast_to(x.shape());
    let (y, inside) = (each.iter().fold(x, grow), each.iter().fold(inside, grow));
    inside.greater(0.5).select(y, value)
}

/// Zeros at both ends of an axis, or elements fewer where a number is negative.
pub(crate) fn crop_or_pad(y: Var<'_>, axis: isize, before: i64, after: i64) -> Var<'_> {
    let length = y.shape()[axis as usize] as i64;
    let (start, end) = ((-before).max(0), length - (-after).max(0));
    y.slice(axis, start as usize..end as usize).pad(axis, before.max(0) as usize, after.max(0) as usize)
}

fn center_crop_pad<'g>(n: &Node<'g>) -> Var<'g> {
    let x = n.x(0);
    let wanted = n.ints_of(1).expect("a shape");
    let axes = n.ints("axes").unwrap_or_else(|| (0..x.rank() as i64).collect());
    axes.iter().zip(wanted).fold(x, |y, (axis, wanted)| {
        let axis = axis_of(x, *axis as isize) as isize;
        let missing = wanted - y.shape()[axis as usize] as i64;
        // Halves of odd amounts: less in front of what is padded, and less cut off there too.
        let before = if missing >= 0 { missing / 2 } else { -(-missing / 2) };
        crop_or_pad(y, axis, before, missing - before)
    })
}

/// Values that depend on shapes and attributes alone.
fn made<'g>(n: &Node<'g>) -> Option<Var<'g>> {
    Some(match n.op.as_str() {
        "Constant" => {
            let mut flat = Vec::new();
            let mut shape = Vec::new();
            flatten(&n.attribute("value")["tensor"], 0, &mut flat, &mut shape);
            let value = n.g.constant(Tensor::from_vec(flat, shape).ok()?);
            let whole = n.attribute("value")["dtype"].as_str().is_some_and(|d| d.starts_with("int"));
            if whole { value.int() } else { value }
        }
        "ConstantOfShape" => {
            let shape: Shape = n.ints_of(0)?.iter().map(|n| *n as usize).collect();
            let value = n.attribute("value");
            let number = value["tensor"][0].as_f64().unwrap_or(0.0);
            let whole = value["dtype"].as_str().is_some_and(|d| d.starts_with("int"));
            let number = if whole { n.g.constant(number as i64) } else { n.g.constant(number) };
            number.broadcast_to(shape)
        }
        "EyeLike" => {
            let shape = n.x(0).shape();
            let diagonal = n.g.iota(&shape, 1) - n.g.iota(&shape, 0);
            diagonal.equal(n.int_or("k", 0)).cast(n.kind("dtype").unwrap_or(n.x(0).kind()))
        }
        "Range" => {
            let [start, limit, delta] = [0, 1, 2].map(|i| n.reals_of(i).expect("a number")[0]);
            let steps = ((limit - start) / delta).ceil().max(0.0) as usize;
            let whole = n.value(0)?.dtype() == DType::I64;
            let ranks = n.g.iota([steps], 0);
            if whole { ranks * n.x(2) + n.x(0) } else { ranks.real() * n.x(2) + n.x(0) }
        }
        _ => return None,
    })
}

/// Nested lists as a flat one and a shape.
fn flatten(value: &Value, depth: usize, flat: &mut Vec<f64>, shape: &mut Vec<usize>) {
    match value.as_array() {
        Some(list) => {
            if shape.len() == depth {
                shape.push(list.len());
            }
            list.iter().for_each(|v| flatten(v, depth + 1, flat, shape));
        }
        None => flat.push(value.as_f64().unwrap_or(f64::NAN)),
    }
}
