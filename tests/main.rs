//! What chainrule promises as a whole.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A replayed training step does not allocate.
mod allocation;
/// Whatever a user gets wrong is a typed error that says what, where and what to do.
mod bad_input;
/// Automatic differentiation equals the lectures' formulas.
mod lectures;
/// What the prelude brings into scope gets in nobody's way.
mod prelude;
/// The code keeps its shape: file lengths, directions of dependencies, examples in the README.
mod tidy;
/// Training: seeds, threads, dropout, optimisers, refusals.
mod training;

/// The number of threads belongs to the process: tests that set it take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
