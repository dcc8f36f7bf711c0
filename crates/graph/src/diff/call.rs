//! Calls, differentiated and for many examples: as the formula that they call, or by the rule that they have.

use chainrule_tensor::kernels::Kind;

use super::derived::{batched_body, cotangent_body, spread, tangent_body};
use crate::body::Body;
use crate::error::{Error, ErrorKind, Result};
use crate::ir::Graph;
use crate::prim::call::{Call, Rule};
use crate::prim::pushforward::Pushforward;
use crate::prim::rows::Rows;
use crate::prim::{Mode, Site, Structured};
use crate::types::Type;
use crate::var::Var;

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
                let zero = |x: &Var<'g>| if x.kind() == Kind::Real { x.like(0.0) } else { *x };
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

    fn batch_all<'g>(&self, rows: &Rows<'g>) -> Option<Result<Vec<Var<'g>>>> {
        let graph = rows.graph();
        let (args, axes): (Vec<Var<'g>>, Vec<bool>) = rows.args().iter().copied().unzip();
        let batched = || {
            let body = batched_body(graph, &self.body, rows.n, &axes[..self.body.parameters()])?;
            let rule = batched_rule(graph, &self.rule, rows.n, &axes, self.body.parameters())?;
            graph.record_all(Call { name: self.name, body, rule }, &args)
        };
        Some(batched())
    }
}

/// A rule for `n` examples, where `axes` says which arguments have a leading axis of examples, and the formula has
/// `parameters`.
fn batched_rule(graph: &Graph, rule: &Rule, n: usize, axes: &[bool], parameters: usize) -> Result<Rule> {
    let (Rule::Vjp { rule: body, given } | Rule::Jvp { rule: body, given }) = rule else {
        return Ok(rule.clone());
    };
    let (x, captures) = (&axes[..*given], &axes[parameters..]);
    let is_vjp = matches!(rule, Rule::Vjp { .. });
    let last: &[bool] = if is_vjp { &[true] } else { x };
    let axes = [x, &[true], last, captures].concat();
    let batched = batched_body(graph, body, n, &axes)?;
    if !is_vjp {
        return Ok(Rule::Jvp { rule: batched, given: *given });
    }
    // The cotangent of an argument that all examples share is the sum of theirs.
    let types: Vec<Type> = batched.parameter_types().cloned().collect();
    let summed = Body::trace(graph, types, |g, all| {
        let each = g.inline(&batched, all).into_iter().zip(x);
        Ok(each.map(|(ct, axis)| if *axis { ct } else { ct.sum(0) }).collect())
    })?;
    Ok(Rule::Vjp { rule: summed, given: *given })
}
