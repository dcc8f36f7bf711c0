//! Every method of `Var`.

use chainrule::graph::{Around, Error, MatrixNorm, Padding, Resize, Slide, Triangular};
use chainrule::prelude::*;

use crate::world::{World, calls};

/// Some way for a window to slide, possible or not.
fn slide(w: &mut World<'_>) -> Slide {
    let slide = Slide::new();
    let slide = if w.dice.once_in(2) { slide.stride(w.dice.len()) } else { slide };
    let slide = if w.dice.once_in(4) { slide.dilation(w.dice.len()) } else { slide };
    match w.dice.throw(4) {
        0 => slide.padding(Padding::Same),
        1 => slide.padding(w.dice.len()),
        2 => slide.padding(vec![(w.dice.len(), w.dice.len()); w.dice.throw(3)]),
        _ => slide,
    }
}

/// What stands beside `x`: a value, a number, a tensor.
fn beside<'g>(w: &mut World<'g>, x: Var<'g>) -> Beside<'g> {
    match w.dice.throw(8) {
        0 => Beside::Integer(w.dice.pick(&[0, 1, -1, 2, i64::MAX])),
        1 => Beside::Real(w.dice.pick(&[0.0, 1.0, -1.0, 0.5, f64::NAN])),
        2 => Beside::Tensor(w.tensor()),
        3 => Beside::Truth(w.dice.once_in(2)),
        4 => Beside::Narrow(w.dice.real() as f32),
        _ => Beside::Var(w.beside(x)),
    }
}

/// What may stand beside a value.
enum Beside<'g> {
    Var(Var<'g>),
    Integer(i64),
    Real(f64),
    Narrow(f32),
    Truth(bool),
    Tensor(Tensor),
}

impl<'g> Operand<'g> for Beside<'g> {
    fn into_operand(self) -> chainrule::graph::OperandValue<'g> {
        match self {
            Beside::Var(x) => x.into_operand(),
            Beside::Integer(x) => x.into_operand(),
            Beside::Real(x) => x.into_operand(),
            Beside::Narrow(x) => x.into_operand(),
            Beside::Truth(x) => x.into_operand(),
            Beside::Tensor(x) => x.into_operand(),
        }
    }
}

/// Rows for methods without arguments, and for those of another operand, an axis, or axes.
macro_rules! alike {
    ($plain:ident: $($p:ident)*; $binary:ident: $($b:ident)*; $axis:ident: $($a:ident)*; $axes:ident: $($r:ident)*;) => {
        calls! { $plain: $($p |w| w.x().$p();)* }
        calls! { $binary: $($b |w| { let x = w.x(); { let y = beside(w, x); x.$b(y) } };)* }
        calls! { $axis: $($a |w| { let x = w.x(); let a = w.dice.axis(x.rank()); x.$a(a) };)* }
        calls! { $axes: $($r |w| { let x = w.x(); let a = w.dice.reduced(x.rank()); x.$r(a) };)* }
    };
}

alike! {
    PLAIN: abs sign floor ceil round sqrt rsqrt exp expm1 ln ln_1p sin cos atan tanh sigmoid softplus erf erfc square real
        int truth flatten t inverse cholesky slogdet logdet det stop_gradient relu selu gelu gelu_tanh silu mish softsign
        hard_swish sinh cosh asinh acosh atanh tan asin acos diagonal trace norm trunc is_nan is_finite
        eigh svd qr singular_values;
    BINARY: logaddexp pow maximum minimum equal not_equal less less_equal greater greater_equal;
    AXIS: insert_axis flip argmax argmin cumsum log_softmax softmax cumprod cummax cummin;
    AXES: sum max min mean var std logsumexp prod;
}

calls! { OTHER:
    add |w| { let x = w.x(); { let y = beside(w, x); x + y } };
    sub |w| { let x = w.x(); { let y = beside(w, x); x - y } };
    mul |w| { let x = w.x(); { let y = beside(w, x); x * y } };
    div |w| { let x = w.x(); { let y = beside(w, x); x / y } };
    add_assign |w| { let mut x = w.x(); x += beside(w, x); x += 1; x };
    sub_assign |w| { let mut x = w.x(); x -= w.beside(x); x };
    mul_assign |w| { let mut x = w.x(); x *= w.beside(x); x };
    div_assign |w| { let mut x = w.x(); x /= w.beside(x); x };
    neg |w| -w.x();
    from_the_left |w| { let x = w.x(); vec![2.0 * x, 1.0 / x, 2 * x, 1 - x] };
    select |w| { let (c, x) = (w.of(Kind::Truth), w.x()); { let y = beside(w, x); c.select(x, y) } };
    select_literals |w| w.of(Kind::Truth).select(1, 0.0);
    clip |w| { let x = w.x(); let (low, high) = (beside(w, x), beside(w, x)); x.clip(low..=high) };
    clip_from |w| { let x = w.x(); let low = beside(w, x); x.clip(low..) };
    clip_up_to |w| { let x = w.x(); let high = beside(w, x); x.clip(..=high) };
    cast |w| { let kind = w.dice.kind(); w.x().cast(kind) };
    like |w| { let value = w.dice.real(); w.x().like(value) };
    leaky_relu |w| { let slope = w.dice.real(); w.x().leaky_relu(slope) };
    elu |w| { let alpha = w.dice.real(); w.x().elu(alpha) };
    celu |w| { let alpha = w.dice.real(); w.x().celu(alpha) };
    hard_sigmoid |w| { let slope = w.dice.real(); w.x().hard_sigmoid(slope, 0.5) };
    reshape |w| {
        let x = w.x();
        let mut to: Vec<isize> = w.dice.shape().iter().map(|n| *n as isize).collect();
        if w.dice.once_in(2) {
            to.push(-1);
        } else if w.dice.once_in(2) {
            to = x.shape().iter().rev().map(|n| *n as isize).collect();
        }
        x.reshape(&to)
    };
    permute_all |w| { let x = w.x(); let order = w.dice.order(x.rank()); x.permute(&order) };
    broadcast_to |w| {
        let x = w.x();
        let mut to = w.dice.shape();
        if w.dice.once_in(2) {
            to = x.shape().iter().map(|n| if *n == 1 { 3 } else { *n }).collect();
            to.insert(0, 2);
        }
        x.broadcast_to(to)
    };
    slice |w| { let x = w.x(); let (a, b) = (w.dice.len(), w.dice.len()); x.slice(w.dice.axis(x.rank()), a..b) };
    slice_step |w| {
        let x = w.x();
        let (a, b, step) = (w.dice.len(), w.dice.len(), w.dice.len());
        x.slice_step(w.dice.axis(x.rank()), a..b, step)
    };
    pad |w| { let x = w.x(); let (a, b) = (w.dice.len(), w.dice.len()); x.pad(w.dice.axis(x.rank()), a, b) };
    permute |w| { let x = w.x(); let axes = w.dice.axes(x.rank()); x.permute(axes) };
    squeeze |w| { let x = w.x(); x.squeeze(w.dice.axis(x.rank())) };
    windows |w| { let x = w.x(); let (a, size, stride) = (w.dice.axis(x.rank()), w.dice.len(), w.dice.len()); x.windows(a, size, stride) };
    overlap_add |w| {
        let x = w.x();
        let (a, n, stride) = (w.dice.axis(x.rank()), w.dice.len(), w.dice.len());
        if w.dice.once_in(2) { x.windows(a, 2, 1).overlap_add(a, n, 1) } else { x.overlap_add(a, n, stride) }
    };
    conv |w| { let x = w.image(); let k = w.image(); let s = slide(w); x.conv(k, &s) };
    grouped_conv |w| { let x = w.image(); let (k, groups) = (w.image(), w.dice.len()); let s = slide(w); x.grouped_conv(k, groups, &s) };
    conv_transpose |w| {
        let x = w.image();
        let (k, groups, more) = (w.image(), if w.dice.once_in(3) { w.dice.len() } else { 1 }, w.dice.len());
        let s = slide(w);
        x.conv_transpose(k, groups, &s, more)
    };
    max_pool |w| { let x = w.x(); let sizes = w.dice.small(); let s = slide(w); x.max_pool(sizes, &s) };
    avg_pool |w| { let x = w.x(); let (sizes, counts) = (w.dice.small(), w.dice.once_in(2)); let s = slide(w); x.avg_pool(sizes, &s, counts) };
    lp_pool |w| { let x = w.x(); let (sizes, p) = (w.dice.small(), w.dice.real()); let s = slide(w); x.lp_pool(p, sizes, &s) };
    adaptive_avg_pool |w| { let x = w.x(); let to = w.dice.small(); x.adaptive_avg_pool(to) };
    adaptive_max_pool |w| { let x = w.x(); let to = w.dice.small(); x.adaptive_max_pool(to) };
    resize |w| {
        let x = w.x();
        let (to, align_corners, antialias) = (w.dice.small(), w.dice.once_in(2), w.dice.once_in(2));
        x.resize(to, if w.dice.once_in(3) { Resize::Nearest } else { Resize::Linear { align_corners, antialias } })
    };
    pad_with |w| {
        let x = w.x();
        let (axis, a, b) = (w.dice.axis(x.rank()), w.dice.len(), w.dice.len());
        let around = w.dice.pick(&[Around::Reflect, Around::Replicate, Around::Circular, Around::Constant(2.0)]);
        x.pad_with(axis, a, b, around)
    };
    swap_axes |w| { let x = w.x(); let (a, b) = (w.dice.axis(x.rank()), w.dice.axis(x.rank())); x.swap_axes(a, b) };
    argsort |w| { let x = w.x(); x.argsort(w.dice.axis(x.rank()), order(w)) };
    sort |w| { let x = w.x(); x.sort(w.dice.axis(x.rank()), order(w)) };
    top_k |w| { let x = w.x(); let k = w.dice.len(); x.top_k(k, w.dice.axis(x.rank())) };
    take |w| { let x = w.x(); let i = w.index(x); x.take(w.dice.axis(x.rank()), i) };
    take_along_axis |w| { let x = w.x(); let i = w.index(x); x.take_along_axis(w.dice.axis(x.rank()), i) };
    scatter_add |w| {
        let x = w.x();
        let (i, axis) = (w.index(x), w.dice.axis(x.rank()));
        let updates = if w.dice.once_in(3) { w.beside(x) } else { x.take(axis, i) };
        x.scatter_add(axis, i, updates)
    };
    scatter_add_along_axis |w| {
        let x = w.x();
        let (i, axis) = (w.index(x), w.dice.axis(x.rank()));
        let updates = if w.dice.once_in(3) { w.beside(x) } else { x.take_along_axis(axis, i) };
        x.scatter_add_along_axis(axis, i, updates)
    };
    matmul |w| { let x = w.x(); let y = w.x(); if w.dice.once_in(2) { x.matmul(y) } else { x.matmul(x.t()) } };
    solve |w| { let x = w.x(); x.solve(w.beside(x)) };
    solve_lower |w| { let x = w.x(); x.solve_lower(w.beside(x)) };
    solve_upper |w| { let x = w.x(); x.solve_upper(w.beside(x)) };
    solve_triangular |w| {
        let x = w.x();
        let mut coin = || w.dice.once_in(2);
        let how = Triangular { upper: coin(), transposed: coin(), unit: coin(), right: coin() };
        x.solve_triangular(w.beside(x), how)
    };
    lstsq |w| { let x = w.x(); x.lstsq(w.beside(x)) };
    pinv |w| { let x = w.x(); let rcond = w.dice.real(); x.pinv(rcond) };
    definite |w| { let x = w.x(); (x.matmul(x.t()) + 1).cholesky() };
    uniform |w| {
        let key = if w.dice.once_in(4) { w.x() } else { w.g.constant(Tensor::from([1_i64, 2])) };
        let shape = w.dice.shape();
        key.uniform("stream", shape)
    };
    in_range |w| { let end = w.dice.len(); w.of(Kind::Int).in_range(end, "value") };
    in_interval |w| { let (low, high) = (w.dice.real(), w.dice.real()); w.x().in_interval(low, high, "value") };
    one_hot |w| { let classes = w.dice.len(); w.of(Kind::Int).one_hot(classes) };
    roll |w| { let x = w.x(); let (axis, shift) = (w.dice.axis(x.rank()), w.dice.int()); x.roll(axis, shift) };
    tile |w| {
        let x = w.x();
        let rank = if w.dice.once_in(4) { w.dice.throw(4) } else { x.rank() };
        let times: Vec<usize> = (0..rank).map(|_| w.dice.len()).collect();
        x.tile(times)
    };
    repeat |w| { let x = w.x(); let (axis, times) = (w.dice.axis(x.rank()), w.dice.len()); x.repeat(axis, times) };
    searchsorted |w| {
        let x = w.x();
        let right = w.dice.once_in(2);
        let sorted = if w.dice.once_in(3) { x } else { x.flatten().sort(0, Order::Ascending) };
        sorted.searchsorted(w.beside(x), right)
    };
    bincount |w| { let bins = w.dice.len(); w.of(Kind::Int).bincount(bins) };
    nan_to_num |w| { let x = w.x(); let (a, b, c) = (beside(w, x), w.dice.real(), w.dice.real()); x.nan_to_num(a, b, c) };
    vector_norm |w| {
        let x = w.x();
        let p = if w.dice.once_in(2) { w.dice.real() } else { w.dice.pick(&[0.0, 1.0, 2.0, f64::INFINITY, f64::NEG_INFINITY]) };
        x.vector_norm(p, w.dice.reduced(x.rank()))
    };
    matrix_norm |w| { let which = w.dice.pick(&NORMS); w.x().matrix_norm(which) };
    var_corrected |w| { let x = w.x(); let (a, less) = (w.dice.reduced(x.rank()), w.dice.len()); x.var_corrected(a, less) };
    std_corrected |w| { let x = w.x(); let (a, less) = (w.dice.reduced(x.rank()), w.dice.len()); x.std_corrected(a, less) };
    diagonal_at |w| { let k = w.dice.int(); w.x().diagonal_at(k) };
    diag |w| { let k = w.dice.int(); w.x().diag(k) };
    outer |w| { let x = w.x(); x.outer(w.beside(x)) };
    expm |w| { let x = w.x(); if w.dice.once_in(2) { x.expm() } else { x.matmul(x.t()).expm() } };
    round_to |w| { let format = w.dice.pick(chainrule::tensor::Format::ALL); w.x().round_to(format) };
    matrix_power |w| { let n = w.dice.int(); let x = w.x(); if w.dice.once_in(2) { x.matrix_power(n) } else { x.matmul(x.t()).matrix_power(n) } };
    tril |w| { let k = w.dice.int(); w.x().tril(k) };
    triu |w| { let k = w.dice.int(); w.x().triu(k) };
    checkpoint |w| { let x = w.x(); let start = w.several(0); x.checkpoint(&start) };
    grad |w| { let loss = w.loss(); loss.grad(&w.wrt()) };
    grad_or_zeros |w| { let loss = w.loss(); loss.grad_or_zeros(&w.wrt()) };
    equations |w| { let loss = w.loss(); let wrt = w.wrt(); if w.g.len() < 150 { said(loss.equations(&wrt)) } };
    fail |w| w.x().fail(Error::new(chainrule::graph::ErrorKind::Batch("as the driver wants it".into())));
    value |w| { let x = w.x(); if crate::plans::affordable(w.g, &[x]) { said(x.value().map(|t| t.rank())) } };
    accessors |w| {
        let x = w.x();
        let _ = (x.graph().len(), x.id(), x.shape(), x.kind(), x.ty(), x.rank(), x.origin(), x.is_poisoned());
        let axis = w.dice.axis(x.rank());
        let _ = (format!("{x:?}"), said(x.checked().map(|t| t.to_string())), x.dim(axis));
        // A length that is not there is the next way out's error, and no later one's.
        said(w.g.compile(&[], &[]).map(|_| ()));
    };
}

const NORMS: [MatrixNorm; 5] =
    [MatrixNorm::Frobenius, MatrixNorm::One, MatrixNorm::Infinity, MatrixNorm::Spectral, MatrixNorm::Nuclear];

/// Methods that stand in the row `accessors`, or under another name.
pub(crate) const ELSEWHERE: &[&str] =
    &["graph", "id", "shape", "kind", "ty", "rank", "origin", "is_poisoned", "checked", "dim"];

/// Calls that make no value, or none without an error.
pub(crate) const WITHOUT_VALUE: &[&str] = &["equations", "fail", "value", "accessors"];

fn order(w: &mut World<'_>) -> Order {
    w.dice.pick(&[Order::Ascending, Order::Descending])
}

/// A result of which no value is made.
pub(crate) fn said<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(!format!("{result:?}").is_empty());
}
