use std::fs;
use std::path::Path;

use chainrule::data::{Dataset, iris};
use chainrule::graph::Precision;
use chainrule::loss::{CrossEntropy, mean_squared_error, softmax_cross_entropy};
use chainrule::nn::{Error, GroupNorm, LayerNorm, Recurrent};
use chainrule::prelude::*;
use chainrule::progress::Silent;

/// Everything but batch statistics: sequences of 6 steps with 4 features.
fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let h = Recurrent::gru(5).forward(&s.at("gru"), x);
    let h = LayerNorm::new().forward(&s.at("norm"), h);
    let h = Conv::new(6, [3]).forward(&s.at("conv"), h).relu();
    let h = GroupNorm::new(2).forward(&s.at("group"), h);
    Linear::new(3).forward(&s.at("output"), h.mean(1))
}

fn examples(m: usize) -> [Tensor; 2] {
    let x = Tensor::normal(Key::new(1), [m, 6, 4], 0.0, 1.0, DType::F32).expect("normal");
    [x, Tensor::from((0..m as i64).map(|i| i % 3).collect::<Vec<_>>())]
}

fn rows(examples: &[Tensor; 2], from: usize, to: usize) -> [Tensor; 2] {
    examples.each_ref().map(|x| x.slice(0, from as isize..to as isize, 1).expect("rows"))
}

const PARTS: [(usize, usize); 3] = [(0, 8), (8, 16), (16, 21)];

fn share((from, to): (usize, usize)) -> f64 {
    (to - from) as f64 / 21.0
}

/// Twenty steps in parts, as bits.
fn in_parts(precision: Precision) -> Params {
    let all = examples(21);
    let step = |range: (usize, usize)| {
        let builder = Step::builder().seed(3).precision(precision).in_parts(true);
        let step = builder.record(Params::new(), &rows(&all, range.0, range.1), |s, x| {
            let loss = softmax_cross_entropy(model(s, x[0]), x[1]);
            Learning::of(Goal::new("loss", loss, Adam::new(0.01)))
        });
        step.expect("a step")
    };
    let mut steps = [step((0, 8)), step((16, 21))];
    for _ in 0..20 {
        for (i, range) in PARTS.into_iter().enumerate() {
            let [full, short] = &mut steps;
            let last = i == 2;
            if last {
                short.set_state(&full.state()).expect("the same training");
            }
            let step = if last { &mut *short } else { &mut *full };
            step.part(&rows(&all, range.0, range.1), share(range), last).expect("runs");
        }
        let [full, short] = &mut steps;
        full.set_state(&short.state()).expect("the same training");
    }
    steps[0].params()
}

/// Twenty steps of one plan over all examples, which sums over them in one go, or part by part.
fn at_once(precision: Precision, by_parts: bool) -> Params {
    let all = examples(21);
    let builder = Step::builder().seed(3).precision(precision);
    let step = builder.record(Params::new(), &all, |s, x| {
        let loss = softmax_cross_entropy(model(s, x[0]), x[1]);
        if !by_parts {
            return Learning::of(Goal::new("loss", loss, Adam::new(0.01)));
        }
        let again = |(from, to): (usize, usize)| {
            let [x, y] = [x[0].slice(0, from..to), x[1].slice(0, from..to)];
            let vars: Vec<Var<'_>> = s.traced().into_iter().map(|(_, var)| var).collect();
            let gradients = softmax_cross_entropy(model(&s.shared(), x), y).grad(&vars)?;
            Ok(gradients.into_iter().map(|g| g * share((from, to))).collect())
        };
        let parts: Result<Vec<Vec<Var<'_>>>, chainrule::graph::Error> =
            PARTS.into_iter().map(again).collect();
        let sum =
            parts.map(|parts| (0..parts[0].len()).map(|i| parts[0][i] + parts[1][i] + parts[2][i]).collect());
        Learning::of(Goal::new("loss", loss, Adam::new(0.01)).gradients(sum))
    });
    let mut step = step.expect("a step");
    for _ in 0..20 {
        step.run(&all).expect("runs");
    }
    step.params()
}

#[test]
fn parts_have_the_bits_of_one_step_that_sums_part_by_part() {
    for precision in [Precision::F32, Precision::F64] {
        assert!(in_parts(precision) == at_once(precision, true));
    }
}

#[test]
fn parts_differ_from_a_sum_in_one_go_by_rounding_alone() {
    let worst = |precision, by_parts| {
        let (a, b) = (in_parts(precision), at_once(precision, by_parts));
        let of = |params: &Params| -> Vec<f64> {
            params.iter().flat_map(|(_, v)| v.cast(DType::F64).to_vec::<f64>().expect("numbers")).collect()
        };
        of(&a).into_iter().zip(of(&b)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    // Adam divides by gradients, so that after twenty steps of 0.01 the differences are a thousand roundings.
    let (narrow, wide) = (worst(Precision::F32, false), worst(Precision::F64, false));
    println!("f32 {narrow:.1e}, f64 {wide:.1e}");
    assert!(narrow < 1e-4 && wide < 1e-12, "{narrow:e} {wide:e}");
}

fn line<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    Linear::new(3).forward(&s.at("output"), x)
}

/// With plain descent the parameters after one step tell the gradient.
#[test]
fn every_example_counts_the_same_whatever_the_sizes() {
    let iris = iris().expect("embedded");
    let after = |batch: usize, accumulate: usize| {
        let trainer = Trainer::new(line, softmax_cross_entropy).optimiser(Sgd::new(0.1)).epochs(1);
        let trainer = trainer.batch_size(batch).accumulate(accumulate).precision(Precision::F64);
        let mut params = Params::new();
        trainer.fit(&mut params, &iris, None, &mut Silent).expect("trains");
        params.iter().flat_map(|(_, v)| v.to_vec::<f64>().expect("f64")).collect::<Vec<f64>>()
    };
    let whole = after(150, 1);
    for (batch, accumulate) in [(32, 5), (64, 3), (149, 2), (1, 150), (20, 100)] {
        for (a, b) in after(batch, accumulate).into_iter().zip(&whole) {
            assert!((a - b).abs() < 1e-13, "{batch} × {accumulate}: {a} against {b}");
        }
    }
    // Two steps, of 96 and 54 examples.
    for (a, b) in after(32, 3).into_iter().zip(after(96, 1)) {
        assert!((a - b).abs() < 1e-13, "{a} against {b}");
    }
}

#[test]
fn what_is_no_mean_over_examples_is_refused() {
    fn normed<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        line(s, BatchNorm::new().forward(&s.at("norm"), x))
    }
    fn centred<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        line(s, x - x.mean(keep(0)))
    }
    let iris = iris().expect("embedded");
    let refused = |error: Result<Params, Error>| {
        let error = error.expect_err("examples mix");
        assert!(matches!(error, Error::Argument { .. }), "{error}");
        error.to_string()
    };
    fn fit(trainer: Trainer<impl Layer, impl chainrule::nn::Loss>, data: &Dataset) -> Result<Params, Error> {
        let mut params = Params::new();
        let trainer = trainer.epochs(1).batch_size(16).accumulate(4);
        trainer.fit(&mut params, data, None, &mut Silent)?;
        Ok(params)
    }
    let text = refused(fit(Trainer::new(normed, softmax_cross_entropy), &iris));
    assert!(
        text.contains("`norm.running_mean` is made of a whole batch") && text.contains("LayerNorm"),
        "{text}"
    );
    let text = refused(fit(Trainer::new(centred, softmax_cross_entropy), &iris));
    assert!(text.contains("the loss of 8 examples is") && text.contains("mixes the examples"), "{text}");
    let weighted = CrossEntropy::new().weights([1.0, 2.0, 5.0]);
    let text = refused(fit(Trainer::new(line, weighted), &iris));
    assert!(text.contains("class weights"), "{text}");
    assert!(fit(Trainer::new(line, softmax_cross_entropy), &iris).is_ok());
    let none = Trainer::new(line, softmax_cross_entropy).accumulate(0);
    let text = refused(none.start(Params::new(), &iris, None).and_then(|mut run| {
        run.step()?;
        Ok(Params::new())
    }));
    assert!(text.contains("at least one batch"), "{text}");
    let mut plain = Step::builder()
        .record(Params::new(), &examples(4), |s, x| {
            Learning::of(Goal::new("loss", softmax_cross_entropy(model(s, x[0]), x[1]), Sgd::new(0.1)))
        })
        .expect("a step");
    let error = plain.part(&examples(4), 1.0, true).expect_err("at once").to_string();
    assert!(error.contains("StepBuilder::in_parts"), "{error}");
}

#[test]
fn each_part_draws_its_own_numbers() {
    let x = [Tensor::from([1.0_f32, 2.0])];
    let mut step = Step::builder()
        .in_parts(true)
        .record(Params::new(), &x, |s, x| {
            let w = s.param("w", [2], Init::Zeros);
            let drawn = s.uniform([4]);
            Learning::of(Goal::new("loss", (w * x[0]).sum(..), Sgd::new(0.1))).output("drawn", drawn)
        })
        .expect("a step");
    let mut seen: Vec<Vec<f32>> = Vec::new();
    for part in 0..6 {
        let before = step.params();
        step.part(&x, 0.5, part % 2 == 1).expect("runs");
        assert_eq!(step.params() == before, part % 2 == 0, "parameters move with the last part");
        let drawn = step.output("drawn").expect("an output").to_vec().expect("f32");
        assert!(!seen.contains(&drawn));
        seen.push(drawn);
    }
    let error = step.part(&x, 1.5, true).expect_err("more than all").to_string();
    assert!(error.contains("a share of 1.5"), "{error}");
}

fn dropped<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let h = Linear::new(8).forward(&s.at("hidden"), x).tanh();
    line(s, Dropout::keep(0.8).forward(&s.at("drop"), h))
}

fn saved(folder: &Path, accumulate: usize) -> Trainer<impl Layer, impl chainrule::nn::Loss> {
    Trainer::new(dropped, softmax_cross_entropy)
        .optimiser(Adam::new(0.01))
        .batch_size(16)
        .accumulate(accumulate)
        .epochs(3)
        .checkpoints(Checkpoints::to(folder).every(1))
}

#[test]
fn a_run_goes_on_from_within_a_step() {
    let iris = iris().expect("embedded");
    let [whole, part] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let mut end = Params::new();
    saved(whole.path(), 4).fit(&mut end, &iris, None, &mut Silent).expect("trains");
    // A new run for each of 30 batches, 4 to a step; an epoch has 10, so its third step has 2.
    for _ in 0..30 {
        let trainer = saved(part.path(), 4);
        let mut run = trainer.start(Params::new(), &iris, None).expect("goes on");
        let stepped = run.step().expect("runs").expect("not over");
        assert_eq!(stepped.updates, [4, 8, 10].contains(&stepped.batch));
    }
    let bytes = |folder: &Path| fs::read(folder.join("step-0000000030.safetensors")).expect("saved");
    assert!(bytes(whole.path()) == bytes(part.path()));
    let error = saved(part.path(), 5).start(Params::new(), &iris, None).map(drop).expect_err("other steps");
    assert!(
        error.to_string().contains("the number of batches a step is 5, that of the checkpoint 4"),
        "{error}"
    );
}

#[test]
fn penalties_count_once_a_step() {
    let iris = iris().expect("embedded");
    let after = |batch: usize, accumulate: usize| {
        let trainer =
            Trainer::new(line, mean_one_hot).optimiser(Sgd::new(0.1)).epochs(1).precision(Precision::F64);
        let trainer = trainer.penalty(Penalty { l1: 0.5, l2: 3.0 }).batch_size(batch).accumulate(accumulate);
        let mut params = Params::new();
        trainer.fit(&mut params, &iris, None, &mut Silent).expect("trains");
        params.get("output.weight").expect("a weight").to_vec::<f64>().expect("f64")
    };
    for (a, b) in after(50, 3).into_iter().zip(after(150, 1)) {
        assert!((a - b).abs() < 1e-13, "{a} against {b}");
    }
}

/// Classes as points of ones and zeros.
fn mean_one_hot<'g>(z: Var<'g>, y: Var<'g>) -> Var<'g> {
    mean_squared_error(z, y.one_hot(3))
}
