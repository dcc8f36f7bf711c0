//! Replays a plan: takes each step's outputs out of the store, lends it the inputs, puts the outputs back.

use std::collections::HashMap;
use std::fmt;

use chainrule_tensor::kernels::{Kind, Slice, SliceMut};
use chainrule_tensor::{DType, Element, Real, Tensor};
use smallvec::SmallVec;

use super::anomaly::{Leaf, LeafPlace};
use super::buffers::{Plan, Slot};
use super::compile::Precision;
use super::kernel::Kernel;
use crate::error::{Error, ErrorKind, Result};
use crate::ir::type_of;

/// A compiled function with its buffers: [`run`](Compiled::run) it as often as you like.
///
/// A run allocates nothing, as long as its arguments are contiguous and in the compiled precision, and the
/// results of the run before have been dropped.
pub struct Compiled {
    pub(crate) plan: Plan,
    store: Store,
    outputs: Vec<Tensor>,
    runs: u64,
    /// Whether a run is under way, or was when it panicked.
    running: bool,
}

enum Store {
    F32(Memory<f32>),
    F64(Memory<f64>),
}

/// What a plan works in.
pub(crate) struct Memory<T> {
    pub(crate) buffers: Vec<Buffer<T>>,
    /// For each step, what the plans within it work in.
    within: Vec<Vec<Memory<T>>>,
}

/// The content of one buffer.
pub(crate) enum Buffer<T> {
    Real(Vec<T>),
    Int(Vec<i64>),
    Truth(Vec<bool>),
    /// A constant or an argument, read where it lies.
    Tensor(Tensor),
    /// This argument of a plan within another, read where it lies.
    Lent(usize),
    /// A result, which changes places with that of the run before.
    Result(Tensor),
    /// Lent to the running step, or an argument between runs.
    Absent,
}

impl Compiled {
    pub(crate) fn new(plan: Plan, precision: Precision) -> Self {
        let outputs: Vec<Tensor> = plan
            .outputs
            .iter()
            .map(|(_, kind, shape)| Tensor::zeros(shape.clone(), precision.of_kind(*kind)))
            .collect();
        let store = match precision {
            Precision::F32 => Store::F32(Memory::giving(&plan, &outputs)),
            Precision::F64 => Store::F64(Memory::giving(&plan, &outputs)),
        };
        Compiled { plan, store, outputs, runs: 0, running: false }
    }

    /// The width of reals.
    pub fn precision(&self) -> Precision {
        match self.store {
            Store::F32(_) => Precision::F32,
            Store::F64(_) => Precision::F64,
        }
    }

    /// Computes the results for `arguments`, and the next value of every state.
    ///
    /// The results are overwritten by the next run, unless you clone them.
    ///
    /// # Errors
    /// [`ErrorKind::Count`] for a wrong number of arguments; [`ErrorKind::Argument`] for a wrong shape or kind; [`ErrorKind::Value`] for data
    /// outside what the model declared, such as a label beyond the classes. State is unchanged then. [`ErrorKind::Panicked`]
    /// after a run that a custom operation ended by a panic.
    pub fn run(&mut self, arguments: &[Tensor]) -> Result<&[Tensor]> {
        self.check(arguments)?;
        if self.running {
            return Err(Error::new(ErrorKind::Panicked));
        }
        self.runs += 1;
        let run = self.runs;
        self.running = true;
        let done = match &mut self.store {
            Store::F32(store) => replay(&self.plan, store, arguments, &mut self.outputs, run),
            Store::F64(store) => replay(&self.plan, store, arguments, &mut self.outputs, run),
        };
        self.running = false;
        done.map(|()| &self.outputs[..])
    }

    fn check(&self, arguments: &[Tensor]) -> Result<()> {
        let wanted = &self.plan.inputs;
        if arguments.len() != wanted.len() {
            return Err(count("argument", wanted.iter().map(|w| &w.1), arguments.len()));
        }
        for (index, ((_, name, ty, origin), found)) in wanted.iter().zip(arguments).enumerate() {
            if ty.kind != kind_of(found) || ty.shape[..] != *found.shape() {
                return Err(Error::new(ErrorKind::Argument {
                    index,
                    name: name.clone(),
                    expected: ty.to_string(),
                    found: type_of(found).to_string(),
                })
                .operand(format!("`{name}`"), ty.clone(), origin.clone()));
            }
        }
        Ok(())
    }

    /// The present value of each state, in the order given to the compiler.
    pub fn state(&self) -> Vec<Tensor> {
        fn go<T: Real>(plan: &Plan, store: &Memory<T>) -> Vec<Tensor> {
            let of = |(buffer, start): &(usize, Tensor)| {
                let mut out = prepared::<T>(start);
                write(&mut out, store.buffers[*buffer].slice(start.size()));
                out
            };
            plan.state.iter().map(of).collect()
        }
        match &self.store {
            Store::F32(store) => go(&self.plan, store),
            Store::F64(store) => go(&self.plan, store),
        }
    }

    /// Sets each state, in the order given to the compiler.
    ///
    /// # Errors
    /// [`ErrorKind::Count`] for a wrong number; [`ErrorKind::Argument`] for a wrong shape or kind.
    pub fn set_state(&mut self, values: &[Tensor]) -> Result<()> {
        let state = &self.plan.state;
        if values.len() != state.len() {
            return Err(count("state", self.plan.state_names.iter(), values.len()));
        }
        for (index, (value, (_, start))) in values.iter().zip(state).enumerate() {
            if type_of(value) != type_of(start) {
                let name = self.plan.state_names[index].clone();
                let (expected, found) = (type_of(start).to_string(), type_of(value).to_string());
                return Err(Error::new(ErrorKind::Argument { index, name, expected, found }));
            }
        }
        match &mut self.store {
            Store::F32(store) => load(&mut store.buffers, state.iter().map(|s| s.0).zip(values)),
            Store::F64(store) => load(&mut store.buffers, state.iter().map(|s| s.0).zip(values)),
        }
        Ok(())
    }

    /// Bytes that runs work in, without arguments and constants: all buffers, and the registers of one thread, which hold
    /// what lies between the operations of a fused step. Further threads that take part have registers of their own.
    pub fn bytes(&self) -> usize {
        self.plan.bytes(self.precision()).unwrap_or(usize::MAX)
    }
}

/// The error for another number of arguments or states than those with these `names`.
fn count<'a>(what: &str, names: impl ExactSizeIterator<Item = &'a String>, found: usize) -> Error {
    let expected = names.len();
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    let plural = if expected == 1 { "" } else { "s" };
    let named = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    Error::new(ErrorKind::Count { what: format!("{what}{plural}{named}"), expected, found })
}

/// The plan as text: one line per step with its kernel, operations and buffers.
impl fmt::Display for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "plan: {} steps, {} buffers, {} bytes",
            self.plan.steps.len(),
            self.plan.buffers.len(),
            self.bytes()
        )?;
        self.plan.write_steps(f, 1)
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T: Real> Memory<T> {
    /// For a plan that is run by itself: arguments are put into their buffers.
    fn new(plan: &Plan) -> Self {
        let within =
            plan.steps.iter().map(|step| step.kernel.within().into_iter().map(Memory::within).collect());
        Memory { buffers: buffers(plan), within: within.collect() }
    }

    /// For a plan by itself with results like `outputs`: those that no state holds are given away, not copied.
    fn giving(plan: &Plan, outputs: &[Tensor]) -> Self {
        let mut memory = Memory::new(plan);
        let mut holders = HashMap::new();
        let kept = plan.state.iter().map(|s| s.0);
        kept.chain(plan.outputs.iter().map(|o| o.0.buffer)).for_each(|b| *holders.entry(b).or_insert(0) += 1);
        for ((slot, ..), output) in plan.outputs.iter().zip(outputs) {
            if holders[&slot.buffer] == 1 {
                memory.buffers[slot.buffer] = Buffer::Result(Tensor::zeros(output.shape(), output.dtype()));
            }
        }
        memory
    }

    /// For a plan within another: arguments are lent.
    pub(crate) fn within(plan: &Plan) -> Self {
        let mut memory = Memory::new(plan);
        for (i, (buffer, ..)) in plan.inputs.iter().enumerate() {
            memory.buffers[*buffer] = Buffer::Lent(i);
        }
        memory
    }

    pub(crate) fn read<'a>(&'a self, slot: Slot, lent: &[Slice<'a, T>]) -> Slice<'a, T> {
        match &self.buffers[slot.buffer] {
            Buffer::Lent(i) => lent[*i].start(slot.len),
            own => own.slice(slot.len),
        }
    }
}

impl<T: Real> Buffer<T> {
    pub(crate) fn slice(&self, len: usize) -> Slice<'_, T> {
        match self {
            Buffer::Real(v) => Slice::Real(&v[..len]),
            Buffer::Int(v) => Slice::Int(&v[..len]),
            Buffer::Truth(v) => Slice::Truth(&v[..len]),
            Buffer::Tensor(t) | Buffer::Result(t) => lend(t),
            // Lent out: the step works on it in place and does not look at this slice.
            Buffer::Absent | Buffer::Lent(_) => Slice::Real(&[]),
        }
    }

    pub(crate) fn slice_mut(&mut self, len: usize) -> SliceMut<'_, T> {
        match self {
            Buffer::Real(v) => SliceMut::Real(&mut v[..len]),
            Buffer::Int(v) => SliceMut::Int(&mut v[..len]),
            Buffer::Truth(v) => SliceMut::Truth(&mut v[..len]),
            Buffer::Result(t) => lend_mut(t),
            Buffer::Tensor(_) | Buffer::Lent(_) | Buffer::Absent => {
                unreachable!("steps write only to buffers of the plan's own")
            }
        }
    }
}

/// The elements of a contiguous tensor of the right dtype.
fn lend<T: Real>(tensor: &Tensor) -> Slice<'_, T> {
    if let Some(reals) = tensor.as_slice::<T>() {
        return Slice::Real(reals);
    }
    match (tensor.as_slice::<i64>(), tensor.as_slice::<bool>()) {
        (Some(ints), _) => Slice::Int(ints),
        (_, Some(truths)) => Slice::Truth(truths),
        _ => unreachable!("arguments are made contiguous and brought to the compiled precision"),
    }
}

/// The elements of a tensor of the right dtype that nobody else holds, to be written.
fn lend_mut<T: Real>(tensor: &mut Tensor) -> SliceMut<'_, T> {
    let slice = match tensor.dtype() {
        DType::I64 => elements_mut(tensor).map(SliceMut::Int),
        DType::Bool => elements_mut(tensor).map(SliceMut::Truth),
        _ => elements_mut(tensor).map(SliceMut::Real),
    };
    match slice {
        Some(slice) => slice,
        None => unreachable!("results are contiguous and of the compiled precision"),
    }
}

fn elements_mut<E: Element>(tensor: &mut Tensor) -> Option<&mut [E]> {
    E::unwrap_mut(tensor).and_then(|a| a.as_slice_mut())
}

/// `tensor` as a replay reads it; free if it is contiguous and its reals have width `T`.
fn prepared<T: Real>(tensor: &Tensor) -> Tensor {
    let right = if tensor.dtype().is_real() { tensor.cast(T::DTYPE) } else { tensor.clone() };
    right.to_contiguous()
}

fn buffers<T: Real>(plan: &Plan) -> Vec<Buffer<T>> {
    let mut given = vec![false; plan.buffers.len()];
    plan.inputs.iter().for_each(|i| given[i.0] = true);
    plan.constants.iter().for_each(|c| given[c.0] = true);
    let empty = |(i, (kind, len)): (usize, &(Kind, usize))| match kind {
        _ if given[i] => Buffer::Absent,
        Kind::Real => Buffer::Real(vec![T::zero(); *len]),
        Kind::Int => Buffer::Int(vec![0; *len]),
        Kind::Truth => Buffer::Truth(vec![false; *len]),
    };
    let mut store: Vec<Buffer<T>> = plan.buffers.iter().enumerate().map(empty).collect();
    for (buffer, value, _) in &plan.constants {
        store[*buffer] = Buffer::Tensor(prepared::<T>(value));
    }
    load(&mut store, plan.state.iter().map(|s| (s.0, &s.1)));
    store
}

/// Copies values into buffers.
fn load<'a, T: Real>(store: &mut [Buffer<T>], values: impl Iterator<Item = (usize, &'a Tensor)>) {
    for (buffer, value) in values {
        let value = prepared::<T>(value);
        copy_slice(lend(&value), store[buffer].slice_mut(value.size()));
    }
}

fn replay<T: Real>(
    plan: &Plan,
    store: &mut Memory<T>,
    arguments: &[Tensor],
    results: &mut [Tensor],
    run: u64,
) -> Result<()> {
    // A result of an earlier run that somebody kept stays what it is.
    for (slot, ..) in &plan.outputs {
        match &mut store.buffers[slot.buffer] {
            Buffer::Result(t) if !is_unique(t) => *t = Tensor::zeros(t.shape(), t.dtype()),
            _ => {}
        }
    }
    for ((buffer, ..), argument) in plan.inputs.iter().zip(arguments) {
        store.buffers[*buffer] = Buffer::Tensor(prepared::<T>(argument));
    }
    let done = leaves(plan, &store.buffers, arguments, run).and_then(|()| steps(plan, store, &[], run));
    for (buffer, ..) in &plan.inputs {
        store.buffers[*buffer] = Buffer::Absent;
    }
    done?;
    finish(plan, store, &[]);
    for ((slot, ..), result) in plan.outputs.iter().zip(results) {
        match &mut store.buffers[slot.buffer] {
            Buffer::Result(made) => std::mem::swap(made, result),
            kept => write(result, kept.slice(slot.len)),
        }
    }
    Ok(())
}

/// Brings home the next value of each state that was not computed in its place.
pub(crate) fn finish<T: Real>(plan: &Plan, store: &mut Memory<T>, lent: &[Slice<'_, T>]) {
    for (from, to) in &plan.carries {
        let mut home = std::mem::replace(&mut store.buffers[*to], Buffer::Absent);
        copy_slice(store.read(*from, lent), home.slice_mut(from.len));
        store.buffers[*to] = home;
    }
}

/// In anomaly mode: fails if what the steps start from is not what they can work with.
fn leaves<T: Real>(plan: &Plan, store: &[Buffer<T>], arguments: &[Tensor], run: u64) -> Result<()> {
    if plan.leaves.is_empty() {
        return Ok(());
    }
    let constants = plan.constants.iter().map(|c| (c.0, &c.1));
    let arguments = plan.inputs.iter().map(|i| i.0).zip(arguments);
    let given: HashMap<usize, &Tensor> = constants.chain(arguments).collect();
    let bad = |leaf: &Leaf| match leaf.place {
        LeafPlace::Immediate(_) => leaf.look::<T>(None, None, run),
        LeafPlace::Buffer(buffer, len) => {
            leaf.look(Some(store[buffer].slice(len)), given.get(&buffer).copied(), run)
        }
    };
    plan.leaves.iter().find_map(bad).map_or(Ok(()), Err)
}

/// Carries out all steps; `lent` are the arguments of a plan within another.
pub(crate) fn steps<T: Real>(
    plan: &Plan,
    store: &mut Memory<T>,
    lent: &[Slice<'_, T>],
    run: u64,
) -> Result<()> {
    for (i, step) in plan.steps.iter().enumerate() {
        let taken = step.outputs.iter();
        let mut taken: SmallVec<[Buffer<T>; 8]> =
            taken.map(|s| std::mem::replace(&mut store.buffers[s.buffer], Buffer::Absent)).collect();
        let mut within = std::mem::take(&mut store.within[i]);
        let done = {
            let inputs: SmallVec<[Slice<'_, T>; 16]> =
                step.inputs.iter().map(|s| store.read(*s, lent)).collect();
            let mut outputs: SmallVec<[SliceMut<'_, T>; 8]> =
                taken.iter_mut().zip(&step.outputs).map(|(b, s)| b.slice_mut(s.len)).collect();
            match &step.kernel {
                Kernel::Loop(cycle) => cycle.run(&mut within, &inputs, &mut outputs, run),
                Kernel::Branch(choice) => choice.run(&mut within, &inputs, &mut outputs, run),
                kernel => kernel.run(&inputs, &mut outputs).map_err(|kind| step.failed(kind)),
            }
        };
        store.within[i] = within;
        for (slot, buffer) in step.outputs.iter().zip(taken) {
            store.buffers[slot.buffer] = buffer;
        }
        done?;
        if let (Some(watch), [made]) = (&step.about.watch, &step.outputs[..]) {
            let inputs: Vec<Slice<'_, T>> = step.inputs.iter().map(|s| store.read(*s, lent)).collect();
            let found =
                watch.look(store.buffers[made.buffer].slice(made.len), &inputs, run, &step.about.origin);
            found.map_or(Ok(()), Err)?;
        }
    }
    Ok(())
}

pub(crate) fn copy_slice<T: Real>(from: Slice<'_, T>, to: SliceMut<'_, T>) {
    match (from, to) {
        (Slice::Real(from), SliceMut::Real(to)) => to.copy_from_slice(from),
        (Slice::Int(from), SliceMut::Int(to)) => to.copy_from_slice(from),
        (Slice::Truth(from), SliceMut::Truth(to)) => to.copy_from_slice(from),
        _ => unreachable!("a value and its buffer are of one kind"),
    }
}

/// Writes `from` over the elements of `to`; in place if nobody else holds them.
fn write<T: Real>(to: &mut Tensor, from: Slice<'_, T>) {
    copy_slice(from, lend_mut(to));
}

fn is_unique(tensor: &Tensor) -> bool {
    match tensor {
        Tensor::F32(a) => a.is_unique(),
        Tensor::F64(a) => a.is_unique(),
        Tensor::I64(a) => a.is_unique(),
        Tensor::Bool(a) => a.is_unique(),
    }
}

fn kind_of(tensor: &Tensor) -> Kind {
    match tensor {
        Tensor::F32(_) | Tensor::F64(_) => Kind::Real,
        Tensor::I64(_) => Kind::Int,
        Tensor::Bool(_) => Kind::Truth,
    }
}
