//! Transforms within transforms: a formula dressed up by transforms that change nothing has the derivatives of the plain
//! one, in all modes and for many examples at once.

use chainrule_graph::{Graph, Var, hessian, hvp, jacobian, jvp, vmap};
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
    ],
];

fn each<'g>(x: &[Var<'g>], f: impl FnOnce(&[Var<'g>]) -> chainrule_graph::Result<Vec<Var<'g>>>) -> Var<'g> {
    first(vmap(x, f))
}

fn first<'g>(found: chainrule_graph::Result<Vec<Var<'g>>>) -> Var<'g> {
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
        script in prop::collection::vec((0_usize..3, 0_usize..10, 0_usize..8), 1..9),
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
