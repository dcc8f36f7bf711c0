//! Whether a derivative rule of the user's is linear in the tangents or cotangents that it is given.

use std::collections::HashMap;

use chainrule_tensor::Tensor;
use chainrule_tensor::kernels::Kind;

use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Graph, Node, NodeId};
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
    let seeds = seeds.iter().map(|s| (s.id.index(), Form::Linear)).collect();
    let forms = Forms::of(nodes, mark, seeds);
    for end in known {
        let form = forms.at(end.id);
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

/// The forms of the nodes of a list from `mark` on.
struct Forms<'a> {
    nodes: &'a [Node],
    mark: usize,
    known: Vec<Form>,
    /// Those of all results of nodes that have several.
    several: HashMap<usize, Vec<Form>>,
}

impl<'a> Forms<'a> {
    /// The forms from those of the leaves in `given`, by position.
    fn of(nodes: &'a [Node], mark: usize, given: HashMap<usize, Form>) -> Forms<'a> {
        let mut forms = Forms { nodes, mark, known: Vec::new(), several: HashMap::new() };
        for i in mark..nodes.len() {
            let form = given.get(&i).copied().unwrap_or_else(|| forms.form(i));
            forms.known.push(form);
        }
        forms
    }

    fn at(&self, id: NodeId) -> Form {
        match id.index().checked_sub(self.mark) {
            Some(k) => self.known[k],
            None => self.fixed(id),
        }
    }

    /// The form of the node at `i` from those of its arguments.
    fn form(&mut self, i: usize) -> Form {
        let node = &self.nodes[i];
        if let Rule::Part(k) = node.op.rule() {
            let of_all = self.several.get(&node.args[0].index());
            return of_all.map_or_else(|| self.at(node.args[0]), |all| all[k]);
        }
        let forms: Vec<Form> = node.args.iter().map(|a| self.at(*a)).collect();
        if let Some(other) = forms.iter().find(|f| matches!(f, Form::Other(_))) {
            return *other;
        }
        let varying: Vec<usize> = (0..forms.len()).filter(|k| forms[*k] == Form::Linear).collect();
        if varying.is_empty() {
            return self.fixed(NodeId(i as u32));
        }
        if let Op::Call(call) = &node.op {
            let inside = call.body.nodes();
            let given = forms.iter().copied().enumerate().take(call.body.parameters()).collect();
            let inside = Forms::of(inside, 0, given);
            // What is inside stands here, as far as this list goes.
            let here = |y: &NodeId| match inside.at(*y) {
                Form::Other(_) => Form::Other(i),
                form => form,
            };
            let all: Vec<Form> = call.body.results().iter().map(here).collect();
            let first = all[0];
            self.several.insert(i, all);
            return first;
        }
        match node.op.rule() {
            Rule::Linear(_) => {
                // The condition of a choice may be whatever does not depend on the seeds.
                let real = |k: &usize| self.nodes[node.args[*k].index()].ty.kind == Kind::Real;
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
    fn fixed(&self, id: NodeId) -> Form {
        if is_zero(self.nodes, id, 8) { Form::Zero } else { Form::Fixed }
    }
}

/// Whether the node is 0 by what it is made of, looking back through no more than `depth` operations.
fn is_zero(nodes: &[Node], id: NodeId, depth: usize) -> bool {
    let node = &nodes[id.index()];
    let zero = |k: &usize| depth > 0 && is_zero(nodes, node.args[*k], depth - 1);
    match (&node.op, node.op.rule()) {
        (Op::Scalar(s), _) => s.real() == Some(0.0),
        (Op::Constant(p), _) => match &*p.value {
            Tensor::F32(a) => a.iter().all(|x| *x == 0.0),
            Tensor::F64(a) => a.iter().all(|x| *x == 0.0),
            _ => false,
        },
        (_, Rule::Linear(_)) => {
            let real = |k: &usize| nodes[node.args[*k].index()].ty.kind == Kind::Real;
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
