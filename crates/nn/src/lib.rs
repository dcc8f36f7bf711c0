//! Layers, losses, optimisers, data and training.
#![forbid(unsafe_code)]

pub mod data;
mod error;

pub use error::{Error, Result};
