//! Anomaly mode names who made the first NaN or infinity.

use chainrule_graph::{Error, ErrorKind, Graph, Kind, Precision, Var};
use chainrule_tensor::Tensor;

fn anomaly(g: &Graph, outputs: &[Var<'_>], precision: Precision) -> Option<Error> {
    let compiled = g.compiler(&[], outputs).precision(precision).anomaly(true).build();
    compiled.expect("compiles").run(&[]).err()
}

fn text(g: &Graph, outputs: &[Var<'_>]) -> String {
    anomaly(g, outputs, Precision::F64).expect("an anomaly").to_string()
}

#[test]
fn the_first_producer_is_named_with_line_scope_and_operands() {
    let g = Graph::new();
    let p = g.leaf("p", [0.5, 0.0, 0.25, 0.0]);
    let y = g.leaf("y", [1.0, 1.0, 0.0, 0.0]);
    let scope = g.enter("loss");
    let line = line!() + 1;
    let log = p.ln();
    drop(scope);
    let loss = (-y * log).sum(..);
    let found = text(&g, &[loss, loss * 2.0]);
    assert!(found.contains("[ln] makes an infinity in 2 of 4 elements, in run 1"), "{found}");
    assert!(found.contains(&format!("anomaly.rs:{line}")) && found.contains("in `loss`"), "{found}");
    assert!(found.contains("`p` (0.0000e0 to 5.0000e-1, 2 zero): real(4,) made at"), "{found}");
    assert!(found.contains("ln of 0 in 2 of 4 elements; take the loss from logits"), "{found}");
}

#[test]
fn the_backward_pass_is_watched_too() {
    let g = Graph::new();
    let x = g.leaf("x", [4.0, 0.0, 9.0]);
    let line = line!() + 1;
    let root = x.sqrt();
    let d = root.sum(..).grad(&[x]).expect("recorded")[0];
    assert!(anomaly(&g, &[root], Precision::F64).is_none());
    let found = text(&g, &[root, d]);
    assert!(found.contains("[div] makes an infinity in 1 of 3 elements"), "{found}");
    assert!(found.contains(&format!("anomaly.rs:{line}")), "{found}");
    assert!(found.contains("division by 0 in 1 of 3 elements"), "{found}");
}

#[test]
fn each_kind_of_accident_has_its_advice() {
    let g = Graph::new();
    let x = g.leaf("x", [-1.0, 0.0, 800.0, 1e200]);
    for (y, op, advice) in [
        (x.ln(), "[ln]", "ln of a negative number in 1 of 4"),
        (x.sqrt(), "[sqrt]", "root of a negative number in 1 of 4"),
        (x.exp(), "[exp]", "overflows above 709.7"),
        (1.0 / x, "[div]", "division by 0 in 1 of 4"),
        (x.pow(0.5), "[pow]", "no power with a fractional exponent"),
        (x * x, "[mul]", "overflow"),
        (x.rsqrt(), "[rsqrt]", "1/√x of 0 in 1"),
    ] {
        let found = text(&g, &[y.sum(..)]);
        assert!(found.contains(op) && found.contains(advice), "{found}");
    }
    let single =
        anomaly(&g, &[g.leaf("z", [100.0_f32]).exp()], Precision::F32).expect("overflow").to_string();
    assert!(single.contains("overflows above 88.7"), "{single}");
}

#[test]
fn infinities_that_are_meant_pass_through() {
    let g = Graph::new();
    let x = g.leaf("x", [[1.0, 2.0], [3.0, 4.0]]);
    let mask = g.constant([[true, false], [true, true]]);
    let attention = mask.select(x, f64::NEG_INFINITY).softmax(1);
    let d = attention.square().sum(..).grad(&[x]).expect("recorded")[0];
    assert!(anomaly(&g, &[attention, d], Precision::F64).is_none());
    // But an infinity that becomes a NaN is one.
    let lost = mask.select(x, f64::NEG_INFINITY) * mask.real();
    let found = text(&g, &[lost]);
    assert!(found.contains("[mul] makes NaN in 1 of 4") && found.contains("0 · ∞"), "{found}");
}

#[test]
fn a_run_counts_and_leaves_the_state_as_it_was() {
    let g = Graph::new();
    let (w, x) = (g.leaf("w", 1.0_f32), g.input("x", [2], Kind::Real));
    let loss = (x * w).ln().sum(..);
    let mut step = g.compiler(&[x], &[loss]).state(&[(w, w + 1.0)]).anomaly(true).build().expect("compiles");
    let run = |step: &mut chainrule_graph::Compiled, x: [f32; 2]| step.run(&[Tensor::from(x)]).map(|_| ());
    run(&mut step, [1.0, 2.0]).expect("finite");
    run(&mut step, [3.0, 2.0]).expect("finite");
    let error = run(&mut step, [0.0, 2.0]).expect_err("ln of 0");
    assert!(matches!(error.kind(), ErrorKind::NonFinite { op: "ln", run: 3, .. }), "{error}");
    assert_eq!(step.state()[0].item::<f32>().expect("one number"), 3.0);
    let error = run(&mut step, [f32::NAN, 2.0]).expect_err("NaN in the data").to_string();
    assert!(
        error.contains("[input] `x` holds NaN, first at position 0, before anything is computed"),
        "{error}"
    );
    run(&mut step, [1.0, 2.0]).expect("finite again");
}

#[test]
fn results_have_the_same_bits() {
    let g = Graph::new();
    let x = g.leaf("x", [[0.1_f32, -0.7], [2.5, 0.3]]);
    let loss = x.matmul(x.t()).tanh().logsumexp(1).sum(..);
    let d = loss.grad(&[x]).expect("recorded")[0];
    let run = |on| {
        let mut f = g.compiler(&[], &[loss, d]).anomaly(on).build().expect("compiles");
        f.run(&[]).expect("finite").to_vec()
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn what_is_not_computed_is_looked_at_first() {
    let g = Graph::new();
    let line = line!() + 1;
    let (bound, known) = (g.leaf("w", [1.0, f64::NAN]), g.constant([1.0, f64::NAN]));
    let x = g.leaf("x", [1.0, 2.0]);
    for (y, words) in [
        (bound * 2.0, "[input] `w` holds NaN, first at position 1"),
        (known * 2.0, "[constant] a constant holds NaN, first at position 1"),
        (known, "[constant] a constant holds NaN"),
        (x * f64::NAN, "[scalar] a number holds NaN"),
    ] {
        let found = text(&g, &[y]);
        assert!(found.starts_with(words), "{found}");
        assert!(found.contains("the formula itself") != words.starts_with("[input]"), "{found}");
        let shift = if words.starts_with("[scalar]") { 6 } else { 0 };
        assert!(found.contains(&format!("--> crates/graph/tests/anomaly.rs:{}:", line + shift)), "{found}");
    }
    // An infinity may be meant; not so one that the conversion makes.
    let wide = g.leaf("wide", [1.0, 1e300]);
    let found = anomaly(&g, &[wide.tanh()], Precision::F32).expect("too wide").to_string();
    assert!(found.contains("`wide` holds 1e300 at position 1, which is infinite in f32"), "{found}");
    assert!(found.contains("Precision::F64"), "{found}");
    assert!(anomaly(&g, &[wide.tanh()], Precision::F64).is_none());
    assert!(anomaly(&g, &[g.leaf("mask", [f64::INFINITY]).tanh()], Precision::F32).is_none());
    let found = anomaly(&g, &[x * 1e300], Precision::F32).expect("too wide").to_string();
    assert!(found.contains("the number 1e300 is infinite in f32"), "{found}");
}

#[test]
fn advice_is_given_on_what_happened() {
    struct Makes;
    impl chainrule_graph::CustomOp for Makes {
        fn name(&self) -> &'static str {
            "makes_nan"
        }
        fn infer(&self, args: &[&chainrule_graph::Type]) -> Result<chainrule_graph::Type, String> {
            Ok(args[0].clone())
        }
        fn forward(&self, args: &[Tensor]) -> chainrule_tensor::Result<Tensor> {
            &args[0] * &Tensor::from(f64::NAN)
        }
        fn vjp<'g>(&self, _: &[Var<'g>], _: Var<'g>, ct: Var<'g>) -> Vec<Var<'g>> {
            vec![ct]
        }
    }
    let g = Graph::new();
    let singular = text(&g, &[g.leaf("m", [[1.0, 2.0], [2.0, 4.0]]).logdet()]);
    assert!(singular.starts_with("[logdet] makes an infinity"), "{singular}");
    assert!(singular.contains("the matrix is singular") && !singular.contains("learning rate"), "{singular}");
    let made = text(&g, &[g.custom(Makes, &[g.leaf("x", [1.0, 2.0])])]);
    assert!(made.contains("[makes_nan] makes NaN in 2 of 2") && made.contains("look at what it computes"));
    assert!(!made.contains("learning rate"), "{made}");
    let softmax = text(&g, &[g.leaf("z", [800.0]).var(..).exp() / 0.0]);
    assert!(softmax.contains("division by 0"), "{softmax}");
}

#[test]
fn advice_fits_what_was_made() {
    let g = Graph::new();
    let x = g.leaf("x", [-10.0, 2.0]);
    let zero = g.leaf("zero", [-1.0, 0.0]);
    let infinite = g.leaf("infinite", [f64::INFINITY, 1.0]);
    let masked = g.leaf("masked", [f64::NEG_INFINITY, f64::NEG_INFINITY]);
    for (y, advice) in [
        (x.pow(400.0), "overflow"),
        (x.pow(0.5), "fractional exponent"),
        (zero.pow(-1.0), "0 to a negative power in 1 of 2 elements"),
        (infinite / infinite, "∞ / ∞"),
        (infinite - infinite, "∞ − ∞"),
        (infinite.sin(), "no sine"),
        (masked.log_softmax(0), "all entries along the axis are −∞"),
        (1e300 * x.exp() / 1e-300, "overflow"),
        (x / zero, "division by 0 in 1 of 2 elements"),
    ] {
        let found = text(&g, &[y]);
        assert!(found.contains(advice), "{advice}: {found}");
    }
}
