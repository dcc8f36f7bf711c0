//! Optimisers and schedules against PyTorch's trajectories of 100 steps in f64 (torch_optimisers.py).

use chainrule::graph::Precision;
use chainrule::optim::{
    Adagrad, Adam, AdamW, ClipGlobalNorm, ClipValue, Decay, Groups, Momentum, Optimiser, Parameter, Rate,
    RmsProp, Sgd, updates,
};
use chainrule::prelude::{Graph, Tensor};

fn optimiser(name: &str) -> Box<dyn Optimiser> {
    match name {
        "sgd" => Box::new(Sgd::new(0.02)),
        "momentum" => Box::new(Momentum::new(0.01)),
        "nesterov" => Box::new(Momentum::nesterov(0.01)),
        "l2" => Box::new(Decay(0.1).then(Sgd::new(0.02))),
        "rmsprop" => Box::new(RmsProp::new(0.01)),
        "adagrad" => Box::new(Adagrad::new(0.1)),
        "adam" => Box::new(Adam::new(0.05)),
        "adamw" => Box::new(AdamW::new(0.05, 0.1)),
        "clip value" => Box::new(ClipValue(0.5).then(Sgd::new(0.02))),
        "clip norm" => Box::new(ClipGlobalNorm(0.75).then(Adam::new(0.05))),
        "groups" => Box::new(Groups::new(Sgd::new(0.01)).at("b", Sgd::new(0.1))),
        "steps" => Box::new(Sgd::new(Rate::steps(0.05, 20, 0.5))),
        "exponential" => Box::new(Sgd::new(Rate::exponential(0.05, 0.97))),
        "inverse" => Box::new(Sgd::new(Rate::inverse_time(0.05, 0.1))),
        "cosine" => Box::new(Sgd::new(Rate::cosine(0.05, 0.001, 100))),
        "warm" => Box::new(Sgd::new(Rate::linear(0.005, 0.05, 20).then(20, Rate::cosine(0.05, 0.0, 80)))),
        "one cycle" => Box::new(Sgd::new(Rate::one_cycle(0.05, 100))),
        "piecewise" => Box::new(Sgd::new(Rate::piecewise(0.05, [(30, 0.02), (60, 0.005)]))),
        other => panic!("no optimiser is called {other}"),
    }
}

#[test]
fn optimisers_follow_the_trajectories_of_pytorch() {
    for line in include_str!("data/optimisers.txt").lines() {
        let (name, numbers) = line.split_once('|').expect("a name");
        let right: Vec<f64> = numbers.split(' ').map(|x| x.parse().expect("a number")).collect();
        let g = Graph::new();
        let (a, b) = (g.leaf("a.weight", [0.3, -0.7, 2.0]), g.leaf("b.bias", [1.5, -0.2]));
        let (scale, goal) = (g.constant([0.5, 3.0, 0.05]), g.constant([1.0, -2.0, 3.0]));
        let loss = ((a - goal).square() * scale).sum(..)
            + (3.0 * a).cos().sum(..)
            + ((b - 0.5).square() * 2.0).sum(..)
            + (3.0 * b).cos().sum(..);
        let taken = g.leaf("taken", 0.0);
        let number = taken + 1.0;
        let parameters =
            [("a.weight", a), ("b.bias", b)].map(|(path, value)| Parameter { path: path.into(), value });
        let gradients = loss.grad(&[a, b]).expect("connected");
        let updates = updates(&*optimiser(name), number, &parameters, gradients);
        let state = [updates.state, vec![(taken, number)]].concat();
        let plan = g.compiler(&[], &[loss]).state(&state).precision(Precision::F64).build();
        let mut plan = plan.expect("a plan");
        for (t, right) in right.chunks_exact(5).enumerate() {
            plan.run(&[]).expect("runs");
            let found: Vec<f64> =
                plan.state()[..2].iter().flat_map(|t: &Tensor| t.to_vec::<f64>().expect("f64")).collect();
            for (x, y) in found.iter().zip(right) {
                assert!(
                    (x - y).abs() <= 1e-10 * y.abs().max(1.0),
                    "{name}, step {}: {found:?}, not {right:?}",
                    t + 1
                );
            }
        }
    }
}
