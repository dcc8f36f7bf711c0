//! Gradient checking: recorded gradients against differences of values, in f64 whatever the model trains in.
//!
//! The measure and its bands are those of the course (lectures 1.12 to 1.14 of course 2):
//! ‖g − ĝ‖₂ / (‖g‖₂ + ‖ĝ‖₂), about 1e-7 is fine, 1e-5 deserves a look, 1e-3 is wrong. The loss that is checked
//! is the very one that is trained: its penalty term is in it, and so is dropout, whose mask is a function of
//! its key.

mod numeric;
mod report;

pub use numeric::{Checker, gradients};
pub use report::{Band, Parameter, Report, Worst};
