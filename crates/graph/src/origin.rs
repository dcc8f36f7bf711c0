//! Where nodes come from, and who is to blame for those recorded now.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::ir::Graph;

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

/// Who is to blame for what is recorded now.
struct Blame {
    origin: Origin,
    /// Whether the origin holds as it is, scope included: that of a node from which others are derived.
    exact: bool,
}

/// What is attributed to whom at this moment.
#[derive(Default)]
pub(crate) struct Attribution {
    scopes: Vec<(u64, Arc<str>)>,
    next_scope: u64,
    blame: Vec<Blame>,
    passed: Vec<&'static Location<'static>>,
}

impl Graph {
    /// The origin that a node recorded at `here` gets at this moment; for errors of functions made of others.
    pub fn origin(&self, here: &'static Location<'static>) -> Origin {
        self.inner.borrow().attribution.origin(here)
    }

    /// Puts all that is recorded while the guard lives under the scope `path` (a full path such as `block.hidden`).
    pub fn enter(&self, path: &str) -> ScopeGuard<'_> {
        let attribution = &mut self.inner.borrow_mut().attribution;
        attribution.next_scope += 1;
        let id = attribution.next_scope;
        attribution.scopes.push((id, path.into()));
        ScopeGuard { graph: self, id }
    }

    /// Attributes all that is recorded while the guard lives to a call of `function` at `here`, so that a library
    /// function composed of several primitives blames its caller, and errors name it. The outermost guard wins.
    ///
    /// ```
    /// # use chainrule_graph::{Graph, Var};
    /// #[track_caller]
    /// fn square<'g>(x: Var<'g>) -> Var<'g> {
    ///     let _here = x.graph().blame("square", std::panic::Location::caller());
    ///     x * x
    /// }
    /// ```
    pub fn blame(&self, function: &'static str, here: &'static Location<'static>) -> BlameGuard<'_> {
        let origin = self.origin(here);
        let within = origin.within.or(Some(function));
        self.attribute(Origin { within, ..origin }, false)
    }

    /// As [`blame`](Graph::blame), for a function whose errors name it already.
    pub(crate) fn blame_line(&self, here: &'static Location<'static>) -> BlameGuard<'_> {
        self.attribute(self.origin(here), false)
    }

    /// As [`blame`](Graph::blame), with a node's own origin: a derivative or a copy belongs to its node, whoever
    /// asked for it.
    pub(crate) fn blame_origin(&self, origin: Origin) -> BlameGuard<'_> {
        self.attribute(origin, true)
    }

    fn attribute(&self, origin: Origin, exact: bool) -> BlameGuard<'_> {
        self.inner.borrow_mut().attribution.blame.push(Blame { origin, exact });
        BlameGuard { graph: self }
    }

    /// Says where a function was passed that is called while the guard lives. A library function called through a
    /// value, such as a loss given to a trainer, has no line of the user's to blame but this one.
    pub fn passed_at(&self, here: &'static Location<'static>) -> PassedGuard<'_> {
        self.inner.borrow_mut().attribution.passed.push(here);
        PassedGuard { graph: self }
    }
}

impl Attribution {
    /// The origin of what is recorded at `here`.
    pub(crate) fn origin(&self, here: &'static Location<'static>) -> Origin {
        let scope = || self.scopes.last().map_or_else(|| Arc::from(""), |(_, path)| path.clone());
        // A call through a function value comes from the standard library, as far as the compiler can tell.
        let passed = self.passed.last().filter(|_| here.file().contains("/library/core/src/ops/"));
        let here = passed.copied().unwrap_or(here);
        // The innermost exact origin; else that of the outermost caller, which the guards within it have taken over.
        let exact = self.blame.iter().rev().find(|b| b.exact);
        match exact.or(self.blame.last()) {
            Some(blame) if blame.exact => blame.origin.clone(),
            Some(blame) => Origin { scope: scope(), ..blame.origin.clone() },
            None => Origin { scope: scope(), ..Origin::of(here) },
        }
    }
}

/// Leaves a scope when dropped; see [`Graph::enter`].
pub struct ScopeGuard<'g> {
    graph: &'g Graph,
    id: u64,
}

impl Drop for ScopeGuard<'_> {
    fn drop(&mut self) {
        self.graph.inner.borrow_mut().attribution.scopes.retain(|(id, _)| *id != self.id);
    }
}

/// Ends an attribution when dropped; see [`Graph::blame`].
pub struct BlameGuard<'g> {
    graph: &'g Graph,
}

impl Drop for BlameGuard<'_> {
    fn drop(&mut self) {
        self.graph.inner.borrow_mut().attribution.blame.pop();
    }
}

/// Ends what it was given for when dropped; see [`Graph::passed_at`].
pub struct PassedGuard<'g> {
    graph: &'g Graph,
}

impl Drop for PassedGuard<'_> {
    fn drop(&mut self) {
        self.graph.inner.borrow_mut().attribution.passed.pop();
    }
}
