//! Sample cases of the compositions, for the generated tests.

use crate::prim::Sample;
use crate::var::Var;

use super::norm::MatrixNorm;
use super::resize::{Around, Resize};
use super::slide::{Padding, Slide};
use super::systems::Triangular;

/// A function of one value, elementwise or along its last axis.
type Function = for<'g> fn(Var<'g>) -> Var<'g>;

/// Name, function, and an interval on which it is smooth.
#[rustfmt::skip]
const ELEMENTWISE: &[(&str, Function, std::ops::Range<f64>)] = &[
    ("relu",         |x| x.relu(),                  0.1..2.0),
    ("leaky_relu",   |x| x.leaky_relu(0.01),        -2.0..-0.1),
    ("clip",         |x| x.clip(-1.0..=1.0),        -0.9..0.9),
    ("clip from",    |x| x.clip(1.0..) * x,         0.1..0.9),
    ("clip up to",   |x| x.clip(..=x.cos()),        -0.5..0.5),
    ("elu",          |x| x.elu(1.5),                -2.0..-0.1),
    ("celu",         |x| x.celu(1.5),               -2.0..-0.1),
    ("selu",         |x| x.selu(),                  -2.0..-0.1),
    ("gelu",         |x| x.gelu(),                  -2.0..2.0),
    ("gelu_tanh",    |x| x.gelu_tanh(),             -2.0..2.0),
    ("silu",         |x| x.silu(),                  -2.0..2.0),
    ("mish",         |x| x.mish(),                  -2.0..2.0),
    ("softsign",     |x| x.softsign(),              0.1..2.0),
    ("hard_sigmoid", |x| x.hard_sigmoid(0.2, 0.5),  -2.0..2.0),
    ("hard_swish",   |x| x.hard_swish(),            -2.0..2.0),
    ("tan",          |x| x.tan(),                   -1.0..1.0),
    ("asin",         |x| x.asin(),                  -0.8..0.8),
    ("acos",         |x| x.acos(),                  -0.8..0.8),
    ("asinh",        |x| x.asinh(),                 0.1..2.0),
    ("acosh",        |x| x.acosh(),                 1.5..3.0),
    ("atanh",        |x| x.atanh(),                 -0.8..0.8),
    ("square",       |x| x.square(),                -2.0..2.0),
    ("trunc",        |x| x.trunc() * x,             1.1..1.9),
    ("logaddexp",    |x| x.logaddexp(x.square()),   -2.0..2.0),
    ("nan_to_num",   |x| x.nan_to_num(0, 1, -1) * x, -2.0..2.0),
];

/// Name and function of all elements, or of those along the last axis.
#[rustfmt::skip]
const ALONG: &[(&str, Function)] = &[
    ("mean",         |x| x.mean(-1)),
    ("var",          |x| x.var(-1)),
    ("norm",         |x| x.norm()),
    ("var_corrected", |x| x.var_corrected(-1, 2)),
    ("std",          |x| x.std(..) * 3.0),
    ("std_corrected", |x| x.std_corrected(.., 1)),
    ("vector_norm",  |x| x.vector_norm(2.5, ..)),
    ("cummax",       |x| x.cummax(-1).square()),
    ("cummin",       |x| x.cummin(-1).square()),
    ("roll",         |x| x.roll(-1, 1) * x),
    ("repeat",       |x| x.repeat(-1, 2).square()),
    ("outer",        |x| x.outer(x.square())),
    ("diag",         |x| x.diag(1).square()),
    ("prod",         |x| x.prod(-1)),
    ("cumprod",      |x| x.cumprod(-1)),
    ("logsumexp",    |x| x.logsumexp(-1)),
    ("softmax",      |x| x.softmax(-1)),
    ("log_softmax",  |x| x.log_softmax(-1)),
];

/// The sample cases of all compositions, by name: what the primitives' rules give together.
pub fn compositions() -> Vec<(&'static str, Vec<Sample>)> {
    let mut all = Vec::new();
    for (name, f, range) in ELEMENTWISE {
        let shapes: [&[usize]; 5] = [&[], &[3], &[2, 3], &[0], &[1]];
        let sample = |s: &[usize]| {
            let f = *f;
            Sample::new(&format!("{name} of {s:?}"), &[s], range.clone(), move |x| f(x[0]))
        };
        all.push((*name, shapes.map(sample).into()));
    }
    for (name, f) in ALONG {
        let shapes: [&[usize]; 4] = [&[4], &[2, 3], &[1], &[0, 2]];
        let sample = |s: &[usize]| {
            let f = *f;
            Sample::new(&format!("{name} of {s:?}"), &[s], 0.2..2.0, move |x| f(x[0]))
        };
        // The root of a sum over nothing has no derivative.
        let rooted = name.contains("norm") || name.starts_with("std");
        // That of a deviation has none where there is one number, either.
        let deviates = name.contains("std") || *name == "var_corrected";
        let several = |s: &[usize]| s.len() == 2 && s[0] == 2 || s[0] == 4;
        let fits = |s: &&[usize]| if deviates { several(s) } else { !(rooted && s.contains(&0)) };
        all.push((*name, shapes.iter().copied().filter(fits).map(sample).collect()));
    }
    let matrix = |name: &str, f: Function| -> Vec<Sample> {
        let shapes: [&[usize]; 4] = [&[3, 3], &[1, 1], &[2, 2, 2], &[0, 2, 2]];
        let sample = |s: &[usize]| {
            Sample::new(&format!("{name} of {s:?}"), &[s], -2.0..2.0, move |x| f(x[0]).square())
        };
        shapes.map(sample).into()
    };
    all.push(("tril", matrix("tril", |x| x.tril(0))));
    all.push(("triu", matrix("triu", |x| x.triu(-1))));
    all.push(("diagonal", matrix("diagonal", |x| x.diagonal())));
    all.push(("trace", matrix("trace", |x| x.trace())));
    all.push(("diagonal_at", matrix("diagonal_at", |x| x.diagonal_at(-1))));
    all.push(("matrix_power", matrix("matrix_power", |x| x.matrix_power(3))));
    all.push(("expm", matrix("expm", |x| x.expm())));
    all.push(("matrix_norm", matrix("matrix_norm", |x| x.matrix_norm(MatrixNorm::Frobenius))));
    all.push(("tile", matrix("tile", |x| x.sum(0).tile(vec![2; x.rank() - 1]))));
    all.extend(systems());
    let product = |spec: &'static str, s: &[&[usize]]| {
        Sample::new(&format!("einsum {spec}"), s, -2.0..2.0, move |x| x[0].graph().einsum(spec, x).square())
    };
    all.push((
        "einsum",
        vec![
            product("i,i->", &[&[3], &[3]]),
            product("ij,jk->ik", &[&[2, 3], &[3, 2]]),
            product("...ij,jk->...ik", &[&[2, 2, 3], &[3, 2]]),
            product("ii->i", &[&[3, 3]]),
            product("ij,jk,kl->li", &[&[1, 2], &[2, 3], &[3, 2]]),
            product("ij,jk->ik", &[&[0, 3], &[3, 2]]),
        ],
    ));
    all.extend(sliding());
    all
}

/// What is made of decompositions.
fn systems() -> Vec<(&'static str, Vec<Sample>)> {
    // Of full rank: the diagonal is great.
    fn full(x: Var<'_>) -> Var<'_> {
        let (m, n) = (x.dim(-2), x.dim(-1));
        x + x.graph().eye([m, n], 0) * (x.graph().iota([m, n], 0).real() * 3.0 + 4.0)
    }
    let shapes: [&[usize]; 4] = [&[3, 2], &[2, 3], &[1, 1], &[2, 2, 2]];
    let of = |name: &str, f: Function| -> Vec<Sample> {
        let sample = |s: &[usize]| {
            Sample::new(&format!("{name} of {s:?}"), &[s], -1.0..1.0, move |x| f(full(x[0])).square())
        };
        shapes.map(sample).into()
    };
    let unit = Triangular { upper: true, unit: true, right: true, ..Triangular::default() };
    let triangular =
        Sample::new("solve_triangular from the right", &[&[2, 2], &[3, 2]], -1.0..1.0, move |x| {
            x[0].solve_triangular(x[1], unit).square()
        });
    vec![
        ("pinv", of("pinv", |x| x.pinv(1e-10))),
        ("lstsq", of("lstsq", |x| x.lstsq(x.square()))),
        ("singular_values", of("singular_values", |x| x.singular_values())),
        ("nuclear norm", of("nuclear norm", |x| x.matrix_norm(MatrixNorm::Nuclear))),
        ("spectral norm", of("spectral norm", |x| x.matrix_norm(MatrixNorm::Spectral))),
        ("solve_triangular", vec![triangular]),
    ]
}

/// Convolutions, pooling, resizing, padding.
fn sliding() -> Vec<(&'static str, Vec<Sample>)> {
    let conv = |name: &str, s: [&[usize]; 2], groups: usize, slide: Slide| {
        Sample::new(name, &s, -2.0..2.0, move |x| x[0].grouped_conv(x[1], groups, &slide).square())
    };
    let back = |name: &str, s: [&[usize]; 2], groups: usize, slide: Slide, more: usize| {
        Sample::new(name, &s, -2.0..2.0, move |x| x[0].conv_transpose(x[1], groups, &slide, more).square())
    };
    let of = |name: &str, s: &[usize], f: for<'g> fn(Var<'g>) -> Var<'g>| {
        Sample::new(name, &[s], -2.0..2.0, move |x| f(x[0]).square())
    };
    let slide = Slide::new;
    vec![
        (
            "conv",
            vec![
                conv("conv (2, 2, 4) with (3, 2, 2)", [&[2, 2, 4], &[3, 2, 2]], 1, slide()),
                conv(
                    "conv (1, 2, 4, 3) with (2, 2, 2, 2), stride 2, padding 1",
                    [&[1, 2, 4, 3], &[2, 2, 2, 2]],
                    1,
                    slide().stride(2).padding(1),
                ),
                conv(
                    "conv (1, 1, 5) with (1, 1, 2), dilated",
                    [&[1, 1, 5], &[1, 1, 2]],
                    1,
                    slide().dilation(2),
                ),
                conv(
                    "conv same (1, 1, 3, 3) with (1, 1, 2, 2)",
                    [&[1, 1, 3, 3], &[1, 1, 2, 2]],
                    1,
                    slide().padding(Padding::Same),
                ),
                conv("conv in groups (1, 4, 3) with (2, 2, 2)", [&[1, 4, 3], &[2, 2, 2]], 2, slide()),
                conv(
                    "conv depthwise (1, 2, 3) with (4, 1, 2)",
                    [&[1, 2, 3], &[4, 1, 2]],
                    2,
                    slide().padding([(1, 0)]),
                ),
                conv("conv of no examples (0, 1, 3) with (1, 1, 2)", [&[0, 1, 3], &[1, 1, 2]], 1, slide()),
                conv(
                    "conv of three axes (1, 2, 2, 2, 3) with (1, 2, 1, 2, 2)",
                    [&[1, 2, 2, 2, 3], &[1, 2, 1, 2, 2]],
                    1,
                    slide(),
                ),
            ],
        ),
        (
            "conv_transpose",
            vec![
                back("conv_transpose (1, 2, 2) with (2, 1, 3)", [&[1, 2, 2], &[2, 1, 3]], 1, slide(), 0),
                back(
                    "conv_transpose (1, 1, 2, 2) with (1, 2, 2, 2), stride 2",
                    [&[1, 1, 2, 2], &[1, 2, 2, 2]],
                    1,
                    slide().stride(2).padding(1),
                    1,
                ),
                back(
                    "conv_transpose in groups (1, 2, 3) with (2, 1, 2)",
                    [&[1, 2, 3], &[2, 1, 2]],
                    2,
                    slide().dilation(2),
                    0,
                ),
            ],
        ),
        (
            "max_pool",
            vec![
                of("max_pool 2 of (1, 4)", &[1, 4], |x| x.max_pool([2], &Slide::new())),
                of("max_pool 2 by 1, padded, of (3, 3)", &[3, 3], |x| {
                    x.max_pool([2, 2], &Slide::new().stride(1).padding(1))
                }),
            ],
        ),
        (
            "avg_pool",
            vec![
                of("avg_pool 2 of (1, 4)", &[1, 4], |x| x.avg_pool([2], &Slide::new(), true)),
                of("avg_pool 2, padding left out, of (3, 3)", &[3, 3], |x| {
                    x.avg_pool([2, 2], &Slide::new().stride(1).padding(1), false)
                }),
            ],
        ),
        ("lp_pool", vec![of("lp_pool 2 of (1, 4)", &[1, 4], |x| x.lp_pool(2.0, [2], &Slide::new()))]),
        (
            "adaptive_avg_pool",
            vec![of("adaptive_avg_pool of (5, 3) to (2, 2)", &[5, 3], |x| x.adaptive_avg_pool([2, 2]))],
        ),
        (
            "adaptive_max_pool",
            vec![of("adaptive_max_pool of (2, 5) to 3", &[2, 5], |x| x.adaptive_max_pool([3]))],
        ),
        (
            "resize",
            vec![
                of("resize (2, 3) to (3, 4)", &[2, 3], |x| x.resize([3, 4], Resize::LINEAR)),
                of("resize (1, 5) to 2, smoothed", &[1, 5], |x| {
                    x.resize([2], Resize::Linear { align_corners: false, antialias: true })
                }),
                of("resize (3,) to 7, nearest", &[3], |x| x.resize([7], Resize::Nearest)),
            ],
        ),
        (
            "pad_with",
            vec![
                of("pad_with reflect of (3,)", &[3], |x| x.pad_with(0, 2, 1, Around::Reflect)),
                of("pad_with circular of (2, 3)", &[2, 3], |x| x.pad_with(1, 1, 4, Around::Circular)),
                of("pad_with 2 of (2, 2)", &[2, 2], |x| x.pad_with(0, 1, 0, Around::Constant(2.0))),
            ],
        ),
    ]
}
