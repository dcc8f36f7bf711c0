//! What chainrule promises as a whole.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Several batches for one step: the mean over all examples, to the bit; resumed within.
mod accumulate;
/// A replayed training step does not allocate.
mod allocation;
/// Images changed at random, read from folders, and batches made ahead.
mod augment;
/// Whatever a user gets wrong is a typed error that says what, where and what to do.
mod bad_input;
/// What people met with other frameworks, in public reports: the right value is a test.
mod cases;
/// Runs in files: killed at any moment, they go on and end with the same bytes.
mod checkpoints;
/// Mutated files: each reader accepts or refuses, and what it accepts can be used.
mod fuzz;
/// Ctrl-C saves and stops.
mod interrupt;
/// Averages of weights, the search for a rate, spikes, minima.
mod kit;
/// Layers: convolutions, normalisations with memory, sizes of the lectures, refusals.
mod layers;
/// Automatic differentiation equals the lectures' formulas.
mod lectures;
/// Which class outputs name is known to the loss, and nobody guesses.
mod meaning;
/// Networks of the literature have the numbers of parameters that are published, and learn.
mod models;
/// Classes, features and parameters are compared by name wherever two of them meet.
mod names;
/// What the prelude brings into scope gets in nobody's way.
mod prelude;
/// Reports are sound pages that show what they say.
mod report;
/// Several seeds, and the search for hyperparameters.
mod search;
/// Layers, losses and searches of sequences: lengths, masks, caches, states.
mod sequences;
/// Steps of one's own: several goals, gradients that are given, observers, 64 bits.
mod steps;
/// Training on examples that are read when they are needed; plans up to a bound.
mod streaming;
/// Tables as people have them are read right, or refused with line and column.
mod tables;
/// The code keeps its shape: file lengths, directions of dependencies, examples in the README.
mod tidy;
/// Training: seeds, threads, dropout, optimisers, refusals.
mod training;

/// The number of threads belongs to the process: tests that set it take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
