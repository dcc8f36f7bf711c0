//! `Var`: a `Copy` handle to a node, with the operators of mathematics.

use std::fmt;
use std::ops;
use std::panic::Location;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::elementwise::Binary;
use chainrule_tensor::{Shape, Tensor};

use crate::error::{Error, Result};
use crate::exec::compile::Precision;
use crate::ir::{Graph, NodeId, Type};
use crate::origin::Origin;
use crate::prim::Op;

/// A value in a graph: a reference to the graph and a position in it, so it is `Copy` and formulas read as
/// mathematics.
///
/// Operations never fail on the spot. A broken rule (shapes that do not fit, a wrong kind) makes a *poisoned*
/// value that carries the error, with the user's line; everything made from it is poisoned too, and
/// [`value`](Var::value), [`grad`](Var::grad) and [`Graph::compile`] return it.
///
/// ```
/// use chainrule_graph::Graph;
/// let g = Graph::new();
/// let (a, b) = (g.leaf("a", [[1.0, 2.0]]), g.leaf("b", [[1.0], [2.0], [3.0]]));
/// let c = a.matmul(b).tanh(); // (1, 2) x (3, 1)
/// let error = c.value().unwrap_err().to_string();
/// assert!(error.contains("[matmul] (1, 2) x (3, 1): 2 must equal 3"));
/// ```
#[derive(Clone, Copy)]
#[must_use = "a recorded value does nothing until it is asked for its value, differentiated or compiled"]
pub struct Var<'g> {
    pub(crate) graph: &'g Graph,
    pub(crate) id: NodeId,
}

impl<'g> Var<'g> {
    /// The graph it is recorded in.
    pub fn graph(self) -> &'g Graph {
        self.graph
    }

    /// Its position in the graph.
    pub fn id(self) -> NodeId {
        self.id
    }

    /// The length of each axis; `()` if poisoned.
    pub fn shape(self) -> Shape {
        self.graph.inner.borrow().nodes[self.id.index()].ty.shape.clone()
    }

    /// Real, integer or truth.
    pub fn kind(self) -> Kind {
        self.graph.inner.borrow().nodes[self.id.index()].ty.kind
    }

    /// Shape and kind.
    pub fn ty(self) -> Type {
        self.graph.inner.borrow().nodes[self.id.index()].ty.clone()
    }

    /// Number of axes.
    pub fn rank(self) -> usize {
        self.shape().len()
    }

    /// Where it was recorded.
    pub fn origin(self) -> Origin {
        self.graph.inner.borrow().nodes[self.id.index()].origin.clone()
    }

    /// Whether it carries an error instead of a value.
    pub fn is_poisoned(self) -> bool {
        matches!(self.graph.inner.borrow().nodes[self.id.index()].op, Op::Poison(_))
    }

    /// The type, or the error if poisoned.
    ///
    /// # Errors
    /// The error that a poisoned value carries.
    pub fn checked(self) -> Result<Type> {
        self.graph.admit("value", &[self])?;
        Ok(self.ty())
    }

    /// The length of one axis (negative counts from the end).
    ///
    /// # Errors
    /// The error of a poisoned value; an axis out of range.
    #[track_caller]
    pub fn dim(self, axis: isize) -> Result<usize> {
        let shape = self.checked()?.shape;
        let place = self.graph.origin(Location::caller());
        let axis =
            chainrule_tensor::shape::axis("dim", axis, &shape).map_err(|e| Error::new(e).placed(place))?;
        Ok(shape[axis])
    }

    /// Computes the value, with every leaf at its bound value.
    ///
    /// Reals are computed in f32 if there are tensors of reals among the graph's leaves and constants and all of
    /// them are f32, else in f64. Single numbers have no say.
    ///
    /// The values asked for last are kept, unless they are large, and what is made from them starts there: a loop that
    /// asks for the value of each step computes each step once.
    ///
    /// # Errors
    /// The error of a poisoned value; an unbound input.
    pub fn value(self) -> Result<Tensor> {
        let precision = Precision::of_leaves(self.graph);
        if let Some(value) = self.graph.inner.borrow_mut().known.get(&(self.id, precision)) {
            return Ok(value.clone());
        }
        let mut compiler = self.graph.compiler(&[], &[self]).precision(precision);
        compiler.known = self.graph.known(precision);
        let value = compiler.build()?.run(&[])?[0].clone();
        self.graph.remember(self.id, precision, &value);
        Ok(value)
    }

    #[track_caller]
    pub(crate) fn record(self, op: Op, rest: &[Var<'g>]) -> Var<'g> {
        let args: smallvec::SmallVec<[Var<'g>; 3]> =
            std::iter::once(self).chain(rest.iter().copied()).collect();
        self.graph.record(op, &args)
    }

    /// A poisoned value that carries `error`, placed at the caller.
    #[track_caller]
    pub fn fail(self, error: impl Into<Error>) -> Var<'g> {
        if self.is_poisoned() {
            return self;
        }
        let error = error.into();
        let error = if error.at().is_some() {
            error
        } else {
            let at = self.graph.origin(Location::caller());
            error.placed(at).operand("operand", self.ty(), self.origin())
        };
        self.graph.poison(error)
    }

    /// This value, or the poisoned value of the error in `checked`.
    #[track_caller]
    pub(crate) fn try_record<T>(
        self,
        checked: chainrule_tensor::Result<T>,
        then: impl FnOnce(T) -> Var<'g>,
    ) -> Var<'g> {
        if self.is_poisoned() {
            return self;
        }
        // Inside the closure the compiler no longer knows who called.
        let _here = self.graph.blame_line(Location::caller());
        match checked {
            Ok(t) => then(t),
            Err(e) => self.fail(e),
        }
    }
}

/// Anything that can stand beside a [`Var`] in a formula: another `Var`, a number, a truth value, a tensor.
pub trait Operand<'g> {
    /// Records itself in `graph`, if it is not there yet.
    #[track_caller]
    fn var(self, graph: &'g Graph) -> Var<'g>;
}

impl<'g> Operand<'g> for Var<'g> {
    fn var(self, _: &'g Graph) -> Var<'g> {
        self
    }
}

macro_rules! operand {
    ($($type:ty as $wide:ty),*) => {$(
        impl<'g> Operand<'g> for $type {
            #[track_caller]
            fn var(self, graph: &'g Graph) -> Var<'g> {
                graph.constant(<$wide>::from(self))
            }
        }
    )*};
}
operand!(f64 as f64, f32 as f64, i64 as i64, i32 as i64, bool as bool, Tensor as Tensor);

macro_rules! operator {
    ($($trait:ident $method:ident $op:ident),*) => {$(
        impl<'g, R: Operand<'g>> ops::$trait<R> for Var<'g> {
            type Output = Var<'g>;
            #[track_caller]
            fn $method(self, right: R) -> Var<'g> {
                self.binary(Binary::$op, right)
            }
        }
        operator!(@left f64 $trait $method $op);
    )*};
    (@left $type:ident $trait:ident $method:ident $op:ident) => {
        impl<'g> ops::$trait<Var<'g>> for $type {
            type Output = Var<'g>;
            #[track_caller]
            fn $method(self, right: Var<'g>) -> Var<'g> {
                Operand::var(self, right.graph).binary(Binary::$op, right)
            }
        }
    };
}
operator!(Add add Add, Sub sub Sub, Mul mul Mul, Div div Div);

impl<'g> ops::Neg for Var<'g> {
    type Output = Var<'g>;
    #[track_caller]
    fn neg(self) -> Var<'g> {
        self.unary(chainrule_tensor::kernels::elementwise::Unary::Neg)
    }
}

impl fmt::Debug for Var<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.graph.error_of(self.id) {
            Some(error) => write!(f, "poisoned: {error}"),
            None => {
                let node = self.graph.node(self.id);
                write!(f, "%{} = {} : {} at {}", self.id.0, node.op.label(), node.ty, node.origin)
            }
        }
    }
}
