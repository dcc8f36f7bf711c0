//! Calls replaced by what they call, so that the planner sees plain operations.

use crate::body::Body;
use crate::ir::Graph;
use crate::prim::Op;
use crate::types::NodeId;
use crate::var::Var;

use super::{Rewritten, args_of, copied, rewrite};
use crate::walk::{Values, live};

/// The part of `graph` that `wanted` depend on, with each call that `opened` takes replaced by the formula that it
/// calls, and each value that is `known` by a leaf; `None` if there is no such call. Equal values become one, as when they are recorded.
pub(crate) fn expand(
    graph: &Graph,
    wanted: &[NodeId],
    known: &Values,
    opened: impl Fn(&Op) -> bool,
) -> Option<Rewritten> {
    let is_opened = |op: &Op| matches!(op, Op::Call(_)) && opened(op);
    let order = live(graph, wanted, known);
    {
        let inner = graph.inner.borrow();
        if !order.iter().any(|id| !known.contains_key(id) && is_opened(&inner.nodes[id.index()].op)) {
            return None;
        }
    }
    Some(rewrite(graph, &order, known, |made, _, node, now| match &node.op {
        Op::Call(call) if is_opened(&node.op) => {
            Some(called(made, &call.body, args_of(node, now), &is_opened))
        }
        _ => None,
    }))
}

/// A body that is being recorded over some arguments.
struct Frame<'a, 'g> {
    body: &'a Body,
    /// All results of each node so far.
    values: Vec<Vec<Var<'g>>>,
}

impl<'a, 'g> Frame<'a, 'g> {
    fn new(body: &'a Body, args: Vec<Var<'g>>) -> Self {
        Frame { body, values: args.into_iter().take(body.parameters()).map(|x| vec![x]).collect() }
    }

    fn results(&self) -> Vec<Var<'g>> {
        self.body.results().iter().map(|y| self.values[y.index()][0]).collect()
    }
}

/// The results of `body` over `args`, with the calls in it replaced in turn; however deep they are nested.
fn called<'g>(
    graph: &'g Graph,
    body: &Body,
    args: Vec<Var<'g>>,
    is_opened: &impl Fn(&Op) -> bool,
) -> Vec<Var<'g>> {
    let mut frames = vec![Frame::new(body, args)];
    loop {
        let Some(frame) = frames.last_mut() else { return Vec::new() };
        let Some(node) = frame.body.nodes().get(frame.values.len()) else {
            let results = frame.results();
            frames.pop();
            match frames.last_mut() {
                Some(caller) => caller.values.push(results),
                None => return results,
            }
            continue;
        };
        let args: Vec<Var<'g>> = node.args.iter().map(|a| frame.values[a.index()][0]).collect();
        match &node.op {
            Op::Part(p) if is_opened(&frame.body.nodes()[node.args[0].index()].op) => {
                let part = frame.values[node.args[0].index()][p.index];
                frame.values.push(vec![part]);
            }
            Op::Call(call) if is_opened(&node.op) => frames.push(Frame::new(&call.body, args)),
            _ => frame.values.push(vec![copied(graph, node, &args)]),
        }
    }
}
