//! Scaled dot-product attention: each query's mean of the values, weighted by how well their keys fit.

use std::panic::Location;

use chainrule_graph::{Error, ErrorKind, Keep, Kind, Result, Scan, Var};
use chainrule_tensor::{Shape, keep};

/// softmax(q kᵀ·scale + bias) v over the keys that a query may see (course 5, lecture 4.2; Vaswani and others 2017).
///
/// Queries are (…, queries, size), keys (…, keys, size), values (…, keys, any size). Where there are heads, they are the axis
/// before: (batch, heads, queries, size). Keys and values of fewer heads are shared by groups of queries' heads that follow
/// each other.
///
/// ```
/// use chainrule_graph::Graph;
/// use chainrule_nn::Attention;
/// let g = Graph::new();
/// let x = g.leaf("x", [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
/// let y = Attention::new().causal().of(x, x, x); // the first token sees itself alone
/// assert_eq!(y.value()?.slice(0, 0..1, 1)?.to_vec::<f64>()?, [1.0, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A query that may see no key gives zeros, with derivative 0, and no NaN.
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "it does nothing until it is told of what"]
pub struct Attention<'g> {
    causal: bool,
    mask: Option<Var<'g>>,
    bias: Option<Var<'g>>,
    scale: Option<f64>,
    block: Option<usize>,
}

impl<'g> Attention<'g> {
    /// Every query sees every key; the scale is 1/√size.
    pub fn new() -> Self {
        Attention::default()
    }

    /// A query sees the keys up to its own position. The last query is at the last key, so that queries that go on from
    /// keys that are there already stand behind them.
    pub fn causal(self) -> Self {
        Attention { causal: true, ..self }
    }

    /// A query sees the keys for which `mask` holds: truth values that broadcast to (…, queries, keys). Twice, both must
    /// hold. For padding, (batch, 1, 1, keys).
    #[track_caller]
    pub fn mask(self, mask: Var<'g>) -> Self {
        Attention { mask: Some(self.mask.map_or(mask, |m| both(m, mask))), ..self }
    }

    /// What is added to the scores, broadcast to (…, queries, keys), such as [`alibi`](super::position::alibi).
    pub fn bias(self, bias: Var<'g>) -> Self {
        Attention { bias: Some(bias), ..self }
    }

    /// Another scale.
    pub fn scale(self, scale: f64) -> Self {
        Attention { scale: Some(scale), ..self }
    }

    /// Computes so many queries at a time, and again in the backward pass: memory is linear in the length, where else it
    /// has a number for each pair. Values have the same bits but for those of the products' order.
    pub fn blocks(self, queries: usize) -> Self {
        Attention { block: Some(queries), ..self }
    }

    /// The weighted means, (…, queries, size of the values).
    #[track_caller]
    pub fn of(self, q: Var<'g>, k: Var<'g>, v: Var<'g>) -> Var<'g> {
        let here = Location::caller();
        let given = [Some(q), Some(k), Some(v), self.mask, self.bias];
        if let Some(poisoned) = given.into_iter().flatten().find(|x| x.is_poisoned()) {
            return poisoned;
        }
        let _here = q.graph().blame("attention", here);
        match self.checked(q, k, v).and_then(|(k, v)| self.all(q, k, v)) {
            Ok(y) => y,
            Err(error) if error.at().is_some() => q.graph().poison(error),
            Err(error) => q.graph().poison(error.placed(q.graph().origin(here))),
        }
    }

    /// The weights of the means, (…, queries, keys): what is drawn as a map.
    #[track_caller]
    pub fn weights(self, q: Var<'g>, k: Var<'g>) -> Var<'g> {
        let n = k.dim(-2);
        let one = k.graph().constant(1.0);
        // The means of unit vectors are the weights themselves.
        let eye = k.graph().iota([n, n], 0).equal(k.graph().iota([n, n], 1)).select(one, 0.0);
        let lead = k.shape();
        let shape: Shape = lead[..lead.len().saturating_sub(2)].iter().copied().chain([n, n]).collect();
        Attention { block: None, ..self }.of(q, k, eye.broadcast_to(shape))
    }

    /// Keys and values with the queries' heads.
    fn checked(&self, q: Var<'g>, k: Var<'g>, v: Var<'g>) -> Result<(Var<'g>, Var<'g>)> {
        let shapes = [q.shape(), k.shape(), v.shape()];
        let [qs, ks, vs] = &shapes;
        let refuse = |why: String| {
            let error = Error::new(ErrorKind::Value { op: "attention", why });
            let error = error.operand("queries", q.ty(), q.origin()).operand("keys", k.ty(), k.origin());
            Err(error.operand("values", v.ty(), v.origin()))
        };
        if qs.len() < 2 || ks.len() != qs.len() || vs.len() != qs.len() {
            return refuse("queries, keys and values are (…, length, size), of equally many axes".into());
        }
        let n = qs.len();
        if qs[n - 1] != ks[n - 1] {
            return refuse(format!("queries have {} numbers, keys {}", qs[n - 1], ks[n - 1]));
        }
        if ks[n - 2] != vs[n - 2] {
            return refuse(format!("{} keys have {} values", ks[n - 2], vs[n - 2]));
        }
        if self.causal && qs[n - 2] > ks[n - 2] {
            return refuse(format!("{} queries stand behind no more than {} keys", qs[n - 2], ks[n - 2]));
        }
        if self.block == Some(0) {
            return refuse("a block of 0 queries computes nothing".into());
        }
        if let Some(mask) = self.mask.filter(|m| m.kind() != Kind::Truth) {
            return refuse(format!(
                "a mask is of truth values, not {}; what is added to scores is a bias",
                mask.ty()
            ));
        }
        if n == 2 || ks[n - 3] == qs[n - 3] {
            return Ok((k, v));
        }
        let (heads, shared) = (qs[n - 3], ks[n - 3]);
        if shared == 0 || vs[n - 3] != shared || heads % shared != 0 {
            let values = vs[n - 3];
            return refuse(format!(
                "{heads} heads cannot share the {shared} heads of keys and {values} of values"
            ));
        }
        let grouped = |x: Var<'g>| {
            let s = x.shape();
            let with = |middle: &[usize]| -> Shape {
                s[..n - 2].iter().chain(middle).chain(&s[n - 2..]).copied().collect()
            };
            let flat: Vec<isize> =
                s[..n - 3].iter().chain([&heads]).chain(&s[n - 2..]).map(|n| *n as isize).collect();
            x.insert_axis(-3).broadcast_to(with(&[heads / shared])).reshape(flat)
        };
        Ok((grouped(k), grouped(v)))
    }

    fn all(self, q: Var<'g>, k: Var<'g>, v: Var<'g>) -> Result<Var<'g>> {
        let (g, n) = (q.graph(), q.dim(-2));
        let q = q * self.scale.unwrap_or_else(|| 1.0 / (q.dim(-1) as f64).sqrt());
        let position = g.iota([n, 1], 0) + (k.dim(-2) as i64 - n as i64);
        let Some(block) = self.block.filter(|b| *b < n) else {
            return Ok(self.some(q, k, v, position, self.mask, self.bias));
        };
        // What has a row for each query is sliced, all else is the same in each step.
        let sliced = |x: &Var<'g>| x.rank() >= 2 && x.dim(-2) == n;
        let rows: Vec<Var<'g>> =
            [Some(q), Some(position), self.mask, self.bias].into_iter().flatten().filter(sliced).collect();
        let one = |rows: &[Var<'g>]| {
            let mut further = rows[2..].iter().copied();
            let mut row =
                |x: Option<Var<'g>>| x.and_then(|x| if sliced(&x) { further.next() } else { Some(x) });
            let (mask, bias) = (row(self.mask), row(self.bias));
            self.some(rows[0], k, v, rows[1], mask, bias)
        };
        let whole = n / block * block;
        let blocked: Vec<Var<'g>> = rows.iter().map(|x| blocks(x.slice(-2, 0..whole), block)).collect();
        let (_, y) =
            Scan::new().keep(Keep::Every(1)).run(&[], &blocked, |_, rows| Ok((vec![], vec![one(rows)])))?;
        let mut parts: Vec<Var<'g>> = vec![joined(y[0])];
        if whole < n {
            parts.push(one(&rows.iter().map(|x| x.slice(-2, whole..n)).collect::<Vec<_>>()));
        }
        Ok(g.concat(&parts, -2))
    }

    /// The means of scaled queries at `position`, (queries, 1).
    fn some(
        &self,
        q: Var<'g>,
        k: Var<'g>,
        v: Var<'g>,
        position: Var<'g>,
        mask: Option<Var<'g>>,
        bias: Option<Var<'g>>,
    ) -> Var<'g> {
        let g = q.graph();
        let scores = q.matmul(k.swap_axes(-1, -2));
        let scores = bias.map_or(scores, |bias| scores + bias);
        let before = self.causal.then(|| g.iota([k.dim(-2)], 0).less_equal(position));
        let seen = match (mask, before) {
            (Some(mask), Some(before)) => Some(both(mask, before)),
            (mask, before) => mask.or(before),
        };
        let hidden = |x: Var<'g>| seen.map_or(x, |seen| seen.select(x, f64::NEG_INFINITY));
        let top = hidden(scores).max(keep(-1)).stop_gradient();
        let top = top.equal(f64::NEG_INFINITY).select(0.0, top);
        let e = hidden(scores - top).exp();
        let sum = e.sum(keep(-1));
        (e / sum.equal(0.0).select(1.0, sum)).matmul(v)
    }
}

/// Where both hold.
#[track_caller]
pub(super) fn both<'g>(a: Var<'g>, b: Var<'g>) -> Var<'g> {
    a.select(b, false)
}

/// (…, n·block, size) as (n, …, block, size).
fn blocks(x: Var<'_>, block: usize) -> Var<'_> {
    let s = x.shape();
    let lead = s.len() - 2;
    let parted: Vec<isize> =
        s[..lead].iter().chain(&[s[lead] / block, block, s[lead + 1]]).map(|n| *n as isize).collect();
    let order: Vec<isize> =
        std::iter::once(lead).chain(0..lead).chain([lead + 1, lead + 2]).map(|a| a as isize).collect();
    x.reshape(parted).permute(order)
}

/// (n, …, block, size) as (…, n·block, size).
fn joined(x: Var<'_>) -> Var<'_> {
    let s = x.shape();
    let lead = s.len() - 3;
    let order: Vec<isize> = (1..=lead).chain([0, lead + 1, lead + 2]).map(|a| a as isize).collect();
    let flat: Vec<isize> =
        s[1..=lead].iter().chain(&[s[0] * s[lead + 1], s[lead + 2]]).map(|n| *n as isize).collect();
    x.permute(order).reshape(flat)
}
