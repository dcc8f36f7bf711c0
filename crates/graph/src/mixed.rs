//! Mixed precision: which results of a formula are kept in 16 bits.

use std::collections::BTreeSet;
use std::panic::Location;

use chainrule_tensor::Format;
use chainrule_tensor::kernels::Kind;

use crate::error::{Error, ErrorKind, Result};
use crate::ir::Graph;
use crate::origin::Phase;
use crate::prim::Op;
use crate::types::NodeId;
use crate::var::Var;

/// Which operations take and give numbers of 16 bits: all, those of some names, those in some scopes, or both.
///
/// ```
/// use chainrule_graph::{Graph, Mixed};
/// use chainrule_tensor::Format;
/// let g = Graph::new();
/// let (x, w) = (g.leaf("x", [[0.1, 0.2]]), g.leaf("w", [[0.3], [0.4]]));
/// let y = g.mixed(&Mixed::new(Format::Bf16).ops(["matmul"]), || Ok(x.matmul(w)))?;
/// let by_hand = x.round_to(Format::Bf16).matmul(w.round_to(Format::Bf16)).round_to(Format::Bf16);
/// assert_eq!(y.id(), by_hand.id());
/// # Ok::<(), chainrule_graph::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Mixed {
    format: Format,
    ops: Vec<String>,
    scopes: Vec<String>,
}

impl Mixed {
    /// All operations with real results.
    pub fn new(format: Format) -> Self {
        Mixed { format, ops: Vec::new(), scopes: Vec::new() }
    }

    /// Only operations of these names, as dumps have them, such as `matmul`.
    #[must_use]
    pub fn ops<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.ops.extend(names.into_iter().map(str::to_owned));
        self
    }

    /// Only operations in these scopes and the scopes within, such as `encoder.hidden`.
    #[must_use]
    pub fn scopes<'a>(mut self, paths: impl IntoIterator<Item = &'a str>) -> Self {
        self.scopes.extend(paths.into_iter().map(str::to_owned));
        self
    }
}

/// So many views are looked through for what was rounded.
const MOST_VIEWS: usize = 8;

/// A policy that holds at this moment, and what it has met.
#[derive(Debug)]
pub(crate) struct Active {
    policy: Mixed,
    /// Names of operations that were recorded, and scopes.
    ops: BTreeSet<&'static str>,
    scopes: BTreeSet<String>,
}

impl Active {
    /// Whether an operation is meant.
    fn takes(&mut self, op: &'static str, scope: &str) -> bool {
        let Mixed { ops, scopes, .. } = &self.policy;
        self.ops.insert(op);
        if !self.scopes.contains(scope) {
            self.scopes.insert(scope.to_owned());
        }
        (ops.is_empty() || ops.iter().any(|name| name == op))
            && (scopes.is_empty() || scopes.iter().any(|path| is_within(scope, path)))
    }

    /// The error for a name that meant nothing.
    fn unmet(&self) -> Option<Error> {
        let Mixed { ops, scopes, .. } = &self.policy;
        let told = |what: &str, name: &str, there: Vec<&str>| {
            let there = match &there[..] {
                [] => "nothing was recorded".to_owned(),
                all => format!("there were {}", all.join(", ")),
            };
            let why = format!("the policy names {what} `{name}`, but the formula has none; {there}");
            Error::new(ErrorKind::Value { op: "mixed", why })
        };
        if let Some(name) = ops.iter().find(|name| !self.ops.contains(name.as_str())) {
            return Some(told("the operation", name, self.ops.iter().copied().collect()));
        }
        let entered = |path: &&String| self.scopes.iter().any(|scope| is_within(scope, path));
        let path = scopes.iter().find(|path| !entered(path))?;
        let named = self.scopes.iter().map(String::as_str).filter(|scope| !scope.is_empty());
        Some(told("the scope", path, named.collect()))
    }
}

fn is_within(scope: &str, path: &str) -> bool {
    scope.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl Graph {
    /// What `formula` records, with reals in 16 bits where `policy` says: each such operation takes its real operands rounded, and
    /// its real result is rounded ([`Var::round_to`]). In between it computes in the precision of the plan, and leaves keep theirs, so
    /// parameters stay as fine as the optimiser's steps. Derivatives follow: cotangents of what has 16 bits have 16 bits.
    /// A policy inside another one holds in its place.
    ///
    /// What is kept takes half the bytes. A kernel works on numbers of the plan's width, so while it runs its operands are there
    /// at that width, too; [`Compiled::bytes`](crate::Compiled::bytes) counts the most that a step needs. Formulas that keep much for
    /// their backward part gain by it, those of a few layers do not.
    ///
    /// # Errors
    /// That of `formula`; [`ErrorKind::Value`] for a policy with an operation or a scope that the formula does not have: nothing
    /// would be rounded, in silence.
    #[track_caller]
    pub fn mixed<T>(&self, policy: &Mixed, formula: impl FnOnce() -> Result<T>) -> Result<T> {
        let here = Location::caller();
        let active = Active { policy: policy.clone(), ops: BTreeSet::new(), scopes: BTreeSet::new() };
        self.inner.borrow_mut().policies.push(active);
        let guard = Ends { graph: self };
        let found = formula()?;
        let unmet = self.inner.borrow().policies.last().and_then(Active::unmet);
        drop(guard);
        match unmet {
            Some(error) => {
                Err(error.placed(self.origin(here)).hint("names are those of dumps: print the graph"))
            }
            None => Ok(found),
        }
    }

    /// The format that operands and result of `op`, recorded at `here`, are rounded to.
    pub(crate) fn narrows(&self, op: &Op, here: &'static Location<'static>) -> Option<Format> {
        let inner = &mut *self.inner.borrow_mut();
        let active = inner.policies.last_mut()?;
        let origin = inner.attribution.origin(here);
        let moves_nothing = matches!(
            op,
            Op::Input(_)
                | Op::Scalar(_)
                | Op::Constant(_)
                | Op::Parameter(_)
                | Op::Poison(_)
                | Op::Narrow(_)
                | Op::Part(_)
                | Op::Barrier(_)
                | Op::StopGradient(_)
                | Op::Call(_)
                | Op::Loop(_)
                | Op::Branch(_)
        );
        let meant =
            !moves_nothing && origin.phase == Phase::Forward && active.takes(op.name(), &origin.scope);
        meant.then_some(active.policy.format)
    }

    /// `x` rounded, if it is real and not rounded already. A number is rounded here and now.
    pub(crate) fn narrowed<'g>(&'g self, x: Var<'g>, format: Format) -> Var<'g> {
        if x.is_poisoned() || x.kind() != Kind::Real {
            return x;
        }
        let number = match &self.inner.borrow().nodes[x.id.index()].op {
            Op::Scalar(s) => s.real(),
            _ => None,
        };
        match number {
            Some(number) => self.constant(format.round(number)),
            None if self.is_narrow(x.id, format) => x,
            None => x.round_to(format),
        }
    }

    /// Whether a value is known to be rounded: it was, or it is a view of what was.
    fn is_narrow(&self, mut id: NodeId, format: Format) -> bool {
        let nodes = &self.inner.borrow().nodes;
        for _ in 0..MOST_VIEWS {
            let node = &nodes[id.index()];
            match &node.op {
                Op::Narrow(n) => return n.0 == format,
                Op::Scalar(s) => return s.real().is_some_and(|x| format.round(x) == x),
                Op::Broadcast(_) | Op::Reshape(_) | Op::Permute(_) | Op::Slice(_) | Op::Flip(_) => {
                    id = node.args[0];
                }
                _ => return false,
            }
        }
        false
    }
}

/// Ends a policy, also where the formula panics.
struct Ends<'g> {
    graph: &'g Graph,
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.graph.inner.borrow_mut().policies.pop();
    }
}
