//! Where a token stands, told to a network that does not care.

use std::panic::Location;

use chainrule_graph::{Error, ErrorKind, Graph, Var};

use super::Layer;
use crate::init::Init;
use crate::scope::Scope;

/// sin and cos of position·10000^(−i/size), for i = 0, 2, …, side by side: (length, size), to be added to embeddings
/// (course 5, lecture 4.4; Vaswani and others 2017).
///
/// ```
/// use chainrule_graph::Graph;
/// use chainrule_nn::position::sinusoidal;
/// let g = Graph::new();
/// let p = sinusoidal(&g, 50, 8);
/// assert_eq!(p.value()?.slice(0, 0..1, 1)?.to_vec::<f64>()?, [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn sinusoidal(graph: &Graph, length: usize, size: usize) -> Var<'_> {
    let _here = graph.blame("sinusoidal", Location::caller());
    let pairs = size.div_ceil(2);
    let angles =
        angles(graph.iota([length, 1], 0).real(), 2.0 * graph.iota([pairs], 0).real(), 10_000.0, size);
    let both = graph.stack(&[angles.sin(), angles.cos()], -1);
    both.reshape([length, 2 * pairs]).slice(-1, 0..size)
}

/// position·base^(−i/size).
#[track_caller]
fn angles<'g>(position: Var<'g>, i: Var<'g>, base: f64, size: usize) -> Var<'g> {
    position * (i * (-base.ln() / size as f64)).exp()
}

/// `x` (…, length, size) with each pair of numbers i and i + size/2 turned by the angle position·base^(−2i/size), so that
/// products of queries and keys depend on their distance alone (Su and others 2021). `positions` are integers, (length,).
///
/// # Errors
/// Poison for a size that is not even.
#[track_caller]
pub fn rotary<'g>(x: Var<'g>, positions: Var<'g>, base: f64) -> Var<'g> {
    let _here = x.graph().blame("rotary", Location::caller());
    let size = x.dim(-1);
    if !size.is_multiple_of(2) && !x.is_poisoned() {
        let why = format!("{size} numbers do not fall into pairs");
        return x.fail(Error::new(ErrorKind::Value { op: "rotary", why }).operand(
            "input",
            x.ty(),
            x.origin(),
        ));
    }
    let i = x.graph().iota([size / 2], 0).real();
    let angles = angles(positions.real().insert_axis(-1), 2.0 * i, base, size);
    let (sin, cos) = (angles.sin(), angles.cos());
    let (a, b) = (x.slice(-1, 0..size / 2), x.slice(-1, size / 2..size));
    x.graph().concat(&[a * cos - b * sin, a * sin + b * cos], -1)
}

/// −slope·distance for each of `heads`, (heads, queries, keys), to be added to scores in place of any position in the
/// inputs (Press and others 2022): slopes are 2^(−8/heads), its square and so on, for a power of two of heads.
#[track_caller]
pub fn alibi(graph: &Graph, heads: usize, queries: usize, keys: usize) -> Var<'_> {
    let _here = graph.blame("alibi", Location::caller());
    let position = graph.iota([queries], 0) + (keys as i64 - queries as i64);
    distance(heads, position, graph.iota([keys], 0))
}

/// [`alibi`] of queries and keys at these positions.
#[track_caller]
pub(super) fn distance<'g>(heads: usize, queries: Var<'g>, keys: Var<'g>) -> Var<'g> {
    let nth = queries.graph().iota([heads, 1, 1], 0).real() + 1.0;
    let slopes = (nth * (-8.0 * std::f64::consts::LN_2 / heads as f64)).exp();
    -(slopes * (queries.insert_axis(-1) - keys.insert_axis(0)).real().abs())
}

/// A learnt vector for each of at most `length` positions, added to (…, length, size).
///
/// # Errors
/// Poison for longer sequences.
#[derive(Clone, Debug)]
pub struct Position {
    length: usize,
}

impl Position {
    /// For sequences of at most `length`.
    pub fn learnt(length: usize) -> Self {
        Position { length }
    }
}

impl Layer for Position {
    #[track_caller]
    fn forward<'g>(&self, scope: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let n = x.dim(-2);
        if n > self.length && !x.is_poisoned() {
            let why = format!("there are {} positions, the sequence has {n}", self.length);
            return x.fail(Error::new(ErrorKind::Value { op: "position", why }).operand(
                "input",
                x.ty(),
                x.origin(),
            ));
        }
        x + scope.param("weight", [self.length, x.dim(-1)], Init::Normal(0.02)).slice(0, 0..n)
    }
}
