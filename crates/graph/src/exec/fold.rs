//! Constant folding: what depends on constants only is computed at planning time.

use super::compile::{Compiler, Optimise, Subject};
use crate::error::Result;
use crate::prim::{Lowering, Op};
use crate::types::NodeId;
use crate::walk::{IdSet, live};

/// A folded value may be this many elements; beyond, memory costs more than computing again.
const LARGEST: usize = 1 << 20;

/// Results of fewer elements take no memory worth a thought.
const SMALL: usize = 1 << 10;

/// Computes the nodes that depend on constants only and feed a node that does not: their values are known then.
pub(crate) fn fold(of: &mut Compiler<'_>) -> Result<()> {
    let frontier = frontier(of);
    if frontier.is_empty() {
        return Ok(());
    }
    let compiler = Compiler {
        graph: Subject::Given(&of.graph),
        inputs: Vec::new(),
        outputs: frontier.clone(),
        state: Vec::new(),
        precision: of.precision,
        optimise: Optimise { fold: false, ..of.optimise },
        anomaly: false,
        exact: of.exact,
        known: of.known.clone(),
        refused: None,
    };
    let mut function = compiler.build()?;
    // What fails does so in the run, if it is carried out at all: it may stand in a branch that is never taken.
    if let Ok(values) = function.run(&[]) {
        of.known.extend(frontier.into_iter().zip(values.iter().cloned()));
    }
    Ok(())
}

fn frontier(compiler: &Compiler<'_>) -> Vec<NodeId> {
    let live = live(&compiler.graph, &compiler.wanted().collect::<Vec<_>>(), &compiler.known);
    let inner = compiler.graph.inner.borrow();
    let varying: IdSet = compiler.varying().collect();
    let known = |id: &NodeId| compiler.known.contains_key(id);
    let (mut constant, mut needed) = (IdSet::default(), IdSet::default());
    // Constants that are one number everywhere, however often it is repeated.
    let mut number = IdSet::default();
    for &id in &live {
        let node = &inner.nodes[id.index()];
        let is_constant = known(&id)
            || match &node.op {
                Op::Input(p) => !varying.contains(&id) && inner.leaves[p.index].value.is_some(),
                // All results of what has several are made at once, when the plan runs.
                Op::Loop(_) | Op::Branch(_) | Op::Decompose(_) => false,
                _ => node.args.iter().all(|a| constant.contains(a)),
            };
        if is_constant {
            constant.insert(id);
            let one = match node.lowering(&inner.nodes) {
                _ if known(&id) => false,
                Lowering::View(_) | Lowering::Elementwise(_) => node.args.iter().all(|a| number.contains(a)),
                _ => false,
            };
            if one || node.ty.shape.size() == 1 {
                number.insert(id);
            }
        } else {
            needed.extend(&node.args);
        }
    }
    let mut frontier = Vec::new();
    for &id in live.iter().rev() {
        let node = &inner.nodes[id.index()];
        if known(&id) || !(constant.contains(&id) && needed.contains(&id)) {
            continue;
        }
        let size = node.ty.shape.size();
        match node.lowering(&inner.nodes) {
            Lowering::Leaf | Lowering::Formulas => {}
            // What is made of numbers takes no memory as long as it is not stored.
            Lowering::Elementwise(_) if size > SMALL && number.contains(&id) => needed.extend(&node.args),
            Lowering::Elementwise(_) | Lowering::Kernel(_) if size <= LARGEST => frontier.push(id),
            _ => needed.extend(&node.args),
        }
    }
    frontier.reverse();
    frontier
}
