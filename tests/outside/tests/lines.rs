//! The library names lines of this crate, never its own, however a model, a loss, an optimiser or a rule is written.

use chainrule::data::Dataset;
use chainrule::graph::{Origin, Phase, Precision};
use chainrule::nn::Error;
use chainrule::prelude::*;
use chainrule::progress::Silent;
use outside::*;

const FILE: &str = "lib.rs";

fn data() -> Dataset {
    let features = Tensor::uniform(Key::new(1), [6, 4], -1.0..1.0, DType::F32).expect("a range");
    let labels = Tensor::from([0_i64, 1, 2, 0, 1, 2]);
    Dataset::classification(features, labels, 3).expect("six examples of three classes")
}

fn with<R>(fault: Fault, f: impl FnOnce() -> R) -> R {
    FAULT.set(fault);
    let made = f();
    FAULT.set(Fault::None);
    made
}

#[track_caller]
fn is_at(what: &str, origin: &Origin, line: u32) {
    let at = origin.location;
    assert!(at.file().ends_with(FILE) && at.line() == line, "{what}: {origin}, not line {line}");
}

#[track_caller]
fn nothing_of_the_library(what: &str, text: &str) {
    assert!(
        !text.contains("crates/") && !text.contains("/rustc/") && !text.contains("library/core"),
        "{what}:\n{text}"
    );
}

/// Error, culprit, anomaly, what backward keeps and the picture name the line marked `mark`.
fn names<M: Layer, L: Loss>(mark: &str, make: impl Fn() -> (M, L)) {
    let line = line(mark);
    let data = data();
    let trainer = |anomaly| {
        let (model, loss) = make();
        Trainer::new(model, loss).epochs(1).anomaly(anomaly)
    };

    let refused = with(Fault::Shape, || trainer(false).fit(&mut Params::new(), &data, None, &mut Silent));
    let Error::Graph(error) = refused.expect_err("shapes that do not fit") else {
        panic!("{mark}: no error of the graph")
    };
    is_at(&format!("{mark}, error"), error.at().expect("a place"), line);
    nothing_of_the_library(mark, &error.to_string());

    let report =
        with(Fault::Wrong, || trainer(false).check(&mut Params::new(), &data, 20)).expect("a report");
    let culprit = report.culprits.first().unwrap_or_else(|| panic!("{mark}: no culprit in\n{report}"));
    assert_eq!(culprit.op, "tripled");
    is_at(&format!("{mark}, culprit"), &culprit.origin, line);
    nothing_of_the_library(mark, &report.to_string());

    let stopped = with(Fault::Infinity, || trainer(true).fit(&mut Params::new(), &data, None, &mut Silent));
    let Error::Anomaly { error, .. } = stopped.expect_err("infinities") else { panic!("{mark}: no anomaly") };
    is_at(&format!("{mark}, anomaly"), error.at().expect("a place"), line);
    nothing_of_the_library(mark, &error.to_string());

    let g = Graph::new();
    let (model, loss) = make();
    let s = Scope::root(&g, Params::new(), Mode::Train, 1);
    let (x, y) = (g.constant(data.features().clone()), g.constant(data.targets().clone()));
    let cost = loss.of(model.forward(&s, x), y);
    let parameters: Vec<Var<'_>> = s.traced().into_iter().map(|(_, p)| p).collect();
    let gradients = cost.grad(&parameters).expect("connected");
    let saved = g.saved_for_backward(&gradients, Precision::F32).expect("values");
    let kept = saved.values.iter().find(|v| v.op == "tanh").unwrap_or_else(|| panic!("{mark}: {saved}"));
    is_at(&format!("{mark}, kept"), &kept.origin, line);
    nothing_of_the_library(mark, &saved.to_string());
    let picture = g.picture(&[cost]).svg().expect("a picture");
    assert!(picture.contains(&format!("{FILE}:{line}<")), "{mark}: no line {line} in the picture");
    for node in g.nodes() {
        nothing_of_the_library(mark, &format!("{} {}", node.op.name(), node.origin));
    }
}

use chainrule::loss::softmax_cross_entropy as entropy;

#[test]
fn of_models() {
    names("function", || (function, entropy));
    names("struct", || (Struct { width: 5 }, entropy));
    names("closure", || (closure(5), entropy));
    names("block", || (Residual(Block), sum_of_squares));
    names("block", || (Residual(Residual(Block)), sum_of_squares));
    names("block", || {
        (Chain(vec![Box::new(Linear::new(4)), Box::new(Block), Box::new(Linear::new(3))]), entropy)
    });
    let boxed = || -> Box<dyn Layer> { Box::new(Struct { width: 5 }) };
    names("struct", || (Chain(vec![boxed()]), entropy));
}

fn sum_of_squares<'g>(z: Var<'g>, y: Var<'g>) -> Var<'g> {
    (z.square().sum(..) + y.real().sum(..)) * 0.1
}

#[test]
fn of_losses() {
    names("loss_function", || (plain, loss_function));
    names("loss_struct", || (plain, LossStruct));
    names("loss_closure", || (plain, loss_closure(2.0)));
    let pointer: for<'g> fn(Var<'g>, Var<'g>) -> Var<'g> = loss_function;
    names("loss_function", || (Linear::new(3), pointer));
}

#[test]
fn of_optimisers() {
    let line = line("optimiser");
    let trainer = || Trainer::new(plain, entropy).optimiser(SignDescent).epochs(1);
    let refused = with(Fault::Shape, || trainer().fit(&mut Params::new(), &data(), None, &mut Silent));
    let Error::Graph(error) = refused.expect_err("shapes that do not fit") else {
        panic!("no error of the graph")
    };
    is_at("error", error.at().expect("a place"), line);
    let stopped =
        with(Fault::Infinity, || trainer().anomaly(true).fit(&mut Params::new(), &data(), None, &mut Silent));
    let Error::Anomaly { error, .. } = stopped.expect_err("infinities") else { panic!("no anomaly") };
    is_at("anomaly", error.at().expect("a place"), line);
    let plan = plan_of(trainer());
    assert!(plan.contains(&format!("{FILE}:{line}:")), "{plan}");
}

fn plan_of<M: Layer, L: Loss>(trainer: Trainer<M, L>) -> String {
    let batch = data().batches(6).expect("a size").next().expect("a batch");
    let plan = trainer.step(Params::new(), &batch, 6).expect("a step").plan().to_string();
    nothing_of_the_library("plan", &plan);
    plan
}

/// What the library records for itself has the line where the user asked for it.
#[test]
fn of_parts_of_the_library() {
    let step = |line: u32, plan: &str| {
        assert!(plan.contains(&format!("lines.rs:{line}:")), "line {line} is not in\n{plan}")
    };
    let (trainer, at) = (Trainer::new(plain, entropy).optimiser(Adam::new(0.1)), line!());
    step(at, &plan_of(trainer));
    let (trainer, at) = (Trainer::new(Linear::new(3), entropy).optimiser(Momentum::new(0.1)), line!());
    step(at, &plan_of(trainer.penalty(Penalty::l2(0.1))));
    plan_of(Trainer::new(Chain(vec![Box::new(Dropout::keep(0.5)), Box::new(Linear::new(3))]), entropy));

    let at = line("chain");
    let wrong = Trainer::new(Chain(vec![Box::new(Dropout::keep(2.0)), Box::new(Linear::new(3))]), entropy);
    let refused = wrong.fit(&mut Params::new(), &data(), None, &mut Silent).expect_err("keep = 2");
    assert!(
        refused.to_string().contains(&format!("--> src/lib.rs:{at}:"))
            || refused.to_string().contains(&format!("lib.rs:{at}:")),
        "{refused}"
    );
    nothing_of_the_library("dropout", &refused.to_string());

    let g = Graph::new();
    let s = Scope::root(&g, Params::new(), Mode::Train, 1);
    let x = g.constant(data().features().clone());
    let y = activated(&s, x, Var::relu);
    is_at("activation", &y.origin(), line("activated"));
    let summary = Summary::of(&Dropout::keep(2.0), &Params::new(), [4]).expect_err("keep = 2").to_string();
    assert!(summary.contains(&format!("lines.rs:{}:", line!() - 1)), "{summary}");
}

type Rule = for<'g> fn(Var<'g>) -> Var<'g>;

#[test]
fn of_rules() {
    let rules: [(&str, Rule); 3] =
        [("vjp", by_vjp), ("jvp", by_jvp), ("custom_op", |x| x.graph().custom(Sine, &[x]))];
    for (mark, rule) in rules {
        let line = line(mark);
        let gradient = |fault| {
            with(fault, || {
                let g = Graph::new();
                let x = g.leaf("x", Tensor::full([2, 3], 0.5_f32));
                let d = rule(x).sum(..).grad(&[x])?[0];
                for node in g.nodes() {
                    nothing_of_the_library(mark, &format!("{} {}", node.op.name(), node.origin));
                }
                let made = g.nodes().into_iter().find(|n| n.op.name() == "tanh").map(|n| n.origin);
                g.compiler(&[], &[d]).anomaly(true).build()?.run(&[]).map(|_| made)
            })
        };
        let error = gradient(Fault::Shape).expect_err("shapes that do not fit");
        is_at(&format!("{mark}, error"), error.at().expect("a place"), line);
        nothing_of_the_library(mark, &error.to_string());
        let error = gradient(Fault::Infinity).expect_err("infinities");
        is_at(&format!("{mark}, anomaly"), error.at().expect("a place"), line);
        let made = gradient(Fault::None).expect("a value").expect("tanh is recorded");
        is_at(&format!("{mark}, node"), &made, line);
        assert_ne!(made.phase, Phase::Forward);

        // A rule that is wrong itself is blamed where it is applied.
        let g = Graph::new();
        let x = g.leaf("x", Tensor::full([2, 3], 0.5_f64));
        let cost = rule(x).sum(..);
        let report = chainrule::graph::check::Checker::default().check(cost, &[x]).expect("a report");
        assert_eq!(report.culprits[0].op, "sine", "{report}");
        nothing_of_the_library(mark, &report.to_string());
    }
}
