//! Replays a plan on an executor: takes each step's outputs out of the store, lends it the inputs, puts the outputs back.

use std::collections::HashMap;

use chainrule_tensor::{Shape, Tensor};
use smallvec::SmallVec;

use super::anomaly::LeafPlace;
use super::call::Call;
use super::executor::Executor;
use super::plan::{Plan, Room, Slot, Step};
use crate::error::{Error, ErrorKind, Result};
use crate::types::{Type, type_of};

/// A plan with the memory and the kernels that an executor has for it.
///
/// [`Compiled`](crate::Compiled) is one on this processor; a machine of your own runs any plan on an executor of your own.
///
/// ```
/// use chainrule_graph::plan::{Cpu, Machine};
/// use chainrule_graph::{Graph, Kind, Precision};
/// use chainrule_tensor::Tensor;
/// let g = Graph::new();
/// let x = g.input("x", [3], Kind::Real);
/// let f = g.compiler(&[x], &[x.square().sum(..)]).precision(Precision::F64).build()?;
/// let mut machine = Machine::new(f.plan().clone(), Cpu::<f64>::new())?;
/// let y = machine.run(&[Tensor::from([1.0, 2.0, 3.0])])?;
/// assert_eq!(y[0].item::<f64>()?, 14.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Machine<E: Executor> {
    plan: Plan,
    executor: E,
    store: Store<E>,
    outputs: Vec<Tensor>,
    bytes: usize,
    runs: u64,
    /// Whether a run is under way, or was when it panicked.
    running: bool,
}

/// What a plan works in, and with.
pub(crate) struct Store<E: Executor> {
    buffers: Vec<Held<E::Memory>>,
    /// For each step.
    ready: Vec<Ready<E>>,
}

/// The content of one buffer.
enum Held<M> {
    Own(M),
    /// This argument of a plan within another, read where it lies.
    Lent(usize),
    /// This result of a plan within another, written where that wants it.
    Wanted(usize),
    /// Lent to the running step, or an argument between runs.
    Absent,
}

/// A step made ready.
enum Ready<E: Executor> {
    Kernel(E::Kernel),
    /// What the plans within it work in.
    Plans(Vec<Store<E>>),
}

impl<E: Executor> Machine<E> {
    /// Makes everything ready that a run of `plan` needs.
    ///
    /// # Errors
    /// A call that the executor has no kernel for; a plan that needs more memory than there is.
    pub fn new(plan: Plan, mut executor: E) -> Result<Self> {
        let mut store = Store::prepare(&plan, &mut executor)?;
        let bytes = store.bytes(&plan, &executor);
        plan.refuse_too_large(bytes)?;
        store.allocate(&plan, &mut executor, None);
        let zeros = |(_, ty): &(Slot, Type)| Tensor::zeros(ty.shape.clone(), plan.precision.of_kind(ty.kind));
        let outputs = plan.outputs.iter().map(zeros).collect();
        let bytes = bytes.unwrap_or(usize::MAX);
        Ok(Machine { plan, executor, store, outputs, bytes, runs: 0, running: false })
    }

    /// What it carries out.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What carries it out.
    pub fn executor(&self) -> &E {
        &self.executor
    }

    /// Bytes that runs work in, without arguments and constants.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Computes the results for `arguments`, and the next value of every state.
    ///
    /// # Errors
    /// As [`Compiled::run`](crate::Compiled::run).
    pub fn run(&mut self, arguments: &[Tensor]) -> Result<&[Tensor]> {
        self.plan.check(arguments)?;
        if self.running {
            return Err(Error::new(ErrorKind::Panicked));
        }
        self.runs += 1;
        self.running = true;
        let done = self.replay(arguments);
        self.running = false;
        done.map(|()| &self.outputs[..])
    }

    fn replay(&mut self, arguments: &[Tensor]) -> Result<()> {
        let Machine { plan, executor, store, outputs, runs, .. } = self;
        for (slot, _) in &plan.outputs {
            if let Held::Own(memory) = &mut store.buffers[slot.buffer] {
                executor.renew(memory);
            }
        }
        for ((buffer, ..), argument) in plan.inputs.iter().zip(arguments) {
            store.buffers[*buffer] = Held::Own(executor.hold(argument));
        }
        let done = leaves(executor, plan, store, arguments, *runs)
            .and_then(|()| steps(executor, plan, store, &mut Lent::none(), *runs));
        for (buffer, ..) in &plan.inputs {
            store.buffers[*buffer] = Held::Absent;
        }
        done?;
        finish(executor, plan, store, &Lent::none());
        for ((slot, ty), result) in plan.outputs.iter().zip(outputs) {
            if let Held::Own(memory) = &mut store.buffers[slot.buffer] {
                executor.give(memory, ty, result);
            }
        }
        Ok(())
    }

    /// The present value of each state, in the order given to the compiler.
    pub fn state(&self) -> Vec<Tensor> {
        let Machine { plan, executor, store, .. } = self;
        let none = Lent::none();
        let of = |(buffer, start): &(usize, Tensor)| {
            let value = store.read(executor, Slot { buffer: *buffer, len: start.size() }, &none);
            executor.get(value, &type_of(start))
        };
        plan.state.iter().map(of).collect()
    }

    /// Sets each state, in the order given to the compiler.
    ///
    /// # Errors
    /// [`ErrorKind::Count`] for a wrong number; [`ErrorKind::Argument`] for a wrong shape or kind.
    pub fn set_state(&mut self, values: &[Tensor]) -> Result<()> {
        self.plan.check_state(values)?;
        let Machine { plan, executor, store, .. } = self;
        let places = plan.state.iter().map(|s| s.0);
        places.zip(values).for_each(|(buffer, value)| store.load(executor, buffer, value));
        Ok(())
    }
}

impl<E: Executor> Store<E> {
    /// The kernels of a plan, without memory.
    fn prepare(plan: &Plan, executor: &mut E) -> Result<Self> {
        let mut ready = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            ready.push(match &step.call {
                Call::Loop(_) | Call::Branch(_) => {
                    let plans = step.call.within().into_iter();
                    Ready::Plans(plans.map(|plan| Store::prepare(plan, executor)).collect::<Result<_>>()?)
                }
                call => Ready::Kernel(executor.prepare(call).map_err(|kind| step.failed(kind))?),
            });
        }
        Ok(Store { buffers: Vec::new(), ready })
    }

    /// Bytes that runs work in, without arguments and constants: the buffers, and the registers of one thread. `None`
    /// where they exceed a `usize`.
    fn bytes(&self, plan: &Plan, executor: &E) -> Option<usize> {
        let mut scratch = 0;
        let mut sum = plan.own_bytes()?;
        for (ready, step) in self.ready.iter().zip(&plan.steps) {
            match ready {
                Ready::Kernel(kernel) => {
                    scratch = scratch.max(executor.scratch(kernel, plan.halves(step)));
                }
                Ready::Plans(stores) => {
                    for ((store, inner), wanted) in
                        stores.iter().zip(step.call.within()).zip(plan.wanted(step))
                    {
                        // What is written where it is wanted needs no memory here.
                        let elsewhere = inner.outputs.iter().zip(wanted).filter(|(_, wanted)| *wanted);
                        let width = |(slot, ty): &(Slot, Type)| inner.precision.width(ty.kind) * slot.len;
                        let elsewhere: usize = elsewhere.map(|(output, _)| width(output)).sum();
                        sum = sum.checked_add(store.bytes(inner, executor)?)?.checked_sub(elsewhere)?;
                    }
                }
            }
        }
        sum.checked_add(scratch)
    }

    /// Gives every buffer its memory, and the start values to those that have one. Arguments of a plan within another are
    /// lent, and so are those of its results of which `wanted` says it; results of one by itself, unless a state holds them,
    /// are given away.
    fn allocate(&mut self, plan: &Plan, executor: &mut E, wanted: Option<&[bool]>) {
        let within = wanted.is_some();
        let mut of: Vec<Option<Held<E::Memory>>> = plan.buffers.iter().map(|_| None).collect();
        for (i, (buffer, ..)) in plan.inputs.iter().enumerate() {
            of[*buffer] = Some(if within { Held::Lent(i) } else { Held::Absent });
        }
        for (buffer, value, _) in &plan.constants {
            of[*buffer] = Some(Held::Own(executor.hold(value)));
        }
        let mut holders = HashMap::new();
        let kept = plan.state.iter().map(|s| s.0);
        kept.chain(plan.outputs.iter().map(|o| o.0.buffer)).for_each(|b| *holders.entry(b).or_insert(0) += 1);
        for (slot, ty) in plan.outputs.iter().filter(|(slot, _)| !within && holders[&slot.buffer] == 1) {
            of[slot.buffer] = Some(Held::Own(executor.result(ty.kind, &ty.shape)));
        }
        for (i, (slot, _)) in plan.outputs.iter().enumerate() {
            if wanted.is_some_and(|wanted| wanted[i]) {
                of[slot.buffer] = Some(Held::Wanted(i));
            }
        }
        let room = |(held, room): (Option<Held<_>>, &Room)| {
            held.unwrap_or_else(|| Held::Own(executor.room(room.kind, room.format, room.len)))
        };
        self.buffers = of.into_iter().zip(&plan.buffers).map(room).collect();
        for (buffer, start) in &plan.state {
            self.load(executor, *buffer, start);
        }
        for (ready, step) in self.ready.iter_mut().zip(&plan.steps) {
            if let Ready::Plans(stores) = ready {
                for ((store, inner), wanted) in
                    stores.iter_mut().zip(step.call.within()).zip(plan.wanted(step))
                {
                    store.allocate(inner, executor, Some(&wanted));
                }
            }
        }
    }

    /// Copies a value into a buffer.
    fn load(&mut self, executor: &mut E, buffer: usize, value: &Tensor) {
        if let Held::Own(memory) = &mut self.buffers[buffer] {
            let to = executor.view_mut(memory, value.size());
            executor.put(value, to);
        }
    }

    /// A value of a plan to which these are `lent`.
    pub(crate) fn read<'a>(&'a self, executor: &E, slot: Slot, lent: &'a Lent<'_, '_, E>) -> E::View<'a> {
        read(executor, &self.buffers, slot, lent)
    }

    /// The value of a buffer of the plan's own, to be written.
    pub(crate) fn write<'a>(&'a mut self, executor: &E, slot: Slot) -> E::ViewMut<'a> {
        match &mut self.buffers[slot.buffer] {
            Held::Own(memory) => executor.view_mut(memory, slot.len),
            _ => unreachable!("a state has memory of its own"),
        }
    }

    /// Whether this value is written where another plan wants it.
    pub(crate) fn is_wanted(&self, slot: Slot) -> bool {
        matches!(self.buffers[slot.buffer], Held::Wanted(_))
    }
}

/// What a plan within another works on that is not its own.
pub(crate) struct Lent<'v, 'w, E: Executor> {
    pub(crate) arguments: SmallVec<[E::View<'v>; 16]>,
    /// For each result, where it is wanted, if it is to be written there; a running step has those that it writes.
    pub(crate) wanted: SmallVec<[Option<E::ViewMut<'w>>; 16]>,
}

impl<E: Executor> Lent<'_, '_, E> {
    pub(crate) fn none() -> Self {
        Lent { arguments: SmallVec::new(), wanted: SmallVec::new() }
    }
}

fn read<'a, E: Executor>(
    executor: &E,
    buffers: &'a [Held<E::Memory>],
    slot: Slot,
    lent: &'a Lent<'_, '_, E>,
) -> E::View<'a> {
    match &buffers[slot.buffer] {
        Held::Own(memory) => executor.view(memory, slot.len),
        Held::Lent(i) => executor.part(lent.arguments[*i], 0, slot.len),
        Held::Wanted(i) if let Some(made) = &lent.wanted[*i] => {
            executor.part(executor.seen(made), 0, slot.len)
        }
        // The step works on it in place and does not look at this view.
        Held::Wanted(_) | Held::Absent => executor.nothing(),
    }
}

/// Brings home the next value of each state that was not computed in its place.
pub(crate) fn finish<E: Executor>(
    executor: &mut E,
    plan: &Plan,
    store: &mut Store<E>,
    lent: &Lent<'_, '_, E>,
) {
    for (from, home) in &plan.carries {
        let Held::Own(mut memory) = std::mem::replace(&mut store.buffers[*home], Held::Absent) else {
            unreachable!("a state has memory of its own")
        };
        let to = executor.view_mut(&mut memory, from.len);
        executor.copy(store.read(executor, *from, lent), to);
        store.buffers[*home] = Held::Own(memory);
    }
}

/// Carries out all steps; some things are `lent` to a plan within another.
pub(crate) fn steps<E: Executor>(
    executor: &mut E,
    plan: &Plan,
    store: &mut Store<E>,
    lent: &mut Lent<'_, '_, E>,
    run: u64,
) -> Result<()> {
    for (i, step) in plan.steps.iter().enumerate() {
        let Store { buffers, ready } = &mut *store;
        let mut taken: SmallVec<[Held<E::Memory>; 16]> =
            step.outputs.iter().map(|s| std::mem::replace(&mut buffers[s.buffer], Held::Absent)).collect();
        let mut wanted: SmallVec<[Option<E::ViewMut<'_>>; 16]> = taken
            .iter()
            .map(|held| if let Held::Wanted(i) = held { lent.wanted[*i].take() } else { None })
            .collect();
        let done = {
            let lent = &*lent;
            let inputs: SmallVec<[E::View<'_>; 16]> =
                step.inputs.iter().map(|s| read(executor, buffers, *s, lent)).collect();
            let places = taken.iter_mut().zip(&mut wanted);
            let mut outputs: SmallVec<[E::ViewMut<'_>; 16]> = places
                .zip(&step.outputs)
                .map(|(place, slot)| match place {
                    (Held::Own(memory), _) => executor.view_mut(memory, slot.len),
                    (_, Some(wanted)) => executor.part_mut(wanted, 0, slot.len),
                    _ => unreachable!("steps write to buffers of the plan's own and to what is wanted"),
                })
                .collect();
            match (&step.call, &mut ready[i]) {
                (Call::Loop(cycle), Ready::Plans(stores)) => {
                    cycle.run(executor, stores, &inputs, &mut outputs, run, &step.about.origin)
                }
                (Call::Branch(choice), Ready::Plans(stores)) => {
                    choice.run(executor, stores, &inputs, &mut outputs, run)
                }
                (call, Ready::Kernel(kernel)) => {
                    executor.run(call, kernel, &inputs, &mut outputs).map_err(|kind| step.failed(kind))
                }
                (call, _) => unreachable!("{} was made ready otherwise", call.name()),
            }
        };
        for ((slot, held), wanted) in step.outputs.iter().zip(taken).zip(wanted) {
            if let Held::Wanted(i) = held {
                lent.wanted[i] = wanted;
            }
            buffers[slot.buffer] = held;
        }
        done?;
        if step.about.watch.is_some() {
            look(executor, plan, store, step, lent, run)?;
        }
    }
    Ok(())
}

/// In anomaly mode: fails if the step made a NaN or an infinity.
fn look<E: Executor>(
    executor: &mut E,
    plan: &Plan,
    store: &Store<E>,
    step: &Step,
    lent: &Lent<'_, '_, E>,
    run: u64,
) -> Result<()> {
    let (Some(watch), [made]) = (&step.about.watch, &step.outputs[..]) else { return Ok(()) };
    let value = |slot: &Slot| {
        let view = store.read(executor, *slot, lent);
        executor.get(view, &Type { kind: plan.buffers[slot.buffer].kind, shape: Shape::from([slot.len]) })
    };
    let inputs: Vec<Tensor> = step.inputs.iter().map(&value).collect();
    watch.look(&value(made), &inputs, run, &step.about.origin).map_or(Ok(()), Err)
}

/// In anomaly mode: fails if what the steps start from is not what they can work with.
fn leaves<E: Executor>(
    executor: &mut E,
    plan: &Plan,
    store: &Store<E>,
    arguments: &[Tensor],
    run: u64,
) -> Result<()> {
    if plan.leaves.is_empty() {
        return Ok(());
    }
    let constants = plan.constants.iter().map(|c| (c.0, &c.1));
    let arguments = plan.inputs.iter().map(|i| i.0).zip(arguments);
    let given: HashMap<usize, &Tensor> = constants.chain(arguments).collect();
    for leaf in &plan.leaves {
        let found = match leaf.place {
            LeafPlace::Immediate(x) => leaf.look(&Tensor::from(x).cast(plan.precision.dtype()), None, run),
            LeafPlace::Buffer(buffer, len) => {
                let none = Lent::none();
                let view = store.read(executor, Slot { buffer, len }, &none);
                let ty = Type { kind: plan.buffers[buffer].kind, shape: Shape::from([len]) };
                leaf.look(&executor.get(view, &ty), given.get(&buffer).copied(), run)
            }
        };
        found.map_or(Ok(()), Err)?;
    }
    Ok(())
}
