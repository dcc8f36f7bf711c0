//! N-dimensional values with run-time shape and dtype, built on ndarray.
#![warn(missing_docs)]

mod convert;
mod create;
mod display;
mod dtype;
mod error;
mod index;
pub mod io;
pub mod kernels;
mod layout;
pub mod random;
pub mod shape;
mod tensor;
mod view;

pub use dtype::{DType, Element, Real};
pub use error::{Error, Result};
pub use layout::Layout;
pub use random::Key;
pub use shape::Shape;
pub use tensor::{ArrayD, Tensor};
