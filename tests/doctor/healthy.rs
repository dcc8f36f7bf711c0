//! Healthy runs of many kinds: no alarm.

use chainrule::doctor::Finding;
use chainrule::loss;
use chainrule::nn::data::{self, Dataset, Standardize};
use chainrule::prelude::*;

use super::{Mlp, attended, clouds, dataset, easy, relu, seeds, sigmoid, tanh};

type Kind = (&'static str, fn(u64) -> Vec<Finding>);

const KINDS: &[Kind] = &[
    ("logistic regression", logistic),
    ("digits, relu", digits),
    ("digits, convolution", convolution),
    ("digits, batch norm and dropout", batch_norm),
    ("moons, tanh", moons),
    ("circles, full batch, gradient descent", circles),
    ("iris as it is", iris),
    ("wine, sigmoid, momentum", wine),
    ("regression", regression),
    ("residual blocks", residual),
    ("digits, penalty, gradient descent", penalised),
    ("sequences, LSTM", sequences),
    ("autoencoder, sigmoid", autoencoder),
    ("tokens, embedding and attention", tokens),
];

#[test]
fn healthy_runs_raise_no_alarm() {
    let only = std::env::var("CHAINRULE_DOCTOR_ONLY").ok();
    let (mut runs, mut alarms) = (0, Vec::new());
    for (name, run) in KINDS {
        if only.as_ref().is_some_and(|only| name != only) {
            continue;
        }
        for seed in seeds("CHAINRULE_DOCTOR_HEALTHY", 3) {
            runs += 1;
            let found = run(seed);
            if !found.is_empty() {
                let found: Vec<String> = found.iter().map(Finding::to_string).collect();
                println!("{name}, seed {seed}: {found:#?}");
                alarms.push((name, seed));
            }
        }
    }
    println!("{runs} healthy runs, {} with an alarm", alarms.len());
    assert!(alarms.is_empty(), "{alarms:?}");
}

fn parts(data: Dataset, seed: u64) -> (Dataset, Dataset) {
    let [train, dev] = data.split_stratified([0.8, 0.2], Key::new(seed)).unwrap();
    let scale = Standardize::fit(&train).unwrap();
    (scale.apply(&train).unwrap(), scale.apply(&dev).unwrap())
}

fn logistic(seed: u64) -> Vec<Finding> {
    let (train, dev) = parts(data::breast_cancer().unwrap(), seed);
    let cost = loss::from_fn(|z, y| loss::binary_cross_entropy_with_logits(z, y.insert_axis(1)));
    let model = layer(|s, x| Linear::new(1).forward(s, x));
    attended(Trainer::new(model, cost).optimiser(Sgd::new(0.1)).epochs(20).seed(seed), &train, Some(&dev))
}

fn some_digits(seed: u64) -> (Dataset, Dataset) {
    let [train, dev, _] = data::digits().unwrap().split_stratified([0.4, 0.1, 0.5], Key::new(seed)).unwrap();
    (train, dev)
}

fn digits(seed: u64) -> Vec<Finding> {
    let (train, dev) = some_digits(seed);
    let model = layer(|s, x| Mlp::new(&[64, 10], relu).forward(s, x.reshape([-1, 64])));
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).epochs(10).seed(seed);
    attended(trainer, &train, Some(&dev))
}

fn convolution(seed: u64) -> Vec<Finding> {
    let (train, dev) = some_digits(seed);
    let model = layer(|s, x| {
        let h = Conv::new(6, [3, 3]).forward(&s.at("conv"), x.reshape([-1, 1, 8, 8])).relu();
        let h = MaxPool::new([2, 2]).forward(&s.at("pool"), h);
        Linear::new(10).forward(&s.at("output"), Flatten.forward(s, h))
    });
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).optimiser(Adam::new(0.003));
    attended(trainer.epochs(4).seed(seed), &train, Some(&dev))
}

fn batch_norm(seed: u64) -> Vec<Finding> {
    let (train, dev) = some_digits(seed);
    let model = layer(|s, x| {
        let h = Linear::new(48).without_bias().forward(&s.at("hidden"), x.reshape([-1, 64]));
        let h = BatchNorm::new().forward(&s.at("norm"), h).relu();
        Linear::new(10).forward(&s.at("output"), Dropout::keep(0.8).forward(&s.at("drop"), h))
    });
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).optimiser(Adam::new(0.003));
    attended(trainer.epochs(8).seed(seed), &train, Some(&dev))
}

fn moons(seed: u64) -> Vec<Finding> {
    let (train, dev) = parts(data::moons(300, 0.15, Key::new(seed)).unwrap(), seed);
    let model = Mlp { init: Init::Xavier, last: Init::Xavier, ..Mlp::new(&[16, 2], tanh) };
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).optimiser(Adam::new(0.01));
    attended(trainer.epochs(40).batch_size(32).seed(seed), &train, Some(&dev))
}

fn circles(seed: u64) -> Vec<Finding> {
    let (train, dev) = parts(data::circles(300, 0.5, 0.1, Key::new(seed)).unwrap(), seed);
    let trainer =
        Trainer::new(Mlp::new(&[10, 5, 2], relu), loss::softmax_cross_entropy).optimiser(Sgd::new(0.1));
    attended(trainer.epochs(300).batch_size(1000).seed(seed), &train, Some(&dev))
}

fn iris(seed: u64) -> Vec<Finding> {
    let [train, dev] = data::iris().unwrap().split_stratified([0.8, 0.2], Key::new(seed)).unwrap();
    let trainer =
        Trainer::new(Mlp::new(&[8, 3], tanh), loss::softmax_cross_entropy).optimiser(Adam::new(0.01));
    attended(trainer.epochs(40).batch_size(32).seed(seed), &train, Some(&dev))
}

fn wine(seed: u64) -> Vec<Finding> {
    let (train, dev) = parts(data::wine().unwrap(), seed);
    let model = Mlp { init: Init::Xavier, last: Init::Xavier, ..Mlp::new(&[16, 3], sigmoid) };
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).optimiser(Momentum::new(0.1));
    attended(trainer.epochs(30).batch_size(32).seed(seed), &train, Some(&dev))
}

fn regression(seed: u64) -> Vec<Finding> {
    let (x, _) = clouds(400, 5, 2, seed);
    let y: Vec<f32> = x.chunks(5).map(|r| r[0] * r[1] + r[2].sin() - 0.5 * r[3]).collect();
    let x = Tensor::from_vec(x, [400, 5]).unwrap();
    let data = Dataset::regression(x, Tensor::from_vec(y, [400, 1]).unwrap()).unwrap();
    let [train, dev] = data.split([0.8, 0.2], Key::new(seed)).unwrap();
    let trainer =
        Trainer::new(Mlp::new(&[32, 32, 1], relu), loss::mean_squared_error).optimiser(Adam::new(0.003));
    attended(trainer.epochs(20).batch_size(32).seed(seed), &train, Some(&dev))
}

fn residual(seed: u64) -> Vec<Finding> {
    let model = layer(|s, x| {
        let mut h = Linear::new(16).forward(&s.at("in"), x);
        for i in 0..4 {
            let inner = Linear::new(16).forward(&s.at(&format!("first{i}")), h).relu();
            h += Linear::new(16).init(Init::Normal(0.05)).forward(&s.at(&format!("second{i}")), inner);
        }
        Linear::new(4).forward(&s.at("out"), h)
    });
    let [train, dev] = easy(seed).split_stratified([0.8, 0.2], Key::new(seed)).unwrap();
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).epochs(10).batch_size(32);
    attended(trainer.seed(seed), &train, Some(&dev))
}

fn penalised(seed: u64) -> Vec<Finding> {
    let (train, dev) = some_digits(seed);
    let model = layer(|s, x| Mlp::new(&[32, 32, 10], relu).forward(s, x.reshape([-1, 64])));
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).optimiser(Momentum::new(0.02));
    attended(trainer.penalty(Penalty::l2(1.0)).epochs(8).seed(seed), &train, Some(&dev))
}

/// Whether the mean of the first column is above 0.
fn sequences(seed: u64) -> Vec<Finding> {
    let x =
        Tensor::normal(Key::new(seed), [300 * 24], 0.0, 1.0, DType::F32).unwrap().to_vec::<f32>().unwrap();
    let y = x.chunks(24).map(|row| i64::from(row.iter().step_by(2).sum::<f32>() > 0.0)).collect();
    let data = dataset(x, y, 2).reshape_examples(&[12, 2]).unwrap();
    let [train, dev] = data.split_stratified([0.8, 0.2], Key::new(seed)).unwrap();
    let model = layer(|s, x| {
        let h = Recurrent::lstm(12).forward(&s.at("reader"), x);
        Linear::new(2).init(Init::Xavier).forward(&s.at("output"), h.slice(1, 11..12).reshape([-1, 12]))
    });
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).optimiser(Adam::new(0.01));
    attended(trainer.epochs(12).batch_size(32).seed(seed), &train, Some(&dev))
}

fn autoencoder(seed: u64) -> Vec<Finding> {
    let (train, _) = some_digits(seed);
    let x = train.features().reshape([-1, 64]).unwrap();
    let data = Dataset::regression(x.clone(), x).unwrap();
    let model = layer(|s, x| {
        let code = Linear::new(12).forward(&s.at("in"), x).relu();
        Linear::new(64).init(Init::Xavier).forward(&s.at("out"), code).sigmoid()
    });
    let trainer = Trainer::new(model, loss::mean_squared_error).optimiser(Adam::new(0.005));
    attended(trainer.epochs(10).seed(seed), &data, None)
}

/// Whether token 3 is among ten.
fn tokens(seed: u64) -> Vec<Finding> {
    let draws = Tensor::uniform(Key::new(seed), [400, 10], 0.0..15.0, DType::F32).unwrap();
    let x: Vec<i64> = draws.to_vec::<f32>().unwrap().iter().map(|u| *u as i64).collect();
    let y: Vec<i64> = x.chunks(10).map(|row| i64::from(row.contains(&3))).collect();
    let x = Tensor::from_vec(x, [400, 10]).unwrap();
    let data = Dataset::classification(x, Tensor::from(y), 2).unwrap();
    let [train, dev] = data.split_stratified([0.8, 0.2], Key::new(seed)).unwrap();
    let model = layer(|s, x| {
        let x = Embedding::new(15, 16).forward(&s.at("words"), x);
        let h = MultiHead::new(2).forward(&s.at("attention"), x).max(1);
        Linear::new(2).init(Init::Xavier).forward(&s.at("output"), h)
    });
    let trainer = Trainer::new(model, loss::softmax_cross_entropy).optimiser(Adam::new(0.005));
    attended(trainer.epochs(12).batch_size(32).seed(seed), &train, Some(&dev))
}
