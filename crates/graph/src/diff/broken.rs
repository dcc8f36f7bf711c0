//! Why a variable has no gradient: the node at which its path to the output breaks.

use chainrule_tensor::kernels::Kind;

use crate::error::{Error, ErrorKind};
use crate::ir::Graph;
use crate::prim::{Form, Op};
use crate::rewrite::expand::expand;
use crate::types::NodeId;
use crate::walk::{self, IdSet};

/// The error for a variable `x` that `y` does not depend on differentiably.
pub(crate) fn where_broken(graph: &Graph, y: NodeId, x: NodeId) -> Error {
    if let Some(plain) = expand(graph, &[y, x], &Default::default(), Op::is_plain_call) {
        return where_broken(&plain.graph, plain.place(y), plain.place(x));
    }
    let inner = graph.inner.borrow();
    let nodes = &inner.nodes;
    let name = inner.called(x);
    let needed: IdSet = walk::made_of(nodes, [y]).into_iter().collect();
    let mut varies = vec![false; nodes.len()];
    varies[x.index()] = true;
    let mut used = false;
    // The first node on the way that has no derivative; rather one with a real result than a comparison, which may
    // stand beside the path, as in relu.
    let mut flat: Option<(usize, &'static str)> = None;
    for (i, node) in nodes.iter().enumerate().skip(x.index() + 1) {
        if !node.args.iter().any(|a| varies[a.index()]) {
            continue;
        }
        used = true;
        match node.op.form() {
            Form::Flat(why) if needed.contains(&NodeId(i as u32)) => {
                let real = node.ty.kind == Kind::Real;
                if flat.is_none_or(|(k, _)| real && nodes[k].ty.kind != Kind::Real) {
                    flat = Some((i, why));
                }
            }
            Form::Flat(_) => {}
            _ => varies[i] = true,
        }
    }
    if let Some((i, why)) = flat {
        let broken = format!("the path breaks at {}: {why}", nodes[i].op.name());
        return Error::new(ErrorKind::Disconnected { name, broken })
            .placed(nodes[i].origin.clone())
            .operand("variable", nodes[x.index()].ty.clone(), nodes[x.index()].origin.clone())
            .hint("remove that operation from the path, or ask for zeros with grad_or_zeros");
    }
    let broken = if used { "nothing made from it is used by the output" } else { "it is never used" };
    Error::new(ErrorKind::Disconnected { name, broken: broken.into() })
        .placed(nodes[x.index()].origin.clone())
        .hint("use it in the output, leave it out of the list, or ask for zeros with grad_or_zeros")
}
