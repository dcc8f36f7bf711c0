//! Maps and reductions over the same rows as one pass: all steps on one block of rows before the next, so that what lies
//! between them stays in cache and need not be stored.
//!
//! ```
//! use chainrule_tensor::kernels::elementwise::{self, Binary, ProgramBuilder};
//! use chainrule_tensor::kernels::reduce::Reduction;
//! use chainrule_tensor::kernels::rows::{Kernel, Place, Step, Work};
//! use chainrule_tensor::kernels::{Kind, Slice, SliceMut};
//! use chainrule_tensor::{Layout, Shape};
//!
//! // The sum of the squares of each row.
//! let mut program = ProgramBuilder::new();
//! let x = program.input(Kind::Real);
//! let square = program.binary(Binary::Mul, x, x);
//! program.output(square);
//! let (shape, layout) = (Shape::from([2, 3]), Layout::contiguous([2, 3]));
//! let map = elementwise::Kernel::new(&program.finish(), &shape, &[layout], &[None]);
//! let steps = vec![
//!     Step { work: Work::Map(map), reads: vec![Place::Input(0)], writes: vec![Place::Local(0)] },
//!     Step { work: Work::Reduce(Reduction::Sum), reads: vec![Place::Local(0)], writes: vec![Place::Output(0)] },
//! ];
//! let mut sums = [0.0; 2];
//! let kernel = Kernel::new([2, 3], steps);
//! kernel.run(&[Slice::Real(&[1.0, 2.0, 3.0, 1.0, 1.0, 1.0])], &mut [SliceMut::Real(&mut sums)]);
//! assert_eq!(sums, [14.0, 3.0]);
//! ```

use smallvec::SmallVec;

use super::elementwise::{self, Shared, WORTH_A_THREAD};
use super::level::Level;
use super::reduce::{self, Reduction};
use super::scratch;
use super::threads::{self, Pieces};
use super::{Slice, SliceMut};
use crate::Real;

/// Elements that a block of rows has at most, unless a single row has more: some values of so many fit the cache of a
/// core.
const BLOCK: usize = 1 << 13;
/// Rows longer than this are not taken block by block.
const LONGEST: usize = 1 << 16;

/// What a step of a pass does.
#[derive(Debug)]
pub enum Work {
    /// A program, over all elements or over one element of each row.
    Map(elementwise::Kernel),
    /// A reduction of each row of reals.
    Reduce(Reduction),
}

/// Where a value of a pass lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In an argument.
    Input(usize),
    /// In a result, which later steps may read.
    Output(usize),
    /// In memory for one block of reals.
    Local(usize),
}

/// A step of a pass.
#[derive(Debug)]
pub struct Step {
    /// What it does.
    pub work: Work,
    /// Its arguments.
    pub reads: Vec<Place>,
    /// Its results.
    pub writes: Vec<Place>,
}

/// A pass over rows.
#[derive(Debug)]
pub struct Kernel {
    /// How many rows there are, and their length.
    dims: [usize; 2],
    steps: Vec<Step>,
    /// The arguments.
    inputs: usize,
    /// The elements a row that each result has.
    outputs: Vec<usize>,
    /// For each local, where it begins, and its elements a row; lengths are those of a block.
    locals: Vec<(usize, usize)>,
    /// The elements of all locals.
    len: usize,
    /// The rows of a block, or the elements if one row is cut into parts.
    block: usize,
    /// Whether one row is cut into parts.
    cut: bool,
    /// Rough cost of an element in tenths of a nanosecond.
    cost: usize,
}

/// Whether rows of these `dims` (how many, and how long) can be taken block by block, if `op` is among their reductions.
/// Where a single row is so long that it is reduced in parts, its reductions are known only at the end of the pass:
/// [`reduced_at_end`].
pub fn fits(op: Reduction, [rows, n]: [usize; 2]) -> bool {
    match (rows, reduce::parts(op, n)) {
        (1, Some(part)) => part <= LONGEST,
        (1, None) => (2..=2 * BLOCK).contains(&n),
        _ => rows > 1 && (2..=LONGEST).contains(&n),
    }
}

/// Whether no step can read what a reduction of such rows gives.
pub fn reduced_at_end([rows, n]: [usize; 2]) -> bool {
    rows == 1 && reduce::parts(Reduction::Sum, n).is_some()
}

impl Kernel {
    /// A pass over rows of these `dims`: how many, and their length. Each result and each local is written by one step,
    /// before others read it. Maps run over all elements or over one of each row, and read what the pass itself makes at the
    /// same row.
    ///
    /// # Panics
    /// If that is not so, or the rows do not [fit](fits).
    pub fn new(dims: [usize; 2], steps: Vec<Step>) -> Kernel {
        let [rows, n] = dims;
        let cut = reduced_at_end(dims);
        let mut kernel = Kernel {
            dims,
            steps: Vec::new(),
            inputs: 0,
            outputs: Vec::new(),
            locals: Vec::new(),
            len: 0,
            block: (BLOCK / n.max(1)).max(1).min(rows),
            cut,
            cost: 0,
        };
        if cut {
            kernel.block = reduce::parts(Reduction::Sum, n).unwrap_or(n);
        }
        let mut widths: Vec<(Place, usize)> = Vec::new();
        for step in &steps {
            let width = match &step.work {
                Work::Map(map) => {
                    let (inputs, outputs, len) = map.sizes();
                    assert!(step.reads.len() == inputs && step.writes.len() == outputs, "a place for each");
                    assert!(
                        len == rows * n || (len == rows && !cut),
                        "a map of {len} over {rows} rows of {n}"
                    );
                    kernel.cost += map.cost() * (len / rows).max(1) / n;
                    len / rows
                }
                Work::Reduce(op) => {
                    let of = |place| widths.iter().find(|(p, _)| *p == place).map_or(n, |(_, width)| *width);
                    let one = step.writes.len() == 1 && step.reads.len() == 1 && of(step.reads[0]) == n;
                    assert!(one && fits(*op, dims), "a reduction of {rows} rows of {n}");
                    kernel.cost += 1;
                    1
                }
            };
            for place in &step.reads {
                match place {
                    Place::Input(k) => kernel.inputs = kernel.inputs.max(k + 1),
                    _ => {
                        let made = widths.iter().find(|(p, _)| p == place).map(|(_, width)| *width);
                        assert!(made.is_some_and(|w| !cut || w == n), "{place:?} is read before it is there");
                    }
                }
            }
            for place in &step.writes {
                assert!(widths.iter().all(|(p, _)| p != place), "{place:?} is written twice");
                assert!(!matches!(place, Place::Input(_)), "arguments are not written");
                widths.push((*place, width));
            }
        }
        let width = |place| widths.iter().find(|(p, _)| *p == place).map(|(_, width)| *width);
        kernel.outputs = (0..).map_while(|j| width(Place::Output(j))).collect();
        for width in (0..).map_while(|l| width(Place::Local(l))) {
            kernel.locals.push((kernel.len, width));
            // Whole cache lines, so that no two values share one.
            kernel.len += kernel.room(width).next_multiple_of(16);
        }
        assert!(kernel.outputs.len() + kernel.locals.len() == widths.len(), "places are numbered from 0");
        kernel.steps = steps;
        kernel
    }

    /// The elements of a block of a value of `width` elements a row.
    fn room(&self, width: usize) -> usize {
        if self.cut && width > 1 { self.block } else { self.block * width }
    }

    /// The bytes that each thread needs for what lies between inputs and outputs, with reals of `width` bytes.
    pub fn scratch(&self, width: usize) -> usize {
        let registers = self.steps.iter().map(|step| match &step.work {
            Work::Map(map) => map.scratch(width),
            Work::Reduce(_) => 0,
        });
        self.len * width + registers.max().unwrap_or(0)
    }

    /// Runs over all rows. The result does not depend on the number of threads.
    ///
    /// # Panics
    /// If a buffer has another kind or size than the steps say.
    pub fn run<T: Real>(&self, inputs: &[Slice<'_, T>], outputs: &mut [SliceMut<'_, T>]) {
        let [rows, n] = self.dims;
        assert!(inputs.len() >= self.inputs, "a buffer for each input");
        assert!(outputs.len() == self.outputs.len(), "a buffer for each output");
        let mut shared: SmallVec<[Shared<T>; 8]> = SmallVec::new();
        for (output, width) in outputs.iter_mut().zip(&self.outputs) {
            let (start, len) = Shared::new(output);
            assert!(len == rows * width, "an output has {len} elements, not {}", rows * width);
            shared.push(start);
        }
        let whole = if self.cut { n } else { rows };
        let blocks = whole.div_ceil(self.block);
        // What the reductions of each part give.
        let reductions = self.steps.iter().filter(|s| matches!(s.work, Work::Reduce(_))).count();
        let mut partial = scratch::lend::<T>(if self.cut { reductions * blocks } else { 0 });
        let parts = Pieces::new(&mut partial[..]);
        let task = |i: usize| {
            let range = [i * self.block, whole.min((i + 1) * self.block)];
            // SAFETY: the outputs have been measured, blocks are disjoint, and there is a partial result for each
            // block and reduction.
            unsafe { self.block(range, inputs, &shared, |reduction| parts.at(reduction * blocks + i)) };
        };
        if (rows * n).saturating_mul(self.cost) < WORTH_A_THREAD {
            (0..blocks).for_each(task);
        } else {
            threads::parallel(blocks, &task);
        }
        if self.cut {
            let results = self.steps.iter().filter_map(|step| match step.work {
                Work::Reduce(op) => Some((op, step.writes[0])),
                Work::Map(_) => None,
            });
            for ((op, to), parts) in results.zip(partial.chunks_exact(blocks)) {
                if let Place::Output(j) = to
                    && let SliceMut::Real(y) = &mut outputs[j]
                {
                    reduce::rows(op, parts, blocks, y);
                }
            }
        }
    }

    /// All steps on the rows `range` (on these elements of the one row that is cut).
    ///
    /// # Safety
    /// Outputs have all rows, nobody else reads or writes these rows of them meanwhile, and `partial` gives each reduction
    /// of a row that is cut an address of its own.
    unsafe fn block<T: Real>(
        &self,
        range: [usize; 2],
        inputs: &[Slice<'_, T>],
        outputs: &[Shared<T>],
        partial: impl Fn(usize) -> *mut T,
    ) {
        let [_, n] = self.dims;
        let level = Level::detected();
        let mut memory = scratch::lend::<T>(self.len);
        let locals = memory.as_mut_ptr();
        // The elements of the block, in a value of `width` elements a row.
        let elements = |width: usize| match self.cut {
            true => range,
            false => [range[0] * width, range[1] * width],
        };
        // Where a place has its first element, and which one that is.
        let at = |place: Place| -> (Shared<T>, usize, usize) {
            match place {
                Place::Output(j) => (outputs[j], 0, self.outputs[j]),
                Place::Local(l) => {
                    let (start, width) = self.locals[l];
                    // SAFETY: locals lie one behind the other in `memory`.
                    (Shared::Real(unsafe { locals.add(start) }), elements(width)[0], width)
                }
                Place::Input(_) => unreachable!("arguments are read as the slices that they are"),
            }
        };
        // The block of a value that an earlier step has made.
        let made = |place: Place| -> (Slice<'_, T>, usize) {
            if let Place::Input(k) = place {
                return (inputs[k], 0);
            }
            let (start, first, width) = at(place);
            let [from, to] = elements(width);
            // SAFETY: the block lies inside the value, and its one writer is done.
            unsafe { (start.part(from - first, to - from), from) }
        };
        let mut reductions = 0;
        for step in &self.steps {
            match &step.work {
                Work::Map(map) => {
                    let (_, _, len) = map.sizes();
                    let reads: SmallVec<[_; 16]> = step.reads.iter().map(|p| made(*p)).collect();
                    let writes: SmallVec<[_; 4]> = step
                        .writes
                        .iter()
                        .map(|p| {
                            let (start, first, _) = at(*p);
                            (start, first)
                        })
                        .collect();
                    // SAFETY: places of other steps are not written, and these hold the range.
                    unsafe { map.run_range(level, elements(len / self.dims[0]), &reads, &writes) };
                }
                Work::Reduce(op) => {
                    let (Slice::Real(x), first) = made(step.reads[0]) else {
                        unreachable!("reductions of a pass are of reals")
                    };
                    let [from, to] = elements(n);
                    let x = &x[from - first..to - first];
                    let (to, len) = match self.cut {
                        true => (partial(reductions), 1),
                        false => {
                            let (Shared::Real(start), first, _) = at(step.writes[0]) else {
                                unreachable!("reductions of a pass are of reals")
                            };
                            // SAFETY: the row lies inside the value.
                            (unsafe { start.add(range[0] - first) }, range[1] - range[0])
                        }
                    };
                    reductions += 1;
                    // SAFETY: these elements belong to this block, and nobody reads them yet.
                    let out = unsafe { std::slice::from_raw_parts_mut(to, len) };
                    reduce::rows(*op, x, x.len() / len, out);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Kind;
    use crate::kernels::elementwise::{Binary, ProgramBuilder, Unary};
    use crate::{Layout, Shape};

    /// exp(x), or exp(x − y).
    fn exp(shape: &Shape, layouts: Vec<Layout>) -> elementwise::Kernel {
        let mut program = ProgramBuilder::new();
        let mut x = program.input(Kind::Real);
        if layouts.len() > 1 {
            let y = program.input(Kind::Real);
            x = program.binary(Binary::Sub, x, y);
        }
        let e = program.unary(Unary::Exp, x);
        program.output(e);
        let in_place = vec![None; layouts.len()];
        elementwise::Kernel::new(&program.finish(), shape, &layouts, &in_place)
    }

    fn data(len: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7919) % 1013) as f32 * 0.001).collect()
    }

    #[test]
    fn a_pass_has_the_bits_of_its_steps() {
        for [rows, n] in [[1, 5], [3, 2], [700, 10], [40, 300], [5, 40_000], [1, 16_000]] {
            let shape = Shape::from([rows, n]);
            let (all, row) = (Layout::contiguous([rows, n]), Layout::contiguous([rows]));
            let repeated = Layout { shape: shape.clone(), strides: [1, 0].into_iter().collect(), offset: 0 };
            let max = || exp(&shape, vec![all.clone(), repeated.clone()]);
            let steps = vec![
                Step {
                    work: Work::Reduce(Reduction::Max),
                    reads: vec![Place::Input(0)],
                    writes: vec![Place::Local(0)],
                },
                Step {
                    work: Work::Map(max()),
                    reads: vec![Place::Input(0), Place::Local(0)],
                    writes: vec![Place::Output(0)],
                },
                Step {
                    work: Work::Reduce(Reduction::Sum),
                    reads: vec![Place::Output(0)],
                    writes: vec![Place::Local(1)],
                },
                Step {
                    work: Work::Map(exp(&Shape::from([rows]), vec![row.clone()])),
                    reads: vec![Place::Local(1)],
                    writes: vec![Place::Output(1)],
                },
            ];
            let x = data(rows * n);
            let (mut top, mut sum, mut right) = (vec![0.0; rows], vec![0.0; rows], vec![0.0; rows]);
            let mut e = vec![0.0; rows * n];
            reduce::reduce(Reduction::Max, &x, [rows, n, 1], &mut top);
            max().run(&[Slice::Real(&x), Slice::Real(&top)], &mut [SliceMut::Real(&mut e)]);
            reduce::reduce(Reduction::Sum, &e, [rows, n, 1], &mut sum);
            exp(&Shape::from([rows]), vec![row]).run(&[Slice::Real(&sum)], &mut [SliceMut::Real(&mut right)]);
            let kernel = Kernel::new([rows, n], steps);
            for threads in [1, 2, 3] {
                threads::set_threads(threads);
                let (mut found, mut last) = (vec![0.0; rows * n], vec![0.0; rows]);
                kernel.run(&[Slice::Real(&x)], &mut [SliceMut::Real(&mut found), SliceMut::Real(&mut last)]);
                assert!(found == e && last == right, "{rows} rows of {n}");
            }
        }
    }

    #[test]
    fn a_row_that_is_cut_has_the_bits_of_its_steps() {
        let n = 1_000_003;
        let (shape, x) = (Shape::from([n]), data(n));
        let layout = Layout::contiguous([n]);
        let reduction = |op, to| Step {
            work: Work::Reduce(op),
            reads: vec![Place::Local(0)],
            writes: vec![Place::Output(to)],
        };
        let steps = vec![
            Step {
                work: Work::Map(exp(&shape, vec![layout.clone()])),
                reads: vec![Place::Input(0)],
                writes: vec![Place::Local(0)],
            },
            reduction(Reduction::Max, 0),
            reduction(Reduction::Sum, 1),
        ];
        let mut e = vec![0.0; n];
        exp(&shape, vec![layout]).run(&[Slice::Real(&x)], &mut [SliceMut::Real(&mut e)]);
        let kernel = Kernel::new([1, n], steps);
        for threads in [1, 2] {
            threads::set_threads(threads);
            let (mut top, mut sum, mut right) = ([0.0], [0.0], [0.0]);
            kernel.run(&[Slice::Real(&x)], &mut [SliceMut::Real(&mut top), SliceMut::Real(&mut sum)]);
            reduce::reduce(Reduction::Sum, &e, [1, n, 1], &mut right);
            assert_eq!(sum, right);
            reduce::reduce(Reduction::Max, &e, [1, n, 1], &mut right);
            assert_eq!(top, right);
        }
    }
}
