//! Runs a bound program over blocks of elements.

use std::slice::{from_raw_parts, from_raw_parts_mut};

use smallvec::SmallVec;

use super::bind::{Code, Fill, Kernel, Op, Place};
use super::loops::{binary_int, binary_real, binary_truth, compare, each, select, unary_int, wrong_kind};
use super::memory::{Scratch, Shared};
use super::unary::unary_real;
use super::{BLOCK, ProgramBuilder, Scalar, Unary};
use crate::kernels::level::{Level, Task};
use crate::kernels::{Kind, Slice, SliceMut, threads};
use crate::{Layout, Real, Shape};

/// Elements that a thread takes at a time.
const CHUNK: usize = 16 * BLOCK;
/// Work in tenths of a nanosecond that is worth a second thread.
pub(in crate::kernels) const WORTH_A_THREAD: usize = 500_000;

impl Kernel {
    /// Runs over all elements. Outputs are contiguous and have the size of the bound shape.
    ///
    /// Allocates nothing once each thread has its registers. The result does not depend on the number of threads.
    ///
    /// # Panics
    /// If a buffer has another kind than the program says, an output has another size than the bound shape, or an
    /// input is too short for its layout.
    pub fn run<T: Real>(&self, inputs: &[Slice<'_, T>], outputs: &mut [SliceMut<'_, T>]) {
        self.run_at(Level::detected(), inputs, outputs);
    }

    pub(super) fn run_at<T: Real>(
        &self,
        level: Level,
        inputs: &[Slice<'_, T>],
        outputs: &mut [SliceMut<'_, T>],
    ) {
        assert!(inputs.len() == self.offsets.len(), "a buffer for each input");
        assert!(outputs.len() == self.outputs, "a buffer for each output");
        let shared: SmallVec<[(Shared<T>, usize); 16]> = outputs
            .iter_mut()
            .map(|output| {
                let (start, len) = Shared::new(output);
                assert!(len == self.len, "an output has {len} elements, not {}", self.len);
                (start, 0)
            })
            .collect();
        let inputs: SmallVec<[(Slice<'_, T>, usize); 16]> = inputs.iter().map(|x| (*x, 0)).collect();
        let chunk = |i: usize| {
            let range = [i * CHUNK, self.len.min((i + 1) * CHUNK)];
            // SAFETY: the outputs have all elements, and each range belongs to one task.
            unsafe { self.run_range(level, range, &inputs, &shared) };
        };
        let chunks = self.len.div_ceil(CHUNK);
        if self.len.saturating_mul(self.cost) < WORTH_A_THREAD {
            (0..chunks).for_each(chunk);
        } else {
            threads::parallel(chunks, &chunk);
        }
    }

    /// Runs over the elements of `range` on this thread. Each buffer comes with the position of its first element in
    /// the whole value, of which it may be a part.
    ///
    /// # Safety
    /// There are as many inputs and outputs as the program has, and the outputs hold the range, which nobody else
    /// reads or writes meanwhile.
    pub(in crate::kernels) unsafe fn run_range<T: Real>(
        &self,
        level: Level,
        range: [usize; 2],
        inputs: &[(Slice<'_, T>, usize)],
        outputs: &[(Shared<T>, usize)],
    ) {
        Scratch::lend(self, |real, int, truth| {
            let frame = Frame { at: 0, n: 0, kernel: self, inputs, outputs, real, int, truth };
            level.run(Blocks { range, frame });
        });
    }
}

/// One function over one slice at a given SIMD level, for tests of accuracy at each of them.
///
/// # Panics
/// If `x` and `out` differ in length.
pub fn unary_at<T: Real>(level: Level, op: Unary, x: &[T], out: &mut [T]) {
    let mut program = ProgramBuilder::new();
    let input = program.input(Kind::Real);
    let y = program.unary(op, input);
    program.output(y);
    let shape = Shape::from([x.len()]);
    let kernel = Kernel::new(&program.finish(), &shape, &[Layout::contiguous(shape.clone())], &[None]);
    kernel.run_at(level, &[Slice::Real(x)], &mut [SliceMut::Real(out)]);
}

/// All blocks of `range`, on this thread.
struct Blocks<'a, T: Real> {
    range: [usize; 2],
    frame: Frame<'a, T>,
}

impl<T: Real> Task for Blocks<'_, T> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Blocks { range: [start, end], mut frame } = self;
        let kernel = frame.kernel;
        (frame.at, frame.n) = (start, kernel.block.min(end - start));
        for (register, kind, fill) in &kernel.fills {
            // SAFETY: the registers are reserved, and nothing borrows one yet.
            unsafe { frame.fill(*fill, *kind, Place::Register(*register)) };
        }
        while frame.at < end {
            frame.n = kernel.block.min(end - frame.at);
            for code in &kernel.code {
                // SAFETY: the outputs have the kernel's length, `range` lies inside and belongs to this task
                // alone; the registers are reserved; and the binder gives no instruction an operand that is
                // also its destination.
                unsafe { frame.execute::<FMA>(code) };
            }
            frame.at += frame.n;
        }
    }
}

/// The present block: elements `at..at + n`, and where they lie.
struct Frame<'a, T: Real> {
    at: usize,
    n: usize,
    kernel: &'a Kernel,
    /// Each with the position of its first element.
    inputs: &'a [(Slice<'a, T>, usize)],
    outputs: &'a [(Shared<T>, usize)],
    /// The first element of the first register of each kind.
    real: *mut T,
    int: *mut i64,
    truth: *mut bool,
}

/// Access to the blocks of one kind: `access!(real, real_mut, real_at, Real, T)` gives a reader of operands, and a
/// writer of destinations that leaves the operands readable. Both start from the address alone: a reader that
/// borrowed its block mutably on the way would take it from those who read the same block.
macro_rules! access {
    ($read:ident, $write:ident, $address:ident, $variant:ident, $type:ty) => {
        /// # Safety
        /// The place exists, and while the result lives nobody writes there.
        #[inline(always)]
        unsafe fn $read(&self, place: Place) -> &[$type] {
            if let Place::Input(k) = place {
                let (Slice::$variant(x), first) = self.inputs[k] else { wrong_kind() };
                return &x[self.kernel.offsets[k] + self.at - first..][..self.n];
            }
            // SAFETY: the caller's promise: registers have a block's elements, outputs at least at + n.
            unsafe { from_raw_parts(self.$address(place), self.n) }
        }

        /// # Safety
        /// The place exists, and while the result lives nobody else reads or writes there.
        #[inline(always)]
        #[allow(clippy::mut_from_ref)]
        unsafe fn $write(&self, place: Place) -> &mut [$type] {
            // SAFETY: as above.
            unsafe { from_raw_parts_mut(self.$address(place), self.n) }
        }

        /// Where a register or an output has its present block.
        ///
        /// # Safety
        /// The place exists.
        #[inline(always)]
        unsafe fn $address(&self, place: Place) -> *mut $type {
            // SAFETY: the caller's promise.
            unsafe {
                match place {
                    Place::Register(r) => self.$read.add(r * self.kernel.block),
                    Place::Output(j) => match self.outputs[j] {
                        (Shared::$variant(y), first) => y.add(self.at - first),
                        _ => wrong_kind(),
                    },
                    Place::Input(_) => unreachable!("inputs are read as the slices that they are"),
                }
            }
        }
    };
}

impl<T: Real> Frame<'_, T> {
    access!(real, real_mut, real_at, Real, T);
    access!(int, int_mut, int_at, Int, i64);
    access!(truth, truth_mut, truth_at, Truth, bool);

    /// # Safety
    /// All places of `code` exist, and the destination is none of the operands.
    #[inline(always)]
    unsafe fn execute<const FMA: bool>(&self, code: &Code) {
        let Code { op, kind, to, args: [a, b, c] } = *code;
        // SAFETY: the caller's promise.
        unsafe {
            match (op, kind) {
                (Op::Unary(op), Kind::Real) => unary_real::<T, FMA>(op, self.real(a), self.real_mut(to)),
                (Op::Unary(op), Kind::Int) => unary_int(op, self.int(a), self.int_mut(to)),
                (Op::Unary(_), Kind::Truth) => wrong_kind(),
                (Op::Binary(op), Kind::Real) => {
                    binary_real::<T, FMA>(op, self.real(a), self.real(b), self.real_mut(to))
                }
                (Op::Binary(op), Kind::Int) => binary_int(op, self.int(a), self.int(b), self.int_mut(to)),
                (Op::Binary(op), Kind::Truth) => {
                    binary_truth(op, self.truth(a), self.truth(b), self.truth_mut(to))
                }
                (Op::Compare(op), Kind::Real) => compare(op, self.real(a), self.real(b), self.truth_mut(to)),
                (Op::Compare(op), Kind::Int) => compare(op, self.int(a), self.int(b), self.truth_mut(to)),
                (Op::Compare(op), Kind::Truth) => {
                    compare(op, self.truth(a), self.truth(b), self.truth_mut(to))
                }
                (Op::Select, Kind::Real) => {
                    select(self.truth(a), self.real(b), self.real(c), self.real_mut(to))
                }
                (Op::Select, Kind::Int) => select(self.truth(a), self.int(b), self.int(c), self.int_mut(to)),
                (Op::Select, Kind::Truth) => {
                    select(self.truth(a), self.truth(b), self.truth(c), self.truth_mut(to))
                }
                (Op::Cast(wanted), kind) => self.cast(kind, wanted, a, to),
                (Op::Copy, Kind::Real) => self.real_mut(to).copy_from_slice(self.real(a)),
                (Op::Copy, Kind::Int) => self.int_mut(to).copy_from_slice(self.int(a)),
                (Op::Copy, Kind::Truth) => self.truth_mut(to).copy_from_slice(self.truth(a)),
                (Op::Load(input, walk), kind) => self.load(input, walk, kind, to),
                (Op::Fill(fill), kind) => self.fill(fill, kind, to),
            }
        }
    }

    /// # Safety
    /// As for [`execute`](Self::execute).
    #[inline(always)]
    unsafe fn cast(&self, from: Kind, wanted: Kind, x: Place, to: Place) {
        // SAFETY: the caller's promise.
        unsafe {
            match (from, wanted) {
                (Kind::Int, Kind::Real) => {
                    let (x, y) = (self.int(x), self.real_mut(to));
                    each!(y; x => T::from_i64(x));
                }
                (Kind::Truth, Kind::Real) => {
                    let (x, y) = (self.truth(x), self.real_mut(to));
                    each!(y; x => if x { T::one() } else { T::zero() });
                }
                (Kind::Real, Kind::Int) => {
                    let (x, y) = (self.real(x), self.int_mut(to));
                    each!(y; x => x.to_f64() as i64);
                }
                (Kind::Truth, Kind::Int) => {
                    let (x, y) = (self.truth(x), self.int_mut(to));
                    each!(y; x => i64::from(x));
                }
                (Kind::Real, Kind::Truth) => {
                    let (x, y) = (self.real(x), self.truth_mut(to));
                    each!(y; x => x != T::zero());
                }
                (Kind::Int, Kind::Truth) => {
                    let (x, y) = (self.int(x), self.truth_mut(to));
                    each!(y; x => x != 0);
                }
                (Kind::Real, Kind::Real) | (Kind::Int, Kind::Int) | (Kind::Truth, Kind::Truth) => {
                    unreachable!("a cast to the same kind is no instruction")
                }
            }
        }
    }

    /// # Safety
    /// `to` exists and is of this kind.
    unsafe fn fill(&self, fill: Fill, kind: Kind, to: Place) {
        // SAFETY: the caller's promise.
        unsafe {
            match fill {
                Fill::Constant(Scalar::Real(x)) => self.real_mut(to).fill(T::from_f64(x)),
                Fill::Constant(Scalar::Int(x)) => self.int_mut(to).fill(x),
                Fill::Constant(Scalar::Truth(x)) => self.truth_mut(to).fill(x),
                Fill::Element { input, at } => match (kind, self.inputs[input]) {
                    (Kind::Real, (Slice::Real(x), first)) => self.real_mut(to).fill(x[at - first]),
                    (Kind::Int, (Slice::Int(x), first)) => self.int_mut(to).fill(x[at - first]),
                    (Kind::Truth, (Slice::Truth(x), first)) => self.truth_mut(to).fill(x[at - first]),
                    _ => wrong_kind(),
                },
            }
        }
    }

    /// # Safety
    /// `to` exists and is of this kind.
    unsafe fn load(&self, input: usize, walk: usize, kind: Kind, to: Place) {
        let walk = &self.kernel.walks[walk];
        // SAFETY: the caller's promise.
        unsafe {
            match (kind, self.inputs[input]) {
                (Kind::Real, (Slice::Real(x), first)) => walk.gather(x, first, self.at, self.real_mut(to)),
                (Kind::Int, (Slice::Int(x), first)) => walk.gather(x, first, self.at, self.int_mut(to)),
                (Kind::Truth, (Slice::Truth(x), first)) => walk.gather(x, first, self.at, self.truth_mut(to)),
                _ => wrong_kind(),
            }
        }
    }
}
