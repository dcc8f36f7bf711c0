//! One formula over many examples: each node that depends on them is recorded once, by its batching rule.

use std::collections::HashMap;
use std::panic::Location;

use crate::copy::rerecord;
use crate::error::{Error, ErrorKind, Result};
use crate::ir::Graph;
use crate::origin::Origin;
use crate::prim::Form;
use crate::prim::rows::{Rows, repeat};
use crate::types::{NodeId, Type};
use crate::var::Var;

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
/// let per_example = vmap(&[x, y], |e| (e[0] * w).sum(..).square().grad(&[w]))?;
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
    let mapped = mapped(examples, n, |inputs| {
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
fn mapped<'g>(
    examples: &[Var<'g>],
    n: usize,
    f: impl FnOnce(&[Var<'g>]) -> Result<Vec<Var<'g>>>,
) -> Result<Vec<Var<'g>>> {
    let graph = examples[0].graph;
    let mut inputs: Vec<Var<'g>> = examples.iter().map(|x| stand_in(*x)).collect();
    let (outputs, number) = graph.repeated(&inputs, None, || f(&inputs));
    let mut examples = examples.to_vec();
    if let Some(number) = number {
        inputs.push(number);
        examples.push(graph.iota([n], 0));
    }
    Ok(batched(graph, n, &outputs?, &inputs, &examples))
}

/// A leaf that stands for one example of `x`.
fn stand_in<'g>(x: Var<'g>) -> Var<'g> {
    let ty = x.ty();
    let one = Type { shape: ty.shape.without(0), kind: ty.kind };
    let advice = "inside the closure given to vmap it stands for one example, outside it has no value; return what is \
                  needed of it";
    x.stand_in("example", one, advice)
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
        let form = node.op.form();
        if let (Form::Part(i), Some(all)) = (form, node.args.first().and_then(|a| several.get(a))) {
            return all[i];
        }
        let args = node.args.iter().zip(new);
        let args: Vec<(Var<'g>, bool)> =
            args.map(|(old, new)| new.map_or((graph.var(*old), false), |v| (v, true))).collect();
        // A rule indexes the axes of what it is given.
        if let Some((poisoned, _)) = args.iter().find(|(v, _)| v.is_poisoned()) {
            return *poisoned;
        }
        let rows = Rows::new(n, args);
        let all = if let Form::Structured(op) = form { op.batch_all(&rows) } else { None };
        match all {
            None => node.op.batch(&rows),
            Some(Err(error)) => graph.poison(error),
            Some(Ok(all)) => {
                let first = all[0];
                several.insert(id, all);
                first
            }
        }
    });
    found.into_iter().zip(outputs).map(|(new, y)| new.unwrap_or_else(|| repeat(*y, n))).collect()
}
