//! The tangent of an operation whose derivative is given as a vjp, until it is transposed.

use chainrule_tensor::Layout;

use super::{Derivative, Lowering, Primitive, Sample, Site, Structured};
use crate::body::Body;
use crate::diff::derived::tangent_of_vjp;
use crate::error::{ErrorKind, Result};
use crate::ir::Type;
use crate::prim::Mode;
use crate::var::Var;

/// J·t, where `rule` gives Jᵀ·ct. The arguments are the tangents of the arguments `varying`, then what the rule takes
/// but for the cotangent: the arguments (as many as are `given`), the result, and what it uses besides.
///
/// Reverse mode records it and transposes it at once, by the rule. It is never carried out: forward mode records the
/// transpose of the rule instead.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pushforward {
    pub(crate) name: &'static str,
    pub(crate) rule: Body,
    pub(crate) given: usize,
    pub(crate) varying: Vec<usize>,
}

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

impl Primitive for Pushforward {
    fn name(&self) -> &'static str {
        "pushforward"
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        Ok(args[self.varying.len() + self.given].clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Structured(|p| p)
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        Lowering::View(Some(args[0].clone()))
    }

    fn samples() -> Vec<Sample> {
        // It lives only between the two halves of reverse mode; the samples of custom operations go through it.
        Vec::new()
    }
}
