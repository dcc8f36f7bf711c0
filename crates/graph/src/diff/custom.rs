//! Derivatives of the user's own.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;

use super::linearity::linear_since;
use crate::body::{Body, Outline};
use crate::error::{Error, ErrorKind, Result};
use crate::ir::Graph;
use crate::origin::{Origin, Phase};
use crate::prim::call::Rule;
use crate::prim::custom::Custom;
use crate::prim::pushforward::Pushforward;
use crate::prim::{Mode, Site, Structured};
use crate::var::Var;

impl Graph {
    /// The value of `formula(x)`, with the derivative that `vjp` gives instead of its own.
    ///
    /// `vjp(x, y, ct)` returns the cotangent of each argument, given the arguments, the result and the cotangent of
    /// the result. It need not be the true derivative: straight-through estimators, gradient clipping and gradient
    /// reversal are written so. It is called once, here, with values that stand for those: `y` does not depend on `x`
    /// there, so the rule may itself differentiate formulas over both, as that of an implicit function does. Forward
    /// mode ([`jvp`](crate::jvp), [`hvp`](crate::hvp)) transposes it, which needs
    /// it to be linear in `ct`. `name` stands in messages, dumps and reports.
    ///
    /// # Errors
    /// The value is poisoned if `vjp` returns another number of cotangents than there are arguments, or one of
    /// another type than its argument. Differentiating fails in forward mode if it is not linear in `ct`; in both modes if
    /// `formula` uses a value besides `x` that depends on what is differentiated by, since `vjp` says nothing about it.
    ///
    /// ```
    /// use chainrule_graph::Graph;
    /// let g = Graph::new();
    /// let x = g.leaf("x", [-2.0, 0.4, 1.7]);
    /// // Rounds, but lets the gradient through as if it did not.
    /// let y = g.custom_vjp("straight_through", &[x], |x| x[0].round(), |_x, _y, ct| vec![ct]);
    /// let dx = (y * y).sum(..).grad(&[x])?[0];
    /// assert_eq!(dx.value()?, chainrule_tensor::Tensor::from([-4.0, 0.0, 4.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The derivative of an implicit function, z(w) with f(z, w) = 0, from f alone:
    ///
    /// ```
    /// use chainrule_graph::{Graph, Var, vjp};
    /// fn f<'g>(z: Var<'g>, w: Var<'g>) -> Var<'g> {
    ///     z * z - w // z = √w
    /// }
    /// let g = Graph::new();
    /// let w = g.leaf("w", 2.0);
    /// let z = g.custom_vjp("root", &[w], |w| w[0].sqrt(), |w, z, ct| {
    ///     let slope = |of, x, ct| vjp(&[of], &[x], &[ct]).ok().and_then(|d| d[0]).unwrap_or(ct * 0.0);
    ///     vec![-slope(f(z, w[0]), w[0], ct / slope(f(z, w[0]), z, ct.like(1.0)))]
    /// });
    /// let dw = z.grad(&[w])?[0].value()?.item::<f64>()?;
    /// assert!((dw - 0.5 / 2.0_f64.sqrt()).abs() < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn custom_vjp<'g>(
        &'g self,
        name: &'static str,
        x: &[Var<'g>],
        formula: impl FnOnce(&[Var<'g>]) -> Var<'g>,
        vjp: impl FnOnce(&[Var<'g>], Var<'g>, Var<'g>) -> Vec<Var<'g>>,
    ) -> Var<'g> {
        let here = Location::caller();
        let y = formula(x);
        if let Some(refused) = self.refused(name, &[&[y], x].concat()) {
            return refused;
        }
        let [stand_ins @ .., in_y, ct] = &self.stand_ins(&[x, &[y, y]].concat())[..] else { return y };
        let found = {
            let _phase = self.blame_origin(Origin { phase: Phase::Backward, ..self.origin(here) });
            vjp(stand_ins, *in_y, *ct)
        };
        let rule = || {
            cotangents_fit(name, &found, x)?;
            let Outline { body, captures } = self.outline(&[stand_ins, &[*in_y, *ct]].concat(), &found);
            Ok((Rule::Vjp { rule: body.in_phase(Phase::Backward), given: x.len() }, captures))
        };
        self.ruled(name, x, y, rule(), here)
    }

    /// The value of `formula(x)`, with the derivative that `jvp` gives instead of its own.
    ///
    /// `jvp(x, y, t)` returns the tangent of the result, given the arguments, the result and the tangents of the
    /// arguments. It must be linear in `t`, since reverse mode transposes it; so it serves both modes. It is called
    /// once, here, as the rule of [`custom_vjp`](Graph::custom_vjp) is.
    ///
    /// # Errors
    /// The value is poisoned if the tangent has another type than the result, or is not linear
    /// in `t`: if it adds what does not depend on `t`, multiplies two terms that do, or puts one into a function such
    /// as `sin`. Differentiating fails if `formula` uses a value besides `x` that depends on what is differentiated by.
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
        jvp: impl FnOnce(&[Var<'g>], Var<'g>, &[Var<'g>]) -> Var<'g>,
    ) -> Var<'g> {
        let here = Location::caller();
        let y = formula(x);
        if let Some(refused) = self.refused(name, &[&[y], x].concat()) {
            return refused;
        }
        let mark = self.len();
        let stand_ins = self.stand_ins(&[x, &[y], x].concat());
        let (in_x, rest) = stand_ins.split_at(x.len());
        let (in_y, t) = (rest[0], &rest[1..]);
        let found = {
            let _phase = self.blame_origin(Origin { phase: Phase::Tangent, ..self.origin(here) });
            jvp(in_x, in_y, t)
        };
        let rule = || {
            self.admit(name, &[found])?;
            let what = format!("the jvp of `{name}` is not linear in its tangents");
            linear_since(self, &what, mark, t, &[found])?;
            if found.ty() != y.ty() {
                let why = format!("the jvp of `{name}` returned a tangent of type {}", found.ty());
                let error = Error::new(ErrorKind::Rule(why)).operand("result", y.ty(), y.origin());
                return Err(error.hint("a tangent has its result's type"));
            }
            let Outline { body, captures } = self.outline(&stand_ins, &[found]);
            Ok((Rule::Jvp { rule: body.in_phase(Phase::Tangent), given: x.len() }, captures))
        };
        self.ruled(name, x, y, rule(), here)
    }

    /// Leaves that stand for values while a formula over them is recorded.
    pub(crate) fn stand_ins<'g>(&'g self, of: &[Var<'g>]) -> Vec<Var<'g>> {
        let advice =
            "inside the closure it stands for a value, outside it has none; return what is needed of it";
        of.iter().map(|x| x.stand_in("argument", x.ty(), advice)).collect()
    }

    /// `y`, a formula over `x`, with the derivative that `rule` gives; what the rule uses besides comes with it.
    fn ruled<'g>(
        &'g self,
        name: &'static str,
        x: &[Var<'g>],
        y: Var<'g>,
        rule: Result<(Rule, Vec<Var<'g>>)>,
        at: &'static Location<'static>,
    ) -> Var<'g> {
        let _here = self.blame_line(at);
        match rule {
            Ok((rule, beside_rule)) => {
                let Outline { body, captures } = self.outline(x, &[y]);
                self.call(name, body, rule, &[x, &captures, &beside_rule].concat())[0]
            }
            Err(error) if error.at().is_some() => self.poison(error),
            Err(error) => self.poison(error.placed(self.origin(at))),
        }
    }
}

impl Custom {
    /// The user's vjp as a formula of its own, over arguments and result of these types and its cotangent.
    fn rule(&self, site: &Site<'_, '_>) -> Result<Body> {
        let y = site.y.ty();
        let types = site.x.iter().map(|x| x.ty()).chain([y.clone(), y]);
        let rule = Body::trace(site.y.graph, types, |g, all| {
            // The rule has the line of the operation, unless it has one of the user's own.
            let _line = g.blame_origin(site.y.origin());
            let (x, rest) = all.split_at(site.x.len());
            let found = self.0.vjp(x, rest[0], rest[1]);
            // An error within the rule has its own place.
            g.admit(self.0.name(), &found)?;
            cotangents_fit(self.0.name(), &found, x).map_err(|error| error.placed(site.y.origin()))?;
            Ok(found)
        })?;
        Ok(rule.in_phase(Phase::Backward))
    }
}

impl Structured for Custom {
    fn tangents<'g>(
        &self,
        t: &[Option<Var<'g>>],
        mode: Mode,
        site: &Site<'_, 'g>,
    ) -> Result<Vec<Option<Var<'g>>>> {
        let (name, given) = (self.0.name(), site.x.len());
        let varying = (0..given).filter(|i| t[*i].is_some()).collect();
        let push = Pushforward { name, rule: self.rule(site)?, given, varying };
        let tangents: Vec<Var<'g>> = t.iter().flatten().copied().collect();
        push.record(&tangents, &[site.x, &[site.y]].concat(), mode).map(|found| vec![Some(found)])
    }

    fn cotangents<'g>(
        &self,
        _: &[Option<Var<'g>>],
        linear: &[bool],
        site: &Site<'_, 'g>,
    ) -> Result<Vec<Option<Var<'g>>>> {
        let _ = linear;
        let why = format!("{} is not linear in the tangents that it is applied to", self.0.name());
        Err(Error::new(ErrorKind::Gradient(why)).placed(site.y.origin()))
    }
}

/// The rule that a vjp of the user's is, from what it `found` for arguments `x`: one cotangent of its type for each.
///
/// # Errors
/// Another number of cotangents; one of another type than its argument.
fn cotangents_fit<'g>(name: &str, found: &[Var<'g>], x: &[Var<'g>]) -> Result<()> {
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
