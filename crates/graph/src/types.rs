//! What is known of a value without its graph: its type, its position, those of its arguments.

use std::fmt;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Shape, Tensor};
use smallvec::SmallVec;

/// Shape and kind of a node: all that recording needs to know of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    /// The length of each axis.
    pub shape: Shape,
    /// Real, integer or truth.
    pub kind: Kind,
}

impl Type {
    /// A real of `shape`.
    pub fn real(shape: impl Into<Shape>) -> Self {
        Type { shape: shape.into(), kind: Kind::Real }
    }

    /// The same kind in another shape.
    pub fn shaped(&self, shape: impl Into<Shape>) -> Self {
        Type { shape: shape.into(), kind: self.kind }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Real => "real",
            Kind::Int => "int",
            Kind::Truth => "truth",
        };
        write!(f, "{kind}{}", self.shape)
    }
}

/// Position of a node in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// The position as an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Arguments of a node.
pub type Args = SmallVec<[NodeId; 3]>;

/// The graph's view of a tensor's type.
pub(crate) fn type_of(tensor: &Tensor) -> Type {
    let kind = match tensor {
        Tensor::F32(_) | Tensor::F64(_) => Kind::Real,
        Tensor::I64(_) => Kind::Int,
        Tensor::Bool(_) => Kind::Truth,
    };
    Type { shape: tensor.shape().into(), kind }
}
