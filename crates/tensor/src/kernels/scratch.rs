//! Memory of a thread that kernels borrow: it stays for the next run, so that a replay allocates nothing.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use crate::Real;

/// More bytes than this are given back to the system after use.
const KEPT: usize = 1 << 22;

thread_local! {
    /// As many as were ever lent at once.
    static FREE: RefCell<Vec<Vec<f64>>> = const { RefCell::new(Vec::new()) };
}

/// Borrowed memory, which goes back when it is dropped.
pub(super) struct Loan<T> {
    /// Wide and aligned enough for any real.
    memory: Vec<f64>,
    len: usize,
    element: PhantomData<T>,
}

/// Lends `len` elements that hold anything.
pub(super) fn lend<T: Real>(len: usize) -> Loan<T> {
    const { assert!(size_of::<T>() <= size_of::<f64>() && align_of::<T>() <= align_of::<f64>()) };
    let mut memory = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
    if memory.len() < len {
        memory.resize(len, 0.0);
    }
    Loan { memory, len, element: PhantomData }
}

impl<T> Deref for Loan<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: there are `len` elements at least as wide as T, initialised, and T is f32 or f64 (`Real` is sealed),
        // of which every bit pattern is a value.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().cast(), self.len) }
    }
}

impl<T> DerefMut for Loan<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.memory.as_mut_ptr().cast(), self.len) }
    }
}

impl<T> Drop for Loan<T> {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        if size_of_val(&memory[..]) <= KEPT {
            FREE.with_borrow_mut(|free| free.push(memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loans_at_one_time_have_their_own_memory_and_come_back() {
        for n in [0, 1, 7, 1000] {
            let mut x = lend::<f32>(n);
            x.fill(1.0);
            let mut y = lend::<f64>(n + 1);
            y.fill(2.0);
            assert!(x.len() == n && x.iter().all(|x| *x == 1.0));
        }
        assert_eq!(FREE.with_borrow(Vec::len), 2);
        drop(lend::<f64>(KEPT));
        assert_eq!(FREE.with_borrow(Vec::len), 1);
    }
}
