//! What holds of every plan, looked at after each pass in debug builds: a plan that breaks it is a fault of the planner.

use std::collections::HashMap;

use chainrule_tensor::Layout;

use super::call::Call;
use super::lower::{Lowered, Source};
use super::plan::Room;

/// Every buffer is given or written by one step, before it is read; views lie within what they are views of.
///
/// # Panics
/// If not.
pub(crate) fn written(lowered: &Lowered) {
    let mut is_there: Vec<bool> = lowered.buffers.iter().map(|b| !matches!(b.source, Source::Step)).collect();
    for step in &lowered.steps {
        let at = || format!("[{}] at {}", step.about.label, step.about.origin);
        for v in &step.inputs {
            assert!(is_there[*v], "{} reads buffer {v} before it is written", at());
        }
        for v in &step.outputs {
            assert!(!is_there[*v], "{} writes buffer {v}, which is there already", at());
            is_there[*v] = true;
        }
        let Call::Map { layouts, shape, .. } = &step.call else { continue };
        for (v, layout) in step.inputs.iter().zip(layouts) {
            assert!(lies_within(layout, lowered.buffers[*v].len), "{} reads beyond buffer {v}", at());
            assert_eq!(layout.shape, *shape, "{} reads buffer {v} in another shape", at());
        }
        for v in &step.outputs {
            assert_eq!(lowered.buffers[*v].len, shape.size(), "{} writes part of buffer {v}", at());
        }
    }
    let results = lowered.outputs.iter().map(|o| o.0).chain(lowered.state.iter().map(|s| s.1));
    results.for_each(|v| assert!(is_there[v], "the result in buffer {v} is never written"));
}

/// Whether all elements of `layout` lie within `len` elements.
pub(super) fn lies_within(layout: &Layout, len: usize) -> bool {
    if layout.shape.size() == 0 {
        return true;
    }
    let mut ends = layout.shape.iter().zip(&layout.strides).map(|(n, s)| (*n as i128 - 1) * *s as i128);
    let start = layout.offset as i128;
    let reach = |(first, last): (i128, i128), end: i128| (first + end.min(0), last + end.max(0));
    let (first, last) = ends.by_ref().fold((start, start), reach);
    first >= 0 && last < len as i128
}

/// Every value is still where it was put when it is read: no step writes over what is needed later, or over what it reads
/// itself, unless it works in place. Values lie in memory of their kind and size.
///
/// # Panics
/// If not.
pub(crate) fn held(
    lowered: &Lowered,
    real: &[Option<usize>],
    buffers: &[Room],
    in_place: &[Vec<Option<usize>>],
) {
    let place = |v: usize| real[v].unwrap_or_else(|| panic!("value {v} has no memory"));
    let mut holds: Vec<Option<usize>> = vec![None; buffers.len()];
    let given = |v: &usize| !matches!(lowered.buffers[*v].source, Source::Step);
    (0..lowered.buffers.len()).filter(given).for_each(|v| holds[place(v)] = Some(v));
    for (step, in_place) in lowered.steps.iter().zip(in_place) {
        let at = || format!("[{}] at {}", step.about.label, step.about.origin);
        for v in &step.inputs {
            assert_eq!(holds[place(*v)], Some(*v), "{} reads value {v}, which was written over", at());
        }
        let mut made: HashMap<usize, usize> = HashMap::with_capacity(step.outputs.len());
        for (j, out) in step.outputs.iter().enumerate() {
            let room = buffers[place(*out)];
            let value = &lowered.buffers[*out];
            let suits = room.kind == value.kind && room.format == value.format && room.len >= value.len;
            assert!(suits, "{} puts value {out} where it has no room", at());
            assert!(made.insert(place(*out), j).is_none(), "{} puts two values in one place", at());
            holds[place(*out)] = Some(*out);
        }
        for (k, v) in step.inputs.iter().enumerate() {
            let over = made.get(&place(*v)).copied();
            assert_eq!(over, in_place[k], "{} writes another value than it says over its input {k}", at());
        }
    }
    let results = lowered.outputs.iter().map(|o| o.0).chain(lowered.state.iter().map(|s| s.1));
    results.for_each(|v| assert_eq!(holds[place(v)], Some(v), "the result {v} was written over"));
}
