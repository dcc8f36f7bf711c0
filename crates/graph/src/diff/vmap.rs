//! One formula over many examples: each node that depends on them is recorded once, by its batching rule.

use std::collections::HashMap;
use std::panic::Location;

use super::copy::rerecord;
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Graph, NodeId, Type};
use crate::origin::Origin;
use crate::prim::rows::{Rows, repeat};
use crate::var::Var;

/// Applies `f` to each entry of the leading axis of `examples`, all at once: `f` is called a single time, with
/// values that stand for one example, and its results get the leading axis back.
///
/// What `f` uses besides is shared by all examples. To map over another axis, bring it to the front with
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
    let here = graph.origin(Location::caller());
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
    let inputs: Vec<Var<'g>> = examples.iter().map(|x| stand_in(*x)).collect();
    let outputs = f(&inputs)?;
    graph.admit("vmap", &outputs)?;
    let mapped = batched(graph, n, &outputs, &inputs, examples);
    graph.admit("vmap", &mapped)?;
    Ok(mapped)
}

/// A leaf that stands for one example of `x`.
fn stand_in<'g>(x: Var<'g>) -> Var<'g> {
    let ty = x.ty();
    let one = Type { shape: ty.shape.without(0), kind: ty.kind };
    let _blame = x.graph.blame_origin(x.origin());
    let leaf = x.graph.new_leaf("example", one, None);
    if let Some(new) = x.graph.inner.borrow_mut().leaves.last_mut() {
        new.advice = Some(
            "inside the closure given to vmap it stands for one example, outside it has no value; return what is needed \
             of it",
        );
    }
    leaf
}

/// As [`vmap`], for values whose leading axes are known to be equal, with poison in the place of errors.
pub(crate) fn rows<'g>(examples: &[Var<'g>], f: impl FnOnce(&[Var<'g>]) -> Vec<Var<'g>>) -> Vec<Var<'g>> {
    let graph = examples[0].graph;
    let inputs: Vec<Var<'g>> = examples.iter().map(|x| stand_in(*x)).collect();
    let outputs = f(&inputs);
    batched(graph, examples[0].shape()[0], &outputs, &inputs, examples)
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
    let found = rerecord(graph, &ids, replaced, |_, node, new: &[Option<Var<'g>>]| {
        let _blame = graph.blame_origin(node.origin.clone());
        let args = node.args.iter().zip(new);
        let args = args.map(|(old, new)| new.map_or((graph.var(*old), false), |v| (v, true)));
        let args: Vec<(Var<'g>, bool)> = args.collect();
        // A rule indexes the axes of what it is given.
        let poisoned = args.iter().find(|(v, _)| v.is_poisoned());
        poisoned.map_or_else(|| node.op.batch(&Rows::new(n, args.clone())), |(v, _)| *v)
    });
    found.into_iter().zip(outputs).map(|(new, y)| new.unwrap_or_else(|| repeat(*y, n))).collect()
}
