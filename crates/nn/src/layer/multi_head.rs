//! Multi-head attention, with a cache for generation.

use chainrule_graph::{Error, ErrorKind, Graph, Var};

use super::{Attention, Layer, Linear, position};
use crate::init::Init;
use crate::scope::Scope;

/// Attention in several heads, each over its own part of projected queries, keys and values (course 5, lecture 4.3; Vaswani
/// and others 2017): (batch, queries, size) become the same.
///
/// The parameters are those of four linear layers: `query`, `key`, `value` and `output`. PyTorch's `in_proj_weight` is the
/// first three's, transposed and one below the other.
///
/// ```
/// use chainrule_graph::{Graph, Kind};
/// use chainrule_nn::{Layer, Mode, MultiHead, Params, Scope};
/// let g = Graph::new();
/// let x = g.input("x", [2, 10, 16], Kind::Real);
/// let s = Scope::root(&g, Params::new(), Mode::Train, 1);
/// let y = MultiHead::new(4).causal().forward(&s.at("attention"), x);
/// assert_eq!(y.shape()[..], [2, 10, 16]);
/// ```
///
/// # Errors
/// Poison for sizes that the heads do not divide, and what [`Attention`] refuses.
#[derive(Clone, Debug)]
pub struct MultiHead {
    heads: usize,
    shared: usize,
    causal: bool,
    bias: bool,
    rotary: Option<f64>,
    alibi: bool,
    block: Option<usize>,
}

/// Keys and values of the tokens so far, each (batch, heads, capacity, size of a head); see [`MultiHead::cached`].
#[derive(Clone, Copy, Debug)]
pub struct Cache<'g> {
    /// The keys.
    pub keys: Var<'g>,
    /// The values.
    pub values: Var<'g>,
}

impl MultiHead {
    /// `heads` heads, biases in all projections.
    pub fn new(heads: usize) -> Self {
        MultiHead { heads, shared: heads, causal: false, bias: true, rotary: None, alibi: false, block: None }
    }

    /// A token sees those up to itself alone.
    pub fn causal(self) -> Self {
        MultiHead { causal: true, ..self }
    }

    /// Keys and values of so many heads, shared by groups of queries' heads (Ainslie and others 2023).
    pub fn shared(self, heads: usize) -> Self {
        MultiHead { shared: heads, ..self }
    }

    /// Leaves the biases out.
    pub fn without_bias(self) -> Self {
        MultiHead { bias: false, ..self }
    }

    /// Turns queries and keys by their positions: [`rotary`](position::rotary) of base 10,000.
    pub fn rotary(self) -> Self {
        MultiHead { rotary: Some(10_000.0), ..self }
    }

    /// Lowers scores with the distance: [`alibi`](position::alibi).
    pub fn alibi(self) -> Self {
        MultiHead { alibi: true, ..self }
    }

    /// So many queries at a time: [`Attention::blocks`].
    pub fn blocks(self, queries: usize) -> Self {
        MultiHead { block: Some(queries), ..self }
    }

    /// The same for another sequence's keys: all of them seen, and no positions.
    pub(super) fn across(self) -> Self {
        MultiHead { causal: false, rotary: None, alibi: false, ..self }
    }

    /// Queries of `x` to keys and values of `from`, (batch, keys, size), which is `x` itself for self-attention. `mask` is
    /// [`Attention::mask`]'s.
    #[track_caller]
    pub fn attend<'g>(&self, scope: &Scope<'g>, x: Var<'g>, from: Var<'g>, mask: Option<Var<'g>>) -> Var<'g> {
        let [q, k, v] = match self.projected(scope, x, from) {
            Ok(all) => all,
            Err(poison) => return poison,
        };
        let g = scope.graph();
        let (m, n) = (q.dim(-2), k.dim(-2));
        let first = if self.causal { n as i64 - m as i64 } else { 0 };
        let (at, to) = (g.iota([m], 0) + first, g.iota([n], 0));
        let (q, k) = (self.turned(q, at), self.turned(k, to));
        let attention = if self.causal { Attention::new().causal() } else { Attention::new() };
        self.mixed(scope, attention, [q, k, v], mask, [at, to])
    }

    /// An empty cache for `capacity` tokens of `size` numbers.
    pub fn cache<'g>(&self, graph: &'g Graph, batch: usize, capacity: usize, size: usize) -> Cache<'g> {
        let shape = [batch, self.shared, capacity, size / self.heads.max(1)];
        let zeros = graph.constant(0.0).broadcast_to(shape);
        Cache { keys: zeros, values: zeros }
    }

    /// Causal self-attention of `x`, the tokens from `position` on (a single integer), to themselves and to those before, of
    /// which `cache` knows. Returns the cache that knows of `x`, too. The outputs are those of the whole sequence at once;
    /// the keys and values of a token are computed once.
    #[track_caller]
    pub fn cached<'g>(
        &self,
        scope: &Scope<'g>,
        x: Var<'g>,
        cache: Cache<'g>,
        position: Var<'g>,
    ) -> (Var<'g>, Cache<'g>) {
        let [q, k, v] = match self.projected(scope, x, x) {
            Ok(all) => all,
            Err(poison) => return (poison, cache),
        };
        let g = scope.graph();
        let (n, capacity) = (x.dim(1), cache.keys.dim(-2));
        let position = position.in_range((capacity + 1).saturating_sub(n), "position");
        let (at, to) = (g.iota([n], 0) + position, g.iota([capacity], 0));
        let nth = to - position;
        let new = nth.less(0).select(false, nth.less(n as i64)).insert_axis(-1);
        let from = nth.maximum(0).minimum(n as i64 - 1);
        let put = |all: Var<'g>, x: Var<'g>| new.select(x.take(-2, from), all);
        let cache = Cache { keys: put(cache.keys, self.turned(k, at)), values: put(cache.values, v) };
        let seen = to.less_equal(at.insert_axis(-1));
        let y = self.mixed(
            scope,
            Attention::new(),
            [self.turned(q, at), cache.keys, cache.values],
            Some(seen),
            [at, to],
        );
        (y, cache)
    }

    #[track_caller]
    fn turned<'g>(&self, x: Var<'g>, at: Var<'g>) -> Var<'g> {
        self.rotary.map_or(x, |base| position::rotary(x, at, base))
    }

    #[track_caller]
    fn linear<'g>(&self, scope: &Scope<'g>, name: &str, units: usize, x: Var<'g>) -> Var<'g> {
        let layer = Linear::new(units).init(Init::Xavier);
        let layer = if self.bias { layer } else { layer.without_bias() };
        layer.forward(&scope.at(name), x)
    }

    /// Queries, keys and values by head: (batch, heads, length, size of a head).
    #[track_caller]
    fn projected<'g>(&self, scope: &Scope<'g>, x: Var<'g>, from: Var<'g>) -> Result<[Var<'g>; 3], Var<'g>> {
        if let Some(poisoned) = [x, from].into_iter().find(|x| x.is_poisoned()) {
            return Err(poisoned);
        }
        let refuse = |why: String| {
            let error = Error::new(ErrorKind::Value { op: "multi_head", why });
            Err(x.fail(error.operand("input", x.ty(), x.origin())))
        };
        let (heads, shared) = (self.heads, self.shared);
        let size = match x.shape()[..] {
            [_, _, size] => size,
            _ => return refuse(format!("sequences are (batch, time, size), not {}", x.shape())),
        };
        if heads == 0 || size % heads != 0 {
            return refuse(format!("{size} numbers do not fall into {heads} heads"));
        }
        if shared == 0 || heads % shared != 0 {
            return refuse(format!("{heads} heads of queries cannot share {shared} heads of keys"));
        }
        let one = |name: &str, heads: usize, x: Var<'g>| {
            let y = self.linear(scope, name, heads * (size / self.heads), x);
            y.reshape((y.dim(0), y.dim(1), heads, -1)).swap_axes(1, 2)
        };
        Ok([one("query", heads, x), one("key", shared, from), one("value", shared, from)])
    }

    #[track_caller]
    fn mixed<'g>(
        &self,
        scope: &Scope<'g>,
        attention: Attention<'g>,
        [q, k, v]: [Var<'g>; 3],
        mask: Option<Var<'g>>,
        [at, to]: [Var<'g>; 2],
    ) -> Var<'g> {
        let attention = mask.map_or(attention, |mask| attention.mask(mask));
        let attention =
            if self.alibi { attention.bias(position::distance(self.heads, at, to)) } else { attention };
        let attention = self.block.map_or(attention, |n| attention.blocks(n));
        let y = attention.of(q, k, v).swap_axes(1, 2);
        let size = q.dim(1) * q.dim(-1);
        let y = y.reshape([y.dim(0), y.dim(1), size]);
        self.linear(scope, "output", size, y)
    }
}

impl Layer for MultiHead {
    #[track_caller]
    fn forward<'g>(&self, scope: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        self.attend(scope, x, x, None)
    }
}
