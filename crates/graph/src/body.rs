//! A formula as a value: a recorded function that refers to nothing outside itself.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::copy::between;
use crate::error::Result;
use crate::ir::{Graph, Node};
use crate::origin::{Origin, Phase};
use crate::prim::leaf::Parameter;
use crate::prim::{Mode, Op};
use crate::types::{Args, NodeId, Type};
use crate::var::Var;
use crate::walk;

/// A recorded function: its parameters, its nodes numbered from 0, its results. Nothing in it refers outside.
///
/// Bodies are compared by content: two recordings of one formula over values of the same types are one body, wherever
/// they were written. So what is derived from a body is derived once.
#[derive(Clone)]
pub struct Body(Arc<Recorded>);

struct Recorded {
    /// The parameters come first, in order.
    nodes: Vec<Node>,
    parameters: usize,
    results: Vec<NodeId>,
    /// 128 bits of the content stand for it.
    hash: [u64; 2],
}

impl Body {
    fn new(nodes: Vec<Node>, parameters: usize, results: Vec<NodeId>) -> Body {
        let hash = [1_u64, 2].map(|salt| {
            let mut hasher = DefaultHasher::new();
            (salt, parameters, &results).hash(&mut hasher);
            nodes.iter().for_each(|node| (&node.op, &node.args).hash(&mut hasher));
            hasher.finish()
        });
        Body(Arc::new(Recorded { nodes, parameters, results, hash }))
    }

    /// The number of parameters.
    pub fn parameters(&self) -> usize {
        self.0.parameters
    }

    /// The types of the parameters.
    pub(crate) fn parameter_types(&self) -> impl Iterator<Item = &Type> {
        self.0.nodes[..self.0.parameters].iter().map(|node| &node.ty)
    }

    /// All nodes, the parameters first; each stands behind its arguments.
    pub fn nodes(&self) -> &[Node] {
        &self.0.nodes
    }

    /// The nodes that are its results.
    pub fn results(&self) -> &[NodeId] {
        &self.0.results
    }

    /// The types of the results.
    pub(crate) fn result_types(&self) -> impl Iterator<Item = &Type> {
        self.0.results.iter().map(|id| &self.0.nodes[id.index()].ty)
    }

    /// The same formula with other results.
    pub(crate) fn with_results(&self, results: Vec<NodeId>) -> Body {
        Body::new(self.0.nodes.clone(), self.0.parameters, results)
    }

    /// Whether a node or result is made of parameter `i`.
    pub(crate) fn uses(&self, i: usize) -> bool {
        let parameter = NodeId(i as u32);
        self.0.results.contains(&parameter) || self.0.nodes.iter().any(|node| node.args.contains(&parameter))
    }

    /// Whether each result is made of a parameter in `mask`, through operations that `pass` it on.
    pub(crate) fn reaches(&self, mask: &[bool], pass: impl Fn(&Op) -> bool) -> Vec<bool> {
        let mut reached = mask.to_vec();
        for node in &self.0.nodes[self.0.parameters..] {
            reached.push(node.args.iter().any(|a| reached[a.index()]) && pass(&node.op));
        }
        self.0.results.iter().map(|y| reached[y.index()]).collect()
    }

    /// Whether a result is made of parameter `i`, result `k` aside.
    pub(crate) fn uses_but_for_result(&self, i: usize, k: usize) -> bool {
        let mask: Vec<bool> = (0..self.0.parameters).map(|at| at == i).collect();
        self.reaches(&mask, |_| true).into_iter().enumerate().any(|(at, reached)| reached && at != k)
    }

    /// The same function, recorded for a derivative.
    pub(crate) fn in_phase(&self, phase: Phase) -> Body {
        let staged = |node: &Node| match node.origin.phase {
            Phase::Forward => Node { origin: Origin { phase, ..node.origin.clone() }, ..node.clone() },
            _ => node.clone(),
        };
        let nodes = self.0.nodes.iter().map(staged).collect();
        Body(Arc::new(Recorded { nodes, results: self.0.results.clone(), ..*self.0 }))
    }

    /// What `record` records in a graph of its own over parameters of the given types. It must use nothing else.
    ///
    /// # Errors
    /// Those of `record`; a poisoned result.
    pub(crate) fn trace(
        around: &Graph,
        types: impl IntoIterator<Item = Type>,
        record: impl for<'g> FnOnce(&'g Graph, &[Var<'g>]) -> Result<Vec<Var<'g>>>,
    ) -> Result<Body> {
        let graph = around.beside();
        let parameters: Vec<Var<'_>> = {
            let _line = graph.blame_origin(around.origin(std::panic::Location::caller()));
            types.into_iter().map(|ty| graph.new_leaf("parameter", ty, None)).collect()
        };
        let results = record(&graph, &parameters)?;
        graph.admit("body", &results)?;
        // Whatever is not a parameter belongs to the formula, be it made of one or not.
        let mut inside = walk::made_of(&graph.inner.borrow().nodes, ids(&results));
        inside.retain(|id| !ids(&parameters).any(|x| x == *id));
        Ok(graph.outlined(&parameters, &results, inside).body)
    }
}

/// A formula taken out of a graph.
pub(crate) struct Outline<'g> {
    pub(crate) body: Body,
    /// What the formula uses besides its parameters: the further parameters of the body.
    pub(crate) captures: Vec<Var<'g>>,
}

impl Graph {
    /// The formula that makes `results` of `parameters`. What it uses besides, and what does not depend on them,
    /// becomes a further parameter; numbers and what is made of numbers only come along.
    pub(crate) fn outline<'g>(&'g self, parameters: &[Var<'g>], results: &[Var<'g>]) -> Outline<'g> {
        let [from, ends] = [parameters, results].map(|vars| ids(vars).collect::<Vec<_>>());
        self.outlined(parameters, results, between(self, &from, &ends))
    }

    /// The formula that makes `results`, as far as it has been recorded since the graph had `mark` nodes.
    pub(crate) fn outline_since<'g>(&'g self, mark: usize, results: &[Var<'g>]) -> Outline<'g> {
        let inner = self.inner.borrow();
        let is_inside =
            |id: &NodeId| id.index() >= mark && !matches!(inner.nodes[id.index()].op, Op::Input(_));
        let before = |id: NodeId| if is_inside(&id) { &inner.nodes[id.index()].args[..] } else { &[] };
        let mut inside = walk::back(ids(results), before);
        inside.retain(is_inside);
        self.outlined(&[], results, inside)
    }

    /// The formula of the nodes `inside`.
    fn outlined<'g>(
        &'g self,
        parameters: &[Var<'g>],
        results: &[Var<'g>],
        inside: Vec<NodeId>,
    ) -> Outline<'g> {
        let inner = self.inner.borrow();
        let nodes = &inner.nodes;
        let mut outliner = Outliner { nodes, numbers: HashMap::new(), made: Vec::new() };
        for x in parameters {
            let at = outliner.parameter(x.id);
            outliner.numbers.entry(x.id).or_insert(at);
        }
        let mut captures = Vec::new();
        let used = inside.iter().flat_map(|id| nodes[id.index()].args.iter().copied());
        let dependent: HashSet<NodeId> = inside.iter().copied().collect();
        for id in used.chain(results.iter().map(|y| y.id)) {
            let known = outliner.numbers.contains_key(&id) || dependent.contains(&id);
            if !known && !made_of_numbers(nodes, id, 8) {
                let at = outliner.parameter(id);
                outliner.numbers.insert(id, at);
                captures.push(self.var(id));
            }
        }
        let parameters = outliner.made.len();
        for id in inside {
            outliner.number(id);
        }
        let results = results.iter().map(|y| outliner.number(y.id)).collect();
        Outline { body: Body::new(outliner.made, parameters, results), captures }
    }

    /// Records `body` over `args`; its results.
    pub(crate) fn inline<'g>(&'g self, body: &Body, args: &[Var<'g>]) -> Vec<Var<'g>> {
        let mut values: Vec<Var<'g>> = args[..body.parameters()].to_vec();
        for node in &body.nodes()[body.parameters()..] {
            let _line = self.blame_origin(node.origin.clone());
            let args: Vec<Var<'g>> = node.args.iter().map(|a| values[a.index()]).collect();
            values.push(self.record(node.op.clone(), &args));
        }
        body.results().iter().map(|y| values[y.index()]).collect()
    }
}

fn ids<'a>(vars: &'a [Var<'_>]) -> impl Iterator<Item = NodeId> + use<'a> {
    vars.iter().map(|v| v.id)
}

/// Whether a node is a number or constant, or one in another form.
pub(crate) fn is_made_of_numbers(nodes: &[Node], id: NodeId) -> bool {
    made_of_numbers(nodes, id, 8)
}

/// Whether a node is a number or constant, or one in another form, looking back through `depth` operations.
fn made_of_numbers(nodes: &[Node], id: NodeId, depth: usize) -> bool {
    let node = &nodes[id.index()];
    match &node.op {
        Op::Scalar(_) | Op::Constant(_) | Op::Iota(_) => true,
        Op::Broadcast(_) | Op::Reshape(_) | Op::Cast(_) | Op::Unary(_) | Op::Binary(_) if depth > 0 => {
            node.args.iter().all(|a| made_of_numbers(nodes, *a, depth - 1))
        }
        _ => false,
    }
}

/// A body in the making.
struct Outliner<'a> {
    nodes: &'a [Node],
    /// The place in the body of each node that has one.
    numbers: HashMap<NodeId, NodeId>,
    made: Vec<Node>,
}

impl Outliner<'_> {
    fn push(&mut self, op: Op, args: Args, like: NodeId) -> NodeId {
        let Node { ty, origin, .. } = self.nodes[like.index()].clone();
        self.made.push(Node { op, args, ty, origin });
        NodeId(self.made.len() as u32 - 1)
    }

    fn parameter(&mut self, id: NodeId) -> NodeId {
        let ty = self.nodes[id.index()].ty.clone();
        self.push(Op::Parameter(Parameter { index: self.made.len(), ty }), Args::new(), id)
    }

    /// The place of a node whose arguments have one, or are made of numbers.
    fn number(&mut self, id: NodeId) -> NodeId {
        if let Some(known) = self.numbers.get(&id) {
            return *known;
        }
        let args = self.nodes[id.index()].args.clone();
        let args = args.iter().map(|a| self.number(*a)).collect();
        let at = self.push(self.nodes[id.index()].op.clone(), args, id);
        self.numbers.insert(id, at);
        at
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.0.hash == other.0.hash
    }
}

impl Eq for Body {}

impl Hash for Body {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash.hash(state);
    }
}

/// One line per node, as in the dump of a graph.
impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, node) in self.nodes().iter().enumerate() {
            let args: String = node.args.iter().map(|a| format!(" %{}", a.index())).collect();
            let label = match &node.op {
                Op::Scalar(_) => node.op.attributes(),
                op => op.label(),
            };
            writeln!(f, "%{i} = {label}{args} : {}  ; {}", node.ty, node.origin)?;
        }
        let results: Vec<String> = self.results().iter().map(|y| format!("%{}", y.index())).collect();
        writeln!(f, "return {}", results.join(" "))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} nodes)", self.nodes().len())
    }
}

/// What may be asked of a body.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Request {
    /// The tangents of its results.
    Tangent { varies: Vec<bool>, mode: Mode },
    /// The cotangents of parameters.
    Transpose { linear: Vec<bool>, arriving: Vec<bool> },
    /// Its results for many examples.
    Batch { n: usize, axes: Vec<bool> },
}

/// The body that was asked for, and which of its possible results it has; `None` if it has none.
pub(crate) type Answer = Option<(Body, Vec<bool>)>;

/// All that has been made of the bodies of a graph.
pub(crate) type Derived = HashMap<(Body, Request), Answer>;

impl Graph {
    /// What was asked for of `body`, made if it is asked for the first time.
    pub(crate) fn once(
        &self,
        body: &Body,
        request: Request,
        make: impl FnOnce() -> Result<Answer>,
    ) -> Result<Answer> {
        let key = (body.clone(), request);
        if let Some(known) = self.derived.borrow().get(&key) {
            return Ok(known.clone());
        }
        let made = make()?;
        self.derived.borrow_mut().insert(key, made.clone());
        Ok(made)
    }
}
