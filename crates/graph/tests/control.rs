//! Loops and choices: a loop gives the bits of its unrolling, in all modes and under every transform.

use chainrule_graph::{
    ErrorKind, Graph, Keep, Kind, Precision, Result, Scan, Var, WhileLoop, cond, hvp, jvp, scan, vmap,
    while_loop,
};
use chainrule_tensor::{DType, Tensor};
use proptest::prelude::*;

use crate::rules::draw;
use crate::transforms::{close, same_derivatives, value};

/// A step of a recurrence: from the carry and a slice, a new carry and a value to stack.
type Step = for<'g> fn(w: Var<'g>, h: Var<'g>, x: Var<'g>) -> (Var<'g>, Var<'g>);

const STEPS: &[Step] = &[
    |w, h, x| {
        let h = (h * w + x).tanh();
        (h, h * x)
    },
    |w, h, x| (h.matmul(w.expand(1) * x.expand(0)).tanh(), h.exp().sum(&[])),
    |_, h, x| (h + x, h.square()),
    |w, h, _| ((h * 0.5).sin(), w.cos() + h),
    |w, h, x| {
        let h = (h * x).checkpoint(&[h]).sin().checkpoint(&[h, w]);
        (h, (w * h).sum(&[]))
    },
    |w, h, x| {
        let g = h.graph();
        let y = g.custom_vjp("product", &[h, w], |v| v[0] * v[1], |v, _, ct| vec![ct * v[1], ct * v[0]]);
        let z = g.custom_jvp("sine", &[y], |v| v[0].sin(), |v, _, t| t[0] * v[0].cos());
        (z + x, z)
    },
];

/// The final carry and the stacked values of `length` steps, as one loop or written out.
fn run<'g>(
    step: Step,
    keep: Option<Keep>,
    reverse: bool,
    (w, h, x): (Var<'g>, Var<'g>, Var<'g>),
) -> Result<(Var<'g>, Var<'g>)> {
    let length = x.shape()[0];
    let Some(keep) = keep else {
        let mut h = h;
        let mut all: Vec<Option<Var<'g>>> = vec![None; length];
        for i in 0..length {
            let at = if reverse { length - 1 - i } else { i };
            let (new, y) = step(w, h, x.slice(0, at..at + 1).sum(&[0]));
            (h, all[at]) = (new, Some(y));
        }
        return Ok((h, h.graph().stack(&all.into_iter().flatten().collect::<Vec<_>>(), 0)));
    };
    let (h, y) = Scan::new().reverse(reverse).keep(keep).run(&[h], &[x], |h, x| {
        let (h, y) = step(w, h[0], x[0]);
        Ok((vec![h], vec![y]))
    })?;
    Ok((h[0], y[0]))
}

fn loss<'g>((h, y): (Var<'g>, Var<'g>)) -> Var<'g> {
    h.square().sum(&[]) + (y * y.cos()).sum(&[])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_loop_is_its_unrolling(
        step in 0..STEPS.len(), length in 1_usize..8, reverse: bool, keep in 0_usize..4, seed in 0_u64..99,
    ) {
        let g = Graph::new();
        let leaf = |name, shape: &[usize], s| g.leaf(name, draw(&(-1.0..1.0), shape, seed + s));
        let given = (leaf("w", &[3], 1), leaf("h", &[3], 2), leaf("x", &[length, 3], 3));
        let keep = [Keep::All, Keep::Every(1), Keep::Every(3), Keep::SquareRoot][keep];
        let once = run(STEPS[step], Some(keep), reverse, given).expect("a loop");
        let out = run(STEPS[step], None, reverse, given).expect("no loop");
        // The very bits.
        prop_assert_eq!(once.0.value().expect("runs"), out.0.value().expect("runs"));
        prop_assert_eq!(once.1.value().expect("runs"), out.1.value().expect("runs"));
        let x = [given.0, given.1, given.2];
        let v = x.map(|x| g.constant(draw(&(-1.0..1.0), &x.shape(), 7)));
        let (once, out) = (loss(once), loss(out));
        let all = |y: Var<'_>| {
            let mut found = y.grad_or_zeros(&x).expect("gradients");
            let d = found.iter().zip(&v).map(|(d, v)| (*d * *v).sum(&[])).reduce(|a, b| a + b).expect("three");
            found.extend(jvp(&[y], &x, &v).expect("tangents"));
            found.extend(d.grad_or_zeros(&x).expect("reverse over reverse"));
            found.extend(jvp(&[d], &x, &v).expect("forward over reverse"));
            found.into_iter().map(value).collect::<Vec<_>>()
        };
        for (i, (a, b)) in all(once).iter().zip(all(out)).enumerate() {
            let scale = b.iter().fold(1.0_f64, |most, x| most.max(x.abs()));
            prop_assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-11 * scale), "{i}: {a:?} {b:?}");
        }
    }

    #[test]
    fn a_loop_for_many_examples_is_a_loop_for_each(
        step in 0..STEPS.len(), shared in 0_usize..4, keep in 0_usize..2, seed in 0_u64..99,
    ) {
        let g = Graph::new();
        let leaf = |name, shape: &[usize], s| g.leaf(name, draw(&(-1.0..1.0), shape, seed + s));
        let shapes: [&[usize]; 3] = [&[3], &[3], &[4, 3]];
        let one: Vec<Var<'_>> = (0..3).map(|i| leaf("one", shapes[i], i as u64)).collect();
        let many: Vec<Vec<Var<'_>>> = (0..2).map(|k| (0..3).map(|i| leaf("many", shapes[i], 10 + 3 * k + i as u64)).collect()).collect();
        let mapped: Vec<usize> = (0..3).filter(|i| *i != shared).collect();
        let stacked: Vec<Var<'_>> = mapped.iter().map(|i| g.stack(&[many[0][*i], many[1][*i]], 0)).collect();
        let keep = [Keep::All, Keep::Every(2)][keep];
        let together = vmap(&stacked, |e| Ok(with_gradients(STEPS[step], &one, &mapped, e, Some(keep)))).expect("mapped");
        for (k, many) in many.iter().enumerate() {
            let e: Vec<Var<'_>> = mapped.iter().map(|i| many[*i]).collect();
            for (all, alone) in together.iter().zip(with_gradients(STEPS[step], &one, &mapped, &e, None)) {
                let mine = all.slice(0, k..k + 1).sum(&[0]);
                prop_assert!(close(&value(mine), &value(alone)));
            }
        }
    }
}

/// Results and gradients where `mapped` of the values `one` are replaced.
fn with_gradients<'g>(
    step: Step,
    one: &[Var<'g>],
    mapped: &[usize],
    e: &[Var<'g>],
    keep: Option<Keep>,
) -> Vec<Var<'g>> {
    let mut all = one.to_vec();
    mapped.iter().zip(e).for_each(|(i, e)| all[*i] = *e);
    let y = run(step, keep, false, (all[0], all[1], all[2])).expect("runs");
    let d = loss(y).grad_or_zeros(&all).expect("gradients");
    [vec![y.0, y.1], d].concat()
}
