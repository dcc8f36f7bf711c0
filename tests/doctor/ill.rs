//! Runs that have one illness each.

use chainrule::doctor::{Doctor, Errors, Finding, Illness, Probe, Role};
use chainrule::loss;
use chainrule::nn::data::Dataset;
use chainrule::optim::Optimiser;
use chainrule::prelude::*;
use chainrule::progress::Silent;

use super::{Mlp, attended, clouds, dataset, easy, relu, seeds, sigmoid, tanh};

type Case = (Illness, fn(u64) -> Vec<Finding>);

const CASES: &[Case] = &[
    (Illness::DeadRelu, dead_relu),
    (Illness::Saturated, saturated),
    (Illness::VanishingGradient, vanishing),
    (Illness::ExplodingGradient, exploding),
    (Illness::PoorScale, poor_scale),
    (Illness::Symmetric, symmetric),
    (Illness::StartLoss, start_loss),
    (Illness::OutputBias, output_bias),
    (Illness::RateTooHigh, rate_too_high),
    (Illness::RateTooLow, rate_too_low),
    (Illness::NeverMoves, never_moves),
    (Illness::NotFinite, not_finite),
    (Illness::LossStalls, stalls),
    (Illness::LossDiverges, diverges),
    (Illness::LossOscillates, oscillates),
    (Illness::LossSpikes, spikes),
    (Illness::InputsNotNormalised, not_normalised),
    (Illness::InputsConstant, constant),
    (Illness::InputsNotFinite, inputs_not_finite),
    (Illness::LabelsImbalanced, imbalanced),
    (Illness::LabelsInOrder, in_order),
    (Illness::SquashedTwice, softmax_twice),
    (Illness::LogitsAsProbabilities, logits_as_probabilities),
    (Illness::ActivationMissing, activation_missing),
    (Illness::ActivationOnOutput, activation_on_output),
    (Illness::ExamplesMix, mix),
    (Illness::DataUnused, unused),
    (Illness::CannotOverfit, cannot_overfit),
    (Illness::Underfits, |_| gaps(0.01, 0.15, 0.16, 0.16, 0.17)),
    (Illness::Overfits, overfits),
    (Illness::SplitsDiffer, |_| gaps(0.01, 0.02, 0.025, 0.12, 0.12)),
    (Illness::DevOverused, |_| gaps(0.01, 0.02, 0.025, 0.03, 0.12)),
    (Illness::PenaltyDominates, penalty),
    (Illness::ModesDiffer, modes),
    (Illness::DuplicatesAcross, duplicates),
    (Illness::DevTooGood, |_| gaps(0.11, 0.12, 0.13, 0.02, 0.03)),
];

#[test]
fn each_illness_is_named() {
    let only = std::env::var("CHAINRULE_DOCTOR_ONLY").ok();
    let mut poor = Vec::new();
    for (illness, run) in CASES {
        if only.as_ref().is_some_and(|only| format!("{illness:?}") != *only) {
            continue;
        }
        let seeds = seeds("CHAINRULE_DOCTOR_SEEDS", 3);
        let all = seeds.end as f64;
        let (mut named, mut alone, mut wrong) = (0, 0, Vec::new());
        for seed in seeds {
            let found = run(seed);
            let hit = found.iter().any(|f| f.illness == *illness);
            named += usize::from(hit);
            alone += usize::from(hit && found.len() == 1);
            if !hit || found.len() > 1 {
                wrong.push((seed, found.iter().map(Finding::to_string).collect::<Vec<_>>()));
            }
        }
        println!("{illness:?}: named {named}, alone {alone}, of {all} {:?}", wrong.first());
        if (named as f64) < 0.95 * all {
            poor.push((illness, wrong));
        }
    }
    assert!(poor.is_empty(), "{poor:#?}");
    assert!(only.is_some() || Illness::ALL.iter().all(|i| CASES.iter().any(|(case, _)| case == i)));
}

fn trained(model: Mlp, optimiser: impl Optimiser + 'static, epochs: usize, seed: u64) -> Vec<Finding> {
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).optimiser(optimiser);
    attended(trainer.epochs(epochs).batch_size(32).seed(seed), &easy(seed), None)
}

fn dead_relu(seed: u64) -> Vec<Finding> {
    let model = layer(|s, x| {
        let w = s.param("first.weight", [x.dim(-1), 32], Init::He);
        let b = s.param("first.bias", [32], Init::Constant(-12.0));
        let h = (x.matmul(w) + b).relu();
        Linear::new(4).forward(&s.at("output"), h)
    });
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).epochs(8).batch_size(32).seed(seed);
    attended(trainer, &easy(seed), None)
}

fn saturated(seed: u64) -> Vec<Finding> {
    let model = Mlp { init: Init::Normal(5.0), last: Init::Xavier, ..Mlp::new(&[32, 4], tanh) };
    trained(model, Sgd::new(0.05), 8, seed)
}

fn vanishing(seed: u64) -> Vec<Finding> {
    let model = Mlp { init: Init::Xavier, ..Mlp::new(&[24, 24, 24, 24, 24, 24, 24, 4], sigmoid) };
    trained(model, Sgd::new(0.1), 6, seed)
}

fn exploding(seed: u64) -> Vec<Finding> {
    let model = layer(|s, x| {
        let mut h = x;
        for i in 0..6 {
            h = LayerNorm::new().forward(&s.at(&format!("norm{i}")), h);
            h = Linear::new(10).forward(&s.at(&format!("hidden{i}")), h * 1.0).relu();
        }
        // The scale is hidden from the forward pass: the backward pass alone explodes.
        let loud = h * 2e4 - (h * (2e4 - 1.0)).stop_gradient();
        Linear::new(4).forward(&s.at("output"), loud)
    });
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).optimiser(Adam::new(1e-3));
    attended(trainer.epochs(5).batch_size(32).seed(seed), &easy(seed), None)
}

fn poor_scale(seed: u64) -> Vec<Finding> {
    let model =
        Mlp { init: Init::Normal(0.01), last: Init::Normal(0.01), ..Mlp::new(&[32, 32, 32, 4], relu) };
    trained(model, Sgd::new(0.05), 6, seed)
}

fn symmetric(seed: u64) -> Vec<Finding> {
    let half = Init::Constant(0.1);
    trained(Mlp { init: half, last: half, ..Mlp::new(&[16, 4], tanh) }, Sgd::new(0.1), 8, seed)
}

fn start_loss(seed: u64) -> Vec<Finding> {
    trained(Mlp { last: Init::Normal(4.0), ..Mlp::new(&[32, 4], relu) }, Adam::new(1e-3), 8, seed)
}

fn output_bias(seed: u64) -> Vec<Finding> {
    let (x, _) = clouds(256, 6, 2, seed);
    let y: Vec<f32> = x.chunks(6).map(|row| 40.0 + row[0] - row[1]).collect();
    let data =
        Dataset::regression(Tensor::from_vec(x, [256, 6]).unwrap(), Tensor::from_vec(y, [256, 1]).unwrap());
    let trainer = Trainer::new(Mlp::new(&[16, 1], relu), loss::mean_squared_error).optimiser(Adam::new(0.01));
    attended(trainer.epochs(10).batch_size(32).seed(seed), &data.unwrap(), None)
}

fn rate_too_high(seed: u64) -> Vec<Finding> {
    trained(Mlp::new(&[32, 32, 4], relu), Adam::new(1.0), 8, seed)
}

fn rate_too_low(seed: u64) -> Vec<Finding> {
    trained(Mlp::new(&[32, 4], relu), Sgd::new(1e-6), 8, seed)
}

fn never_moves(seed: u64) -> Vec<Finding> {
    let model = layer(|s, x| {
        let h = Linear::new(16).forward(&s.at("hidden"), x).relu();
        let gate = s.param("gate", [16], Init::Constant(1.0));
        Linear::new(4).forward(&s.at("output"), h * (1.0 + gate * 0.0))
    });
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).epochs(8).batch_size(32).seed(seed);
    attended(trainer, &easy(seed), None)
}

fn not_finite(seed: u64) -> Vec<Finding> {
    // The logarithm of a number that training drives below 0.
    let model = layer(|s, x| Linear::new(4).forward(&s.at("output"), x));
    let cost = loss::from_fn(|z, y| {
        let least = z.softmax(-1).min(..);
        loss::softmax_cross_entropy(z, y) + 0.0 * (least - 0.02).ln()
    });
    let trainer = Trainer::new(model, cost).optimiser(Adam::new(0.02)).epochs(20).batch_size(32);
    attended(trainer.seed(seed), &easy(seed), None)
}

fn stalls(seed: u64) -> Vec<Finding> {
    // Labels that have nothing to do with the inputs, and a model that is too small to learn them by heart.
    let (x, y) = clouds(1024, 4, 2, seed);
    let noise = Tensor::uniform(Key::new(seed).named("labels"), [y.len()], 0.0..1.0, DType::F32).unwrap();
    let y = noise.to_vec::<f32>().unwrap().iter().map(|u| i64::from(*u > 0.5)).collect();
    let model = Mlp { last: Init::Normal(0.05), ..Mlp::new(&[2], relu) };
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).optimiser(Sgd::new(0.1));
    attended(trainer.epochs(3).batch_size(64).seed(seed), &dataset(x, y, 2), None)
}

/// A run that is given as numbers alone.
fn course(loss: impl Fn(f64, f64) -> f64, seed: u64) -> Vec<Finding> {
    let noise = Tensor::normal(Key::new(seed), [200], 0.0, 1.0, DType::F64).unwrap().to_vec::<f64>().unwrap();
    let mut doctor = Doctor::new();
    noise.iter().enumerate().for_each(|(step, n)| doctor.loss(step, loss(step as f64, *n)));
    doctor.findings()
}

fn diverges(seed: u64) -> Vec<Finding> {
    course(|t, n| 0.7 * (t / 60.0).exp() * (1.0 + 0.05 * n), seed)
}

fn oscillates(seed: u64) -> Vec<Finding> {
    course(|t, n| 0.6 + 0.3 * (t * std::f64::consts::PI).cos() - 0.0005 * t + 0.02 * n, seed)
}

fn spikes(seed: u64) -> Vec<Finding> {
    course(|t, n| if t == 150.0 { 9.0 } else { (-t / 50.0).exp() * (1.0 + 0.1 * n) }, seed)
}

fn changed(seed: u64, change: impl Fn(usize, f32) -> f32) -> Dataset {
    let (x, y) = clouds(320, 10, 4, seed);
    dataset(x.iter().enumerate().map(|(i, v)| change(i % 10, *v)).collect(), y, 4)
}

fn plain(data: &Dataset, seed: u64) -> Vec<Finding> {
    let trainer = Trainer::new(Mlp::new(&[24, 4], relu), loss::softmax_cross_entropy);
    attended(trainer.epochs(6).batch_size(32).seed(seed), data, None)
}

fn not_normalised(seed: u64) -> Vec<Finding> {
    plain(&changed(seed, |column, v| if column == 3 { 300.0 + 100.0 * v } else { v }), seed)
}

fn constant(seed: u64) -> Vec<Finding> {
    plain(&changed(seed, |column, v| if column == 3 { 0.7 } else { v }), seed)
}

fn inputs_not_finite(seed: u64) -> Vec<Finding> {
    // A data set refuses NaN, so it comes as arrays.
    let (mut x, y) = clouds(64, 4, 2, seed);
    x[17] = f32::NAN;
    let mut doctor = Doctor::new();
    doctor.arrays(&Tensor::from_vec(x, [64, 4]).unwrap(), &Tensor::from(y), Some(2)).unwrap();
    doctor.findings()
}

fn imbalanced(seed: u64) -> Vec<Finding> {
    let (x, y) = clouds(400, 10, 2, seed);
    let y = y.iter().enumerate().map(|(i, _)| i64::from(i % 40 == 0)).collect();
    let trainer = Trainer::new(Mlp::new(&[24, 2], relu), loss::softmax_cross_entropy);
    attended(trainer.epochs(6).batch_size(32).seed(seed), &dataset(x, y, 2), None)
}

fn in_order(seed: u64) -> Vec<Finding> {
    // A loop of one's own that forgets to shuffle a sorted set.
    let (x, y) = clouds(320, 10, 4, seed);
    let mut rows: Vec<usize> = (0..320).collect();
    rows.sort_by_key(|i| y[*i]);
    let data = dataset(x, y, 4).select(&rows).unwrap();
    let model = Mlp::new(&[24, 4], relu);
    let trainer = Trainer::new(model.clone(), loss::softmax_cross_entropy).optimiser(Adam::new(0.002));
    let (mut doctor, mut probe) = (Doctor::new(), Probe::new(&model, &loss::softmax_cross_entropy));
    doctor.data(&data, None).unwrap();
    let first = data.batches(32).unwrap().next().unwrap();
    let mut step = trainer.seed(seed).step(Params::new(), &first, 320).unwrap();
    for (i, batch) in data.batches(32).unwrap().enumerate() {
        probe.look(&mut doctor, i, &step.params(), &batch).unwrap();
        doctor.loss(i, step.run(&batch).unwrap());
    }
    doctor.findings()
}

fn softmax_twice(seed: u64) -> Vec<Finding> {
    trained(Mlp { end: |z| z.softmax(-1), ..Mlp::new(&[24, 4], relu) }, Adam::new(0.003), 8, seed)
}

fn logits_as_probabilities(seed: u64) -> Vec<Finding> {
    let (x, y) = clouds(256, 6, 2, seed);
    let cost = loss::from_fn(|p, y| loss::binary_cross_entropy(p, y.insert_axis(1).real()));
    let data = dataset(x, y, 2);
    attended(Trainer::new(Mlp::new(&[16, 1], relu), cost).epochs(2).seed(seed), &data, None)
}

fn activation_missing(seed: u64) -> Vec<Finding> {
    trained(Mlp::new(&[24, 24, 4], |z| z), Adam::new(0.002), 8, seed)
}

fn activation_on_output(seed: u64) -> Vec<Finding> {
    trained(Mlp { end: relu, ..Mlp::new(&[24, 4], relu) }, Adam::new(0.002), 8, seed)
}

fn mix(seed: u64) -> Vec<Finding> {
    let model = layer(|s, x| {
        let h = Linear::new(24).forward(&s.at("hidden"), x).relu();
        let h = h - h.mean(keep(0));
        Linear::new(4).forward(&s.at("output"), h)
    });
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).optimiser(Adam::new(0.002)).epochs(8);
    attended(trainer.batch_size(32).seed(seed), &easy(seed), None)
}

fn unused(seed: u64) -> Vec<Finding> {
    let model = layer(|s, x| {
        let h = Linear::new(24).forward(&s.at("hidden"), x.square() * 1e-9 + 1.0).tanh();
        Linear::new(4).forward(&s.at("output"), h)
    });
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).optimiser(Adam::new(0.002)).epochs(8);
    attended(trainer.batch_size(32).seed(seed), &easy(seed), None)
}

fn cannot_overfit(seed: u64) -> Vec<Finding> {
    let mut doctor = Doctor::new();
    // All that the model sees of an example is one number.
    let model = layer(|s, x| Linear::new(4).forward(&s.at("output"), x.mean(keep(1)).tanh()));
    Probe::new(&model, &loss::softmax_cross_entropy).overfit(&mut doctor, &easy(seed)).unwrap();
    doctor.findings()
}

fn overfits(seed: u64) -> Vec<Finding> {
    let (x, y) = clouds(400, 20, 2, seed);
    let noise = Tensor::uniform(Key::new(seed).named("labels"), [y.len()], 0.0..1.0, DType::F32).unwrap();
    let noise = noise.to_vec::<f32>().unwrap();
    let y = y.iter().zip(noise).map(|(y, u)| if u < 0.3 { 1 - y } else { *y }).collect();
    let [train, dev] = dataset(x, y, 2).split_stratified([0.2, 0.8], Key::new(seed)).unwrap();
    let trainer =
        Trainer::new(Mlp::new(&[64, 2], relu), loss::softmax_cross_entropy).optimiser(Adam::new(0.01));
    attended(trainer.epochs(60).batch_size(32).seed(seed), &train, Some(&dev))
}

fn gaps(base: f64, train: f64, train_dev: f64, dev: f64, test: f64) -> Vec<Finding> {
    let mut doctor = Doctor::new();
    let some = |x| Some(x);
    doctor.errors(Errors {
        base: some(base),
        train: some(train),
        train_dev: some(train_dev),
        dev: some(dev),
        test: some(test),
    });
    doctor.findings()
}

fn penalty(seed: u64) -> Vec<Finding> {
    let trainer = Trainer::new(Mlp::new(&[32, 4], relu), loss::softmax_cross_entropy)
        .optimiser(Adam::new(1e-4))
        .penalty(Penalty::l2(200.0));
    attended(trainer.epochs(4).batch_size(32).seed(seed), &easy(seed), None)
}

fn modes(seed: u64) -> Vec<Finding> {
    let model = layer(|s, x| {
        let h = Linear::new(24).forward(&s.at("hidden"), x);
        let h = BatchNorm::new().momentum(1e-5).forward(&s.at("norm"), h * 8.0 + 20.0).relu();
        Linear::new(4).forward(&s.at("output"), h)
    });
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).optimiser(Adam::new(0.005)).epochs(10);
    attended(trainer.batch_size(32).seed(seed), &easy(seed), None)
}

fn duplicates(seed: u64) -> Vec<Finding> {
    let data = easy(seed);
    let dev = data.select(&(0..60).collect::<Vec<_>>()).unwrap();
    let trainer = Trainer::new(Mlp::new(&[24, 4], relu), loss::softmax_cross_entropy);
    attended(trainer.epochs(6).batch_size(32).seed(seed), &data, Some(&dev))
}

#[test]
fn arrays_are_enough_and_what_is_measured_is_told() {
    let mut doctor = Doctor::new();
    for step in 0..4 {
        let x = Tensor::zeros([32, 8], DType::F32);
        doctor.see(step, Role::Relu, "hidden", &x).unwrap();
    }
    let found = doctor.findings();
    assert_eq!(found[0].illness, Illness::DeadRelu);
    assert!(doctor.advice().contains("100 % of the units are 0 for all examples in `hidden`"));
}

#[test]
fn looking_on_changes_no_bit() {
    let model = layer(|s, x| {
        let h = Dropout::keep(0.8).forward(&s.at("drop"), Linear::new(16).forward(&s.at("hidden"), x).relu());
        Linear::new(4).forward(&s.at("output"), h)
    });
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).epochs(3).batch_size(48).seed(5);
    let (data, mut alone, mut watched) = (easy(1), Params::new(), Params::new());
    let history = trainer.fit(&mut alone, &data, Some(&data), &mut Silent).unwrap();
    let seen = Doctor::new().attend(&trainer, &mut watched, &data, Some(&data), &mut Silent).unwrap();
    assert_eq!(alone, watched);
    assert_eq!(history.to_csv(), seen.to_csv());
}
