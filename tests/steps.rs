use chainrule::data::iris;
use chainrule::graph::{Precision, Result};
use chainrule::loss::{mean_squared_error, softmax_cross_entropy};
use chainrule::nn::{Error, Observed, Observer};
use chainrule::prelude::*;
use chainrule::progress::Silent;

fn inputs() -> [Tensor; 2] {
    [Tensor::from([[1.0_f32], [2.0], [3.0]]), Tensor::from([[2.0_f32], [3.0], [5.0]])]
}

fn line<'g>(s: &Scope<'g>, place: &str, x: Var<'g>) -> Var<'g> {
    Linear::new(1).init(Init::Constant(0.5)).forward(&s.at(place), x)
}

fn number(params: &Params, path: &str) -> f64 {
    params.get(path).expect("a parameter").to_vec::<f32>().expect("f32")[0].into()
}

#[test]
fn goals_are_pursued_at_once_from_the_values_before() {
    let mut step = Step::builder()
        .record(Params::new(), &inputs(), |s, _| {
            let (p, q) = (s.param("p", [], Init::Constant(2.0)), s.param("q", [], Init::Constant(3.0)));
            Learning::of(Goal::new("min", p * q, Sgd::new(0.1)).at("p"))
                .and(Goal::new("max", -(p * q), Sgd::new(0.1)).at("q"))
                .output("product", p * q)
        })
        .expect("a step");
    assert_eq!(step.run(&inputs()).expect("runs"), 6.0);
    // Each gradient is that before the step, or the second would see p = 1.7.
    assert_eq!(step.params().get("p"), Some(&Tensor::from(1.7_f32)));
    assert_eq!(step.params().get("q"), Some(&Tensor::from(3.2_f32)));
    let names: Vec<&str> = step.outputs().map(|(name, _)| name).collect();
    assert_eq!(names, ["max", "product"]);
    assert_eq!(step.output("max"), Some(&Tensor::from(-6.0_f32)));
}

#[test]
fn gradient_steps_within_the_loss_are_differentiated() {
    // w − a·dL/dw, then the loss on other data (model-agnostic meta-learning, Finn et al. 2017).
    let data = [Tensor::from(2.0_f64), Tensor::from(3.0_f64)];
    let mut step = Step::builder()
        .precision(Precision::F64)
        .record(Params::new(), &data, |s, x| {
            let w = s.param("w", [], Init::Constant(0.5));
            let inner = (w * x[0] - 1.0).square();
            let adapted = match inner.grad(&[w]) {
                Ok(d) => w - 0.1 * d[0],
                Err(error) => w.fail(error),
            };
            Learning::of(Goal::new("outer", (adapted * x[1] - 1.0).square(), Sgd::new(0.01)))
        })
        .expect("a step");
    step.run(&data).expect("runs");
    let (w, a, b): (f64, f64, f64) = (0.5, 2.0, 3.0);
    let adapted = w - 0.1 * 2.0 * (w * a - 1.0) * a;
    let slope = 2.0 * (adapted * b - 1.0) * b * (1.0 - 0.2 * a * a);
    let found = step.params().get("w").expect("w").item::<f64>().expect("f64");
    assert!((found - (w - 0.01 * slope)).abs() < 1e-15, "{found}");
}

#[test]
fn a_loss_with_derivatives_of_the_network_learns_an_equation() {
    // y' = y, y(0) = 1 (a physics-informed network): the derivative of the network stands in the loss.
    let x = Tensor::from((0..9).map(|i| i as f32 / 8.0).collect::<Vec<f32>>());
    let x = [x.reshape([9, 1]).expect("a column")];
    fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let h = Linear::new(16).forward(&s.at("hidden").shared(), x).tanh();
        Linear::new(1).forward(&s.at("output").shared(), h)
    }
    let mut step = Step::builder()
        .seed(2)
        .record(Params::new(), &x, |s, x| {
            let y = model(s, x[0]);
            let slope: Result<Vec<Var<'_>>> = jvp(&[y], &[x[0]], &[x[0] * 0.0 + 1.0]);
            let slope = slope.map_or_else(|error| y.fail(error), |slope| slope[0]);
            let start = model(s, x[0].slice(0, 0..1));
            let loss = (slope - y).square().mean(..) + (start - 1.0).square().mean(..);
            Learning::of(Goal::new("residual", loss, Adam::new(0.02))).output("end", y.slice(0, 8..9))
        })
        .expect("a step");
    for _ in 0..600 {
        step.run(&x).expect("runs");
    }
    let end = step.output("end").expect("an output").to_vec::<f32>().expect("f32")[0];
    assert!((end - 1_f32.exp()).abs() < 0.05, "{end}");
}

#[test]
fn a_trainer_is_a_step_with_one_goal() {
    let data = iris().expect("embedded");
    let batch = data.batches(50).expect("a size").next().expect("a batch");
    fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        Linear::new(3).forward(&s.at("out"), x)
    }
    let mut one =
        Trainer::new(model, softmax_cross_entropy).seed(4).step(Params::new(), &batch, 150).expect("a step");
    let mut other = Step::builder()
        .seed(4)
        .record(Params::new(), &batch, |s, b| {
            Learning::of(Goal::new("loss", softmax_cross_entropy(model(s, b[0]), b[1]), Adam::new(0.001)))
        })
        .expect("a step");
    for _ in 0..5 {
        assert_eq!(one.run(&batch).expect("runs").to_bits(), other.run(&batch).expect("runs").to_bits());
    }
    assert_eq!(one.params(), other.params());
}

/// Counts what it sees.
struct Sees;

impl Observer for Sees {
    fn record<'g>(&self, step: &Observed<'_, 'g>) -> Vec<(String, Var<'g>)> {
        let goal = &step.goals[0];
        assert_eq!(goal.parameters.len(), goal.gradients.len());
        let of = |(p, (before, after)): (usize, (Var<'g>, Var<'g>))| {
            (format!("ratio of {}", goal.parameters[p].path), (after - before).norm() / before.norm())
        };
        let before = goal.parameters.iter().map(|p| p.value);
        before.zip(goal.after.iter().copied()).enumerate().map(of).collect()
    }
}

#[test]
fn an_observer_changes_no_bit_and_its_step_takes_turns() {
    fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let h = Linear::new(8).forward(&s.at("hidden"), x).tanh();
        Linear::new(3).forward(&s.at("out"), h)
    }
    let data = iris().expect("embedded");
    let batch = data.batches(50).expect("a size").next().expect("a batch");
    let trainer = || Trainer::new(model, softmax_cross_entropy);
    let mut plain = trainer().step(Params::new(), &batch, 150).expect("a step");
    let mut seen = trainer().observe(Sees).step(Params::new(), &batch, 150).expect("a step");
    let mut whole = trainer().step(Params::new(), &batch, 150).expect("a step");
    for i in 0..6 {
        let state = if i % 3 == 0 { plain.state() } else { seen.state() };
        let loss = if i % 3 == 0 {
            seen.set_state(&state).expect("of one training");
            let loss = seen.run(&batch).expect("runs");
            let ratio = seen.output("ratio of hidden.weight").expect("seen").item::<f64>().expect("a number");
            assert!(ratio > 0.0 && ratio < 0.1, "{ratio}");
            plain.set_state(&seen.state()).expect("of one training");
            loss
        } else {
            let loss = plain.run(&batch).expect("runs");
            seen.set_state(&plain.state()).expect("of one training");
            loss
        };
        assert_eq!(loss.to_bits(), whole.run(&batch).expect("runs").to_bits());
    }
    assert_eq!(plain.params(), whole.params());
}

#[test]
fn sixty_four_bits_go_in_and_come_out() {
    fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        Linear::new(1).without_bias().forward(s, x)
    }
    let x = Tensor::from([[1e300], [2e300]]);
    let data = chainrule::data::Dataset::regression(x.clone(), x).expect("paired");
    let trainer = Trainer::new(model, mean_squared_error).optimiser(Sgd::new(0.0)).epochs(1);
    assert!(trainer.fit(&mut Params::new(), &data, None, &mut Silent).is_err(), "beyond f32");
    let x = Tensor::from([[1.0 + 1e-12], [2.0]]);
    let data = chainrule::data::Dataset::regression(x.clone(), x).expect("paired");
    let trainer = Trainer::new(model, mean_squared_error).optimiser(Sgd::new(0.1)).epochs(200);
    let trainer = trainer.precision(Precision::F64);
    let mut params = Params::new();
    let history = trainer.fit(&mut params, &data, Some(&data), &mut Silent).expect("trains");
    assert!(history.last("dev loss").expect("an epoch").1 < 1e-28);
    assert_eq!(trainer.evaluator().run(&params, &data).expect("runs").outputs.dtype(), DType::F64);
}

#[test]
fn what_makes_no_step_is_refused() {
    let refused = |learning: for<'g> fn(&Scope<'g>, &[Var<'g>]) -> Learning<'g>, words: &[&str]| {
        let error =
            Step::builder().record(Params::new(), &inputs(), learning).map(drop).expect_err("no step");
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        error
    };
    refused(
        |s, b| Learning::of(Goal::new("one", line(s, "a", b[0]).mean(..), Sgd::new(0.1)).at("b")),
        &["Goal::at", "`b`", "a.weight"],
    );
    refused(
        |s, b| {
            let (a, c) = (line(s, "a", b[0]), line(s, "c", b[0]));
            Learning::of(Goal::new("one", (a + c).mean(..), Sgd::new(0.1)).at("a"))
        },
        &["`c.weight` learns from no goal", "freeze"],
    );
    refused(
        |s, b| {
            let a = line(s, "a", b[0]).mean(..);
            Learning::of(Goal::new("one", a, Sgd::new(0.1))).and(Goal::new("two", a, Sgd::new(0.1)))
        },
        &["`a.weight` learns from one and two"],
    );
    refused(
        |s, b| {
            let goal = Goal::new("one", line(s, "a", b[0]).mean(..), Sgd::new(0.1));
            Learning::of(goal.gradients(Ok(vec![b[0]])))
        },
        &["Goal::gradients", "`a.weight` (1, 1)", "(3, 1)"],
    );
    refused(|s, b| Learning::of(Goal::new("one", line(s, "a", b[0]), Sgd::new(0.1))), &["steps.rs:"]);
    refused(
        |s, b| Learning::of(Goal::new("one", line(s, "a", b[0]).mean(..), Sgd::new(-0.1))),
        &["rate", "-0.1"],
    );
    refused(
        |s, b| {
            let _ = line(s, "unused", b[0]);
            Learning::of(Goal::new("one", line(s, "a", b[0]).mean(..), Sgd::new(0.1)))
        },
        &["`unused.weight`", "Learning::freeze"],
    );
    let mut step = Step::builder()
        .record(Params::new(), &inputs(), |s, b| {
            let z = line(s, "a", b[0]) + line(s, "c", b[0]);
            Learning::of(Goal::new("one", (z - b[1]).square().mean(..), Sgd::new(0.1))).freeze("c")
        })
        .expect("a step");
    step.run(&inputs()).expect("runs");
    assert_eq!(number(&step.params(), "c.weight"), 0.5);
    assert_ne!(number(&step.params(), "a.weight"), 0.5);
    assert!(matches!(step.run(&[Tensor::from([1.0_f32])]), Err(Error::Graph(_))));
    let other: Params = [("a.weight", Tensor::from([[9.0_f32]]))].into_iter().collect();
    step.set_params(&other).expect("of this shape");
    assert_eq!(number(&step.params(), "a.weight"), 9.0);
    let wrong: Params = [("a.weight", Tensor::from([9.0_f32]))].into_iter().collect();
    assert!(step.set_params(&wrong).is_err());
}

#[test]
fn each_goal_is_checked() {
    let mut params = Params::new();
    let reports = Step::builder()
        .check(&mut params, &inputs(), 4, |s, b| {
            let (a, c) = (line(s, "a", b[0]).tanh(), line(s, "c", b[0]).sigmoid());
            Learning::of(Goal::new("first", (a * c).mean(..), Sgd::new(0.1)).at("a"))
                .and(Goal::new("second", (a - c).square().mean(..), Sgd::new(0.1)).at("c"))
        })
        .expect("sound");
    let told: Vec<(&str, bool)> = reports.iter().map(|(name, r)| (name.as_str(), r.is_fine())).collect();
    assert_eq!(told, [("first", true), ("second", true)]);
    assert_eq!(params.len(), 4);
}
