//! Elements by their positions: gathering, scattering, sorting, running sums.

use chainrule::graph::{Order, Var};

use super::node::{Node, Outcome, axis_of, lengths};

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    let y = match n.op.as_str() {
        "ArrayFeatureExtractor" => n.x(0).take(-1, n.x(1)),
        "CumProd" => running(n, 1, |x, axis| x.cumprod(axis)),
        "CumSum" => running(n, 0, |x, axis| x.cumsum(axis)),
        "Gather" => n.x(0).take(n.axis_or(0), n.x(1)),
        "GatherElements" => n.x(0).take_along_axis(n.axis_or(0), n.x(1)),
        "GatherND" => gather_nd(n),
        "MaxUnpool" => unpool(n),
        "OneHot" => one_hot(n),
        "OptionalGetElement" => n.x(0),
        "OptionalHasElement" => n.g.constant(n.given(0).is_some()),
        "Scatter" | "ScatterElements" => scatter_elements(n),
        "ScatterND" => scatter_nd(n),
        "TensorScatter" => tensor_scatter(n),
        "TfIdfVectorizer" => count_grams(n),
        "TopK" => return Some(Ok(top_k(n))),
        _ => return None,
    };
    Some(Ok(vec![y]))
}

/// A running reduction, from behind or without the element itself if the node says so.
fn running<'g>(n: &Node<'g>, neutral: i64, f: fn(Var<'g>, isize) -> Var<'g>) -> Var<'g> {
    let x = n.x(0);
    let axis = n.ints_of(1).expect("an axis")[0] as isize;
    let turned = |x: Var<'g>| if n.flag("reverse", false) { x.flip(axis) } else { x };
    let mut y = turned(x);
    if n.flag("exclusive", false) {
        let length = x.shape()[axis_of(x, axis)];
        let first = n.g.constant(neutral).cast(x.kind()).broadcast_to(y.slice(axis, 0..1).shape());
        y = n.g.concat(&[first, y.slice(axis, 0..length - 1)], axis);
    }
    turned(f(y, axis))
}

/// Positions counted from the end become positions from the start.
fn from_start<'g>(index: Var<'g>, length: usize) -> Var<'g> {
    index.less(0_i64).select(index + length as i64, index)
}

/// The last axis of `index` holds coordinates of the first axes of `shape`: their row-major positions.
fn flat<'g>(index: Var<'g>, shape: &[usize]) -> Var<'g> {
    let coordinates = index.shape()[index.rank() - 1];
    let mut flat = index.graph().constant(0_i64);
    for (i, length) in shape.iter().take(coordinates).enumerate() {
        flat = flat * *length as i64 + from_start(index.slice(-1, i..i + 1), *length);
    }
    flat.reshape([-1])
}

fn gather_nd<'g>(n: &Node<'g>) -> Var<'g> {
    let (x, index) = (n.x(0), n.x(1));
    let batch = n.int_or("batch_dims", 0) as usize;
    let (own, wanted) = (x.shape(), index.shape());
    let coordinates = wanted[wanted.len() - 1];
    // The batch's own position comes before the coordinates.
    let mut full: Vec<Var<'g>> =
        (0..batch).map(|b| n.g.iota([&wanted[..wanted.len() - 1], &[1]].concat(), b as isize)).collect();
    full.push(index);
    let rows = flat(n.g.concat(&full, -1), &own);
    let (indexed, rest) = own.split_at(batch + coordinates);
    let rest: Vec<isize> = rest.iter().map(|n| *n as isize).collect();
    let count = indexed.iter().product::<usize>() as isize;
    let taken = x.reshape([&[count], &rest[..]].concat()).take(0, rows);
    let outer: Vec<isize> = wanted[..wanted.len() - 1].iter().map(|n| *n as isize).collect();
    taken.reshape([&outer[..], &rest[..]].concat())
}

/// `old` where nothing was written, else what was.
fn overwritten<'g>(old: Var<'g>, written: impl Fn(Var<'g>, Var<'g>) -> Var<'g>, updates: Var<'g>) -> Var<'g> {
    let blank = old.graph().constant(0.0).broadcast_to(old.shape());
    let ones = old.graph().constant(1.0).broadcast_to(updates.shape());
    written(blank, ones).greater(0.0).select(written(blank, updates), old)
}

/// One update after the other.
fn combined<'g>(reduction: &str, old: Var<'g>, new: Var<'g>) -> Var<'g> {
    match reduction {
        "mul" => old * new,
        "max" => old.maximum(new),
        _ => old.minimum(new),
    }
}

fn scatter_elements<'g>(n: &Node<'g>) -> Var<'g> {
    let (x, index, updates) = (n.x(0), n.x(1), n.x(2));
    let axis = n.axis_or(0);
    match n.text_or("reduction", "none") {
        "none" => overwritten(x, |x, updates| x.scatter_add_along_axis(axis, index, updates), updates),
        "add" => x.scatter_add_along_axis(axis, index, updates),
        reduction => {
            let at = axis_of(x, axis);
            let places = n.g.iota(x.shape(), at as isize);
            let index = from_start(index, x.shape()[at]);
            (0..index.shape()[at]).fold(x, |x, i| {
                let hit = places.equal(index.slice(axis, i..i + 1));
                hit.select(combined(reduction, x, updates.slice(axis, i..i + 1)), x)
            })
        }
    }
}

fn scatter_nd<'g>(n: &Node<'g>) -> Var<'g> {
    let (x, index) = (n.x(0), n.x(1));
    let own = x.shape();
    let coordinates = index.shape()[index.rank() - 1];
    let rows: usize = own[..coordinates].iter().product();
    let rest: Vec<isize> = own[coordinates..].iter().map(|n| *n as isize).collect();
    let table = x.reshape([&[rows as isize], &rest[..]].concat());
    let index = flat(index, &own);
    let updates = n.x(2).reshape([&[-1], &rest[..]].concat());
    let y = match n.text_or("reduction", "none") {
        "none" => overwritten(table, |x, updates| x.scatter_add(0, index, updates), updates),
        "add" => table.scatter_add(0, index, updates),
        reduction => (0..updates.shape()[0]).fold(table, |x, i| {
            let hit = n.g.iota(table.shape(), 0).equal(index.slice(0, i..i + 1).sum(..));
            hit.select(combined(reduction, x, updates.slice(0, i..i + 1)), x)
        }),
    };
    y.reshape(lengths(x))
}

fn tensor_scatter<'g>(n: &Node<'g>) -> Var<'g> {
    let (cache, update) = (n.x(0), n.x(1));
    let axis = axis_of(cache, n.axis_or(-2)) as isize;
    let length = cache.shape()[axis as usize] as i64;
    let start = n.given(2).unwrap_or_else(|| n.g.constant(0_i64).broadcast_to([cache.shape()[0]]));
    let start = (1..cache.rank()).fold(start, |s, _| s.insert_axis(-1));
    let index = start + n.g.iota(update.shape(), axis);
    let index = index.greater_equal(length).select(index - length, index);
    overwritten(cache, |x, updates| x.scatter_add_along_axis(axis, index, updates), update)
}

/// Values at positions of a larger image that is 0 elsewhere.
fn unpool<'g>(n: &Node<'g>) -> Var<'g> {
    let x = n.x(0);
    let shape = x.shape();
    let (kernel, spatial) = (n.ints("kernel_shape").expect("a kernel"), x.rank() - 2);
    let strides = n.ints("strides").unwrap_or_else(|| vec![1; spatial]);
    let mut full: Vec<usize> = shape[..2].to_vec();
    full.extend((0..spatial).map(|i| (shape[2 + i] - 1) * strides[i] as usize + kernel[i] as usize));
    let blank = n.g.constant(0.0).broadcast_to([full.iter().product::<usize>()]);
    let image = blank.scatter_add(0, n.x(1).flatten(), x.flatten());
    let image = image.reshape(full.iter().map(|n| *n as isize).collect::<Vec<_>>());
    let wanted = n.ints_of(2).unwrap_or_else(|| full.iter().map(|n| *n as i64).collect());
    (2..x.rank()).fold(image, |image, i| image.pad(i as isize, 0, wanted[i] as usize - full[i]))
}

fn one_hot<'g>(n: &Node<'g>) -> Var<'g> {
    let depth = n.reals_of(1).expect("a depth")[0] as usize;
    let index = from_start(n.x(0).int(), depth);
    let axis = n.axis_or(-1);
    let rank = index.rank() as isize + 1;
    let axis = if axis < 0 { axis + rank } else { axis };
    let mut shape = index.shape().to_vec();
    shape.insert(axis as usize, depth);
    let hot = n.g.iota(shape, axis).equal(index.insert_axis(axis));
    let value = |i: usize| n.x(2).slice(0, i..i + 1).sum(..);
    hot.select(value(1), value(0))
}

/// How often each n-gram of the pool occurs, with up to `max_skip_count` words between its neighbours.
fn count_grams<'g>(n: &Node<'g>) -> Var<'g> {
    let x = n.x(0);
    let rows = if x.rank() == 1 { x.insert_axis(0) } else { x };
    let (pool, starts) = (n.ints("pool_int64s").expect("words"), n.ints("ngram_counts").expect("starts"));
    let slots = n.ints("ngram_indexes").expect("slots");
    let bounds = n.int_or("min_gram_length", 1)..=n.int_or("max_gram_length", 1);
    let width = slots.iter().max().map_or(0, |m| *m as usize + 1);
    let mut columns = vec![n.g.constant(0.0).broadcast_to([rows.shape()[0]]); width];
    let mut slot = 0;
    for (i, start) in starts.iter().enumerate() {
        let end = starts.get(i + 1).map_or(pool.len(), |e| *e as usize);
        for gram in pool[*start as usize..end].chunks(i + 1) {
            if bounds.contains(&(i as i64 + 1)) {
                columns[slots[slot] as usize] =
                    occurrences(rows, gram, n.int_or("max_skip_count", 0) as usize);
            }
            slot += 1;
        }
    }
    let counts = n.g.stack(&columns, 1);
    if x.rank() == 1 { counts.sum(0) } else { counts }
}

fn occurrences<'g>(rows: Var<'g>, gram: &[i64], skips: usize) -> Var<'g> {
    let length = rows.shape()[1];
    // A single word has no neighbours to be skipped to.
    let skips = if gram.len() == 1 { 0 } else { skips };
    let mut total = rows.graph().constant(0.0).broadcast_to([rows.shape()[0]]);
    for stride in 1..=skips + 1 {
        let reach = (gram.len() - 1) * stride;
        if reach >= length {
            break;
        }
        let at =
            |(i, word): (usize, &i64)| rows.slice(1, i * stride..i * stride + length - reach).equal(*word);
        let hits = gram.iter().enumerate().map(at).reduce(|a, b| a.minimum(b)).expect("a gram has words");
        total += hits.real().sum(1);
    }
    total
}

fn top_k<'g>(n: &Node<'g>) -> Vec<Var<'g>> {
    let x = n.x(0);
    let k = n.ints_of(1).expect("a number")[0] as usize;
    let axis = n.axis_or(-1);
    let (values, places) = if n.flag("largest", true) {
        x.top_k(k, axis)
    } else {
        let places = x.argsort(axis, Order::Ascending).slice(axis, 0..k);
        (x.take_along_axis(axis, places), places)
    };
    vec![values, places]
}
