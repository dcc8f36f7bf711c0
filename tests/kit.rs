use chainrule::data::{Dataset, two_samples};
use chainrule::loss::softmax_cross_entropy;
use chainrule::nn::{Error, Stop};
use chainrule::optim::{Average, Dial, Lbfgs, Optimiser};
use chainrule::prelude::*;
use chainrule::progress::Silent;

use crate::training::{bits, flowers, model};

#[test]
fn looking_for_a_rate_leaves_model_randomness_data_and_dial_as_they_were() {
    let data = flowers();
    let before = data.clone();
    let rate = Dial::new(0.02);
    let trainer = || {
        Trainer::new(model, softmax_cross_entropy)
            .optimiser(Adam::new(&rate))
            .batch_size(32)
            .epochs(3)
            .seed(4)
    };
    let fit = |mut params: Params, trainer: Trainer<_, _>| {
        trainer.fit(&mut params, &data, None, &mut Silent).expect("trains");
        params
    };
    let fresh = fit(Params::new(), trainer());
    let (searching, params) = (trainer(), fit(Params::new(), trainer()));
    let copy = bits(&params);
    let found = searching.find_rate(&rate, 1e-5..100.0, &params, &data).expect("rates");
    assert!(
        found == searching.find_rate(&rate, 1e-5..100.0, &params, &data).expect("rates"),
        "the same each time"
    );
    assert_eq!(rate.get().to_bits(), 0.02_f64.to_bits());
    assert_eq!(bits(&params), copy);
    assert!(data == before);
    assert_eq!(bits(&fit(Params::new(), searching)), bits(&fresh));
    assert!(found.tried.len() <= 100 && found.tried.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert!(found.plot().draw().is_ok());
    // From nothing learnt there is something to find.
    let found = trainer().find_rate(&rate, 1e-5..100.0, &Params::new(), &data).expect("rates");
    let (steepest, lowest) = (found.steepest().expect("falls"), found.lowest().expect("rates"));
    assert!(steepest <= lowest && (1e-4..1.0).contains(&steepest), "{steepest} {lowest}");
    assert!(found.tried.len() < 100, "it stops where the loss explodes");
}

#[test]
fn rates_that_make_no_sense_are_refused() {
    let (data, rate) = (flowers(), Dial::new(0.1));
    let with = Trainer::new(model, softmax_cross_entropy).optimiser(Sgd::new(&rate));
    let without = Trainer::new(model, softmax_cross_entropy);
    let text = |trainer: &Trainer<_, _>, from: f64, to: f64| {
        trainer.find_rate(&rate, from..to, &Params::new(), &data).expect_err("refused").to_string()
    };
    assert!(text(&with, 0.0, 1.0).contains("positive and rising"));
    assert!(text(&with, 1.0, 0.1).contains("positive and rising"));
    assert!(text(&without, 0.1, 1.0).contains("does not ask this dial"));
    assert_eq!(rate.get(), 0.1);
}

#[test]
fn averages_are_measured_saved_and_resumed() {
    let data = flowers();
    let [train, dev] = data.split_stratified([0.7, 0.3], Key::new(2)).expect("splits");
    let folder = tempfile::tempdir().expect("a folder");
    let trainer = || {
        let optimiser = Momentum::new(0.3).then(Average::exponential(0.8));
        Trainer::new(model, softmax_cross_entropy).optimiser(optimiser).batch_size(16).epochs(4)
    };
    let mut params = Params::new();
    let history = trainer().fit(&mut params, &train, Some(&dev), &mut Silent).expect("trains");
    let plain =
        Trainer::new(model, softmax_cross_entropy).optimiser(Momentum::new(0.3)).batch_size(16).epochs(4);
    let mut last = Params::new();
    plain.fit(&mut last, &train, Some(&dev), &mut Silent).expect("trains");
    assert!(params != last);
    // What was measured is what is given.
    let measured = trainer().evaluator().run(&params, &dev).expect("measures").loss;
    assert_eq!(history.last("dev loss").map(|(_, loss)| loss), Some(measured));
    // The steps are those without averages.
    let averaging = trainer();
    let mut run = averaging.start(Params::new(), &train, None).expect("starts");
    while run.step().expect("runs").is_some() {}
    assert_eq!(bits(&run.latest().expect("a step").params()), bits(&last));
    // A run that is taken up again at each step has the same averages.
    for _ in 0..28 {
        let resumed = trainer().checkpoints(Checkpoints::to(folder.path()).every(1));
        let mut run = resumed.start(Params::new(), &train, Some(&dev)).expect("goes on");
        run.step().expect("runs");
    }
    let resumed = trainer().checkpoints(Checkpoints::to(folder.path()));
    let mut again = Params::new();
    resumed.fit(&mut again, &train, Some(&dev), &mut Silent).expect("is over");
    assert_eq!(bits(&again), bits(&params));
}

#[test]
fn averages_with_steps_of_several_batches_are_of_steps() {
    let data = flowers();
    let end = |batch: usize, accumulate: usize| {
        let optimiser = Sgd::new(0.5).then(Average::even(1, 1));
        let trainer = Trainer::new(Linear::new(3), softmax_cross_entropy).optimiser(optimiser);
        let trainer = trainer.batch_size(batch).accumulate(accumulate).epochs(3);
        let mut params = Params::new();
        trainer.fit(&mut params, &data, None, &mut Silent).expect("trains");
        params.get("weight").expect("a weight").cast(DType::F64).to_vec::<f64>().expect("f32")
    };
    for (a, b) in end(25, 3).into_iter().zip(end(75, 1)) {
        assert!((a - b).abs() < 1e-5, "{a} against {b}");
    }
}

#[test]
fn a_spike_ends_a_run_and_keeps_the_epoch_before() {
    // One wild example at the end of otherwise easy data: its batch is a spike in the first epoch.
    let mut x: Vec<f32> = (0..160).map(|i| (i % 7) as f32 * 0.1).collect();
    let y: Vec<f32> = x.iter().map(|x| 2.0 * x).collect();
    x[133] = 1000.0;
    let column = |v: Vec<f32>| Tensor::from_vec(v, [160, 1]).expect("a column");
    let data = Dataset::regression(column(x), column(y)).expect("data");
    let trainer = |factor: f64| {
        let trainer = Trainer::new(Linear::new(1), chainrule::loss::mean_squared_error);
        trainer.optimiser(Sgd::new(1e-9)).batch_size(4).epochs(3).stop_at_spikes(factor)
    };
    let mut params = Params::new();
    let error = trainer(50.0).fit(&mut params, &data, None, &mut Silent).expect_err("a spike");
    assert!(matches!(error, Error::Spiked { loss, usual, .. } if loss > 50.0 * usual), "{error}");
    assert!(error.to_string().contains("ClipGlobalNorm"), "{error}");
    assert!(trainer(1e12).fit(&mut Params::new(), &data, None, &mut Silent).is_ok());
    let error = trainer(0.5).fit(&mut Params::new(), &data, None, &mut Silent).expect_err("no factor");
    assert!(error.to_string().contains("the factor is above 1"), "{error}");
    // What is usual is part of a checkpoint: the same error at the same batch.
    let folder = tempfile::tempdir().expect("a folder");
    let resumed = loop {
        let trainer = trainer(50.0).checkpoints(Checkpoints::to(folder.path()).every(1));
        let mut run = trainer.start(Params::new(), &data, None).expect("goes on");
        match run.step() {
            Ok(step) => assert!(step.is_some(), "a spike comes first"),
            Err(error) => break error,
        }
    };
    let whole = trainer(50.0).fit(&mut Params::new(), &data, None, &mut Silent).expect_err("a spike");
    assert_eq!(resumed.to_string(), whole.to_string());
}

#[test]
fn lbfgs_refuses_what_it_cannot_minimise() {
    let text = |by: Lbfgs, value: f64, slope: Vec<f64>| {
        by.minimise(vec![1.0], |_| Ok((value, slope.clone()))).expect_err("refused").to_string()
    };
    assert!(text(Lbfgs::new(), f64::NAN, vec![1.0]).contains("at the start"));
    assert!(text(Lbfgs::new(), 1.0, vec![f64::INFINITY]).contains("not finite"));
    assert!(text(Lbfgs::new(), 1.0, vec![1.0, 2.0]).contains("2 slopes for 1 numbers"));
    assert!(text(Lbfgs::new().tolerance(0.0), 1.0, vec![1.0]).contains("tolerance"));
    // Downhill for ever: it stops after its steps and says that this is no minimum.
    let found = Lbfgs::new().steps(20).minimise(vec![0.0], |x| Ok((-x[0], vec![-1.0]))).expect("finite");
    assert!(!found.converged, "{found:?}");
    // A kink has no flat place: the lowest point that rounding shows.
    let found = Lbfgs::new().minimise(vec![3.0], |x| Ok((x[0].abs(), vec![x[0].signum()]))).expect("finite");
    assert!(found.at[0].abs() < 1e-6, "{found:?}");
    let flat = Lbfgs::new().minimise(vec![3.0, 4.0], |_| Ok((1.0, vec![0.0; 2]))).expect("finite");
    assert!(flat.converged && flat.at == [3.0, 4.0] && flat.steps == 0);
}

#[test]
fn a_run_that_is_asked_to_end_saves_and_goes_on_later() {
    let data = flowers();
    let [whole, part] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let trainer = |folder: &std::path::Path| {
        Trainer::new(model, softmax_cross_entropy)
            .batch_size(16)
            .epochs(2)
            .checkpoints(Checkpoints::to(folder))
    };
    let mut end = Params::new();
    trainer(whole.path()).fit(&mut end, &data, None, &mut Silent).expect("trains");
    // Asked within an epoch, where nothing would be saved otherwise; each run takes three batches.
    for _ in 0..6 {
        let stop = Stop::new();
        let stopping = trainer(part.path()).stop(&stop);
        let mut run = stopping.start(Params::new(), &data, None).expect("goes on");
        for _ in 0..3 {
            assert!(run.step().expect("runs").is_some());
        }
        stop.now();
        assert!(
            stop.is_asked() && run.step().expect("saves").is_none() && run.step().expect("is over").is_none()
        );
    }
    let mut again = Params::new();
    trainer(part.path()).fit(&mut again, &data, None, &mut Silent).expect("goes on");
    assert_eq!(bits(&again), bits(&end));
    let last =
        |folder: &std::path::Path| std::fs::read(folder.join("step-0000000020.safetensors")).expect("saved");
    assert!(last(whole.path()) == last(part.path()));
    // Asked before it starts, and without a place to save: nothing is trained, nothing is lost.
    let stop = Stop::new();
    stop.now();
    let mut params = end.clone();
    let none = Trainer::new(model, softmax_cross_entropy).epochs(2).stop(&stop);
    let history = none.fit(&mut params, &data, None, &mut Silent).expect("ends");
    assert!(history.epochs().is_empty() && params == end);
}

/// (m, 2): both normal, the second moved by `shift` and correlated with the first by `correlation`.
fn cloud(m: usize, shift: f64, correlation: f64, seed: u64) -> Dataset {
    let noise = Tensor::normal(Key::new(seed), [m, 2], 0.0, 1.0, DType::F64).expect("normal");
    let pair =
        |p: &[f64]| [p[0], correlation * p[0] + (1.0 - correlation * correlation).sqrt() * p[1] + shift];
    let x: Vec<f64> = noise.to_vec::<f64>().expect("f64").chunks(2).flat_map(pair).collect();
    let x = Tensor::from_vec(x, [m, 2]).expect("pairs");
    Dataset::regression(x, Tensor::full([m, 1], 0.0_f64)).expect("data")
}

#[test]
fn sets_of_one_distribution_differ_as_rarely_as_the_level_says() {
    let p = |seed: u64, shift: f64, correlation: f64| {
        let (a, b) = (cloud(60, 0.0, 0.0, 2 * seed), cloud(45, shift, correlation, 2 * seed + 1));
        two_samples(&a, &b, Key::new(seed)).expect("comparable")
    };
    let (mut rows, mut features) = (0, 0);
    for seed in 0..200 {
        let found = p(seed, 0.0, 0.0);
        rows += usize::from(found.p <= 0.1);
        features += usize::from(found.features[0].p <= 0.1);
    }
    // 20 expected, four standard errors are 17; that of features is for large sets, so rather too seldom.
    assert!((4..=37).contains(&rows) && features <= 37, "{rows} {features}");
    let moved = (0..40).filter(|seed| p(*seed, 1.0, 0.0).differ(0.05)).count();
    assert!(moved >= 38, "{moved} of 40");
    // Each feature alone is the same; only together they tell.
    let together = (0..40).map(|seed| p(seed, 0.0, 0.95)).filter(|found| found.p < 0.05).count();
    assert!(together >= 30, "{together} of 40");
}

const KS: (f64, f64, f64) = (0.5238095238095238, 0.23013279343433, 0.768616532299526);

/// Distances and probabilities by SciPy 1.17.1: `ks_2samp(a, b).statistic`, `kstwobign.sf(d * sqrt(nm/(n+m)))`.
#[test]
fn features_are_compared_as_scipy_does() {
    let data = |values: &[f64]| {
        let m = values.len();
        let x = Tensor::from_vec(values.to_vec(), [m, 1]).expect("a column");
        Dataset::regression(x, Tensor::full([m, 1], 0.0_f64)).expect("data")
    };
    let a = data(&[0.1, 0.4, 0.4, 0.7, 1.5, 2.0, 3.0]);
    let b = data(&[0.4, 0.9, 1.6, 2.5, 2.6, 3.0, 3.5, 4.0, 4.1]);
    let found = two_samples(&a, &b, Key::new(1)).expect("comparable");
    assert_eq!(found.features[0].name, "0");
    assert!((found.features[0].distance - KS.0).abs() < 1e-12, "{}", found.features[0].distance);
    assert!((found.features[0].p - KS.1).abs() < 1e-9, "{}", found.features[0].p);
    assert!((found.energy - KS.2).abs() < 1e-9, "{}", found.energy);
    let same = two_samples(&a, &a, Key::new(1)).expect("comparable");
    assert!(same.energy.abs() < 1e-12 && same.p == 1.0 && same.features[0].p == 1.0, "{same}");
    let error = two_samples(&a, &cloud(5, 0.0, 0.0, 1), Key::new(1)).expect_err("other sizes");
    assert!(error.to_string().contains("(1,) against (2,)"), "{error}");
    let error = two_samples(&a, &data(&[1.0]), Key::new(1)).expect_err("one row");
    assert!(error.to_string().contains("at least two"), "{error}");
}
