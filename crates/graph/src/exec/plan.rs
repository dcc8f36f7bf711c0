//! What a run does, as data.

use std::collections::HashSet;
use std::fmt;

use chainrule_tensor as tensor;
use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{DType, Format, Shape, Tensor};

use super::anomaly::{Leaf, LeafPlace, Watch};
use super::call::Call;
use super::operation::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::origin::Origin;
use crate::precision::Precision;
use crate::types::{Type, type_of};

/// Part of a buffer, from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) buffer: usize,
    pub(crate) len: usize,
}

/// What a buffer has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Room {
    pub(crate) kind: Kind,
    /// What reals are known to be rounded to; `None` has the width of the plan.
    pub(crate) format: Option<Format>,
    pub(crate) len: usize,
}

impl Room {
    /// Bytes of an element, with reals of this width.
    pub(crate) fn width(self, precision: Precision) -> usize {
        if self.format.is_some() { 2 } else { precision.width(self.kind) }
    }
}

/// One step of a plan.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) call: Call,
    pub(crate) inputs: Vec<Slot>,
    pub(crate) outputs: Vec<Slot>,
    pub(crate) about: About,
}

/// What is said of a step: in dumps, pictures and errors.
#[derive(Clone)]
pub(crate) struct About {
    pub(crate) origin: Origin,
    pub(crate) label: String,
    /// The operands of a single operation, for its error if it fails.
    pub(crate) operands: Vec<(String, Type, Origin)>,
    /// In anomaly mode: what to look at after the step.
    pub(crate) watch: Option<Watch>,
    /// The shape of its outputs, and what it does if it is elementwise; for pictures.
    pub(crate) shape: Shape,
    pub(crate) operations: Vec<Operation>,
}

/// What a run does: calls on buffers, in order. All that an executor needs, and no more.
///
/// Plans are equal if they do the same with the same numbers; which lines of a program they come from is no part of that.
#[derive(Clone)]
pub struct Plan {
    /// The width of reals.
    pub(crate) precision: Precision,
    pub(crate) buffers: Vec<Room>,
    pub(crate) steps: Vec<Step>,
    /// The buffer of each value known at planning time, and the name of the leaf, if it is one.
    pub(crate) constants: Vec<(usize, Tensor, Option<String>)>,
    pub(crate) inputs: Vec<(usize, String, Type, Origin)>,
    /// The buffer of each state and its start value.
    pub(crate) state: Vec<(usize, Tensor)>,
    pub(crate) state_names: Vec<String>,
    /// Copies that bring a state's next value home where it could not be computed in place: (from, to).
    pub(crate) carries: Vec<(Slot, usize)>,
    pub(crate) outputs: Vec<(Slot, Type)>,
    /// In anomaly mode: what to look at before a run.
    pub(crate) leaves: Vec<Leaf>,
}

impl Plan {
    /// One that does nothing.
    pub(crate) fn empty(precision: Precision) -> Plan {
        Plan {
            precision,
            buffers: Vec::new(),
            steps: Vec::new(),
            constants: Vec::new(),
            inputs: Vec::new(),
            state: Vec::new(),
            state_names: Vec::new(),
            carries: Vec::new(),
            outputs: Vec::new(),
            leaves: Vec::new(),
        }
    }

    /// The buffers that hold a value before the first step.
    pub(crate) fn given(&self) -> impl Iterator<Item = usize> {
        let constants = self.constants.iter().map(|c| c.0);
        constants.chain(self.inputs.iter().map(|i| i.0)).chain(self.state.iter().map(|s| s.0))
    }

    /// The buffers that are read after all steps.
    pub(crate) fn results(&self) -> impl Iterator<Item = usize> {
        self.outputs.iter().map(|o| o.0.buffer).chain(self.carries.iter().map(|c| c.0.buffer))
    }

    /// Puts the value of each buffer into the one of `buffers` that `now` says; none lies where it says `None`. The next value of
    /// a state that lies at home then need not be carried there.
    pub(crate) fn move_to(&mut self, buffers: Vec<Room>, now: &[Option<usize>]) {
        self.buffers = buffers;
        let place = |buffer: &mut usize| match now[*buffer] {
            Some(at) => *buffer = at,
            None => unreachable!("b{buffer} is used, but lies nowhere"),
        };
        let slots = self.steps.iter_mut().flat_map(|s| s.inputs.iter_mut().chain(&mut s.outputs));
        slots.chain(self.outputs.iter_mut().map(|o| &mut o.0)).for_each(|slot| place(&mut slot.buffer));
        self.constants.iter_mut().for_each(|c| place(&mut c.0));
        self.inputs.iter_mut().for_each(|i| place(&mut i.0));
        self.state.iter_mut().for_each(|s| place(&mut s.0));
        for (from, home) in &mut self.carries {
            place(&mut from.buffer);
            place(home);
        }
        self.carries.retain(|(from, home)| from.buffer != *home);
        for leaf in &mut self.leaves {
            if let LeafPlace::Buffer(buffer, _) = &mut leaf.place {
                place(buffer);
            }
        }
    }

    /// The width of reals.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// What its steps compute, in order.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.steps.iter().map(|step| &step.call)
    }

    /// Bytes of the buffers that are neither arguments nor constants; `None` where they exceed a `usize`.
    pub(crate) fn own_bytes(&self) -> Option<usize> {
        let given: HashSet<usize> =
            self.inputs.iter().map(|i| i.0).chain(self.constants.iter().map(|c| c.0)).collect();
        let own = self.buffers.iter().enumerate().filter(|(i, _)| !given.contains(i));
        own.map(|(_, room)| room.width(self.precision).checked_mul(room.len))
            .try_fold(0_usize, |sum, more| sum.checked_add(more?))
    }

    /// Fails if the system refuses the memory that runs need, which would end the program later: so many `bytes`, and the
    /// results.
    pub(crate) fn refuse_too_large(&self, bytes: Option<usize>) -> Result<()> {
        let mut results =
            self.outputs.iter().map(|(slot, ty)| self.precision.width(ty.kind).checked_mul(slot.len));
        let bytes = bytes.and_then(|own| results.try_fold(own, |sum, more| sum.checked_add(more?)));
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

    /// Elements of 16 bits that a step reads and writes.
    pub(crate) fn halves(&self, step: &Step) -> usize {
        let slots = step.inputs.iter().chain(&step.outputs);
        slots.filter(|s| self.buffers[s.buffer].format.is_some()).map(|s| s.len).sum()
    }

    /// The number of elements of each argument.
    pub(crate) fn argument_lengths(&self) -> impl Iterator<Item = usize> {
        self.inputs.iter().map(|(_, _, ty, _)| ty.shape.size())
    }

    /// Fails if it cannot run with these arguments.
    pub(crate) fn check(&self, arguments: &[Tensor]) -> Result<()> {
        if arguments.len() != self.inputs.len() {
            return Err(count("argument", self.inputs.iter().map(|w| &w.1), arguments.len()));
        }
        for (index, ((_, name, ty, origin), found)) in self.inputs.iter().zip(arguments).enumerate() {
            if *ty != type_of(found) {
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

    /// Fails if its states cannot have these values.
    pub(crate) fn check_state(&self, values: &[Tensor]) -> Result<()> {
        if values.len() != self.state.len() {
            return Err(count("state", self.state_names.iter(), values.len()));
        }
        for (index, (value, (_, start))) in values.iter().zip(&self.state).enumerate() {
            if type_of(value) != type_of(start) {
                let name = self.state_names[index].clone();
                let (expected, found) = (type_of(start).to_string(), type_of(value).to_string());
                return Err(Error::new(ErrorKind::Argument { index, name, expected, found }));
            }
        }
        Ok(())
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

impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        fn all<'a, T: 'a>(
            a: impl IntoIterator<Item = &'a T, IntoIter: ExactSizeIterator>,
            b: impl IntoIterator<Item = &'a T, IntoIter: ExactSizeIterator>,
            same: impl Fn(&T, &T) -> bool,
        ) -> bool {
            let (a, b) = (a.into_iter(), b.into_iter());
            a.len() == b.len() && a.zip(b).all(|(a, b)| same(a, b))
        }
        let step = |a: &Step, b: &Step| {
            a.call == b.call
                && a.inputs == b.inputs
                && a.outputs == b.outputs
                && a.about.label == b.about.label
        };
        self.precision == other.precision
            && self.buffers == other.buffers
            && all(&self.steps, &other.steps, step)
            && all(&self.constants, &other.constants, |a, b| {
                a.0 == b.0 && a.2 == b.2 && same_bits(&a.1, &b.1)
            })
            && all(&self.inputs, &other.inputs, |a, b| (a.0, &a.1, &a.2) == (b.0, &b.1, &b.2))
            && all(&self.state, &other.state, |a, b| a.0 == b.0 && same_bits(&a.1, &b.1))
            && self.state_names == other.state_names
            && self.carries == other.carries
            && self.outputs == other.outputs
    }
}

/// Whether two values are the same, NaN and the sign of 0 included.
fn same_bits(a: &Tensor, b: &Tensor) -> bool {
    let wide = |t: &Tensor| t.to_vec::<f64>().map(|x| x.into_iter().map(f64::to_bits).collect::<Vec<_>>());
    let single = |t: &Tensor| t.to_vec::<f32>().map(|x| x.into_iter().map(f32::to_bits).collect::<Vec<_>>());
    a.shape() == b.shape()
        && match [a.dtype(), b.dtype()] {
            [DType::F32, DType::F32] => single(a) == single(b),
            [DType::F64, DType::F64] => wide(a) == wide(b),
            _ => a == b,
        }
}

/// Its steps.
impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_steps(f, 0)
    }
}

impl Plan {
    /// One line for each step, below it those of the plans within.
    pub(super) fn write_steps(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let list =
            |slots: &[Slot]| slots.iter().map(|s| format!("b{}", s.buffer)).collect::<Vec<_>>().join(" ");
        for Step { call, inputs, outputs, about } in &self.steps {
            let (outputs, inputs, indent) = (list(outputs), list(inputs), "  ".repeat(depth));
            let name = call.name();
            writeln!(f, "{indent}{outputs} = {name}({inputs})  {}  ; {}", about.label, about.origin)?;
            let plans = call.within();
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

impl Step {
    /// The error of this step, with the user's line, its operands and advice.
    pub(crate) fn failed(&self, kind: ErrorKind) -> Error {
        let error = Error::new(kind).placed(self.about.origin.clone());
        let operands = self.about.operands.iter().cloned();
        let error = operands.fold(error, |error, (what, ty, origin)| error.operand(what, ty, origin));
        match self.call.advice() {
            Some(advice) => error.hint(advice),
            None => error,
        }
    }
}
