//! What the user asks of the planner.

use std::ops::Deref;

use super::compiled::Compiled;
use super::passes;
use super::plan::Plan;
use crate::error::{Error, ErrorKind, Result};
use crate::ir::Graph;
use crate::precision::Precision;
use crate::prim::Op;
use crate::rewrite::Rewritten;
use crate::types::NodeId;
use crate::var::Var;
use crate::walk::{IdMap, IdSet, Values};

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

/// The graph that is compiled.
pub(crate) enum Subject<'g> {
    /// The user's.
    Given(&'g Graph),
    /// One that passes made of it.
    Made(Box<Graph>),
}

impl Deref for Subject<'_> {
    type Target = Graph;
    fn deref(&self) -> &Graph {
        match self {
            Subject::Given(graph) => graph,
            Subject::Made(graph) => graph,
        }
    }
}

/// Gathers what is to be compiled; made by [`Graph::compiler`].
#[must_use]
pub struct Compiler<'g> {
    pub(crate) graph: Subject<'g>,
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
            graph: Subject::Given(self),
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
        passes::plan(self)
    }

    /// The nodes whose values are asked for.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = NodeId> {
        self.outputs.iter().copied().chain(self.state.iter().map(|s| s.1))
    }

    /// The leaves that get their value when the function runs, or keep one between runs.
    pub(crate) fn varying(&self) -> impl Iterator<Item = NodeId> {
        self.inputs.iter().copied().chain(self.state.iter().map(|s| s.0))
    }

    /// All nodes that the request names.
    pub(crate) fn ends(&self) -> Vec<NodeId> {
        self.wanted().chain(self.varying()).collect()
    }

    /// Goes on with a graph that computes the same, if one was made.
    pub(crate) fn goes_on_with(&mut self, made: Option<Rewritten>) -> Result<()> {
        let Some(made) = made else { return Ok(()) };
        let state = self.state.iter_mut().flat_map(|(old, new)| [old, new]);
        self.inputs.iter_mut().chain(&mut self.outputs).chain(state).for_each(|id| *id = made.place(*id));
        // Values that are known are leaves by now.
        self.known = Values::default();
        self.graph = Subject::Made(Box::new(made.graph));
        Ok(())
    }

    fn check_leaves(&self) -> Result<()> {
        let inner = self.graph.inner.borrow();
        let mut first_at: IdMap<usize> = IdMap::default();
        for (i, id) in self.varying().enumerate() {
            let node = &inner.nodes[id.index()];
            if !matches!(node.op, Op::Input(_)) {
                let why =
                    format!("an argument or state of a compiled function is a leaf, not {}", node.op.name());
                return Err(Error::new(ErrorKind::Kind { op: "compile", why }).placed(node.origin.clone()));
            }
            if let Some(first) = first_at.insert(id, i) {
                let why = match (first < self.inputs.len(), i < self.inputs.len()) {
                    (true, true) => "stands twice among the inputs",
                    (true, false) => "is both an input and a state",
                    _ => "has two states",
                };
                let why = format!("{} {why}", inner.called(id));
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

    /// Fails if one of the nodes `live` is a leaf that has no value and gets none.
    pub(crate) fn check_bound(&self, live: &[NodeId]) -> Result<()> {
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
