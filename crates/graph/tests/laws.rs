//! Transforms within transforms: a formula dressed up by transforms that change nothing has the derivatives of the plain
//! one, in all modes and for many examples at once.

use chainrule_graph::{
    Graph, Keep, Result, Scan, Var, WhileLoop, cond, hessian, hvp, jacobian, jvp, vjp, vmap,
};
use proptest::prelude::*;

use crate::rules::draw;
use crate::transforms::{close, same_derivatives, value};

/// A step from values of shape (3,): `x`, the latest, and `o`, any before. `pool` are all values so far.
type Step = for<'g> fn(x: Var<'g>, o: Var<'g>, pool: &[Var<'g>]) -> Var<'g>;

/// Ways to say a thing that the first way says plainly.
const SAYINGS: &[&[Step]] = &[
    &[
        |x, o, _| (x * o.cos()).tanh(),
        |x, o, _| (x * o.cos()).tanh().checkpoint(&[x]),
        |x, o, _| (x * o.cos()).tanh().checkpoint(&[o]),
        |x, o, _| (x * o.cos()).tanh().checkpoint(&[x, o]),
        |x, o, _| (x * o.cos()).tanh().checkpoint(&[]),
        |x, o, pool| (x * o.cos()).checkpoint(pool).tanh().checkpoint(&pool[..1]),
        |x, o, _| {
            x.graph().custom_vjp(
                "product",
                &[x, o],
                |x| (x[0] * x[1].cos()).tanh(),
                |x, y, ct| {
                    let inner = ct * (1.0 - y * y);
                    vec![inner * x[1].cos(), -inner * x[0] * x[1].sin()]
                },
            )
        },
        |x, o, _| {
            x.graph().custom_jvp(
                "product",
                &[x, o],
                |x| (x[0] * x[1].cos()).tanh(),
                |x, y, t| (t[0] * x[1].cos() - t[1] * x[0] * x[1].sin()) * (1.0 - y * y),
            )
        },
        |x, o, _| each(&[x, o], |e| Ok(vec![(e[0] * e[1].cos()).tanh()])),
        |x, o, _| {
            each(&[x, o], |e| Ok(vec![(e[0] * e[1].cos()).checkpoint(&e[1..]).tanh().checkpoint(&e[..1])]))
        },
        |x, o, _| once(x, Keep::All, |x| (x * o.cos()).tanh()),
        |x, o, _| once(x, Keep::SquareRoot, |x| (x * o.cos()).checkpoint(&[o]).tanh()),
        |x, o, _| once(x, Keep::All, |x| chosen(x, |x| as_long(x, |x| (x * o.cos()).tanh()))),
        |x, o, _| as_long(x, |x| once(x, Keep::Every(1), |x| chosen(x, |x| (x * o.cos()).tanh()))),
        |x, o, _| chosen(x, |x| rows(&[x, o], |e| Ok((e[0] * e[1].cos()).tanh()))).checkpoint(&[x, o]),
        |x, o, _| rows(&[o, x], |e| Ok((e[1] * e[0].cos()).checkpoint(e).tanh().checkpoint(&e[..1]))),
        |x, o, _| {
            each(&[x, o], |e| Ok(vec![once(e[0], Keep::All, |x| chosen(x, |x| (x * e[1].cos()).tanh()))]))
        },
        |x, o, _| {
            let all =
                rows(&[x.insert_axis(0)], |e| Ok(each(&[e[0], o], |e| Ok(vec![(e[0] * e[1].cos()).tanh()]))));
            all.sum(0)
        },
        |x, o, _| {
            once(x, Keep::All, |x| {
                x.graph().custom_vjp(
                    "product",
                    &[x, o],
                    |v| once(v[0] * v[1].cos(), Keep::All, |x| x.tanh()),
                    |v, y, ct| {
                        let inner = ct * (1.0 - y * y);
                        vec![inner * v[1].cos(), -inner * v[0] * v[1].sin()]
                    },
                )
            })
        },
        |x, o, _| {
            once(x, Keep::Every(2), |x| {
                x.graph().custom_jvp(
                    "product",
                    &[x, o],
                    |x| chosen(x[0], |y| (y * x[1].cos()).tanh()),
                    |x, y, t| (t[0] * x[1].cos() - t[1] * x[0] * x[1].sin()) * (1.0 - y * y),
                )
            })
        },
    ],
    &[
        |x, o, _| 0.5 * x * o.square().sum(..) - o,
        |x, o, _| each(&[x, o], |e| Ok(vec![0.5 * e[0] * o.square().sum(..) - e[1]])),
        |x, o, _| {
            each(&[x, o], |e| Ok(vec![(0.5 * e[0] * o.square().sum(..)).checkpoint(&[e[0], o]) - e[1]]))
        },
        |x, o, _| {
            let shared = o.square().sum(..);
            each(&[x], |e| {
                let scaled = e[0].graph().custom_vjp(
                    "scaled",
                    &[shared, e[0]],
                    |x| 0.5 * x[0] * x[1],
                    |x, _, ct| vec![0.5 * ct * x[1], 0.5 * ct * x[0]],
                );
                Ok(vec![scaled])
            }) - o
        },
        |x, o, _| {
            let shared = o.square().sum(..);
            each(&[x], |e| {
                let scaled = e[0].graph().custom_jvp(
                    "scaled",
                    &[shared, e[0]],
                    |x| 0.5 * x[0] * x[1],
                    |x, _, t| 0.5 * (t[0] * x[1] + x[0] * t[1]),
                );
                Ok(vec![scaled.checkpoint(e)])
            }) - o
        },
        |x, o, _| 0.5 * x * squares(o, Keep::All) - o,
        |x, o, _| 0.5 * x * squares(o, Keep::SquareRoot).checkpoint(&[o]) - o,
        |x, o, _| rows(&[x, o], |e| Ok(0.5 * e[0] * squares(o, Keep::Every(2)) - e[1])),
        |x, o, _| each(&[x, o], |e| Ok(vec![0.5 * e[0] * squares(o, Keep::All) - e[1]])),
    ],
    &[
        |x, o, _| x.cos() + 0.1 * o,
        |x, o, _| first(x.sin().sum(..).grad(&[x])) + 0.1 * o,
        |x, o, _| first(jvp(&[x.sin() + o.stop_gradient()], &[x], &[x.like(1.0)])) + 0.1 * o,
        |x, o, _| jacobian(x.sin(), x).expect("a Jacobian").sum(0) + 0.1 * o,
        |x, o, _| first(hessian(-x.cos().sum(..), &[x]).map(|h| vec![h[0][0].sum(1)])) + 0.1 * o,
        |x, o, _| first(hvp(-x.cos().sum(..), &[x], &[x.like(1.0)])) + 0.1 * o,
        |x, o, _| each(&[x], |e| e[0].sin().grad(&[e[0]])) + 0.1 * o,
        |x, o, _| each(&[x], |e| e[0].sin().checkpoint(e).grad(&[e[0]])) + 0.1 * o,
        |x, o, _| first(x.sin().checkpoint(&[x]).sum(..).grad(&[x])).checkpoint(&[x]) + 0.1 * o,
        |x, o, _| rows(&[x], |e| Ok(e[0].sin().grad(e)?[0])) + 0.1 * o,
        |x, o, _| rows(&[x], |e| Ok(jvp(&[e[0].sin()], e, &[e[0].like(1.0)])?[0])) + 0.1 * o,
        |x, o, _| {
            rows(&[x], |e| Ok(vjp(&[e[0].sin()], e, &[e[0].like(1.0)])?[0].expect("connected"))) + 0.1 * o
        },
        |x, o, _| rows(&[x], |e| Ok(hvp(-e[0].cos(), e, &[e[0].like(1.0)])?[0])) + 0.1 * o,
        |x, o, _| once(x, Keep::All, |x| jacobian(x.sin(), x).expect("a Jacobian").sum(0)) + 0.1 * o,
        |x, o, _| {
            let curved = as_long(x, |x| {
                once(x, Keep::SquareRoot, |x| {
                    first(hessian(-x.cos().sum(..), &[x]).map(|h| vec![h[0][0].sum(1)]))
                })
            });
            curved + 0.1 * o
        },
        |x, o, _| first(once(x, Keep::Every(1), |x| x.sin()).sum(..).grad(&[x])) + 0.1 * o,
        |x, o, _| first(rows(&[x], |e| Ok(e[0].sin())).sum(..).grad(&[x])).checkpoint(&[x]) + 0.1 * o,
        |x, o, _| jacobian(rows(&[x], |e| Ok(e[0].sin())), x).expect("a Jacobian").sum(0) + 0.1 * o,
        |x, o, _| first(hvp(-chosen(x, |x| x.cos()).sum(..), &[x], &[x.like(1.0)])) + 0.1 * o,
        |x, o, _| {
            let slope =
                once(x, Keep::All, |x| first(as_long(x, |x| chosen(x, |x| x.sin())).sum(..).grad(&[x])));
            slope + 0.1 * o
        },
        |x, o, _| rows(&[x], |e| Ok(each(&[e[0].insert_axis(0)], |e| e[0].sin().grad(e)).sum(0))) + 0.1 * o,
    ],
];

/// A loop of one step.
fn once<'g>(x: Var<'g>, keep: Keep, f: impl FnOnce(Var<'g>) -> Var<'g>) -> Var<'g> {
    let scan = Scan::new().length(1).keep(keep);
    first(scan.run(&[x], &[], |c, _| Ok((vec![f(c[0])], vec![]))).map(|found| found.0))
}

/// A loop that stops after one step of at most two.
fn as_long<'g>(x: Var<'g>, f: impl FnOnce(Var<'g>) -> Var<'g>) -> Var<'g> {
    let start = [x, x.graph().constant(0_i64)];
    first(WhileLoop::new().most(2).run(&start, |c| c[1].less(1_i64), |c| Ok(vec![f(c[0]), c[1] + 1])))
}

/// The first of two formulas, by a test of the value.
fn chosen<'g>(x: Var<'g>, f: impl FnOnce(Var<'g>) -> Var<'g>) -> Var<'g> {
    first(cond(x.square().sum(..).less(1e9), || Ok(vec![f(x)]), || Ok(vec![x.exp()])))
}

/// What each entry of the leading axis gives, from the last to the first.
fn rows<'g>(x: &[Var<'g>], f: impl FnOnce(&[Var<'g>]) -> Result<Var<'g>>) -> Var<'g> {
    first(Scan::new().reverse(true).run(&[], x, |_, x| Ok((vec![], vec![f(x)?]))).map(|found| found.1))
}

/// The sum of squares, carried.
fn squares<'g>(x: Var<'g>, keep: Keep) -> Var<'g> {
    let start = x.graph().constant(0.0);
    let scan = Scan::new().keep(keep);
    first(scan.run(&[start], &[x], |c, x| Ok((vec![c[0] + x[0].square()], vec![]))).map(|found| found.0))
}

fn each<'g>(x: &[Var<'g>], f: impl FnOnce(&[Var<'g>]) -> Result<Vec<Var<'g>>>) -> Var<'g> {
    first(vmap(x, f))
}

fn first<'g>(found: Result<Vec<Var<'g>>>) -> Var<'g> {
    found.expect("derivatives")[0]
}

/// The loss that `script` tells: which saying, in which way, and of which value before.
fn tell<'g>(leaves: &[Var<'g>], script: &[(usize, usize, usize)], plainly: bool) -> Var<'g> {
    let mut pool = leaves.to_vec();
    for (saying, way, other) in script {
        let ways = SAYINGS[saying % SAYINGS.len()];
        let way = if plainly { 0 } else { way % ways.len() };
        let (x, o) = (pool[pool.len() - 1], pool[other % pool.len()]);
        pool.push(ways[way](x, o, &pool));
    }
    pool.into_iter().map(|x| x.square().sum(..)).reduce(|a, b| a + b).expect("leaves at least")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn dressed_formulas_have_the_derivatives_of_plain_ones(
        script in prop::collection::vec((0_usize..3, 0_usize..64, 0_usize..8), 1..9),
    ) {
        let g = Graph::new();
        let leaf = |name, seed| g.leaf(name, draw(&(-1.0..1.0), &[3], seed));
        let x = [leaf("a", 1), leaf("b", 2)];
        let v = [leaf("v", 3), leaf("w", 4)];
        let (plain, dressed) = (tell(&x, &script, true), tell(&x, &script, false));
        same_derivatives(dressed, plain, &x, &v);
        let both = [plain, dressed].map(|y| {
            let blocks = hessian(y, &x).expect("a Hessian");
            value(blocks[0][0] + blocks[1][1] - blocks[0][1] * blocks[1][0])
        });
        prop_assert!(close(&both[1], &both[0]), "{:?}", both);
        // Per-example gradients, their derivatives, and a third derivative.
        let many = [5, 6].map(|seed| g.leaf("many", draw(&(-1.0..1.0), &[2, 3], seed)));
        let both = [true, false].map(|plainly| {

            let d = vmap(&many, |e| {
                let y = tell(e, &script, plainly);
                Ok([vec![y], y.grad(e)?].concat())
            });
            let d = d.expect("gradients per example");
            let loss = d[0].sum(..) + (d[1] * d[2]).sum(..);
            let more = loss.grad(&many).expect("connected");
            let third = more[0].square().sum(..).grad(&[many[0]]).expect("connected")[0];
            [d[0], d[1], d[2], more[0], more[1], third].map(value)
        });
        for (i, (dressed, plain)) in both[1].iter().zip(&both[0]).enumerate() {
            let scale = plain.iter().fold(1.0_f64, |most, x| most.max(x.abs()));
            let near = dressed.iter().zip(plain).all(|(d, p)| (d - p).abs() <= 1e-11 * scale);
            prop_assert!(near, "{i}: {dressed:?} {plain:?}");
        }
    }
}
