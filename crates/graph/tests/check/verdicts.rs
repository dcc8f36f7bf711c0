use std::sync::atomic::{AtomicU64, Ordering};

use chainrule_graph::check::{self, Band, Checker, Fault, Hypothesis, Mode, Side, Verdict};
use chainrule_graph::{CustomOp, ErrorKind, Graph, Type, Var};
use chainrule_tensor::{DType, Tensor};

use crate::rules::weighted;

fn verdict_of(loss: Var<'_>, x: Var<'_>) -> Verdict {
    let report = check::gradients(loss, &[x]).expect("a loss to check");
    assert_eq!(report.parameters[0].verdict, *report.verdict());
    report.verdict().clone()
}

#[test]
fn kinks_are_not_faults() {
    let g = Graph::new();
    let x = g.leaf("x", [0.5, 0.0, -1.0]);
    type Formula = for<'g> fn(Var<'g>) -> Var<'g>;
    let cases: [(Formula, [f64; 3], Side); 4] = [
        (|x| x.relu(), [0.0, 1.0, 1.0], Side::Right),
        (|x| x.abs(), [-1.0, 1.0, 0.0], Side::Between),
        (|x| x.maximum(0.0), [0.0, 1.0, 0.5], Side::Between),
        (|x| (-x).relu(), [-1.0, 0.0, -1.0], Side::Left),
    ];
    for (formula, [left, right, recorded], side) in cases {
        let report = check::gradients(formula(x).sum(..), &[x]).expect("a loss");
        let Verdict::Kink(k) = report.verdict() else { panic!("{report}") };
        assert_eq!((&k.index[..], k.count, k.side()), (&[1][..], 1, side), "{report}");
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(near(k.left, left) && near(k.right, right) && near(k.recorded, recorded), "{report}");
        assert!(report.is_fine() && report.to_string().contains("kink at [1]"), "{report}");
        let (_, origin) = k.at.as_ref().expect("one operation");
        assert!(origin.location.file().ends_with("verdicts.rs"), "{report}");
    }
    // A tie of the maximum, deep in a graph.
    let ties = g.leaf("ties", [[1.0, 2.0, 2.0], [0.3, 0.1, 0.2]]);
    let Verdict::Kink(k) = verdict_of(ties.max(1).exp().sum(..), ties) else { panic!("a tie is a kink") };
    assert_eq!((&k.index[..], k.count), (&[0, 1][..], 2));
    // A jump has an infinite slope.
    let half = g.leaf("half", 0.5);
    let Verdict::Kink(k) = verdict_of(half + (half - 0.5).sign(), half) else { panic!("a jump is a kink") };
    assert!(k.left.is_infinite() && k.right.is_infinite());
    // A wrong derivative is wrong even at a kink.
    let z = g.leaf("z", 0.0);
    let y = g.custom_vjp("steep", &[z], |x| x[0].relu(), |_, _, ct| vec![ct * 3.0]);
    assert!(verdict_of(y.exp(), z).is_wrong());
}

#[test]
fn kinks_that_cancel_are_not_faults() {
    // relu(x) − relu(−x) is x, but 2 is recorded at 0: a matter of conventions, with no operation to blame.
    let g = Graph::new();
    let x = g.leaf("x", [0.0, 0.4]);
    let report = check::gradients((x.relu() - (-x).relu()).sum(..), &[x]).expect("a loss");
    let Verdict::Kink(k) = report.verdict() else { panic!("{report}") };
    assert_eq!((&k.index[..], k.recorded), (&[0][..], 2.0), "{report}");
    assert!(report.culprits.is_empty());
}

#[test]
fn rounding_is_told_from_faults() {
    let g = Graph::new();
    let x = g.leaf("x", [0.3, 0.7]);
    let loss = x.sin().sum(..) * 1e-8 + 1e6;
    let report = check::gradients(loss, &[x]).expect("a loss");
    let Verdict::NoiseFloor { noise, error } = report.verdict() else { panic!("{report}") };
    assert!(*noise > 1e-11 && *noise < 1e-8 && *error > 1e-5, "{report}");
    assert_eq!(report.band(), Band::Look);
    // Swallowed whole: no difference is seen at all.
    let loss = (x.sin().sum(..) * 1e-12 + 1e6) - 1e6;
    assert!(matches!(verdict_of(loss, x), Verdict::NoiseFloor { .. }));
    // A bad step of one's own choice is no evidence either.
    let report = Checker::default().step(1e-15).check(x.exp().sum(..), &[x]).expect("a loss");
    assert!(!report.verdict().is_wrong(), "{report}");
    // A gradient that is zero but for rounding is zero.
    let w = g.leaf("w", [1.0, 2.0]);
    let z = x + w.sum(..);
    let loss = ((z - z.mean(..)) * g.constant(Tensor::from([1.0, 3.0]))).tanh().sum(..);
    let report = check::gradients(loss, &[x, w]).expect("a loss");
    assert!(report.is_fine(), "{report}");
}

/// Adds another number at each evaluation.
struct Restless(AtomicU64);

impl CustomOp for Restless {
    fn name(&self) -> &'static str {
        "restless"
    }
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        Ok(args[0].clone())
    }
    fn forward(&self, args: &[Tensor]) -> chainrule_tensor::Result<Tensor> {
        args[0].add(&Tensor::from(self.0.fetch_add(1, Ordering::Relaxed) as f64))
    }
    fn vjp<'g>(&self, _: &[Var<'g>], _: Var<'g>, ct: Var<'g>) -> Vec<Var<'g>> {
        vec![ct]
    }
}

#[test]
fn randomness_is_told_from_faults() {
    let g = Graph::new();
    let x = g.leaf("x", [0.3, 0.7]);
    let loss = g.custom(Restless(AtomicU64::new(0)), &[x]).sum(..);
    let Verdict::Random { first, second } = verdict_of(loss, x) else { panic!("two values") };
    assert_eq!(second - first, 2.0);
    // Randomness from a key is none.
    let key = g.constant(Tensor::from([7_i64, 0]));
    let dropped = x * key.uniform("mask", [2]).less(0.5).real();
    assert_eq!(verdict_of((dropped + x).exp().sum(..), x), Verdict::Pass);
}

#[test]
fn unused_parameters_say_where_the_path_breaks() {
    let g = Graph::new();
    let (x, y) = (g.leaf("x", [0.3, 0.7]), g.leaf("y", 1.0));
    let report = check::gradients((x * y.stop_gradient()).sum(..), &[x, y]).expect("a loss");
    assert_eq!(report.parameters[0].verdict, Verdict::Pass);
    let Verdict::Unused(error) = &report.parameters[1].verdict else { panic!("{report}") };
    assert!(error.to_string().contains("the path breaks at stop_gradient"), "{report}");
    assert_eq!(report.band(), Band::Wrong);
}

#[test]
fn what_is_not_finite_is_wrong_and_says_where() {
    let g = Graph::new();
    let x = g.leaf("x", [0.5, 0.0]);
    let report = check::gradients(x.ln().sum(..), &[x]).expect("a loss");
    assert_eq!(report.verdict(), &Verdict::Wrong(Fault::Loss(f64::NEG_INFINITY)));
    let culprit = &report.culprits[0];
    let expected = Hypothesis::Overflow { index: vec![1], value: f64::NEG_INFINITY };
    assert_eq!((culprit.op.as_str(), &culprit.hypothesis), ("ln", &expected), "{report}");

    // The infamous pair: the branch not taken has an infinite derivative, and 0 · ∞ is not a number.
    let loss = x.greater(0.0).select(x.sqrt(), 0.0).sum(..);
    let report = check::gradients(loss, &[x]).expect("a loss");
    assert!(matches!(report.verdict(), Verdict::Wrong(Fault::NotFinite(_))), "{report}");
    let culprit = &report.culprits[0];
    assert_eq!((culprit.op.as_str(), &culprit.hypothesis), ("sqrt", &Hypothesis::NotFinite), "{report}");
}

#[test]
fn narrow_empty_and_single_parameters_are_checked() {
    let g = Graph::new();
    let narrow = g.leaf("narrow", Tensor::from([0.1_f32, 2.0]));
    let empty = g.leaf("empty", Tensor::zeros([0, 3], DType::F64));
    let single = g.leaf("single", Tensor::from([[[0.7]]]));
    let loss = narrow.tanh().sum(..) * single.sum(..) + empty.exp().sum(..);
    let report = check::gradients(loss, &[narrow, empty, single]).expect("a loss");
    assert!(report.is_fine() && report.difference < 1e-9, "{report}");
    assert_eq!(report.parameters.iter().map(|p| p.checked).collect::<Vec<_>>(), [2, 0, 1]);
    let directions = Checker::default().directions(2).order(2);
    assert!(directions.check(loss, &[narrow, empty, single]).expect("a loss").is_fine());
}

#[test]
fn what_cannot_be_checked_is_an_error() {
    let g = Graph::new();
    let (x, n) = (g.leaf("x", [0.3, 0.7]), g.leaf("n", Tensor::from([1_i64, 2])));
    let kind = |loss: Var<'_>, p: Var<'_>| check::gradients(loss, &[p]).expect_err("no check").kind().clone();
    assert!(matches!(kind((x * n.real()).sum(..), n), ErrorKind::Gradient(_)));
    assert!(matches!(kind(x, x), ErrorKind::Gradient(_)));
    assert!(matches!(kind(x.exp().sum(..), x.exp()), ErrorKind::Kind { .. }));
    let input = g.input("input", [2], chainrule_graph::Kind::Real);
    assert!(matches!(kind((x * input).sum(..), input), ErrorKind::Unbound { .. }));
}

#[test]
fn directions_cost_the_same_for_any_size() {
    let g = Graph::new();
    let w = g.leaf("w", crate::rules::draw(&(-1.0..1.0), &[200, 100], 3));
    let right = (w * w).tanh().mean(..);
    let report = Checker::default().directions(3).check(right, &[w]).expect("a loss");
    assert!(report.is_fine(), "{report}");
    assert_eq!((report.parameters[0].mode, report.parameters[0].checked), (Mode::Directions, 3));
    // One wrong row of 200 shows.
    let y = g.custom_vjp(
        "row",
        &[w],
        |x| x[0].sin(),
        |x, _, ct| vec![ct * x[0].cos() * g_rows(x[0]).less(199.5).real()],
    );
    let report = Checker::default().directions(2).check(weighted(y, 1), &[w]).expect("a loss");
    assert!(report.verdict().is_wrong(), "{report}");
    let Hypothesis::Partly { factor, .. } = &report.culprits[0].hypothesis else { panic!("{report}") };
    assert_eq!(*factor, Some(0.0));
}

/// The number of each row, from 1.
fn g_rows<'g>(x: Var<'g>) -> Var<'g> {
    x.graph().iota(x.shape(), 0).real() + 1.0
}

#[test]
fn steps_are_found_on_any_scale() {
    let g = Graph::new();
    for scale in [1e-8, 1e-4, 1.0, 1e5] {
        let x = g.leaf("x", [0.7 * scale, 1.9 * scale]);
        for loss in
            [x.ln().sum(..), (x / scale).exp().sum(..) * 1e6, (x * x).sum(..), x.sqrt().sum(..) / scale]
        {
            let report = check::gradients(loss, &[x]).expect("a loss");
            assert!(report.is_fine() && report.difference < 1e-6, "scale {scale}\n{report}");
        }
    }
}

#[test]
fn a_parameter_behind_batch_normalisation_passes() {
    let g = Graph::new();
    let x = g.constant(crate::rules::draw(&(-1.0..1.0), &[6, 3], 3));
    let (w, b) =
        (g.leaf("w", crate::rules::draw(&(-1.0..1.0), &[3, 4], 4)), g.leaf("b", [0.1, 0.2, 0.3, 0.4]));
    let z = x.matmul(w) + b;
    let z = (z - z.mean(0)) / (z.var(0) + 1e-5).sqrt();
    let report = check::gradients(weighted(z.tanh(), 2), &[w, b]).expect("a loss");
    assert_eq!(report.verdict(), &Verdict::Pass, "{report}");
}

#[test]
#[should_panic(expected = "multiplied by ct, which does not belong there")]
fn asserting_panics_with_the_report() {
    check::assert_gradients_of(
        |x| x[0].graph().custom_vjp("sine", x, |x| x[0].sin(), |x, _, ct| vec![ct * ct * x[0].cos()]),
        &[Tensor::from([0.3, 0.5, 0.9])],
    );
}
