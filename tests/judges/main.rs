//! Outside judges of correctness: others' answers to the same questions.
//!
//! ```text
//! cargo test --test judges -- --nocapture                        JAX and ONNX
//! cargo test -p chainrule-tensor --test all umath -- --nocapture NumPy's tables of accuracy
//! ```
//!
//! The answers lie in `data/`, so nothing but the Rust toolchain is needed.

/// Values and derivatives of random programs, according to JAX.
mod jax;
/// Single operators, according to ONNX.
mod onnx;
/// The programs' form.
mod program;
