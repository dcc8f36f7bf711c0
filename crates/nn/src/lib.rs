//! Layers, losses, optimisers, data and training.
#![forbid(unsafe_code)]

pub mod data;
mod error;
mod history;
pub mod metric;
pub mod progress;

pub use error::{Error, Result};
pub use history::History;
