//! One error type for the whole crate.

use std::path::{Path, PathBuf};

/// The result of anything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where in the data or file it went wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error of the tensor crate.
    #[error(transparent)]
    Tensor(#[from] chainrule_tensor::Error),
    /// An error of the graph crate: recording, differentiating, compiling or running a model.
    #[error(transparent)]
    Graph(#[from] chainrule_graph::Error),
    /// Stored parameters that do not fit a model.
    #[error("{source_name}: these parameters do not fit the model: {why}")]
    Misfit {
        /// Where they came from, such as a file.
        source_name: String,
        /// What is missing, left over, or of another shape.
        why: String,
    },
    /// The loss became NaN or infinite while training.
    #[error(
        "the loss is {loss} in epoch {epoch}, batch {batch}: lower the learning rate, standardise the features, or use a loss that takes logits; Trainer::anomaly finds the operation"
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The batch, from 1.
        batch: usize,
        /// NaN or an infinity.
        loss: f64,
    },
    /// The loss of a batch was far above those before it; see [`Trainer::stop_at_spikes`](crate::Trainer::stop_at_spikes).
    #[error(
        "the loss is {loss} in epoch {epoch}, batch {batch}, where {usual} is usual: look at the examples of the batch, lower the learning rate, or clip gradients (optim::ClipGlobalNorm)"
    )]
    Spiked {
        /// The epoch, from 1.
        epoch: usize,
        /// The batch, from 1.
        batch: usize,
        /// The loss.
        loss: f64,
        /// The mean of the ten batches before.
        usual: f64,
    },
    /// The last step of an epoch, whose loss was finite, made a parameter that is not.
    #[error(
        "`{parameter}` is not finite after epoch {epoch}: lower the learning rate; Trainer::anomaly finds the operation"
    )]
    Overshot {
        /// The epoch, from 1.
        epoch: usize,
        /// The parameter's name.
        parameter: String,
    },
    /// In anomaly mode: an operation of a training step made a NaN or an infinity.
    #[error("epoch {epoch}, batch {batch}: {error}")]
    Anomaly {
        /// The epoch, from 1.
        epoch: usize,
        /// The batch, from 1.
        batch: usize,
        /// The operation, its line, and its operands.
        error: chainrule_graph::Error,
    },
    /// A checkpoint of another run than the one that is to go on.
    #[error("{}: this run cannot go on from here: {why}", .path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What has changed.
        why: String,
    },
    /// There is nothing to learn from or to measure.
    #[error("[{op}] the {what} are empty: at least one example is needed")]
    Empty {
        /// The operation.
        op: &'static str,
        /// What is empty, such as `features`.
        what: &'static str,
    },
    /// Two things that go example by example have different numbers of examples.
    #[error("[{op}] {left} {left_name} against {right} {right_name}: each example needs one of both")]
    Unpaired {
        /// The operation.
        op: &'static str,
        /// The first thing, such as `features`.
        left_name: &'static str,
        /// How many of the first there are.
        left: usize,
        /// The second thing, such as `targets`.
        right_name: &'static str,
        /// How many of the second there are.
        right: usize,
    },
    /// The data hold NaN or an infinity.
    #[error(
        "the {what} hold {value} in row {row}, column {column} (both from 0): \
         leave the row out or fill the value in"
    )]
    NotFinite {
        /// `features` or `targets`.
        what: &'static str,
        /// The example, from 0.
        row: usize,
        /// The position within the example counted row-major, from 0.
        column: usize,
        /// NaN or an infinity.
        value: f64,
    },
    /// An example of a [`Source`](crate::data::Source) that could not be read, or is none that fits the others.
    #[error("row {row} (from 0): {error}")]
    Row {
        /// The example, from 0.
        row: usize,
        /// What is wrong with it.
        error: Box<Error>,
    },
    /// A label that names no class.
    #[error(
        "the label at position {position} is {value}, but there are {classes} classes: \
         labels count from 0 to {}", .classes.saturating_sub(1)
    )]
    Label {
        /// The position among the labels, from 0.
        position: usize,
        /// The label.
        value: i64,
        /// How many classes there are.
        classes: usize,
    },
    /// A cell of a table cannot be used, or a row has the wrong number of cells.
    #[error("{table}: line {line}, column {column}: {why}")]
    Cell {
        /// The table's file or name.
        table: String,
        /// The line in the file, from 1.
        line: u64,
        /// The column's name, in quotes, or its position from 0.
        column: String,
        /// What the cell holds and what was expected.
        why: String,
    },
    /// Two things that name features or classes name others, or in another order.
    #[error(
        "[{op}] the {what} differ: {left}, {right}; read one like the other (`Table::classification_like`, \
         `Table::regression_like`), or, if the difference is meant, go on with `Params::without_names`"
    )]
    Names {
        /// The operation.
        op: &'static str,
        /// `features` or `classes`.
        what: &'static str,
        /// Whose they are on one side, and the names.
        left: String,
        /// The same of the other side.
        right: String,
    },
    /// Data hold a number beyond the range in which the model is computed.
    #[error(
        "the {what} hold {value} in row {row}, column {column} (both from 0), which f32 cannot hold: bring it to a \
         common scale first, for instance with Standardize"
    )]
    Range {
        /// `features` or `targets`.
        what: &'static str,
        /// The example, from 0.
        row: usize,
        /// The position within the example counted row-major, from 0.
        column: usize,
        /// The number.
        value: f64,
    },
    /// A file's content breaks its format's rules.
    #[error("{file}: not a valid {format} file: at byte {position}: {why}")]
    Format {
        /// The file's path or name.
        file: String,
        /// The format that was expected, such as `IDX`.
        format: &'static str,
        /// Where in the file (after decompression) the fault was noticed, in bytes from 0.
        position: u64,
        /// What is wrong there.
        why: String,
    },
    /// None of the names under which a file is usually kept exists.
    #[error("{}: has none of {}", .folder.display(), .names.join(", "))]
    Missing {
        /// The folder that was searched.
        folder: PathBuf,
        /// The names that were tried.
        names: Vec<String>,
    },
    /// An argument is outside what the operation accepts.
    #[error("[{op}] {why}")]
    Argument {
        /// The operation.
        op: &'static str,
        /// The argument, its value, and what is accepted.
        why: String,
    },
    /// A picture could not be drawn.
    #[error("[{op}] the drawing library refused: {why}")]
    Drawing {
        /// The picture.
        op: &'static str,
        /// Its reason.
        why: String,
    },
}

impl Error {
    /// An [`Error::Argument`]: `op` was called with something that `why` describes.
    pub fn argument(op: &'static str, why: impl Into<String>) -> Self {
        Error::Argument { op, why: why.into() }
    }

    /// The operating system refused an operation on `path`.
    pub fn io(path: &Path, source: &std::io::Error) -> Self {
        Error::Tensor(chainrule_tensor::Error::io(path, source))
    }
}
