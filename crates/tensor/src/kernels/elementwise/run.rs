//! Runs a bound program over blocks of elements.

use smallvec::SmallVec;

use super::bind::{Code, Fill, Kernel, Op, Place};
use super::{Binary, Compare, ProgramBuilder, Scalar, Unary};
use crate::kernels::level::{Level, Task};
use crate::kernels::math;
use crate::kernels::{Kind, Slice, SliceMut, threads};
use crate::{Layout, Real, Shape};

/// Elements of a block: a dozen blocks of f32 fit in the first cache.
const BLOCK: usize = 1024;
/// Blocks that a thread takes at a time.
const CHUNK: usize = 16 * BLOCK;
/// Work in tenths of a nanosecond that is worth a second thread.
const WORTH_A_THREAD: usize = 500_000;

/// The registers of one thread.
pub struct Scratch<T> {
    real: Vec<Vec<T>>,
    int: Vec<Vec<i64>>,
    truth: Vec<Vec<bool>>,
}

impl<T> Scratch<T> {
    pub(crate) const fn new() -> Self {
        Scratch { real: Vec::new(), int: Vec::new(), truth: Vec::new() }
    }
}

/// An output buffer that several threads write to, each its own range.
enum Shared<T> {
    Real(*mut T),
    Int(*mut i64),
    Truth(*mut bool),
}

// SAFETY: every task of a run takes disjoint ranges (see `Shared::range`), and the buffer outlives the run.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T: Real> Shared<T> {
    fn new(out: &mut SliceMut<'_, T>, len: usize) -> Self {
        let fits = |n: usize| assert!(n == len, "an output has {n} elements, not {len}");
        match out {
            SliceMut::Real(y) => {
                fits(y.len());
                Shared::Real(y.as_mut_ptr())
            }
            SliceMut::Int(y) => {
                fits(y.len());
                Shared::Int(y.as_mut_ptr())
            }
            SliceMut::Truth(y) => {
                fits(y.len());
                Shared::Truth(y.as_mut_ptr())
            }
        }
    }

    /// Elements `start..start + n`.
    ///
    /// # Safety
    /// The range lies inside the buffer, which is exclusively borrowed by the run, and nobody else holds a part
    /// of this range while the result lives.
    unsafe fn range<'a>(&self, start: usize, n: usize) -> SliceMut<'a, T> {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Shared::Real(p) => SliceMut::Real(std::slice::from_raw_parts_mut(p.add(start), n)),
                Shared::Int(p) => SliceMut::Int(std::slice::from_raw_parts_mut(p.add(start), n)),
                Shared::Truth(p) => SliceMut::Truth(std::slice::from_raw_parts_mut(p.add(start), n)),
            }
        }
    }
}

impl Kernel {
    /// Runs over all elements. Outputs are contiguous and have the size of the bound shape.
    ///
    /// Allocates nothing once each thread has its registers. The result does not depend on the number of threads.
    ///
    /// # Panics
    /// If an output has another size or kind than the program gives, or an input is too short for its layout.
    pub fn run<T: Real>(&self, inputs: &[Slice<'_, T>], outputs: &mut [SliceMut<'_, T>]) {
        self.run_at(Level::detected(), inputs, outputs);
    }

    pub(crate) fn run_at<T: Real>(
        &self,
        level: Level,
        inputs: &[Slice<'_, T>],
        outputs: &mut [SliceMut<'_, T>],
    ) {
        assert!(outputs.len() == self.kinds.len(), "a buffer for each output");
        if self.len == 0 {
            return;
        }
        let shared: SmallVec<[Shared<T>; 4]> = outputs.iter_mut().map(|o| Shared::new(o, self.len)).collect();
        let shared = &shared[..];
        let chunk = |i: usize| {
            let range = [i * CHUNK, self.len.min((i + 1) * CHUNK)];
            T::with_scratch(|scratch| {
                level.run(Blocks { kernel: self, range, inputs, shared, scratch });
            });
        };
        let chunks = self.len.div_ceil(CHUNK);
        if self.len * self.cost < WORTH_A_THREAD {
            (0..chunks).for_each(chunk);
        } else {
            threads::parallel(chunks, &chunk);
        }
    }
}

/// One function over one slice at a given SIMD level, for tests of accuracy at each of them.
pub fn unary_at<T: Real>(level: Level, op: Unary, x: &[T], out: &mut [T]) {
    let mut program = ProgramBuilder::new();
    let input = program.input(Kind::Real);
    let y = program.unary(op, input);
    program.output(y);
    let shape = Shape::from([x.len()]);
    let kernel = Kernel::new(program.finish(), &shape, vec![Layout::contiguous(shape.clone())], vec![None]);
    kernel.run_at(level, &[Slice::Real(x)], &mut [SliceMut::Real(out)]);
}

/// All blocks of `range`, on this thread.
struct Blocks<'a, 'x, T: Real> {
    kernel: &'a Kernel,
    range: [usize; 2],
    inputs: &'a [Slice<'x, T>],
    shared: &'a [Shared<T>],
    scratch: &'a mut Scratch<T>,
}

impl<T: Real> Task for Blocks<'_, '_, T> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Blocks { kernel, range, inputs, shared, scratch } = self;
        let [start, end] = range;
        scratch.reserve(kernel.registers);
        for (register, _, fill) in &kernel.fills {
            scratch.fill(*register, *fill, inputs, BLOCK.min(end - start));
        }
        let mut at = start;
        while at < end {
            let n = BLOCK.min(end - at);
            // SAFETY: `range` belongs to this task alone and lies inside every output, whose length is checked
            // when `shared` is made; blocks follow each other.
            let mut outputs: SmallVec<[SliceMut<'_, T>; 4]> =
                shared.iter().map(|s| unsafe { s.range(at, n) }).collect();
            let mut frame = Frame { at, n, inputs, offsets: &kernel.offsets, outputs: &mut outputs, scratch };
            for code in &kernel.code {
                frame.execute::<FMA>(kernel, code);
            }
            for (from, j) in &kernel.copies {
                frame.copy(*from, *j);
            }
            at += n;
        }
    }
}

impl<T: Real> Scratch<T> {
    fn reserve(&mut self, [reals, ints, truths]: [usize; 3]) {
        self.real.resize_with(self.real.len().max(reals), || vec![T::zero(); BLOCK]);
        self.int.resize_with(self.int.len().max(ints), || vec![0; BLOCK]);
        self.truth.resize_with(self.truth.len().max(truths), || vec![false; BLOCK]);
    }

    fn fill(&mut self, register: usize, fill: Fill, inputs: &[Slice<'_, T>], n: usize) {
        match fill {
            Fill::Constant(Scalar::Real(x)) => self.real[register][..n].fill(T::from_f64(x)),
            Fill::Constant(Scalar::Int(x)) => self.int[register][..n].fill(x),
            Fill::Constant(Scalar::Truth(x)) => self.truth[register][..n].fill(x),
            Fill::Element { input, at } => match inputs[input] {
                Slice::Real(x) => self.real[register][..n].fill(x[at]),
                Slice::Int(x) => self.int[register][..n].fill(x[at]),
                Slice::Truth(x) => self.truth[register][..n].fill(x[at]),
            },
        }
    }
}

/// The present block: where its operands are.
struct Frame<'a, 'o, T: Real> {
    at: usize,
    n: usize,
    inputs: &'a [Slice<'a, T>],
    offsets: &'a [usize],
    outputs: &'a mut [SliceMut<'o, T>],
    scratch: &'a mut Scratch<T>,
}

/// Access to operands of one kind: `access!(real, real_out, Real, T)` gives a reader, and a way to take a
/// destination out of the frame (so that operands can be borrowed meanwhile) and to put it back.
macro_rules! access {
    ($read:ident, $write:ident, $bank:ident, $variant:ident, $type:ty) => {
        #[inline(always)]
        fn $read(&self, place: Place) -> &[$type] {
            match place {
                Place::Register(r) => &self.scratch.$bank[r][..self.n],
                Place::Input(k) => match self.inputs[k] {
                    Slice::$variant(x) => &x[self.offsets[k] + self.at..][..self.n],
                    _ => wrong_kind(),
                },
                Place::Output(j) => match &self.outputs[j] {
                    SliceMut::$variant(y) => y,
                    _ => wrong_kind(),
                },
            }
        }

        #[inline(always)]
        fn $write(&mut self, place: Place, write: impl FnOnce(&Self, &mut [$type])) {
            match place {
                Place::Register(r) => {
                    let mut block = std::mem::take(&mut self.scratch.$bank[r]);
                    write(self, &mut block[..self.n]);
                    self.scratch.$bank[r] = block;
                }
                Place::Output(j) => {
                    let out = std::mem::replace(&mut self.outputs[j], SliceMut::$variant(&mut []));
                    let SliceMut::$variant(block) = out else { wrong_kind() };
                    write(self, block);
                    self.outputs[j] = SliceMut::$variant(block);
                }
                Place::Input(_) => unreachable!("inputs are never written"),
            }
        }
    };
}

#[cold]
fn wrong_kind() -> ! {
    panic!("a buffer of another kind than the program's")
}

#[inline(always)]
fn map<A: Copy, Y>(x: &[A], y: &mut [Y], f: impl Fn(A) -> Y) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = f(*x);
    }
}

#[inline(always)]
fn map2<A: Copy, B: Copy, Y>(a: &[A], b: &[B], y: &mut [Y], f: impl Fn(A, B) -> Y) {
    for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
        *y = f(*a, *b);
    }
}

#[inline(always)]
fn choose<E: Copy>(c: &[bool], a: &[E], b: &[E], y: &mut [E]) {
    for (((y, c), a), b) in y.iter_mut().zip(c).zip(a).zip(b) {
        *y = if *c { *a } else { *b };
    }
}

#[inline(always)]
fn compare<E: Copy + PartialOrd>(op: Compare, a: &[E], b: &[E], y: &mut [bool]) {
    match op {
        Compare::Eq => map2(a, b, y, |a, b| a == b),
        Compare::Ne => map2(a, b, y, |a, b| a != b),
        Compare::Lt => map2(a, b, y, |a, b| a < b),
        Compare::Le => map2(a, b, y, |a, b| a <= b),
        Compare::Gt => map2(a, b, y, |a, b| a > b),
        Compare::Ge => map2(a, b, y, |a, b| a >= b),
    }
}

#[inline(always)]
fn unary_real<T: Real, const FMA: bool>(op: Unary, x: &[T], y: &mut [T]) {
    let (zero, one) = (T::zero(), T::one());
    match op {
        Unary::Neg => map(x, y, |x| -x),
        Unary::Abs => map(x, y, |x| x.abs()),
        Unary::Sign => map(x, y, |x| {
            let negative = if x < zero { -one } else { x };
            if x > zero { one } else { negative }
        }),
        Unary::Floor => map(x, y, |x| x.floor()),
        Unary::Ceil => map(x, y, |x| x.ceil()),
        Unary::Round => map(x, y, math::round_even),
        Unary::Sqrt => map(x, y, |x| x.sqrt()),
        Unary::Rsqrt => map(x, y, |x| one / x.sqrt()),
        Unary::Exp => map(x, y, math::exp::<T, FMA>),
        Unary::Expm1 => map(x, y, math::expm1::<T, FMA>),
        Unary::Log => map(x, y, math::ln::<T, FMA>),
        Unary::Log1p => map(x, y, math::ln_1p::<T, FMA>),
        Unary::Sin => map(x, y, |x| x.sin()),
        Unary::Cos => map(x, y, |x| x.cos()),
        Unary::Tanh => map(x, y, math::tanh::<T, FMA>),
        Unary::Logistic => map(x, y, math::logistic::<T, FMA>),
        Unary::Softplus => map(x, y, math::softplus::<T, FMA>),
        Unary::Erf => map(x, y, |x| x.erf()),
    }
}

#[inline(always)]
fn binary_real<T: Real>(op: Binary, a: &[T], b: &[T], y: &mut [T]) {
    match op {
        Binary::Add => map2(a, b, y, |a, b| a + b),
        Binary::Sub => map2(a, b, y, |a, b| a - b),
        Binary::Mul => map2(a, b, y, |a, b| a * b),
        Binary::Div => map2(a, b, y, |a, b| a / b),
        Binary::Pow => map2(a, b, y, |a, b| a.powf(b)),
        // A comparison with NaN is false, which leaves b; a NaN in a is asked for.
        Binary::Max => map2(a, b, y, |a, b| if a > b || a.is_nan() { a } else { b }),
        Binary::Min => map2(a, b, y, |a, b| if a < b || a.is_nan() { a } else { b }),
    }
}

fn unary_int(op: Unary, x: &[i64], y: &mut [i64]) {
    match op {
        Unary::Neg => map(x, y, i64::wrapping_neg),
        Unary::Abs => map(x, y, i64::wrapping_abs),
        Unary::Sign => map(x, y, i64::signum),
        _ => wrong_kind(),
    }
}

fn binary_int(op: Binary, a: &[i64], b: &[i64], y: &mut [i64]) {
    match op {
        Binary::Add => map2(a, b, y, i64::wrapping_add),
        Binary::Sub => map2(a, b, y, i64::wrapping_sub),
        Binary::Mul => map2(a, b, y, i64::wrapping_mul),
        Binary::Max => map2(a, b, y, i64::max),
        Binary::Min => map2(a, b, y, i64::min),
        Binary::Div | Binary::Pow => wrong_kind(),
    }
}

fn binary_truth(op: Binary, a: &[bool], b: &[bool], y: &mut [bool]) {
    match op {
        Binary::Max => map2(a, b, y, |a, b| a | b),
        Binary::Min => map2(a, b, y, |a, b| a & b),
        _ => wrong_kind(),
    }
}

impl<T: Real> Frame<'_, '_, T> {
    access!(real, to_real, real, Real, T);
    access!(int, to_int, int, Int, i64);
    access!(truth, to_truth, truth, Truth, bool);

    #[inline(always)]
    fn execute<const FMA: bool>(&mut self, kernel: &Kernel, code: &Code) {
        let Code { op, kind, to, args: [a, b, c] } = *code;
        match (op, kind) {
            (Op::Load(k, walk), _) => self.load(kernel, k, walk, to),
            (Op::Unary(op), Kind::Real) => self.to_real(to, |f, y| unary_real::<T, FMA>(op, f.real(a), y)),
            (Op::Unary(op), Kind::Int) => self.to_int(to, |f, y| unary_int(op, f.int(a), y)),
            (Op::Binary(op), Kind::Real) => self.to_real(to, |f, y| binary_real(op, f.real(a), f.real(b), y)),
            (Op::Binary(op), Kind::Int) => self.to_int(to, |f, y| binary_int(op, f.int(a), f.int(b), y)),
            (Op::Binary(op), Kind::Truth) => {
                self.to_truth(to, |f, y| binary_truth(op, f.truth(a), f.truth(b), y))
            }
            (Op::Compare(op), Kind::Real) => self.to_truth(to, |f, y| compare(op, f.real(a), f.real(b), y)),
            (Op::Compare(op), Kind::Int) => self.to_truth(to, |f, y| compare(op, f.int(a), f.int(b), y)),
            (Op::Compare(op), Kind::Truth) => {
                self.to_truth(to, |f, y| compare(op, f.truth(a), f.truth(b), y))
            }
            (Op::Select, Kind::Real) => self.to_real(to, |f, y| choose(f.truth(a), f.real(b), f.real(c), y)),
            (Op::Select, Kind::Int) => self.to_int(to, |f, y| choose(f.truth(a), f.int(b), f.int(c), y)),
            (Op::Select, Kind::Truth) => {
                self.to_truth(to, |f, y| choose(f.truth(a), f.truth(b), f.truth(c), y))
            }
            (Op::Cast(wanted), kind) => self.cast(kind, wanted, a, to),
            (Op::Unary(_), Kind::Truth) => wrong_kind(),
        }
    }

    #[inline(always)]
    fn cast(&mut self, from: Kind, wanted: Kind, a: Place, to: Place) {
        match (from, wanted) {
            (Kind::Int, Kind::Real) => self.to_real(to, |f, y| map(f.int(a), y, |x| T::from_f64(x as f64))),
            (Kind::Truth, Kind::Real) => {
                self.to_real(to, |f, y| map(f.truth(a), y, |x| if x { T::one() } else { T::zero() }));
            }
            (Kind::Real, Kind::Int) => self.to_int(to, |f, y| map(f.real(a), y, |x| x.to_f64() as i64)),
            (Kind::Truth, Kind::Int) => self.to_int(to, |f, y| map(f.truth(a), y, i64::from)),
            (Kind::Real, Kind::Truth) => self.to_truth(to, |f, y| map(f.real(a), y, |x| x != T::zero())),
            (Kind::Int, Kind::Truth) => self.to_truth(to, |f, y| map(f.int(a), y, |x| x != 0)),
            (Kind::Real, Kind::Real) | (Kind::Int, Kind::Int) | (Kind::Truth, Kind::Truth) => {
                unreachable!("a cast to the same kind is no instruction")
            }
        }
    }

    fn load(&mut self, kernel: &Kernel, k: usize, walk: usize, to: Place) {
        let (walk, at) = (&kernel.walks[walk], self.at);
        match self.inputs[k] {
            Slice::Real(x) => self.to_real(to, |_, y| walk.gather(x, at, y)),
            Slice::Int(x) => self.to_int(to, |_, y| walk.gather(x, at, y)),
            Slice::Truth(x) => self.to_truth(to, |_, y| walk.gather(x, at, y)),
        }
    }

    fn copy(&mut self, from: Place, j: usize) {
        let to = Place::Output(j);
        match self.outputs[j] {
            SliceMut::Real(_) => self.to_real(to, |f, y| y.copy_from_slice(f.real(from))),
            SliceMut::Int(_) => self.to_int(to, |f, y| y.copy_from_slice(f.int(from))),
            SliceMut::Truth(_) => self.to_truth(to, |f, y| y.copy_from_slice(f.truth(from))),
        }
    }
}
