//! Plans within plans: what a loop repeats, and what a choice chooses from.

use chainrule_tensor::Real;
use chainrule_tensor::kernels::{Slice, SliceMut};
use smallvec::SmallVec;

use super::buffers::Plan;
use super::machine::{Memory, copy_slice, finish, steps};
use crate::error::{Error, ErrorKind, Result};
use crate::origin::Origin;

/// What a loop does in a run.
pub(crate) struct Cycle {
    pub(crate) name: &'static str,
    /// One step: its arguments are slices and captures, its state the carries, its results what is stacked.
    pub(crate) step: Plan,
    /// Over carries and captures of its own.
    pub(crate) test: Option<Plan>,
    /// How many of each there are among the inputs.
    pub(crate) carries: usize,
    pub(crate) slices: usize,
    pub(crate) captures: usize,
    pub(crate) counted: bool,
    pub(crate) length: usize,
    pub(crate) reverse: bool,
    /// What each output is.
    pub(crate) outputs: Vec<Output>,
    pub(crate) origin: Origin,
}

/// An output of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// The number of steps taken.
    Count,
    /// This carry after the last step.
    Carry(usize),
    /// This result of the step, stacked.
    Stack(usize),
}

impl Cycle {
    pub(crate) fn run<T: Real>(
        &self,
        memories: &mut [Memory<T>],
        inputs: &[Slice<'_, T>],
        outputs: &mut [SliceMut<'_, T>],
        run: u64,
    ) -> Result<()> {
        let [memory, of_test @ ..] = memories else { unreachable!("a loop has a memory") };
        let (carries, rest) = inputs.split_at(self.carries);
        let (slices, rest) = rest.split_at(self.slices);
        let (count, rest) = rest.split_at(usize::from(self.counted));
        let (captures, test_captures) = rest.split_at(self.captures);
        for ((buffer, _), start) in self.step.state.iter().zip(carries) {
            copy_slice(*start, memory.buffers[*buffer].slice_mut(start.len()));
        }
        let most = match count {
            [Slice::Int(count)] => usize::try_from(count[0]).unwrap_or(0).min(self.length),
            _ => self.length,
        };
        let mut goes_on = |memory: &Memory<T>| -> Result<bool> {
            let (Some(test), Some(of_test)) = (&self.test, of_test.first_mut()) else { return Ok(true) };
            let state = self.step.state.iter().zip(carries);
            let carries = state.map(|((buffer, _), start)| memory.buffers[*buffer].slice(start.len()));
            let lent: SmallVec<[Slice<'_, T>; 16]> = carries.chain(test_captures.iter().copied()).collect();
            steps(test, of_test, &lent, run)?;
            Ok(matches!(of_test.read(test.outputs[0].0, &lent), Slice::Truth([true, ..])))
        };
        let mut taken = 0;
        while taken < most && goes_on(memory)? {
            let at = if self.reverse { most - 1 - taken } else { taken };
            let slices = slices.iter().map(|x| row(*x, at, self.length));
            let lent: SmallVec<[Slice<'_, T>; 16]> = slices.chain(captures.iter().copied()).collect();
            steps(&self.step, memory, &lent, run).map_err(|error| self.placed(error, at))?;
            for (output, y) in self.outputs.iter().zip(&mut *outputs) {
                if let Output::Stack(i) = output {
                    let made = memory.read(self.step.outputs[*i].0, &lent);
                    copy_slice(made, row_mut(y, at, self.length));
                }
            }
            finish(&self.step, memory, &lent);
            taken += 1;
        }
        if taken == most && self.test.is_some() && goes_on(memory)? {
            let why = format!("its test still holds after {most} steps, the most that it may take");
            let error = Error::new(ErrorKind::Value { op: self.name, why }).placed(self.origin.clone());
            return Err(error.hint("give it a greater bound, or look why it does not end"));
        }
        for (output, y) in self.outputs.iter().zip(outputs) {
            match (output, y) {
                (Output::Count, SliceMut::Int(y)) => y[0] = taken as i64,
                (Output::Carry(i), y) => {
                    let (buffer, _) = self.step.state[*i];
                    let made = memory.buffers[buffer].slice(y.len());
                    copy_slice(made, y.reborrow());
                }
                (Output::Stack(_), y) => {
                    (taken..self.length).for_each(|at| clear(row_mut(y, at, self.length)))
                }
                _ => unreachable!("the number of steps is an integer"),
            }
        }
        Ok(())
    }

    fn placed(&self, error: Error, at: usize) -> Error {
        error.in_step(format!("step {at} (the first is 0) of the {} at {}", self.name, self.origin))
    }
}

/// Entry `at` of `n` of the leading axis.
fn row<T: Real>(x: Slice<'_, T>, at: usize, n: usize) -> Slice<'_, T> {
    let len = x.len() / n;
    match x {
        Slice::Real(x) => Slice::Real(&x[at * len..(at + 1) * len]),
        Slice::Int(x) => Slice::Int(&x[at * len..(at + 1) * len]),
        Slice::Truth(x) => Slice::Truth(&x[at * len..(at + 1) * len]),
    }
}

fn row_mut<'a, T: Real>(x: &'a mut SliceMut<'_, T>, at: usize, n: usize) -> SliceMut<'a, T> {
    let len = x.len() / n;
    match x {
        SliceMut::Real(x) => SliceMut::Real(&mut x[at * len..(at + 1) * len]),
        SliceMut::Int(x) => SliceMut::Int(&mut x[at * len..(at + 1) * len]),
        SliceMut::Truth(x) => SliceMut::Truth(&mut x[at * len..(at + 1) * len]),
    }
}

fn clear<T: Real>(x: SliceMut<'_, T>) {
    match x {
        SliceMut::Real(x) => x.fill(T::zero()),
        SliceMut::Int(x) => x.fill(0),
        SliceMut::Truth(x) => x.fill(false),
    }
}

/// What a choice does in a run.
pub(crate) struct Choice {
    pub(crate) yes: Plan,
    pub(crate) no: Plan,
}

impl Choice {
    pub(crate) fn run<T: Real>(
        &self,
        memories: &mut [Memory<T>],
        inputs: &[Slice<'_, T>],
        outputs: &mut [SliceMut<'_, T>],
        run: u64,
    ) -> Result<()> {
        let [yes, no] = memories else { unreachable!("a choice has two memories") };
        let holds = matches!(inputs[0], Slice::Truth([true, ..]));
        let (plan, memory) = if holds { (&self.yes, yes) } else { (&self.no, no) };
        steps(plan, memory, &inputs[1..], run)?;
        for ((slot, ..), y) in plan.outputs.iter().zip(outputs) {
            copy_slice(memory.read(*slot, &inputs[1..]), y.reborrow());
        }
        Ok(())
    }
}
