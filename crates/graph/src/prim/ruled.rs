//! A formula with a derivative of the user's own.

use std::panic::Location;
use std::rc::Rc;

use chainrule_tensor::Layout;

use super::rows::{Rows, repeat};
use super::{Derivative, Lowering, Op, Primitive, Sample, Site};
use crate::diff::checkpoint::{recompute, through};
use crate::diff::linearity::refuse_nonlinear;
use crate::diff::vmap;
use crate::error::{Error, ErrorKind};
use crate::ir::{Graph, Type};
use crate::var::Var;

type Vjp = dyn for<'a> Fn(&[Var<'a>], Var<'a>, Var<'a>) -> Vec<Var<'a>>;
type Jvp = dyn for<'a> Fn(&[Var<'a>], Var<'a>, &[Var<'a>]) -> Var<'a>;

/// A derivative given by the user.
#[derive(Clone)]
pub(crate) enum Ruling {
    /// From arguments, result and the cotangent of the result: the cotangents of the arguments.
    Vjp(Rc<Vjp>),
    /// From arguments, result and the tangents of the arguments: the tangent of the result.
    Jvp(Rc<Jvp>),
    /// The formula's own derivative, with what it needs of the formula computed again.
    Recompute,
}

/// Argument 0, the value of a formula over the other arguments, whose derivative with respect to them is the rule
/// that stands in the graph at `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ruled {
    pub(crate) name: &'static str,
    pub(crate) index: usize,
    pub(crate) form: Form,
}

/// The form of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    Vjp,
    Jvp,
    Recompute,
}

impl Graph {
    /// The value of `formula(x)`, with the derivative that `vjp` gives instead of its own.
    ///
    /// `vjp(x, y, ct)` returns the cotangent of each argument, given the arguments, the result and the cotangent of
    /// the result. It need not be the true derivative: straight-through estimators, gradient clipping and gradient
    /// reversal are written so. Forward mode ([`jvp`](crate::jvp), [`hvp`](crate::hvp)) transposes it, which needs
    /// it to be linear in `ct`. `name` stands in messages, dumps and reports.
    ///
    /// # Errors
    /// Differentiating fails if `vjp` returns another number of cotangents than there are arguments, or one of
    /// another type than its argument; in forward mode also if it is not linear in `ct`; or if `formula` uses a value
    /// besides `x` that depends on what is differentiated by, since `vjp` says nothing about it.
    ///
    /// ```
    /// use chainrule_graph::Graph;
    /// let g = Graph::new();
    /// let x = g.leaf("x", [-2.0, 0.4, 1.7]);
    /// // Rounds, but lets the gradient through as if it did not.
    /// let y = g.custom_vjp("straight_through", &[x], |x| x[0].round(), |_x, _y, ct| vec![ct]);
    /// let dx = (y * y).sum(&[]).grad(&[x])?[0];
    /// assert_eq!(dx.value()?, chainrule_tensor::Tensor::from([-4.0, 0.0, 4.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn custom_vjp<'g>(
        &'g self,
        name: &'static str,
        x: &[Var<'g>],
        formula: impl FnOnce(&[Var<'g>]) -> Var<'g>,
        vjp: impl for<'a> Fn(&[Var<'a>], Var<'a>, Var<'a>) -> Vec<Var<'a>> + 'static,
    ) -> Var<'g> {
        let y = formula(x);
        self.ruled(name, x, y, Ruling::Vjp(Rc::new(vjp)), Location::caller())
    }

    /// The value of `formula(x)`, with the derivative that `jvp` gives instead of its own.
    ///
    /// `jvp(x, y, t)` returns the tangent of the result, given the arguments, the result and the tangents of the
    /// arguments. It must be linear in `t`, since reverse mode transposes it; so it serves both modes.
    ///
    /// # Errors
    /// Differentiating, forward or in reverse, fails if the tangent has another type than the result, or is not linear
    /// in `t`: if it adds what does not depend on `t`, multiplies two terms that do, or puts one into a function such
    /// as `sin`; or if `formula` uses a value besides `x` that depends on what is differentiated by.
    ///
    /// ```
    /// use chainrule_graph::Graph;
    /// let g = Graph::new();
    /// let x = g.leaf("x", 100.0);
    /// // ln(1 + eˣ), whose recorded derivative would be ∞/∞ here.
    /// let y = g.custom_jvp("softplus", &[x], |x| x[0].exp().ln_1p(), |x, _y, t| t[0] * x[0].sigmoid());
    /// assert_eq!(y.grad(&[x])?[0].value()?.item::<f64>()?, 1.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn custom_jvp<'g>(
        &'g self,
        name: &'static str,
        x: &[Var<'g>],
        formula: impl FnOnce(&[Var<'g>]) -> Var<'g>,
        jvp: impl for<'a> Fn(&[Var<'a>], Var<'a>, &[Var<'a>]) -> Var<'a> + 'static,
    ) -> Var<'g> {
        let y = formula(x);
        self.ruled(name, x, y, Ruling::Jvp(Rc::new(jvp)), Location::caller())
    }

    /// `y`, with a derivative with respect to `x` by `ruling` and none besides.
    pub(crate) fn ruled<'g>(
        &'g self,
        name: &'static str,
        x: &[Var<'g>],
        y: Var<'g>,
        ruling: Ruling,
        at: &'static Location<'static>,
    ) -> Var<'g> {
        let _here = self.blame(name, at);
        if let Some(refused) = self.refused(name, &[&[y], x].concat()) {
            return refused;
        }
        let mut args = vec![y.stop_gradient()];
        for x in x {
            // The formula's own derivative knows no places of arguments, so the same value twice would count twice.
            if !matches!(ruling, Ruling::Recompute) || args[1..].iter().all(|a| a.id != x.id) {
                args.push(*x);
            }
        }
        self.under_rule(name, &args, ruling)
    }

    /// Argument 0, the value of a formula behind a stop_gradient, with a derivative with respect to the others.
    pub(crate) fn under_rule<'g>(&'g self, name: &'static str, args: &[Var<'g>], ruling: Ruling) -> Var<'g> {
        let form = match ruling {
            Ruling::Vjp(_) => Form::Vjp,
            Ruling::Jvp(_) => Form::Jvp,
            Ruling::Recompute => Form::Recompute,
        };
        let index = {
            let mut inner = self.inner.borrow_mut();
            inner.rules.push(ruling);
            inner.rules.len() - 1
        };
        self.record(Ruled { name, index, form }.into(), args)
    }
}

impl Op {
    /// Whether this is a formula's value whose derivative computes the formula again.
    pub(crate) fn is_checkpoint(&self) -> bool {
        matches!(self, Op::Ruled(rule) if rule.form == Form::Recompute)
    }
}

/// The value of a formula, of which argument 0 of its node is the stop_gradient.
pub(crate) fn formula(stopped: Var<'_>) -> Var<'_> {
    let value = stopped.graph.inner.borrow().nodes[stopped.id.index()].args[0];
    stopped.graph.var(value)
}

impl Ruled {
    fn ruling(&self, graph: &Graph) -> Ruling {
        graph.inner.borrow().rules[self.index].clone()
    }

    fn cotangents<'g>(&self, ct: Var<'g>, site: &Site<'_, 'g>) -> Vec<Option<Var<'g>>> {
        let x = &site.x[1..];
        match self.ruling(ct.graph) {
            Ruling::Vjp(vjp) => {
                let found = checked(self.name, vjp(x, site.y, ct), x);
                std::iter::once(None).chain(found.into_iter().map(Some)).collect()
            }
            Ruling::Jvp(_) | Ruling::Recompute => unreachable!("the form says that it is a vjp"),
        }
    }

    fn tangent<'g>(&self, t: &[Option<Var<'g>>], site: &Site<'_, 'g>) -> Var<'g> {
        let x = &site.x[1..];
        let Ruling::Jvp(jvp) = self.ruling(site.y.graph) else { return site.y.like(0.0) };
        let what = format!("the jvp of `{}` is not linear in its tangents", self.name);
        if let Err(error) = refuse_nonlinear(&what, x, |t| jvp(x, site.y, t)) {
            return site.y.graph.poison(error);
        }
        let t: Vec<Var<'g>> = t[1..].iter().zip(x).map(|(t, x)| t.unwrap_or_else(|| zero(*x))).collect();
        let found = jvp(x, site.y, &t);
        if found.is_poisoned() || found.ty() == site.y.ty() {
            return found;
        }
        let why = format!("the jvp of `{}` returned a tangent of type {}", self.name, found.ty());
        let error = Error::new(ErrorKind::Rule(why)).placed(site.y.origin());
        found.fail(
            error.operand("result", site.y.ty(), site.y.origin()).hint("a tangent has its result's type"),
        )
    }
}

/// Each of `x` with the leading axis of `y`: those that lack it in `axes` are repeated.
fn each<'g>(x: &[Var<'g>], axes: &[bool], y: Var<'g>) -> Vec<Var<'g>> {
    let n = y.shape()[0];
    x.iter().zip(axes).map(|(x, axis)| if *axis { *x } else { repeat(*x, n) }).collect()
}

/// Zeros in the place of the tangent of `x`; a discrete argument stands for itself.
fn zero(x: Var<'_>) -> Var<'_> {
    if x.kind() == chainrule_tensor::kernels::Kind::Real { x.like(0.0) } else { x }
}

/// The cotangents that the vjp called `name` returned, or poison if they do not fit the arguments.
pub(crate) fn checked<'g>(name: &str, found: Vec<Var<'g>>, x: &[Var<'g>]) -> Vec<Var<'g>> {
    let Some(first) = x.first() else { return found };
    let refuse = |why: String, x: Var<'g>, hint: &str| {
        let at = first.graph.origin(Location::caller());
        let error = Error::new(ErrorKind::Rule(why)).placed(at).operand("argument", x.ty(), x.origin());
        first.graph.poison(error.hint(hint))
    };
    if found.len() != x.len() {
        let why =
            format!("the vjp of `{name}` returned {} cotangents for {} arguments", found.len(), x.len());
        return vec![refuse(why, *first, "return one cotangent per argument, in their order"); x.len()];
    }
    found
        .into_iter()
        .zip(x)
        .enumerate()
        .map(|(i, (ct, x))| {
            let real = x.kind() == chainrule_tensor::kernels::Kind::Real;
            if ct.is_poisoned() || ct.ty() == x.ty() || !real {
                return ct;
            }
            let why =
                format!("the vjp of `{name}` returned a cotangent of type {} for argument {i}", ct.ty());
            refuse(why, *x, "a cotangent has its argument's type; sum over the axes that were broadcast")
        })
        .collect()
}

impl Primitive for Ruled {
    fn name(&self) -> &'static str {
        self.name
    }

    fn attributes(&self) -> String {
        match self.form {
            Form::Vjp => "vjp".into(),
            Form::Jvp => "jvp".into(),
            Form::Recompute => String::new(),
        }
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        Ok(args[0].clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        match self.form {
            Form::Jvp => Derivative::Nonlinear(|p, t, s| p.tangent(t, s)),
            Form::Vjp => Derivative::Vjp(|p, ct, s| p.cotangents(ct, s), None),
            Form::Recompute => Derivative::Vjp(|_, ct, s| recompute(ct, s), Some(|_, t, s| through(t, s))),
        }
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        let graph = rows.graph();
        let (stopped, has_axis) = rows.arg(0);
        let y = formula(stopped);
        let y = if has_axis { y } else { repeat(y, rows.n) };
        // Shared arguments stay as they are: the batched formula starts from them, not from copies.
        let (x, axes): (Vec<Var<'g>>, Vec<bool>) = rows.args().iter().skip(1).copied().unzip();
        let ruling = match self.ruling(graph) {
            Ruling::Vjp(vjp) => Ruling::Vjp(Rc::new(move |x, y, ct| {
                let given: Vec<Var<'_>> = each(x, &axes, y).into_iter().chain([y, ct]).collect();
                let found = vmap::rows(&given, |r| {
                    let (x, rest) = r.split_at(r.len() - 2);
                    vjp(x, rest[0], rest[1])
                });
                let shared = |i: usize| axes.get(i) == Some(&false);
                found
                    .into_iter()
                    .enumerate()
                    .map(|(i, ct)| if shared(i) { ct.sum(&[0]) } else { ct })
                    .collect()
            })),
            Ruling::Jvp(jvp) => Ruling::Jvp(Rc::new(move |x, y, t| {
                let given = each(x, &axes, y).into_iter().chain([y]).chain(each(t, &axes, y));
                let n = x.len();
                vmap::rows(&given.collect::<Vec<_>>(), |r| vec![jvp(&r[..n], r[n], &r[n + 1..])])[0]
            })),
            Ruling::Recompute => Ruling::Recompute,
        };
        graph.ruled(self.name, &x, y, ruling, Location::caller())
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        Lowering::View(Some(args[0].clone()))
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 5] = [&[], &[3], &[2, 3], &[0], &[1]];
        let vjp = |s: &[usize]| {
            Sample::new(&format!("custom vjp of a product of {s:?}"), &[s, s], -2.0..2.0, |x| {
                let g = x[0].graph();
                g.custom_vjp("product", x, |x| x[0] * x[1], |x, _, ct| vec![x[1] * ct, x[0] * ct]).square()
            })
        };
        let jvp = |s: &[usize]| {
            Sample::new(&format!("custom jvp of sin of {s:?}"), &[s], -2.0..2.0, |x| {
                x[0].graph().custom_jvp("sine", x, |x| x[0].sin(), |x, _, t| t[0] * x[0].cos())
            })
        };
        let checkpoint = |s: &[usize]| {
            Sample::new(&format!("checkpoint of {s:?}"), &[s], -2.0..2.0, |x| {
                let start = x[0].tanh();
                (start.sin() * start.exp()).checkpoint(&[start]).square()
            })
        };
        shapes.map(vjp).into_iter().chain(shapes.map(jvp)).chain(shapes.map(checkpoint)).collect()
    }
}
