//! Loops and choices: a loop gives the bits of its unrolling, in all modes and under every transform.

use chainrule_graph::{
    ErrorKind, Graph, Keep, Optimise, Result, Scan, Var, WhileLoop, call, cond, jvp, scan, vmap, while_loop,
};
use chainrule_tensor::Tensor;
use proptest::prelude::*;

use crate::rules::draw;
use crate::transforms::{close, value};

/// A step of a recurrence: from the carry and a slice, a new carry and a value to stack.
type Step = for<'g> fn(w: Var<'g>, h: Var<'g>, x: Var<'g>) -> (Var<'g>, Var<'g>);

const STEPS: &[Step] = &[
    |w, h, x| {
        let h = (h * w + x).tanh();
        (h, h * x)
    },
    |w, h, x| (h.insert_axis(0).matmul(w.insert_axis(1) * x.insert_axis(0)).tanh().sum(0), h.exp().sum(..)),
    |_, h, x| (h + x, h.square()),
    |w, h, x| {
        let (gate, new) = ((h * w + x).sigmoid(), (h - x * w).tanh());
        (gate * new + (1.0 - gate) * h, gate)
    },
    |w, h, _| ((h * 0.5).sin(), w.cos() + h),
    |w, h, x| {
        let h = (h * x).checkpoint(&[h]).sin().checkpoint(&[h, w]);
        (h, (w * h).sum(..))
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
            let (new, y) = step(w, h, x.slice(0, at..at + 1).sum(0));
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
    h.square().sum(..) + (y * y.cos()).sum(..)
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
            let d = found.iter().zip(&v).map(|(d, v)| (*d * *v).sum(..)).reduce(|a, b| a + b).expect("three");
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
                let mine = all.slice(0, k..k + 1).sum(0);
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

/// √a by Heron's method.
fn root<'g>(a: Var<'g>, start: Var<'g>, most: Option<usize>) -> Result<Var<'g>> {
    let test = |x: &[Var<'g>]| (x[0] * x[0] - a).abs().greater(1e-13);
    let step = |x: &[Var<'g>]| Ok(vec![0.5 * (x[0] + a / x[0])]);
    Ok(match most {
        Some(most) => WhileLoop::new().most(most).run(&[start], test, step)?[0],
        None => while_loop(&[start], test, step)?[0],
    })
}

#[test]
fn a_while_loop_has_all_derivatives() {
    let g = Graph::new();
    let a = g.leaf("a", 3.0);
    let bounded = root(a, g.constant(1.0), Some(40)).expect("a loop");
    let exact = [3.0_f64.sqrt(), 0.5 / 3.0_f64.sqrt(), -0.25 / 3.0_f64.powf(1.5)];
    let first = bounded.grad(&[a]).expect("reverse")[0];
    let second = first.grad(&[a]).expect("reverse over reverse")[0];
    for (found, exact) in [bounded, first, second].into_iter().zip(exact) {
        assert!((value(found)[0] - exact).abs() < 1e-6, "{found:?} {exact}");
    }
    let open = root(a, g.constant(1.0), None).expect("a loop");
    let forward = jvp(&[open], &[a], &[g.constant(1.0)]).expect("forward")[0];
    assert!((value(forward)[0] - exact[1]).abs() < 1e-6);
    let error = open.grad(&[a]).expect_err("no bound");
    assert!(error.to_string().contains("most"), "{error}");
    let short = root(a, g.constant(1e6), Some(3)).expect("a loop").value().expect_err("too few steps");
    assert!(short.to_string().contains('3'), "{short}");
}

#[test]
fn each_example_of_a_while_loop_stops_for_itself() {
    let g = Graph::new();
    let a = g.leaf("a", [1.5, 4.0, 1e6]);
    fn count(a: Var<'_>) -> Result<Vec<Var<'_>>> {
        let zero = a.graph().constant(0_i64);
        Ok(vec![while_loop(&[a, zero], |x| x[0].greater(1.0), |x| Ok(vec![x[0] / 2.0, x[1] + 1]))?[1]])
    }
    let steps = vmap(&[a], |e| count(e[0])).expect("mapped")[0].value().expect("runs");
    assert_eq!(steps, Tensor::from([1_i64, 2, 20]));
    let alike = vmap(&[a], |e| {
        let y = root(e[0], e[0], Some(60))?;
        y.grad(&[e[0]])
    });
    let slopes = value(alike.expect("mapped")[0]);
    assert!(
        slopes.iter().zip([0.5 / 1.5_f64.sqrt(), 0.25, 5e-4]).all(|(s, exact)| (s - exact).abs() < 1e-6),
        "{slopes:?}"
    );
}

#[test]
fn a_choice_runs_one_branch_and_has_its_derivatives() {
    let g = Graph::new();
    let choice = |x: Var<'_>| -> Result<f64> {
        let n = x.graph().constant(Tensor::from([5_i64]));
        let y = cond(
            x.less(0.0),
            || Ok(vec![x.exp() * x]),
            // Would fail if it ran where x < 0.
            || {
                Ok(vec![
                    x.ln()
                        * n.in_range(if x.value()?.item::<f64>()? < 0.0 { 1 } else { 6 }, "n").real().sum(..),
                ])
            },
        )?[0];
        let first = y.grad(&[x])?[0];
        let second = first.grad(&[x])?[0];
        let forward = jvp(&[first], &[x], &[x.graph().constant(1.0)])?[0];
        assert_eq!(value(second), value(forward));
        Ok(value(y)[0] + 10.0 * value(first)[0] + 100.0 * value(second)[0])
    };
    for x in [-0.5_f64, 0.5] {
        let exact = if x < 0.0 {
            let e = x.exp();
            x * e + 10.0 * (1.0 + x) * e + 100.0 * (2.0 + x) * e
        } else {
            5.0 * (x.ln() + 10.0 / x - 100.0 / (x * x))
        };
        let found = choice(g.leaf("x", x)).expect("a choice");
        assert!((found - exact).abs() < 1e-9 * exact.abs(), "{found} {exact}");
    }
    let x = g.leaf("x", [-1.0, 2.0]);
    let mapped = vmap(&[x], |e| {
        let y = cond(e[0].less(0.0), || Ok(vec![e[0].square()]), || Ok(vec![e[0].exp()]))?;
        y[0].grad(&[e[0]])
    });
    assert_eq!(value(mapped.expect("mapped")[0]), [-2.0, 2.0_f64.exp()]);
}

#[test]
fn each_step_draws_its_own_numbers() {
    let g = Graph::new();
    let key = g.constant(Tensor::from([7_i64, 0]));
    let x = g.constant([[0.0; 2]; 3]);
    fn draws<'g>(key: Var<'g>, x: Var<'g>) -> Result<Vec<Var<'g>>> {
        Ok(scan(&[], &[x], |_, x| Ok((vec![], vec![x[0] + key.uniform("noise", [2])])))?.1)
    }
    let alone = value(draws(key, x).expect("a loop")[0]);
    let mut seen = alone.clone();
    seen.sort_by(f64::total_cmp);
    seen.dedup();
    assert_eq!(seen.len(), 6);
    // Step 1 draws what its key alone would.
    let second = g.constant(Tensor::from([7_i64, 0, 1])).uniform("noise", [2]);
    assert_eq!(value(second), alone[2..4]);
    // Nor are the numbers of one step of a training those of another, whose key is (seed, step).
    let of_training = |step: i64| value(draws(g.constant(Tensor::from([7, step])), x).expect("a loop")[0]);
    let mut trained: Vec<f64> = (0..20).flat_map(of_training).collect();
    trained.sort_by(f64::total_cmp);
    trained.dedup();
    assert_eq!(trained.len(), 20 * 6);
    let many = g.constant([[[0.0; 2]; 3]; 2]);
    let mut all = value(vmap(&[many], |e| draws(key, e[0])).expect("mapped")[0]);
    all.sort_by(f64::total_cmp);
    all.dedup();
    assert_eq!(all.len(), 12);
}

#[test]
fn loops_that_cannot_be_are_errors_with_the_line() {
    let g = Graph::new();
    let (h, x) = (g.leaf("h", [1.0, 2.0]), g.leaf("x", [[1.0, 2.0], [3.0, 4.0]]));
    let says = |made: Result<()>, what: &str| {
        let error = made.expect_err(what).to_string();
        assert!(error.contains(what) && error.contains("control.rs"), "{error}");
    };
    says(
        scan(&[h], &[x], |h, _| Ok((vec![h[0].sum(..)], vec![]))).map(drop),
        "carry 0 begins as real(2,) and becomes real()",
    );
    says(scan(&[h], &[x], |_, _| Ok((vec![], vec![]))).map(drop), "0 carries of 1");
    says(
        scan(&[h], &[x, h.insert_axis(0)], |h, _| Ok((h.to_vec(), vec![]))).map(drop),
        "is sliced into 1 steps, the loop has 2",
    );
    says(while_loop(&[h], |h| h[0].greater(0.0), |h| Ok(h.to_vec())).map(drop), "truth");
    says(cond(h.greater(0.0), || Ok(vec![h]), || Ok(vec![h])).map(drop), "truth");
    says(cond(h.sum(..).greater(0.0), || Ok(vec![h]), || Ok(vec![x])).map(drop), "real(2, 2)");
    let n = g.constant(Tensor::from([0_i64, 5, 1]));
    let made = scan(&[], &[n], |_, n| Ok((vec![], vec![n[0].in_range(3, "label")]))).expect("a loop").1[0];
    let error = made.value().expect_err("label 5").to_string();
    assert!(error.contains("label 5") && error.contains("step 1") && error.contains("control.rs"), "{error}");
}

#[test]
fn bad_bodies_are_typed_errors_with_the_users_line() {
    type Made<'g> = (u32, Result<Vec<Var<'g>>>);
    let (g, other) = (Graph::new(), Graph::new());
    let (h, x) = (g.leaf("h", [1.0, 2.0]), g.leaf("x", [[1.0, 2.0], [3.0, 4.0]]));
    let foreign = other.leaf("foreign", [1.0, 2.0]);
    let test = h.sum(..).greater(0.0);
    #[rustfmt::skip] // A call stands on the line that is asked for.
    let kinds: Vec<(Made<'_>, &str)> = vec![
        ((line!(), scan(&[h], &[x], |h, _| Ok((vec![h[0].greater(0.0)], vec![]))).map(|y| y.0)), "becomes truth(2,)"),
        ((line!(), while_loop(&[h], |_| test, |h| Ok(vec![h[0].sum(..)]))), "becomes real()"),
        ((line!(), scan(&[h], &[x], |h, _| Ok((vec![h[0], h[0]], vec![]))).map(|y| y.0)), "2 carries of 1"),
        ((line!(), while_loop(&[h], |_| test, |_| Ok(vec![]))), "0 carries of 1"),
        ((line!(), cond(test, || Ok(vec![h, h]), || Ok(vec![h]))), "one branch gives 2 values, the other 1"),
        ((line!(), cond(test, || Ok(vec![]), || Ok(vec![h]))), "one branch gives 0 values, the other 1"),
        ((line!(), cond(test, || Ok(vec![h]), || Ok(vec![x]))), "is real(2,) or real(2, 2)"),
        ((line!(), cond(test, || Ok(vec![h]), || Ok(vec![h.int()]))), "is real(2,) or int(2,)"),
    ];
    for ((line, made), what) in kinds {
        let error = made.expect_err(what);
        assert!(matches!(error.kind(), ErrorKind::Kind { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(what) && text.contains(&format!("control.rs:{line}")), "{text}");
    }
    // A value of another graph, as what the body is made of or as what it returns.
    #[rustfmt::skip]
    let captured: Vec<Made<'_>> = vec![
        (line!(), scan(&[h], &[x], |h, x| Ok((vec![h[0] * x[0] + foreign], vec![]))).map(|y| y.0)),
        (line!(), scan(&[h], &[x], |h, _| Ok((vec![h[0]], vec![foreign]))).map(|y| y.1)),
        (line!(), while_loop(&[h], |h| (h[0] + foreign).sum(..).less(9.0), |h| Ok(vec![h[0] + 1.0]))),
        (line!(), while_loop(&[h], |h| h[0].sum(..).less(9.0), |h| Ok(vec![h[0] + foreign]))),
        (line!(), cond(test, || Ok(vec![h * foreign]), || Ok(vec![h]))),
        (line!(), cond(test, || Ok(vec![h]), || Ok(vec![foreign]))),
        (line!(), call("f", &[h], |h| Ok(vec![h[0] + foreign]))),
        (line!(), call("f", &[h], |_| Ok(vec![foreign]))),
        (line!(), call("f", &[h, foreign], |h| Ok(vec![h[0]]))),
    ];
    for (line, made) in captured {
        let error = made.expect_err("a value of another graph");
        assert!(matches!(error.kind(), ErrorKind::Graphs { .. }), "{error:?}");
        assert!(error.to_string().contains(&format!("control.rs:{line}")), "{error}");
    }
    // A bound that is reached: only the run knows.
    #[rustfmt::skip]
    let (line, made) = (line!(), WhileLoop::new().most(5).run(&[h], |_| test, |h| Ok(vec![h[0] + 1.0])));
    let error = made.expect("a loop")[0].value().expect_err("it never ends").to_string();
    assert!(
        error.contains("still holds after 5 steps") && error.contains(&format!("control.rs:{line}")),
        "{error}"
    );
}

#[test]
fn bad_bodies_in_bodies_and_calls_are_typed_errors_with_their_own_line() {
    type Made<'g> = (u32, Result<Vec<Var<'g>>>);
    let g = Graph::new();
    let (h, x) = (g.leaf("h", [1.0, 2.0]), g.leaf("x", [[1.0, 2.0], [3.0, 4.0]]));
    let test = h.sum(..).greater(0.0);
    // Each has the line of its own, whatever is kept of the loop.
    let kept = |keep| Scan::new().keep(keep).reverse(true);
    #[rustfmt::skip]
    let nested: Vec<(Made<'_>, &str)> = vec![
        ((line!(), kept(Keep::SquareRoot).run(&[h], &[x], |_, _| Ok((vec![], vec![]))).map(|y| y.0)), "0 carries of 1"),
        ((line!(), kept(Keep::Every(2)).run(&[h], &[x], |h, _| Ok((vec![h[0].int()], vec![]))).map(|y| y.0)), "becomes int(2,)"),
        ((line!(), WhileLoop::new().most(3).run(&[h], |_| test, |h| Ok(vec![h[0]; 3]))), "3 carries of 1"),
        ((line!(), while_loop(&[h, x], |_| test, |h| Ok(vec![h[1], h[0]]))), "carry 0 begins as real(2,) and becomes real(2, 2)"),
        ((line!(), scan(&[h], &[x], |h, _| Ok((cond(test, || Ok(vec![h[0]]), || Ok(vec![]))?, vec![]))).map(|y| y.0)), "the other 0"),
        ((line!(), cond(test, || while_loop(&[h], |_| test, |_| Ok(vec![])), || Ok(vec![h]))), "0 carries of 1"),
        ((line!(), call("f", &[h], |h| Ok(scan(h, &[x], |_, _| Ok((vec![], vec![])))?.0))), "0 carries of 1"),
        ((line!(), call("f", &[], |_| Ok(vec![h]))), "needs an argument"),
    ];
    for ((line, made), what) in nested {
        let error = made.expect_err(what);
        assert!(matches!(error.kind(), ErrorKind::Kind { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(what) && text.contains(&format!("control.rs:{line}")), "{text}");
    }
    // What takes the results of a call says how many it needs: here a carry of two values, of which the call makes one.
    let line = line!() + 1;
    let made = scan(&[h, h], &[], |h, _| Ok((call("f", h, |h| Ok(vec![h[0] * h[1]]))?, vec![])));
    let text = made.map(drop).expect_err("nothing says how long").to_string();
    assert!(
        text.contains("nothing says how many steps") && text.contains(&format!("control.rs:{line}")),
        "{text}"
    );
    let line = line!() + 1;
    let made = scan(&[h, h], &[x], |h, _| Ok((call("f", h, |h| Ok(vec![h[0] * h[1]]))?, vec![])));
    let text = made.map(drop).expect_err("one of two").to_string();
    assert!(text.contains("1 carries of 2") && text.contains(&format!("control.rs:{line}")), "{text}");
    // A formula that gives nothing is none that fails.
    assert_eq!(call("f", &[h], |_| Ok(vec![])).expect("nothing").len(), 0);
    // What is broken inside is told as what it is.
    #[rustfmt::skip]
    let broken: Vec<Made<'_>> = vec![
        (line!(), scan(&[h], &[x], |h, x| Ok((vec![h[0] + x[0].reshape([3])], vec![]))).map(|y| y.0)),
        (line!(), while_loop(&[h], |h| h[0].reshape([3]).sum(..).less(9.0), |h| Ok(h.to_vec()))),
        (line!(), cond(test, || Ok(vec![h.reshape([3])]), || Ok(vec![h]))),
        (line!(), call("f", &[h], |h| Ok(vec![h[0].reshape([3])]))),
    ];
    for (line, made) in broken {
        let error = made.expect_err("two are no three");
        assert!(matches!(error.kind(), ErrorKind::Tensor(_)), "{error:?}");
        assert!(error.to_string().contains(&format!("control.rs:{line}")), "{error}");
    }
}

#[test]
fn what_happens_inside_is_told_with_line_and_step() {
    let g = Graph::new();
    let (x, h) = (g.leaf("x", [[0.5], [0.2], [-1.0], [2.0]]), g.leaf("h", [1.0]));
    let (last, all) = scan(&[h], &[x], |h, x| {
        let y = x[0].ln() * h[0];
        Ok((vec![y.sin()], vec![y]))
    })
    .expect("a loop");
    let loss = last[0].sum(..) + all[0].sum(..);
    let d = loss.grad(&[x, h]).expect("a gradient");
    for wanted in [&[loss][..], &d] {
        let error = g.compiler(&[], wanted).anomaly(true).build().expect("a plan").run(&[]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("[ln] makes NaN") && text.contains("in step 2 (the first is 0) of the scan"),
            "{text}"
        );
        assert!(!text.contains("crates/graph/src"), "no line is the library's: {text}");
    }
    let dump = g.to_string();
    assert!(dump.contains("\n    %2 = ln %1 : real(1,)"), "{dump}");
    assert!(!dump.contains("crates/graph/src"), "{dump}");
    let saved = g.saved_for_backward(&d, chainrule_graph::Precision::F64).expect("a list");
    let kept: Vec<&str> = saved.values.iter().map(|v| v.op.as_str()).collect();
    assert!(saved.bytes() == 3 * 32 && kept.contains(&"ln") && kept.contains(&"cos"), "{saved}");
}

#[test]
fn a_loop_stores_nothing_that_is_cheaply_made_of_what_it_stores_besides() {
    let g = Graph::new();
    let (x, w, h) = (g.leaf("x", [[0.5], [0.2], [1.0], [-0.3]]), g.leaf("w", [0.3]), g.leaf("h", [1.0]));
    let (last, _) = scan(&[h], &[x], |h, x| {
        let (gate, new) = ((h[0] * w + x[0]).sigmoid(), (h[0] - x[0] * w).tanh());
        Ok((vec![gate * new + (1.0 - gate) * h[0]], vec![]))
    })
    .expect("a loop");
    let d = last[0].sum(..).grad(&[x, w]).expect("a gradient");
    let saved = g.saved_for_backward(&d, chainrule_graph::Precision::F64).expect("a list");
    // The gate, the new value and the carry; their differences and the gate's slope are made of these.
    assert_eq!(saved.bytes(), 3 * 4 * 8, "{saved}");
}

#[test]
fn the_loop_of_a_value_and_that_of_its_gradient_are_one() {
    let g = Graph::new();
    let (x, w, h) = (g.leaf("x", [[0.5], [0.2], [1.0]]), g.leaf("w", [0.3]), g.leaf("h", [1.0]));
    let (last, all) = scan(&[h], &[x], |h, x| {
        let h = (h[0] * w + x[0]).tanh();
        Ok((vec![h], vec![h.exp()]))
    })
    .expect("a loop");
    let loss = last[0].sum(..) + all[0].sum(..);
    let d = loss.grad(&[w, h]).expect("a gradient");
    let wanted = [loss, d[0], d[1]];
    let loops = |f: &chainrule_graph::Compiled| f.to_string().matches("= scan(").count();
    let mut merged = g.compile(&[], &wanted).expect("a plan");
    let mut plain = g.compiler(&[], &wanted).optimise(Optimise::NONE).build().expect("a plan");
    assert_eq!((loops(&merged), loops(&plain)), (2, 3));
    assert_eq!(merged.run(&[]).expect("runs"), plain.run(&[]).expect("runs"));
}
