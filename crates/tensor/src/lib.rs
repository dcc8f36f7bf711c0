//! N-dimensional values with run-time shape and dtype, built on ndarray: an array library of its own, and the
//! numbers beneath chainrule's graphs.
//!
//! ```
//! use chainrule_tensor::{DType, Key, Tensor};
//!
//! // Logistic regression's forward pass over 100 examples of 3 features, by hand.
//! let key = Key::new(1);
//! let x = Tensor::normal(key.named("x"), [100, 3], 0.0, 1.0, DType::F64)?;
//! let y = x.slice(1, ..1, 1)?.greater(&Tensor::from(0.0))?.cast(DType::F64); // (100, 1)
//! let (w, b) = (Tensor::zeros([3, 1], DType::F64), Tensor::from(0.0));
//!
//! let z = (x.matmul(&w)? + &b)?;
//! let cost = (z.softplus()? - (&y * &z)?)?.mean(..)?;
//! assert!((cost.item::<f64>()? - 2.0_f64.ln()).abs() < 1e-12);
//!
//! let dw = (x.t()?.matmul(&(z.sigmoid()? - &y)?)? / 100.0)?;
//! assert_eq!(dw.shape(), [3, 1]);
//! # Ok::<(), chainrule_tensor::Error>(())
//! ```
//!
//! A tour:
//!
//! | to | see |
//! | --- | --- |
//! | make tensors | `Tensor::from` numbers, arrays, vectors, ndarray; [`zeros`](Tensor::zeros), [`full`](Tensor::full), [`arange`](Tensor::arange), [`linspace`](Tensor::linspace), [`eye`](Tensor::eye) |
//! | draw them at random | [`Key`], [`uniform`](Tensor::uniform), [`normal`](Tensor::normal) |
//! | get at the numbers | [`item`](Tensor::item), [`get`](Tensor::get), [`to_vec`](Tensor::to_vec); [`view`](Tensor::view) and [`into_array`](Tensor::into_array) for all of ndarray |
//! | cut out parts | [`slice`](Tensor::slice), [`index_axis`](Tensor::index_axis), [`take`](Tensor::take), [`split`](Tensor::split) |
//! | change shape and order | [`reshape`](Tensor::reshape), [`permute`](Tensor::permute), [`t`](Tensor::t), [`flip`](Tensor::flip), [`insert_axis`](Tensor::insert_axis), [`squeeze`](Tensor::squeeze), [`broadcast_to`](Tensor::broadcast_to) |
//! | put together | [`concat`](Tensor::concat), [`stack`](Tensor::stack), [`pad`](Tensor::pad) |
//! | calculate | `+ - * /` with tensors and numbers ([`Operand`]), [`matmul`](Tensor::matmul), [`exp`](Tensor::exp) and its like, [`select`](Tensor::select), [`sum`](Tensor::sum) and its like |
//! | read and write files | [`io`]: NPY, NPZ, safetensors |
//! | plan and run without allocation | [`kernels`], on flat slices and [`Layout`]s |
//!
//! Four rules hold everywhere. A tensor is a value: nothing changes one that exists. Operands are never converted in
//! silence: f32 beside f64 is an error that says which cast to write. Shapes combine by the functions of [`shape`]
//! and by nothing else. And what a user can get wrong is an [`Error`], not a panic; the only exception is a tensor
//! that does not fit the memory.
#![warn(missing_docs)]

mod arithmetic;
mod axes;
mod compound;
mod convert;
mod create;
mod display;
mod dtype;
mod eager;
mod error;
mod format;
mod index;
pub mod io;
mod join;
pub mod kernels;
mod layout;
mod lengths;
mod operators;
mod product;
pub mod random;
mod reduce;
pub mod shape;
mod tensor;
mod view;

pub use axes::{Axes, keep};
pub use compound::Compound;
pub use dtype::{DType, Element, Real};
pub use eager::Eager;
pub use error::{Error, Result};
pub use format::Format;
pub use layout::Layout;
pub use lengths::{Length, Lengths};
pub use operators::Operand;
pub use random::Key;
pub use shape::Shape;
pub use tensor::{ArrayD, Tensor};
