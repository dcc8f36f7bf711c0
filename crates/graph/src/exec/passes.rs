//! The passes, in order: from graph to graph, then lowering, then from plan to plan. Lowering alone is [`Optimise::NONE`].

use super::compile::{Compiler, Optimise};
use super::plan::Plan;
use super::{accumulate, buffers, fold, fuse, lower, rows, verify};
use crate::error::Result;
use crate::rewrite::expand::expand;
use crate::rewrite::merge::merge;
use crate::walk::live;

/// What a pass over graphs does to a request: the graph may become another one, and more of its values known. What is asked for
/// stays.
type OnGraph = fn(&mut Compiler<'_>) -> Result<()>;

const ON_GRAPHS: &[OnGraph] = &[
    |of| {
        let made = expand(&of.graph, &of.ends(), &of.known, |_| true);
        of.goes_on_with(made)
    },
    |of| {
        let made = of.optimise.fuse.then(|| merge(&of.graph, &of.ends(), &of.known));
        of.goes_on_with(made.flatten())
    },
    |of| if of.optimise.fold { fold::fold(of) } else { Ok(()) },
];

/// A pass over plans.
struct OnPlan {
    asked: fn(Optimise) -> bool,
    pass: fn(&mut Plan),
    /// What must hold of the plan before and the plan after: panics if not.
    holds: fn(&Plan, &Plan),
}

const ON_PLANS: &[OnPlan] = &[
    OnPlan { asked: |of| of.fuse, pass: accumulate::accumulate, holds: |_, plan| verify::written(plan) },
    OnPlan { asked: |of| of.fuse, pass: rows::group, holds: |_, plan| verify::written(plan) },
    OnPlan { asked: |of| of.reuse, pass: buffers::share, holds: verify::held },
];

/// The plan of what is asked for. In debug builds the verifier looks at what comes of each pass.
pub(crate) fn plan(mut of: Compiler<'_>) -> Result<Plan> {
    let asked = cfg!(debug_assertions).then(|| verify::signature(&of));
    for pass in ON_GRAPHS {
        pass(&mut of)?;
        asked.iter().for_each(|asked| verify::graph(&of, asked));
    }
    let wanted: Vec<_> = of.wanted().collect();
    let live = live(&of.graph, &wanted, &of.known);
    of.known.retain(|id, _| live.binary_search(id).is_ok());
    of.check_bound(&live)?;
    let mut plan = lower::lower(&of, &fuse::schedule(&of, &live))?;
    if cfg!(debug_assertions) {
        verify::written(&plan);
    }
    for OnPlan { pass, holds, .. } in ON_PLANS.iter().filter(|p| (p.asked)(of.optimise)) {
        let before = cfg!(debug_assertions).then(|| plan.clone());
        pass(&mut plan);
        before.iter().for_each(|before| holds(before, &plan));
    }
    Ok(plan)
}
