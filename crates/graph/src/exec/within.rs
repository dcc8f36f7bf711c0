//! Plans within plans: what a loop repeats, and what a choice chooses from.

use smallvec::SmallVec;

use super::call::Call;
use super::executor::Executor;
use super::machine::{Lent, Store, finish, steps};
use super::plan::{Plan, Slot, Step};
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
            let none = Lent::none();
            let mut lent = Lent::none();
            lent.arguments.extend((0..self.carries).map(|i| store.read(executor, self.carry(i), &none)));
            let captured = test.argument_lengths().skip(self.carries);
            lent.arguments
                .extend(test_captures.iter().zip(captured).map(|(x, len)| executor.part(*x, 0, len)));
            steps(executor, test, of_test, &mut lent, run)?;
            Ok(executor.number(of_test.read(executor, test.outputs[0].0, &lent)) != 0)
        };
        let mut taken = 0;
        while taken < most && goes_on(executor, store)? {
            let at = if self.reverse { most - 1 - taken } else { taken };
            let mut lengths = self.step.argument_lengths();
            let mut lent = Lent::none();
            let sliced = slices.iter().zip(&mut lengths);
            lent.arguments.extend(sliced.map(|(x, len)| executor.part(*x, at * len, len)));
            lent.arguments.extend(captures.iter().zip(lengths).map(|(x, len)| executor.part(*x, 0, len)));
            lent.wanted.extend(self.step.outputs.iter().map(|_| None));
            let mut copied: SmallVec<[_; 16]> = SmallVec::new();
            for (output, y) in self.outputs.iter().zip(&mut *outputs) {
                if let Output::Stack(i) = *output {
                    let slot = self.step.outputs[i].0;
                    let to = executor.part_mut(y, at * slot.len, slot.len);
                    if store.is_wanted(slot) {
                        lent.wanted[i] = Some(to);
                    } else {
                        copied.push((slot, to));
                    }
                }
            }
            steps(executor, &self.step, store, &mut lent, run)
                .map_err(|error| self.placed(error, at, at_line))?;
            for (slot, to) in copied {
                executor.copy(store.read(executor, slot, &lent), to);
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
                    let to = executor.part_mut(y, 0, slot.len);
                    executor.copy(store.read(executor, slot, &Lent::none()), to);
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
        let mut lent = Lent { arguments: inputs[1..].into(), wanted: SmallVec::new() };
        let mut copied: SmallVec<[_; 16]> = SmallVec::new();
        for ((slot, _), y) in plan.outputs.iter().zip(outputs) {
            let to = executor.part_mut(y, 0, slot.len);
            if store.is_wanted(*slot) {
                lent.wanted.push(Some(to));
            } else {
                lent.wanted.push(None);
                copied.push((*slot, to));
            }
        }
        steps(executor, plan, store, &mut lent, run)?;
        for (slot, to) in copied {
            executor.copy(store.read(executor, slot, &lent), to);
        }
        Ok(())
    }
}

impl Plan {
    /// For each plan within a step, which of its results are written straight to where the step's own results lie.
    pub(crate) fn wanted(&self, step: &Step) -> SmallVec<[Vec<bool>; 2]> {
        let whole = |slot: &Slot| self.buffers[slot.buffer].format.is_none();
        match &step.call {
            Call::Loop(cycle) => {
                let stacked = |i: usize| {
                    let mut places =
                        cycle.outputs.iter().zip(&step.outputs).filter(|o| *o.0 == Output::Stack(i));
                    let place = places.next();
                    place.is_some_and(|(_, slot)| whole(slot)) && places.next().is_none()
                };
                let of = |i: usize| stacked(i) && cycle.step.has_alone(i);
                let of_step = (0..cycle.step.outputs.len()).map(of).collect();
                std::iter::once(of_step).chain(cycle.test.iter().map(|_| vec![false])).collect()
            }
            Call::Branch(choice) => [&choice.yes, &choice.no]
                .map(|plan| {
                    let own = step.outputs.iter().enumerate();
                    own.map(|(i, slot)| whole(slot) && plan.has_alone(i)).collect()
                })
                .into_iter()
                .collect(),
            _ => SmallVec::new(),
        }
    }

    /// Whether the buffer of a result is one that steps write, as long as the result, and no other result's.
    fn has_alone(&self, i: usize) -> bool {
        let slot = self.outputs[i].0;
        let room = self.buffers[slot.buffer];
        let sharers = self.outputs.iter().filter(|(other, _)| other.buffer == slot.buffer).count();
        room.len == slot.len
            && room.format.is_none()
            && sharers == 1
            && self.given().all(|buffer| buffer != slot.buffer)
    }
}
