//! Calls replaced by what they call, so that the planner sees plain operations.

use std::collections::HashMap;

use crate::body::Body;
use crate::ir::{Graph, Node, NodeId};
use crate::prim::Op;
use crate::var::Var;

use super::fold::Folded;
use super::fuse::live;

/// A graph that computes what another one does, and where the nodes asked for are in it.
pub(crate) struct Expanded {
    pub(crate) graph: Graph,
    places: HashMap<NodeId, NodeId>,
}

impl Expanded {
    /// The value that `var` of the graph before is now.
    pub(crate) fn var(&self, var: Var<'_>) -> Var<'_> {
        self.graph.var(self.place(var.id))
    }

    /// Where the node `id` of the graph before is now.
    pub(crate) fn place(&self, id: NodeId) -> NodeId {
        self.places[&id]
    }
}

/// The part of `graph` that `wanted` depend on, with each call that `opened` takes replaced by the formula that it
/// calls, and each value that is `known` by a leaf; `None` if there is no such call. Equal values become one, as when they are recorded.
pub(crate) fn expand(
    graph: &Graph,
    wanted: &[NodeId],
    known: &Folded,
    opened: impl Fn(&Op) -> bool,
) -> Option<Expanded> {
    let order = live(graph, wanted, known);
    let inner = graph.inner.borrow();
    let is_opened = |op: &Op| matches!(op, Op::Call(_)) && opened(op);
    if !order.iter().any(|id| !known.contains_key(id) && is_opened(&inner.nodes[id.index()].op)) {
        return None;
    }
    let made = graph.beside();
    made.inner.borrow_mut().leaves = inner.leaves.clone();
    let places = {
        let mut values: HashMap<NodeId, Vec<Var<'_>>> = HashMap::new();
        for id in order {
            let node = &inner.nodes[id.index()];
            if let Some(value) = known.get(&id) {
                values.insert(id, vec![made.new_leaf("known", node.ty.clone(), Some(value.clone()))]);
                continue;
            }
            let args: Vec<Var<'_>> = node.args.iter().map(|a| values[a][0]).collect();
            let value = match &node.op {
                Op::Part(p) if is_opened(&inner.nodes[node.args[0].index()].op) => {
                    vec![values[&node.args[0]][p.index]]
                }
                Op::Call(call) if is_opened(&node.op) => called(&made, &call.body, args, &is_opened),
                _ => vec![copied(&made, node, &args)],
            };
            values.insert(id, value);
        }
        values.into_iter().map(|(id, value)| (id, value[0].id)).collect()
    };
    Some(Expanded { graph: made, places })
}

fn copied<'g>(graph: &'g Graph, node: &Node, args: &[Var<'g>]) -> Var<'g> {
    let _line = graph.blame_origin(node.origin.clone());
    graph.record(node.op.clone(), args)
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
