//! Several values at their places along an axis, zeros elsewhere: paddings that leave room for each other, as one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use chainrule_tensor::Layout;

use super::rows::Rows;
use super::slice::Slice;
use super::{Derivative, Lowering, Op, Primitive, Sample};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::types::Type;
use crate::var::Var;

/// Zeros of length `len` along `axis`, with the elements of argument `i` at `starts[i]`, `starts[i] + step`, …. No
/// place is taken twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    axis: usize,
    len: usize,
    step: usize,
    starts: Vec<usize>,
}

/// Whether `x` is a padding, which [`joined`] may put together with others.
pub(crate) fn is_padding(x: Var<'_>) -> bool {
    matches!(x.graph.inner.borrow().nodes[x.id.index()].op, Op::Pad(_))
}

/// Values whose sum is the sum of `paddings`: those that leave room for each other are one.
///
/// The gradient of a value of which k slices are used is a sum of k paddings, each as large as the value. They would
/// all be there before they are added.
pub(crate) fn joined<'g>(paddings: &[Var<'g>]) -> Vec<Var<'g>> {
    let mut alike: BTreeMap<(usize, usize), Vec<Part<'g>>> = BTreeMap::new();
    for &padding in paddings {
        let node = padding.graph.node(padding.id);
        if let Op::Pad(pad) = node.op {
            let x = padding.graph.var(node.args[0]);
            let part = Part { padding, x, start: pad.before, count: x.shape()[pad.axis], len: pad.len };
            alike.entry((pad.axis, pad.step)).or_default().push(part);
        }
    }
    let layer = |((axis, step), parts): ((usize, usize), Vec<Part<'g>>)| {
        layers(parts, step).into_iter().map(move |layer| one(axis, step, layer))
    };
    let mut joined: Vec<Var<'g>> = alike.into_iter().flat_map(layer).collect();
    // In the order in which they come to be there, so that each can be added at once.
    joined.sort_by_key(|value| value.id);
    joined
}

/// A padding and what it pads.
#[derive(Clone, Copy)]
struct Part<'g> {
    padding: Var<'g>,
    x: Var<'g>,
    start: usize,
    count: usize,
    len: usize,
}

/// The parts in as few layers as there can be, in none of which two parts meet.
fn layers(mut parts: Vec<Part<'_>>, step: usize) -> Vec<Vec<Part<'_>>> {
    parts.sort_by_key(|part| part.start);
    let mut layers: Vec<Vec<Part<'_>>> = Vec::new();
    // Parts of different remainders never meet. For each: where the last part of each layer ends, the first end on top.
    let mut ends: BTreeMap<usize, BinaryHeap<Reverse<(usize, usize)>>> = BTreeMap::new();
    for part in parts {
        let ends = ends.entry(part.start % step).or_default();
        let free = ends.peek().is_some_and(|Reverse((end, _))| *end <= part.start);
        let layer = if free { ends.pop().map(|Reverse((_, layer))| layer) } else { None };
        let layer = layer.unwrap_or(ends.len());
        ends.push(Reverse((part.start + part.count * step, layer)));
        if layer == layers.len() {
            layers.push(Vec::new());
        }
        layers[layer].push(part);
    }
    layers
}

/// The sum of the paddings of one layer.
fn one<'g>(axis: usize, step: usize, layer: Vec<Part<'g>>) -> Var<'g> {
    match layer[..] {
        [only] => only.padding,
        [first, ..] => {
            let starts = layer.iter().map(|part| part.start).collect();
            let place = Place { axis, len: first.len, step, starts };
            let x: Vec<Var<'g>> = layer.iter().map(|part| part.x).collect();
            first.x.graph.record(place.into(), &x)
        }
        [] => unreachable!("a layer begins with its first part"),
    }
}

impl Primitive for Place {
    fn name(&self) -> &'static str {
        "place"
    }

    fn attributes(&self) -> String {
        let starts: Vec<String> = self.starts.iter().map(usize::to_string).collect();
        format!("axis={} starts={} step={} len={}", self.axis, starts.join(","), self.step, self.len)
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        Ok(args[0].shaped(args[0].shape.with(self.axis, self.len)))
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Linear(|p, i, ct, s| {
            let len = s.x[i].shape()[p.axis];
            ct.slice_to(Slice { axis: p.axis, start: p.starts[i], len, step: p.step })
        })
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(Place { axis: self.axis + 1, ..self.clone() })
    }

    fn lower(&self, args: &[Layout], ty: &Type) -> Lowering {
        let whole = Layout::contiguous(ty.shape.clone());
        let place = |(from, start): (&Layout, &usize)| {
            (from.clone(), whole.slice(self.axis, *start, from.shape[self.axis], self.step as isize))
        };
        let taken: usize = args.iter().map(|from| from.shape[self.axis]).sum();
        let parts = args.iter().zip(&self.starts).map(place).collect();
        Lowering::Kernel(Call::Place { parts, fill: taken < self.len })
    }

    fn strided(&self) -> bool {
        true
    }

    fn samples() -> Vec<Sample> {
        let sample = |name: &str, shapes: &[&[usize]], place: Place| {
            Sample::new(name, shapes, -2.0..2.0, move |x| {
                x[0].graph().record(place.clone().into(), x).square()
            })
        };
        let place = |axis, len, step, starts: &[usize]| Place { axis, len, step, starts: starts.to_vec() };
        vec![
            sample("place (2,) and (1,)", &[&[2], &[1]], place(0, 5, 1, &[0, 3])),
            sample("place (2, 2) and (2, 1) side by side", &[&[2, 2], &[2, 1]], place(1, 3, 1, &[0, 2])),
            sample("place every second of (4, 2)", &[&[2, 2], &[1, 2]], place(0, 4, 2, &[1, 0])),
            sample("place (0,) and (1,)", &[&[0], &[1]], place(0, 2, 1, &[0, 0])),
            sample("place (1,) and (1,)", &[&[1], &[1]], place(0, 3, 1, &[0, 2])),
        ]
    }
}
