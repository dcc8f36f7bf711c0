//! The tangent of an operation whose derivative is given as a vjp: transposed by that, or, in forward mode, its transpose.

use super::derived::cotangent_body;
use super::linearity::linear_since;
use crate::body::Body;
use crate::error::Result;
use crate::ir::Graph;
use crate::prim::pushforward::Pushforward;
use crate::prim::{Mode, Site, Structured};
use crate::var::Var;

impl Pushforward {
    /// J·t for `tangents`, one for each argument that varies.
    ///
    /// # Errors
    /// In forward mode: a rule that is not linear in its cotangent.
    pub(crate) fn record<'g>(self, tangents: &[Var<'g>], fixed: &[Var<'g>], mode: Mode) -> Result<Var<'g>> {
        let graph = fixed[0].graph;
        if mode == Mode::Reverse {
            return Ok(graph.record(self.into(), &[tangents, fixed].concat()));
        }
        let y = fixed[self.given];
        let args = [fixed, tangents].concat();
        let body = tangent_of_vjp(graph, self.name, &self.rule, self.given, &self.varying)?;
        Ok(body.map_or_else(|| y.like(0.0), |body| graph.inline(&body, &args)[0]))
    }
}

impl Structured for Pushforward {
    fn tangents<'g>(
        &self,
        t: &[Option<Var<'g>>],
        mode: Mode,
        site: &Site<'_, 'g>,
    ) -> Result<Vec<Option<Var<'g>>>> {
        // Linear in the tangents; those of what it takes besides are of no order that reverse mode asks for.
        let n = self.varying.len();
        let varying = (0..n).filter(|i| t[*i].is_some()).map(|i| self.varying[i]).collect();
        let push = Pushforward { varying, ..self.clone() };
        let tangents: Vec<Var<'g>> = t[..n].iter().flatten().copied().collect();
        push.record(&tangents, &site.x[n..], mode).map(|found| vec![Some(found)])
    }

    fn cotangents<'g>(
        &self,
        ct: &[Option<Var<'g>>],
        linear: &[bool],
        site: &Site<'_, 'g>,
    ) -> Result<Vec<Option<Var<'g>>>> {
        let graph = site.y.graph;
        let fixed = &site.x[self.varying.len()..];
        let (before, captures) = fixed.split_at(self.given + 1);
        let Some(ct) = ct[0] else { return Ok(vec![None; linear.len()]) };
        let args: Vec<Var<'g>> = before.iter().chain([&ct]).chain(captures).copied().collect();
        let found = graph.inline(&self.rule, &args);
        Ok((0..linear.len()).map(|i| Some(found[*self.varying.get(i)?])).collect())
    }
}

/// J·t as a body over what the vjp `rule` called `name` takes but for the cotangent, and the tangents of the arguments
/// `varying`; `None` if it is 0.
///
/// # Errors
/// A rule that is not linear in its cotangent.
fn tangent_of_vjp(
    graph: &Graph,
    name: &str,
    rule: &Body,
    given: usize,
    varying: &[usize],
) -> Result<Option<Body>> {
    let ct = given + 1;
    let what = format!("the vjp of `{name}` is not linear in its cotangent");
    let hint = format!(
        "`{name}` has a vjp that is not linear in its cotangent; give it a custom_jvp, or use reverse mode only"
    );
    let check = |g: &Graph| {
        let seeds: Vec<Var<'_>> =
            rule.parameter_types().map(|ty| g.new_leaf("cotangent", ty.clone(), None)).collect();
        let found = g.inline(rule, &seeds);
        let asked: Vec<Var<'_>> = varying.iter().map(|i| found[*i]).collect();
        linear_since(g, &what, 0, &seeds[ct..=ct], &asked)
    };
    check(&graph.beside()).map_err(|error| error.hint(hint))?;
    let linear: Vec<bool> = (0..rule.parameters()).map(|i| i == ct).collect();
    let arriving: Vec<bool> = (0..rule.results().len()).map(|i| varying.contains(&i)).collect();
    Ok(cotangent_body(graph, rule, &linear, &arriving)?.map(|(body, _)| body))
}
