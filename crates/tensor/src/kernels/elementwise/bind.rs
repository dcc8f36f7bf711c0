//! A program bound to a shape and to the layouts of its inputs: registers assigned, reads and writes decided.

use super::load::Walk;
use super::memory::block;
use super::{Binary, Compare, Definition, Program, Reg, Scalar, Unary};
use crate::kernels::Kind;
use crate::{Layout, Shape};

/// A [`Program`] ready to run over one shape; made once, at planning time.
#[derive(Debug)]
pub struct Kernel {
    /// Number of elements of each output.
    pub(super) len: usize,
    /// What is the same for every block: constants and inputs that repeat one element.
    pub(super) fills: Vec<(usize, Kind, Fill)>,
    pub(super) code: Vec<Code>,
    /// Where each contiguous input begins.
    pub(super) offsets: Vec<usize>,
    pub(super) walks: Vec<Walk>,
    /// Number of outputs.
    pub(super) outputs: usize,
    /// Registers of each kind: reals, integers, truth values.
    pub(super) registers: [usize; 3],
    /// Elements of a block, and of a register.
    pub(super) block: usize,
    /// Rough cost of one element in tenths of a nanosecond.
    pub(super) cost: usize,
}

/// Where an operand of the present block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Register(usize),
    Input(usize),
    Output(usize),
}

/// What a register holds throughout a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fill {
    Constant(Scalar),
    Element { input: usize, at: usize },
}

/// One instruction on blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code {
    pub(super) op: Op,
    /// The kind of the operands (of the branches, for a select).
    pub(super) kind: Kind,
    pub(super) to: Place,
    pub(super) args: [Place; 3],
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    /// Gathers a strided input: which input, by which walk.
    Load(usize, usize),
    Fill(Fill),
    Unary(Unary),
    Binary(Binary),
    Compare(Compare),
    Select,
    Cast(Kind),
    Copy,
}

const END: usize = usize::MAX;
/// With more numbers than this, each gets its register only for as long as it is read.
const FILLS: usize = 32;

impl Kernel {
    /// Binds `program` to `shape`. Input `k` lies as `inputs[k]` says, whose shape is `shape` (broadcast axes
    /// have stride 0). `in_place[k] = Some(j)` says that input `k` is what output `j`'s buffer holds before the
    /// run: its layout is contiguous, and the slice given for it is ignored.
    ///
    /// # Panics
    /// If a layout has another shape, or the number of layouts is not the number of inputs.
    pub fn new(program: &Program, shape: &Shape, inputs: &[Layout], in_place: &[Option<usize>]) -> Kernel {
        assert!(
            inputs.len() == program.inputs && in_place.len() == program.inputs,
            "a layout for each input"
        );
        assert!(inputs.iter().all(|l| l.shape == *shape), "layouts have the shape {shape}");
        Binder::new(program, inputs, in_place).bind(shape.size())
    }

    /// The number of inputs, of outputs, and of elements of each output.
    pub(in crate::kernels) fn sizes(&self) -> (usize, usize, usize) {
        (self.offsets.len(), self.outputs, self.len)
    }

    /// Rough cost of one element in tenths of a nanosecond.
    pub(in crate::kernels) fn cost(&self) -> usize {
        self.cost
    }
}

struct Binder<'a> {
    program: &'a Program,
    inputs: &'a [Layout],
    in_place: &'a [Option<usize>],
    /// The last instruction that reads each value; [`END`] if it is copied to an output after all of them.
    last: Vec<Option<usize>>,
    places: Vec<Option<Place>>,
    /// Whether a value's register keeps what it holds from block to block.
    filled: Vec<bool>,
    /// Whether there are too many numbers for that.
    crowded: bool,
    free: [Vec<usize>; 3],
    kernel: Kernel,
}

fn bank(kind: Kind) -> usize {
    match kind {
        Kind::Real => 0,
        Kind::Int => 1,
        Kind::Truth => 2,
    }
}

impl<'a> Binder<'a> {
    fn new(program: &'a Program, inputs: &'a [Layout], in_place: &'a [Option<usize>]) -> Self {
        let mut last = vec![None; program.values.len()];
        for (i, (definition, _)) in program.values.iter().enumerate() {
            Program::operands(definition).for_each(|r| last[r.index as usize] = Some(i));
        }
        let kernel = Kernel {
            len: 0,
            fills: Vec::new(),
            code: Vec::new(),
            offsets: inputs.iter().map(|l| l.offset).collect(),
            walks: Vec::new(),
            outputs: program.outputs.len(),
            registers: [0; 3],
            block: 0,
            cost: 0,
        };
        let places = vec![None; program.values.len()];
        let filled = vec![false; program.values.len()];
        let same = |(definition, _): &&(Definition, Kind)| match definition {
            Definition::Constant(_) => true,
            Definition::Input(k) => in_place[*k].is_none() && inputs[*k].is_splat(),
            _ => false,
        };
        let crowded = program.values.iter().filter(same).nth(FILLS).is_some();
        Binder { program, inputs, in_place, last, places, filled, crowded, free: Default::default(), kernel }
    }

    fn bind(mut self, len: usize) -> Kernel {
        self.kernel.len = len;
        self.kernel.cost = self.inputs.len() + self.program.outputs.len();
        let direct = self.direct_outputs();
        let emitted = self.emitted();
        for (i, (definition, kind)) in self.program.values.iter().enumerate() {
            if self.last[i].is_none() {
                continue;
            }
            match *definition {
                Definition::Constant(value) => self.fill(i, *kind, Fill::Constant(value)),
                Definition::Input(k) => self.input(i, k, *kind, &emitted),
                _ => self.instruction(i, *kind, direct[i]),
            }
            self.release(i);
        }
        for (j, reg) in self.program.outputs.iter().enumerate() {
            let from = self.place(*reg);
            if from != Place::Output(j) {
                self.copy(from, reg.kind, Place::Output(j));
            }
        }
        self.kernel.block = block(len, self.kernel.registers);
        self.kernel
    }

    /// The outputs that each value is, the first one, and whether there are more.
    fn emitted(&self) -> Vec<Option<(usize, bool)>> {
        let mut emitted = vec![None; self.program.values.len()];
        for (j, reg) in self.program.outputs.iter().enumerate() {
            let of = &mut emitted[reg.index as usize];
            *of = Some(of.map_or((j, false), |(first, _)| (first, true)));
        }
        emitted
    }

    /// The outputs that can be computed where they belong: nothing reads the old content any more.
    fn direct_outputs(&mut self) -> Vec<Option<usize>> {
        let mut direct = vec![None; self.program.values.len()];
        // The last instruction that reads what each output held before the run.
        let mut old = vec![None; self.program.outputs.len()];
        for (i, (definition, _)) in self.program.values.iter().enumerate() {
            if let Definition::Input(k) = definition
                && let Some(j) = self.in_place[*k]
            {
                old[j] = old[j].max(self.last[i]);
            }
        }
        for (j, reg) in self.program.outputs.iter().enumerate() {
            let v = reg.index as usize;
            let computed =
                !matches!(self.program.values[v].0, Definition::Input(_) | Definition::Constant(_));
            if computed && direct[v].is_none() && old[j].is_none_or(|last| last < v) {
                direct[v] = Some(j);
            }
            if let Definition::Input(k) = self.program.values[v].0
                && let Some(held) = self.in_place[k]
            {
                old[held] = Some(END);
            }
            // Never released: it is there at the end.
            self.last[v] = Some(END);
        }
        direct
    }

    fn place(&self, reg: Reg) -> Place {
        match self.places[reg.index as usize] {
            Some(place) => place,
            None => unreachable!("operands are defined before their users"),
        }
    }

    fn register(&mut self, kind: Kind) -> usize {
        let b = bank(kind);
        self.free[b].pop().unwrap_or_else(|| {
            self.kernel.registers[b] += 1;
            self.kernel.registers[b] - 1
        })
    }

    /// A register that holds one value throughout: filled once and never released, if there are few.
    fn fill(&mut self, i: usize, kind: Kind, fill: Fill) {
        if self.crowded {
            let to = Place::Register(self.register(kind));
            self.places[i] = Some(to);
            self.kernel.cost += 1;
            self.kernel.code.push(Code { op: Op::Fill(fill), kind, to, args: [to; 3] });
            return;
        }
        self.filled[i] = true;
        // A register of its own: one that was in use before would be overwritten in the next block.
        let register = self.kernel.registers[bank(kind)];
        self.kernel.registers[bank(kind)] += 1;
        self.kernel.fills.push((register, kind, fill));
        self.places[i] = Some(Place::Register(register));
    }

    fn input(&mut self, i: usize, k: usize, kind: Kind, emitted: &[Option<(usize, bool)>]) {
        let layout = &self.inputs[k];
        if let Some(j) = self.in_place[k] {
            let old = Place::Output(j);
            // Also the value of another output: saved, because outputs may change places.
            let saved = emitted[i].is_some_and(|(first, more)| more || first != j);
            let place = if saved { Place::Register(self.register(kind)) } else { old };
            if saved {
                self.copy(old, kind, place);
            }
            self.places[i] = Some(place);
        } else if (Layout { offset: 0, ..layout.clone() }).is_contiguous() {
            self.places[i] = Some(Place::Input(k));
        } else if layout.is_splat() {
            self.fill(i, kind, Fill::Element { input: k, at: layout.offset });
        } else {
            let walk = Walk::new(layout);
            self.kernel.cost += walk.cost();
            self.kernel.walks.push(walk);
            let to = Place::Register(self.register(kind));
            self.places[i] = Some(to);
            let op = Op::Load(k, self.kernel.walks.len() - 1);
            self.kernel.code.push(Code { op, kind, to, args: [to; 3] });
        }
    }

    fn copy(&mut self, from: Place, kind: Kind, to: Place) {
        self.kernel.code.push(Code { op: Op::Copy, kind, to, args: [from; 3] });
    }

    fn instruction(&mut self, i: usize, kind: Kind, direct: Option<usize>) {
        let definition = &self.program.values[i].0;
        let to = match direct {
            Some(j) => Place::Output(j),
            None => Place::Register(self.register(kind)),
        };
        let mut args = [to; 3];
        for (slot, reg) in args.iter_mut().zip(Program::operands(definition)) {
            *slot = self.place(reg);
        }
        let (op, kind) = match *definition {
            Definition::Unary(op, x) => (Op::Unary(op), x.kind),
            Definition::Binary(op, x, _) => (Op::Binary(op), x.kind),
            Definition::Compare(op, x, _) => (Op::Compare(op), x.kind),
            Definition::Select(_, yes, _) => (Op::Select, yes.kind),
            Definition::Cast(x) => (Op::Cast(kind), x.kind),
            Definition::Input(_) | Definition::Constant(_) => unreachable!("bound elsewhere"),
        };
        self.kernel.cost += match op {
            Op::Unary(op) => op.cost(),
            Op::Binary(Binary::Pow) => 100,
            Op::Binary(Binary::Div) => 4,
            _ => 1,
        };
        self.places[i] = Some(to);
        self.kernel.code.push(Code { op, kind, to, args });
    }

    /// Frees the registers of operands that value `i` was the last to read.
    fn release(&mut self, i: usize) {
        let mut operands: Vec<Reg> = Program::operands(&self.program.values[i].0).collect();
        operands.sort_unstable_by_key(|r| r.index);
        operands.dedup();
        for reg in operands.into_iter().filter(|r| self.last[r.index as usize] == Some(i)) {
            let v = reg.index as usize;
            if let (Some(Place::Register(r)), false) = (self.places[v], self.filled[v]) {
                self.free[bank(reg.kind)].push(r);
            }
        }
    }
}
