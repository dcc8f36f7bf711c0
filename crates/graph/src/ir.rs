//! The intermediate representation: one flat, append-only, interned list of nodes.
//!
//! A node's arguments stand before it, so the order of the list is a topological order; equal nodes are
//! one node, so common subexpressions cost nothing. Nothing here computes.

use std::cell::RefCell;
use std::collections::hash_map::Entry;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Shape, Tensor};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::attribution::Attribution;
use crate::body::Derived;
use crate::cache::Cache;
use crate::error::{Error, ErrorKind, Result};
use crate::mixed::Active;
use crate::origin::{Origin, Phase};
use crate::precision::Precision;
use crate::prim::Op;
use crate::prim::leaf::{Constant, Input, Poison, Scalar};
use crate::repeat::Repeat;
use crate::trim::Reals;
use crate::types::{Args, NodeId, Type, type_of};
use crate::var::Var;

/// One recorded operation.
#[derive(Clone, Debug)]
pub struct Node {
    /// The primitive, with its attributes.
    pub op: Op,
    /// The nodes it is applied to.
    pub args: Args,
    /// Shape and kind of its value.
    pub ty: Type,
    /// Where it comes from.
    pub origin: Origin,
}

impl Node {
    /// The tensor of a constant.
    pub fn constant(&self) -> Option<&Tensor> {
        match &self.op {
            Op::Constant(constant) => Some(&*constant.value),
            _ => None,
        }
    }
}

/// A leaf's name, and its value if one is bound.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub(crate) name: Arc<str>,
    pub(crate) value: Option<Tensor>,
    /// What to do where it has no value but needs one, if that is not to give it one.
    pub(crate) advice: Option<&'static str>,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) nodes: Vec<Node>,
    pub(crate) interned: FxHashMap<(Op, Args), NodeId>,
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) notes: Vec<(&'static str, Vec<NodeId>)>,
    pub(crate) attribution: Attribution,
    /// What is being recorded once and will run many times, the innermost last.
    pub(crate) repeats: Vec<Repeat>,
    /// How many recordings are going on that will not stay.
    pub(crate) scratches: usize,
    /// What is rounded to 16 bits, the innermost last.
    pub(crate) policies: Vec<Active>,
    /// How many tensors of reals of each width there are among leaves and constants.
    pub(crate) reals: Reals,
    /// An error of what gave a number in place of a value: the next way out reports it.
    owed: Option<Error>,
    /// Values that were asked for: what is made from them starts there.
    pub(crate) known: Cache<(NodeId, Precision), Tensor>,
}

/// A recording: the formulas of a model, its derivatives, and where each part was written.
///
/// Recording computes nothing but shapes. Values come from [`Var::value`], [`Graph::compile`] or
/// [`Function`](crate::Function).
///
/// ```
/// use chainrule_graph::Graph;
/// let g = Graph::new();
/// let (a, b, c) = (g.leaf("a", 5.0), g.leaf("b", 3.0), g.leaf("c", 2.0));
/// let j = 3.0 * (a + b * c);
/// assert_eq!(j.value()?.item::<f64>()?, 33.0);
/// let dj = j.grad(&[a, b, c])?;
/// assert_eq!(dj[1].value()?.item::<f64>()?, 6.0); // dJ/db = 3c
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Graph {
    pub(crate) inner: RefCell<Inner>,
    /// What has been made of bodies, shared with the graphs that were made to do so.
    pub(crate) derived: Rc<RefCell<Derived>>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Graph::default()
    }

    /// An empty graph in which to derive what this one needs.
    pub(crate) fn beside(&self) -> Graph {
        let beside = Graph { inner: RefCell::default(), derived: self.derived.clone() };
        beside.inner.borrow_mut().attribution.share_libraries(&self.inner.borrow().attribution);
        beside
    }

    /// Number of recorded nodes.
    pub fn len(&self) -> usize {
        self.inner.borrow().nodes.len()
    }

    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A named leaf with a value: a parameter or datum that can be differentiated and rebound.
    #[track_caller]
    pub fn leaf(&self, name: &str, value: impl Into<Tensor>) -> Var<'_> {
        let value = value.into();
        let ty = type_of(&value);
        self.new_leaf(name, ty, Some(value))
    }

    /// A named leaf without a value: an argument of the function to be compiled.
    #[track_caller]
    pub fn input(&self, name: &str, shape: impl Into<Shape>, kind: Kind) -> Var<'_> {
        self.new_leaf(name, Type { shape: shape.into(), kind }, None)
    }

    /// A leaf that never has a value, only stands for one; `advice` says what to do where one is needed.
    #[track_caller]
    pub(crate) fn placeholder(&self, name: &str, ty: Type, advice: &'static str) -> Var<'_> {
        let leaf = self.new_leaf(name, ty, None);
        if let Some(new) = self.inner.borrow_mut().leaves.last_mut() {
            new.advice = Some(advice);
        }
        leaf
    }

    #[track_caller]
    pub(crate) fn new_leaf(&self, name: &str, ty: Type, value: Option<Tensor>) -> Var<'_> {
        let index = {
            let inner = &mut *self.inner.borrow_mut();
            if let Some(count) = value.as_ref().and_then(|value| inner.reals.of(value)) {
                *count += 1;
            }
            inner.leaves.push(Leaf { name: name.into(), value, advice: None });
            inner.leaves.len() - 1
        };
        self.record(Op::Input(Input { index, ty }), &[])
    }

    /// A value fixed at recording time, of any shape.
    #[track_caller]
    pub fn constant(&self, value: impl Into<Tensor>) -> Var<'_> {
        let value = value.into();
        let ty = type_of(&value);
        if let (true, Some(scalar)) = (value.shape().is_empty(), Scalar::of(&value)) {
            return self.record(Op::Scalar(scalar), &[]);
        }
        self.record(Op::Constant(Constant { value: Arc::new(value), ty }), &[])
    }

    /// Records `op` applied to `args`, both rounded where a policy says so: infers its type, or records a poisoned node that
    /// carries the error.
    #[track_caller]
    pub(crate) fn record<'g>(&'g self, op: Op, args: &[Var<'g>]) -> Var<'g> {
        let Some(format) = self.narrows(&op, Location::caller()) else { return self.record_plain(op, args) };
        let _line = self.blame_line(Location::caller());
        let narrow = |x: &Var<'g>| if std::ptr::eq(x.graph, self) { self.narrowed(*x, format) } else { *x };
        let args: SmallVec<[Var<'g>; 4]> = args.iter().map(narrow).collect();
        self.narrowed(self.record_plain(op, &args), format)
    }

    #[track_caller]
    fn record_plain<'g>(&'g self, op: Op, args: &[Var<'g>]) -> Var<'g> {
        let here = Location::caller();
        if let Some(foreign) = args.iter().find(|a| !std::ptr::eq(a.graph, self)) {
            let error = Error::new(ErrorKind::Graphs { op: op.name() });
            let origin = self.origin(here);
            let what = "operand of another graph";
            return self.poison(error.operand(what, foreign.ty(), foreign.origin()).placed(origin));
        }
        if let Some(poisoned) = args.iter().find(|a| a.is_poisoned()) {
            return *poisoned;
        }
        let ids: Args = args.iter().map(|a| a.id).collect();
        let inferred = {
            let inner = self.inner.borrow();
            let types: SmallVec<[&Type; 4]> = ids.iter().map(|id| &inner.nodes[id.index()].ty).collect();
            op.infer(&types).and_then(|ty| {
                chainrule_tensor::shape::size(op.name(), &ty.shape)?;
                Ok(ty)
            })
        };
        let ty = match inferred {
            Ok(ty) => ty,
            Err(kind) => {
                let place = self.origin(here);
                let mut error = Error::new(kind).placed(place.clone());
                for (i, a) in args.iter().enumerate() {
                    let names = ["left", "right"];
                    let what = match args.len() {
                        1 => "operand".into(),
                        2 => names[i].into(),
                        _ => format!("operand {i}"),
                    };
                    let made = self.inner.borrow().made_at(a.id, &place);
                    error = error.operand(what, a.ty(), made);
                }
                return self.poison(error);
            }
        };
        let inner = &mut *self.inner.borrow_mut();
        let id = NodeId(inner.nodes.len() as u32);
        let origin = inner.attribution.origin(here);
        let id = match inner.interned.entry((op, ids)) {
            Entry::Occupied(known) => {
                // What a derivative happened to need first is the formula's all the same.
                let first = &mut inner.nodes[known.get().index()].origin;
                if origin.phase == Phase::Forward && first.phase != Phase::Forward && inner.scratches == 0 {
                    *first = origin;
                }
                *known.get()
            }
            Entry::Vacant(free) => {
                let (op, args) = free.key().clone();
                if let Op::Constant(p) = &op {
                    inner.reals.of(&p.value).into_iter().for_each(|count| *count += 1);
                }
                inner.nodes.push(Node { op, args, ty, origin });
                *free.insert(id)
            }
        };
        Var { graph: self, id }
    }

    /// A node that carries `error` to whoever asks for a value of it or of anything made from it.
    #[track_caller]
    pub fn poison(&self, error: Error) -> Var<'_> {
        let origin = self.origin(Location::caller());
        let mut inner = self.inner.borrow_mut();
        let op = Op::Poison(Poison(Arc::new(error)));
        let id = NodeId(inner.nodes.len() as u32);
        inner.nodes.push(Node { op, args: Args::new(), ty: Type::real(()), origin });
        Var { graph: self, id }
    }

    pub(crate) fn node(&self, id: NodeId) -> Node {
        self.inner.borrow().nodes[id.index()].clone()
    }

    pub(crate) fn var(&self, id: NodeId) -> Var<'_> {
        Var { graph: self, id }
    }

    /// The values that the operation of `var` is applied to, in order: with [`nodes`](Graph::nodes) a way to look through a
    /// formula. None for a value of another graph.
    ///
    /// ```
    /// # use chainrule_graph::Graph;
    /// let g = Graph::new();
    /// let x = g.leaf("x", 2.0);
    /// let of = g.arguments(x.exp());
    /// assert_eq!((of.len(), of[0].id()), (1, x.id()));
    /// ```
    pub fn arguments(&self, var: Var<'_>) -> Vec<Var<'_>> {
        if !std::ptr::eq(var.graph(), self) {
            return Vec::new();
        }
        self.node(var.id()).args.iter().map(|id| self.var(*id)).collect()
    }

    /// Every recorded node, in order.
    pub fn nodes(&self) -> Vec<Node> {
        self.inner.borrow().nodes.clone()
    }

    /// The error that a poisoned node carries.
    pub(crate) fn error_of(&self, id: NodeId) -> Option<Error> {
        let inner = self.inner.borrow();
        match &inner.nodes[id.index()].op {
            Op::Poison(p) => Some((*p.0).clone()),
            _ => None,
        }
    }

    /// As [`admit`](Graph::admit), with the error as a value.
    #[track_caller]
    pub(crate) fn refused<'g>(&'g self, function: &'static str, vars: &[Var<'g>]) -> Option<Var<'g>> {
        self.sound(function, vars).err().map(|error| self.poison(error))
    }

    /// Makes `error` the next way out's, unless there is an earlier one.
    pub(crate) fn owe(&self, error: Error) {
        self.inner.borrow_mut().owed.get_or_insert(error);
    }

    /// The gate of all ways out: fails if an error is owed, or if one of `vars`, which `function` is given, carries one or
    /// belongs to another graph.
    #[track_caller]
    pub(crate) fn admit(&self, function: &'static str, vars: &[Var<'_>]) -> Result<()> {
        let owed = self.inner.borrow_mut().owed.take();
        match owed {
            Some(error) => Err(error),
            None => self.sound(function, vars),
        }
    }

    #[track_caller]
    fn sound(&self, function: &'static str, vars: &[Var<'_>]) -> Result<()> {
        let here = Location::caller();
        for v in vars {
            if let Some(error) = v.graph.error_of(v.id) {
                return Err(error);
            }
            if !std::ptr::eq(v.graph, self) {
                let error = Error::new(ErrorKind::Graphs { op: function }).placed(self.origin(here));
                return Err(error.operand("value of another graph", v.ty(), v.origin()));
            }
        }
        Ok(())
    }
}

impl<'g> Var<'g> {
    /// A [`placeholder`](Graph::placeholder) for something of this value, at its line.
    pub(crate) fn stand_in(self, name: &str, ty: Type, advice: &'static str) -> Var<'g> {
        let _line = self.graph.blame_origin(self.origin());
        self.graph.placeholder(name, ty, advice)
    }
}

impl Inner {
    /// Where an operand of what stands at `user` was made. A number stands there itself, whatever line used it first.
    pub(crate) fn made_at(&self, id: NodeId, user: &Origin) -> Origin {
        let node = &self.nodes[id.index()];
        match node.op {
            Op::Scalar(_) => user.clone(),
            Op::Broadcast(_) => match self.nodes[node.args[0].index()].op {
                Op::Scalar(_) => user.clone(),
                _ => node.origin.clone(),
            },
            _ => node.origin.clone(),
        }
    }

    /// How messages call a node: a leaf by its name.
    pub(crate) fn called(&self, id: NodeId) -> String {
        match &self.nodes[id.index()].op {
            Op::Input(p) => format!("`{}`", self.leaves[p.index].name),
            op => format!("the result of {}", op.name()),
        }
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Graph({} nodes)", self.len())
    }
}
