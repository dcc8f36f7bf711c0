//! `Scope`: where a layer finds its parameters, by name.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::Location;
use std::rc::Rc;

use chainrule_graph::{Error, ErrorKind, Graph, ScopeGuard, Var};
use chainrule_tensor::{Key, Shape, Tensor};

use crate::init::Init;
use crate::params::Params;

/// Whether a model is being trained or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Dropout drops.
    Train,
    /// Dropout does nothing (course 2, lecture 1.6).
    Evaluate,
}

/// A place in a model's tree of names, handed from layer to layer while a model is traced.
///
/// A place is used once: a parameter that is asked for twice at one place is an error, unless sharing is
/// [said](Scope::shared). Random numbers are new with each draw.
///
/// Everything recorded while a scope made with [`at`](Scope::at) lives is attributed to it, so its path reaches
/// every error, dump and picture.
///
/// ```
/// use chainrule_graph::{Graph, Kind};
/// use chainrule_nn::{Layer, Linear, Mode, Params, Scope};
/// let g = Graph::new();
/// let x = g.input("x", [4, 2], Kind::Real);
/// let root = Scope::root(&g, Params::new(), Mode::Train, 1);
/// let y = Linear::new(3).forward(&root.at("hidden"), x);
/// assert_eq!(y.shape()[..], [4, 3]);
/// let params = root.params();
/// assert_eq!(params.iter().map(|p| p.0).collect::<Vec<_>>(), ["hidden.weight", "hidden.bias"]);
/// ```
pub struct Scope<'g> {
    trace: Rc<Trace<'g>>,
    path: String,
    shared: bool,
    _recording: ScopeGuard<'g>,
}

struct Trace<'g> {
    graph: &'g Graph,
    mode: Mode,
    seed: u64,
    key: Var<'g>,
    params: RefCell<Params>,
    /// The parameters that this trace has asked for, in that order.
    traced: RefCell<Vec<(String, Var<'g>)>>,
    by_path: RefCell<BTreeMap<String, Var<'g>>>,
    /// What is remembered from step to step: by path, the value before the step and the one after it.
    remembered: RefCell<Vec<Remembered<'g>>>,
    /// How often random numbers have been drawn at each place.
    draws: RefCell<BTreeMap<String, usize>>,
}

/// A value that a layer remembers.
#[derive(Clone, Debug)]
pub struct Remembered<'g> {
    /// Where.
    pub path: String,
    /// Before the step.
    pub before: Var<'g>,
    /// After it.
    pub after: Var<'g>,
}

impl<'g> Scope<'g> {
    /// The root of a trace in `graph`. Parameters come from `params`; missing ones are drawn with `seed`.
    /// Random layers use the key (seed, 0).
    #[track_caller]
    pub fn root(graph: &'g Graph, params: Params, mode: Mode, seed: u64) -> Self {
        let key = graph.constant(Tensor::from([seed as i64, 0]));
        Scope::with_key(graph, params, mode, seed, key)
    }

    /// As [`root`](Scope::root), with random layers keyed by `key`: two integers, (seed, step).
    #[track_caller]
    pub fn with_key(graph: &'g Graph, params: Params, mode: Mode, seed: u64, key: Var<'g>) -> Self {
        lines_of(graph);
        let trace = Trace {
            graph,
            mode,
            seed,
            key,
            params: RefCell::new(params),
            traced: RefCell::default(),
            by_path: RefCell::default(),
            remembered: RefCell::default(),
            draws: RefCell::default(),
        };
        Scope { trace: Rc::new(trace), path: String::new(), shared: false, _recording: graph.enter("") }
    }

    /// The place `name` below this one.
    #[track_caller]
    pub fn at(&self, name: &str) -> Scope<'g> {
        self.scope(self.join(name), self.shared)
    }

    /// This place for one more use: here and below, a parameter that is there already is taken again instead of being
    /// refused. So weights are shared on purpose: the towers of a siamese network, the steps of a recurrent one.
    ///
    /// A single parameter that is used twice, such as tied embeddings, needs none of this: it is a value, asked for once.
    ///
    /// ```
    /// use chainrule_graph::{Graph, Kind};
    /// use chainrule_nn::{Layer, Linear, Mode, Params, Scope};
    /// let g = Graph::new();
    /// let (a, b) = (g.input("a", [4, 2], Kind::Real), g.input("b", [4, 2], Kind::Real));
    /// let s = Scope::root(&g, Params::new(), Mode::Train, 1);
    /// let tower = |x| Linear::new(3).forward(&s.at("tower").shared(), x);
    /// let apart = (tower(a) - tower(b)).square();
    /// assert_eq!(s.params().count(), 2 * 3 + 3);
    /// ```
    #[track_caller]
    pub fn shared(&self) -> Scope<'g> {
        self.scope(self.path.clone(), true)
    }

    #[track_caller]
    fn scope(&self, path: String, shared: bool) -> Scope<'g> {
        let recording = self.trace.graph.enter(&path);
        Scope { trace: self.trace.clone(), path, shared, _recording: recording }
    }

    fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.into() } else { format!("{}.{name}", self.path) }
    }

    /// The graph being recorded.
    pub fn graph(&self) -> &'g Graph {
        self.trace.graph
    }

    /// The path of this place, such as `block.hidden`; empty at the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the model is being trained or used.
    pub fn mode(&self) -> Mode {
        self.trace.mode
    }

    /// The parameter `name` at this place: from the store if it is there, else drawn from `init`.
    ///
    /// The result is poisoned if it has been asked for at this place before, unless the place is
    /// [`shared`](Scope::shared), or if the value that is there has another shape.
    #[track_caller]
    pub fn param(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Var<'g> {
        let (path, shape) = (self.join(name), shape.into());
        let known = self.trace.by_path.borrow().get(&path).copied();
        if let Some(var) = known {
            return if self.shared && var.shape() == shape { var } else { self.taken(name, var, &shape) };
        }
        let var = self.stored(&path, shape, init);
        if !var.is_poisoned() {
            self.trace.traced.borrow_mut().push((path, var));
        }
        var
    }

    /// The leaf at `path`, with its value from the store if it is there, else drawn from `init`.
    #[track_caller]
    fn stored(&self, path: &str, shape: Shape, init: Init) -> Var<'g> {
        let stored = self.trace.params.borrow().get(path).cloned();
        let value = match stored {
            Some(value) if value.shape() == &shape[..] => value,
            Some(value) => return self.misfit(path, value.shape(), &shape),
            None => match init.draw(Key::new(self.trace.seed).named("init").named(path), shape) {
                Ok(value) => value,
                Err(error) => return self.graph().poison(self.placed(Error::new(error))),
            },
        };
        self.trace.params.borrow_mut().insert(path, value.clone());
        let var = self.graph().leaf(path, value);
        self.trace.by_path.borrow_mut().insert(path.into(), var);
        var
    }

    /// A value with a memory: it starts as `start` says, and where the model is trained each step makes `next` of it, as
    /// running statistics are made. It is kept and saved with the parameters, under its path, and is none: it has no
    /// gradient, no penalty, no optimiser. Returns the value before the step; a place that is frozen keeps it.
    ///
    /// A value may be remembered once at each place; in a [`shared`](Scope::shared) one the uses go on from each other.
    ///
    /// ```
    /// use chainrule_graph::{Graph, Kind};
    /// use chainrule_nn::{Init, Mode, Params, Scope};
    /// let g = Graph::new();
    /// let x = g.input("x", [4, 2], Kind::Real);
    /// let s = Scope::root(&g, Params::new(), Mode::Train, 1);
    /// let mean = s.remember("mean", [2], Init::Zeros, |mean| 0.9 * mean + 0.1 * x.mean(0));
    /// assert_eq!(s.remembered()[0].path, "mean");
    /// assert_eq!(mean.id(), s.remembered()[0].before.id());
    /// ```
    #[track_caller]
    pub fn remember(
        &self,
        name: &str,
        shape: impl Into<Shape>,
        start: Init,
        next: impl FnOnce(Var<'g>) -> Var<'g>,
    ) -> Var<'g> {
        let (path, shape) = (self.join(name), shape.into());
        let known = self.trace.by_path.borrow().get(&path).copied();
        let place = self.trace.remembered.borrow().iter().position(|r| r.path == path);
        if let Some(var) = known {
            let Some(place) = place.filter(|_| self.shared && var.shape() == shape) else {
                return self.taken(name, var, &shape);
            };
            if self.mode() == Mode::Train {
                let now = self.trace.remembered.borrow()[place].after;
                let after = next(now);
                self.trace.remembered.borrow_mut()[place].after = after;
            }
            return var;
        }
        let before = self.stored(&path, shape, start);
        let after = if self.mode() == Mode::Train { next(before) } else { before };
        self.trace.remembered.borrow_mut().push(Remembered { path, before, after });
        before
    }

    /// The poison in the place of a parameter that another use of this place has already, in `var`.
    #[track_caller]
    fn taken(&self, name: &str, var: Var<'g>, wanted: &Shape) -> Var<'g> {
        let place = if self.path.is_empty() { "the root".into() } else { format!("`{}`", self.path) };
        let (why, hint) = if self.shared {
            let why =
                format!("`{name}` at {place} is shared with shape {}, here {wanted} is needed", var.shape());
            (
                why,
                "what shares parameters has the same sizes; give the other its own place, such as s.at(\"second\")",
            )
        } else {
            let why = format!("`{name}` is asked for twice at {place}, and a place is used once");
            (
                why,
                "give each layer its own place, such as s.at(\"first\") and s.at(\"second\"); to share the parameters \
                 on purpose, say so each time: s.at(\"both\").shared()",
            )
        };
        let error =
            Error::new(ErrorKind::Value { op: "param", why }).operand("first", var.ty(), var.origin());
        self.graph().poison(self.placed(error.hint(hint)))
    }

    #[track_caller]
    fn misfit(&self, path: &str, found: &[usize], wanted: &Shape) -> Var<'g> {
        let why = format!("`{path}` is stored with shape {}, the model needs {wanted}", Shape::from(found));
        let error = Error::new(ErrorKind::Value { op: "param", why });
        let error = error.hint("these parameters belong to another model; give it its own, or start anew");
        self.graph().poison(self.placed(error))
    }

    #[track_caller]
    fn placed(&self, error: Error) -> Error {
        let origin = self.graph().origin(Location::caller());
        error.placed(chainrule_graph::Origin { scope: self.path.as_str().into(), ..origin })
    }

    /// Uniform reals in [0, 1) of `shape`, different at every place, with every draw at a place and in every training
    /// step, and the same for the same key. Inside [`vmap`](chainrule_graph::vmap) each example has its own.
    #[track_caller]
    pub fn uniform(&self, shape: impl Into<Shape>) -> Var<'g> {
        let mut draws = self.trace.draws.borrow_mut();
        let before = draws.entry(self.path.clone()).or_default();
        *before += 1;
        match *before {
            1 => self.trace.key.uniform(&self.path, shape),
            // No path of names has a NUL.
            nth => self.trace.key.uniform(&format!("{}\0{nth}", self.path), shape),
        }
    }

    /// The parameters this trace has used so far, by path, in order.
    pub fn traced(&self) -> Vec<(String, Var<'g>)> {
        self.trace.traced.borrow().clone()
    }

    /// What this trace remembers, by path, in order.
    pub fn remembered(&self) -> Vec<Remembered<'g>> {
        self.trace.remembered.borrow().clone()
    }

    /// All that this trace has asked the store for: parameters, then what is remembered.
    pub(crate) fn asked(&self) -> Vec<(String, Var<'g>)> {
        let remembered = self.remembered().into_iter().map(|r| (r.path, r.before));
        self.traced().into_iter().chain(remembered).collect()
    }

    /// The parameter store: what was given, and what this trace has added.
    pub fn params(&self) -> Params {
        self.trace.params.borrow().clone()
    }
}

/// Says to `graph` which lines are this crate's.
pub(crate) fn lines_of(graph: &Graph) {
    graph.library(file!().trim_end_matches("scope.rs"));
}
