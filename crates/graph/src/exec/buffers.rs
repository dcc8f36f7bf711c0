//! Real buffers for virtual ones, by liveness: a buffer is free again after its last reader.

use std::collections::{HashMap, HashSet, VecDeque};

use chainrule_tensor::Layout;

use super::anomaly::LeafPlace;
use super::call::Call;
use super::fits;
use super::lower::{Lowered, Source, Virtual, VirtualStep};
use super::plan::{Plan, Room, Slot, Step};
use super::verify;
use crate::ir::Type;
use crate::precision::Precision;

const NEVER: usize = usize::MAX;

struct Assigner<'a> {
    lowered: &'a Lowered,
    /// The last step that reads each virtual buffer; [`NEVER`] is read after all steps.
    last: Vec<Option<usize>>,
    real: Vec<Option<usize>>,
    buffers: Vec<Room>,
    /// The free buffers of each kind, format and length, the last freed at the end.
    free: HashMap<Room, Vec<usize>>,
    /// Buffers of constants, inputs and state, which never become free.
    fixed: Vec<bool>,
    /// For the next value of a state: the virtual buffer of the value before, if anything reads or replaces it.
    old: HashMap<usize, usize>,
    reuse: bool,
}

/// Gives every virtual buffer a real one. Without `reuse` each has one of its own.
pub(crate) fn assign(lowered: Lowered, reuse: bool, precision: Precision) -> Plan {
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
            _ => a.fresh(a.spec(v), true),
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
        .map(|(v, shape)| (slot(*v), Type { kind: lowered.buffers[*v].kind, shape: shape.clone() }))
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
        call: step.call.bind(in_place),
        inputs,
        outputs,
        about: step.about,
    });
    let state_names = lowered.state_names;
    let steps = steps.collect();
    let plan =
        Plan { precision, buffers, steps, constants, inputs, state, state_names, carries, outputs, leaves };
    if cfg!(debug_assertions)
        && let Err(why) = fits::plan(&plan)
    {
        panic!("a plan that cannot run: {why}\n{plan}");
    }
    plan
}

impl Assigner<'_> {
    fn fresh(&mut self, room: Room, fixed: bool) -> usize {
        self.buffers.push(room);
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
            let room = self.spec(out);
            self.real[out] = Some(place.unwrap_or_else(|| self.fresh(room, false)));
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

    /// What a virtual buffer needs room for.
    fn spec(&self, v: usize) -> Room {
        let Virtual { kind, format, len, .. } = self.lowered.buffers[v];
        Room { kind, format, len }
    }

    /// What step `s` reads, if it may work in place.
    fn reads<'s>(&self, s: usize, step: &'s VirtualStep) -> Reads<'s> {
        let mut reads = Reads::default();
        let Call::Map { layouts, .. } = &step.call else { return reads };
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
    /// The buffers of each kind, format and length that nothing reads after this step.
    last: HashMap<Room, VecDeque<usize>>,
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
