//! A formula as one operation: with a derivative of the user's own, or one that computes the formula again.

use chainrule_tensor::Layout;

use super::pushforward::Pushforward;
use super::rows::Rows;
use super::{Carried, Derivative, Lowering, Primitive, Sample, Site, Structured, wrong_kind};
use crate::body::Body;
use crate::diff::derived::{batched_body, batched_rule, cotangent_body, tangent_body};
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Graph, Type};
use crate::prim::Mode;
use crate::var::Var;

/// The results of `body` for the arguments. The planner records the body in the place of the call, so a call costs
/// nothing where it runs; it is its derivative that is one thing.
///
/// The arguments are those of the formula, as many as the rule is `given`, then what the formula uses besides, then
/// what the rule uses besides.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    pub(crate) name: &'static str,
    pub(crate) body: Body,
    pub(crate) rule: Rule,
}

/// How a call is differentiated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    /// As the formula that it is.
    Own,
    /// As the formula that it is, which is computed again when the cotangent of the result is known: of the formula
    /// nothing is kept but its arguments.
    Recompute,
    /// By a formula of the user's over arguments, result and the cotangent of the result: the cotangents of the
    /// arguments.
    Vjp { rule: Body, given: usize },
    /// By a formula of the user's over arguments, result and the tangents of the arguments: the tangent of the result.
    Jvp { rule: Body, given: usize },
}

impl Graph {
    /// The results of `body` for `args`, as one operation.
    #[track_caller]
    pub(crate) fn call<'g>(
        &'g self,
        name: &'static str,
        body: Body,
        rule: Rule,
        args: &[Var<'g>],
    ) -> Vec<Var<'g>> {
        if body.results().is_empty() {
            return Vec::new();
        }
        let count = body.results().len();
        let first = self.record(Call { name, body, rule }.into(), args);
        if first.is_poisoned() { vec![first; count] } else { first.results() }
    }
}

impl Call {
    /// The error for argument `i`, which varies though the rule has no part for it.
    fn captured(&self, i: usize, site: &Site<'_, '_>) -> Error {
        let (x, y) = (site.x[i], site.y);
        let name = y.graph.inner.borrow().called(x.id);
        let why =
            format!("`{}` uses {name} besides its arguments, and its rule has no part for it", self.name);
        Error::new(ErrorKind::Rule(why)).placed(y.origin()).operand("used besides", x.ty(), x.origin()).hint(
            "list it among the arguments, with a part in the rule, or use its stop_gradient() in the formula",
        )
    }

    /// The number of arguments that the rule has a part for.
    pub(crate) fn given(&self) -> usize {
        match &self.rule {
            Rule::Vjp { given, .. } | Rule::Jvp { given, .. } => *given,
            Rule::Own | Rule::Recompute => self.body.parameters(),
        }
    }

    /// Fails if a tangent arrives at something that the formula uses behind the back of its rule.
    fn refuse_captured(&self, given: usize, t: &[Option<Var<'_>>], site: &Site<'_, '_>) -> Result<()> {
        let varies = (given..self.body.parameters()).find(|i| t[*i].is_some());
        varies.map_or(Ok(()), |i| Err(self.captured(i, site)))
    }
}

impl Structured for Call {
    fn tangents<'g>(
        &self,
        t: &[Option<Var<'g>>],
        mode: Mode,
        site: &Site<'_, 'g>,
    ) -> Result<Vec<Option<Var<'g>>>> {
        let graph = site.y.graph;
        match &self.rule {
            Rule::Own | Rule::Recompute => {
                let varies: Vec<bool> = t[..self.body.parameters()].iter().map(Option::is_some).collect();
                let Some((tangent, reached)) = tangent_body(graph, &self.body, &varies, mode)? else {
                    return Ok(vec![None; self.body.results().len()]);
                };
                let args: Vec<Var<'g>> = site.x.iter().copied().chain(t.iter().flatten().copied()).collect();
                let found = graph.call(self.name, tangent, self.rule.clone(), &args);
                Ok(spread(&reached, found))
            }
            Rule::Vjp { rule, given } => {
                self.refuse_captured(*given, t, site)?;
                let varying: Vec<usize> = (0..*given).filter(|i| t[*i].is_some()).collect();
                if varying.is_empty() {
                    return Ok(vec![None]);
                }
                let captures = &site.x[self.body.parameters()..];
                let fixed: Vec<Var<'g>> =
                    site.x[..*given].iter().chain([&site.y]).chain(captures).copied().collect();
                let tangents: Vec<Var<'g>> = varying.iter().filter_map(|i| t[*i]).collect();
                let push = Pushforward { name: self.name, rule: rule.clone(), given: *given, varying };
                push.record(&tangents, &fixed, mode).map(|found| vec![Some(found)])
            }
            Rule::Jvp { rule, given } => {
                self.refuse_captured(*given, t, site)?;
                let zero = |x: &Var<'g>| if x.kind() == super::Kind::Real { x.like(0.0) } else { *x };
                let tangents = t.iter().zip(site.x).take(*given).map(|(t, x)| t.unwrap_or_else(|| zero(x)));
                let captures = &site.x[self.body.parameters()..];
                let args: Vec<Var<'g>> = site.x[..*given]
                    .iter()
                    .copied()
                    .chain([site.y])
                    .chain(tangents)
                    .chain(captures.iter().copied())
                    .collect();
                if t[..*given].iter().all(Option::is_none) {
                    return Ok(vec![None]);
                }
                Ok(graph.inline(rule, &args).into_iter().map(Some).collect())
            }
        }
    }

    fn cotangents<'g>(
        &self,
        ct: &[Option<Var<'g>>],
        linear: &[bool],
        site: &Site<'_, 'g>,
    ) -> Result<Vec<Option<Var<'g>>>> {
        let graph = site.y.graph;
        let arriving: Vec<bool> = ct.iter().map(Option::is_some).collect();
        let Some((transposed, reached)) = cotangent_body(graph, &self.body, linear, &arriving)? else {
            return Ok(vec![None; linear.len()]);
        };
        let cotangents: Vec<Var<'g>> = ct.iter().flatten().copied().collect();
        let again = |x: Var<'g>| match self.rule {
            Rule::Recompute => x.after(cotangents[0]),
            _ => x,
        };
        let fixed = site.x.iter().zip(linear).filter(|(_, linear)| !**linear).map(|(x, _)| again(*x));
        let args: Vec<Var<'g>> = fixed.chain(cotangents.iter().copied()).collect();
        let found = graph.call(self.name, transposed, self.rule.clone(), &args);
        Ok(spread(&reached, found))
    }
}

/// `found` at the places that `reached` says, in order.
pub(crate) fn spread<'g>(reached: &[bool], found: Vec<Var<'g>>) -> Vec<Option<Var<'g>>> {
    let mut found = found.into_iter();
    reached.iter().map(|reached| if *reached { found.next() } else { None }).collect()
}

impl Primitive for Call {
    fn name(&self) -> &'static str {
        self.name
    }

    fn attributes(&self) -> String {
        match self.rule {
            Rule::Vjp { .. } => "vjp".into(),
            Rule::Jvp { .. } => "jvp".into(),
            Rule::Own | Rule::Recompute => String::new(),
        }
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        for (i, wanted) in self.body.parameter_types().enumerate() {
            if args.get(i).is_none_or(|found| *found != wanted) {
                let found = args.get(i).map_or("nothing".into(), |ty| ty.to_string());
                let why = format!("argument {i} is {wanted}, not {found}");
                return Err(wrong_kind(self.name, why));
            }
        }
        self.body.result_types().next().cloned().ok_or_else(|| wrong_kind(self.name, "it has no result"))
    }

    fn further(&self, _: &[&Type]) -> Vec<Type> {
        self.body.result_types().skip(1).cloned().collect()
    }

    fn bodies(&self) -> Vec<Carried<'_>> {
        let given = (0..self.body.parameters()).map(|i| (i, format!("argument {i}"))).collect();
        vec![Carried { when: self.name.into(), body: &self.body, given }]
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Structured(|p| p)
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        let graph = rows.graph();
        let (args, axes): (Vec<Var<'g>>, Vec<bool>) = rows.args().iter().copied().unzip();
        let batched = || {
            let body = batched_body(graph, &self.body, rows.n, &axes[..self.body.parameters()])?;
            let rule = batched_rule(graph, &self.rule, rows.n, &axes, self.body.parameters())?;
            Ok(Call { name: self.name, body, rule })
        };
        match batched() {
            Ok(call) => graph.record(call.into(), &args),
            Err(error) => graph.poison(error),
        }
    }

    fn lower(&self, _: &[Layout], _: &Type) -> Lowering {
        Lowering::Formulas
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
