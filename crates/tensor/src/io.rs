//! Tensors in files: NumPy's NPY and NPZ, and safetensors. Whatever is written replaces the old file in one step.
//!
//! | file | holds | read and write |
//! | --- | --- | --- |
//! | `.npy` | one tensor | [`npy`] |
//! | `.npz` | named tensors | [`npz`] |
//! | `.safetensors` | named tensors and notes | [`safetensors`] |
//!
//! Readers take the four dtypes of a [`Tensor`](crate::Tensor) and widen the others where nothing is lost: half precision
//! (`f16`, and `bf16` in safetensors) to `f32`, the narrower integers to `i64`. Broken files are refused with
//! [`Error::Format`](crate::Error::Format), which says what is wrong; no content makes a reader panic.

mod atomic;
mod element;
pub mod npy;
pub mod npz;
pub mod safetensors;

pub use atomic::atomic_write;
