//! Where the blocks of a run lie: the registers of a thread, and outputs that several threads share.

use super::bind::Fill;
use super::loops::wrong_kind;
use super::{BLOCK, Scalar};
use crate::Real;
use crate::kernels::{Kind, Slice, SliceMut};

/// One register, aligned to the widest vector so that none crosses a cache line.
#[repr(align(64))]
pub(super) struct Block<E>(pub(super) [E; BLOCK]);

/// The registers of one thread; they grow and stay.
pub struct Scratch<T> {
    pub(super) real: Vec<Block<T>>,
    pub(super) int: Vec<Block<i64>>,
    pub(super) truth: Vec<Block<bool>>,
}

impl<T> Scratch<T> {
    pub(crate) const fn new() -> Self {
        Scratch { real: Vec::new(), int: Vec::new(), truth: Vec::new() }
    }
}

impl<T: Real> Scratch<T> {
    /// Makes sure that there are so many registers of each kind.
    pub(super) fn reserve(&mut self, [reals, ints, truths]: [usize; 3]) {
        fn grow<E: Copy + Default>(bank: &mut Vec<Block<E>>, n: usize) {
            if bank.len() < n {
                bank.resize_with(n, || Block([E::default(); BLOCK]));
            }
        }
        grow(&mut self.real, reals);
        grow(&mut self.int, ints);
        grow(&mut self.truth, truths);
    }

    /// Sets the first `n` elements of a register to one value.
    pub(super) fn fill(
        &mut self,
        register: usize,
        kind: Kind,
        fill: Fill,
        inputs: &[Slice<'_, T>],
        n: usize,
    ) {
        match fill {
            Fill::Constant(Scalar::Real(x)) => self.real[register].0[..n].fill(T::from_f64(x)),
            Fill::Constant(Scalar::Int(x)) => self.int[register].0[..n].fill(x),
            Fill::Constant(Scalar::Truth(x)) => self.truth[register].0[..n].fill(x),
            Fill::Element { input, at } => match (kind, inputs[input]) {
                (Kind::Real, Slice::Real(x)) => self.real[register].0[..n].fill(x[at]),
                (Kind::Int, Slice::Int(x)) => self.int[register].0[..n].fill(x[at]),
                (Kind::Truth, Slice::Truth(x)) => self.truth[register].0[..n].fill(x[at]),
                _ => wrong_kind(),
            },
        }
    }
}

/// The start of an output buffer that several threads write to, each its own range.
#[derive(Clone, Copy)]
pub(super) enum Shared<T> {
    Real(*mut T),
    Int(*mut i64),
    Truth(*mut bool),
}

// SAFETY: an address may go to any thread; who writes through it promises to keep to its own range.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T: Real> Shared<T> {
    /// The address and the length of a buffer.
    pub(super) fn new(out: &mut SliceMut<'_, T>) -> (Self, usize) {
        match out {
            SliceMut::Real(y) => (Shared::Real(y.as_mut_ptr()), y.len()),
            SliceMut::Int(y) => (Shared::Int(y.as_mut_ptr()), y.len()),
            SliceMut::Truth(y) => (Shared::Truth(y.as_mut_ptr()), y.len()),
        }
    }
}
