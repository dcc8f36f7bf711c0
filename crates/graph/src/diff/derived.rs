//! Formulas made of formulas: the tangent of a body, its transpose, and a body for many examples. Each is made once.

use super::jvp::record_tangents;
use super::transpose::transpose;
use super::vmap::batched;
use crate::body::{Answer, Body, Request};
use crate::error::Result;
use crate::ir::Graph;
use crate::origin::Phase;
use crate::prim::Mode;
use crate::types::Type;
use crate::var::Var;

/// What `record` finds for each of several places, as a body with the results that there are.
fn traced(
    graph: &Graph,
    types: Vec<Type>,
    record: impl for<'g> FnOnce(&'g Graph, &[Var<'g>]) -> Result<Vec<Option<Var<'g>>>>,
) -> Result<Answer> {
    let mut reached = Vec::new();
    let body = Body::trace(graph, types, |g, x| {
        let found = record(g, x)?;
        reached = found.iter().map(Option::is_some).collect();
        Ok(found.into_iter().flatten().collect())
    })?;
    Ok(reached.contains(&true).then_some((body, reached)))
}

/// The tangents of the results of `body` as a body over its parameters and the tangents of those that vary, and which
/// results have one.
pub(crate) fn tangent_body(graph: &Graph, body: &Body, varies: &[bool], mode: Mode) -> Result<Answer> {
    graph.once(body, Request::Tangent { varies: varies.to_vec(), mode }, || {
        let varying = body.parameter_types().zip(varies).filter(|(_, varies)| **varies);
        let types = body.parameter_types().chain(varying.map(|(ty, _)| ty)).cloned().collect();
        traced(graph, types, |g, all| {
            let (x, t) = all.split_at(body.parameters());
            let ys = g.inline(body, x);
            g.admit("call", &ys)?;
            let inputs: Vec<Var<'_>> = x.iter().zip(varies).filter(|(_, v)| **v).map(|(x, _)| *x).collect();
            let tangents = record_tangents(g, &ys, &inputs, t, mode)?;
            Ok(ys.iter().map(|y| tangents.of(*y)).collect())
        })
    })
}

/// The cotangents of the parameters in which `body` is `linear`, as a body over the other parameters and the
/// cotangents of those results at which one is `arriving`; and which of the parameters have one.
pub(crate) fn cotangent_body(
    graph: &Graph,
    body: &Body,
    linear: &[bool],
    arriving: &[bool],
) -> Result<Answer> {
    let request = Request::Transpose { linear: linear.to_vec(), arriving: arriving.to_vec() };
    graph.once(body, request, || {
        let fixed = body.parameter_types().zip(linear).filter(|(_, linear)| !**linear).map(|(ty, _)| ty);
        let arrive = body.result_types().zip(arriving).filter(|(_, arriving)| **arriving).map(|(ty, _)| ty);
        let types: Vec<Type> = fixed.chain(arrive).cloned().collect();
        let given = linear.iter().filter(|linear| !**linear).count();
        traced(graph, types, |g, all| {
            let (fixed, cts) = all.split_at(given);
            let mark = g.len();
            let mut fixed = fixed.iter();
            let mut seeds = Vec::new();
            let mut x = Vec::new();
            for (ty, linear) in body.parameter_types().zip(linear) {
                if *linear {
                    seeds.push(g.new_leaf("tangent", ty.clone(), None));
                }
                x.extend(if *linear { seeds.last() } else { fixed.next() });
            }
            // What is computed again for backward belongs to it.
            let ys = g.inline(&body.in_phase(Phase::Backward), &x);
            g.admit("call", &ys)?;
            let ends = ys.iter().zip(arriving).filter(|(_, arriving)| **arriving).map(|(y, _)| *y);
            let found = transpose(g, mark, &seeds, ends.zip(cts.iter().copied()))?;
            let mut found = found.into_iter();
            Ok(linear.iter().map(|linear| if *linear { found.next().flatten() } else { None }).collect())
        })
    })
}

/// `body` for `n` examples, from parameters of which those in `axes` have a leading axis of examples, as all results
/// have.
pub(crate) fn batched_body(graph: &Graph, body: &Body, n: usize, axes: &[bool]) -> Result<Body> {
    let made = graph.once(body, Request::Batch { n, axes: axes.to_vec() }, || {
        let with_axis = |(ty, axis): (&Type, &bool)| {
            if *axis { ty.shaped(ty.shape.with_leading(n)) } else { ty.clone() }
        };
        let types = body.parameter_types().zip(axes).map(with_axis).collect();
        traced(graph, types, |g, all| {
            let (ys, mapped) = of_examples(g, body, n, all, axes);
            g.admit("call", &ys)?;
            Ok(mapped.into_iter().map(Some).collect())
        })
    })?;
    Ok(made.map_or_else(|| body.clone(), |(body, _)| body))
}

/// The results of `body` over `x`, of which those in `axes` have a leading axis of `n` examples: for one example, and for
/// all, with that axis.
pub(super) fn of_examples<'g>(
    g: &'g Graph,
    body: &Body,
    n: usize,
    x: &[Var<'g>],
    axes: &[bool],
) -> (Vec<Var<'g>>, Vec<Var<'g>>) {
    let (mut inputs, mut examples, mut one) = (Vec::new(), Vec::new(), Vec::new());
    for ((ty, axis), x) in body.parameter_types().zip(axes).zip(x) {
        if *axis {
            inputs.push(g.new_leaf("example", ty.clone(), None));
            examples.push(*x);
        }
        one.extend(if *axis { inputs.last() } else { Some(x) });
    }
    let ys = g.inline(body, &one);
    let mapped = batched(g, n, &ys, &inputs, &examples);
    (ys, mapped)
}

/// `found` at the places that `reached` says, in order.
pub(crate) fn spread<'g>(reached: &[bool], found: Vec<Var<'g>>) -> Vec<Option<Var<'g>>> {
    let mut found = found.into_iter();
    reached.iter().map(|reached| if *reached { found.next() } else { None }).collect()
}
