//! One error type: what failed, where it was written, and where its operands came from.

use std::fmt;

use chainrule_tensor as tensor;

use crate::origin::Origin;
use crate::types::Type;

/// The result of anything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure while recording, differentiating, compiling or running a graph.
///
/// Displayed like a compiler's message: the operation and the rule it breaks, the user's line, then the
/// lines where the operands were made, then a hint where there is one.
#[derive(Clone, PartialEq)]
pub struct Error(Box<Details>);

#[derive(Debug, Clone, PartialEq)]
struct Details {
    kind: ErrorKind,
    at: Option<Origin>,
    operands: Vec<(String, Type, Origin)>,
    /// The steps of loops in which it happened, the innermost first.
    steps: Vec<String>,
    hint: Option<String>,
}

/// The classes of failure.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A shape, axis, dtype or value rule of the tensor library is broken.
    #[error(transparent)]
    Tensor(#[from] tensor::Error),
    /// An operand is of a kind (real, integer, truth) that the operation does not take.
    #[error("[{op}] {why}")]
    Kind {
        /// The operation.
        op: &'static str,
        /// What it was given and what it takes.
        why: String,
    },
    /// Values of two graphs meet in one operation.
    #[error("[{op}] operands belong to different graphs")]
    Graphs {
        /// The operation.
        op: &'static str,
    },
    /// An input has no value bound and is not an argument of the compiled function.
    #[error("input `{name}` has no value: bind one, or list it among the inputs to compile")]
    Unbound {
        /// The input's name.
        name: String,
    },
    /// A compiled function was given the wrong number of tensors.
    #[error("the function takes {expected} {what}, not {found}")]
    Count {
        /// What it takes: arguments or states, by name.
        what: String,
        /// How many there are.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// A compiled function was given a tensor of the wrong type.
    #[error("argument {index} (`{name}`): expected {expected}, found {found}")]
    Argument {
        /// Its position.
        index: usize,
        /// The input's name.
        name: String,
        /// The declared type.
        expected: String,
        /// What was given.
        found: String,
    },
    /// A panic ended an earlier run of the compiled function, whose buffers are in no order since.
    #[error("a panic in a custom operation ended an earlier run of this function: compile it again")]
    Panicked,
    /// A gradient was asked for that does not exist.
    #[error("[grad] {0}")]
    Gradient(String),
    /// A variable has no differentiable path to the output.
    #[error(
        "[grad] no gradient: {name} does not reach the output through differentiable operations; {broken}"
    )]
    Disconnected {
        /// The variable.
        name: String,
        /// Where the path breaks.
        broken: String,
    },
    /// In anomaly mode: an operation made the first NaN or infinity of a run.
    #[error("[{op}] {why}, in run {run}")]
    NonFinite {
        /// The operation.
        op: &'static str,
        /// `NaN` or `an infinity`.
        what: &'static str,
        /// What it made, in how many elements.
        why: String,
        /// How many runs there had been, this one included.
        run: u64,
    },
    /// The user's own operation failed.
    #[error("[{op}] its forward fails: {error}")]
    Custom {
        /// The operation.
        op: &'static str,
        /// What its forward returned.
        error: tensor::Error,
    },
    /// Values cannot be mapped over together.
    #[error("[vmap] {0}")]
    Batch(String),
    /// A derivative given by the user does not fit its operation.
    #[error("[grad] {0}")]
    Rule(String),
    /// A text is no plan.
    #[error("[plan] line {line}: {why}")]
    Text {
        /// The line of the text.
        line: usize,
        /// What is wrong there.
        why: String,
    },
    /// A value seen while running is outside what the model declared.
    #[error("[{op}] {why}")]
    Value {
        /// The operation.
        op: &'static str,
        /// The value, its position and the accepted range.
        why: String,
    },
}

impl ErrorKind {
    /// The operation that failed, if it is one: a function such as `softmax` fails in one of the operations that it
    /// is made of.
    pub fn op(&self) -> Option<&'static str> {
        use tensor::Error as Tensor;
        match self {
            ErrorKind::Tensor(
                Tensor::Shape { op, .. }
                | Tensor::DType { op, .. }
                | Tensor::Axis { op, .. }
                | Tensor::Value { op, .. },
            )
            | ErrorKind::Kind { op, .. }
            | ErrorKind::Graphs { op }
            | ErrorKind::NonFinite { op, .. }
            | ErrorKind::Custom { op, .. }
            | ErrorKind::Value { op, .. } => Some(op),
            _ => None,
        }
    }
}

impl Error {
    /// An error of `kind` with no place yet.
    pub fn new(kind: impl Into<ErrorKind>) -> Self {
        Error(Box::new(Details {
            kind: kind.into(),
            at: None,
            operands: Vec::new(),
            steps: Vec::new(),
            hint: None,
        }))
    }

    /// The class of failure, to match on.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Where the failing operation was recorded.
    pub fn at(&self) -> Option<&Origin> {
        self.0.at.as_ref()
    }

    /// The same error, placed at `origin`.
    pub fn placed(mut self, origin: Origin) -> Self {
        self.0.at = Some(origin);
        self
    }

    /// The same error, with one more operand: what it is, its type, and where it was made.
    pub fn operand(mut self, what: impl Into<String>, ty: Type, origin: Origin) -> Self {
        self.0.operands.push((what.into(), ty, origin));
        self
    }

    /// The same error, in a step of a loop.
    pub(crate) fn in_step(mut self, step: String) -> Self {
        self.0.steps.push(step);
        self
    }

    /// The same error, with advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.0.kind.to_string();
        match (self.0.at.as_ref().and_then(|at| at.within), self.0.kind.op()) {
            // The function that the user called comes first, the operation in it that failed second.
            (Some(called), Some(op)) if called != op => {
                let why = said.strip_prefix(&format!("[{op}]")).unwrap_or(&said);
                write!(f, "[{called}] ({op}){why}")?;
            }
            _ => f.write_str(&said)?,
        }
        if let Some(at) = &self.0.at {
            write!(f, "\n  --> {at}")?;
        }
        for (what, ty, origin) in &self.0.operands {
            write!(f, "\n   |  {what}: {ty} made at {origin}")?;
        }
        for step in &self.0.steps {
            write!(f, "\n   |  in {step}")?;
        }
        if let Some(hint) = &self.0.hint {
            write!(f, "\n   = hint: {hint}")?;
        }
        Ok(())
    }
}

/// As displayed: what `main` prints of an error is meant to be read.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Error::new(kind)
    }
}

impl From<tensor::Error> for Error {
    fn from(error: tensor::Error) -> Self {
        Error::new(error)
    }
}
