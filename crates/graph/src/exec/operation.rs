//! What a fused step does, operation by operation, for pictures.

use chainrule_tensor::kernels::elementwise::Scalar;
use smallvec::SmallVec;

use crate::origin::Origin;
use crate::prim::Op;

/// One elementwise operation of a step.
#[derive(Clone)]
pub(crate) struct Operation {
    pub(crate) op: Op,
    pub(crate) args: SmallVec<[Operand; 3]>,
    pub(crate) origin: Origin,
    /// Whether its value is an output of the step; outputs stand in the order of their operations.
    pub(crate) output: bool,
}

/// What an operation reads.
#[derive(Clone, Copy)]
pub(crate) enum Operand {
    /// A number known at planning time.
    Number(Scalar),
    /// The step's input at this position.
    Input(usize),
    /// The step's operation at this position.
    Operation(usize),
}
