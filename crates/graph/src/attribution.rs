//! Who is to blame for the nodes that are recorded now.

use std::panic::Location;
use std::sync::Arc;

use crate::ir::Graph;
use crate::origin::Origin;

/// Who is to blame for what is recorded now.
struct Blame {
    origin: Origin,
    /// Whether the scope holds as it is: that of a node from which others are derived.
    exact: bool,
    /// Whether what a user wrote further in, such as a rule of a derivative, has its own line.
    open: bool,
}

/// What is attributed to whom at this moment.
#[derive(Default)]
pub(crate) struct Attribution {
    scopes: Vec<(u64, Arc<str>)>,
    /// Lines of the user's that lead to what is recorded now, the nearest last.
    lines: Vec<(u64, &'static Location<'static>)>,
    guards: u64,
    blame: Vec<Blame>,
    libraries: Vec<&'static str>,
}

impl Attribution {
    /// Takes the folders of `other` for a library's, too.
    pub(crate) fn share_libraries(&mut self, other: &Attribution) {
        self.libraries.clone_from(&other.libraries);
    }
}

impl Graph {
    /// The origin that a node recorded at `here` gets at this moment; for errors of functions made of others.
    pub fn origin(&self, here: &'static Location<'static>) -> Origin {
        self.inner.borrow().attribution.origin(here)
    }

    /// Puts all that is recorded while the guard lives under the scope `path` (a full path such as `block.hidden`).
    #[track_caller]
    pub fn enter(&self, path: &str) -> ScopeGuard<'_> {
        let attribution = &mut self.inner.borrow_mut().attribution;
        let id = attribution.lead(Location::caller());
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
        self.attribute(here, Some(function))
    }

    /// As [`blame`](Graph::blame), for a function whose errors name it already.
    pub(crate) fn blame_line(&self, here: &'static Location<'static>) -> BlameGuard<'_> {
        self.attribute(here, None)
    }

    /// As [`blame`](Graph::blame), with a node's own origin: a derivative or a copy belongs to its node, whoever
    /// asked for it. What a rule of the user's records has the scope and phase of the node, and its own line.
    pub(crate) fn blame_origin(&self, origin: Origin) -> BlameGuard<'_> {
        self.inner.borrow_mut().attribution.blame.push(Blame { origin, exact: true, open: true });
        BlameGuard { graph: self }
    }

    fn attribute(&self, here: &'static Location<'static>, function: Option<&'static str>) -> BlameGuard<'_> {
        let attribution = &mut self.inner.borrow_mut().attribution;
        let mut origin = attribution.origin(here);
        let outer = attribution.blame.last();
        let open = outer.is_some_and(|b| b.open) && !attribution.is_users(here);
        if !open {
            origin.within = origin.within.or(function);
        }
        let exact = outer.is_some_and(|b| b.exact);
        attribution.blame.push(Blame { origin, exact, open });
        BlameGuard { graph: self }
    }

    /// Says where a function was passed that is called while the guard lives. A library function called through a
    /// value, such as a loss given to a trainer, has no line of the user's to blame but this one.
    pub fn passed_at(&self, here: &'static Location<'static>) -> PassedGuard<'_> {
        let id = self.inner.borrow_mut().attribution.lead(here);
        PassedGuard { graph: self, id }
    }

    /// Says that no line in the source files under `folder` is a user's: they belong to a library of layers or losses.
    /// What is recorded there although it was called through a value (a function pointer, a `dyn` trait), and so
    /// without the caller's line, is attributed to the nearest line of the user's that led there: where the scope was
    /// [entered](Graph::enter) or the value [passed](Graph::passed_at).
    pub fn library(&self, folder: &'static str) {
        let libraries = &mut self.inner.borrow_mut().attribution.libraries;
        if !libraries.contains(&folder) {
            libraries.push(folder);
        }
    }
}

/// The folder of this crate's source files, as the compiler names them.
fn own() -> &'static str {
    file!().trim_end_matches("attribution.rs")
}

impl Attribution {
    /// The origin of what is recorded at `here`.
    pub(crate) fn origin(&self, here: &'static Location<'static>) -> Origin {
        let scope = || self.scopes.last().map_or_else(|| Arc::from(""), |(_, path)| path.clone());
        // The innermost guard has taken over the line of those around it.
        let Some(blame) = self.blame.last() else {
            return Origin { scope: scope(), ..Origin::of(self.line(here)) };
        };
        let scope = if blame.exact { blame.origin.scope.clone() } else { scope() };
        if blame.open && self.is_users(here) {
            return Origin { scope, phase: blame.origin.phase, ..Origin::of(here) };
        }
        Origin { scope, ..blame.origin.clone() }
    }

    /// `here`, or the nearest line of the user's that is known if `here` is none.
    fn line(&self, here: &'static Location<'static>) -> &'static Location<'static> {
        match self.lines.last() {
            Some((_, nearest)) if !self.is_users(here) => nearest,
            _ => here,
        }
    }

    fn is_users(&self, here: &'static Location<'static>) -> bool {
        let file = here.file();
        if file.starts_with(own()) || self.libraries.iter().any(|folder| file.starts_with(folder)) {
            return false;
        }
        // A call through a function value comes from the standard library, as far as the compiler can tell.
        let of_std = |rest: &str| ["core/", "alloc/", "std/"].iter().any(|part| rest.starts_with(part));
        !file.split_once("/library/").is_some_and(|(_, rest)| of_std(rest))
    }

    /// Makes `here` the nearest line of the user's, if it is one; a number to take it back by.
    fn lead(&mut self, here: &'static Location<'static>) -> u64 {
        self.guards += 1;
        if self.is_users(here) {
            self.lines.push((self.guards, here));
        }
        self.guards
    }

    /// Ends what the guard `id` began.
    fn leave(&mut self, id: u64) {
        self.scopes.retain(|(other, _)| *other != id);
        self.lines.retain(|(other, _)| *other != id);
    }
}

/// Leaves a scope when dropped; see [`Graph::enter`].
pub struct ScopeGuard<'g> {
    graph: &'g Graph,
    id: u64,
}

impl Drop for ScopeGuard<'_> {
    fn drop(&mut self) {
        self.graph.inner.borrow_mut().attribution.leave(self.id);
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
    id: u64,
}

impl Drop for PassedGuard<'_> {
    fn drop(&mut self) {
        self.graph.inner.borrow_mut().attribution.leave(self.id);
    }
}
