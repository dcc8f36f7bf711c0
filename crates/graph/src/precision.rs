//! The width of reals.

use chainrule_tensor::DType;
use chainrule_tensor::kernels::Kind;

use crate::ir::Graph;
use crate::trim::Reals;

/// The width that reals have when a graph runs. A graph itself knows only that they are real.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32 bits: for training.
    F32,
    /// 64 bits: for checking.
    F64,
}

impl Precision {
    /// The dtype of a real at this width.
    pub fn dtype(self) -> DType {
        match self {
            Precision::F32 => DType::F32,
            Precision::F64 => DType::F64,
        }
    }

    /// The dtype of a value of `kind` at this width of reals.
    pub(crate) fn of_kind(self, kind: Kind) -> DType {
        match kind {
            Kind::Real => self.dtype(),
            Kind::Int => DType::I64,
            Kind::Truth => DType::Bool,
        }
    }

    /// Bytes of a value of `kind` at this width of reals.
    pub(crate) fn width(self, kind: Kind) -> usize {
        self.of_kind(kind).size()
    }

    /// f32 if the reals among the values of leaves and constants are all f32 and there is one, else f64.
    pub(crate) fn of_leaves(graph: &Graph) -> Precision {
        match graph.inner.borrow().reals {
            Reals { f32: 1.., f64: 0 } => Precision::F32,
            _ => Precision::F64,
        }
    }

    /// f32 if the reals among `given` are all f32 and there is one, else f64: nothing is narrowed unasked.
    pub(crate) fn of(given: impl Iterator<Item = DType>) -> Precision {
        let mut reals = given.filter(|d| d.is_real()).peekable();
        if reals.peek().is_some() && reals.all(|d| d == DType::F32) { Precision::F32 } else { Precision::F64 }
    }
}
