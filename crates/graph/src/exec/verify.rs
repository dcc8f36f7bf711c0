//! What holds between passes, looked at in debug builds: a graph or a plan that breaks it is a fault of the planner. Whether a plan
//! can run at all, [`fits`] says.

use std::collections::HashMap;

use chainrule_tensor::Layout;

use super::compile::Compiler;
use super::fits;
use super::plan::Plan;
use crate::types::Type;
use crate::walk::live;

/// The types of what is asked for and given.
pub(crate) fn signature(compiler: &Compiler<'_>) -> Vec<Type> {
    compiler.ends().into_iter().map(|id| compiler.graph.node(id).ty).collect()
}

/// What is asked for and given has these types, and every value has the one that its operation gives it.
///
/// # Panics
/// If not.
pub(crate) fn graph(compiler: &Compiler<'_>, asked: &[Type]) {
    assert_eq!(signature(compiler), asked, "other values than were asked for");
    let inner = compiler.graph.inner.borrow();
    for id in live(&compiler.graph, &compiler.ends(), &compiler.known) {
        let node = &inner.nodes[id.index()];
        let at = || format!("[{}] at {}", node.op.label(), node.origin);
        let args: Vec<&Type> = node.args.iter().map(|a| &inner.nodes[a.index()].ty).collect();
        assert!(node.args.iter().all(|a| *a < id), "{} stands before what it is made of", at());
        match node.op.infer(&args) {
            Ok(ty) => assert_eq!(ty, node.ty, "{} has another type", at()),
            Err(why) => panic!("{}: {why}", at()),
        }
        if let Some(value) = compiler.known.get(&id) {
            assert_eq!(value.shape(), &node.ty.shape[..], "{} is known to have another shape", at());
        }
    }
}

/// The plan can run, and writes every buffer once.
///
/// # Panics
/// If not.
pub(crate) fn written(plan: &Plan) {
    can_run(plan);
    let mut is_there = vec![false; plan.buffers.len()];
    plan.given().for_each(|b| is_there[b] = true);
    for step in &plan.steps {
        for y in &step.outputs {
            let at = (&step.about.label, &step.about.origin);
            assert!(
                !is_there[y.buffer],
                "[{}] at {} writes b{}, which is there already",
                at.0, at.1, y.buffer
            );
            is_there[y.buffer] = true;
        }
    }
}

/// The plan can run.
///
/// # Panics
/// If not.
pub(crate) fn can_run(plan: &Plan) {
    if let Err(why) = fits::plan(plan) {
        panic!("a plan that cannot run: {why}\n{plan}");
    }
}

/// Whether all elements of `layout` lie within `len` elements.
pub(super) fn lies_within(layout: &Layout, len: usize) -> bool {
    if layout.shape.size() == 0 {
        return true;
    }
    let mut ends = layout.shape.iter().zip(&layout.strides).map(|(n, s)| (*n as i128 - 1) * *s as i128);
    let start = layout.offset as i128;
    let reach = |(first, last): (i128, i128), end: i128| (first + end.min(0), last + end.max(0));
    let (first, last) = ends.by_ref().fold((start, start), reach);
    first >= 0 && last < len as i128
}

/// The plan `after` does what `before` does, which writes every buffer once: every value is still where it was put when it is
/// read. No step writes over what is needed later, or over what it reads itself, unless it works in place.
///
/// # Panics
/// If not.
pub(crate) fn held(before: &Plan, after: &Plan) {
    can_run(after);
    assert_eq!(before.steps.len(), after.steps.len(), "other steps");
    let mut holds: Vec<Option<usize>> = vec![None; after.buffers.len()];
    before.given().zip(after.given()).for_each(|(v, b)| holds[b] = Some(v));
    for (was, step) in before.steps.iter().zip(&after.steps) {
        let at = || format!("[{}] at {}", step.about.label, step.about.origin);
        for (v, x) in was.inputs.iter().zip(&step.inputs) {
            assert_eq!(
                holds[x.buffer],
                Some(v.buffer),
                "{} reads b{}, which was written over",
                at(),
                x.buffer
            );
        }
        let mut made: HashMap<usize, usize> = HashMap::with_capacity(step.outputs.len());
        for (j, (v, y)) in was.outputs.iter().zip(&step.outputs).enumerate() {
            assert_eq!(
                before.buffers[v.buffer],
                after.buffers[y.buffer],
                "{} has no room in b{}",
                at(),
                y.buffer
            );
            made.insert(y.buffer, j);
            holds[y.buffer] = Some(v.buffer);
        }
        for (k, x) in step.inputs.iter().enumerate() {
            let over = made.get(&x.buffer).copied();
            assert_eq!(
                over,
                step.call.held(k),
                "{} writes another value than it says over its input {k}",
                at()
            );
        }
    }
    let last = before.outputs.iter().zip(&after.outputs);
    last.for_each(|(v, b)| {
        assert_eq!(holds[b.0.buffer], Some(v.0.buffer), "b{} was written over", b.0.buffer)
    });
    for (next, old) in &before.carries {
        let home = before.state.iter().zip(&after.state).find(|(was, _)| was.0 == *old).map(|(_, now)| now.0);
        let from = after.carries.iter().find(|(_, to)| Some(*to) == home).map(|(from, _)| from.buffer);
        let lies = from.or(home).and_then(|b| holds[b]);
        assert_eq!(lies, Some(next.buffer), "the next value of a state was written over");
    }
}
