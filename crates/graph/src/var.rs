//! `Var`: a `Copy` handle to a node, with the operators of mathematics.

use std::fmt;
use std::ops;
use std::panic::Location;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::elementwise::Binary;
use chainrule_tensor::{Shape, Tensor};

use crate::error::{Error, ErrorKind, Result};
use crate::ir::Graph;
use crate::origin::Origin;
use crate::prim::Op;
use crate::types::{NodeId, Type, type_of};

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
    /// An axis that is not there has length 1, and the graph's next way out (a value, a gradient, a plan) is this
    /// error, with this line. A poisoned value has no axes and its own error: 1.
    ///
    /// ```
    /// use chainrule_graph::Graph;
    /// let g = Graph::new();
    /// let x = g.leaf("x", [[1.0, 2.0, 3.0]]);
    /// assert_eq!(x.dim(-1), 3);
    /// let y = x / x.dim(2) as f64;
    /// assert!(y.value().unwrap_err().to_string().contains("[dim]"));
    /// ```
    #[doc(alias = "size")]
    #[track_caller]
    pub fn dim(self, axis: isize) -> usize {
        if self.is_poisoned() {
            return 1;
        }
        let shape = self.shape();
        match chainrule_tensor::shape::axis("dim", axis, &shape) {
            Ok(axis) => shape[axis],
            Err(error) => {
                let error = Error::new(error).placed(self.graph.origin(Location::caller()));
                self.graph.owe(error.operand("operand", self.ty(), self.origin()));
                1
            }
        }
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

    /// What `then` makes of this value, given its shape: the gate through which whatever depends on axes gets to them.
    /// A poisoned value has none and is handed on; an error of `then` becomes poison with the caller's line.
    #[track_caller]
    pub(crate) fn shaped(self, then: impl FnOnce(Shape) -> chainrule_tensor::Result<Var<'g>>) -> Var<'g> {
        if self.is_poisoned() {
            return self;
        }
        // Inside the closure the compiler no longer knows who called.
        let _here = self.graph.blame_line(Location::caller());
        then(self.shape()).unwrap_or_else(|error| self.fail(error))
    }
}

/// Anything that can stand beside a [`Var`] in a formula: another `Var`, a number, a truth value, a tensor.
///
/// A number is a literal. An integer beside reals is that real number, so `x + 1`, `x / 2` and `x.pow(2)` are what they
/// look like; an integer without a real number of its value poisons the result, as 2⁵³ + 1 does. A real beside integers
/// is an error, whatever its value: the kind of a result does not depend on a value.
///
/// ```
/// use chainrule_graph::Graph;
/// let g = Graph::new();
/// let (x, n) = (g.leaf("x", 3.0), g.leaf("n", 3_i64));
/// assert_eq!(((x.pow(2) + 1) / 2).value()?.item::<f64>()?, 5.0);
/// assert_eq!((2 * n + 1).value()?.item::<i64>()?, 7);
/// assert!((n * 1.0).value().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// On the left of an operator stand `f64` and `i64` alone: with more types, Rust could not tell that of the 2.0 in
/// `(2.0 * x).sum(..)`.
pub trait Operand<'g> {
    /// What it is.
    fn into_operand(self) -> OperandValue<'g>;
}

/// What stands beside a [`Var`].
#[derive(Clone, Debug)]
pub enum OperandValue<'g> {
    /// A recorded value.
    Var(Var<'g>),
    /// An integer literal: real beside reals.
    Integer(i64),
    /// Any other value.
    Tensor(Tensor),
}

impl<'g> OperandValue<'g> {
    /// Its kind, if what it stands beside has no say in it.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            OperandValue::Var(var) => Some(var.kind()),
            OperandValue::Integer(_) => None,
            OperandValue::Tensor(tensor) => Some(type_of(tensor).kind),
        }
    }

    /// Records it in `graph`, if it is not there yet, as what it is beside a value of `kind`.
    #[track_caller]
    pub(crate) fn beside(self, kind: Option<Kind>, graph: &'g Graph) -> Var<'g> {
        match self {
            OperandValue::Var(var) => var,
            OperandValue::Tensor(tensor) => graph.constant(tensor),
            OperandValue::Integer(n) if kind == Some(Kind::Real) => {
                let real = n as f64;
                // In i128, since i64::MAX as f64 is 2⁶³, which a cast to i64 takes back to i64::MAX.
                if real as i128 == i128::from(n) {
                    return graph.constant(real);
                }
                let why = format!("{n} is no real number of 64 bits; write the real number that is meant");
                let error = Error::new(ErrorKind::Kind { op: "real", why });
                graph.poison(error.placed(graph.origin(Location::caller())))
            }
            OperandValue::Integer(n) => graph.constant(n),
        }
    }
}

impl<'g> Operand<'g> for Var<'g> {
    fn into_operand(self) -> OperandValue<'g> {
        OperandValue::Var(self)
    }
}

impl<'g> Operand<'g> for OperandValue<'g> {
    fn into_operand(self) -> OperandValue<'g> {
        self
    }
}

macro_rules! operand {
    ($($type:ty: |$x:ident| $operand:expr;)*) => {$(
        impl<'g> Operand<'g> for $type {
            fn into_operand(self) -> OperandValue<'g> {
                let $x = self;
                $operand
            }
        }
    )*};
}
operand! {
    i64: |n| OperandValue::Integer(n);
    i32: |n| OperandValue::Integer(n.into());
    f64: |x| OperandValue::Tensor(x.into());
    f32: |x| OperandValue::Tensor(f64::from(x).into());
    bool: |t| OperandValue::Tensor(t.into());
    Tensor: |t| OperandValue::Tensor(t);
    &Tensor: |t| OperandValue::Tensor(t.clone());
}

macro_rules! operator {
    ($($trait:ident $method:ident $op:ident, $assign:ident $assigned:ident;)*) => {$(
        impl<'g, R: Operand<'g>> ops::$trait<R> for Var<'g> {
            type Output = Var<'g>;
            #[track_caller]
            fn $method(self, right: R) -> Var<'g> {
                self.binary(Binary::$op, right)
            }
        }
        impl<'g, R: Operand<'g>> ops::$assign<R> for Var<'g> {
            #[track_caller]
            fn $assigned(&mut self, right: R) {
                *self = self.binary(Binary::$op, right);
            }
        }
        operator!(@left f64 $trait $method $op);
        operator!(@left i64 $trait $method $op);
    )*};
    (@left $type:ident $trait:ident $method:ident $op:ident) => {
        impl<'g> ops::$trait<Var<'g>> for $type {
            type Output = Var<'g>;
            #[track_caller]
            fn $method(self, right: Var<'g>) -> Var<'g> {
                self.into_operand().beside(Some(right.kind()), right.graph).binary(Binary::$op, right)
            }
        }
    };
}
operator! {
    Add add Add, AddAssign add_assign;
    Sub sub Sub, SubAssign sub_assign;
    Mul mul Mul, MulAssign mul_assign;
    Div div Div, DivAssign div_assign;
}

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
