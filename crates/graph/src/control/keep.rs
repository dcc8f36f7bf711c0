//! What a differentiated loop keeps for its backward pass.

use super::Result;
use crate::body::Body;
use crate::ir::Graph;
use crate::prim::call::Rule;
use crate::prim::loops::Loop;
use crate::types::Type;
use crate::var::Var;

/// What the backward pass of a [`Scan`](super::Scan) finds of its steps; the rest it computes again.
///
/// What it saves, in bytes that the plan of a gradient works in, measured on a plain recurrent network of 64 units over 1,024
/// steps of 8 sequences in f32:
///
/// | kept | bytes |
/// | --- | ---: |
/// | [`All`](Keep::All) | 4,286,464 |
/// | [`Every`](Keep::Every)`(8)` | 456,704 |
/// | [`SquareRoot`](Keep::SquareRoot) | 358,400 |
///
/// ```
/// use chainrule_graph::{Graph, Keep, Kind, Precision, Scan};
/// let bytes = |keep| -> Result<usize, chainrule_graph::Error> {
///     let g = Graph::new();
///     let (x, w) = (g.input("x", [1024, 8, 64], Kind::Real), g.input("w", [64, 64], Kind::Real));
///     let h = g.constant(0.0).broadcast_to([8, 64]);
///     let (last, _) = Scan::new().keep(keep).run(&[h], &[x], |h, x| {
///         Ok((vec![(h[0].matmul(w) + x[0]).tanh()], vec![]))
///     })?;
///     let d = last[0].square().sum(..).grad(&[w])?;
///     Ok(g.compiler(&[x, w], &d).precision(Precision::F32).build()?.bytes())
/// };
/// assert!(bytes(Keep::All)? > 10 * bytes(Keep::SquareRoot)?);
/// assert!(bytes(Keep::All)? > 8 * bytes(Keep::Every(8))?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Keep {
    /// All that it needs of every step: the least work.
    #[default]
    All,
    /// The carries before every k-th step: memory of T/k carries and of all that k steps need, for one more run of the
    /// loop.
    Every(usize),
    /// [`Every`](Keep::Every) ⌈√T⌉-th step of T: the least memory of one level (Griewank & Walther 2000).
    SquareRoot,
}

impl Keep {
    /// The number of steps between carries that are kept, in a loop of `length`; `None` if all are.
    pub(super) fn stride(self, length: usize) -> Option<usize> {
        match self {
            Keep::All => None,
            Keep::Every(k) => Some(k.max(1)),
            Keep::SquareRoot => Some((length as f64).sqrt().ceil().max(1.0) as usize),
        }
    }
}

/// Records `one`, a scan of which `length` and what it keeps are not yet known, so that carries are kept every `stride`
/// steps. All results but the number of steps.
pub(super) fn record<'g>(
    graph: &'g Graph,
    one: &Loop,
    stride: usize,
    carries: &[Var<'g>],
    slices: &[Var<'g>],
    captures: &[Var<'g>],
) -> Result<Vec<Var<'g>>> {
    let (blocks, rest) = (one.length / stride, one.length % stride);
    let whole = blocks * stride;
    // Backwards the last slices come first, and those that fill no block come last.
    let first = if one.reverse { rest } else { 0 };
    let other = if one.reverse { 0 } else { whole };
    let part = |x: &Var<'g>, start: usize, len: usize| x.slice(0, start..start + len);
    let mut carries = carries.to_vec();
    let mut stacks: Vec<Vec<Var<'g>>> = vec![Vec::new(); one.stacked()];
    if blocks > 0 {
        let block = segment(graph, one, stride)?;
        let types: Vec<Type> = block.parameter_types().cloned().collect();
        let body =
            Body::trace(graph, types, |g, x| Ok(g.call("checkpoint", block.clone(), Rule::Recompute, x)))?;
        let outer = Loop { body, length: blocks, ..one.clone() };
        let blocked = |x: &Var<'g>| {
            let x = part(x, first, whole);
            let shape = [&[blocks, stride][..], &x.shape()[1..]].concat();
            x.reshape_to(shape.into())
        };
        let slices: Vec<Var<'g>> = slices.iter().map(blocked).collect();
        let found = graph.record_all(outer, &[&carries[..], &slices, captures].concat())?;
        carries = found[1..=one.carries].to_vec();
        for (parts, y) in stacks.iter_mut().zip(&found[1 + one.carries..]) {
            let shape = [&[whole][..], &y.shape()[2..]].concat();
            parts.push(y.reshape_to(shape.into()));
        }
    }
    if rest > 0 {
        let slices: Vec<Var<'g>> = slices.iter().map(|x| part(x, other, rest)).collect();
        let args = [&carries[..], &slices, captures].concat();
        let found = graph.call("checkpoint", segment(graph, one, rest)?, Rule::Recompute, &args);
        graph.admit("scan", &found)?;
        carries = found[..one.carries].to_vec();
        for (parts, y) in stacks.iter_mut().zip(&found[one.carries..]) {
            parts.insert(if one.reverse { 0 } else { parts.len() }, *y);
        }
    }
    let stacks = stacks.into_iter().map(|parts| graph.concat(&parts, 0));
    Ok(carries.into_iter().chain(stacks).collect())
}

/// `length` steps as a formula: all results but the number of steps.
fn segment(graph: &Graph, one: &Loop, length: usize) -> Result<Body> {
    let types = one.body.parameter_types().enumerate().map(|(i, ty)| {
        let sliced = (one.carries..one.carries + one.slices).contains(&i);
        if sliced { ty.shaped(ty.shape.with_leading(length)) } else { ty.clone() }
    });
    Body::trace(graph, types.collect::<Vec<_>>(), |g, x| {
        Ok(g.record_all(Loop { length, ..one.clone() }, x)?.split_off(1))
    })
}
