use chainrule::data::{Batch, Dataset, Standardize, iris};
use chainrule::loss::{binary_cross_entropy_with_logits, mean_squared_error, softmax_cross_entropy};
use chainrule::nn::{Error, optim::Optimiser};
use chainrule::prelude::*;
use chainrule::progress::Silent;
use chainrule::tensor::kernels::threads::set_threads;

pub(crate) fn flowers() -> Dataset {
    let data = iris().expect("embedded");
    Standardize::fit(&data).and_then(|s| s.apply(&data)).expect("finite")
}

pub(crate) fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let h = Linear::new(16).forward(&s.at("hidden"), x).relu();
    let h = Dropout::keep(0.8).forward(&s.at("drop"), h);
    Linear::new(3).forward(&s.at("output"), h)
}

pub(crate) fn bits(params: &Params) -> Vec<(String, Vec<u32>)> {
    let of = |t: &Tensor| t.to_vec::<f32>().expect("f32").into_iter().map(f32::to_bits).collect();
    params.iter().map(|(path, t)| (path.to_string(), of(t))).collect()
}

fn train(seed: u64) -> Params {
    let mut params = Params::new();
    let trainer = Trainer::new(model, softmax_cross_entropy).epochs(3).batch_size(32).seed(seed);
    trainer.fit(&mut params, &flowers(), None, &mut Silent).expect("trains");
    params
}

/// A network wide enough for kernels to use a second thread.
#[test]
fn the_same_seed_gives_the_same_bits_with_any_number_of_threads() {
    fn wide<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let h = Linear::new(900).forward(&s.at("one"), x).tanh();
        let h = Linear::new(700).forward(&s.at("two"), h).relu();
        Linear::new(10).forward(&s.at("three"), h)
    }
    let key = Key::new(3);
    let x = Tensor::normal(key, [256, 300], 0.0, 1.0, DType::F32).expect("normal");
    let y = Tensor::from((0..256).map(|i| i % 10).collect::<Vec<i64>>());
    let batch = Batch { features: x, targets: y };
    let _turn = crate::alone();
    let run = |threads| {
        set_threads(threads);
        let mut step =
            Trainer::new(wide, softmax_cross_entropy).step(Params::new(), &batch, 256).expect("compiles");
        let losses: Vec<u64> = (0..3).map(|_| step.run(&batch).expect("runs").to_bits()).collect();
        (losses, bits(&step.params()))
    };
    let one = run(1);
    assert!(one == run(2) && one == run(3) && one == run(1));
    set_threads(2);
    assert_eq!(bits(&train(1)), bits(&train(1)));
    assert_ne!(bits(&train(1)), bits(&train(2)));
}

#[test]
fn dropout_is_checkable_and_off_outside_training() {
    let mut params = Params::new();
    let trainer = Trainer::new(model, softmax_cross_entropy).penalty(Penalty { l1: 0.1, l2: 0.3 }).seed(5);
    let few = flowers().select(&[0, 20, 60, 80, 110, 140]).expect("rows");
    let report = trainer.check(&mut params, &few, usize::MAX).expect("connected");
    assert!(report.is_fine(), "{report}");
    assert_eq!(report.parameters.len(), 4);

    let outputs = |mode, seed| {
        let g = Graph::new();
        let scope = Scope::root(&g, params.clone(), mode, seed);
        model(&scope, g.constant(few.features().clone())).value().expect("a value")
    };
    assert_eq!(outputs(Mode::Train, 1), outputs(Mode::Train, 1));
    assert_ne!(outputs(Mode::Train, 1), outputs(Mode::Train, 2));
    assert_eq!(outputs(Mode::Evaluate, 1), outputs(Mode::Evaluate, 2));
}

#[test]
fn a_parameter_that_the_loss_ignores_stops_training_before_it_starts() {
    fn forgetful<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let frozen = Linear::new(3).forward(&s.at("frozen"), x).stop_gradient();
        let y = Linear::new(3).forward(&s.at("used"), x);
        y + frozen
    }
    let trainer = Trainer::new(forgetful, softmax_cross_entropy);
    let error = trainer.fit(&mut Params::new(), &flowers(), None, &mut Silent).expect_err("frozen.weight");
    let text = error.to_string();
    assert!(
        text.contains("`frozen.weight` does not reach the output") && text.contains("stop_gradient"),
        "{text}"
    );
    assert!(text.contains("training.rs:"), "{text}");
}

/// One parameter, one example: ŷ = w x, loss (w x − y)².
fn follow(optimiser: impl Optimiser + 'static, mut by_hand: impl FnMut(usize, f64, f64) -> f64) {
    fn line<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        Linear::new(1).without_bias().init(Init::Constant(0.5)).forward(s, x)
    }
    let batch = Batch { features: Tensor::from([[2.0_f32]]), targets: Tensor::from([[3.0_f32]]) };
    let trainer = Trainer::new(line, mean_squared_error).optimiser(optimiser);
    let mut step = trainer.step(Params::new(), &batch, 1).expect("compiles");
    let mut w = 0.5_f64;
    for t in 1..=20 {
        step.run(&batch).expect("runs");
        w = by_hand(t, w, 2.0 * (w * 2.0 - 3.0) * 2.0);
        let found =
            f64::from(step.params().get("weight").expect("the weight").to_vec::<f32>().expect("f32")[0]);
        assert!((found - w).abs() < 2e-5, "step {t}: {found} against {w}");
    }
}

#[test]
fn optimisers_follow_their_papers() {
    follow(Sgd::new(0.05), |_, w, d| w - 0.05 * d);
    let mut v = 0.0;
    follow(Momentum { beta: 0.8, ..Momentum::new(0.02) }, move |_, w, d| {
        v = 0.8 * v + d;
        w - 0.02 * v
    });
    let (mut m, mut s) = (0.0, 0.0);
    follow(Adam::new(0.1), move |t, w, d| {
        m = 0.9 * m + 0.1 * d;
        s = 0.999 * s + 0.001 * d * d;
        let (m, s) = (m / (1.0 - 0.9_f64.powi(t as i32)), s / (1.0 - 0.999_f64.powi(t as i32)));
        w - 0.1 * m / (s.sqrt() + 1e-8)
    });
}

#[test]
fn a_step_goes_on_from_its_state() {
    let data = flowers();
    let batch = data.batches(32).expect("a size").next().expect("a batch");
    let trainer = Trainer::new(model, softmax_cross_entropy).seed(9);
    let mut whole = trainer.step(Params::new(), &batch, 150).expect("compiles");
    (0..3).for_each(|_| assert!(whole.run(&batch).expect("runs").is_finite()));
    let mut resumed = trainer.step(Params::new(), &batch, 150).expect("compiles");
    resumed.set_state(&whole.state()).expect("of the same training");
    for _ in 0..3 {
        assert_eq!(whole.run(&batch).expect("runs").to_bits(), resumed.run(&batch).expect("runs").to_bits());
    }
    assert_eq!(bits(&whole.params()), bits(&resumed.params()));
}

#[test]
fn a_short_last_batch_is_trained_on_too() {
    // 150 flowers in batches of 64: two plans that hand their state over.
    let mut params = Params::new();
    let trainer =
        Trainer::new(model, softmax_cross_entropy).optimiser(Adam::new(0.02)).epochs(20).batch_size(64);
    let history = trainer.fit(&mut params, &flowers(), Some(&flowers()), &mut Silent).expect("trains");
    assert!(history.last("dev accuracy").expect("20 epochs").1 > 0.9, "{}", history.to_csv());
}

#[test]
fn a_diverging_loss_stops_training_and_keeps_the_last_good_parameters() {
    fn line<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        Linear::new(1).forward(s, x)
    }
    let x = Tensor::from([[1.0_f32], [2.0], [3.0], [4.0]]);
    let y = Tensor::from([[1.0_f32], [2.0], [3.0], [4.0]]);
    let data = Dataset::regression(x, y).expect("paired");
    let mut params = Params::new();
    let trainer = Trainer::new(line, mean_squared_error).optimiser(Sgd::new(1e6)).epochs(100);
    let error = trainer.fit(&mut params, &data, None, &mut Silent).expect_err("far too fast");
    assert!(matches!(error, Error::Diverged { epoch, .. } if epoch > 1), "{error}");
    assert!(params.iter().all(|(_, t)| t.to_vec::<f32>().expect("f32").iter().all(|x| x.is_finite())));
}

#[test]
fn a_last_step_too_far_is_an_error_too() {
    fn line<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        Linear::new(1).forward(&s.at("slope"), x)
    }
    let x = Tensor::from([[1e3_f32], [2e3]]);
    let data = Dataset::regression(x.clone(), x).expect("paired");
    let mut params = Params::new();
    // One step, whose loss is that before it.
    let trainer = Trainer::new(line, mean_squared_error).optimiser(Sgd::new(1e38)).epochs(1).batch_size(2);
    let error = trainer.fit(&mut params, &data, None, &mut Silent).expect_err("infinitely far");
    assert!(
        matches!(&error, Error::Overshot { epoch: 1, parameter } if parameter == "slope.weight"),
        "{error}"
    );
    assert!(params.is_empty(), "no epoch came to its end");
}

#[test]
fn hyperparameters_that_make_no_sense_are_refused_before_the_first_step() {
    fn refused(trainer: Trainer<impl Layer, impl Loss>) {
        let data = flowers();
        let mut params = Params::new();
        let error = trainer.fit(&mut params, &data, None, &mut Silent).expect_err("no sense");
        assert!(matches!(error, Error::Argument { .. }), "{error}");
        let batch = data.batches(10).expect("a size").next().expect("a batch");
        assert!(trainer.step(Params::new(), &batch, 150).is_err() && params.is_empty());
    }
    let trainer = || Trainer::new(model, softmax_cross_entropy).epochs(1);
    for wrong in [-0.1, f64::NAN, f64::INFINITY, 1e300] {
        refused(trainer().optimiser(Sgd::new(wrong)));
        refused(trainer().optimiser(Momentum::new(wrong)));
        refused(trainer().optimiser(Adam::new(wrong)));
        refused(trainer().optimiser(Momentum { beta: wrong, ..Momentum::new(0.1) }));
        refused(trainer().optimiser(Adam { beta1: wrong, ..Adam::new(0.1) }));
        refused(trainer().optimiser(Adam { beta2: wrong, ..Adam::new(0.1) }));
        refused(trainer().optimiser(Adam { epsilon: wrong, ..Adam::new(0.1) }));
        refused(trainer().penalty(Penalty::l1(wrong)));
        refused(trainer().penalty(Penalty::l2(wrong)));
    }
    refused(trainer().optimiser(Adam { beta1: 1.0, ..Adam::new(0.1) }));
    trainer()
        .optimiser(Sgd::new(0.0))
        .fit(&mut Params::new(), &flowers(), None, &mut Silent)
        .expect("no move");
}

#[test]
fn a_parameter_that_only_the_penalty_uses_is_refused() {
    fn forgetful<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let _ = Linear::new(5).forward(&s.at("forgotten"), x);
        Linear::new(1).forward(&s.at("slope"), x)
    }
    let x = Tensor::from([[1.0_f32], [2.0]]);
    let data = Dataset::regression(x.clone(), x).expect("paired");
    for penalty in [Penalty::NONE, Penalty::l2(0.1), Penalty::l1(0.1)] {
        let trainer = Trainer::new(forgetful, mean_squared_error).penalty(penalty);
        let error =
            trainer.fit(&mut Params::new(), &data, None, &mut Silent).expect_err("forgotten").to_string();
        assert!(error.contains("`forgotten.weight`") && error.contains("do not make it"), "{error}");
    }
}

#[test]
fn anomaly_mode_names_the_operation_the_line_and_the_batch() {
    fn line<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        Linear::new(1).forward(&s.at("slope"), x)
    }
    let at = line!() + 2;
    fn cost<'g>(prediction: Var<'g>, target: Var<'g>) -> Var<'g> {
        (prediction - target).square().mean(..)
    }
    let x = Tensor::from([[1.0_f32], [2.0], [3.0], [4.0]]);
    let data = Dataset::regression(x.clone(), x).expect("paired");
    let trainer = Trainer::new(line, cost).optimiser(Sgd::new(1e6)).epochs(100).batch_size(2);
    let mut params = Params::new();
    let error = trainer.anomaly(true).fit(&mut params, &data, None, &mut Silent).expect_err("far too fast");
    let Error::Anomaly { epoch, batch: 1 | 2, error } = &error else { panic!("{error}") };
    assert!(*epoch > 1);
    let text = error.to_string();
    assert!(text.contains("[square] (mul) makes an infinity") && text.contains("overflow"), "{text}");
    assert!(text.contains(&format!("training.rs:{at}")), "{text}");
}

#[test]
fn losses_refuse_to_broadcast() {
    let g = Graph::new();
    let (column, flat) = (g.leaf("z", [[1.0], [2.0]]), g.constant([1.0, 0.0]));
    let labels = g.constant([[0_i64], [1]]);
    let losses = [
        binary_cross_entropy_with_logits(column, flat),
        chainrule::loss::binary_cross_entropy(column, flat),
        mean_squared_error(column, flat),
        softmax_cross_entropy(column, labels),
        softmax_cross_entropy(column, flat),
    ];
    for loss in losses {
        let text = loss.value().expect_err("(2, 1) against (2,)").to_string();
        assert!(text.contains("(2, 1)") && text.contains("training.rs:"), "{text}");
    }
}

/// Each dropout at a place and each example has a mask of its own; the first at a place has the mask that it had when
/// it was alone there.
#[test]
fn no_two_dropouts_share_a_mask() {
    let g = Graph::new();
    let s = Scope::root(&g, Params::new(), Mode::Train, 1);
    let x = g.constant(Tensor::ones([3, 40], DType::F32));
    let dropped = |s: &Scope<'_>| {
        let g = s.graph();
        let x = g.constant(Tensor::ones([3, 40], DType::F32));
        Dropout::keep(0.5).forward(&s.at("drop"), x).value().expect("a value")
    };
    let (first, second, third) = (dropped(&s), dropped(&s), dropped(&s));
    assert!(first != second && second != third && first != third);
    let key = g.constant(Tensor::from([1_i64, 0]));
    let alone = key.uniform("drop", [3, 40]).less(0.5).select(x * 2.0, 0.0);
    assert_eq!(first, alone.value().expect("a value"));
    let again = Scope::root(&g, Params::new(), Mode::Train, 1);
    assert_eq!([first, second], [dropped(&again), dropped(&again)]);

    let rows = vmap(&[x], |e| Ok(vec![Dropout::keep(0.5).forward(&s.at("rows"), e[0])])).expect("three rows");
    let row = |i: usize| rows[0].slice(0, i..i + 1).value().expect("a value");
    assert!(row(0) != row(1) && row(1) != row(2) && row(0) != row(2));
}

#[test]
fn what_is_frozen_stays_and_the_rest_learns_as_if_it_were_data() {
    let data = flowers();
    let trainer = || Trainer::new(model, softmax_cross_entropy).epochs(2).batch_size(40).seed(3);
    let mut given = Params::new();
    trainer().fit(&mut given, &data, None, &mut Silent).expect("trains");
    for (frozen, stays) in
        [("hidden", vec!["hidden.weight", "hidden.bias"]), ("hidden.bias", vec!["hidden.bias"])]
    {
        let mut params = given.clone();
        let trainer = trainer().penalty(Penalty::l2(0.5)).freeze(frozen);
        trainer.fit(&mut params, &data, None, &mut Silent).expect("trains");
        for (path, value) in params.iter() {
            assert_eq!(given.get(path) == Some(value), stays.contains(&path), "{path}, frozen {frozen}");
        }
        let report =
            trainer.check(&mut params, &data.select(&[0, 60, 120]).expect("rows"), 4).expect("connected");
        assert_eq!(report.parameters.len(), 4 - stays.len());
        let frozen_all =
            Trainer::new(model, softmax_cross_entropy).epochs(1).freeze("hidden").freeze("output");
        let before = params.clone();
        frozen_all.fit(&mut params, &data, None, &mut Silent).expect("nothing to learn");
        assert_eq!(params, before);
    }
}

#[test]
fn closures_are_models_and_losses() {
    let (width, scale) = (8, 0.5);
    let model = layer(|s, x| {
        let h = Linear::new(width).forward(&s.at("hidden"), x).tanh();
        Linear::new(3).forward(&s.at("output"), h)
    });
    let loss = chainrule::loss::from_fn(|z, y| softmax_cross_entropy(z, y) * scale);
    let trainer = Trainer::new(model, loss).epochs(2);
    let mut params = Params::new();
    trainer.fit(&mut params, &flowers(), None, &mut Silent).expect("trains");
    assert_eq!(params.count(), 4 * 8 + 8 + 8 * 3 + 3);
}

/// More examples than one batch of the evaluator holds, so that two plans are at work.
#[test]
fn losses_of_examples_are_those_of_each_alone() {
    fn regression<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        Linear::new(2).forward(&s.at("line"), x)
    }
    fn alone<M: Layer, L: Loss>(trainer: &Trainer<M, L>, data: &Dataset) {
        let mut params = Params::new();
        trainer.fit(&mut params, data, None, &mut Silent).expect("trains");
        let (mut evaluator, mut one) = (trainer.evaluator(), trainer.evaluator());
        let losses = evaluator.losses(&params, data).expect("measures");
        assert_eq!(losses.len(), data.examples());
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        assert!(
            (mean - evaluator.run(&params, data).expect("measures").loss).abs() < 1e-6 * mean.abs().max(1.0)
        );
        for i in (0..losses.len()).step_by(37) {
            let example = data.select(&[i]).expect("a row");
            let right = one.run(&params, &example).expect("measures").loss;
            assert!(
                (losses[i] - right).abs() <= 1e-6 * right.abs().max(1.0),
                "{i}: {} and {right}",
                losses[i]
            );
        }
    }
    let flowers = flowers().select(&(0..600).map(|i| i * 7 % 150).collect::<Vec<_>>()).expect("rows");
    alone(&Trainer::new(model, softmax_cross_entropy).epochs(2), &flowers);
    let numbers = flowers.features().slice(1, 0..2, 1).expect("columns");
    let numbers = Dataset::regression(flowers.features().clone(), numbers).expect("pairs");
    alone(&Trainer::new(regression, mean_squared_error).epochs(2), &numbers);

    // An output without the examples' axis has no loss for each.
    let whole = layer(|s, x| Linear::new(1).forward(s, x).mean(..));
    let trainer = Trainer::new(whole, chainrule::loss::from_fn(|z, _| z)).epochs(1);
    let mut params = Params::new();
    trainer.fit(&mut params, &numbers, None, &mut Silent).expect("trains");
    let error = trainer.evaluator().losses(&params, &numbers).unwrap_err().to_string();
    assert!(error.contains("has no axis to map over"), "{error}");
}
