//! A formula with a name, as one operation.

use std::panic::Location;

use crate::body::Outline;
use crate::error::{Error, Result};
use crate::origin::Origin;
use crate::prim::call::Rule;
use crate::prim::wrong_kind;
use crate::var::Var;

/// The results of `f(args)` as one operation called `name`: one line in dumps, whatever is in it.
///
/// It is the same formula to all who look into it, and it costs nothing in a run, since the planner records it in its
/// place. Equal formulas over values of the same types, such as the layers of a deep network, are one body, of which
/// derivatives are made once.
///
/// # Errors
/// The errors of `f`; no argument.
///
/// ```
/// use chainrule_graph::{Graph, call};
/// let g = Graph::new();
/// let (x, w) = (g.leaf("x", [[0.5, -1.0]]), g.leaf("w", [[1.0, 2.0], [3.0, 4.0]]));
/// let layer = |h| call("layer", &[h, w], |v| Ok(vec![v[0].matmul(v[1]).tanh()]));
/// let y = layer(layer(x)?[0])?[0];
/// assert_eq!(y.sum(..).grad(&[w])?[0].value()?.shape(), [2, 2]);
/// # Ok::<(), chainrule_graph::Error>(())
/// ```
#[track_caller]
pub fn call<'g>(
    name: &'static str,
    args: &[Var<'g>],
    f: impl FnOnce(&[Var<'g>]) -> Result<Vec<Var<'g>>>,
) -> Result<Vec<Var<'g>>> {
    let here = Location::caller();
    let Some(graph) = args.first().map(|x| x.graph) else {
        let error = Error::new(wrong_kind(name, "a formula as one operation needs an argument"));
        return Err(error.placed(Origin::of(here)));
    };
    graph.admit(name, args)?;
    let x = graph.stand_ins(args);
    let results = f(&x)?;
    graph.admit(name, &results)?;
    let _here = graph.blame_line(here);
    let Outline { body, captures } = graph.outline(&x, &results);
    let found = graph.call(name, body, Rule::Own, &[args, &captures].concat());
    graph.admit(name, &found)?;
    Ok(found)
}
