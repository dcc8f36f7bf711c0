//! Where nodes come from.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// Whether a node was written by the user or recorded by differentiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Written by the user.
    Forward,
    /// A tangent, left to right.
    Tangent,
    /// A cotangent, right to left.
    Backward,
}

/// Where a node comes from: the user's source line, the function called there, the scope path, and the phase.
///
/// A node recorded by differentiation has the line and scope of the forward node it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The user's line.
    pub location: &'static Location<'static>,
    /// The scope path, such as `hidden`, or empty.
    pub scope: Arc<str>,
    /// Forward, or recorded by differentiation.
    pub phase: Phase,
    /// The function that was called there, such as `softmax`, if the node is one of several that it records.
    pub within: Option<&'static str>,
}

impl Origin {
    /// What is written at `location`, in no scope.
    pub(crate) fn of(location: &'static Location<'static>) -> Self {
        Origin { location, scope: Arc::from(""), phase: Phase::Forward, within: None }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.location.file(), self.location.line(), self.location.column())?;
        if !self.scope.is_empty() {
            write!(f, " in `{}`", self.scope)?;
        }
        match self.phase {
            Phase::Forward => Ok(()),
            Phase::Tangent => f.write_str(" (tangent)"),
            Phase::Backward => f.write_str(" (backward)"),
        }
    }
}
