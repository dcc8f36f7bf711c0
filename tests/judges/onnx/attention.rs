//! Attention: softmax of products of queries and keys, its linear relative, and rotary positions.

use chainrule::graph::{Kind, Var};
use chainrule::nn::Attention;
use chainrule::tensor::keep;

use super::node::{Node, Outcome};

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    Some(Ok(match n.op.as_str() {
        "Attention" => attention(n),
        "FlexAttention" => flexible(n),
        "LinearAttention" => linear(n),
        "RotaryEmbedding" => vec![rotary(n)],
        _ => return None,
    }))
}

const HIDDEN: f64 = f64::NEG_INFINITY;

/// (batch, time, heads · d) as (batch, heads, time, d).
fn heads(x: Var<'_>, heads: i64) -> Var<'_> {
    let shape = x.shape();
    x.reshape((shape[0], shape[1], heads, -1)).permute([0, 2, 1, 3])
}

/// The reverse of [`heads`].
fn joined(x: Var<'_>) -> Var<'_> {
    let shape = x.shape();
    x.permute([0, 2, 1, 3]).reshape((shape[0], shape[2], -1))
}

/// Each head of keys or values as often as it has queries to serve.
fn shared(x: Var<'_>, wanted: usize) -> Var<'_> {
    let shape = x.shape();
    let times = wanted / shape[1];
    let wide = x.insert_axis(2).broadcast_to([&shape[..2], &[times], &shape[2..]].concat());
    wide.reshape([shape[0], wanted, shape[2], shape[3]])
}

/// Softmax along the last axis; a row with nothing but −∞ gives zeros.
fn weights(scores: Var<'_>) -> Var<'_> {
    let blind = scores.max(keep(-1)).equal(HIDDEN);
    blind.select(0.0, blind.select(0.0, scores).softmax(-1))
}

fn attention<'g>(n: &Node<'g>) -> Vec<Var<'g>> {
    let flat = n.x(0).rank() == 3;
    let [q, k, v] = [(0, "q_num_heads"), (1, "kv_num_heads"), (2, "kv_num_heads")]
        .map(|(i, count)| if flat { heads(n.x(i), n.int_or(count, 1)) } else { n.x(i) });
    let cached = |past: usize, new| n.given(past).map_or(new, |past| n.g.concat(&[past, new], 2));
    let (keys, values) = (cached(4, k), cached(5, v));
    let (count, width) = (q.shape()[1], q.shape()[3]);
    let scale = n.real_or("scale", 1.0 / (width as f64).sqrt());
    let products = (q * scale.sqrt()).matmul((shared(keys, count) * scale.sqrt()).t());
    let softcap = n.real_or("softcap", 0.0);
    let capped = if softcap > 0.0 { (products * (1.0 / softcap)).tanh() * softcap } else { products };
    let bias = bias(n, q.shape()[2], keys.shape()[2]);
    let biased = capped + bias;
    // A row without a visible key is decided by the bias alone, whatever the products are.
    let blind = bias.max(keep(-1)).equal(HIDDEN);
    let probabilities = blind.select(0.0, weights(biased));
    // Without a cap on the products it is the library's layer.
    let y = if softcap > 0.0 {
        probabilities.matmul(shared(values, count))
    } else {
        Attention::new().scale(scale).bias(bias).of(q, keys, values)
    };
    let shown = match n.int_or("qk_matmul_output_mode", 0) {
        2 => biased,
        3 => probabilities,
        _ => capped,
    };
    vec![if flat { joined(y) } else { y }, keys, values, shown]
}

/// 0 where a query sees a key, −∞ (or the mask's own number) where it does not.
fn bias<'g>(n: &Node<'g>, queries: usize, keys: usize) -> Var<'g> {
    let g = n.g;
    let mut bias = g.constant(0.0).broadcast_to([queries, keys]);
    let hide = |bias: Var<'g>, visible: Var<'g>| bias + visible.select(0.0, HIDDEN);
    if let Some(mask) = n.given(3) {
        let missing = keys - mask.shape()[mask.rank() - 1];
        let inside = g.iota([keys], 0).less((keys - missing) as i64);
        bias = match mask.kind() {
            Kind::Truth => hide(bias, mask.int().pad(-1, 0, missing).truth()),
            _ => hide(bias + mask.pad(-1, 0, missing), inside),
        };
    }
    // Where key 0 stands, seen from query 0: the cache comes first.
    let used = n.given(6);
    let offset = match (n.given(4), used) {
        (Some(past), _) => g.constant(past.shape()[2] as i64),
        (None, Some(used)) => used.reshape([-1, 1, 1, 1]) - g.constant(queries as i64),
        (None, None) => g.constant(0_i64),
    };
    let ahead = g.iota([queries, keys], 1) - g.iota([queries, keys], 0) - offset;
    if n.flag("is_causal", false) {
        bias = hide(bias, ahead.less_equal(0_i64));
    }
    let (left, right) = (n.int_or("left_window_size", -1), n.int_or("right_window_size", -1));
    if left >= 0 {
        bias = hide(bias, ahead.greater_equal(-left));
    }
    if right >= 0 {
        bias = hide(bias, ahead.less_equal(right));
    }
    if let Some(used) = used {
        bias = hide(bias, g.iota([keys], 0).less(used.reshape([-1, 1, 1, 1])));
    }
    bias
}

fn flexible<'g>(n: &Node<'g>) -> Vec<Var<'g>> {
    let (q, k, v) = (n.x(0), n.x(1), n.x(2));
    let scale = n.real_or("scale", 1.0 / (q.shape()[3] as f64).sqrt());
    vec![Attention::new().scale(scale).of(q, k, v)]
}

/// Attention without softmax: a matrix that remembers, decays and is corrected, step by step.
fn linear<'g>(n: &Node<'g>) -> Vec<Var<'g>> {
    let (readers, writers) = (n.int_or("q_num_heads", 1), n.int_or("kv_num_heads", 1));
    let (q, k, v) = (heads(n.x(0), readers), heads(n.x(1), writers), heads(n.x(2), writers));
    let decay = n.given(4).map(|d| heads(d, writers));
    let rate = n.given(5).map(|b| b.insert_axis(-1).permute([0, 2, 1, 3]));
    let [batch, _, steps, width] = q.shape()[..] else { return vec![q] };
    let nothing = || n.g.constant(0.0).broadcast_to([batch, writers as usize, width, v.shape()[3]]);
    let mut state = n.given(3).unwrap_or_else(nothing);
    let scale = n.real("scale").filter(|s| *s != 0.0).unwrap_or(1.0 / (width as f64).sqrt());
    let mut out = Vec::new();
    for i in 0..steps {
        let at = |x: Var<'g>| x.slice(2, i..i + 1);
        let key = at(k).t();
        let mut value = at(v);
        if let Some(decay) = decay {
            state *= at(decay).exp().t();
        }
        if let Some(rate) = rate {
            value = at(rate) * (value - at(k).matmul(state));
        }
        state += key.matmul(value);
        out.push(at(q).matmul(shared(state, readers as usize)) * scale);
    }
    vec![joined(n.g.concat(&out, 2)), state]
}

/// Pairs of features turned by an angle that grows with the position.
fn rotary<'g>(n: &Node<'g>) -> Var<'g> {
    let flat = n.x(0).rank() == 3;
    let x = if flat { heads(n.x(0), n.int_or("num_heads", 1)) } else { n.x(0) };
    let width = x.shape()[3];
    let turned = n.int("rotary_embedding_dim").filter(|d| *d != 0).map_or(width, |d| d as usize);
    let table = |i: usize| match n.given(3) {
        Some(places) => places.one_hot(n.x(i).shape()[0]).real().matmul(n.x(i)).insert_axis(1),
        None => n.x(i).insert_axis(1),
    };
    let (cos, sin) = (table(1), table(2));
    let interleaved = n.flag("interleaved", false);
    let half = turned / 2;
    let (a, b) = if interleaved {
        (x.slice_step(3, 0..turned, 2), x.slice_step(3, 1..turned, 2))
    } else {
        (x.slice(3, 0..half), x.slice(3, half..turned))
    };
    let (a, b) = (a * cos - b * sin, a * sin + b * cos);
    let pairs =
        if interleaved { n.g.stack(&[a, b], 4).reshape(shape_of(x, turned)) } else { n.g.concat(&[a, b], 3) };
    let y = n.g.concat(&[pairs, x.slice(3, turned..width)], 3);
    if flat { joined(y) } else { y }
}

/// The lengths of `x` with another last one.
fn shape_of(x: Var<'_>, last: usize) -> [isize; 4] {
    let s = x.shape();
    [s[0] as isize, s[1] as isize, s[2] as isize, last as isize]
}
