//! Loops over equal values are one loop: the derivative's, which stacks what the way back needs, and the formula's own.

use rustc_hash::FxHashMap;

use crate::body::Body;
use crate::ir::{Graph, Node};
use crate::prim::Op;
use crate::prim::loops::{Loop, LoopArgs};
use crate::types::{Args, NodeId};
use crate::var::Var;
use crate::walk::{IdMap, Values, live};

use super::{Rewritten, rewrite};

/// One loop in place of several, and which of its results are those of each.
struct Merged {
    op: Loop,
    args: Vec<NodeId>,
    /// For each of the loops, the results of this one that are its results, in order.
    results: IdMap<Vec<usize>>,
}

/// What loops must have in common to be one.
#[derive(PartialEq, Eq, Hash)]
struct Course {
    length: usize,
    reverse: bool,
    counted: bool,
    test: Option<Body>,
    /// Carries, slices, the number of steps, captures of the test.
    args: [Args; 4],
}

impl Course {
    fn of(op: &Loop, args: &[NodeId]) -> Course {
        let LoopArgs { carries, slices, count, test_captures, .. } = op.split(args);
        let args = [carries, slices, count, test_captures].map(Args::from_slice);
        Course { length: op.length, reverse: op.reverse, counted: op.counted, test: op.test.clone(), args }
    }
}

/// The part of `graph` that `wanted` depend on, with one loop for all that carry the same values over the same slices;
/// `None` if there are no such loops.
pub(crate) fn merge(graph: &Graph, wanted: &[NodeId], known: &Values) -> Option<Rewritten> {
    let order = live(graph, wanted, known);
    let merged = found(graph, &order, known);
    if merged.is_empty() {
        return None;
    }
    let by_loop: IdMap<&Merged> =
        merged.iter().flat_map(|m| m.results.keys().map(move |id| (*id, m))).collect();
    Some(rewrite(graph, &order, known, |made, id, node, now| {
        let merged = by_loop.get(&id)?;
        let _line = made.blame_origin(node.origin.clone());
        // Equal nodes are one node, so for all but the first it is there already.
        let args: Vec<Var<'_>> = merged.args.iter().map(|a| now(*a)).collect();
        let all = made.record_all(merged.op.clone(), &args).ok()?;
        Some(merged.results[&id].iter().map(|i| all[*i]).collect())
    }))
}

fn found(graph: &Graph, order: &[NodeId], known: &Values) -> Vec<Merged> {
    let inner = graph.inner.borrow();
    let mut courses: FxHashMap<Course, Vec<(NodeId, &Node, &Loop)>> = FxHashMap::default();
    for id in order.iter().filter(|id| !known.contains_key(id)) {
        let node = &inner.nodes[id.index()];
        if let Op::Loop(op) = &node.op {
            courses.entry(Course::of(op, &node.args)).or_default().push((*id, node, op));
        }
    }
    courses.into_values().filter(|loops| loops.len() > 1).filter_map(|loops| merged(graph, &loops)).collect()
}

fn merged(graph: &Graph, loops: &[(NodeId, &Node, &Loop)]) -> Option<Merged> {
    let &(first, _, op) = loops.first()?;
    let g = graph.beside();
    let mut types = op.body.parameter_types();
    let mut given = |n: usize| -> Vec<Var<'_>> {
        types.by_ref().take(n).map(|ty| g.new_leaf("parameter", ty.clone(), None)).collect()
    };
    let (carries, slices) = (given(op.carries), given(op.slices));
    // By what they are outside.
    let mut captures: Vec<(NodeId, Var<'_>)> = Vec::new();
    let mut stacks: Vec<Var<'_>> = Vec::new();
    let mut after: Option<Vec<Var<'_>>> = None;
    let mut results: IdMap<Vec<usize>> = IdMap::default();
    for (id, node, op) in loops {
        let outside = op.split(&node.args).captures;
        // The one loop stands where the first of them does.
        if outside.iter().any(|a| *a >= first) {
            continue;
        }
        let inside = op.body.parameter_types().skip(op.carries + op.slices);
        let captured: Vec<Var<'_>> = outside
            .iter()
            .zip(inside)
            .map(|(a, ty)| match captures.iter().find(|(known, _)| known == a) {
                Some((_, leaf)) => *leaf,
                None => {
                    let leaf = g.new_leaf("parameter", ty.clone(), None);
                    captures.push((*a, leaf));
                    leaf
                }
            })
            .collect();
        let mut ys = g.inline(&op.body, &[&carries[..], &slices, &captured].concat());
        let stacked = ys.split_off(op.carries);
        if after.get_or_insert_with(|| ys.clone()).iter().zip(&ys).any(|(a, b)| a.id != b.id) {
            continue;
        }
        let mut own: Vec<usize> = (0..=op.carries).collect();
        for y in stacked {
            let at = stacks.iter().position(|known| known.id == y.id).unwrap_or(stacks.len());
            if at == stacks.len() {
                stacks.push(y);
            }
            own.push(1 + op.carries + at);
        }
        results.insert(*id, own);
    }
    if results.len() < 2 {
        return None;
    }
    let inside: Vec<Var<'_>> = captures.iter().map(|(_, leaf)| *leaf).collect();
    let parameters = [&carries[..], &slices, &inside].concat();
    let outline = g.outline(&parameters, &[after.unwrap_or_default(), stacks].concat());
    debug_assert!(outline.captures.is_empty(), "loops use {:?} besides", outline.captures);
    let op = Loop { body: outline.body, ..op.clone() };
    let (_, node, own) = loops[0];
    let given = own.split(&node.args);
    let captures: Vec<NodeId> = captures.iter().map(|(id, _)| *id).collect();
    let args = [given.carries, given.slices, given.count, &captures, given.test_captures].concat();
    Some(Merged { op, args, results })
}
