//! Plans within plans: what a loop repeats, and what a choice chooses from.

use smallvec::SmallVec;

use super::executor::Executor;
use super::machine::{Store, finish, steps};
use super::plan::{Plan, Slot};
use crate::error::{Error, ErrorKind, Result};
use crate::origin::Origin;

/// What a loop does in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Cycle {
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
    /// What it is called.
    pub(crate) fn name(&self) -> &'static str {
        if self.test.is_some() { "while" } else { "scan" }
    }

    pub(crate) fn run<E: Executor>(
        &self,
        executor: &mut E,
        stores: &mut [Store<E>],
        inputs: &[E::View<'_>],
        outputs: &mut [E::ViewMut<'_>],
        run: u64,
        at_line: &Origin,
    ) -> Result<()> {
        let [store, of_test @ ..] = stores else { unreachable!("a loop has memory") };
        let (starts, rest) = inputs.split_at(self.carries);
        let (slices, rest) = rest.split_at(self.slices);
        let (count, rest) = rest.split_at(usize::from(self.counted));
        let (captures, test_captures) = rest.split_at(self.captures);
        for (i, start) in starts.iter().enumerate() {
            let to = store.write(executor, self.carry(i));
            executor.copy(*start, to);
        }
        let most = match count {
            [count] => usize::try_from(executor.number(*count)).unwrap_or(0).min(self.length),
            _ => self.length,
        };
        let mut goes_on = |executor: &mut E, store: &Store<E>| -> Result<bool> {
            let (Some(test), Some(of_test)) = (&self.test, of_test.first_mut()) else { return Ok(true) };
            let mut lent: SmallVec<[E::View<'_>; 16]> =
                (0..self.carries).map(|i| store.read(executor, self.carry(i), &[])).collect();
            let captured = test.argument_lengths().skip(self.carries);
            lent.extend(test_captures.iter().zip(captured).map(|(x, len)| executor.part(*x, 0, len)));
            steps(executor, test, of_test, &lent, run)?;
            Ok(executor.number(of_test.read(executor, test.outputs[0].0, &lent)) != 0)
        };
        let mut taken = 0;
        while taken < most && goes_on(executor, store)? {
            let at = if self.reverse { most - 1 - taken } else { taken };
            let mut lengths = self.step.argument_lengths();
            let sliced = slices.iter().zip(&mut lengths);
            let mut lent: SmallVec<[E::View<'_>; 16]> =
                sliced.map(|(x, len)| executor.part(*x, at * len, len)).collect();
            lent.extend(captures.iter().zip(lengths).map(|(x, len)| executor.part(*x, 0, len)));
            steps(executor, &self.step, store, &lent, run)
                .map_err(|error| self.placed(error, at, at_line))?;
            for (output, y) in self.outputs.iter().zip(&mut *outputs) {
                if let Output::Stack(i) = output {
                    let slot = self.step.outputs[*i].0;
                    let made = store.read(executor, slot, &lent);
                    let to = executor.part_mut(y, at * slot.len, slot.len);
                    executor.copy(made, to);
                }
            }
            finish(executor, &self.step, store, &lent);
            taken += 1;
        }
        if taken == most && self.test.is_some() && goes_on(executor, store)? {
            let why = format!("its test still holds after {most} steps, the most that it may take");
            let error = Error::new(ErrorKind::Value { op: self.name(), why }).placed(at_line.clone());
            return Err(error.hint("give it a greater bound, or look why it does not end"));
        }
        for (output, y) in self.outputs.iter().zip(outputs) {
            match output {
                Output::Count => {
                    let to = executor.part_mut(y, 0, 1);
                    executor.set_number(taken as i64, to);
                }
                Output::Carry(i) => {
                    let slot = self.carry(*i);
                    let made = store.read(executor, slot, &[]);
                    let to = executor.part_mut(y, 0, slot.len);
                    executor.copy(made, to);
                }
                Output::Stack(i) => {
                    let len = self.step.outputs[*i].0.len;
                    let to = executor.part_mut(y, taken * len, (self.length - taken) * len);
                    executor.clear(to);
                }
            }
        }
        Ok(())
    }

    /// Where a carry lies.
    fn carry(&self, i: usize) -> Slot {
        let (buffer, start) = &self.step.state[i];
        Slot { buffer: *buffer, len: start.size() }
    }

    fn placed(&self, error: Error, at: usize, at_line: &Origin) -> Error {
        error.in_step(format!("step {at} (the first is 0) of the {} at {at_line}", self.name()))
    }
}

/// What a choice does in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    pub(crate) yes: Plan,
    pub(crate) no: Plan,
}

impl Choice {
    pub(crate) fn run<E: Executor>(
        &self,
        executor: &mut E,
        stores: &mut [Store<E>],
        inputs: &[E::View<'_>],
        outputs: &mut [E::ViewMut<'_>],
        run: u64,
    ) -> Result<()> {
        let [yes, no] = stores else { unreachable!("a choice has two memories") };
        let holds = executor.number(inputs[0]) != 0;
        let (plan, store) = if holds { (&self.yes, yes) } else { (&self.no, no) };
        steps(executor, plan, store, &inputs[1..], run)?;
        for ((slot, _), y) in plan.outputs.iter().zip(outputs) {
            let made = store.read(executor, *slot, &inputs[1..]);
            let to = executor.part_mut(y, 0, slot.len);
            executor.copy(made, to);
        }
        Ok(())
    }
}
