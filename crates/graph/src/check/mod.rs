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
//! ```
//! use chainrule_graph::{Graph, check};
//!
//! let g = Graph::new();
//! let w = g.leaf("w", [0.5, -1.0, 2.0]);
//! // A cube with the derivative of a square.
//! let y = g.custom_vjp("cube", &[w], |x| x[0] * x[0] * x[0], |x, _y, ct| vec![2.0 * x[0] * ct]);
//! let report = check::gradients(y.sin().sum(..), &[w])?;
//! assert!(report.verdict().is_wrong());
//! let culprit = &report.culprits[0];
//! assert_eq!(culprit.op, "cube");
//! assert_eq!(culprit.hypothesis.to_string(), "the recorded derivative is 2·x0, but differences show 3·x0²");
//! # Ok::<(), chainrule_graph::Error>(())
//! ```

mod assert;
mod checker;
mod culprit;
mod difference;
mod formula;
mod guess;
mod hypothesis;
mod inside;
mod measure;
mod places;
mod probe;
mod replay;
mod report;
mod search;
mod transposed;
mod verdict;

pub use assert::{assert_gradients, assert_gradients_of};
pub use checker::{Checker, gradients};
pub use culprit::Culprit;
pub use hypothesis::{Hypothesis, Length};
pub use report::{Mode, Parameter, Report, Worst};
pub use verdict::{Band, Fault, Kink, Side, Verdict};
