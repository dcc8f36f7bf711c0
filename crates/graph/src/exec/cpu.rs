//! The processor's executor: all numbers come from the kernels of the tensor library.

mod run;

use std::marker::PhantomData;

use chainrule_tensor::kernels::matmul::MatMul;
use chainrule_tensor::kernels::{Kind, Slice, SliceMut, elementwise, rows};
use chainrule_tensor::{DType, Element, Real, Shape, Tensor};

use super::call::{Call, RowStep, RowWork};
use super::executor::Executor;
use crate::error::ErrorKind;
use crate::ir::Type;
use run::{clear, run};

/// Carries out plans on this processor, with reals of type `T`.
#[derive(Debug)]
pub struct Cpu<T>(PhantomData<T>);

impl<T> Cpu<T> {
    /// The one there is.
    pub const fn new() -> Self {
        Cpu(PhantomData)
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
    /// Integers.
    Int(Vec<i64>),
    /// Truth values.
    Truth(Vec<bool>),
    /// A constant or an argument, read where it lies.
    Tensor(Tensor),
    /// A result, which changes places with that of the run before.
    Result(Tensor),
}

impl<T: Real> Executor for Cpu<T> {
    type Memory = Memory<T>;
    type View<'a> = Slice<'a, T>;
    type ViewMut<'a> = SliceMut<'a, T>;
    type Kernel = Kernel;

    fn room(&mut self, kind: Kind, len: usize) -> Memory<T> {
        match kind {
            Kind::Real => Memory::Real(vec![T::zero(); len]),
            Kind::Int => Memory::Int(vec![0; len]),
            Kind::Truth => Memory::Truth(vec![false; len]),
        }
    }

    fn hold(&mut self, value: &Tensor) -> Memory<T> {
        Memory::Tensor(prepared::<T>(value))
    }

    fn put(&mut self, value: &Tensor, to: SliceMut<'_, T>) {
        copy(lend(&prepared::<T>(value)), to);
    }

    fn get(&self, from: Slice<'_, T>, ty: &Type) -> Tensor {
        let mut out = zeros::<T>(ty.kind, &ty.shape);
        copy(from, lend_mut(&mut out));
        out
    }

    fn number(&self, from: Slice<'_, T>) -> i64 {
        match from {
            Slice::Int(x) => x[0],
            Slice::Truth(x) => i64::from(x[0]),
            Slice::Real(_) => unreachable!("plans ask for integers and truth values only"),
        }
    }

    fn set_number(&mut self, value: i64, to: SliceMut<'_, T>) {
        match to {
            SliceMut::Int(x) => x[0] = value,
            _ => unreachable!("plans count in integers"),
        }
    }

    fn view<'a>(&self, memory: &'a Memory<T>, len: usize) -> Slice<'a, T> {
        match memory {
            Memory::Real(v) => Slice::Real(&v[..len]),
            Memory::Int(v) => Slice::Int(&v[..len]),
            Memory::Truth(v) => Slice::Truth(&v[..len]),
            Memory::Tensor(t) | Memory::Result(t) => lend(t),
        }
    }

    fn view_mut<'a>(&self, memory: &'a mut Memory<T>, len: usize) -> SliceMut<'a, T> {
        match memory {
            Memory::Real(v) => SliceMut::Real(&mut v[..len]),
            Memory::Int(v) => SliceMut::Int(&mut v[..len]),
            Memory::Truth(v) => SliceMut::Truth(&mut v[..len]),
            Memory::Result(t) => lend_mut(t),
            Memory::Tensor(_) => unreachable!("steps write only to buffers of the plan's own"),
        }
    }

    fn nothing<'a>(&self) -> Slice<'a, T> {
        Slice::Real(&[])
    }

    fn part<'a, 'b: 'a>(&self, of: Slice<'b, T>, start: usize, len: usize) -> Slice<'a, T> {
        match of {
            Slice::Real(x) => Slice::Real(&x[start..start + len]),
            Slice::Int(x) => Slice::Int(&x[start..start + len]),
            Slice::Truth(x) => Slice::Truth(&x[start..start + len]),
        }
    }

    fn part_mut<'a>(&self, of: &'a mut SliceMut<'_, T>, start: usize, len: usize) -> SliceMut<'a, T> {
        match of {
            SliceMut::Real(x) => SliceMut::Real(&mut x[start..start + len]),
            SliceMut::Int(x) => SliceMut::Int(&mut x[start..start + len]),
            SliceMut::Truth(x) => SliceMut::Truth(&mut x[start..start + len]),
        }
    }

    fn copy(&mut self, from: Slice<'_, T>, to: SliceMut<'_, T>) {
        copy(from, to);
    }

    fn clear(&mut self, mut to: SliceMut<'_, T>) {
        clear(&mut to);
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
            _ => Kernel::Plain,
        })
    }

    fn run(
        &mut self,
        call: &Call,
        kernel: &mut Kernel,
        inputs: &[Slice<'_, T>],
        outputs: &mut [SliceMut<'_, T>],
    ) -> Result<(), ErrorKind> {
        match (kernel, inputs, outputs) {
            (Kernel::Map(kernel), inputs, outputs) => kernel.run(inputs, outputs),
            (Kernel::Rows(kernel), inputs, outputs) => kernel.run(inputs, outputs),
            (Kernel::MatMul(product), [Slice::Real(a), Slice::Real(b)], [SliceMut::Real(y)]) => {
                product.run(a, b, y);
            }
            (_, inputs, outputs) => return run(call, inputs, outputs),
        }
        Ok(())
    }

    fn scratch(&self, kernel: &Kernel) -> usize {
        match kernel {
            Kernel::Map(kernel) => kernel.scratch(T::DTYPE.size()),
            Kernel::Rows(kernel) => kernel.scratch(T::DTYPE.size()),
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
                copy(made, lend_mut(to));
            }
        }
    }
}

fn copy<T: Real>(from: Slice<'_, T>, to: SliceMut<'_, T>) {
    match (from, to) {
        (Slice::Real(from), SliceMut::Real(to)) => to.copy_from_slice(from),
        (Slice::Int(from), SliceMut::Int(to)) => to.copy_from_slice(from),
        (Slice::Truth(from), SliceMut::Truth(to)) => to.copy_from_slice(from),
        _ => unreachable!("a value and its buffer are of one kind"),
    }
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
