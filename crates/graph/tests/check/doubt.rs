//! Where differences of the loss cannot tell: kinks, rounding, functions that vary too fast, edges of domains.

use chainrule_graph::check::{self, Checker, Fault, Hypothesis, Kink, Report, Side, Verdict};
use chainrule_graph::{Graph, Var};
use chainrule_tensor::{DType, Tensor};

use crate::rules::draw;

/// sin with the wrong sign in its rule.
fn bad_sin(x: Var<'_>) -> Var<'_> {
    x.graph().custom_vjp("bad", &[x], |x| x[0].sin(), |x, _, ct| vec![-ct * x[0].cos()])
}

fn checked(loss: Var<'_>, parameters: &[Var<'_>]) -> Report {
    check::gradients(loss, parameters).expect("a check")
}

/// The report blames nothing but `op`.
fn blames(report: &Report, op: &str) {
    assert!(report.verdict().is_wrong(), "{report}");
    assert!(!report.culprits.is_empty() && report.culprits.iter().all(|c| c.op == op), "{report}");
}

#[test]
fn a_wrong_rule_does_not_hide_behind_a_kink() {
    let g = Graph::new();
    let b = g.leaf("b", 0.0);
    let z = g.custom_vjp("double", &[b], |x| x[0] * 2.0, |_, _, ct| vec![ct]);
    let report = checked(z.relu(), &[b]);
    blames(&report, "double");
    assert_eq!(report.verdict(), &Verdict::Wrong(Fault::Operation), "{report}");
    let (b, x) = (g.leaf("b", [0.0, 0.0]), g.constant(Tensor::zeros([5, 2], DType::F64)));
    let z = g.custom_vjp("bias", &[x, b], |x| x[0] + x[1], |_, _, ct| vec![ct, ct.mean(0)]);
    blames(&checked(z.relu().sum(..), &[b]), "bias");
}

#[test]
fn a_wrong_rule_does_not_hide_behind_greater_gradients() {
    let g = Graph::new();
    let (x, y) = (g.leaf("x", 0.3), g.leaf("y", 0.7));
    blames(&checked(1e8 * x.sin() + 1e-8 * bad_sin(y), &[x, y]), "bad");
    let right = checked(1e8 * x.sin() + 1e-8 * y.sin(), &[x, y]);
    assert!(right.culprits.is_empty() && !right.verdict().is_wrong(), "{right}");
    let x = g.leaf("x", [0.3, 0.7, 0.5]);
    let scale = g.constant([1.0, 1.0, 1e8]);
    blames(&checked((bad_sin(x) * scale).sum(..), &[x]), "bad");
    let partly =
        g.custom_vjp("partly", &[x], |x| x[0].sin(), |x, _, ct| vec![ct * x[0].cos() * g_sign(x[0])]);
    blames(&checked((partly * scale).sum(..), &[x]), "partly");
}

/// −1 for the first of three, else 1.
fn g_sign(x: Var<'_>) -> Var<'_> {
    x.graph().constant([-1.0, 1.0, 1.0])
}

#[test]
fn sizes_of_all_orders_do_not_overflow_the_measure() {
    let g = Graph::new();
    let k = g.leaf("k", [0.3, 0.7]);
    blames(&checked(bad_sin(k).sum(..) * 1e160, &[k]), "bad");
    let report = checked(k.sin().sum(..) * 1e160, &[k]);
    assert!(report.is_fine() && report.difference < 1e-9, "{report}");
    let report = checked(k.sin().sum(..) * 1e-200, &[k]);
    assert!(report.is_fine() && report.difference < 1e-9, "{report}");
}

#[test]
fn what_gives_no_number_is_no_pass() {
    let g = Graph::new();
    let k = g.leaf("k", [1.0, f64::INFINITY]);
    let report = checked(k.tanh().sum(..), &[k]);
    assert!(matches!(report.verdict(), Verdict::NoiseFloor { .. }), "{report}");
    assert!(report.to_string().contains("differences settle at no step"), "{report}");
    let x = g.leaf("x", [0.3, 0.7]);
    for step in [0.0, f64::NAN, f64::INFINITY] {
        let error = Checker::default().step(step).check(x.sin().sum(..), &[x]).expect_err("no step");
        assert!(error.to_string().contains("the step must be a positive number"), "{error}");
    }
    let error = check::gradients(x.sin().sum(..), &[x, x]).expect_err("twice");
    assert!(error.to_string().contains("listed twice"), "{error}");
}

#[test]
fn several_kinks_at_one_point_are_told_as_such_and_do_not_count() {
    let g = Graph::new();
    let a = g.leaf("a", 0.0);
    let report = checked(a.relu() - 3.0 * (-a).relu(), &[a]);
    let Verdict::Kink(kink @ Kink { .. }) = report.verdict() else { panic!("{report}") };
    assert_eq!((kink.side(), kink.recorded), (Side::Neither, 4.0), "{report}");
    assert!(report.is_fine() && report.difference == 0.0, "{report}");
    assert!(report.to_string().contains("of which several have a kink here"), "{report}");
}

#[test]
fn steep_and_fast_functions_are_not_called_wrong() {
    type Row = (&'static str, for<'g> fn(Var<'g>) -> Var<'g>, &'static [f64]);
    let rows: [Row; 14] = [
        ("1/x", |x| 1.0 / x, &[1e-6]),
        ("1/x", |x| 1.0 / x, &[1e-7]),
        ("1/x", |x| 1.0 / x, &[1e-9, 1.0]),
        ("saturation", |x| x / (x + 1e-8), &[1e-8]),
        ("unit vector", |x| x / x.norm(), &[1e-7, 2e-7]),
        ("sqrt", |x| x.sqrt(), &[1e-10, 1.0]),
        ("ln", |x| x.ln(), &[1e-7]),
        ("fast sine", |x| (x * 1e7).sin(), &[0.3]),
        ("sine far out", |x| x.sin(), &[1e7]),
        ("sine further out", |x| x.sin(), &[1e10]),
        ("cosine of a great number", |x| x.cos() + x, &[1e9]),
        ("chaos", |x| (0..20).fold(x, |h, _| (3.3 * h).sin()), &[0.3]),
        ("more chaos", |x| (0..60).fold(x, |h, _| (3.3 * h).sin()), &[0.3]),
        ("cubes at 0", |x| 1e4 * x.pow(3.0), &[0.0, 1.0]),
    ];
    for (name, formula, at) in rows {
        let g = Graph::new();
        let x = g.leaf("x", Tensor::from(at.to_vec()));
        let report = checked(formula(x).sum(..), &[x]);
        let verdict = report.verdict();
        assert!(matches!(verdict, Verdict::Pass | Verdict::NoiseFloor { .. }), "{name} at {at:?}\n{report}");
        assert!(report.culprits.is_empty(), "{name} at {at:?}\n{report}");
        // With a fault that is still seen wherever differences can tell.
        let z = bad_sin(0.1 * formula(x));
        let report = checked(z.sum(..), &[x]);
        assert!(report.culprits.iter().all(|c| c.op == "bad"), "{name} at {at:?}\n{report}");
    }
}

#[test]
fn at_the_edge_of_a_domain_steps_stay_inside() {
    let g = Graph::new();
    let a = g.leaf("a", [[1.0, 0.999], [0.999, 1.0]]);
    let report = checked(a.cholesky().sum(..), &[a]);
    assert!(!report.verdict().is_wrong(), "{report}");
    let a = g.leaf("a", [[1.0, 1.0], [1.0, 1.0 + 1e-6]]);
    let report = checked(a.solve(g.constant([[1.0], [2.0]])).sum(..), &[a]);
    assert!(!report.verdict().is_wrong(), "{report}");
}

#[test]
fn a_factor_of_a_thousandth_has_a_culprit() {
    let g = Graph::new();
    let x = g.leaf("x", [[0.3, 0.7, -0.4], [1.3, -0.2, 0.1]]);
    let y = g.custom_vjp("near", &[x], |x| x[0].sin(), |x, _, ct| vec![x[0].cos() * ct * 1.001]);
    let report = checked(y.sum(..), &[x]);
    blames(&report, "near");
    let Hypothesis::Factor { factor, .. } = report.culprits[0].hypothesis else { panic!("{report}") };
    assert!((factor - 1.001).abs() < 1e-6, "{report}");
}

#[test]
fn one_value_as_two_operands_is_told_as_such() {
    let g = Graph::new();
    let x = g.leaf("x", [0.3, 0.7]);
    let y = g.custom_vjp("mul", &[x, x], |x| x[0] * x[1], |x, _, ct| vec![x[1] * ct, -x[0] * ct]);
    let report = checked(y.sum(..), &[x]);
    blames(&report, "mul");
    assert_eq!(report.culprits[0].also, [1]);
    assert!(report.to_string().contains("by its operand 0 and 1, the same value"), "{report}");
}

#[test]
fn a_value_that_is_not_finite_is_named_not_its_user() {
    let g = Graph::new();
    let k = g.leaf("k", [0.3, 0.7]);
    let report = checked((g.constant([1.0, f64::NAN]) * k).sum(..), &[k]);
    let Hypothesis::Given { index, value } = &report.culprits[0].hypothesis else { panic!("{report}") };
    assert!(index[..] == [1] && value.is_nan(), "{report}");
    assert!(report.to_string().contains("not finite: [mul]"), "{report}");
}

#[test]
fn a_rule_that_forgets_its_cotangent_is_told_as_such() {
    let g = Graph::new();
    for n in [1, 3, 40] {
        let x = g.leaf("x", Tensor::from((0..n).map(|i| 0.1 + 0.05 * f64::from(i)).collect::<Vec<f64>>()));
        let y = g.custom_vjp("loss", &[x], |x| x[0].square().sum(..), |x, _, _| vec![2.0 * x[0]]);
        let report = checked(3.0 * y, &[x]);
        blames(&report, "loss");
        assert_eq!(report.culprits[0].hypothesis, Hypothesis::Cotangent, "{report}");
    }
}

#[test]
fn a_loss_that_is_exactly_least_is_not_called_wrong() {
    for k in 1..200 {
        let a = 0.0137 * f64::from(k);
        let g = Graph::new();
        let w = g.leaf("w", a);
        let t = g.constant(a.sin());
        let q = g.leaf("q", [0.6 * a, 0.8 * a, 0.3]);
        let tanh = q.value().expect("a value");
        let target = g.constant(tanh).tanh();
        for (loss, x) in [
            ((w * 1.7 - a * 1.7).square(), w),
            ((w.sin() - t).square(), w),
            ((q.tanh() - target).square().sum(..), q),
            ((q.slice(0, 0..2).square().sum(..) - a * a).square(), q),
        ] {
            for checker in [Checker::default(), Checker::default().order(2), Checker::default().directions(3)]
            {
                let report = checker.check(loss, &[x]).expect("a loss");
                assert!(report.parameters.iter().all(|p| !p.verdict.is_wrong()), "{a}\n{report}");
                assert!(!matches!(report.verdict(), Verdict::Kink(_)), "{a}\n{report}");
            }
        }
    }
    let g = Graph::new();
    let x = g.leaf("x", draw(&(-1.0..1.0), &[6, 4], 1));
    let w = g.leaf("w", draw(&(-1.0..1.0), &[4, 2], 2));
    let y = g.constant(x.matmul(w).value().expect("a value"));
    let report = checked((x.matmul(w) - y).square().mean(..), &[w, x]);
    assert!(report.parameters.iter().all(|p| !p.verdict.is_wrong()), "{report}");
    // With a fault it is seen as soon as the loss has any slope.
    let report = checked((bad_sin(w) - w.sin() + 0.1).square().mean(..), &[w]);
    assert!(report.verdict().is_wrong(), "{report}");
}

#[test]
fn a_saturated_softmax_is_no_fault_of_its_own() {
    for top in [20.0, 30.0, 34.0, 36.0, 38.0, 40.0, 100.0, 800.0] {
        let g = Graph::new();
        let x = g.leaf("x", [top, 0.0]);
        let report = checked(-x.softmax(0).slice(0, 0..1).sum(..).ln(), &[x]);
        assert!(!report.verdict().is_wrong() && report.culprits.is_empty(), "{top}\n{report}");
    }
    let g = Graph::new();
    let x = g.leaf("x", [40.0, 0.0]);
    let text = checked(-x.softmax(0).slice(0, 0..1).sum(..).ln(), &[x]).to_string();
    assert!(text.contains("the loss does not change at any step"), "{text}");
}

#[test]
fn one_wrong_element_of_many_has_a_culprit() {
    let g = Graph::new();
    for (size, at) in [(1000, 334), (1000, 999), (1024, 5), (257, 256)] {
        let w = g.leaf("w", draw(&(-1.0..1.0), &[size], 1));
        let y = g.custom_vjp(
            "forgets_one",
            &[w],
            |x| x[0].sin(),
            move |x, _, ct| {
                let d = ct * x[0].cos();
                let parts = [d.slice(0, 0..at), d.slice(0, at..at + 1) * 0.0, d.slice(0, at + 1..size)];
                vec![d.graph().concat(&parts, 0)]
            },
        );
        let report = checked(y.square().sum(..), &[w]);
        let culprit = report.culprits.first().unwrap_or_else(|| panic!("{size}, {at}\n{report}"));
        assert_eq!(
            (&culprit.op[..], culprit.worst.as_ref().map(|w| w.index[0])),
            ("forgets_one", Some(at)),
            "{report}"
        );
    }
}

#[test]
fn a_small_difference_that_is_certain_deserves_a_look() {
    let g = Graph::new();
    let x = g.leaf("x", [0.3, 0.7, -0.4]);
    let y = g.custom_vjp("near", &[x], |x| x[0].sin(), |x, _, ct| vec![x[0].cos() * ct * 1.0001]);
    let report = checked(y.sum(..), &[x]);
    assert!(!report.is_fine() && report.to_string().contains("  look "), "{report}");
}
