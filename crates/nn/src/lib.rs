//! Layers, losses, optimisers, data and training.
//!
//! What a training run needs beside its model:
//!
//! | module | what |
//! | --- | --- |
//! | [`data`] | datasets, readers, splits, batches, standardisation |
//! | [`metric`] | accuracy, confusion matrix, precision, recall, F1 |
//! | [`History`] | what each epoch measured; CSV and JSON lines |
//! | [`plot`] | learning curves, lines, sheets of images as SVG |
//! | [`progress`] | a bar, plain lines, or silence |
#![forbid(unsafe_code)]

pub mod data;
mod error;
mod history;
pub mod metric;
pub mod plot;
pub mod progress;

pub use error::{Error, Result};
pub use history::History;
