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
    shared: Rc<Shared<'g>>,
    path: String,
    _recording: ScopeGuard<'g>,
}

struct Shared<'g> {
    graph: &'g Graph,
    mode: Mode,
    seed: u64,
    key: Var<'g>,
    params: RefCell<Params>,
    /// The parameters that this trace has asked for, in that order.
    traced: RefCell<Vec<(String, Var<'g>)>>,
    by_path: RefCell<BTreeMap<String, Var<'g>>>,
}

impl<'g> Scope<'g> {
    /// The root of a trace in `graph`. Parameters come from `params`; missing ones are drawn with `seed`.
    /// Random layers use the key (seed, 0).
    pub fn root(graph: &'g Graph, params: Params, mode: Mode, seed: u64) -> Self {
        let key = graph.constant(Tensor::from([seed as i64, 0]));
        Scope::with_key(graph, params, mode, seed, key)
    }

    /// As [`root`](Scope::root), with random layers keyed by `key`: two integers, (seed, step).
    pub fn with_key(graph: &'g Graph, params: Params, mode: Mode, seed: u64, key: Var<'g>) -> Self {
        let shared = Shared {
            graph,
            mode,
            seed,
            key,
            params: RefCell::new(params),
            traced: RefCell::default(),
            by_path: RefCell::default(),
        };
        Scope { shared: Rc::new(shared), path: String::new(), _recording: graph.enter("") }
    }

    /// The place `name` below this one.
    pub fn at(&self, name: &str) -> Scope<'g> {
        let path = self.join(name);
        let recording = self.shared.graph.enter(&path);
        Scope { shared: self.shared.clone(), path, _recording: recording }
    }

    fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.into() } else { format!("{}.{name}", self.path) }
    }

    /// The graph being recorded.
    pub fn graph(&self) -> &'g Graph {
        self.shared.graph
    }

    /// The path of this place, such as `block.hidden`; empty at the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the model is being trained or used.
    pub fn mode(&self) -> Mode {
        self.shared.mode
    }

    /// The parameter `name` at this place: from the store if it is there, else drawn from `init`.
    /// Asked for twice in one trace, it is the same parameter, so weights can be shared.
    ///
    /// A stored value of another shape poisons the result with an error that names path and shapes.
    #[track_caller]
    pub fn param(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Var<'g> {
        let (path, shape) = (self.join(name), shape.into());
        let known = self.shared.by_path.borrow().get(&path).copied();
        if let Some(var) = known {
            return if var.shape() == shape { var } else { self.misfit(&path, &var.shape(), &shape) };
        }
        let stored = self.shared.params.borrow().get(&path).cloned();
        let value = match stored {
            Some(value) if value.shape() == &shape[..] => value,
            Some(value) => return self.misfit(&path, value.shape(), &shape),
            None => match init.draw(Key::new(self.shared.seed).named("init").named(&path), shape) {
                Ok(value) => value,
                Err(error) => return self.graph().poison(self.placed(Error::new(error))),
            },
        };
        self.shared.params.borrow_mut().insert(path.clone(), value.clone());
        let var = self.graph().leaf(&path, value);
        self.shared.by_path.borrow_mut().insert(path.clone(), var);
        self.shared.traced.borrow_mut().push((path, var));
        var
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
        let here = Location::caller();
        let scope = self.path.as_str().into();
        error.placed(chainrule_graph::Origin {
            location: here,
            scope,
            phase: chainrule_graph::Phase::Forward,
            within: None,
        })
    }

    /// Uniform reals in [0, 1) of `shape`, different at every place and every training step, and the same for
    /// the same key. Two calls at one place draw the same numbers: give each its own place with [`at`](Scope::at).
    #[track_caller]
    pub fn uniform(&self, shape: impl Into<Shape>) -> Var<'g> {
        self.shared.key.uniform(&self.path, shape)
    }

    /// The parameters this trace has used so far, by path, in order.
    pub fn traced(&self) -> Vec<(String, Var<'g>)> {
        self.shared.traced.borrow().clone()
    }

    /// The parameter store: what was given, and what this trace has added.
    pub fn params(&self) -> Params {
        self.shared.params.borrow().clone()
    }
}
