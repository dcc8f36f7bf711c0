//! How much work a call is: operations on numbers, and bytes that it reads and writes.

use chainrule_tensor::kernels::elementwise::{Definition, Program};

use chainrule_tensor::shape;

use super::call::{Call, RowStep, RowWork};
use super::plan::{Plan, Step};

impl Call {
    /// How many operations on numbers it takes: two for each term of a product's sums, one for each number that a reduction
    /// reads, one for each element and operation of a fused program, be it an addition or a tanh. 0 where it only moves
    /// numbers; `None` where nobody counts them: factors of matrices, sorting, an operation of the user's, loops and choices,
    /// whose steps are counted instead.
    pub fn operations(&self) -> Option<u64> {
        let product = |lengths: &[usize]| lengths.iter().map(|n| *n as u64).product::<u64>();
        match self {
            Call::Map { program, shape, .. } => Some(operations(program) * product(shape)),
            Call::Rows { dims, steps } => Some(steps.iter().map(|step| of_rows(step, *dims)).sum()),
            Call::MatMul { a, b } | Call::Convolve { a, b } | Call::AddMatMul { a, b, .. } => {
                let (a, b) = (a.shape(), b.shape());
                let each =
                    2 * a.last().copied().unwrap_or(1) + usize::from(matches!(self, Call::AddMatMul { .. }));
                Some(each as u64 * shape::matmul(&a, &b).map_or(0, |out| product(&out)))
            }
            Call::Reduce { dims, .. } | Call::ArgReduce { dims, .. } | Call::CumSum { dims } => {
                Some(product(dims))
            }
            Call::Recurrence { dims } => Some(2 * product(dims)),
            Call::Place { .. } | Call::InRange { .. } | Call::Iota | Call::Gather(_) => Some(0),
            Call::Uniform { .. }
            | Call::ScatterAdd(_)
            | Call::OverlapAdd { .. }
            | Call::ArgSort { .. }
            | Call::Solve { .. }
            | Call::Cholesky { .. }
            | Call::Determinant { .. }
            | Call::Decompose { .. }
            | Call::Loop(_)
            | Call::Branch(_)
            | Call::Custom { .. } => None,
        }
    }
}

/// What is neither an input nor a constant.
fn operations(program: &Program) -> u64 {
    let counts = |(definition, _): &(Definition, _)| {
        !matches!(definition, Definition::Input(_) | Definition::Constant(_))
    };
    program.values().filter(counts).count() as u64
}

fn of_rows(step: &RowStep, [rows, length]: [usize; 2]) -> u64 {
    match &step.work {
        RowWork::Map { program, shape, .. } => operations(program) * shape.size() as u64,
        RowWork::Reduce(_) => (rows * length) as u64,
    }
}

impl Step {
    /// Bytes of its inputs and outputs.
    pub(crate) fn bytes(&self, plan: &Plan) -> u64 {
        let of = |slot: &super::plan::Slot| plan.buffers[slot.buffer].width(plan.precision) * slot.len;
        self.inputs.iter().chain(&self.outputs).map(|slot| of(slot) as u64).sum()
    }
}
