//! Formulas made of formulas: the tangent of a body, its transpose, and a body for many examples. Each is made once.

use std::collections::HashMap;

use chainrule_tensor::kernels::Kind;

use super::jvp::record_tangents;
use super::linearity::linear_since;
use super::transpose::transpose;
use super::vmap::batched;
use crate::body::Body;
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Graph, Type};
use crate::origin::Phase;
use crate::prim::Mode;
use crate::prim::call::Rule;
use crate::var::Var;

/// What is asked of a body.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Request {
    Tangent { varies: Vec<bool>, mode: Mode },
    Transpose { linear: Vec<bool>, arriving: Vec<bool> },
    Batch { n: usize, axes: Vec<bool> },
}

/// The body that was asked for, and which of its possible results it has; `None` if it has none.
type Answer = Option<(Body, Vec<bool>)>;

/// All that has been made of the bodies of a graph.
#[derive(Default)]
pub(crate) struct Derived(HashMap<(Body, Request), Answer>);

fn derived(
    graph: &Graph,
    body: &Body,
    request: Request,
    make: impl FnOnce() -> Result<Answer>,
) -> Result<Answer> {
    let key = (body.clone(), request);
    if let Some(known) = graph.derived.borrow().0.get(&key) {
        return Ok(known.clone());
    }
    let made = make()?;
    graph.derived.borrow_mut().0.insert(key, made.clone());
    Ok(made)
}

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
    derived(graph, body, Request::Tangent { varies: varies.to_vec(), mode }, || {
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
    derived(graph, body, request, || {
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
    let made = derived(graph, body, Request::Batch { n, axes: axes.to_vec() }, || {
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

/// A rule for `n` examples, where `axes` says which arguments have a leading axis of examples, and the formula has
/// `parameters`.
pub(crate) fn batched_rule(
    graph: &Graph,
    rule: &Rule,
    n: usize,
    axes: &[bool],
    parameters: usize,
) -> Result<Rule> {
    let (Rule::Vjp { rule: body, given } | Rule::Jvp { rule: body, given }) = rule else {
        return Ok(rule.clone());
    };
    let (x, captures) = (&axes[..*given], &axes[parameters..]);
    let is_vjp = matches!(rule, Rule::Vjp { .. });
    let last: &[bool] = if is_vjp { &[true] } else { x };
    let axes = [x, &[true], last, captures].concat();
    let batched = batched_body(graph, body, n, &axes)?;
    if !is_vjp {
        return Ok(Rule::Jvp { rule: batched, given: *given });
    }
    // The cotangent of an argument that all examples share is the sum of theirs.
    let types: Vec<Type> = batched.parameter_types().cloned().collect();
    let summed = Body::trace(graph, types, |g, all| {
        let each = g.inline(&batched, all).into_iter().zip(x);
        Ok(each.map(|(ct, axis)| if *axis { ct } else { ct.sum(0) }).collect())
    })?;
    Ok(Rule::Vjp { rule: summed, given: *given })
}

/// J·t as a body over what the vjp `rule` called `name` takes but for the cotangent, and the tangents of the arguments
/// `varying`; `None` if it is 0.
///
/// # Errors
/// A rule that is not linear in its cotangent.
pub(crate) fn tangent_of_vjp(
    graph: &Graph,
    name: &str,
    rule: &Body,
    given: usize,
    varying: &[usize],
) -> Result<Option<Body>> {
    let ct = given + 1;
    let what = format!("the vjp of `{name}` is not linear in its cotangent");
    let hint = format!(
        "`{name}` has a vjp that is not linear in its cotangent; give it a custom_jvp, or use reverse mode only"
    );
    let check = |g: &Graph| {
        let seeds: Vec<Var<'_>> =
            rule.parameter_types().map(|ty| g.new_leaf("cotangent", ty.clone(), None)).collect();
        let found = g.inline(rule, &seeds);
        let asked: Vec<Var<'_>> = varying.iter().map(|i| found[*i]).collect();
        linear_since(g, &what, 0, &seeds[ct..=ct], &asked)
    };
    check(&graph.beside()).map_err(|error| error.hint(hint))?;
    let linear: Vec<bool> = (0..rule.parameters()).map(|i| i == ct).collect();
    let arriving: Vec<bool> = (0..rule.results().len()).map(|i| varying.contains(&i)).collect();
    Ok(cotangent_body(graph, rule, &linear, &arriving)?.map(|(body, _)| body))
}

/// The rule that a vjp of the user's is, from what it `found` for arguments `x`: one cotangent of its type for each.
///
/// # Errors
/// Another number of cotangents; one of another type than its argument.
pub(crate) fn cotangents_fit<'g>(name: &str, found: &[Var<'g>], x: &[Var<'g>]) -> Result<()> {
    let Some(first) = x.first() else { return Ok(()) };
    let refuse = |why: String, x: Var<'g>, hint: &str| {
        Err(Error::new(ErrorKind::Rule(why)).operand("argument", x.ty(), x.origin()).hint(hint))
    };
    first.graph.admit("custom rule", found)?;
    if found.len() != x.len() {
        let why =
            format!("the vjp of `{name}` returned {} cotangents for {} arguments", found.len(), x.len());
        return refuse(why, *first, "return one cotangent per argument, in their order");
    }
    for (i, (ct, x)) in found.iter().zip(x).enumerate() {
        if ct.ty() != x.ty() && x.kind() == Kind::Real {
            let why =
                format!("the vjp of `{name}` returned a cotangent of type {} for argument {i}", ct.ty());
            let hint = "a cotangent has its argument's type; sum over the axes that were broadcast";
            return refuse(why, *x, hint);
        }
    }
    Ok(())
}
