//! Outside judges of correctness: others' answers to the same questions.
//!
//! ```text
//! cargo test --test judges -- --nocapture                        JAX, PyTorch and ONNX
//! cargo test -p chainrule-tensor --test all umath -- --nocapture NumPy's tables of accuracy
//! ```
//!
//! The answers lie in `data/`, so nothing but the Rust toolchain is needed. The script that asked for them stands beside the
//! test and says how it is run; `torch_loading.py` is also the proof that PyTorch reads what is saved here.

/// Event files, according to TensorBoard.
mod events;
/// Norms and decompositions, according to PyTorch.
mod factors;
/// Values and derivatives of random programs, according to JAX.
mod jax;
/// Files between PyTorch and here.
mod loading;
/// Programs with loops and choices, according to JAX.
mod loops;
/// Losses, according to PyTorch.
mod losses;
/// Metrics, according to scikit-learn.
mod metrics;
/// Minima by L-BFGS and averages of weights, according to scikit-learn, SciPy and PyTorch.
mod minima;
/// Networks of the literature, according to PyTorch.
mod models;
/// Single operators, according to ONNX.
mod onnx;
/// Optimisers and schedules, according to PyTorch.
mod optimisers;
/// The programs' form.
mod program;
/// Layers over sequences, according to PyTorch.
mod sequences;
/// Convolutions, pooling, resizing and padding, according to PyTorch.
mod windows;
