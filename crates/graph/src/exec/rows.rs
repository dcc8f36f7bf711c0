//! Steps over the same rows become one, which does them all on a block of rows before it goes on to the next: a map with the
//! reductions of what it makes, reductions with the maps that read them at every row. What lies between them is not stored.

use std::cmp::Reverse;
use std::collections::HashSet;

use chainrule_tensor::Layout;
use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::reduce::Reduction;
use chainrule_tensor::kernels::rows::{self, Place};
use rustc_hash::FxHashMap;

use super::call::{Call, RowStep, RowWork};
use super::plan::{Plan, Room, Slot, Step};

/// Values of fewer elements stay in the nearest cache by themselves.
const WORTH_A_PASS: usize = 1 << 10;
/// Steps of a pass, so that what lies between them fits the cache of a core.
const MOST: usize = 16;

/// Steps that become one. It stands where the first of them stood.
struct Group {
    /// By position among all steps.
    members: Vec<usize>,
    /// How many rows there are, and their length; known from the first reduction on.
    dims: Option<[usize; 2]>,
}

impl Group {
    /// The elements a row of a value, or of a step, of `len` elements in all.
    fn width(&self, len: usize) -> Option<usize> {
        let [rows, n] = self.dims?;
        [n, 1].into_iter().find(|width| rows * width == len)
    }
}

struct Grouper<'a> {
    steps: &'a [Step],
    buffers: &'a [Room],
    /// The step that writes each buffer, if one does.
    writer: Vec<Option<usize>>,
    /// The next values of states: those are computed in place, which a pass does not do.
    updates: HashSet<usize>,
    groups: Vec<Group>,
    /// The group of each step looked at so far.
    of: Vec<usize>,
}

/// Puts steps over the same rows together, in a plan that writes every buffer once.
pub(crate) fn group(plan: &mut Plan) {
    let mut writer = vec![None; plan.buffers.len()];
    for (s, step) in plan.steps.iter().enumerate() {
        step.outputs.iter().for_each(|y| writer[y.buffer] = Some(s));
    }
    let (steps, buffers) = (&plan.steps[..], &plan.buffers[..]);
    let updates = plan.carries.iter().map(|(next, _)| next.buffer).collect();
    let mut grouper = Grouper { steps, buffers, writer, updates, groups: Vec::new(), of: Vec::new() };
    (0..steps.len()).for_each(|s| grouper.place(s));
    let Grouper { writer, groups, of, .. } = grouper;
    if groups.len() == steps.len() {
        return;
    }
    // What is read by steps of other groups, or after all steps.
    let mut stored: HashSet<usize> = plan.results().collect();
    for (s, step) in steps.iter().enumerate() {
        let read = step.inputs.iter().map(|x| x.buffer);
        stored.extend(read.filter(|b| writer[*b].is_some_and(|w| of[w] != of[s])));
    }
    let mut steps: Vec<Option<Step>> = std::mem::take(&mut plan.steps).into_iter().map(Some).collect();
    for Group { members, dims } in groups {
        let mut members: Vec<Step> = members.into_iter().filter_map(|s| steps[s].take()).collect();
        plan.steps.extend(match dims {
            Some(dims) if members.len() > 1 => Some(pass(members, dims, &plan.buffers, &stored)),
            _ => members.pop(),
        });
    }
    drop_unused(plan);
}

/// Takes out the buffers that nothing lies in any more.
fn drop_unused(plan: &mut Plan) {
    let mut used = vec![false; plan.buffers.len()];
    plan.given().for_each(|b| used[b] = true);
    plan.steps.iter().flat_map(|s| &s.outputs).for_each(|y| used[y.buffer] = true);
    let mut left = 0..;
    let now: Vec<Option<usize>> = used.iter().map(|used| used.then(|| left.next()).flatten()).collect();
    let buffers = plan.buffers.iter().zip(used).filter(|(_, used)| *used).map(|(room, _)| *room).collect();
    plan.move_to(buffers, &now);
}

impl Grouper<'_> {
    /// Puts step `s` into the last group that it can join, or into one of its own.
    fn place(&mut self, s: usize) {
        let mut before: Vec<usize> =
            self.steps[s].inputs.iter().filter_map(|x| self.writer[x.buffer]).map(|w| self.of[w]).collect();
        before.sort_unstable_by_key(|g| Reverse(*g));
        before.dedup();
        // Groups are made in the order in which they stand. All but the last that `s` waits for stand before that one.
        let joined = before.first().and_then(|g| Some((*g, self.joined(*g, s)?)));
        self.of.push(match joined {
            Some((g, dims)) => {
                self.groups[g].members.push(s);
                self.groups[g].dims = Some(dims);
                g
            }
            None => {
                self.groups.push(Group { members: vec![s], dims: self.rows(s) });
                self.groups.len() - 1
            }
        });
    }

    /// The operation and the rows of a reduction that can be part of a pass.
    fn reduction(&self, s: usize) -> Option<(Reduction, [usize; 2])> {
        let Call::Reduce { op, dims: [rows, n, 1] } = self.steps[s].call else { return None };
        let real = self.buffers[self.steps[s].inputs[0].buffer].kind == Kind::Real;
        let fits = real && rows * n >= WORTH_A_PASS && rows::fits(op, [rows, n]);
        fits.then_some((op, [rows, n]))
    }

    /// The rows that a pass beginning with `s` is over, if they are known.
    fn rows(&self, s: usize) -> Option<[usize; 2]> {
        self.reduction(s).map(|(_, dims)| dims)
    }

    /// The rows that group `g`, which makes something that `s` reads, is over once `s` joins it; `None` if it cannot.
    fn joined(&self, g: usize, s: usize) -> Option<[usize; 2]> {
        let (group, step) = (&self.groups[g], &self.steps[s]);
        let first = &self.steps[group.members[0]];
        let open = matches!(first.call, Call::Map { .. }) || group.dims.is_some();
        let updates = |step: &Step| step.outputs.iter().any(|y| self.updates.contains(&y.buffer));
        if !open || group.members.len() == MOST || updates(step) || updates(first) {
            return None;
        }
        let inside = |b: usize| self.writer[b].is_some_and(|w| self.of[w] == g);
        match &step.call {
            Call::Map { shape, layouts, .. } => {
                let [rows, n] = group.dims?;
                let at_end = rows::reduced_at_end([rows, n]);
                let own = group.width(shape.size())?;
                let fits = |(x, layout): (&Slot, &Layout)| {
                    let width = group.width(x.len);
                    !inside(x.buffer)
                        || width.is_some_and(|w| aligned(layout, rows, w, own) && (!at_end || w == n))
                };
                (!at_end || own == n).then_some(())?;
                step.inputs.iter().zip(layouts).all(fits).then_some([rows, n])
            }
            _ => {
                let (_, [rows, n]) = self.reduction(s)?;
                let whole = step.inputs[0].len == rows * n;
                (whole && group.dims.is_none_or(|dims| dims == [rows, n])).then_some([rows, n])
            }
        }
    }
}

/// Whether a step with `own` elements in each of `rows` rows reads a value with `width` at the same row, from front to back.
pub(super) fn aligned(layout: &Layout, rows: usize, width: usize, own: usize) -> bool {
    if width == own {
        return layout.is_contiguous();
    }
    let mut stride = 1;
    let mut leading = 0;
    for (i, (n, s)) in layout.shape.iter().zip(&layout.strides).enumerate().rev() {
        // From the last axis on all repeat what they hold, then come the rows.
        let repeats = layout.shape[..=i].iter().product::<usize>() > rows;
        let fits = match repeats {
            true => *s == 0,
            false => *n == 1 || *s == stride,
        };
        if !fits {
            return false;
        }
        if !repeats {
            stride *= *n as isize;
            leading = leading.max(i + 1);
        }
    }
    width == 1 && layout.offset == 0 && layout.shape[..leading].iter().product::<usize>() == rows
}

/// One step in the place of `members`.
fn pass(members: Vec<Step>, dims: [usize; 2], buffers: &[Room], stored: &HashSet<usize>) -> Step {
    let (mut inputs, mut outputs, mut locals) = (Vec::new(), Vec::new(), 0);
    let mut places: FxHashMap<usize, Place> = FxHashMap::default();
    let mut steps = Vec::new();
    let mut labels = Vec::new();
    let (mut shape, mut last) = (None, None);
    for member in members {
        let input = |x: Slot, inputs: &mut Vec<Slot>| {
            inputs.push(x);
            Place::Input(inputs.len() - 1)
        };
        let reads = member
            .inputs
            .iter()
            .map(|x| *places.entry(x.buffer).or_insert_with(|| input(*x, &mut inputs)))
            .collect();
        let mut writes = Vec::new();
        for y in member.outputs {
            let place = if stored.contains(&y.buffer) || buffers[y.buffer].kind != Kind::Real {
                outputs.push(y);
                shape.get_or_insert_with(|| member.about.shape.clone());
                Place::Output(outputs.len() - 1)
            } else {
                locals += 1;
                Place::Local(locals - 1)
            };
            places.insert(y.buffer, place);
            writes.push(place);
        }
        let work = match member.call {
            Call::Map { program, shape, layouts, .. } => RowWork::Map { program, shape, layouts },
            Call::Reduce { op, .. } => RowWork::Reduce(op),
            call => unreachable!("{} is no part of a pass", call.name()),
        };
        steps.push(RowStep { work, reads, writes });
        labels.push(member.about.label.clone());
        last = Some(member.about);
    }
    let Some(mut about) = last else { unreachable!("a pass has members") };
    about.label = labels.join(", ");
    (about.operands, about.operations) = (Vec::new(), Vec::new());
    about.shape = shape.unwrap_or(about.shape);
    Step { call: Call::Rows { dims, steps }, inputs, outputs, about }
}
