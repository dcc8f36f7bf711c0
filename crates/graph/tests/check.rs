use chainrule_graph::check::{
    self, Band, Checker, Culprit, Fault, Hypothesis, Length, Mode, Report, Side, Verdict,
};
use chainrule_graph::{CustomOp, ErrorKind, Graph, Type, Var};
use chainrule_tensor::{DType, Key, Tensor};

use crate::rules::{draw, weighted};

fn number(shape: &[usize], seed: u64) -> Tensor {
    draw(&(-1.0..1.0), shape, seed)
}

fn wrong(loss: Var<'_>, parameters: &[Var<'_>]) -> Report {
    let report = check::gradients(loss, parameters).expect("a loss to check");
    assert_eq!(report.verdict(), &Verdict::Wrong(Fault::Differs), "{report}");
    assert_eq!(report.band(), Band::Wrong);
    report
}

/// The one culprit, which is the operation `op` of line `line` in `scope`.
fn one<'r>(report: &'r Report, op: &str, operand: usize, line: u32, scope: &str) -> &'r Culprit {
    let [culprit] = &report.culprits[..] else {
        panic!("one culprit, not {}\n{report}", report.culprits.len())
    };
    assert_eq!((culprit.op.as_str(), culprit.operand), (op, operand), "{report}");
    assert_eq!(culprit.origin.location.line(), line, "{report}");
    assert!(culprit.origin.location.file().ends_with("check.rs"), "{report}");
    assert_eq!(&*culprit.origin.scope, scope, "{report}");
    culprit
}

/// Faults planted in the middle layer of 20: what the layer makes of its pre-activation and its line.
fn deep<'g>(g: &'g Graph, plant: impl Fn(Var<'g>) -> Var<'g>) -> (Var<'g>, Vec<Var<'g>>) {
    let mut parameters = Vec::new();
    let mut h = g.constant(number(&[3, 4], 1));
    for layer in 0..20 {
        let _scope = g.enter(&format!("layer{layer}"));
        let w = g.leaf("w", number(&[4, 4], 10 + layer));
        let b = g.leaf("b", number(&[4], 40 + layer));
        parameters.extend([w, b]);
        let z = h.matmul(w) + b;
        h = if layer == 11 { plant(z) } else { z.tanh() };
    }
    (weighted(h, 3), parameters)
}

#[test]
fn the_culprit_among_twenty_layers_is_found() {
    let line = line!() + 3;
    let g = Graph::new();
    let (loss, p) = deep(&g, |z| {
        g.custom_vjp("doubled", &[z], |x| x[0].tanh(), |_, y, ct| vec![2.0 * ct * (1.0 - y * y)])
    });
    let report = wrong(loss, &p);
    let culprit = one(&report, "doubled", 0, line, "layer11");
    assert!(
        matches!(culprit.hypothesis, Hypothesis::Factor { factor, axis: None } if (factor - 2.0).abs() < 1e-6),
        "{report}"
    );
    // Behind the fault all is right, before it all is wrong.
    let verdicts: Vec<bool> = report.parameters.iter().map(|p| p.verdict.is_wrong()).collect();
    assert_eq!(verdicts, (0..40).map(|i| i < 24).collect::<Vec<_>>(), "{report}");

    let line = line!() + 3;
    let g = Graph::new();
    let (loss, p) =
        deep(&g, |z| g.custom_jvp("turned", &[z], |x| x[0].tanh(), |_, y, t| t[0] * (y * y - 1.0)));
    let report = wrong(loss, &p);
    assert_eq!(one(&report, "turned", 0, line, "layer11").hypothesis, Hypothesis::Sign, "{report}");

    let line = line!() + 3;
    let g = Graph::new();
    let (loss, p) = deep(&g, |z| {
        g.custom_vjp("swish", &[z], |x| x[0] * x[0].sigmoid(), |x, _, ct| vec![ct * x[0].tanh()])
    });
    let report = wrong(loss, &p);
    let culprit = one(&report, "swish", 0, line, "layer11");
    assert_eq!(
        culprit.hypothesis,
        Hypothesis::Formula { recorded: "tanh x0".into(), shown: None },
        "{report}"
    );

    let line = line!() + 3;
    let g = Graph::new();
    let (loss, p) = deep(&g, |z| {
        g.custom_vjp("leaky", &[z], |x| x[0].leaky_relu(0.1), |x, _, ct| vec![ct * x[0].greater(0.0).real()])
    });
    let report = wrong(loss, &p);
    let culprit = one(&report, "leaky", 0, line, "layer11");
    let Hypothesis::Partly { condition, factor, .. } = &culprit.hypothesis else { panic!("{report}") };
    assert_eq!((condition.as_deref(), *factor), (Some("x0 < 0"), Some(0.0)), "{report}");

    let line = line!() + 2;
    let g = Graph::new();
    let (loss, p) = deep(&g, |z| z.tanh() * z.stop_gradient());
    let report = wrong(loss, &p);
    assert_eq!(one(&report, "stop_gradient", 0, line, "layer11").hypothesis, Hypothesis::Blocked, "{report}");

    let line = line!() + 3;
    let g = Graph::new();
    let (loss, p) = deep(&g, |z| {
        g.custom_vjp("reversed", &[z], |x| x[0].flip(1).sin(), |x, _, ct| vec![ct * x[0].flip(1).cos()])
    });
    let report = wrong(loss, &p);
    assert_eq!(
        one(&report, "reversed", 0, line, "layer11").hypothesis,
        Hypothesis::Flipped { axis: 1 },
        "{report}"
    );
}

/// 25 steps of a recurrence whose cell is `cell(h, x, w)`.
fn recurrent<'g>(
    g: &'g Graph,
    cell: impl Fn(Var<'g>, Var<'g>, Var<'g>) -> Var<'g>,
) -> (Var<'g>, Vec<Var<'g>>) {
    let w = g.leaf("w", draw(&(-0.5..0.5), &[4, 4], 5));
    let u = g.leaf("u", number(&[3, 4], 6));
    let x = g.constant(number(&[25, 2, 3], 7));
    let mut h = g.constant(Tensor::zeros([2, 4], DType::F64));
    let _scope = g.enter("cell");
    for t in 0..25 {
        let input = x.slice(0, t..t + 1).reshape(&[2, 3]).matmul(u);
        h = cell(h, input, w);
    }
    (weighted(h, 3), vec![w, u])
}

#[test]
fn a_rule_of_a_recurrence_is_one_culprit() {
    let line = line!() + 4;
    let g = Graph::new();
    let (loss, p) = recurrent(&g, |h, x, w| {
        let product = g.custom_vjp(
            "product",
            &[h, w],
            |x| x[0].matmul(x[1]),
            |x, _, ct| vec![ct.matmul(x[1]), x[0].t().matmul(ct)],
        );
        (product + x).tanh()
    });
    let report = wrong(loss, &p);
    let culprit = one(&report, "product", 0, line, "cell");
    let formulas = Some(("ct·x1".to_string(), "ct·x1ᵀ".to_string()));
    assert_eq!(culprit.hypothesis, Hypothesis::Transposed { formulas }, "{report}");
    assert_eq!(culprit.others, 23, "the first step's state is a constant\n{report}");

    let line = line!() + 3;
    let g = Graph::new();
    let (loss, p) = recurrent(&g, |h, x, w| {
        g.custom_vjp("squash", &[h.matmul(w) + x], |x| x[0].tanh(), |_, _, ct| vec![ct - ct])
    });
    // u reaches the loss by this path only, and so does w.
    let report = wrong(loss, &p);
    let culprit = one(&report, "squash", 0, line, "cell");
    assert_eq!((&culprit.hypothesis, culprit.others), (&Hypothesis::Lost, 24), "{report}");

    let line = line!() + 3;
    let g = Graph::new();
    let (loss, p) = recurrent(&g, |h, x, w| {
        g.custom_jvp("cosine", &[h.matmul(w) + x], |x| x[0].cos(), |x, _, t| t[0] * x[0].cos())
    });
    let report = wrong(loss, &p);
    let culprit = one(&report, "cosine", 0, line, "cell");
    let shown = Some("-sin x0".to_string());
    assert_eq!(culprit.hypothesis, Hypothesis::Formula { recorded: "cos x0".into(), shown }, "{report}");
}

/// One operation with a wrong rule, between others.
fn single(plant: impl for<'g> Fn(&'g Graph, Var<'g>, Var<'g>) -> Var<'g>) -> (Report, String) {
    let g = Graph::new();
    let (a, b) = (g.leaf("a", draw(&(0.3..1.7), &[4, 3], 1)), g.leaf("b", draw(&(0.2..1.9), &[3], 2)));
    let _scope = g.enter("model");
    let y = plant(&g, a.exp(), b.sin());
    let report = wrong(weighted(y.tanh(), 4), &[a, b]);
    let text = report.to_string();
    (report, text)
}

#[test]
fn each_kind_of_mistake_has_its_name() {
    let hypothesis = |plant: fn(&Graph, Vec<Var<'_>>)| plant;
    let _ = hypothesis;
    // The mean of the cotangent in the place of its sum over the broadcast axis.
    let line = line!() + 2;
    let (report, text) =
        single(|g, a, b| g.custom_vjp("bias", &[a, b], |x| x[0] + x[1], |_, _, ct| vec![ct, ct.mean(&[0])]));
    let length = Length { operand: false, axis: Some(0), length: 4 };
    let culprit = one(&report, "bias", 1, line, "model");
    let Hypothesis::Factor { factor, axis } = culprit.hypothesis else { panic!("{text}") };
    assert!((factor - 0.25).abs() < 1e-6 && axis == Some(length), "{text}");

    let line = line!() + 2;
    let (report, text) = single(|g, a, b| {
        g.custom_vjp("bias", &[a, b], |x| x[0] + x[1], |_, _, ct| vec![ct, ct.slice(0, 0..1).reshape(&[3])])
    });
    let expected = Hypothesis::Slice { axis: 0, index: 0, only: true };
    assert_eq!(one(&report, "bias", 1, line, "model").hypothesis, expected, "{text}");

    let line = line!() + 2;
    let (report, text) = single(|g, a, b| {
        g.custom_vjp("bias", &[a, b], |x| x[0] + x[1], |_, _, ct| vec![ct, ct.slice(0, 0..3).sum(&[0])])
    });
    let expected = Hypothesis::Slice { axis: 0, index: 3, only: false };
    assert_eq!(one(&report, "bias", 1, line, "model").hypothesis, expected, "{text}");

    // A sum where a mean belongs.
    let line = line!() + 2;
    let (report, text) = single(|g, a, _| {
        g.custom_vjp("average", &[a], |x| x[0].mean(&[0]), |x, _, ct| vec![ct.broadcast_to(x[0].shape())])
    });
    let Hypothesis::Factor { factor, axis } = one(&report, "average", 0, line, "model").hypothesis else {
        panic!("{text}")
    };
    let length = Length { operand: true, axis: Some(0), length: 4 };
    assert!((factor - 4.0).abs() < 1e-5 && axis == Some(length), "{text}");

    let line = line!() + 2;
    let (report, text) = single(|g, a, b| {
        g.custom_vjp("times", &[a, a * b], |x| x[0] * x[1], |x, _, ct| vec![ct * x[0], ct * x[0]])
    });
    let expected = Hypothesis::Formula { recorded: "x0".into(), shown: Some("x1".into()) };
    assert_eq!(one(&report, "times", 0, line, "model").hypothesis, expected, "{text}");

    let line = line!() + 2;
    let (report, text) = single(|g, a, _| {
        g.custom_vjp("cube", &[a], |x| x[0] * x[0] * x[0], |x, _, ct| vec![3.0 * x[0] * ct])
    });
    let expected = Hypothesis::Formula { recorded: "3·x0".into(), shown: Some("3·x0²".into()) };
    assert_eq!(one(&report, "cube", 0, line, "model").hypothesis, expected, "{text}");

    // Shifted by one place along an axis.
    let line = line!() + 2;
    let (report, text) = single(|g, a, _| {
        g.custom_vjp("window", &[a], |x| x[0].slice(0, 1..3), |_, _, ct| vec![ct.pad(0, 2, 0)])
    });
    let expected = Hypothesis::Shifted { axis: 0, by: -1 };
    assert_eq!(one(&report, "window", 0, line, "model").hypothesis, expected, "{text}");

    // Reshaped where it should be transposed.
    let line = line!() + 2;
    let (report, text) = single(|g, a, _| {
        g.custom_vjp("turn", &[a], |x| x[0].t(), |x, _, ct| vec![ct.reshape_to_shape_of(x[0])])
    });
    let expected = Hypothesis::Transposed { formulas: None };
    assert_eq!(one(&report, "turn", 0, line, "model").hypothesis, expected, "{text}");
}

trait ReshapeLike<'g> {
    fn reshape_to_shape_of(self, other: Var<'g>) -> Var<'g>;
}
impl<'g> ReshapeLike<'g> for Var<'g> {
    fn reshape_to_shape_of(self, other: Var<'g>) -> Var<'g> {
        self.reshape(&other.shape().iter().map(|n| *n as isize).collect::<Vec<_>>())
    }
}
