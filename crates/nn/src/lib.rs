//! Layers, losses, optimisers, data and training.
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
