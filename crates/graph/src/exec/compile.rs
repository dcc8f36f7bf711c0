//! What the user asks of the planner.

use super::compiled::Compiled;
use super::plan::Plan;
use super::{buffers, fold, fuse, lower, rows};
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Graph, NodeId};
use crate::precision::Precision;
use crate::prim::Op;
use crate::rewrite::Rewritten;
use crate::rewrite::expand::expand;
use crate::rewrite::merge::merge;
use crate::var::Var;
use crate::walk::{self, IdMap, IdSet, Values};

/// Which optimisations the planner makes; all by default. None of them changes a result by a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Optimise {
    /// Compute what depends on constants only once, at planning time.
    pub fold: bool,
    /// Run chains of elementwise nodes block by block in one pass, together with reductions over the same rows, and loops
    /// over equal values as one.
    pub fuse: bool,
    /// Let values share buffers when their lifetimes allow it, and work in place.
    pub reuse: bool,
}

impl Optimise {
    /// Everything.
    pub const ALL: Optimise = Optimise { fold: true, fuse: true, reuse: true };
    /// Nothing: one kernel per node, one buffer per value. The reference that plans are tested against.
    pub const NONE: Optimise = Optimise { fold: false, fuse: false, reuse: false };
}

/// A graph in place of one: what it computes of the nodes that are asked for; `None` if there is nothing to do.
type Rewriting = fn(&Compiler<'_>, &[NodeId]) -> Option<Rewritten>;

/// In order.
const REWRITINGS: &[Rewriting] = &[
    |of, wanted| expand(of.graph, wanted, &of.known, |_| true),
    |of, wanted| if of.optimise.fuse { merge(of.graph, wanted, &of.known) } else { None },
];

/// Gathers what is to be compiled; made by [`Graph::compiler`].
#[must_use]
pub struct Compiler<'g> {
    pub(crate) graph: &'g Graph,
    pub(crate) inputs: Vec<NodeId>,
    pub(crate) outputs: Vec<NodeId>,
    pub(crate) state: Vec<(NodeId, NodeId)>,
    pub(crate) precision: Precision,
    pub(crate) optimise: Optimise,
    pub(crate) anomaly: bool,
    pub(crate) exact: bool,
    /// Values that are at hand, at the precision of the plan.
    pub(crate) known: Values,
    /// What was wrong with the request; told when the plan is made.
    pub(crate) refused: Option<Error>,
}

impl Graph {
    /// Plans a function from `inputs` to `outputs`, with all other leaves at their bound values.
    ///
    /// Reals are computed in f32 if there are reals among the values of the graph's leaves and constants and all of
    /// them are f32, else in f64; an input without a value has no say. [`Compiler::precision`] asks for one or the
    /// other. Arguments are converted to it.
    ///
    /// # Errors
    /// The error of a poisoned output; a needed leaf without value that is not among the inputs.
    ///
    /// ```
    /// use chainrule_graph::{Graph, Kind};
    /// use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// let x = g.input("x", [3], Kind::Real);
    /// let mut f = g.compile(&[x], &[(x * x).sum(..)])?;
    /// let y = f.run(&[Tensor::from([1.0, 2.0, 3.0])])?;
    /// assert_eq!(y[0].item::<f64>()?, 14.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn compile(&self, inputs: &[Var<'_>], outputs: &[Var<'_>]) -> Result<Compiled> {
        self.compiler(inputs, outputs).build()
    }

    /// As [`compile`](Graph::compile), with choices to be made before [`Compiler::build`].
    #[track_caller]
    pub fn compiler(&self, inputs: &[Var<'_>], outputs: &[Var<'_>]) -> Compiler<'_> {
        let ids = |vars: &[Var<'_>]| vars.iter().map(|v| v.id).collect();
        Compiler {
            graph: self,
            inputs: ids(inputs),
            outputs: ids(outputs),
            state: Vec::new(),
            precision: Precision::of_leaves(self),
            optimise: Optimise::ALL,
            anomaly: false,
            exact: false,
            known: Values::default(),
            refused: self.admit("compile", &[outputs, inputs].concat()).err(),
        }
    }
}

impl Compiler<'_> {
    /// Leaves that keep a value from run to run, with their next values: parameters, optimiser moments.
    /// They start at their bound values and are updated in place in the plan's own buffers.
    #[track_caller]
    pub fn state(mut self, updates: &[(Var<'_>, Var<'_>)]) -> Self {
        for (old, new) in updates {
            self.refused = self.refused.or(self.graph.admit("compile", &[*old, *new]).err());
        }
        self.state = updates.iter().map(|(old, new)| (old.id, new.id)).collect();
        self
    }

    /// The width of reals, in place of the one that the graph's values have: f32 for training.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Which optimisations to make.
    pub fn optimise(mut self, optimise: Optimise) -> Self {
        self.optimise = optimise;
        self
    }

    /// Anomaly mode: a run fails at the first argument, state, leaf or constant that holds NaN, or that only the
    /// precision of the plan makes infinite; else at the first operation, forward or backward, that makes a NaN of
    /// operands without, or an infinity of finite operands. The error names the operation, its line and scope, the run, and what the
    /// operands were like, with advice; state stays as it was before the run.
    ///
    /// Such a plan is slow, since it keeps every value; one made without it pays nothing. Results have the same bits.
    ///
    /// ```
    /// use chainrule_graph::{ErrorKind, Graph};
    /// let g = Graph::new();
    /// let x = g.leaf("x", [0.5, 0.0, 2.0]);
    /// let loss = (x * x.ln()).sum(..);
    /// let error = g.compiler(&[], &[loss]).anomaly(true).build()?.run(&[]).unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::NonFinite { op: "ln", .. }));
    /// assert!(error.to_string().contains("ln of 0 in 1 of 3 elements"));
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    pub fn anomaly(mut self, on: bool) -> Self {
        self.anomaly = on;
        self
    }

    /// Takes every rounding to 16 bits ([`Var::round_to`]) for nothing: what is computed then is the formula, as smooth as it
    /// is without. The gradient check does so.
    ///
    /// ```
    /// use chainrule_graph::Graph;
    /// use chainrule_tensor::Format;
    /// let g = Graph::new();
    /// let y = g.leaf("x", 0.1).round_to(Format::F16);
    /// let exact = g.compiler(&[], &[y]).exact(true).build()?.run(&[])?[0].item::<f64>()?;
    /// assert_eq!(exact, 0.1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn exact(mut self, on: bool) -> Self {
        self.exact = on;
        self
    }

    /// Makes the plan.
    ///
    /// # Errors
    /// The error of a poisoned output; a needed leaf without value that is neither input nor state; an input
    /// or state that is not a leaf, or whose update has another type; a plan that needs more memory than there is.
    pub fn build(mut self) -> Result<Compiled> {
        if let Some(error) = self.refused.take() {
            return Err(error);
        }
        Compiled::new(self.plan()?)
    }

    /// The plan, whatever memory it needs.
    pub(crate) fn plan(mut self) -> Result<Plan> {
        if self.anomaly {
            // Every node has a step and a buffer of its own, which stay what they are until the end of the run.
            self.optimise = Optimise::NONE;
        }
        self.check_leaves()?;
        self.rewritten(REWRITINGS)
    }

    /// The plan of the graph once it is rewritten.
    fn rewritten(self, rewritings: &[Rewriting]) -> Result<Plan> {
        let Some((first, rest)) = rewritings.split_first() else { return self.plan_plain() };
        let needed: Vec<NodeId> =
            self.needed().chain(self.inputs.iter().copied()).chain(self.state.iter().map(|s| s.0)).collect();
        let Some(made) = first(&self, &needed) else { return self.rewritten(rest) };
        let now = |id: &NodeId| made.place(*id);
        let compiler = Compiler {
            graph: &made.graph,
            inputs: self.inputs.iter().map(now).collect(),
            outputs: self.outputs.iter().map(now).collect(),
            state: self.state.iter().map(|(old, new)| (now(old), now(new))).collect(),
            // Values that are known are leaves by now.
            known: Values::default(),
            refused: None,
            ..self
        };
        compiler.rewritten(rest)
    }

    /// The nodes whose values are asked for.
    fn needed(&self) -> impl Iterator<Item = NodeId> {
        self.outputs.iter().copied().chain(self.state.iter().map(|s| s.1))
    }

    /// The plan of a graph without calls.
    fn plan_plain(self) -> Result<Plan> {
        let graph = self.graph;
        let wanted: Vec<NodeId> = self.needed().collect();
        let live = walk::live(graph, &wanted, &self.known);
        let mut folded = if self.optimise.fold { fold::fold(&self, &live)? } else { Values::default() };
        folded.extend(self.known.iter().map(|(id, value)| (*id, value.clone())));
        let live = walk::live(graph, &wanted, &folded);
        folded.retain(|id, _| live.binary_search(id).is_ok());
        self.check_bound(&live)?;
        let order = fuse::schedule(&self, &live, &folded);
        let mut program = lower::lower(&self, &order, folded)?;
        if self.optimise.fuse {
            rows::group(&mut program);
        }
        Ok(buffers::assign(program, self.optimise.reuse, self.precision))
    }

    fn check_leaves(&self) -> Result<()> {
        let inner = self.graph.inner.borrow();
        let leaves: Vec<NodeId> = self.inputs.iter().copied().chain(self.state.iter().map(|s| s.0)).collect();
        let mut first_at: IdMap<usize> = IdMap::default();
        for (i, id) in leaves.iter().enumerate() {
            let node = &inner.nodes[id.index()];
            if !matches!(node.op, Op::Input(_)) {
                let why =
                    format!("an argument or state of a compiled function is a leaf, not {}", node.op.name());
                return Err(Error::new(ErrorKind::Kind { op: "compile", why }).placed(node.origin.clone()));
            }
            if let Some(first) = first_at.insert(*id, i) {
                let why = match (first < self.inputs.len(), i < self.inputs.len()) {
                    (true, true) => "stands twice among the inputs",
                    (true, false) => "is both an input and a state",
                    _ => "has two states",
                };
                let why = format!("{} {why}", inner.called(*id));
                let error = Error::new(ErrorKind::Kind { op: "compile", why }).placed(node.origin.clone());
                return Err(error.hint("a leaf gets its value from one place"));
            }
        }
        for (old, new) in &self.state {
            let name = inner.called(*old);
            let (old, new) = (&inner.nodes[old.index()], &inner.nodes[new.index()]);
            if old.ty != new.ty {
                let why = format!("the state {name} of type {} cannot be updated to {}", old.ty, new.ty);
                let error = Error::new(ErrorKind::Kind { op: "compile", why }).placed(new.origin.clone());
                return Err(error.operand(name, old.ty.clone(), old.origin.clone()));
            }
        }
        Ok(())
    }

    /// The leaves that get their value when the function runs, or keep one between runs.
    pub(crate) fn varying(&self) -> IdSet {
        self.inputs.iter().copied().chain(self.state.iter().map(|s| s.0)).collect()
    }

    fn check_bound(&self, live: &[NodeId]) -> Result<()> {
        let inner = self.graph.inner.borrow();
        let inputs: IdSet = self.inputs.iter().copied().collect();
        for id in live.iter().copied().chain(self.state.iter().map(|s| s.0)) {
            let node = &inner.nodes[id.index()];
            if let Op::Input(input) = &node.op {
                let leaf = &inner.leaves[input.index];
                if leaf.value.is_none() && !inputs.contains(&id) {
                    let kind = ErrorKind::Unbound { name: leaf.name.to_string() };
                    let error = Error::new(kind).placed(node.origin.clone());
                    return Err(match leaf.advice {
                        Some(advice) => error.hint(advice),
                        None => error,
                    });
                }
            }
        }
        Ok(())
    }
}
