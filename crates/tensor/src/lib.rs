//! N-dimensional values with run-time shape and dtype, built on ndarray.
#![warn(missing_docs)]

mod arithmetic;
mod convert;
mod create;
mod display;
mod dtype;
mod error;
mod index;
pub mod io;
mod join;
pub mod kernels;
mod layout;
mod operators;
mod product;
pub mod random;
mod reduce;
pub mod shape;
mod tensor;
mod view;

pub use dtype::{DType, Element, Real};
pub use error::{Error, Result};
pub use layout::Layout;
pub use operators::Operand;
pub use random::Key;
pub use reduce::Axes;
pub use shape::Shape;
pub use tensor::{ArrayD, Tensor};
