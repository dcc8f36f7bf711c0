//! The processor's executor: all numbers come from the kernels of the tensor library.

mod run;

use chainrule_tensor::kernels::matmul::MatMul;
use chainrule_tensor::kernels::{Kind, Slice, SliceMut, elementwise, rows};
use chainrule_tensor::{DType, Element, Format, Real, Shape, Tensor};
use smallvec::SmallVec;

use super::call::{Call, RowStep, RowWork};
use super::executor::Executor;
use crate::error::ErrorKind;
use crate::types::Type;
use run::{clear, run};

/// Carries out plans on this processor, with reals of type `T`. What has 16 bits is widened for each kernel that reads it.
#[derive(Debug)]
pub struct Cpu<T> {
    /// Room for what is widened, as much as a step needed.
    wide: Vec<Vec<T>>,
}

impl<T> Cpu<T> {
    /// With nothing to do yet.
    pub const fn new() -> Self {
        Cpu { wide: Vec::new() }
    }
}

impl<T> Default for Cpu<T> {
    fn default() -> Self {
        Cpu::new()
    }
}

/// A call made ready.
#[derive(Debug)]
pub enum Kernel {
    /// A program bound to its registers.
    Map(elementwise::Kernel),
    /// A pass over rows, with its programs bound.
    Rows(rows::Kernel),
    /// A product cut into blocks.
    MatMul(Box<MatMul>),
    /// Nothing to make ready: the call says it all.
    Plain,
}

/// The memory of one value.
#[derive(Debug)]
pub enum Memory<T> {
    /// Reals.
    Real(Vec<T>),
    /// Reals of 16 bits.
    Half(Format, Vec<u16>),
    /// Integers.
    Int(Vec<i64>),
    /// Truth values.
    Truth(Vec<bool>),
    /// A constant or an argument, read where it lies.
    Tensor(Tensor),
    /// A result, which changes places with that of the run before.
    Result(Tensor),
}

/// A value to be read.
#[derive(Clone, Copy, Debug)]
pub enum View<'a, T: Real> {
    /// As kernels read it.
    Whole(Slice<'a, T>),
    /// In 16 bits.
    Half(Format, &'a [u16]),
}

/// A value to be written.
#[derive(Debug)]
pub enum ViewMut<'a, T: Real> {
    /// As kernels write it.
    Whole(SliceMut<'a, T>),
    /// In 16 bits.
    Half(Format, &'a mut [u16]),
}

impl<T: Real> Executor for Cpu<T> {
    type Memory = Memory<T>;
    type View<'a> = View<'a, T>;
    type ViewMut<'a> = ViewMut<'a, T>;
    type Kernel = Kernel;

    fn room(&mut self, kind: Kind, format: Option<Format>, len: usize) -> Memory<T> {
        match (kind, format) {
            (Kind::Real, Some(format)) => Memory::Half(format, vec![0; len]),
            (Kind::Real, None) => Memory::Real(vec![T::zero(); len]),
            (Kind::Int, _) => Memory::Int(vec![0; len]),
            (Kind::Truth, _) => Memory::Truth(vec![false; len]),
        }
    }

    fn hold(&mut self, value: &Tensor) -> Memory<T> {
        Memory::Tensor(prepared::<T>(value))
    }

    fn put(&mut self, value: &Tensor, to: ViewMut<'_, T>) {
        self.copy(View::Whole(lend(&prepared::<T>(value))), to);
    }

    fn get(&self, from: View<'_, T>, ty: &Type) -> Tensor {
        let mut out = zeros::<T>(ty.kind, &ty.shape);
        copy(from, ViewMut::Whole(lend_mut(&mut out)));
        out
    }

    fn number(&self, from: View<'_, T>) -> i64 {
        match from {
            View::Whole(Slice::Int(x)) => x[0],
            View::Whole(Slice::Truth(x)) => i64::from(x[0]),
            _ => unreachable!("plans ask for integers and truth values only"),
        }
    }

    fn set_number(&mut self, value: i64, to: ViewMut<'_, T>) {
        match to {
            ViewMut::Whole(SliceMut::Int(x)) => x[0] = value,
            _ => unreachable!("plans count in integers"),
        }
    }

    fn view<'a>(&self, memory: &'a Memory<T>, len: usize) -> View<'a, T> {
        View::Whole(match memory {
            Memory::Real(v) => Slice::Real(&v[..len]),
            Memory::Half(format, v) => return View::Half(*format, &v[..len]),
            Memory::Int(v) => Slice::Int(&v[..len]),
            Memory::Truth(v) => Slice::Truth(&v[..len]),
            Memory::Tensor(t) | Memory::Result(t) => lend(t),
        })
    }

    fn view_mut<'a>(&self, memory: &'a mut Memory<T>, len: usize) -> ViewMut<'a, T> {
        ViewMut::Whole(match memory {
            Memory::Real(v) => SliceMut::Real(&mut v[..len]),
            Memory::Half(format, v) => return ViewMut::Half(*format, &mut v[..len]),
            Memory::Int(v) => SliceMut::Int(&mut v[..len]),
            Memory::Truth(v) => SliceMut::Truth(&mut v[..len]),
            Memory::Result(t) => lend_mut(t),
            Memory::Tensor(_) => unreachable!("steps write only to buffers of the plan's own"),
        })
    }

    fn nothing<'a>(&self) -> View<'a, T> {
        View::Whole(Slice::Real(&[]))
    }

    fn part<'a, 'b: 'a>(&self, of: View<'b, T>, start: usize, len: usize) -> View<'a, T> {
        let range = start..start + len;
        View::Whole(match of {
            View::Half(format, x) => return View::Half(format, &x[range]),
            View::Whole(Slice::Real(x)) => Slice::Real(&x[range]),
            View::Whole(Slice::Int(x)) => Slice::Int(&x[range]),
            View::Whole(Slice::Truth(x)) => Slice::Truth(&x[range]),
        })
    }

    fn part_mut<'a>(&self, of: &'a mut ViewMut<'_, T>, start: usize, len: usize) -> ViewMut<'a, T> {
        let range = start..start + len;
        ViewMut::Whole(match of {
            ViewMut::Half(format, x) => return ViewMut::Half(*format, &mut x[range]),
            ViewMut::Whole(SliceMut::Real(x)) => SliceMut::Real(&mut x[range]),
            ViewMut::Whole(SliceMut::Int(x)) => SliceMut::Int(&mut x[range]),
            ViewMut::Whole(SliceMut::Truth(x)) => SliceMut::Truth(&mut x[range]),
        })
    }

    fn seen<'a>(&self, of: &'a ViewMut<'_, T>) -> View<'a, T> {
        View::Whole(match of {
            ViewMut::Half(format, x) => return View::Half(*format, x),
            ViewMut::Whole(SliceMut::Real(x)) => Slice::Real(x),
            ViewMut::Whole(SliceMut::Int(x)) => Slice::Int(x),
            ViewMut::Whole(SliceMut::Truth(x)) => Slice::Truth(x),
        })
    }

    fn copy(&mut self, from: View<'_, T>, to: ViewMut<'_, T>) {
        copy(from, to);
    }

    fn clear(&mut self, to: ViewMut<'_, T>) {
        match to {
            ViewMut::Whole(mut to) => clear(&mut to),
            ViewMut::Half(_, to) => to.fill(0),
        }
    }

    fn prepare(&mut self, call: &Call) -> Result<Kernel, ErrorKind> {
        Ok(match call {
            Call::Map { program, shape, layouts, in_place } => {
                Kernel::Map(elementwise::Kernel::new(program, shape, layouts, in_place))
            }
            Call::Rows { dims, steps } => {
                let step = |step: &RowStep| rows::Step {
                    work: match &step.work {
                        RowWork::Map { program, shape, layouts } => {
                            let in_place = vec![None; layouts.len()];
                            rows::Work::Map(elementwise::Kernel::new(program, shape, layouts, &in_place))
                        }
                        RowWork::Reduce(op) => rows::Work::Reduce(*op),
                    },
                    reads: step.reads.clone(),
                    writes: step.writes.clone(),
                };
                Kernel::Rows(rows::Kernel::new(*dims, steps.iter().map(step).collect()))
            }
            Call::MatMul { a, b } => Kernel::MatMul(Box::new(MatMul::new(a, b)?)),
            Call::AddMatMul { a, b, .. } => match MatMul::new(a, b)?.onto() {
                Some(product) => Kernel::MatMul(Box::new(product)),
                None => unreachable!("plans add products whose sums are taken at once"),
            },
            Call::Convolve { a, b } => Kernel::MatMul(Box::new(MatMul::in_order(a, b)?)),
            _ => Kernel::Plain,
        })
    }

    fn run(
        &mut self,
        call: &Call,
        kernel: &mut Kernel,
        inputs: &[View<'_, T>],
        outputs: &mut [ViewMut<'_, T>],
    ) -> Result<(), ErrorKind> {
        let mut wide = std::mem::take(&mut self.wide);
        let done = run_wide(&mut wide, call, kernel, inputs, outputs);
        self.wide = wide;
        done
    }

    fn scratch(&self, kernel: &Kernel, halves: usize) -> usize {
        let width = T::DTYPE.size();
        halves * width
            + match kernel {
                Kernel::Map(kernel) => kernel.scratch(width),
                Kernel::Rows(kernel) => kernel.scratch(width),
                Kernel::MatMul(_) | Kernel::Plain => 0,
            }
    }

    fn result(&mut self, kind: Kind, shape: &Shape) -> Memory<T> {
        Memory::Result(zeros::<T>(kind, shape))
    }

    /// A result of an earlier run that somebody kept stays what it is.
    fn renew(&mut self, result: &mut Memory<T>) {
        match result {
            Memory::Result(t) if !is_unique(t) => *t = Tensor::zeros(t.shape(), t.dtype()),
            _ => {}
        }
    }

    fn give(&mut self, result: &mut Memory<T>, ty: &Type, to: &mut Tensor) {
        match result {
            Memory::Result(made) => std::mem::swap(made, to),
            kept => {
                let made = self.view(kept, ty.shape.size());
                copy(made, ViewMut::Whole(lend_mut(to)));
            }
        }
    }
}

fn copy<T: Real>(from: View<'_, T>, to: ViewMut<'_, T>) {
    use {Slice as In, SliceMut as Out};
    match (from, to) {
        (View::Half(_, from), ViewMut::Half(_, to)) => to.copy_from_slice(from),
        (View::Half(format, from), ViewMut::Whole(Out::Real(to))) => format.decode(from, to),
        (View::Whole(In::Real(from)), ViewMut::Half(format, to)) => format.encode(from, to),
        (View::Whole(In::Real(from)), ViewMut::Whole(Out::Real(to))) => to.copy_from_slice(from),
        (View::Whole(In::Int(from)), ViewMut::Whole(Out::Int(to))) => to.copy_from_slice(from),
        (View::Whole(In::Truth(from)), ViewMut::Whole(Out::Truth(to))) => to.copy_from_slice(from),
        _ => unreachable!("a value and its buffer are of one kind"),
    }
}

/// Runs a kernel with what has 16 bits widened into `wide`.
fn run_wide<T: Real>(
    wide: &mut Vec<Vec<T>>,
    call: &Call,
    kernel: &Kernel,
    inputs: &[View<'_, T>],
    outputs: &mut [ViewMut<'_, T>],
) -> Result<(), ErrorKind> {
    let read = inputs.iter().filter(|x| matches!(x, View::Half(..))).count();
    let written = outputs.iter().filter(|y| matches!(y, ViewMut::Half(..))).count();
    if wide.len() < read + written {
        wide.resize_with(read + written, Vec::new);
    }
    let (mut reading, mut writing) = wide.split_at_mut(read);
    let mut sources: SmallVec<[Slice<'_, T>; 16]> = SmallVec::new();
    for input in inputs {
        sources.push(match input {
            View::Whole(x) => *x,
            View::Half(format, x) => {
                let (own, rest) = std::mem::take(&mut reading).split_at_mut(1);
                reading = rest;
                own[0].resize(x.len(), T::zero());
                format.decode(x, &mut own[0]);
                Slice::Real(&own[0])
            }
        });
    }
    {
        let mut targets: SmallVec<[SliceMut<'_, T>; 16]> = SmallVec::new();
        let mut writing = &mut writing[..];
        for output in &mut *outputs {
            targets.push(match output {
                ViewMut::Whole(y) => y.reborrow(),
                ViewMut::Half(format, y) => {
                    let (own, rest) = std::mem::take(&mut writing).split_at_mut(1);
                    writing = rest;
                    own[0].resize(y.len(), T::zero());
                    // A kernel that works in place reads what is there.
                    format.decode(y, &mut own[0]);
                    SliceMut::Real(&mut own[0])
                }
            });
        }
        match (kernel, &sources[..], &mut targets[..]) {
            (Kernel::Map(kernel), inputs, outputs) => kernel.run(inputs, outputs),
            (Kernel::Rows(kernel), inputs, outputs) => kernel.run(inputs, outputs),
            (Kernel::MatMul(product), [Slice::Real(a), Slice::Real(b)], [SliceMut::Real(y)]) => {
                product.run(a, b, y);
            }
            (Kernel::MatMul(product), [Slice::Real(a), Slice::Real(b), other], [SliceMut::Real(y)]) => {
                if let (None, Slice::Real(other)) = (call.held(2), other) {
                    y.copy_from_slice(other);
                }
                product.run(a, b, y);
            }
            (_, inputs, outputs) => run(call, inputs, outputs)?,
        }
    }
    for output in outputs {
        if let ViewMut::Half(format, y) = output {
            let (own, rest) = std::mem::take(&mut writing).split_at_mut(1);
            writing = rest;
            format.encode(&own[0], y);
        }
    }
    Ok(())
}

fn zeros<T: Real>(kind: Kind, shape: &Shape) -> Tensor {
    let dtype = match kind {
        Kind::Real => T::DTYPE,
        Kind::Int => DType::I64,
        Kind::Truth => DType::Bool,
    };
    Tensor::zeros(shape.clone(), dtype)
}

/// The elements of a contiguous tensor of the right dtype.
pub(super) fn lend<T: Real>(tensor: &Tensor) -> Slice<'_, T> {
    if let Some(reals) = tensor.as_slice::<T>() {
        return Slice::Real(reals);
    }
    match (tensor.as_slice::<i64>(), tensor.as_slice::<bool>()) {
        (Some(ints), _) => Slice::Int(ints),
        (_, Some(truths)) => Slice::Truth(truths),
        _ => unreachable!("arguments are made contiguous and brought to the compiled precision"),
    }
}

/// The elements of a tensor of the right dtype that nobody else holds, to be written.
fn lend_mut<T: Real>(tensor: &mut Tensor) -> SliceMut<'_, T> {
    let slice = match tensor.dtype() {
        DType::I64 => elements_mut(tensor).map(SliceMut::Int),
        DType::Bool => elements_mut(tensor).map(SliceMut::Truth),
        _ => elements_mut(tensor).map(SliceMut::Real),
    };
    match slice {
        Some(slice) => slice,
        None => unreachable!("results are contiguous and of the compiled precision"),
    }
}

fn elements_mut<E: Element>(tensor: &mut Tensor) -> Option<&mut [E]> {
    E::unwrap_mut(tensor).and_then(|a| a.as_slice_mut())
}

/// `tensor` as a replay reads it; free if it is contiguous and its reals have width `T`.
fn prepared<T: Real>(tensor: &Tensor) -> Tensor {
    let right = if tensor.dtype().is_real() { tensor.cast(T::DTYPE) } else { tensor.clone() };
    right.to_contiguous()
}

fn is_unique(tensor: &Tensor) -> bool {
    match tensor {
        Tensor::F32(a) => a.is_unique(),
        Tensor::F64(a) => a.is_unique(),
        Tensor::I64(a) => a.is_unique(),
        Tensor::Bool(a) => a.is_unique(),
    }
}
