//! A choice between two formulas.

use std::panic::Location;

use crate::body::{Body, Outline};
use crate::error::Result;
use crate::prim::branch::Branch;
use crate::var::Var;

/// What `yes` gives where `test`, a single truth value, holds, else what `no` gives. Both closures are called, to be
/// recorded; only one of the two formulas is carried out in a run, and only what is recorded in its closure belongs to it.
///
/// Under [`vmap`](crate::vmap), where each example has a test of its own, both are carried out and the results
/// chosen from. To choose element by element, use [`Var::select`].
///
/// # Errors
/// The errors of the closures; a test that is no single truth value; branches that give values of different number or
/// type.
///
/// ```
/// use chainrule_graph::{Graph, cond};
/// let g = Graph::new();
/// let x = g.leaf("x", -3.0);
/// let y = cond(x.less(0.0), || Ok(vec![x.exp()]), || Ok(vec![1.0 + x.ln_1p()]))?;
/// assert_eq!(y[0].grad(&[x])?[0].value()?.item::<f64>()?, (-3.0_f64).exp());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn cond<'g>(
    test: Var<'g>,
    yes: impl FnOnce() -> Result<Vec<Var<'g>>>,
    no: impl FnOnce() -> Result<Vec<Var<'g>>>,
) -> Result<Vec<Var<'g>>> {
    let (graph, here) = (test.graph, Location::caller());
    graph.admit("cond", &[test])?;
    let mark = graph.len();
    let (yes, no) = (yes()?, no()?);
    graph.admit("cond", &yes)?;
    graph.admit("cond", &no)?;
    let _here = graph.blame_line(here);
    if yes.is_empty() && no.is_empty() {
        return Ok(Vec::new());
    }
    let outlines = [graph.outline_since(mark, &yes), graph.outline_since(mark, &no)];
    let mut captures: Vec<Var<'g>> = outlines.iter().flat_map(|o| o.captures.iter().copied()).collect();
    captures.sort_by_key(|v| v.id);
    captures.dedup_by_key(|v| v.id);
    let over_all = |outline: &Outline<'g>| {
        let place = |v: &Var<'g>| captures.iter().position(|c| c.id == v.id);
        let places: Vec<usize> = outline.captures.iter().filter_map(place).collect();
        Body::trace(graph, captures.iter().map(|v| v.ty()), |g, x| {
            Ok(g.inline(&outline.body, &places.iter().map(|i| x[*i]).collect::<Vec<_>>()))
        })
    };
    let branch = Branch { yes: over_all(&outlines[0])?, no: over_all(&outlines[1])? };
    let args = [&[test], &captures[..]].concat();
    graph.record_all(branch, &args)
}
