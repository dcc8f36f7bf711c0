//! Rounding to 16 bits: values, derivatives of every order, transforms, plans, policies, memory.

use chainrule_graph::check::Checker;
use chainrule_graph::plan::Plan;
use chainrule_graph::{
    ErrorKind, Graph, Kind, Mixed, Optimise, Precision, Result, Scan, Var, cond, jvp, vjp, vmap,
};
use chainrule_tensor::{DType, Format, Key, Tensor};
use proptest::prelude::*;

use crate::rules::same_bits;

fn drawn(key: u64, shape: &[usize]) -> Tensor {
    Tensor::uniform(Key::new(key), shape, -2.0..2.0, DType::F64).expect("a range")
}

fn value(x: Var<'_>) -> Tensor {
    x.value().expect("a value")
}

#[test]
fn values_and_derivatives_are_rounded_the_same_way() {
    for &format in Format::ALL {
        let g = Graph::new();
        let (x, t) = (g.leaf("x", drawn(1, &[50])), g.constant(drawn(2, &[50])));
        let y = x.round_to(format);
        let by_hand = |x: Var<'_>| value(x).round_to(format).expect("reals");
        assert_eq!(value(y), by_hand(x));
        assert_eq!(value(jvp(&[y], &[x], &[t]).expect("linear")[0]), by_hand(t));
        assert_eq!(value(vjp(&[y], &[x], &[t]).expect("linear")[0].expect("a path")), by_hand(t));
        // d/dx Σ round(x)³ = round(3 round(x)²), and once more.
        let cube = (y * y * y).sum(..);
        let once = cube.grad(&[x]).expect("a path")[0];
        assert_eq!(value(once), by_hand(y * y + (y * y + y * y)));
        let twice = (once * t).sum(..).grad(&[x]).expect("a path")[0];
        let wide = value(6.0 * y * t);
        let apart = value(twice).sub(&wide).and_then(|d| d.abs()).and_then(|d| d.max(..)).expect("reals");
        let digit = if format == Format::Bf16 { 1.0 / 64.0 } else { 1.0 / 512.0 };
        assert!(apart.item::<f64>().expect("one") < 24.0 * digit, "{apart}");
        // Mapped over examples it is what it is for each.
        let rows = g.leaf("rows", drawn(3, &[4, 5]));
        let mapped = vmap(&[rows], |e| Ok(vec![e[0].round_to(format).tanh()])).expect("maps")[0];
        assert_eq!(value(mapped), value(rows.round_to(format).tanh()));
    }
}

#[test]
fn integers_have_no_format() {
    let g = Graph::new();
    let error = g.leaf("n", [1_i64, 2]).round_to(Format::F16).value().expect_err("integers");
    assert!(matches!(error.kind(), ErrorKind::Kind { op: "round_to", .. }), "{error}");
    assert!(
        error.to_string().contains("only reals have formats") && error.to_string().contains("sixteen.rs")
    );
}

/// A network with a loop and a choice, everything in 16 bits.
fn network<'g>(g: &'g Graph, format: Format) -> Result<(Vec<Var<'g>>, Var<'g>)> {
    let x = g.constant(drawn(1, &[6, 5]));
    let w = [g.leaf("w", drawn(2, &[5, 5])), g.leaf("v", drawn(3, &[5, 3]))];
    let loss = g.mixed(&Mixed::new(format), || {
        let h = x.matmul(w[0]).tanh();
        let (last, _) = Scan::new()
            .length(3)
            .run(&[h], &[], |h, _| Ok((vec![(h[0].matmul(w[0]) * 0.3).tanh()], vec![])))?;
        let h = last[0];
        let z = cond(h.sum(..).greater(0.0), || Ok(vec![h.exp()]), || Ok(vec![h.sin()]))?[0];
        Ok(z.matmul(w[1]).softmax(-1))
    })?;
    Ok((w.to_vec(), loss.ln().mean(..)))
}

#[test]
fn the_check_of_a_formula_in_sixteen_bits_is_that_of_the_formula() {
    for &format in Format::ALL {
        let g = Graph::new();
        let (w, loss) = network(&g, format).expect("a formula");
        let report = Checker::default().check(loss, &w).expect("runs");
        assert!(report.is_fine() && report.difference < 1e-7, "{report}");
    }
}

#[test]
fn plans_with_two_byte_buffers_give_the_same_bits_and_are_read_as_they_are_printed() {
    for &format in Format::ALL {
        for precision in [Precision::F32, Precision::F64] {
            let g = Graph::new();
            let (w, loss) = network(&g, format).expect("a formula");
            let mut outputs = loss.grad(&w).expect("a path");
            outputs.push(loss);
            let build = |optimise| {
                g.compiler(&[], &outputs).precision(precision).optimise(optimise).build().expect("plans")
            };
            let run = |optimise| {
                let mut f = build(optimise);
                f.run(&[]).expect("runs");
                f.run(&[]).expect("runs").to_vec()
            };
            let plain = run(Optimise::NONE);
            for optimise in [
                Optimise { reuse: true, ..Optimise::NONE },
                Optimise { fuse: true, ..Optimise::NONE },
                Optimise::ALL,
            ] {
                assert!(same_bits(&plain, &run(optimise)), "{format} in {precision:?} with {optimise:?}");
            }
            let plan = build(Optimise::ALL).plan().clone();
            let text = plan.to_string();
            assert!(
                text.lines().any(|line| line.contains("buffer") && line.ends_with(format.name())),
                "{text}"
            );
            assert!(Plan::parse(&text).expect("a plan") == plan);
        }
    }
}

#[test]
fn what_is_kept_for_the_way_back_takes_half_the_bytes() {
    let bytes = |policy: Option<Mixed>| {
        let g = Graph::new();
        let x = g.input("x", [256, 64], Kind::Real);
        let w: Vec<Var<'_>> = (0..12).map(|i| g.leaf("w", drawn(i, &[64, 64]))).collect();
        let deep = || Ok(w.iter().fold(x, |h, w| h.matmul(*w).sin()));
        let y = match &policy {
            Some(policy) => g.mixed(policy, deep),
            None => deep(),
        };
        let y = y.expect("a formula");
        let outputs = y.square().mean(..).grad(&w).expect("a path");
        g.compiler(&[x], &outputs).precision(Precision::F32).build().expect("plans").bytes()
    };
    let (wide, narrow) = (bytes(None), bytes(Some(Mixed::new(Format::Bf16))));
    assert!((narrow as f64) < 0.72 * wide as f64, "{narrow} bytes in place of {wide}");
}

#[test]
fn a_policy_is_by_operation_and_by_scope() {
    let g = Graph::new();
    let (x, w) = (g.leaf("x", drawn(1, &[3, 4])), g.leaf("w", drawn(2, &[4, 4])));
    let formula = || {
        let inner = {
            let _scope = g.enter("encoder.hidden");
            x.matmul(w).tanh()
        };
        let _scope = g.enter("head");
        Ok(inner.matmul(w))
    };
    let by_op = g.mixed(&Mixed::new(Format::Bf16).ops(["matmul"]), formula).expect("there is one");
    fn r(x: Var<'_>) -> Var<'_> {
        x.round_to(Format::Bf16)
    }
    let by_hand = r(r(r(r(x).matmul(r(w))).tanh()).matmul(r(w)));
    assert_eq!(value(by_op), value(by_hand));
    let in_scope = g.mixed(&Mixed::new(Format::Bf16).ops(["matmul"]).scopes(["encoder"]), formula);
    assert_eq!(value(in_scope.expect("there is one")), value(r(r(x).matmul(r(w))).tanh().matmul(w)));
    // Without a policy nothing is rounded, and what was recorded before stays what it was.
    assert_eq!(value(formula().expect("a formula")), value(x.matmul(w).tanh().matmul(w)));
}

#[test]
fn a_policy_that_names_nothing_is_an_error() {
    let g = Graph::new();
    let x = g.leaf("x", drawn(1, &[3, 3]));
    let formula = || {
        let _scope = g.enter("encoder");
        Ok(x.matmul(x).tanh())
    };
    for (policy, why) in [
        (Mixed::new(Format::F16).ops(["matmul", "matmull"]), "the operation `matmull`"),
        (Mixed::new(Format::F16).ops(["tanh"]).scopes(["decoder"]), "the scope `decoder`"),
    ] {
        let error = g.mixed(&policy, formula).expect_err("nothing of that name");
        assert!(matches!(error.kind(), ErrorKind::Value { op: "mixed", .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(why) && text.contains("sixteen.rs") && text.contains("print the graph"),
            "{text}"
        );
    }
    let error = g.mixed(&Mixed::new(Format::F16).ops(["matmul"]), || Ok(())).expect_err("nothing");
    assert!(error.to_string().contains("nothing was recorded"), "{error}");
    // The formula's own error comes first, and the policy has ended.
    let failed: Result<Var<'_>> = g.mixed(&Mixed::new(Format::F16).ops(["none"]), || {
        let y = x.matmul(g.leaf("w", [1.0])).reshape([7]);
        y.value()?;
        Ok(y)
    });
    assert!(!matches!(failed.expect_err("a shape").kind(), ErrorKind::Value { op: "mixed", .. }));
    assert_eq!(value(x.tanh()), value(x).tanh().expect("reals"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Chains of everything that moves, mixes and computes, rounded here and there.
    #[test]
    fn random_programs_give_the_same_bits_by_all_plans(
        steps in prop::collection::vec((0..8_u8, any::<bool>()), 2..8),
        wide: bool,
        half: bool,
    ) {
        let format = if half { Format::F16 } else { Format::Bf16 };
        let g = Graph::new();
        let x = g.leaf("x", drawn(5, &[6, 8]));
        let rows = g.constant(Tensor::from([3_i64, 0, 5, 5, 1, 2]));
        let mut y = x;
        for (step, rounded) in steps {
            y = match step {
                0 => y.tanh(),
                1 => y.t().matmul(y).slice(0, 0..6) * 0.1,
                2 => y.take(0, rows),
                3 => g.concat(&[y, x], 0).slice(0, 3..9),
                4 => y.softmax(-1),
                5 => y.flip(0) + y,
                6 => y.sort(1, chainrule_graph::Order::Ascending),
                _ => y - y.mean(chainrule_tensor::keep(0)),
            };
            if rounded {
                y = y.round_to(format);
            }
        }
        let mut outputs = vec![y];
        outputs.extend(y.square().sum(..).grad_or_zeros(&[x]).expect("differentiates"));
        let precision = if wide { Precision::F64 } else { Precision::F32 };
        let run = |optimise| {
            let mut f = g.compiler(&[], &outputs).precision(precision).optimise(optimise).build().expect("plans");
            f.run(&[]).expect("runs");
            f.run(&[]).expect("runs").to_vec()
        };
        let plain = run(Optimise::NONE);
        prop_assert!(same_bits(&plain, &run(Optimise::ALL)));
        let reused = run(Optimise { fold: false, fuse: false, reuse: true });
        prop_assert!(same_bits(&plain, &reused));
    }
}
