//! Computation graphs: record, differentiate, plan, run — and check.
//!
//! ```text
//! record ──► differentiate ──► plan ──► run
//! Graph      Graph → Graph     Compiled  kernels on Tensors
//! ```
//!
//! * **record.** Formulas over [`Var`]s record primitives into a [`Graph`]; nothing is computed but shapes.
//! * **differentiate.** [`Var::grad`], [`jvp`], [`vjp`], [`hvp`], [`jacobian`] and [`hessian`] record derivatives into
//!   the same graph, in the same primitives. A gradient is a `Var`: print it, compile it, differentiate it again, or
//!   record it for many examples at once with [`vmap`]. [`Var::checkpoint`] trades memory for time;
//!   [`Graph::custom_vjp`], [`Graph::custom_jvp`] and [`CustomOp`] are for derivatives of your own.
//! * **plan and run.** [`Graph::compile`] plans once (dead code, constants, fusion, buffers); the
//!   [`Compiled`] function replays without allocating. [`Var::value`] does both for a look at one number;
//!   [`Function`] traces a closure once per signature. [`Compiler::anomaly`] finds the first NaN or infinity.
//! * **check.** [`check::gradients`] compares any gradient with differences of values, and finds the operation whose
//!   derivative is wrong.
//! * **see.** [`Graph::picture`] draws, [`Var::equations`] writes a derivative out, [`Graph::saved_for_backward`] lists what
//!   it keeps.
//!
//! ```
//! use chainrule_graph::{Graph, check};
//!
//! let g = Graph::new();
//! let x = g.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]);
//! let y = g.constant([[0.0], [1.0], [1.0]]);
//! let w = g.leaf("w", [[0.1], [-0.2]]);
//! let b = g.leaf("b", 0.3);
//!
//! let z = x.matmul(w) + b;
//! let loss = (z.softplus() - y * z).mean(..); // logistic regression, from logits
//! let d = loss.grad(&[w, b])?;
//!
//! assert_eq!(d[0].shape()[..], [2, 1]);
//! assert!(check::gradients(loss, &[w, b])?.is_fine());
//! # Ok::<(), chainrule_graph::Error>(())
//! ```
//!
//! Where a thing lives: `ir` the node list · `var` the handle and its operators · `prim` one file per family of
//! primitives, each with its one derivative and batching rule · `math` compositions · `diff` transforms · `exec`
//! planning and running · `check` the gradient check · `text` dumps, DOT, equations · `picture` SVG.
#![forbid(unsafe_code)]

mod attribution;
mod body;
mod cache;
pub mod check;
mod control;
mod copy;
mod diff;
mod error;
mod exec;
mod ir;
mod math;
mod mixed;
mod note;
mod origin;
mod picture;
pub mod plan;
mod precision;
mod prim;
mod repeat;
mod rewrite;
mod text;
mod trim;
mod types;
mod var;
mod walk;

pub use attribution::{BlameGuard, PassedGuard, ScopeGuard};
pub use body::Body;
pub use cache::Cache;
pub use chainrule_tensor::kernels::Kind;
pub use chainrule_tensor::kernels::order::Order;
pub use control::{Keep, Scan, WhileLoop, call, cond, scan, while_loop};
pub use diff::grad::hvp;
pub use diff::jacobian::{hessian, jacobian};
pub use diff::jvp::jvp;
pub use diff::transpose::vjp;
pub use diff::vmap::vmap;
pub use error::{Error, ErrorKind, Result};
pub use exec::compile::{Compiler, Optimise};
pub use exec::compiled::Compiled;
pub use exec::function::{Function, value_and_grad};
pub use exec::profile::{Profile, ProfiledStep};
pub use ir::{Graph, Node};
pub use math::clip::Bounds;
pub use math::norm::MatrixNorm;
pub use math::resize::{Around, Resize};
pub use math::samples::compositions;
pub use math::slide::{Padding, PerAxis, Slide};
pub use math::systems::Triangular;
pub use mixed::Mixed;
pub use origin::{Origin, Phase};
pub use picture::Picture;
pub use precision::Precision;
pub use prim::custom::CustomOp;
pub use prim::{Formula, Op, Sample, samples};
pub use text::equations::{Equation, Equations};
pub use text::frames::Within;
pub use text::saved::{Saved, SavedValue};
pub use types::{Args, NodeId, Type};
pub use var::{Operand, OperandValue, Var};
