//! One error type for the whole crate.

use std::path::{Path, PathBuf};

use crate::{DType, Shape};

/// The result of anything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, with the operation or file it went wrong in and what would have been right.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Operand shapes do not fit the operation or each other.
    #[error("[{op}] {}: {why}", list(.shapes))]
    Shape {
        /// The operation.
        op: &'static str,
        /// The operands' shapes, in order.
        shapes: Vec<Shape>,
        /// The rule that is broken, in numbers.
        why: String,
    },
    /// An operand has a dtype the operation does not take.
    #[error("[{op}] does not take {found}: {why}")]
    DType {
        /// The operation.
        op: &'static str,
        /// The dtype it was given.
        found: DType,
        /// What it takes, or how to convert.
        why: String,
    },
    /// An axis number beyond the tensor's rank.
    #[error("[{op}] axis {axis} is out of range for shape {shape} of rank {}", .shape.len())]
    Axis {
        /// The operation.
        op: &'static str,
        /// The axis as the caller gave it (negative counts from the end).
        axis: isize,
        /// The tensor's shape.
        shape: Shape,
    },
    /// A value (not a shape) is outside what the operation accepts.
    #[error("[{op}] {why}")]
    Value {
        /// The operation.
        op: &'static str,
        /// The value, its position, and the accepted range.
        why: String,
    },
    /// The operating system refused a file operation.
    #[error("{}: {why}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        why: String,
    },
    /// A file's content breaks its format's rules.
    #[error("{}: not a valid {format} file: {why}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The format that was expected, such as `safetensors`.
        format: &'static str,
        /// What is wrong and where in the file.
        why: String,
    },
}

impl Error {
    /// An [`Error::Shape`]: `op` was given `shapes`, and `why` says which rule they break.
    pub fn shape<'a>(
        op: &'static str,
        shapes: impl IntoIterator<Item = &'a [usize]>,
        why: impl Into<String>,
    ) -> Self {
        Error::Shape { op, shapes: shapes.into_iter().map(Shape::from).collect(), why: why.into() }
    }

    /// An [`Error::Io`] for `path`.
    pub fn io(path: &Path, source: &std::io::Error) -> Self {
        Error::Io { path: path.to_owned(), why: source.to_string() }
    }
}

fn list(shapes: &[Shape]) -> String {
    shapes.iter().map(Shape::to_string).collect::<Vec<_>>().join(" x ")
}
