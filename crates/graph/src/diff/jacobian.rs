//! Whole matrices of derivatives: one vmap over a basis.

use std::panic::Location;

use chainrule_tensor::Shape;

use super::broken::where_broken;
use super::jvp::{jvp, refuse_discrete};
use super::transpose::vjp;
use super::vmap::batched;
use crate::error::Result;
use crate::ir::Graph;
use crate::var::Var;

/// All derivatives of the elements of `y` with respect to those of `x`: shape `y.shape` followed by `x.shape`.
///
/// Reverse mode if `y` has fewer elements than `x`, else forward mode, over all basis directions at once.
///
/// # Errors
/// A poisoned value; an integer or truth value; `x` does not reach `y`.
///
/// ```
/// use chainrule_graph::{Graph, jacobian};
/// let g = Graph::new();
/// let x = g.leaf("x", [1.0, 2.0]);
/// let y = g.stack(&[x.sum(..), x.prod(0), x.square().sum(..)], 0);
/// let j = jacobian(y, x)?.value()?;
/// assert_eq!(j, chainrule_tensor::Tensor::from([[1.0, 1.0], [2.0, 1.0], [2.0, 4.0]]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn jacobian<'g>(y: Var<'g>, x: Var<'g>) -> Result<Var<'g>> {
    y.graph.admit("jacobian", &[x])?;
    let _here = y.graph.blame("jacobian", Location::caller());
    jacobian_or_none(y, x)?.ok_or_else(|| where_broken(y.graph, y.id, x.id))
}

/// The second derivatives of the single number `loss`: block `[i][j]` has shape `wrt[i].shape` followed by
/// `wrt[j].shape`.
///
/// It has the square of the number of elements; a product with a vector needs only [`hvp`](crate::hvp).
///
/// # Errors
/// As [`Var::grad`].
///
/// ```
/// use chainrule_graph::{Graph, hessian};
/// let g = Graph::new();
/// let x = g.leaf("x", [1.0, 2.0]);
/// let h = hessian(x.prod(0).square(), &[x])?;
/// assert_eq!(h[0][0].value()?, chainrule_tensor::Tensor::from([[8.0, 8.0], [8.0, 2.0]]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn hessian<'g>(loss: Var<'g>, wrt: &[Var<'g>]) -> Result<Vec<Vec<Var<'g>>>> {
    loss.graph.admit("hessian", wrt)?;
    let _here = loss.graph.blame("hessian", Location::caller());
    let gradient = loss.grad(wrt)?;
    let block = |d: &Var<'g>, x: &Var<'g>| {
        let found = jacobian_or_none(*d, *x)?;
        Ok(found.unwrap_or_else(|| loss.graph.constant(0.0).broadcast_to(joined(*d, *x))))
    };
    gradient.iter().map(|d| wrt.iter().map(|x| block(d, x)).collect()).collect()
}

fn jacobian_or_none<'g>(y: Var<'g>, x: Var<'g>) -> Result<Option<Var<'g>>> {
    let graph = y.graph;
    Ok(graph.trimmed(|| Ok(vec![recorded(y, x)?]))?.pop().flatten())
}

fn recorded<'g>(y: Var<'g>, x: Var<'g>) -> Result<Option<Var<'g>>> {
    let graph = y.graph;
    let (from, to) = (x.checked()?, y.checked()?);
    refuse_discrete("the variable", x)?;
    refuse_discrete("the output", y)?;
    let (n, m) = (from.shape.size(), to.shape.size());
    let reverse = m < n;
    let (direction, count) = if reverse { (to, m) } else { (from, n) };
    let basis = identity(graph, count).reshape_to(direction.shape.with_leading(count));
    let seed = graph.new_leaf("direction", direction, None);
    let mapped = if reverse {
        let Some(row) = vjp(&[y], &[x], &[seed])?[0] else { return Ok(None) };
        batched(graph, count, &[row], &[seed], &[basis])[0]
    } else {
        if vjp(&[y], &[x], &[y.like(1.0)])?[0].is_none() {
            return Ok(None);
        }
        let column = jvp(&[y], &[x], &[seed])?[0];
        let columns = batched(graph, count, &[column], &[seed], &[basis])[0];
        // The axis of directions, which are those of x, goes behind the axes of y.
        let rank = columns.rank() as isize;
        columns.permute((1..rank).chain([0]).collect::<Vec<_>>())
    };
    graph.admit("jacobian", &[mapped])?;
    Ok(Some(mapped.reshape_to(joined(y, x))))
}

fn joined(y: Var<'_>, x: Var<'_>) -> Shape {
    y.shape().iter().chain(x.shape().iter()).copied().collect()
}

fn identity(graph: &Graph, n: usize) -> Var<'_> {
    graph.iota([n, n], 0).equal(graph.iota([n, n], 1)).real()
}
