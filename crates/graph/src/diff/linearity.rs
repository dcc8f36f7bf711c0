//! Whether a derivative rule of the user's is linear in the tangents or cotangents that it is given.

use std::collections::HashMap;

use chainrule_tensor::Tensor;
use chainrule_tensor::kernels::Kind;

use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Graph, Node};
use crate::prim::{Form, Op};
use crate::types::NodeId;
use crate::var::Var;

/// What is known of a node, as a function of the seeds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dependence {
    /// It does not depend on them.
    Fixed,
    /// It is 0, whatever they are.
    Zero,
    /// It is linear in all of them together.
    Linear,
    /// It is none of these, because of the node at this position.
    Other(usize),
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
    let seeds = seeds.iter().map(|s| (s.id.index(), Dependence::Linear)).collect();
    let forms = Dependences::of(nodes, mark, seeds);
    for end in known {
        let form = forms.at(end.id);
        let (at, why) = match form {
            Dependence::Zero | Dependence::Linear => continue,
            Dependence::Fixed => {
                (end.id.index(), "the result does not depend on them, and is not 0".to_owned())
            }
            Dependence::Other(i) => (i, reason(&nodes[i])),
        };
        let (ty, origin) = (nodes[at].ty.clone(), nodes[at].origin.clone());
        return Err(Error::new(ErrorKind::Rule(format!("{what}: {why}")))
            .placed(origin.clone())
            .operand(nodes[at].op.name(), ty, origin)
            .hint("a linear rule adds products of what it is given with values that do not depend on it"));
    }
    Ok(())
}

/// The forms of the nodes of a list from `mark` on.
struct Dependences<'a> {
    nodes: &'a [Node],
    mark: usize,
    known: Vec<Dependence>,
    /// Those of all results of nodes that have several.
    several: HashMap<usize, Vec<Dependence>>,
}

impl<'a> Dependences<'a> {
    /// The forms from those of the leaves in `given`, by position.
    fn of(nodes: &'a [Node], mark: usize, given: HashMap<usize, Dependence>) -> Dependences<'a> {
        let mut forms = Dependences { nodes, mark, known: Vec::new(), several: HashMap::new() };
        for i in mark..nodes.len() {
            let form = given.get(&i).copied().unwrap_or_else(|| forms.form(i));
            forms.known.push(form);
        }
        forms
    }

    fn at(&self, id: NodeId) -> Dependence {
        match id.index().checked_sub(self.mark) {
            Some(k) => self.known[k],
            None => self.fixed(id),
        }
    }

    /// The form of the node at `i` from those of its arguments.
    fn form(&mut self, i: usize) -> Dependence {
        let node = &self.nodes[i];
        if let Form::Part(k) = node.op.form() {
            let of_all = self.several.get(&node.args[0].index());
            return of_all.map_or_else(|| self.at(node.args[0]), |all| all[k]);
        }
        let forms: Vec<Dependence> = node.args.iter().map(|a| self.at(*a)).collect();
        if let Some(other) = forms.iter().find(|f| matches!(f, Dependence::Other(_))) {
            return *other;
        }
        let varying: Vec<usize> = (0..forms.len()).filter(|k| forms[*k] == Dependence::Linear).collect();
        if varying.is_empty() {
            return self.fixed(NodeId(i as u32));
        }
        if let Op::Call(call) = &node.op {
            let inside = call.body.nodes();
            let given = forms.iter().copied().enumerate().take(call.body.parameters()).collect();
            let inside = Dependences::of(inside, 0, given);
            // What is inside stands here, as far as this list goes.
            let here = |y: &NodeId| match inside.at(*y) {
                Dependence::Other(_) => Dependence::Other(i),
                form => form,
            };
            let all: Vec<Dependence> = call.body.results().iter().map(here).collect();
            let first = all[0];
            self.several.insert(i, all);
            return first;
        }
        match node.op.form() {
            Form::Linear => {
                // The condition of a choice may be whatever does not depend on the seeds.
                let real = |k: &usize| self.nodes[node.args[*k].index()].ty.kind == Kind::Real;
                let affine = (0..forms.len()).filter(real).any(|k| forms[k] == Dependence::Fixed);
                if affine { Dependence::Other(i) } else { Dependence::Linear }
            }
            Form::Multilinear(arguments) | Form::Mixed(arguments) => match varying[..] {
                _ if arguments.iter().any(|k| forms[*k] == Dependence::Zero) => Dependence::Zero,
                [only] if arguments.contains(&only) => Dependence::Linear,
                _ => Dependence::Other(i),
            },
            _ => Dependence::Other(i),
        }
    }

    /// The form of a node that no seed reaches.
    fn fixed(&self, id: NodeId) -> Dependence {
        if is_zero(self.nodes, id, 8) { Dependence::Zero } else { Dependence::Fixed }
    }
}

/// Whether the node is 0 by what it is made of, looking back through no more than `depth` operations.
fn is_zero(nodes: &[Node], id: NodeId, depth: usize) -> bool {
    let node = &nodes[id.index()];
    let zero = |k: &usize| depth > 0 && is_zero(nodes, node.args[*k], depth - 1);
    match (&node.op, node.op.form()) {
        (Op::Scalar(s), _) => s.real() == Some(0.0),
        (Op::Constant(p), _) => match &*p.value {
            Tensor::F32(a) => a.iter().all(|x| *x == 0.0),
            Tensor::F64(a) => a.iter().all(|x| *x == 0.0),
            _ => false,
        },
        (_, Form::Linear) => {
            let real = |k: &usize| nodes[node.args[*k].index()].ty.kind == Kind::Real;
            node.ty.kind == Kind::Real && (0..node.args.len()).filter(real).all(|k| zero(&k))
        }
        (_, Form::Multilinear(arguments) | Form::Mixed(arguments)) => arguments.iter().any(zero),
        _ => false,
    }
}

fn reason(node: &Node) -> String {
    let name = node.op.name();
    match node.op.form() {
        Form::Linear => format!("{name} joins a term that depends on them with one that does not"),
        Form::Multilinear(_) if node.args.len() > 1 => format!("{name} of two terms that depend on them"),
        _ => format!("{name} of a term that depends on them"),
    }
}
