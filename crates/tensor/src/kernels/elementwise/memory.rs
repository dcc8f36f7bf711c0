//! Where the blocks of a run lie: the registers of a thread, and outputs that several threads share.

use std::cell::RefCell;
use std::slice::from_raw_parts;

use super::{BLOCK, Kernel};
use crate::Real;
use crate::kernels::{Slice, SliceMut};

/// Bytes of a cache line, as wide as the widest vector.
const LINE: usize = 64;
/// Registers that need more than this have shorter blocks.
const BUDGET: usize = 1 << 20;
/// A thread that needs more than this for a run gives it back afterwards.
const KEPT: usize = 1 << 22;

/// The elements of a block, for outputs of `len` elements and so many registers of each kind: no more than there are,
/// and few where registers are many.
pub(super) fn block(len: usize, registers: [usize; 3]) -> usize {
    let widest = bytes(registers, LINE, size_of::<f64>());
    let within = BUDGET.checked_div(widest).map_or(BLOCK, |lines| lines.max(1) * LINE);
    // A power of two up to a line, so that no vector crosses one.
    let whole = if len < LINE { len.next_power_of_two().max(4) } else { len.next_multiple_of(LINE) };
    BLOCK.min(within).min(whole)
}

/// The bytes of so many registers of `block` elements, with reals of `width` bytes.
fn bytes([reals, ints, truths]: [usize; 3], block: usize, width: usize) -> usize {
    (reals * width + ints * size_of::<i64>() + truths) * block
}

impl Kernel {
    /// The bytes that each thread needs for what lies between inputs and outputs, with reals of `width` bytes.
    pub fn scratch(&self, width: usize) -> usize {
        bytes(self.registers, self.block, width)
    }
}

/// Memory that begins with a cache line; it is read and written by pointer only.
#[derive(Clone)]
#[repr(align(64))]
#[expect(dead_code, reason = "read by pointer")]
struct Line([u8; LINE]);

/// The registers of a thread, by kind. They stay for its next runs, unless they are very many.
#[derive(Default)]
pub(super) struct Scratch([Vec<Line>; 3]);

thread_local! {
    static SCRATCH: RefCell<Scratch> = const { RefCell::new(Scratch([Vec::new(), Vec::new(), Vec::new()])) };
}

impl Scratch {
    /// Lends the registers of this thread, as many as `kernel` needs: the first element of each kind.
    pub(super) fn lend<T: Real>(kernel: &Kernel, run: impl FnOnce(*mut T, *mut i64, *mut bool)) {
        SCRATCH.with_borrow_mut(|Scratch(banks)| {
            let widths = [size_of::<T>(), size_of::<i64>(), size_of::<bool>()];
            for ((bank, registers), width) in banks.iter_mut().zip(kernel.registers).zip(widths) {
                let lines = (registers * kernel.block * width).div_ceil(LINE);
                if bank.len() < lines {
                    bank.resize(lines, Line([0; LINE]));
                }
            }
            let [real, int, truth] = &mut *banks;
            run(real.as_mut_ptr().cast(), int.as_mut_ptr().cast(), truth.as_mut_ptr().cast());
            if banks.iter().map(|bank| bank.capacity() * LINE).sum::<usize>() > KEPT {
                *banks = Default::default();
            }
        });
    }
}

/// The start of an output buffer that several threads write to, each its own range.
#[derive(Clone, Copy)]
pub(in crate::kernels) enum Shared<T> {
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
    pub(in crate::kernels) fn new(out: &mut SliceMut<'_, T>) -> (Self, usize) {
        match out {
            SliceMut::Real(y) => (Shared::Real(y.as_mut_ptr()), y.len()),
            SliceMut::Int(y) => (Shared::Int(y.as_mut_ptr()), y.len()),
            SliceMut::Truth(y) => (Shared::Truth(y.as_mut_ptr()), y.len()),
        }
    }

    /// The `len` elements from element `from` on.
    ///
    /// # Safety
    /// They exist, and while the result lives nobody writes there.
    pub(in crate::kernels) unsafe fn part<'a>(self, from: usize, len: usize) -> Slice<'a, T> {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Shared::Real(y) => Slice::Real(from_raw_parts(y.add(from), len)),
                Shared::Int(y) => Slice::Int(from_raw_parts(y.add(from), len)),
                Shared::Truth(y) => Slice::Truth(from_raw_parts(y.add(from), len)),
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

    /// Σ over i < n of −(… −(−x)): all values are alive at once.
    fn alternating(n: usize, len: usize) -> Kernel {
        let mut program = ProgramBuilder::new();
        let mut last = program.input(Kind::Real);
        let values: Vec<_> = (0..n)
            .map(|_| {
                last = program.unary(Unary::Neg, last);
                last
            })
            .collect();
        let sum = values.into_iter().rev().reduce(|sum, x| program.binary(Binary::Add, sum, x));
        program.output(sum.expect("values"));
        let shape = Shape::from([len]);
        Kernel::new(&program.finish(), &shape, &[Layout::contiguous([len])], &[None])
    }

    fn held() -> usize {
        SCRATCH.with_borrow(|Scratch(banks)| banks.iter().map(|bank| bank.len() * LINE).sum())
    }

    #[test]
    fn registers_are_no_longer_than_needed_and_very_many_are_given_back() {
        std::thread::spawn(|| {
            for (n, len, block) in [(5, 3, 4), (5, 70, 128), (9_001, 200, 64)] {
                let kernel = alternating(n, len);
                let x: Vec<f64> = (0..len).map(|i| i as f64).collect();
                let mut y = vec![0.0; len];
                kernel.run(&[Slice::Real(&x)], &mut [SliceMut::Real(&mut y)]);
                // Of an odd number of terms the first is left.
                assert!(x.iter().zip(&y).all(|(x, y)| -x == *y), "{n} values of {len}");
                let scratch = kernel.scratch(8);
                assert!(
                    (n * block * 8..(n + 3) * block * 8).contains(&scratch),
                    "{n} of {len}: {scratch} bytes"
                );
                let expected = if scratch > KEPT { 0..=0 } else { scratch..=KEPT };
                assert!(expected.contains(&held()), "{n} values of {len}: {} bytes", held());
            }
        })
        .join()
        .expect("no assertion fails");
    }
}
