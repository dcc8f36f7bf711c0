//! Whether a derivative rule of the user's is linear in the tangents or cotangents that it is given.

use chainrule_tensor::Tensor;
use chainrule_tensor::kernels::Kind;

use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Graph, Inner, Node, NodeId};
use crate::prim::{Op, Rule};
use crate::var::Var;

/// What is known of a node, as a function of the seeds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// It does not depend on them.
    Fixed,
    /// It is 0, whatever they are.
    Zero,
    /// It is linear in all of them together.
    Linear,
    /// It is none of these, because of the node at this position.
    Other(usize),
}

/// Fails unless `rule` is linear in its arguments together, which are of the types of the reals in `x`; a discrete one
/// stands for itself. `what` begins the message: that such a rule is not linear in its tangents.
///
/// The rule is recorded over leaves of its own: the tangents at hand may be constants, or what the rule multiplies
/// them with.
pub(crate) fn refuse_nonlinear<'g>(
    what: &str,
    x: &[Var<'g>],
    rule: impl Fn(&[Var<'g>]) -> Var<'g>,
) -> Result<()> {
    let Some(first) = x.first() else { return Ok(()) };
    let graph = first.graph;
    let record = || {
        let mark = graph.len();
        let seed = |x: &Var<'g>| match x.kind() {
            Kind::Real => graph.new_leaf("tangent", x.ty(), None),
            _ => *x,
        };
        let seeds: Vec<Var<'g>> = x.iter().map(seed).collect();
        linear_since(graph, what, mark, &seeds, &[rule(&seeds)])
    };
    graph.scratch(record)
}

/// Fails unless each of `ends`, recorded since `mark`, is linear in the leaves `seeds` together, or poisoned.
pub(crate) fn linear_since(
    graph: &Graph,
    what: &str,
    mark: usize,
    seeds: &[Var<'_>],
    ends: &[Var<'_>],
) -> Result<()> {
    let known: Vec<Var<'_>> = ends.iter().copied().filter(|end| !end.is_poisoned()).collect();
    graph.admit("custom rule", &known)?;
    let inner = graph.inner.borrow();
    let nodes = &inner.nodes;
    let mut forms: Vec<Form> = Vec::with_capacity(nodes.len() - mark);
    for (i, node) in nodes.iter().enumerate().skip(mark) {
        let of = |id: &NodeId| match id.index().checked_sub(mark) {
            Some(k) => forms[k],
            None => fixed(&inner, *id),
        };
        let form = match node.op {
            Op::Input(_) if seeds.iter().any(|s| s.id.index() == i) => Form::Linear,
            _ => form(i, &inner, of),
        };
        forms.push(form);
    }
    for end in known {
        let form = match end.id.index().checked_sub(mark) {
            Some(k) => forms[k],
            None => fixed(&inner, end.id),
        };
        let (at, why) = match form {
            Form::Zero | Form::Linear => continue,
            Form::Fixed => (end.id.index(), "the result does not depend on them, and is not 0".to_owned()),
            Form::Other(i) => (i, reason(&nodes[i])),
        };
        let (ty, origin) = (nodes[at].ty.clone(), nodes[at].origin.clone());
        return Err(Error::new(ErrorKind::Rule(format!("{what}: {why}")))
            .placed(origin.clone())
            .operand(nodes[at].op.name(), ty, origin)
            .hint("a linear rule adds products of what it is given with values that do not depend on it"));
    }
    Ok(())
}

/// The form of the node at `i` from those of its arguments.
fn form(i: usize, inner: &Inner, of: impl Fn(&NodeId) -> Form) -> Form {
    let node = &inner.nodes[i];
    let forms: Vec<Form> = node.args.iter().map(of).collect();
    if let Some(other) = forms.iter().find(|f| matches!(f, Form::Other(_))) {
        return *other;
    }
    let varying: Vec<usize> = (0..forms.len()).filter(|k| forms[*k] == Form::Linear).collect();
    if varying.is_empty() {
        return fixed(inner, NodeId(i as u32));
    }
    match node.op.rule() {
        Rule::Linear(_) => {
            // The condition of a choice may be whatever does not depend on the seeds.
            let real = |k: &usize| inner.nodes[node.args[*k].index()].ty.kind == Kind::Real;
            let affine = (0..forms.len()).filter(real).any(|k| forms[k] == Form::Fixed);
            if affine { Form::Other(i) } else { Form::Linear }
        }
        Rule::Multilinear(arguments, _) | Rule::Mixed(arguments, ..) => match varying[..] {
            _ if arguments.iter().any(|k| forms[*k] == Form::Zero) => Form::Zero,
            [only] if arguments.contains(&only) => Form::Linear,
            _ => Form::Other(i),
        },
        _ => Form::Other(i),
    }
}

/// The form of a node that no seed reaches.
fn fixed(inner: &Inner, id: NodeId) -> Form {
    if is_zero(inner, id, 8) { Form::Zero } else { Form::Fixed }
}

/// Whether the node is 0 by what it is made of, looking back through no more than `depth` operations.
fn is_zero(inner: &Inner, id: NodeId, depth: usize) -> bool {
    let node = &inner.nodes[id.index()];
    let zero = |k: &usize| depth > 0 && is_zero(inner, node.args[*k], depth - 1);
    match (&node.op, node.op.rule()) {
        (Op::Scalar(s), _) => s.real() == Some(0.0),
        (Op::Constant(p), _) => match &inner.constants[p.index] {
            Tensor::F32(a) => a.iter().all(|x| *x == 0.0),
            Tensor::F64(a) => a.iter().all(|x| *x == 0.0),
            _ => false,
        },
        (_, Rule::Linear(_)) => {
            let real = |k: &usize| inner.nodes[node.args[*k].index()].ty.kind == Kind::Real;
            node.ty.kind == Kind::Real && (0..node.args.len()).filter(real).all(|k| zero(&k))
        }
        (_, Rule::Multilinear(arguments, _) | Rule::Mixed(arguments, ..)) => arguments.iter().any(zero),
        _ => false,
    }
}

fn reason(node: &Node) -> String {
    let name = node.op.name();
    match node.op.rule() {
        Rule::Linear(_) => format!("{name} joins a term that depends on them with one that does not"),
        Rule::Multilinear(..) if node.args.len() > 1 => format!("{name} of two terms that depend on them"),
        _ => format!("{name} of a term that depends on them"),
    }
}
