//! Differentiation as recording: every derivative is more nodes in the same graph.
//!
//! [`jvp`](crate::jvp) walks the nodes from left to right and records tangents, which are linear in the
//! input tangents. [`vjp`](crate::vjp) records those tangents and transposes them, right to left. The
//! gradient is the vjp of a scalar with cotangent 1, and a Hessian-vector product the jvp of a gradient.

mod branch;
pub(crate) mod broken;
mod call;
pub(crate) mod checkpoint;
mod custom;
pub(crate) mod derived;
pub(crate) mod grad;
pub(crate) mod jacobian;
pub(crate) mod jvp;
pub(crate) mod linearity;
mod loops;
mod pushforward;
pub(crate) mod transpose;
pub(crate) mod vmap;
