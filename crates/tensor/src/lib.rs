//! N-dimensional values with run-time shape and dtype, built on ndarray.
#![warn(missing_docs)]

mod dtype;
mod error;
pub mod kernels;
mod layout;
pub mod shape;
mod tensor;

pub use dtype::{DType, Element, Real};
pub use error::{Error, Result};
pub use layout::Layout;
pub use shape::Shape;
pub use tensor::{ArrayD, Tensor};
