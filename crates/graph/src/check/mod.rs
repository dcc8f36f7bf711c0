//! Gradient checking: recorded gradients against differences of values, in f64 whatever the model trains in — and
//! if they differ, which operation is to blame.
//!
//! The measure and its bands are those of the course (lectures 1.12 to 1.14 of course 2):
//! ‖g − ĝ‖₂ / (‖g‖₂ + ‖ĝ‖₂), about 1e-7 is fine, 1e-5 deserves a look, 1e-3 is wrong. The loss that is checked
//! is the very one that is trained: its penalty term is in it, and so is dropout, whose mask is a function of
//! its key.
//!
//! The step is not guessed but found by a sweep, which also says how far the differences can be trusted. So the
//! [`Verdict`] tells a wrong gradient from a kink, from rounding, from randomness and from an unused parameter. A
//! wrong one is traced: each recorded operation on the way is replayed on its own, and the report names the
//! [`Culprit`], its line and scope, and the kind of mistake ([`Hypothesis`]).
//!

mod checker;
mod culprit;
mod difference;
mod measure;
mod probe;
mod report;
mod verdict;

pub use checker::{Checker, gradients};
pub use culprit::Culprit;
pub use report::{Mode, Parameter, Report, Worst};
pub use verdict::{Band, Fault, Kink, Side, Verdict};
