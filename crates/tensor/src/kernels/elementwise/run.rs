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

/// Access to operands of one kind: `access!(real, take_real, put_real, real, Real, T)` gives a reader, and a way to take
/// a destination out of the frame and to put it back.
macro_rules! access {
    ($read:ident, $take:ident, $put:ident, $bank:ident, $variant:ident, $type:ty) => {
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
        fn $take(&mut self, place: Place) -> Block<'o, $type> {
            match place {
                Place::Register(r) => Block::Register(std::mem::take(&mut self.scratch.$bank[r])),
                Place::Output(j) => {
                    match std::mem::replace(&mut self.outputs[j], SliceMut::$variant(&mut [])) {
                        SliceMut::$variant(block) => Block::Output(block),
                        _ => wrong_kind(),
                    }
                }
                Place::Input(_) => unreachable!("inputs are never written"),
            }
        }

        #[inline(always)]
        fn $put(&mut self, place: Place, block: Block<'o, $type>) {
            match (place, block) {
                (Place::Register(r), Block::Register(block)) => self.scratch.$bank[r] = block,
                (Place::Output(j), Block::Output(block)) => self.outputs[j] = SliceMut::$variant(block),
                _ => unreachable!("a block goes back to where it was taken"),
            }
        }
    };
}

/// A destination, taken out of the frame so that operands can be borrowed meanwhile.
enum Block<'o, E> {
    Register(Vec<E>),
    Output(&'o mut [E]),
}

impl<E> Block<'_, E> {
    #[inline(always)]
    fn first(&mut self, n: usize) -> &mut [E] {
        match self {
            Block::Register(block) => &mut block[..n],
            Block::Output(block) => block,
        }
    }
}

/// `write!(frame, real, to, y => …)` runs the expression with `y` the destination, and is no closure for the reason
/// that [`map!`] gives.
macro_rules! write {
    (@ $frame:ident, $take:ident, $put:ident, $to:expr, $y:ident => $body:expr) => {{
        let mut block = $frame.$take($to);
        {
            let $y = block.first($frame.n);
            $body;
        }
        $frame.$put($to, block);
    }};
    ($frame:ident, real, $($rest:tt)*) => { write!(@ $frame, take_real, put_real, $($rest)*) };
    ($frame:ident, int, $($rest:tt)*) => { write!(@ $frame, take_int, put_int, $($rest)*) };
    ($frame:ident, truth, $($rest:tt)*) => { write!(@ $frame, take_truth, put_truth, $($rest)*) };
}

#[cold]
fn wrong_kind() -> ! {
    panic!("a buffer of another kind than the program's")
}

/// A loop written out in place: `map!(y, x in xs => -x)`. A closure would be a function of its own, which the compiler
/// may leave without the SIMD instructions of the function around it.
macro_rules! map {
    ($out:ident, $x:ident in $xs:expr => $body:expr) => {
        for (out, x) in $out.iter_mut().zip($xs) {
            let $x = *x;
            *out = $body;
        }
    };
    ($out:ident, $a:ident in $as:expr, $b:ident in $bs:expr => $body:expr) => {
        for ((out, a), b) in $out.iter_mut().zip($as).zip($bs) {
            let ($a, $b) = (*a, *b);
            *out = $body;
        }
    };
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
        Compare::Eq => map!(y, a in a, b in b => a == b),
        Compare::Ne => map!(y, a in a, b in b => a != b),
        Compare::Lt => map!(y, a in a, b in b => a < b),
        Compare::Le => map!(y, a in a, b in b => a <= b),
        Compare::Gt => map!(y, a in a, b in b => a > b),
        Compare::Ge => map!(y, a in a, b in b => a >= b),
    }
}

#[inline(always)]
fn unary_real<T: Real, const FMA: bool>(op: Unary, x: &[T], y: &mut [T]) {
    let (zero, one) = (T::zero(), T::one());
    match op {
        Unary::Neg => map!(y, x in x => -x),
        Unary::Abs => map!(y, x in x => x.abs()),
        Unary::Sign => map!(y, x in x => {
            let negative = if x < zero { -one } else { x };
            if x > zero { one } else { negative }
        }),
        Unary::Floor => map!(y, x in x => x.floor()),
        Unary::Ceil => map!(y, x in x => x.ceil()),
        Unary::Round => map!(y, x in x => math::round_even(x)),
        Unary::Sqrt => map!(y, x in x => x.sqrt()),
        Unary::Rsqrt => map!(y, x in x => one / x.sqrt()),
        Unary::Exp => map!(y, x in x => math::exp::<T, FMA>(x)),
        Unary::Expm1 => map!(y, x in x => math::expm1::<T, FMA>(x)),
        Unary::Log => map!(y, x in x => math::ln::<T, FMA>(x)),
        Unary::Log1p => map!(y, x in x => math::ln_1p::<T, FMA>(x)),
        Unary::Sin => map!(y, x in x => x.sin()),
        Unary::Cos => map!(y, x in x => x.cos()),
        Unary::Tanh => map!(y, x in x => math::tanh::<T, FMA>(x)),
        Unary::Logistic => map!(y, x in x => math::logistic::<T, FMA>(x)),
        Unary::Softplus => map!(y, x in x => math::softplus::<T, FMA>(x)),
        Unary::Erf => map!(y, x in x => x.erf()),
    }
}

#[inline(always)]
fn binary_real<T: Real>(op: Binary, a: &[T], b: &[T], y: &mut [T]) {
    match op {
        Binary::Add => map!(y, a in a, b in b => a + b),
        Binary::Sub => map!(y, a in a, b in b => a - b),
        Binary::Mul => map!(y, a in a, b in b => a * b),
        Binary::Div => map!(y, a in a, b in b => a / b),
        Binary::Pow => map!(y, a in a, b in b => a.powf(b)),
        // A comparison with NaN is false, which leaves b; a NaN in a is asked for.
        Binary::Max => map!(y, a in a, b in b => if a > b || a.is_nan() { a } else { b }),
        Binary::Min => map!(y, a in a, b in b => if a < b || a.is_nan() { a } else { b }),
    }
}

fn unary_int(op: Unary, x: &[i64], y: &mut [i64]) {
    match op {
        Unary::Neg => map!(y, x in x => i64::wrapping_neg(x)),
        Unary::Abs => map!(y, x in x => i64::wrapping_abs(x)),
        Unary::Sign => map!(y, x in x => i64::signum(x)),
        _ => wrong_kind(),
    }
}

fn binary_int(op: Binary, a: &[i64], b: &[i64], y: &mut [i64]) {
    match op {
        Binary::Add => map!(y, a in a, b in b => i64::wrapping_add(a, b)),
        Binary::Sub => map!(y, a in a, b in b => i64::wrapping_sub(a, b)),
        Binary::Mul => map!(y, a in a, b in b => i64::wrapping_mul(a, b)),
        Binary::Max => map!(y, a in a, b in b => i64::max(a, b)),
        Binary::Min => map!(y, a in a, b in b => i64::min(a, b)),
        Binary::Div | Binary::Pow => wrong_kind(),
    }
}

fn binary_truth(op: Binary, a: &[bool], b: &[bool], y: &mut [bool]) {
    match op {
        Binary::Max => map!(y, a in a, b in b => a | b),
        Binary::Min => map!(y, a in a, b in b => a & b),
        _ => wrong_kind(),
    }
}

impl<'o, T: Real> Frame<'_, 'o, T> {
    access!(real, take_real, put_real, real, Real, T);
    access!(int, take_int, put_int, int, Int, i64);
    access!(truth, take_truth, put_truth, truth, Truth, bool);

    #[inline(always)]
    fn execute<const FMA: bool>(&mut self, kernel: &Kernel, code: &Code) {
        let Code { op, kind, to, args: [a, b, c] } = *code;
        match (op, kind) {
            (Op::Load(k, walk), _) => self.load(kernel, k, walk, to),
            (Op::Unary(op), Kind::Real) => {
                write!(self, real, to, y => unary_real::<T, FMA>(op, self.real(a), y))
            }
            (Op::Unary(op), Kind::Int) => write!(self, int, to, y => unary_int(op, self.int(a), y)),
            (Op::Binary(op), Kind::Real) => {
                write!(self, real, to, y => binary_real(op, self.real(a), self.real(b), y))
            }
            (Op::Binary(op), Kind::Int) => {
                write!(self, int, to, y => binary_int(op, self.int(a), self.int(b), y))
            }
            (Op::Binary(op), Kind::Truth) => {
                write!(self, truth, to, y => binary_truth(op, self.truth(a), self.truth(b), y))
            }
            (Op::Compare(op), Kind::Real) => {
                write!(self, truth, to, y => compare(op, self.real(a), self.real(b), y))
            }
            (Op::Compare(op), Kind::Int) => {
                write!(self, truth, to, y => compare(op, self.int(a), self.int(b), y))
            }
            (Op::Compare(op), Kind::Truth) => {
                write!(self, truth, to, y => compare(op, self.truth(a), self.truth(b), y))
            }
            (Op::Select, Kind::Real) => {
                write!(self, real, to, y => choose(self.truth(a), self.real(b), self.real(c), y))
            }
            (Op::Select, Kind::Int) => {
                write!(self, int, to, y => choose(self.truth(a), self.int(b), self.int(c), y))
            }
            (Op::Select, Kind::Truth) => {
                write!(self, truth, to, y => choose(self.truth(a), self.truth(b), self.truth(c), y))
            }
            (Op::Cast(wanted), kind) => self.cast(kind, wanted, a, to),
            (Op::Unary(_), Kind::Truth) => wrong_kind(),
        }
    }

    #[inline(always)]
    fn cast(&mut self, from: Kind, wanted: Kind, a: Place, to: Place) {
        match (from, wanted) {
            (Kind::Int, Kind::Real) => {
                write!(self, real, to, y => map!(y, x in self.int(a) => T::from_f64(x as f64)))
            }
            (Kind::Truth, Kind::Real) => {
                write!(self, real, to, y => map!(y, x in self.truth(a) => if x { T::one() } else { T::zero() }));
            }
            (Kind::Real, Kind::Int) => {
                write!(self, int, to, y => map!(y, x in self.real(a) => x.to_f64() as i64))
            }
            (Kind::Truth, Kind::Int) => {
                write!(self, int, to, y => map!(y, x in self.truth(a) => i64::from(x)))
            }
            (Kind::Real, Kind::Truth) => {
                write!(self, truth, to, y => map!(y, x in self.real(a) => x != T::zero()))
            }
            (Kind::Int, Kind::Truth) => write!(self, truth, to, y => map!(y, x in self.int(a) => x != 0)),
            (Kind::Real, Kind::Real) | (Kind::Int, Kind::Int) | (Kind::Truth, Kind::Truth) => {
                unreachable!("a cast to the same kind is no instruction")
            }
        }
    }

    fn load(&mut self, kernel: &Kernel, k: usize, walk: usize, to: Place) {
        let (walk, at) = (&kernel.walks[walk], self.at);
        match self.inputs[k] {
            Slice::Real(x) => write!(self, real, to, y => walk.gather(x, at, y)),
            Slice::Int(x) => write!(self, int, to, y => walk.gather(x, at, y)),
            Slice::Truth(x) => write!(self, truth, to, y => walk.gather(x, at, y)),
        }
    }

    fn copy(&mut self, from: Place, j: usize) {
        let to = Place::Output(j);
        match self.outputs[j] {
            SliceMut::Real(_) => write!(self, real, to, y => y.copy_from_slice(self.real(from))),
            SliceMut::Int(_) => write!(self, int, to, y => y.copy_from_slice(self.int(from))),
            SliceMut::Truth(_) => write!(self, truth, to, y => y.copy_from_slice(self.truth(from))),
        }
    }
}
