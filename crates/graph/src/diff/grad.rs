//! Gradients: the vjp of one number, refusing silence.

use crate::error::{Error, ErrorKind, Result};
use crate::var::Var;

use super::broken::where_broken;
use super::transpose::vjp;

impl<'g> Var<'g> {
    /// The gradient of this scalar with respect to each of `wrt`, recorded in the same graph.
    ///
    /// `wrt` are leaves or any values made from them. Where one is made from another, such as z from w, the gradient
    /// with respect to w counts all paths, those through z too.
    ///
    /// # Errors
    /// A poisoned value; an output that is not a single real; an integer or truth variable; a variable that
    /// does not reach this value through differentiable operations (the error names where the path breaks;
    /// see [`grad_or_zeros`](Var::grad_or_zeros)).
    ///
    /// ```
    /// use chainrule_graph::Graph;
    /// let g = Graph::new();
    /// let x = g.leaf("x", [1.0, 2.0]);
    /// let dx = (x * x * x).sum(..).grad(&[x])?[0];
    /// let ddx = dx.sum(..).grad(&[x])?[0]; // a gradient is a value like any other
    /// assert_eq!(ddx.value()?, chainrule_tensor::Tensor::from([6.0, 12.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn grad(self, wrt: &[Var<'g>]) -> Result<Vec<Var<'g>>> {
        let found = self.gradients(wrt)?;
        wrt.iter().zip(found).map(|(x, g)| g.ok_or_else(|| where_broken(self.graph, self.id, x.id))).collect()
    }

    /// As [`grad`](Var::grad), but a variable that this value does not depend on has gradient zero.
    ///
    /// # Errors
    /// As [`grad`](Var::grad), but for the disconnected variable.
    #[track_caller]
    pub fn grad_or_zeros(self, wrt: &[Var<'g>]) -> Result<Vec<Var<'g>>> {
        let found = self.gradients(wrt)?;
        Ok(wrt.iter().zip(found).map(|(x, g)| g.unwrap_or_else(|| x.like(0.0))).collect())
    }

    #[track_caller]
    pub(crate) fn gradients(self, wrt: &[Var<'g>]) -> Result<Vec<Option<Var<'g>>>> {
        let ty = self.checked()?;
        self.graph.admit("grad", wrt)?;
        super::jvp::refuse_discrete("the output", self)?;
        if !ty.shape.is_empty() {
            let why = format!("the output is {ty}, not a single number");
            let hint = "sum it, or take its mean; or give a cotangent to vjp";
            return Err(Error::new(ErrorKind::Gradient(why)).placed(self.origin()).hint(hint));
        }
        vjp(&[self], wrt, &[self.like(1.0)])
    }
}

/// The Hessian of `loss` times `directions`, one per variable: forward mode over reverse mode, at the cost of
/// a few gradients, without forming the Hessian.
///
/// # Errors
/// As [`Var::grad`] and [`jvp`](crate::jvp).
///
/// ```
/// use chainrule_graph::{Graph, hvp};
/// let g = Graph::new();
/// let x = g.leaf("x", [1.0, 2.0]);
/// let v = g.constant(chainrule_tensor::Tensor::from([1.0, 0.0]));
/// let loss = (x * x * x).sum(..);
/// assert_eq!(hvp(loss, &[x], &[v])?[0].value()?, chainrule_tensor::Tensor::from([6.0, 0.0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn hvp<'g>(loss: Var<'g>, wrt: &[Var<'g>], directions: &[Var<'g>]) -> Result<Vec<Var<'g>>> {
    for given in [wrt, directions] {
        loss.graph.admit("hvp", given)?;
    }
    let gradient = loss.grad(wrt)?;
    super::jvp::jvp(&gradient, wrt, directions)
}
