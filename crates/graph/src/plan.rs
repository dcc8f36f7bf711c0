//! Plans as data, and what carries them out.
//!
//! A [`Plan`] is a list of [`Call`]s on buffers. A [`Machine`] walks it, keeps state and carries out loops and choices; what is
//! computed is left to an [`Executor`]. [`Cpu`] is the one that [`Compiled`](crate::Compiled) uses.

pub use crate::exec::call::{Call, RowStep, RowWork};
pub use crate::exec::cpu::{Cpu, Kernel, Memory, View, ViewMut};
pub use crate::exec::executor::Executor;
pub use crate::exec::machine::Machine;
pub use crate::exec::plan::Plan;
pub use crate::exec::timed::{Spent, Timed, TimedKernel};
pub use crate::exec::within::{Choice, Cycle};
pub use crate::prim::custom::Custom;
pub use crate::prim::range::Range;
