//! Values share buffers, by liveness: a buffer is free again after its last reader.

use std::collections::{HashMap, HashSet, VecDeque};

use super::call::Call;
use super::plan::{Plan, Room, Step};

const NEVER: usize = usize::MAX;

/// Finds new buffers for those of a plan that writes each once, its *values*.
struct Sharer<'a> {
    plan: &'a Plan,
    /// The last step that reads each value; [`NEVER`] is read after all steps.
    last: Vec<Option<usize>>,
    /// The new buffer of each value.
    place: Vec<Option<usize>>,
    buffers: Vec<Room>,
    /// The free buffers of each kind, format and length, the last freed at the end.
    free: HashMap<Room, Vec<usize>>,
    /// How many buffers hold constants, inputs and state. They come first, and never become free.
    fixed: usize,
    /// For the next value of a state: the value before. Where a value is the next one of several states, it is computed
    /// where the first of them lies.
    old: HashMap<usize, usize>,
}

/// Lets values share buffers, in a plan that writes every buffer once.
pub(crate) fn share(plan: &mut Plan) {
    let values = plan.buffers.len();
    let mut last: Vec<Option<usize>> = vec![None; values];
    for (s, step) in plan.steps.iter().enumerate() {
        step.inputs.iter().for_each(|x| last[x.buffer] = Some(s));
    }
    plan.results().for_each(|v| last[v] = Some(NEVER));
    let mut given: Vec<usize> = plan.given().collect();
    given.sort_unstable();
    let mut place = vec![None; values];
    given.iter().zip(0..).for_each(|(v, at)| place[*v] = Some(at));
    let mut sharer = Sharer {
        last,
        place,
        buffers: given.iter().map(|v| plan.buffers[*v]).collect(),
        free: HashMap::new(),
        fixed: given.len(),
        old: plan.carries.iter().rev().map(|(next, old)| (next.buffer, *old)).collect(),
        plan,
    };
    let in_place: Vec<Vec<Option<usize>>> =
        plan.steps.iter().enumerate().map(|(s, step)| sharer.step(s, step)).collect();
    let Sharer { place, buffers, .. } = sharer;
    plan.move_to(buffers, &place);
    for (step, held) in plan.steps.iter_mut().zip(in_place) {
        step.call.hold(held);
    }
}

impl Sharer<'_> {
    /// Places what step `s` makes and frees what it read last; which inputs are held by which outputs.
    fn step(&mut self, s: usize, step: &Step) -> Vec<Option<usize>> {
        let mut in_place = vec![None; step.inputs.len()];
        let mut reads = self.reads(s, step);
        for (j, y) in step.outputs.iter().enumerate() {
            let room = self.plan.buffers[y.buffer];
            let place = self.home(s, &mut reads, y.buffer, &mut in_place, j);
            let place = place.or_else(|| self.over_input(&mut reads, room, &mut in_place, j));
            let place = place.or_else(|| self.free.get_mut(&room)?.pop());
            self.place[y.buffer] = Some(place.unwrap_or_else(|| {
                self.buffers.push(room);
                self.buffers.len() - 1
            }));
        }
        let held: HashSet<usize> = step.outputs.iter().filter_map(|y| self.place[y.buffer]).collect();
        let dead = step.inputs.iter().filter(|x| self.last[x.buffer] == Some(s));
        let unread = step.outputs.iter().filter(|y| self.last[y.buffer].is_none());
        let mut freed: Vec<usize> = dead
            .filter_map(|x| self.place[x.buffer].filter(|at| !held.contains(at)))
            .chain(unread.filter_map(|y| self.place[y.buffer]))
            .filter(|at| *at >= self.fixed)
            .collect();
        freed.sort_unstable();
        freed.dedup();
        freed.into_iter().for_each(|at| self.free.entry(self.buffers[at]).or_default().push(at));
        in_place
    }

    /// What step `s` reads, if it may work in place.
    fn reads<'s>(&self, s: usize, step: &'s Step) -> Reads<'s> {
        let mut reads = Reads { call: Some(&step.call), ..Reads::default() };
        for (k, x) in step.inputs.iter().enumerate() {
            let Some(at) = self.place[x.buffer] else { continue };
            reads.of.entry(at).or_default().push(k);
            if !step.call.may_hold(k) {
                continue;
            }
            if self.last[x.buffer] == Some(s) && at >= self.fixed {
                reads.last.entry(self.buffers[at]).or_default().push_back(at);
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
        let old = *self.old.get(&out)?;
        let place = self.place[old]?;
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
        room: Room,
        in_place: &mut [Option<usize>],
        j: usize,
    ) -> Option<usize> {
        // One that cannot be claimed now never can.
        while let Some(place) = reads.last.get_mut(&room)?.pop_front() {
            if reads.claim(place, in_place, j) {
                return Some(place);
            }
        }
        None
    }
}

/// The inputs of a step, by the buffers that they lie in.
#[derive(Default)]
struct Reads<'s> {
    call: Option<&'s Call>,
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
        if reads.iter().any(|&k| in_place[k].is_some() || !self.call.is_some_and(|call| call.may_hold(k))) {
            return false;
        }
        reads.iter().for_each(|&k| in_place[k] = Some(j));
        true
    }
}
