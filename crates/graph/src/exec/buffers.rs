//! Real buffers for virtual ones, by liveness: a buffer is free again after its last reader.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;

use chainrule_tensor as tensor;
use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Layout, Shape, Tensor};

use super::anomaly::{Leaf, LeafPlace};
use super::compile::Precision;
use super::kernel::Kernel;
use super::lower::{About, Lowered, Source, Task, VirtualStep};
use super::verify;
use crate::error::{Error, ErrorKind, Result};
use crate::ir::Type;
use crate::origin::Origin;

/// Part of a buffer, from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) buffer: usize,
    pub(crate) len: usize,
}

/// One step of a plan.
pub(crate) struct Step {
    pub(crate) kernel: Kernel,
    pub(crate) inputs: Vec<Slot>,
    pub(crate) outputs: Vec<Slot>,
    pub(crate) about: About,
}

/// Steps over real buffers: all that a replay needs.
pub(crate) struct Plan {
    /// Kind and capacity of each buffer.
    pub(crate) buffers: Vec<(Kind, usize)>,
    pub(crate) steps: Vec<Step>,
    /// The buffer of each value known at planning time, and the name of the leaf, if it is one.
    pub(crate) constants: Vec<(usize, Tensor, Option<String>)>,
    pub(crate) inputs: Vec<(usize, String, Type, Origin)>,
    /// The buffer of each state and its start value.
    pub(crate) state: Vec<(usize, Tensor)>,
    pub(crate) state_names: Vec<String>,
    /// Copies that bring a state's next value home where it could not be computed in place: (from, to).
    pub(crate) carries: Vec<(Slot, usize)>,
    pub(crate) outputs: Vec<(Slot, Kind, Shape)>,
    /// In anomaly mode: what to look at before a run.
    pub(crate) leaves: Vec<Leaf>,
}

impl Plan {
    /// Bytes that runs work in, without arguments and constants: the buffers, and the registers of one thread. `None`
    /// where they exceed a `usize`.
    pub(crate) fn bytes(&self, precision: Precision) -> Option<usize> {
        let given: HashSet<usize> =
            self.inputs.iter().map(|i| i.0).chain(self.constants.iter().map(|c| c.0)).collect();
        let own = self.buffers.iter().enumerate().filter(|(i, _)| !given.contains(i));
        let own = own.map(|(_, (kind, len))| Some(precision.width(*kind) * len));
        let within =
            self.steps.iter().flat_map(|step| step.kernel.within()).map(|plan| plan.bytes(precision));
        let scratch = self.steps.iter().map(|step| step.kernel.scratch(precision.dtype().size())).max();
        own.chain(within).try_fold(scratch.unwrap_or(0), |sum: usize, more| sum.checked_add(more?))
    }

    /// Fails if the system refuses the memory that runs need, which would end the program later.
    pub(crate) fn refuse_too_large(&self, precision: Precision) -> Result<()> {
        let mut results = self.outputs.iter().map(|(slot, kind, _)| precision.width(*kind) * slot.len);
        let bytes = self.bytes(precision).and_then(|own| results.try_fold(own, usize::checked_add));
        if bytes.is_some_and(|n| Vec::<u8>::new().try_reserve_exact(n).is_ok()) {
            return Ok(());
        }
        let needs = bytes.map_or_else(|| "more bytes than can be counted".into(), |n| format!("{n} bytes"));
        let why = format!("the plan needs {needs}, which the system refuses");
        let error = Error::new(tensor::Error::Value { op: "compile", why });
        let greatest = self.steps.iter().max_by_key(|s| s.outputs.iter().map(|o| o.len).max());
        Err(match greatest {
            Some(step) => {
                error.placed(step.about.origin.clone()).hint("this step makes the greatest of its values")
            }
            None => error,
        })
    }
}

impl Plan {
    /// One line for each step, below it those of the plans within.
    pub(super) fn write_steps(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let list =
            |slots: &[Slot]| slots.iter().map(|s| format!("b{}", s.buffer)).collect::<Vec<_>>().join(" ");
        for Step { kernel, inputs, outputs, about } in &self.steps {
            let (outputs, inputs, indent) = (list(outputs), list(inputs), "  ".repeat(depth));
            let name = kernel.name();
            writeln!(f, "{indent}{outputs} = {name}({inputs})  {}  ; {}", about.label, about.origin)?;
            let plans = kernel.within();
            for (plan, i) in plans.iter().zip(1..) {
                if plans.len() > 1 {
                    writeln!(f, "{indent}  plan {i} of {}", plans.len())?;
                }
                plan.write_steps(f, depth + 2)?;
            }
        }
        Ok(())
    }
}

const NEVER: usize = usize::MAX;

struct Assigner<'a> {
    lowered: &'a Lowered,
    /// The last step that reads each virtual buffer; [`NEVER`] is read after all steps.
    last: Vec<Option<usize>>,
    real: Vec<Option<usize>>,
    buffers: Vec<(Kind, usize)>,
    /// The free buffers of each kind and length, the last freed at the end.
    free: HashMap<(Kind, usize), Vec<usize>>,
    /// Buffers of constants, inputs and state, which never become free.
    fixed: Vec<bool>,
    /// For the next value of a state: the virtual buffer of the value before, if anything reads or replaces it.
    old: HashMap<usize, usize>,
    reuse: bool,
}

/// Gives every virtual buffer a real one. Without `reuse` each has one of its own.
pub(crate) fn assign(lowered: Lowered, reuse: bool) -> Plan {
    let n = lowered.buffers.len();
    let mut last: Vec<Option<usize>> = vec![None; n];
    for (s, step) in lowered.steps.iter().enumerate() {
        step.inputs.iter().for_each(|&v| last[v] = Some(s));
    }
    let kept = lowered.outputs.iter().map(|o| o.0).chain(lowered.state.iter().map(|s| s.1));
    kept.for_each(|v| last[v] = Some(NEVER));
    let mut a = Assigner {
        lowered: &lowered,
        last,
        real: vec![None; n],
        buffers: Vec::new(),
        free: HashMap::new(),
        fixed: Vec::new(),
        old: old_states(&lowered),
        reuse,
    };
    let mut constants = Vec::new();
    let mut inputs: Vec<_> =
        lowered.inputs.iter().cloned().map(|(name, ty, origin)| (NEVER, name, ty, origin)).collect();
    let mut state: Vec<_> = lowered.state.iter().map(|(start, _)| (NEVER, start.clone())).collect();
    for (v, buffer) in lowered.buffers.iter().enumerate() {
        let place = match &buffer.source {
            Source::Step => continue,
            _ => a.fresh(buffer.kind, buffer.len, true),
        };
        a.real[v] = Some(place);
        match &buffer.source {
            Source::Constant(value, name) => constants.push((place, value.clone(), name.clone())),
            Source::Input(i) => inputs[*i].0 = place,
            Source::State(i) => state[*i].0 = place,
            Source::Step => {}
        }
    }
    let in_place: Vec<Vec<Option<usize>>> = (0..lowered.steps.len()).map(|s| a.step(s)).collect();
    let (real, buffers) = (a.real, a.buffers);
    if cfg!(debug_assertions) {
        verify::held(&lowered, &real, &buffers, &in_place);
    }
    let slot = |v: usize| Slot { buffer: real[v].unwrap_or(0), len: lowered.buffers[v].len };
    let outputs = lowered
        .outputs
        .iter()
        .map(|(v, shape)| (slot(*v), lowered.buffers[*v].kind, shape.clone()))
        .collect();
    let next = lowered.state.iter().map(|s| slot(s.1));
    let carries = next.zip(&state).filter(|(n, s)| n.buffer != s.0).map(|(n, s)| (n, s.0)).collect();
    let slots: Vec<(Vec<Slot>, Vec<Slot>)> = lowered
        .steps
        .iter()
        .map(|s| (s.inputs.iter().map(|v| slot(*v)).collect(), s.outputs.iter().map(|v| slot(*v)).collect()))
        .collect();
    let mut leaves = lowered.leaves;
    for leaf in &mut leaves {
        if let LeafPlace::Buffer(v, _) = &mut leaf.place {
            *v = real[*v].unwrap_or(0);
        }
    }
    let steps = lowered.steps.into_iter().zip(slots).zip(in_place);
    let steps = steps.map(|((step, (inputs, outputs)), in_place)| Step {
        kernel: step.work.bind(in_place),
        inputs,
        outputs,
        about: step.about,
    });
    let state_names = lowered.state_names;
    Plan { steps: steps.collect(), buffers, constants, inputs, state, state_names, carries, outputs, leaves }
}

impl Step {
    /// The error of this step, with the user's line, its operands and advice.
    pub(crate) fn failed(&self, kind: ErrorKind) -> Error {
        let error = Error::new(kind).placed(self.about.origin.clone());
        let operands = self.about.operands.iter().cloned();
        let error = operands.fold(error, |error, (what, ty, origin)| error.operand(what, ty, origin));
        match self.kernel.advice() {
            Some(advice) => error.hint(advice),
            None => error,
        }
    }
}

impl Assigner<'_> {
    fn fresh(&mut self, kind: Kind, len: usize, fixed: bool) -> usize {
        self.buffers.push((kind, len));
        self.fixed.push(fixed);
        self.buffers.len() - 1
    }

    /// Places the outputs of step `s` and frees what it read last; which inputs are held by which outputs.
    fn step(&mut self, s: usize) -> Vec<Option<usize>> {
        let step = &self.lowered.steps[s];
        let mut in_place = vec![None; step.inputs.len()];
        let mut reads = self.reads(s, step);
        for (j, &out) in step.outputs.iter().enumerate() {
            let place = self.home(s, &mut reads, out, &mut in_place, j);
            let place = place.or_else(|| self.over_input(&mut reads, out, &mut in_place, j));
            let place = place.or_else(|| self.recycled(out));
            let (kind, len) = self.spec(out);
            self.real[out] = Some(place.unwrap_or_else(|| self.fresh(kind, len, false)));
        }
        if self.reuse {
            let held: HashSet<usize> = step.outputs.iter().filter_map(|o| self.real[*o]).collect();
            let dead = step.inputs.iter().filter(|v| self.last[**v] == Some(s));
            let unread = step.outputs.iter().filter(|v| self.last[**v].is_none());
            let mut freed: Vec<usize> = dead
                .filter_map(|v| self.real[*v].filter(|r| !held.contains(r)))
                .chain(unread.filter_map(|v| self.real[*v]))
                .filter(|r| !self.fixed[*r])
                .collect();
            freed.sort_unstable();
            freed.dedup();
            freed.into_iter().for_each(|r| self.free.entry(self.buffers[r]).or_default().push(r));
        }
        in_place
    }

    /// Kind and length of a virtual buffer.
    fn spec(&self, v: usize) -> (Kind, usize) {
        (self.lowered.buffers[v].kind, self.lowered.buffers[v].len)
    }

    /// What step `s` reads, if it may work in place.
    fn reads<'s>(&self, s: usize, step: &'s VirtualStep) -> Reads<'s> {
        let mut reads = Reads::default();
        let Task::Map { layouts, .. } = &step.work else { return reads };
        if !self.reuse {
            return reads;
        }
        reads.layouts = layouts;
        for (k, &v) in step.inputs.iter().enumerate() {
            let Some(r) = self.real[v] else { continue };
            reads.of.entry(r).or_default().push(k);
            if self.last[v] == Some(s) && !self.fixed[r] {
                reads.last.entry(self.buffers[r]).or_default().push_back(r);
            }
        }
        reads
    }

    /// The buffer of the state that `out` is the next value of, if nobody needs the old value after this step.
    fn home(
        &self,
        s: usize,
        reads: &mut Reads<'_>,
        out: usize,
        in_place: &mut [Option<usize>],
        j: usize,
    ) -> Option<usize> {
        let old = *self.old.get(&out).filter(|_| self.reuse)?;
        let place = self.real[old]?;
        match self.last[old] {
            Some(last) if last > s => None,
            Some(last) if last == s => reads.claim(place, in_place, j).then_some(place),
            _ => Some(place),
        }
    }

    /// The buffer of an input that is read last by this elementwise step.
    fn over_input(
        &self,
        reads: &mut Reads<'_>,
        out: usize,
        in_place: &mut [Option<usize>],
        j: usize,
    ) -> Option<usize> {
        let spec = self.spec(out);
        // One that cannot be claimed now never can.
        while let Some(place) = reads.last.get_mut(&spec)?.pop_front() {
            if reads.claim(place, in_place, j) {
                return Some(place);
            }
        }
        None
    }

    /// A free buffer of the right kind and length.
    fn recycled(&mut self, out: usize) -> Option<usize> {
        self.free.get_mut(&self.spec(out))?.pop()
    }
}

/// The inputs of a step, by the buffers that they lie in.
#[derive(Default)]
struct Reads<'s> {
    layouts: &'s [Layout],
    /// The inputs that lie in each buffer.
    of: HashMap<usize, Vec<usize>>,
    /// The buffers of each kind and length that nothing reads after this step.
    last: HashMap<(Kind, usize), VecDeque<usize>>,
}

impl Reads<'_> {
    /// Marks the reads of a buffer as held by output `j`, if the step reads each element of it only where it writes
    /// it.
    fn claim(&self, buffer: usize, in_place: &mut [Option<usize>], j: usize) -> bool {
        let Some(reads) = self.of.get(&buffer) else { return false };
        if reads.iter().any(|&k| in_place[k].is_some() || !self.layouts[k].is_contiguous()) {
            return false;
        }
        reads.iter().for_each(|&k| in_place[k] = Some(j));
        true
    }
}

/// For the next value of each state: the virtual buffer of the value before. Where a value is the next one of several
/// states, it is computed where the first of them lies.
fn old_states(lowered: &Lowered) -> HashMap<usize, usize> {
    let mut before = vec![None; lowered.state.len()];
    for (v, buffer) in lowered.buffers.iter().enumerate() {
        if let Source::State(i) = buffer.source {
            before[i] = Some(v);
        }
    }
    let next = lowered.state.iter().map(|(_, next)| *next);
    next.zip(before).rev().filter_map(|(next, old)| Some((next, old?))).collect()
}
