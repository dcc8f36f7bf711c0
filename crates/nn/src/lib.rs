//! Layers, losses, optimisers, data and training.
//!
//! ```
//! use chainrule_graph::Var;
//! use chainrule_nn::data::{Standardize, wine};
//! use chainrule_nn::{Adam, Layer, Linear, Params, Scope, Trainer, loss, progress::Silent};
//! use chainrule_tensor::Key;
//!
//! fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
//!     let h = Linear::new(16).forward(&s.at("hidden"), x).relu();
//!     Linear::new(3).forward(&s.at("output"), h) // one logit for each class
//! }
//!
//! let [train, test] = wine()?.split_stratified([0.8, 0.2], Key::new(1))?;
//! let scale = Standardize::fit(&train)?; // μ and σ of the training set alone
//! let (train, test) = (scale.apply(&train)?, scale.apply(&test)?);
//!
//! let trainer = Trainer::new(model, loss::softmax_cross_entropy).optimiser(Adam::new(0.01)).epochs(40);
//! let mut params = Params::new();
//! trainer.fit(&mut params, &train, None, &mut Silent)?;
//! assert!(trainer.evaluator().accuracy(&params, &test)? > 0.9);
//! let names: Vec<&str> = params.iter().map(|(name, _)| name).collect();
//! assert_eq!(names, ["hidden.weight", "hidden.bias", "output.weight", "output.bias"]);
//! # Ok::<(), chainrule_nn::Error>(())
//! ```
//!
//! **Hyperparameters live in the layer, parameters in the store.** A layer is a small struct of
//! hyperparameters; its parameters are made in a named store ([`Params`]) the first time it is traced, with
//! sizes read from its input. A model is any function from a [`Scope`] and a value to a value.
//!
//! | where | what |
//! | --- | --- |
//! | [`Layer`], [`Linear`], [`Dropout`] | what models are composed of |
//! | [`Recurrent`], [`Embedding`], [`Attention`], [`MultiHead`], [`TransformerBlock`], [`position`] | sequences |
//! | [`models`] | networks and blocks of the literature |
//! | [`Scope`], [`Params`], [`Init`] | named parameters, where they come from, how they start |
//! | [`loss`], [`Penalty`] | what is minimised |
//! | [`optim`] | how gradients change parameters |
//! | [`Trainer`], [`Run`] | the loop, the gradient check, the measurement; a run by epochs |
//! | [`Step`], [`Goal`], [`Observer`] | a training step of any form; what looks at it |
//! | [`Checkpoints`], [`Best`] | a run that goes on bit for bit after it was killed; the best parameters, early stopping |
//! | [`search`], [`Seeds`] | hyperparameters at random or on a grid; the same training with several seeds |
//! | [`Summary`] | a model as a table |
//! | [`generate`] | sampling, beam search |
//! | [`data`] | datasets, readers, splits, batches, standardisation, augmentation |
//! | [`metric`] | accuracy, confusion matrix, precision, recall, F1, overlap |
//! | [`boxes`] | intersection over union, non-max suppression |
//! | [`doctor`] | what is wrong with a training run |
//! | [`History`] | what each epoch measured; CSV and JSON lines |
//! | [`Events`] | scalars and histograms for TensorBoard |
//! | [`Renaming`] | parameters of other programs, by name |
//! | [`plot`] | learning curves, lines, sheets of images as SVG |
//! | [`report`] | a run as one HTML file |
//! | [`progress`] | a bar, plain lines, or silence |
#![forbid(unsafe_code)]

pub mod boxes;
pub mod data;
mod digest;
pub mod doctor;
mod error;
mod events;
pub mod generate;
mod history;
mod init;
mod layer;
mod load;
pub mod loss;
pub mod metric;
pub mod models;
pub mod optim;
mod outputs;
mod params;
mod penalty;
pub mod plot;
pub mod progress;
pub mod report;
mod scope;
pub mod search;
mod step;
mod summary;
mod train;

pub use error::{Error, Result};
pub use events::Events;
pub use history::History;
pub use init::Init;
pub use layer::{
    Attention, AvgPool, BatchNorm, Cache, Conv, ConvTranspose, Dropout, Embedding, Flatten, GlobalAvgPool,
    GroupNorm, Layer, LayerNorm, Linear, MaxPool, MultiHead, Position, Recurrent, RmsNorm, TransformerBlock,
    Upsample, layer, position,
};
pub use load::{Loaded, Renaming};
pub use optim::{Adam, Momentum, Sgd};
pub use params::Params;
pub use penalty::Penalty;
pub use scope::{Mode, Remembered, Scope};
pub use step::{Goal, Inputs, Learning, Observed, Observer, Step, StepBuilder, StepGoal};
pub use summary::Summary;
pub use train::{
    Best, Checkpoints, Epoch, Evaluation, Evaluator, Loss, Rates, Run, Seeds, Stepped, Stop, Trainer,
};
