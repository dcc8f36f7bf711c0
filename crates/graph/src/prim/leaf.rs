//! What has no arguments: inputs, constants, counting, and the poison of a failed operation.

use std::hash::{Hash, Hasher};
use std::panic::Location;
use std::sync::Arc;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Layout, Shape, Tensor};

use super::{Derivative, Lowering, Op, Primitive, Sample};
use crate::error::{Error, ErrorKind};
use crate::exec::call::Call;
use crate::ir::Graph;
use crate::types::Type;
use crate::var::Var;

/// A named leaf; its name and value stand in the graph at `index`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Input {
    pub(crate) index: usize,
    pub(crate) ty: Type,
}

/// A single number or truth value known at recording time, as bits so that equal ones are one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scalar {
    kind: Kind,
    bits: u64,
}

/// A tensor known at recording time; equal to itself only.
#[derive(Clone, Debug)]
pub struct Constant {
    pub(crate) value: Arc<Tensor>,
    pub(crate) ty: Type,
}

/// A parameter of a body; it stands nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parameter {
    pub(crate) index: usize,
    pub(crate) ty: Type,
}

/// The integers 0, 1, … `n` − 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Iota {
    n: usize,
}

/// The result of an operation that broke a rule, with the error; equal to itself only.
#[derive(Clone, Debug)]
pub struct Poison(pub(crate) Arc<Error>);

/// Equality and hash by identity, for what is too large to compare.
macro_rules! identity {
    ($type:ident, |$p:ident| $arc:expr) => {
        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                let of = |$p: &$type| Arc::as_ptr(&$arc);
                std::ptr::eq(of(self), of(other))
            }
        }

        impl Eq for $type {}

        impl Hash for $type {
            fn hash<H: Hasher>(&self, state: &mut H) {
                let $p = self;
                std::ptr::hash(Arc::as_ptr(&$arc), state);
            }
        }
    };
}
identity!(Constant, |p| p.value);
identity!(Poison, |p| p.0);

impl Graph {
    /// Integers that count along `axis` of `shape` and are equal along all others.
    ///
    /// # Panics
    /// Never; an axis out of range poisons the result.
    #[track_caller]
    pub fn iota(&self, shape: impl Into<Shape>, axis: isize) -> Var<'_> {
        let _here = self.blame("iota", Location::caller());
        let shape = shape.into();
        match chainrule_tensor::shape::axis("iota", axis, &shape) {
            Ok(axis) => {
                let column: Shape = (0..shape.len()).map(|i| if i == axis { shape[i] } else { 1 }).collect();
                self.record(Op::Iota(Iota { n: shape[axis] }), &[]).reshape_to(column).broadcast_to(shape)
            }
            Err(error) => {
                let at = self.origin(Location::caller());
                self.poison(crate::Error::new(error).placed(at))
            }
        }
    }
}

impl Scalar {
    /// The scalar in a tensor of rank 0.
    pub(crate) fn of(value: &Tensor) -> Option<Scalar> {
        let (kind, bits) = match value {
            Tensor::F32(a) => (Kind::Real, f64::from(*a.first()?).to_bits()),
            Tensor::F64(a) => (Kind::Real, a.first()?.to_bits()),
            Tensor::I64(a) => (Kind::Int, *a.first()? as u64),
            Tensor::Bool(a) => (Kind::Truth, u64::from(*a.first()?)),
        };
        Some(Scalar { kind, bits })
    }

    /// The number, if it is a real.
    pub(crate) fn real(&self) -> Option<f64> {
        (self.kind == Kind::Real).then(|| f64::from_bits(self.bits))
    }

    /// The value as an immediate of an elementwise program.
    pub(crate) fn immediate(&self) -> chainrule_tensor::kernels::elementwise::Scalar {
        use chainrule_tensor::kernels::elementwise::Scalar as Immediate;
        match self.kind {
            Kind::Real => Immediate::Real(f64::from_bits(self.bits)),
            Kind::Int => Immediate::Int(self.bits as i64),
            Kind::Truth => Immediate::Truth(self.bits != 0),
        }
    }
}

/// Leaves differ only in name, attributes and type; none has a derivative rule of interest.
macro_rules! leaf {
    ($type:ident, $name:literal, |$p:ident| $attributes:expr, $ty:expr, $lowering:expr) => {
        impl Primitive for $type {
            fn name(&self) -> &'static str {
                $name
            }
            fn attributes(&self) -> String {
                let $p = self;
                let _ = $p;
                $attributes
            }
            fn infer(&self, _: &[&Type]) -> Result<Type, ErrorKind> {
                let $p = self;
                Ok($ty)
            }
            fn derivative(&self) -> Derivative<Self> {
                Derivative::Flat("it has no arguments")
            }
            fn lower(&self, _: &[Layout], _: &Type) -> Lowering {
                $lowering
            }
            fn samples() -> Vec<Sample> {
                Vec::new()
            }
        }
    };
}

leaf!(Input, "input", |p| p.index.to_string(), p.ty.clone(), Lowering::Leaf);
leaf!(Constant, "constant", |p| String::new(), p.ty.clone(), Lowering::Leaf);
leaf!(Parameter, "parameter", |p| p.index.to_string(), p.ty.clone(), Lowering::Leaf);
leaf!(
    Scalar,
    "scalar",
    |p| match p.kind {
        Kind::Real => format!("{}", f64::from_bits(p.bits)),
        Kind::Int => format!("{}", p.bits as i64),
        Kind::Truth => format!("{}", p.bits != 0),
    },
    Type { shape: Shape::scalar(), kind: p.kind },
    Lowering::Leaf
);
leaf!(
    Iota,
    "iota",
    |p| p.n.to_string(),
    Type { shape: p.n.into(), kind: Kind::Int },
    Lowering::Kernel(Call::Iota)
);
leaf!(
    Poison,
    "poison",
    |p| String::new(),
    {
        let _ = p;
        Type::real(())
    },
    Lowering::Leaf
);
