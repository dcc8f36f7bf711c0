use std::cell::Cell;

use chainrule_graph::check::{Hypothesis, Length, Report};
use chainrule_graph::{CustomOp, Graph, Scan, Type, Var, cond};
use chainrule_tensor::keep;
use chainrule_tensor::{DType, Tensor};

use super::{one, wrong};
use crate::rules::{draw, weighted};

fn number(shape: &[usize], seed: u64) -> Tensor {
    draw(&(-1.0..1.0), shape, seed)
}

/// The hypothesis on a fault in layer 11 of 20, which is `op` from the line that `plant` notes.
fn in_layer_11(op: &str, plant: impl for<'g> Fn(Var<'g>, &Cell<u32>) -> Var<'g>) -> (Hypothesis, Report) {
    let g = Graph::new();
    let at = Cell::new(0);
    let mut parameters = Vec::new();
    let mut h = g.constant(number(&[3, 4], 1));
    for layer in 0..20 {
        let _scope = g.enter(&format!("layer{layer}"));
        let w = g.leaf("w", number(&[4, 4], 10 + layer));
        let b = g.leaf("b", number(&[4], 40 + layer));
        parameters.extend([w, b]);
        let z = h.matmul(w) + b;
        h = if layer == 11 { plant(z, &at) } else { z.tanh() };
    }
    let report = wrong(weighted(h, 3), &parameters);
    // Behind the fault all is right, before it all is wrong.
    let verdicts: Vec<bool> = report.parameters.iter().map(|p| p.verdict.is_wrong()).collect();
    assert_eq!(verdicts, (0..40).map(|i| i < 24).collect::<Vec<_>>(), "{report}");
    (one(&report, op, 0, at.get(), "layer11").hypothesis.clone(), report)
}

fn is_factor(hypothesis: &Hypothesis, expected: f64, length: Option<Length>) -> bool {
    matches!(hypothesis, Hypothesis::Factor { factor, axis }
        if (factor - expected).abs() < 1e-5 * expected.abs() && *axis == length)
}

fn formula(recorded: &str, shown: &str) -> Hypothesis {
    Hypothesis::Formula { recorded: recorded.into(), shown: Some(shown.into()) }
}

#[test]
fn a_factor_in_one_of_twenty_layers() {
    let (found, report) = in_layer_11("doubled", |z, at| {
        at.set(line!() + 1);
        z.graph().custom_vjp("doubled", &[z], |x| x[0].tanh(), |_, y, ct| vec![2.0 * ct * (1.0 - y * y)])
    });
    assert!(is_factor(&found, 2.0, None), "{report}");
}

#[test]
fn a_sign_in_one_of_twenty_layers() {
    let (found, report) = in_layer_11("turned", |z, at| {
        at.set(line!() + 1);
        z.graph().custom_jvp("turned", &[z], |x| x[0].tanh(), |_, y, t| t[0] * (y * y - 1.0))
    });
    assert_eq!(found, Hypothesis::Sign, "{report}");
}

#[test]
fn one_side_of_a_leaky_relu_in_one_of_twenty_layers() {
    let (found, report) = in_layer_11("leaky", |z, at| {
        at.set(line!() + 1);
        z.graph().custom_vjp(
            "leaky",
            &[z],
            |x| x[0].leaky_relu(0.1),
            |x, _, ct| vec![ct * x[0].greater(0.0).real()],
        )
    });
    let Hypothesis::Partly { condition, factor, .. } = &found else { panic!("{report}") };
    assert_eq!((condition.as_deref(), *factor), (Some("x0 < 0"), Some(0.0)), "{report}");
}

#[test]
fn a_stopped_path_in_one_of_twenty_layers() {
    let (found, report) = in_layer_11("stop_gradient", |z, at| {
        // The softmax stops the gradient of its maximum, which does no harm.
        let s = z.softmax(-1);
        at.set(line!() + 1);
        s + z.tanh() * z.stop_gradient()
    });
    assert_eq!(found, Hypothesis::Blocked, "{report}");
}

#[test]
fn a_flip_in_one_of_twenty_layers() {
    let (found, report) = in_layer_11("mirrored", |z, at| {
        at.set(line!() + 1);
        z.graph().custom_vjp(
            "mirrored",
            &[z],
            |x| x[0].flip(1).sin(),
            |x, _, ct| vec![ct * x[0].flip(1).cos()],
        )
    });
    assert_eq!(found, Hypothesis::Flipped { axis: 1 }, "{report}");
}

/// √(1 + x²), whose vjp forgets the numerator.
struct Smooth;

impl CustomOp for Smooth {
    fn name(&self) -> &'static str {
        "smooth"
    }
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        Ok(args[0].clone())
    }
    fn forward(&self, args: &[Tensor]) -> chainrule_tensor::Result<Tensor> {
        args[0].mul(&args[0])?.add(&Tensor::from(1.0))?.sqrt()
    }
    fn vjp<'g>(&self, _: &[Var<'g>], y: Var<'g>, ct: Var<'g>) -> Vec<Var<'g>> {
        vec![ct / y]
    }
}

#[test]
fn a_custom_operation_in_one_of_twenty_layers() {
    let (found, report) = in_layer_11("smooth", |z, at| {
        at.set(line!() + 1);
        z.graph().custom(Smooth, &[z])
    });
    assert_eq!(found, formula("1/y", "x0·1/y"), "{report}");
}

/// The report on 25 steps of a recurrence whose cell is `cell(h, x, w, at)`, and the line noted.
fn in_recurrence(cell: impl for<'g> Fn(Var<'g>, Var<'g>, Var<'g>, &Cell<u32>) -> Var<'g>) -> (Report, u32) {
    let g = Graph::new();
    let at = Cell::new(0);
    let w = g.leaf("w", draw(&(-0.5..0.5), &[4, 4], 5));
    let u = g.leaf("u", number(&[3, 4], 6));
    let x = g.constant(number(&[25, 2, 3], 7));
    let mut h = g.constant(Tensor::zeros([2, 4], DType::F64));
    let _scope = g.enter("cell");
    for t in 0..25 {
        let input = x.slice(0, t..t + 1).reshape([2, 3]).matmul(u);
        h = cell(h, input, w, &at);
    }
    (wrong(weighted(h, 3), &[w, u]), at.get())
}

#[test]
fn a_missing_transpose_in_each_step_of_a_recurrence_is_one_culprit() {
    let (report, line) = in_recurrence(|h, x, w, at| {
        at.set(line!() + 1);
        let product = h.graph().custom_vjp(
            "product",
            &[h, w],
            |x| x[0].matmul(x[1]),
            |x, _, ct| vec![ct.matmul(x[1]), x[0].t().matmul(ct)],
        );
        (product + x).tanh()
    });
    let culprit = one(&report, "product", 0, line, "cell");
    let formulas = Some(("ct·x1".to_string(), "ct·x1ᵀ".to_string()));
    assert_eq!(culprit.hypothesis, Hypothesis::Transposed { formulas }, "{report}");
    assert_eq!(culprit.others, 23, "the first step's state is a constant\n{report}");
}

#[test]
fn a_missing_transpose_behind_an_activation() {
    let (report, line) = in_recurrence(|h, x, w, at| {
        at.set(line!() + 1);
        let cell = h.graph().custom_vjp(
            "cell",
            &[h, w],
            |x| x[0].matmul(x[1]).tanh(),
            |x, y, ct| {
                let d = ct * (1.0 - y * y);
                vec![d.matmul(x[1]), x[0].t().matmul(d)]
            },
        );
        (cell + x).sin()
    });
    let culprit = one(&report, "cell", 0, line, "cell");
    let formulas = Some(("(ct∘(1 - y²))·x1".to_string(), "(ct∘(1 - y²))·x1ᵀ".to_string()));
    assert_eq!(culprit.hypothesis, Hypothesis::Transposed { formulas }, "{report}");
}

#[test]
fn a_lost_derivative_in_a_recurrence() {
    let (report, line) = in_recurrence(|h, x, w, at| {
        at.set(line!() + 1);
        h.graph().custom_vjp("squash", &[h.matmul(w) + x], |x| x[0].tanh(), |x, _, _| vec![x[0].like(0.0)])
    });
    let culprit = one(&report, "squash", 0, line, "cell");
    assert_eq!((&culprit.hypothesis, culprit.others), (&Hypothesis::Lost, 24), "{report}");
}

#[test]
fn the_derivative_of_a_neighbouring_function_in_a_recurrence() {
    let (report, line) = in_recurrence(|h, x, w, at| {
        at.set(line!() + 1);
        h.graph().custom_jvp("cosine", &[h.matmul(w) + x], |x| x[0].cos(), |x, _, t| t[0] * x[0].cos())
    });
    let culprit = one(&report, "cosine", 0, line, "cell");
    // The cosine of x0 is the result.
    assert_eq!(culprit.hypothesis, formula("y", "-sin x0"), "{report}");
}

/// The hypothesis on one operation between others, of a (4, 3) and a (3), by `operand`.
fn alone(
    op: &str,
    operand: usize,
    plant: impl for<'g> Fn(&[Var<'g>], &Cell<u32>) -> Var<'g>,
) -> (Hypothesis, Report) {
    let g = Graph::new();
    let at = Cell::new(0);
    let (a, b) = (g.leaf("a", draw(&(0.3..1.7), &[4, 3], 1)), g.leaf("b", draw(&(0.2..1.9), &[3], 2)));
    let _scope = g.enter("model");
    let y = plant(&[a.exp(), b.sin()], &at) + a.sum(..) * b.sum(..);
    let report = wrong(weighted((0.1 * y).sin(), 4), &[a, b]);
    (one(&report, op, operand, at.get(), "model").hypothesis.clone(), report)
}

#[test]
fn sums_over_broadcast_axes() {
    let (found, report) = alone("bias", 1, |x, at| {
        at.set(line!() + 1);
        x[0].graph().custom_vjp("bias", x, |x| x[0] + x[1], |_, _, ct| vec![ct, ct.mean(0)])
    });
    assert!(is_factor(&found, 0.25, Some(Length { operand: false, axis: Some(0), length: 4 })), "{report}");

    let (found, report) = alone("bias", 1, |x, at| {
        at.set(line!() + 1);
        x[0].graph().custom_vjp(
            "bias",
            x,
            |x| x[0] + x[1],
            |_, _, ct| vec![ct, ct.slice(0, 0..1).reshape([3])],
        )
    });
    assert_eq!(found, Hypothesis::Slice { axis: 0, index: 0, only: true }, "{report}");

    let (found, report) = alone("bias", 1, |x, at| {
        at.set(line!() + 1);
        x[0].graph().custom_vjp("bias", x, |x| x[0] + x[1], |_, _, ct| vec![ct, ct.slice(0, 0..3).sum(0)])
    });
    assert_eq!(found, Hypothesis::Slice { axis: 0, index: 3, only: false }, "{report}");

    let (found, report) = alone("average", 0, |x, at| {
        at.set(line!() + 1);
        x[0].graph().custom_vjp(
            "average",
            &x[..1],
            |x| x[0].mean(0),
            |x, _, ct| vec![ct.broadcast_to(x[0].shape())],
        )
    });
    assert!(is_factor(&found, 4.0, Some(Length { operand: true, axis: Some(0), length: 4 })), "{report}");
}

#[test]
fn the_wrong_power_and_the_wrong_operand() {
    let (found, report) = alone("cube", 0, |x, at| {
        at.set(line!() + 1);
        x[0].graph().custom_vjp("cube", &x[..1], |x| x[0] * x[0] * x[0], |x, _, ct| vec![3.0 * x[0] * ct])
    });
    assert_eq!(found, formula("3·x0", "3·x0²"), "{report}");

    let (found, report) = alone("times", 0, |x, at| {
        let other = x[0].sqrt() + x[1];
        at.set(line!() + 1);
        x[0].graph().custom_vjp(
            "times",
            &[x[0], other],
            |x| x[0] * x[1],
            |x, _, ct| vec![ct * x[0], ct * x[0]],
        )
    });
    assert_eq!(found, formula("x0", "x1"), "{report}");

    let (found, report) = alone("softmax", 0, |x, at| {
        at.set(line!() + 1);
        x[0].graph().custom_vjp(
            "softmax",
            &x[..1],
            |x| x[0].softmax(-1),
            |_, y, ct| vec![y * y * (ct - (y * ct).sum(keep(-1)))],
        )
    });
    assert_eq!(found, Hypothesis::Extra("y".into()), "{report}");
}

#[test]
fn wrong_places() {
    let (found, report) = alone("window", 0, |x, at| {
        at.set(line!() + 1);
        let window = x[0].graph().custom_vjp(
            "window",
            &x[..1],
            |x| x[0].slice(0, 1..3),
            |_, _, ct| vec![ct.pad(0, 2, 0)],
        );
        window.sum(0)
    });
    assert_eq!(found, Hypothesis::Shifted { axis: 0, by: -1 }, "{report}");

    let (found, report) = alone("turn", 0, |x, at| {
        let g = x[0].graph();
        at.set(line!() + 1);
        let turned = g.custom_vjp("turn", &x[..1], |x| x[0].t(), |_, _, ct| vec![ct.reshape([4, 3])]);
        turned.slice(0, 0..3).slice(1, 0..3)
    });
    assert_eq!(found, Hypothesis::Transposed { formulas: None }, "{report}");

    let (found, report) = alone("shuffled", 0, |x, at| {
        at.set(line!() + 1);
        x[0].graph().custom_vjp(
            "shuffled",
            &x[..1],
            |x| x[0].square(),
            |x, _, ct| {
                let wrong = x[0].graph().constant(Tensor::from([2_i64, 3, 1, 0]));
                vec![(2.0 * x[0] * ct).take(0, wrong)]
            },
        )
    });
    assert_eq!(found, Hypothesis::Permuted, "{report}");

    let (found, report) = alone("third", 0, |x, at| {
        at.set(line!() + 1);
        x[0].graph().custom_vjp(
            "third",
            &x[..1],
            |x| x[0].square(),
            |x, _, ct| vec![(2.0 * x[0] * ct).slice(0, 0..3).pad(0, 0, 1)],
        )
    });
    let expected = (0..3).map(|j| vec![3, j]).collect::<Vec<_>>();
    let Hypothesis::Partly { elements, count: 3, of: 12, factor: Some(0.0), .. } = found else {
        panic!("{report}")
    };
    assert_eq!(elements, expected, "{report}");
}

#[test]
fn each_of_two_culprits() {
    let g = Graph::new();
    let w = g.leaf("w", [0.3, -0.8, 1.1]);
    let first = g.custom_vjp("straight", &[w], |x| x[0].round() + x[0], |_, _, ct| vec![ct * -3.0]);
    let second = g.custom_vjp("step", &[first.sin()], |x| x[0].sign(), |_, _, ct| vec![ct]);
    let report = wrong((second * first).sum(..), &[w]);
    let found: Vec<(&str, &Hypothesis)> =
        report.culprits.iter().map(|c| (c.op.as_str(), &c.hypothesis)).collect();
    assert_eq!(found[0], ("step", &Hypothesis::Spurious), "nearest to the loss first\n{report}");
    assert!(found[1].0 == "straight" && is_factor(found[1].1, -3.0, Some(length_3())), "{report}");
}

fn length_3() -> Length {
    Length { operand: true, axis: Some(0), length: 3 }
}

#[test]
fn a_rule_of_second_order_is_found_too() {
    let g = Graph::new();
    let w = g.leaf("w", [0.3, -0.8, 1.1]);
    let line = line!() + 1;
    let y = g.custom_vjp("square", &[w], |x| x[0] * x[0], |x, _, ct| vec![2.0 * x[0].stop_gradient() * ct]);
    let checker = chainrule_graph::check::Checker::default();
    let loss = y.exp().sum(..);
    assert!(checker.check(loss, &[w]).expect("a loss").is_fine());
    let report = checker.order(2).check(loss, &[w]).expect("a loss");
    assert!(!report.parameters[0].verdict.is_wrong() && report.parameters[1].verdict.is_wrong(), "{report}");
    let culprit = one(&report, "stop_gradient", 0, line, "");
    assert_eq!(culprit.hypothesis, Hypothesis::Blocked, "{report}");
}

/// tanh with twice its derivative.
#[track_caller]
fn doubled(z: Var<'_>) -> Var<'_> {
    let _here = z.graph().blame("doubled", std::panic::Location::caller());
    z.graph().custom_vjp("doubled", &[z], |x| x[0].tanh(), |_, y, ct| vec![2.0 * ct * (1.0 - y * y)])
}

#[test]
fn a_fault_inside_a_loop_or_a_choice_is_found_there_with_its_step() {
    let g = Graph::new();
    let (h, w) = (g.leaf("h", number(&[4], 1)), g.leaf("w", number(&[4], 2)));
    let x = g.constant(number(&[5, 4], 3));
    let at = Cell::new(0);
    let (last, all) = Scan::new()
        .run(&[h], &[x], |h, x| {
            at.set(line!() + 1);
            let y = doubled(h[0] * w + x[0]);
            Ok((vec![y.sin()], vec![y]))
        })
        .expect("a loop");
    let report = wrong(weighted(last[0], 3) + weighted(all[0], 4), &[h, w]);
    let culprit = one(&report, "doubled", 0, at.get(), "");
    assert!(is_factor(&culprit.hypothesis, 2.0, None), "{report}");
    assert!(culprit.within[0].starts_with("step 0 (the first is 0) of the scan at"), "{report}");
    assert!(report.to_string().contains("in step 0 (the first is 0) of the scan"), "{report}");

    // The choice is made in some steps only: the first of these is named.
    let (last, _) = Scan::new()
        .run(&[h], &[g.constant([-1.0, -1.0, 1.0, 1.0])], |h, x| {
            let y = cond(
                x[0].greater(0.0),
                || {
                    at.set(line!() + 1);
                    Ok(vec![doubled(h[0] * w)])
                },
                || Ok(vec![h[0] * w]),
            )?;
            Ok((y, vec![]))
        })
        .expect("a loop");
    let report = wrong(weighted(last[0], 3), &[h, w]);
    let culprit = one(&report, "doubled", 0, at.get(), "");
    assert!(culprit.within[0].contains("whose condition holds"), "{report}");
    assert!(culprit.within[1].starts_with("step 2 (the first is 0) of the scan at"), "{report}");
}
