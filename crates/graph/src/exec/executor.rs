//! What it takes to carry out plans: a memory, and a kernel for each call.

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Format, Shape, Tensor};

use super::call::Call;
use crate::error::ErrorKind;
use crate::types::Type;

/// Carries out the calls of a plan on memory of its own; [`Machine`](crate::plan::Machine) does the rest.
///
/// The machine walks the steps, keeps state from run to run and carries out loops and choices, so an executor needs a kernel
/// for each other [`Call`] and nothing else. One that works on another device has pointers for memory, offsets for parts,
/// and queues kernels in [`run`](Executor::run); it waits only where the host needs a number: in [`get`](Executor::get) and
/// [`number`](Executor::number).
pub trait Executor {
    /// Room for one value.
    type Memory;
    /// A value, or part of one, to be read.
    type View<'a>: Copy;
    /// A value, or part of one, to be written.
    type ViewMut<'a>;
    /// A call made ready, once, when the plan is.
    type Kernel;

    /// Room for `len` elements, all 0 or false. What is put there is rounded to `format`, if there is one: two bytes hold it.
    fn room(&mut self, kind: Kind, format: Option<Format>, len: usize) -> Self::Memory;

    /// Memory that holds `value` and is never written; it may be that of `value` itself.
    fn hold(&mut self, value: &Tensor) -> Self::Memory;

    /// Copies `value` to where it is to be.
    fn put(&mut self, value: &Tensor, to: Self::ViewMut<'_>);

    /// A value as a tensor of this type.
    fn get(&self, from: Self::View<'_>, ty: &Type) -> Tensor;

    /// The first element of an integer, or of a truth value, which is 0 or 1.
    fn number(&self, from: Self::View<'_>) -> i64;

    /// Writes the first element of an integer.
    fn set_number(&mut self, value: i64, to: Self::ViewMut<'_>);

    /// The first `len` elements.
    fn view<'a>(&self, memory: &'a Self::Memory, len: usize) -> Self::View<'a>;

    /// The first `len` elements.
    fn view_mut<'a>(&self, memory: &'a mut Self::Memory, len: usize) -> Self::ViewMut<'a>;

    /// `len` elements of a view, from `start` on, for as long or shorter.
    fn part<'a, 'b: 'a>(&self, of: Self::View<'b>, start: usize, len: usize) -> Self::View<'a>;

    /// A view of no element: a step that works on an input in place does not read it.
    fn nothing<'a>(&self) -> Self::View<'a>;

    /// `len` elements of a view, from `start` on.
    fn part_mut<'a>(&self, of: &'a mut Self::ViewMut<'_>, start: usize, len: usize) -> Self::ViewMut<'a>;

    /// What was written there, to be read.
    fn seen<'a>(&self, of: &'a Self::ViewMut<'_>) -> Self::View<'a>;

    /// Copies a value to one of the same kind and length; one of them may have 16 bits.
    fn copy(&mut self, from: Self::View<'_>, to: Self::ViewMut<'_>);

    /// Makes all elements 0 or false.
    fn clear(&mut self, to: Self::ViewMut<'_>);

    /// Makes a call ready that is neither a loop nor a choice.
    ///
    /// # Errors
    /// One that it has no kernel for.
    fn prepare(&mut self, call: &Call) -> Result<Self::Kernel, ErrorKind>;

    /// Computes the outputs from the inputs.
    ///
    /// # Errors
    /// What the call refuses: an index out of range, a singular matrix.
    fn run(
        &mut self,
        call: &Call,
        kernel: &mut Self::Kernel,
        inputs: &[Self::View<'_>],
        outputs: &mut [Self::ViewMut<'_>],
    ) -> Result<(), ErrorKind>;

    /// Bytes that each thread needs to run it, besides inputs and outputs, if `halves` elements of these have 16 bits.
    fn scratch(&self, _kernel: &Self::Kernel, _halves: usize) -> usize {
        0
    }

    /// Room for a value that a run results in.
    fn result(&mut self, kind: Kind, shape: &Shape) -> Self::Memory {
        self.room(kind, None, shape.size())
    }

    /// Makes a result ready to be written by the next run.
    fn renew(&mut self, _result: &mut Self::Memory) {}

    /// Hands a result over to `to`, which is that of the run before.
    fn give(&mut self, result: &mut Self::Memory, ty: &Type, to: &mut Tensor) {
        *to = self.get(self.view(result, ty.shape.size()), ty);
    }
}
