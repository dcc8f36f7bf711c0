//! A compiled function: a plan on the processor, at one width of reals.

use std::fmt;

use chainrule_tensor::Tensor;

use super::cpu::Cpu;
use super::machine::Machine;
use super::plan::Plan;
use crate::error::Result;
use crate::precision::Precision;

/// A compiled function with its buffers: [`run`](Compiled::run) it as often as you like.
///
/// A run allocates nothing, as long as its arguments are contiguous and in the compiled precision, and the
/// results of the run before have been dropped.
pub struct Compiled(Machines);

enum Machines {
    F32(Machine<Cpu<f32>>),
    F64(Machine<Cpu<f64>>),
}

/// `$body` of the machine, whatever its width.
macro_rules! of_machine {
    ($compiled:expr, $machine:ident => $body:expr) => {
        match $compiled {
            Compiled(Machines::F32($machine)) => $body,
            Compiled(Machines::F64($machine)) => $body,
        }
    };
}

impl Compiled {
    pub(crate) fn new(plan: Plan) -> Result<Self> {
        Ok(Compiled(match plan.precision {
            Precision::F32 => Machines::F32(Machine::new(plan, Cpu::new())?),
            Precision::F64 => Machines::F64(Machine::new(plan, Cpu::new())?),
        }))
    }

    /// What a run does, as data: compare it, print it, run it on an executor of your own.
    pub fn plan(&self) -> &Plan {
        of_machine!(self, m => m.plan())
    }

    /// The width of reals.
    pub fn precision(&self) -> Precision {
        self.plan().precision
    }

    /// Computes the results for `arguments`, and the next value of every state.
    ///
    /// The results are overwritten by the next run, unless you clone them.
    ///
    /// # Errors
    /// [`ErrorKind::Count`](crate::ErrorKind::Count) for a wrong number of arguments;
    /// [`ErrorKind::Argument`](crate::ErrorKind::Argument) for a wrong shape or kind; [`ErrorKind::Value`](crate::ErrorKind::Value) for data
    /// outside what the model declared, such as a label beyond the classes. State is unchanged then.
    /// [`ErrorKind::Panicked`](crate::ErrorKind::Panicked) after a run that a custom operation ended by a panic.
    pub fn run(&mut self, arguments: &[Tensor]) -> Result<&[Tensor]> {
        of_machine!(self, m => m.run(arguments))
    }

    /// The present value of each state, in the order given to the compiler.
    pub fn state(&self) -> Vec<Tensor> {
        of_machine!(self, m => m.state())
    }

    /// Sets each state, in the order given to the compiler.
    ///
    /// # Errors
    /// [`ErrorKind::Count`](crate::ErrorKind::Count) for a wrong number; [`ErrorKind::Argument`](crate::ErrorKind::Argument) for a wrong
    /// shape or kind.
    pub fn set_state(&mut self, values: &[Tensor]) -> Result<()> {
        of_machine!(self, m => m.set_state(values))
    }

    /// Bytes that runs work in, without arguments and constants: all buffers, and the registers of one thread, which hold
    /// what lies between the operations of a fused step. Further threads that take part have registers of their own.
    pub fn bytes(&self) -> usize {
        of_machine!(self, m => m.bytes())
    }
}

/// The plan as text: one line per step with its kernel, operations and buffers.
impl fmt::Display for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.plan();
        let (steps, buffers) = (plan.steps.len(), plan.buffers.len());
        writeln!(f, "plan: {steps} steps, {buffers} buffers, {} bytes", self.bytes())?;
        plan.write_steps(f, 1)
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
