//! A formula and its derivative as equations, for reading.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::elementwise::{Binary, Unary};

use super::frames::{self, Within, within};
use crate::diff::transpose::vjp;
use crate::error::Result;
use crate::ir::{Graph, Node};
use crate::origin::Origin;
use crate::prim::Op;
use crate::rewrite::expand::expand;
use crate::types::{NodeId, Type};
use crate::var::Var;
use crate::walk;

/// One line: `dv1 = 3 · dJ`.
#[derive(Clone, Debug, PartialEq)]
pub struct Equation {
    /// What is defined: `v1`, `v2`, … for what is on the way, `J` for the result; with a `d` in front for the
    /// derivative of the result with respect to it; `t1`, `t2`, … for what several derivatives share. Leaves have the
    /// names that they were given, with their scope or with primes where those are not unique, and in backquotes where
    /// they are no single word.
    pub name: String,
    /// What it is: `·` multiplies, elementwise; `@` is the matrix product.
    pub expression: String,
    /// Shape and kind.
    pub ty: Type,
    /// Where the formula was written.
    pub origin: Origin,
    /// The formulas that it carries out, if it is a loop, a choice or a call.
    pub within: Vec<Within>,
}

/// A formula, left to right, and its derivative, right to left; made by [`Var::equations`].
#[derive(Clone, Debug, PartialEq)]
pub struct Equations {
    /// The formula.
    pub forward: Vec<Equation>,
    /// The derivative of the result with respect to each value on the way.
    pub backward: Vec<Equation>,
}

/// Expressions longer than this many operations get a line of their own.
const LONG: usize = 6;

impl<'g> Var<'g> {
    /// This single number as a formula over `wrt`, and its derivative, as equations to read: what lectures 2.7 and 2.8
    /// do by hand.
    ///
    /// # Errors
    /// As [`grad`](Var::grad).
    ///
    /// ```
    /// use chainrule_graph::Graph;
    /// let g = Graph::new();
    /// let (a, b, c) = (g.leaf("a", 5.0), g.leaf("b", 3.0), g.leaf("c", 2.0));
    /// let equations = (3.0 * (a + b * c)).equations(&[a, b, c])?;
    /// let lines: Vec<String> = equations.backward.iter().map(|e| format!("{} = {}", e.name, e.expression)).collect();
    /// assert_eq!(lines, ["dJ = 1", "dv2 = 3 · dJ", "dv1 = dv2", "dc = b · dv1", "db = c · dv1", "da = dv2"]);
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn equations(self, wrt: &[Var<'g>]) -> Result<Equations> {
        self.graph.admit("equations", wrt)?;
        let all: Vec<NodeId> = wrt.iter().chain([&self]).map(|v| v.id).collect();
        match expand(self.graph, &all, &Default::default(), Op::is_plain_call) {
            None => self.graph.scratch(|| self.write_equations(wrt)),
            Some(plain) => {
                let wrt: Vec<Var<'_>> = wrt.iter().map(|x| plain.var(*x)).collect();
                plain.var(self).write_equations(&wrt)
            }
        }
    }

    fn write_equations(self, wrt: &[Var<'g>]) -> Result<Equations> {
        self.grad(wrt)?;
        let graph = self.graph;
        let taken = ["J", "dJ"].map(String::from).into();
        let (names, nodes) = (HashMap::new(), graph.nodes());
        let mut writer = Writer { graph, nodes, names, taken, derivatives: Vec::new() };
        let live = walk::made_of(&writer.nodes, [self.id]);
        writer.name_leaves(&live);
        for (i, x) in wrt.iter().enumerate() {
            if !writer.names.contains_key(&x.id) {
                let name = writer.take(format!("x{}", i + 1));
                writer.names.insert(x.id, name);
            }
        }
        let mut numbered = 0;
        let mut forward = Vec::new();
        let mut defined = Vec::new();
        for &id in &live {
            if writer.inlined(id) || writer.names.contains_key(&id) {
                continue;
            }
            let name = if id == self.id { "J".into() } else { writer.number('v', &mut numbered) };
            forward.push(writer.defined(name.clone(), id));
            writer.names.insert(id, name);
            defined.push(graph.var(id));
        }
        let end = graph.leaf("dJ", 1.0);
        let smooth = |v: &&Var<'g>| v.kind() == Kind::Real && v.id != self.id;
        // Each after all that use it.
        let mut targets: Vec<Var<'g>> = defined.iter().filter(smooth).chain(wrt).copied().collect();
        targets.sort_by_key(|v| std::cmp::Reverse(v.id));
        targets.dedup_by_key(|v| v.id);
        // Asking for all at once makes each derivative a value of its own, built from those to its right.
        let found = vjp(&[self], &targets, &[end])?;
        let backward = writer.backward(self, end, &targets, &found);
        Ok(Equations { forward, backward })
    }
}

pub(super) struct Writer<'g> {
    pub(super) graph: &'g Graph,
    pub(super) nodes: Vec<Node>,
    pub(super) names: HashMap<NodeId, String>,
    /// Names that are given, and what the derivatives with respect to them are called.
    pub(super) taken: HashSet<String>,
    pub(super) derivatives: Vec<NodeId>,
}

impl<'g> Writer<'g> {
    /// Gives each leaf among `live` a name of its own, the user's where that is unique.
    pub(super) fn name_leaves(&mut self, live: &[NodeId]) {
        let leaves: Vec<(NodeId, String)> = live
            .iter()
            .filter(|id| matches!(self.nodes[id.index()].op, Op::Input(_)))
            .map(|id| (*id, self.graph.label(&self.nodes[id.index()])))
            .collect();
        for (id, name) in &leaves {
            let scope = &self.nodes[id.index()].origin.scope;
            let several = leaves.iter().filter(|(_, other)| other == name).count() > 1;
            let name = if several && !scope.is_empty() { format!("{scope}.{name}") } else { name.clone() };
            let name = self.take(if is_word(&name) { name } else { format!("`{name}`") });
            self.names.insert(*id, name);
        }
    }

    /// `name`, with as many primes as it takes to be unique.
    fn take(&mut self, mut name: String) -> String {
        while self.taken.contains(&name) || self.taken.contains(&format!("d{name}")) {
            name.push('′');
        }
        self.taken.extend([format!("d{name}"), name.clone()]);
        name
    }

    /// The next of `v1`, `v2`, … that is not the name of anything.
    pub(super) fn number(&mut self, letter: char, last: &mut usize) -> String {
        loop {
            *last += 1;
            let name = format!("{letter}{last}");
            if !self.taken.contains(&name) && !self.taken.contains(&format!("d{name}")) {
                return self.take(name);
            }
        }
    }

    /// An equation with the type and the line of `of`.
    pub(super) fn line(&self, name: String, expression: String, of: NodeId) -> Equation {
        let node = &self.nodes[of.index()];
        Equation { name, expression, ty: node.ty.clone(), origin: node.origin.clone(), within: Vec::new() }
    }

    /// The equation that defines a node, with what that carries out.
    pub(super) fn defined(&self, name: String, id: NodeId) -> Equation {
        Equation { within: self.carried_out(id), ..self.line(name, self.definition(id), id) }
    }

    /// The formulas that a node carries out, and those of nodes that its definition shows by theirs.
    fn carried_out(&self, id: NodeId) -> Vec<Within> {
        let shown = |id: NodeId| match self.names.contains_key(&id) {
            true => &[][..],
            false => &self.nodes[id.index()].args[..],
        };
        let mut all = Vec::new();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            all.extend(within(self.graph, &self.nodes[id.index()]));
            open.extend(shown(id).iter().filter(|a| !self.names.contains_key(a)));
        }
        all
    }

    fn backward(
        &mut self,
        result: Var<'g>,
        end: Var<'g>,
        targets: &[Var<'g>],
        found: &[Option<Var<'g>>],
    ) -> Vec<Equation> {
        self.nodes = self.graph.nodes();
        self.names.insert(end.id, "dJ".into());
        self.derivatives.push(end.id);
        let mut lines = vec![self.line("dJ".into(), "1".into(), result.id)];
        let roots: Vec<NodeId> = found.iter().flatten().map(|d| d.id).collect();
        let helpers = self.helpers(&roots);
        let (mut helped, mut numbered) = (0, 0);
        let known: HashMap<NodeId, NodeId> =
            targets.iter().zip(found).filter_map(|(v, d)| Some((v.id, (*d)?.id))).collect();
        let users = self.users(&targets.iter().map(|v| v.id).collect::<Vec<_>>());
        for (v, d) in targets.iter().zip(found) {
            // What does not lie between the variables and the result has no derivative of interest.
            let Some(d) = d else { continue };
            // One value may be the derivative of several; in this line it is that of what uses `v`.
            for (user, its) in users.get(&v.id).into_iter().flatten().filter_map(|u| Some((u, known.get(u)?)))
            {
                let name = format!("d{}", self.names[user]);
                self.names.insert(*its, name);
            }
            while helped < helpers.len() && helpers[helped] <= d.id {
                let id = helpers[helped];
                helped += 1;
                if !self.names.contains_key(&id) && !roots.contains(&id) {
                    let name = self.number('t', &mut numbered);
                    lines.push(self.defined(name.clone(), id));
                    self.names.insert(id, name);
                }
            }
            let name = format!("d{}", self.names[&v.id]);
            let (expression, within) = match self.names.get(&d.id) {
                Some(known) => (known.clone(), Vec::new()),
                None => (self.definition(d.id), self.carried_out(d.id)),
            };
            lines.push(Equation { within, ..self.line(name.clone(), expression, v.id) });
            self.names.entry(d.id).or_insert(name);
            self.derivatives.push(d.id);
        }
        lines
    }

    /// Which of `targets` use each other, by the one used.
    fn users(&self, targets: &[NodeId]) -> HashMap<NodeId, Vec<NodeId>> {
        let mut users: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        for id in targets {
            for a in &self.nodes[id.index()].args {
                let mut used = *a;
                while self.inlined(used) && !self.nodes[used.index()].args.is_empty() {
                    used = self.nodes[used.index()].args[0];
                }
                users.entry(used).or_default().push(*id);
            }
        }
        users
    }

    /// Nodes below `roots` that several others use, or that would make an expression too long; in order.
    fn helpers(&self, roots: &[NodeId]) -> Vec<NodeId> {
        let mut uses: HashMap<NodeId, usize> = HashMap::new();
        let mut open: Vec<NodeId> = roots.to_vec();
        let mut seen: BTreeSet<NodeId> = BTreeSet::new();
        while let Some(id) = open.pop() {
            if self.names.contains_key(&id) || !seen.insert(id) {
                continue;
            }
            for a in &self.nodes[id.index()].args {
                *uses.entry(*a).or_default() += 1;
                open.push(*a);
            }
        }
        let mut length: HashMap<NodeId, usize> = HashMap::new();
        let mut helpers = Vec::new();
        for id in seen {
            let args = &self.nodes[id.index()].args;
            let own = 1 + args.iter().map(|a| length.get(a).copied().unwrap_or(0)).sum::<usize>();
            let shared = uses.get(&id).is_some_and(|n| *n > 1) && !self.inlined(id);
            let cut = shared || own > LONG || roots.contains(&id);
            if cut {
                helpers.push(id);
            }
            length.insert(id, if cut { 0 } else { own });
        }
        helpers
    }

    /// Whether a node is never worth a line: a number, or a value in another shape or kind.
    pub(super) fn inlined(&self, id: NodeId) -> bool {
        matches!(
            self.nodes[id.index()].op,
            Op::Scalar(_)
                | Op::Constant(_)
                | Op::Broadcast(_)
                | Op::Cast(_)
                | Op::StopGradient(_)
                | Op::Barrier(_)
        )
    }

    /// A node by name, or by what it is.
    pub(super) fn term(&self, id: NodeId) -> String {
        self.names.get(&id).cloned().unwrap_or_else(|| self.definition(id))
    }

    /// As an operand of a sign that binds as strongly as `level`: 1 sums, 2 products, 3 all else.
    fn operand(&self, id: NodeId, level: u8) -> String {
        let text = self.term(id);
        if self.level(id) < level { format!("({text})") } else { text }
    }

    fn level(&self, id: NodeId) -> u8 {
        if self.names.contains_key(&id) {
            return 3;
        }
        let node = &self.nodes[id.index()];
        match &node.op {
            Op::Binary(b) => match b.0 {
                Binary::Add | Binary::Sub => 1,
                Binary::Mul | Binary::Div => 2,
                _ => 3,
            },
            Op::MatMul(_) | Op::Unary(crate::prim::unary::Unary(Unary::Neg)) => 2,
            Op::Broadcast(_) | Op::Cast(_) | Op::Barrier(_) => self.level(node.args[0]),
            Op::Reshape(_) if node.ty.shape.size() == 1 => self.level(node.args[0]),
            _ => 3,
        }
    }

    /// Whether a term is a number, whatever its shape.
    fn is_number(&self, id: NodeId) -> bool {
        let node = &self.nodes[id.index()];
        match node.op {
            Op::Scalar(_) => true,
            Op::Broadcast(_) | Op::Reshape(_) => self.is_number(node.args[0]),
            _ => false,
        }
    }

    pub(super) fn definition(&self, id: NodeId) -> String {
        let node = &self.nodes[id.index()];
        let args = &node.args;
        match &node.op {
            Op::Scalar(_) => node.op.attributes(),
            Op::Constant(_) => format!("constant{}", node.ty.shape),
            Op::Input(_) => self.graph.label(node),
            Op::Broadcast(_) | Op::Cast(_) | Op::Barrier(_) => self.term(args[0]),
            Op::Unary(u) if u.0 == Unary::Neg => format!("−{}", self.operand(args[0], 3)),
            Op::Binary(b) => {
                let (mut left, mut right) = (args[0], args[1]);
                let (sign, levels) = match b.0 {
                    Binary::Add => ("+", (1, 1)),
                    Binary::Sub => ("−", (1, 2)),
                    Binary::Mul => ("·", (2, 2)),
                    Binary::Div => ("/", (2, 3)),
                    other => return format!("{}({}, {})", other.name(), self.term(left), self.term(right)),
                };
                // Numbers stand first and derivatives last, as one writes them.
                let derivative = |id: &NodeId| self.derivatives.contains(id);
                if b.0 == Binary::Mul && (self.is_number(right) || derivative(&left) && !self.is_number(left))
                {
                    (left, right) = (right, left);
                }
                format!("{} {sign} {}", self.operand(left, levels.0), self.operand(right, levels.1))
            }
            Op::MatMul(_) => format!("{} @ {}", self.operand(args[0], 2), self.operand(args[1], 3)),
            Op::Permute(p) if p.is_transpose() => format!("{}ᵀ", self.operand(args[0], 3)),
            // One number in another shape is the number.
            Op::Reshape(_) if node.ty.shape.size() == 1 => self.term(args[0]),
            Op::Reshape(_) => format!("reshape({}, {})", self.term(args[0]), node.ty.shape),
            Op::StopGradient(_) => format!("stop_gradient({})", self.term(args[0])),
            Op::Select(_) => {
                let (test, yes, no) = (self.term(args[0]), self.term(args[1]), self.term(args[2]));
                format!("if({test}, {yes}, {no})")
            }
            op => {
                let mut inside: Vec<String> = args.iter().map(|a| self.term(*a)).collect();
                let attributes = op.attributes();
                // What names no quantity would read like an operand.
                if !attributes.is_empty() && !attributes.contains('=') {
                    return format!("{}({})", op.label(), inside.join(", "));
                }
                inside.extend(Some(attributes).filter(|a| !a.is_empty()));
                format!("{}({})", op.name(), inside.join(", "))
            }
        }
    }
}

/// Whether `name` reads as one name within a formula.
fn is_word(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '′'))
}

impl fmt::Display for Equation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name, self.expression)
    }
}

/// Two columns: the equation, and the shape and line that it comes from.
impl fmt::Display for Equations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = || self.forward.iter().chain(&self.backward);
        let width = all().map(|e| e.to_string().chars().count()).max().unwrap_or(0).min(60);
        for (title, part) in [("forward", &self.forward), ("backward", &self.backward)] {
            writeln!(f, "{title}")?;
            frames::write(part, f, width, 1)?;
        }
        Ok(())
    }
}
