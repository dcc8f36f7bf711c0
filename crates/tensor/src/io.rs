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
//! [`Error::Format`], which says what is wrong; no content makes a reader panic, or allocate more
//! than its bytes can stand for. Of a file with several tensors, `names` lists them and `read_named` reads one, whatever
//! the others are.

mod atomic;
mod element;
pub mod npy;
pub mod npz;
pub mod safetensors;

pub use atomic::atomic_write;

use std::path::Path;

use crate::Error;

/// The error of asking a file for a tensor that it has not.
fn no_tensor(op: &'static str, path: &Path, name: &str, names: &[String]) -> Error {
    /// Names that a message lists.
    const SHOWN: usize = 10;
    let mut shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("{name:?}")).collect();
    shown.extend((names.len() > SHOWN).then(|| "…".to_owned()));
    let there = if shown.is_empty() { "none".to_owned() } else { shown.join(", ") };
    Error::Value { op, why: format!("{} has no tensor {name:?}; there are: {there}", path.display()) }
}
