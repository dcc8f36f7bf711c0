//! A choice between formulas, differentiated and for many examples: each is a choice again.

use super::derived::{batched_body, cotangent_body, spread, tangent_body};
use crate::body::Body;
use crate::error::Result;
use crate::ir::Graph;
use crate::prim::Mode;
use crate::prim::branch::Branch;
use crate::prim::rows::{Rows, choose};
use crate::prim::{Site, Structured};
use crate::types::Type;
use crate::var::Var;

impl Structured for Branch {
    fn tangents<'g>(
        &self,
        t: &[Option<Var<'g>>],
        mode: Mode,
        site: &Site<'_, 'g>,
    ) -> Result<Vec<Option<Var<'g>>>> {
        let graph = site.y.graph;
        let varies: Vec<bool> = t[1..].iter().map(Option::is_some).collect();
        let given = self.yes.parameter_types().zip(&varies).filter(|(_, varies)| **varies);
        let types: Vec<Type> = self.yes.parameter_types().chain(given.map(|(ty, _)| ty)).cloned().collect();
        let results: Vec<Type> = self.yes.result_types().cloned().collect();
        let each = |body: &Body| tangent_body(graph, body, &varies, mode);
        let made = both(graph, &types, &results, [each(&self.yes)?, each(&self.no)?])?;
        let Some((branch, reached)) = made else { return Ok(vec![None; results.len()]) };
        let args: Vec<Var<'g>> = site.x.iter().copied().chain(t.iter().flatten().copied()).collect();
        Ok(spread(&reached, graph.record_all(branch, &args)?))
    }

    /// The transposes of both: what they need of the forward half is computed again, in the branch taken.
    fn cotangents<'g>(
        &self,
        ct: &[Option<Var<'g>>],
        linear: &[bool],
        site: &Site<'_, 'g>,
    ) -> Result<Vec<Option<Var<'g>>>> {
        let graph = site.y.graph;
        let arriving: Vec<bool> = ct.iter().map(Option::is_some).collect();
        let parameters: Vec<Type> = self.yes.parameter_types().cloned().collect();
        let fixed = parameters.iter().zip(&linear[1..]).filter(|(_, linear)| !**linear).map(|(ty, _)| ty);
        let arrive = self.yes.result_types().zip(&arriving).filter(|(_, arrives)| **arrives);
        let types: Vec<Type> = fixed.chain(arrive.map(|(ty, _)| ty)).cloned().collect();
        let each = |body: &Body| cotangent_body(graph, body, &linear[1..], &arriving);
        let made = both(graph, &types, &parameters, [each(&self.yes)?, each(&self.no)?])?;
        let Some((branch, reached)) = made else { return Ok(vec![None; linear.len()]) };
        let fixed = site.x.iter().zip(linear).filter(|(_, linear)| !**linear).map(|(x, _)| *x);
        let args: Vec<Var<'g>> = fixed.chain(ct.iter().flatten().copied()).collect();
        let found = spread(&reached, graph.record_all(branch, &args)?);
        Ok(std::iter::once(None).chain(found).collect())
    }

    fn batch_all<'g>(&self, rows: &Rows<'g>) -> Option<Result<Vec<Var<'g>>>> {
        Some(self.batched(rows))
    }
}

/// A choice between two derived formulas over parameters of `types`, in which each has all results that one of them
/// has, at places of the given `results`: 0 where it has none.
fn both(
    graph: &Graph,
    types: &[Type],
    results: &[Type],
    found: [Option<(Body, Vec<bool>)>; 2],
) -> Result<Option<(Branch, Vec<bool>)>> {
    let has = |i: usize| found.iter().flatten().any(|(_, reached)| reached[i]);
    let reached: Vec<bool> = (0..results.len()).map(has).collect();
    if !reached.contains(&true) {
        return Ok(None);
    }
    let filled = |found: &Option<(Body, Vec<bool>)>| {
        Body::trace(graph, types.to_vec(), |g, x| {
            let own = match found {
                Some((body, own)) => spread(own, g.inline(body, x)),
                None => vec![None; results.len()],
            };
            let zero = |i: usize| g.constant(0.0).broadcast_to(results[i].shape.clone());
            let places = (0..results.len()).filter(|i| reached[*i]);
            Ok(places.map(|i| own[i].unwrap_or_else(|| zero(i))).collect())
        })
    };
    let branch = Branch { yes: filled(&found[0])?, no: filled(&found[1])? };
    Ok(Some((branch, reached)))
}

impl Branch {
    fn batched<'g>(&self, rows: &Rows<'g>) -> Result<Vec<Var<'g>>> {
        let graph = rows.graph();
        let (args, axes): (Vec<Var<'g>>, Vec<bool>) = rows.args().iter().copied().unzip();
        let each = |body: &Body| batched_body(graph, body, rows.n, &axes[1..]);
        let (yes, no) = (each(&self.yes)?, each(&self.no)?);
        if !axes[0] {
            return graph.record_all(Branch { yes, no }, &args);
        }
        // Each example chooses for itself: both are computed.
        let (yes, no) = (graph.inline(&yes, &args[1..]), graph.inline(&no, &args[1..]));
        Ok(yes.into_iter().zip(no).map(|(yes, no)| choose(args[0], yes, no)).collect())
    }
}
