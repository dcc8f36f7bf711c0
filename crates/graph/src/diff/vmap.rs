//! One formula over many examples: each node that depends on them is recorded once, by its batching rule.

use std::collections::HashMap;
use std::convert::Infallible;
use std::panic::Location;

use super::copy::{between, rerecord};
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Graph, NodeId, Type};
use crate::origin::Origin;
use crate::prim::Rule;
use crate::prim::rows::{Rows, repeat};
use crate::var::Var;
use chainrule_tensor::{Shape, kernels::Kind};

/// Applies `f` to each entry of the leading axis of `examples`, all at once: `f` is called a single time, with
/// values that stand for one example, and its results get the leading axis back.
///
/// What `f` uses besides is shared by all examples. Random numbers that `f` draws are not: each example has its own
/// ([`Var::uniform`] says which). To map over another axis, bring it to the front with
/// [`permute`](Var::permute). Whatever `f` records may be derivatives, and what `vmap` records can be
/// differentiated, so per-example gradients are `vmap` of `grad`, and the gradient of a mean over examples is `grad`
/// of `vmap`.
///
/// # Errors
/// The errors of `f`; no examples; an example without axes; leading axes of different length.
///
/// ```
/// use chainrule_graph::{Graph, vmap};
/// let g = Graph::new();
/// let w = g.leaf("w", [1.0, 2.0]);
/// let x = g.constant([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]]);
/// let y = g.constant(chainrule_tensor::Tensor::from([1.0, 0.0, 3.0]));
/// // The gradient that each of the three examples alone would give.
/// let per_example = vmap(&[x, y], |e| (e[0] * w).sum(&[]).square().grad(&[w]))?;
/// assert_eq!(per_example[0].shape()[..], [3, 2]);
/// assert_eq!(per_example[0].value()?, chainrule_tensor::Tensor::from([[2.0, 0.0], [0.0, 4.0], [24.0, 24.0]]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn vmap<'g>(
    examples: &[Var<'g>],
    f: impl FnOnce(&[Var<'g>]) -> Result<Vec<Var<'g>>>,
) -> Result<Vec<Var<'g>>> {
    let Some(first) = examples.first() else {
        let error = Error::new(ErrorKind::Batch("needs at least one value to map over".into()));
        return Err(error.placed(Origin::of(Location::caller())));
    };
    let graph = first.graph;
    let called = Location::caller();
    let here = graph.origin(called);
    graph.admit("vmap", examples)?;
    let mut n = None;
    for x in examples {
        let ty = x.ty();
        let Some(&length) = ty.shape.first() else {
            let why = format!("{ty} has no axis to map over");
            let hint = "values that all examples share are used in the closure without being listed";
            return Err(Error::new(ErrorKind::Batch(why)).placed(x.origin()).hint(hint));
        };
        if *n.get_or_insert(length) != length {
            let why = format!("leading axes differ in length: {} and {length}", first.shape()[0]);
            return Err(Error::new(ErrorKind::Batch(why))
                .placed(here)
                .operand("first", first.ty(), first.origin())
                .operand("other", ty, x.origin())
                .hint(
                    "the leading axis of each value counts the examples; permute another axis to the front",
                ));
        }
    }
    let n = n.unwrap_or(0);
    let mapped = mapped(examples, n, |inputs| -> Result<_> {
        let outputs = f(inputs)?;
        // Inside the closure the compiler no longer knows who called.
        let _here = graph.blame_line(called);
        graph.admit("vmap", &outputs)?;
        Ok(outputs)
    })?;
    graph.admit("vmap", &mapped)?;
    Ok(mapped)
}

/// The outputs of `f`, called with stand-ins of one example, for all `n` examples.
fn mapped<'g, E>(
    examples: &[Var<'g>],
    n: usize,
    f: impl FnOnce(&[Var<'g>]) -> Result<Vec<Var<'g>>, E>,
) -> Result<Vec<Var<'g>>, E> {
    let graph = examples[0].graph;
    let mut inputs: Vec<Var<'g>> = examples.iter().map(|x| stand_in(*x)).collect();
    let (outputs, number) = Mapping::over(graph, &inputs, f);
    let mut examples = examples.to_vec();
    if let Some(number) = number {
        inputs.push(number);
        examples.push(graph.iota([n], 0));
    }
    Ok(batched(graph, n, &outputs?, &inputs, &examples))
}

/// A closure being mapped: what stands for one example in it.
pub(crate) struct Mapping {
    inputs: Vec<NodeId>,
    /// The number of the example, once it has been asked for.
    number: Option<NodeId>,
}

impl Mapping {
    /// What `f` gives for `inputs`, and what stood for the example's number if it was asked for.
    fn over<'g, R>(
        graph: &'g Graph,
        inputs: &[Var<'g>],
        f: impl FnOnce(&[Var<'g>]) -> R,
    ) -> (R, Option<Var<'g>>) {
        /// Ends the mapping, whether `f` returns or panics.
        struct Ending<'g>(&'g Graph);
        impl Drop for Ending<'_> {
            fn drop(&mut self) {
                self.0.inner.borrow_mut().mappings.pop();
            }
        }
        let mapping = Mapping { inputs: inputs.iter().map(|x| x.id).collect(), number: None };
        graph.inner.borrow_mut().mappings.push(mapping);
        let _ending = Ending(graph);
        let made = f(inputs);
        let number = graph.inner.borrow().mappings.last().and_then(|m| m.number);
        (made, number.map(|id| graph.var(id)))
    }

    /// Follows nodes that are moved or taken out of the graph: `now` says where they are.
    pub(crate) fn rename(&mut self, now: impl Fn(NodeId) -> Option<NodeId>) {
        self.number = self.number.and_then(now);
    }
}

/// `key`, and behind it the number of the example in each mapping that it does not depend on, the outermost first.
pub(crate) fn key_of_example(key: Var<'_>) -> Var<'_> {
    let graph = key.graph;
    let shape = key.shape();
    let ([axes @ .., _], Kind::Int) = (&shape[..], key.kind()) else { return key };
    let one: Shape = axes.iter().copied().chain([1]).collect();
    let mut parts = vec![key];
    let mappings = graph.inner.borrow().mappings.len();
    for i in 0..mappings {
        let inputs = graph.inner.borrow().mappings[i].inputs.clone();
        if inputs.contains(&key.id) || !between(graph, &inputs, &[key.id]).is_empty() {
            continue;
        }
        let known = graph.inner.borrow().mappings[i].number;
        let number = known.unwrap_or_else(|| {
            let number =
                graph.new_leaf("number of the example", Type { shape: ().into(), kind: Kind::Int }, None);
            graph.inner.borrow_mut().mappings[i].number = Some(number.id);
            number.id
        });
        parts.push(graph.var(number).broadcast_to(one.clone()));
    }
    if parts.len() == 1 { key } else { graph.concat(&parts, -1) }
}

/// A leaf that stands for one example of `x`.
fn stand_in<'g>(x: Var<'g>) -> Var<'g> {
    let ty = x.ty();
    let one = Type { shape: ty.shape.without(0), kind: ty.kind };
    let _blame = x.graph.blame_origin(x.origin());
    let advice = "inside the closure given to vmap it stands for one example, outside it has no value; return what is \
                  needed of it";
    x.graph.placeholder("example", one, advice)
}

/// As [`vmap`], for values whose leading axes are known to be equal, with poison in the place of errors.
pub(crate) fn rows<'g>(examples: &[Var<'g>], f: impl FnOnce(&[Var<'g>]) -> Vec<Var<'g>>) -> Vec<Var<'g>> {
    let n = examples[0].shape()[0];
    match mapped(examples, n, |inputs| Ok::<_, Infallible>(f(inputs))) {
        Ok(mapped) => mapped,
        Err(never) => match never {},
    }
}

/// Records `outputs` for `n` examples, with `examples` in the place of `inputs`.
pub(crate) fn batched<'g>(
    graph: &'g Graph,
    n: usize,
    outputs: &[Var<'g>],
    inputs: &[Var<'g>],
    examples: &[Var<'g>],
) -> Vec<Var<'g>> {
    let ids: Vec<NodeId> = outputs.iter().map(|y| y.id).collect();
    let replaced: HashMap<NodeId, Var<'g>> = inputs.iter().zip(examples).map(|(i, x)| (i.id, *x)).collect();
    let mut several: HashMap<NodeId, Vec<Var<'g>>> = HashMap::new();
    let found = rerecord(graph, &ids, replaced, |id, node, new: &[Option<Var<'g>>]| {
        let _blame = graph.blame_origin(node.origin.clone());
        let rule = node.op.rule();
        if let (Rule::Part(i), Some(all)) = (&rule, node.args.first().and_then(|a| several.get(a))) {
            return all[*i];
        }
        let args = node.args.iter().zip(new);
        let args: Vec<(Var<'g>, bool)> =
            args.map(|(old, new)| new.map_or((graph.var(*old), false), |v| (v, true))).collect();
        // A rule indexes the axes of what it is given.
        if let Some((poisoned, _)) = args.iter().find(|(v, _)| v.is_poisoned()) {
            return *poisoned;
        }
        let rows = Rows::new(n, args);
        let all = if let Rule::Structured(op) = rule { op.batch_all(&rows) } else { None };
        let Some(all) = all else { return node.op.batch(&rows) };
        let first = all[0];
        several.insert(id, all);
        first
    });
    found.into_iter().zip(outputs).map(|(new, y)| new.unwrap_or_else(|| repeat(*y, n))).collect()
}
