//! Layers, losses, optimisers, data and training.
//!
//! **Hyperparameters live in the layer, parameters in the store.** A layer is a small struct of
//! hyperparameters; its parameters are made in a named store ([`Params`]) the first time it is traced, with
//! sizes read from its input. A model is any function from a [`Scope`] and a value to a value.
//!
//! | where | what |
//! | --- | --- |
//! | [`Layer`], [`Linear`], [`Dropout`] | what models are composed of |
//! | [`Scope`], [`Params`], [`Init`] | named parameters, where they come from, how they start |
//! | [`loss`], [`Penalty`] | what is minimised |
//! | [`optim`] | how gradients change parameters |
//! | [`Trainer`] | the loop, the gradient check, the measurement |
//! | [`Summary`] | a model as a table |
//! | [`data`] | datasets, readers, splits, batches, standardisation |
//! | [`metric`] | accuracy, confusion matrix, precision, recall, F1 |
//! | [`History`] | what each epoch measured; CSV and JSON lines |
//! | [`plot`] | learning curves, lines, sheets of images as SVG |
//! | [`progress`] | a bar, plain lines, or silence |
#![forbid(unsafe_code)]

pub mod data;
mod error;
mod history;
mod init;
mod layer;
pub mod loss;
pub mod metric;
pub mod optim;
mod params;
mod penalty;
pub mod plot;
pub mod progress;
mod scope;
mod summary;
mod train;

pub use error::{Error, Result};
pub use history::History;
pub use init::Init;
pub use layer::{Dropout, Layer, Linear};
pub use optim::{Adam, Momentum, Sgd};
pub use params::Params;
pub use penalty::Penalty;
pub use scope::{Mode, Scope};
pub use summary::Summary;
pub use train::{Evaluation, Evaluator, Loss, Step, Trainer};
