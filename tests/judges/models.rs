//! Networks of the literature against PyTorch's: parameters of the same names, outputs and gradients (torch_models.py).

use chainrule::models::{MobileNetV2, ResNet};
use chainrule::prelude::*;

/// Σ t·cos(i), elements numbered as PyTorch has them: a matrix lies the other way there.
fn weighed<'g>(g: &'g Graph, t: Var<'g>) -> Var<'g> {
    let t = if t.rank() == 2 { t.t() } else { t };
    let n = t.shape().size();
    let cos = Tensor::from((0..n).map(|i| (i as f64).cos()).collect::<Vec<f64>>());
    (t.reshape([n]) * g.constant(cos)).sum(..)
}

fn filled(shape: &[usize], k: f64) -> Tensor {
    let n = shape.iter().product::<usize>();
    let number = |i: usize| (0.37 * (i as f64 + 1000.0 * k).powi(2)).sin();
    Tensor::from_vec((0..n).map(number).collect(), shape).expect("as many")
}

/// The `k`-th parameter, of a shape that PyTorch has, too, unless it is a matrix.
fn parameter(name: &str, shape: &[usize], k: usize) -> Tensor {
    let theirs: Vec<usize> = if shape.len() == 2 { vec![shape[1], shape[0]] } else { shape.to_vec() };
    let (values, number) = (filled(&theirs, k as f64), |x: f64| Tensor::from(x));
    let values = if theirs.len() > 1 {
        let fan_in: usize = theirs[1..].iter().product();
        values.mul(&number((2.0 / fan_in as f64).sqrt()))
    } else {
        let one = if name.ends_with("weight") || name.ends_with("var") { 1.0 } else { 0.0 };
        values.div(&number(4.0)).and_then(|v| v.add(&number(one)))
    };
    let values = values.expect("numbers");
    if shape.len() == 2 { values.t().expect("a matrix") } else { values }
}

fn traced<'g>(s: &Scope<'g>, name: &str, x: Var<'g>) -> Var<'g> {
    match name {
        "resnet18" => ResNet::resnet18(6).width(8).forward(s, x),
        "resnet50" => ResNet::resnet50(6).width(4).forward(s, x),
        _ => MobileNetV2::new(6).forward(s, x),
    }
}

fn numbers(line: &str) -> Vec<f64> {
    line.split([' ', ',']).map(|x| x.parse().expect("a number")).collect()
}

#[test]
fn networks_have_the_outputs_and_gradients_of_pytorch() {
    let mut worst = 0.0_f64;
    for line in include_str!("data/models.txt").lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let trains = fields[1] == "1";
        let g = Graph::new();
        let x = g.constant(filled(&[4, 3, 64, 64], -1.0));
        // Names and shapes by a first trace, then the values.
        let first = Scope::root(&g, Params::new(), Mode::Evaluate, 1);
        traced(&first, fields[0], x).checked().expect("fits");
        let drawn = first.params();
        let mut shapes: Vec<(&str, &[usize])> = drawn.iter().map(|(name, t)| (name, t.shape())).collect();
        shapes.sort();
        let mut params = Params::new();
        for (k, (name, shape)) in shapes.into_iter().enumerate() {
            params.insert(name, parameter(name, shape, k));
        }
        let mode = if trains { Mode::Train } else { Mode::Evaluate };
        let s = Scope::root(&g, params, mode, 1);
        let y = traced(&s, fields[0], x);
        let learnt = s.traced();
        let wrt: Vec<Var<'_>> = learnt.iter().map(|(_, p)| *p).collect();
        // Outputs are no matrix of weights: their rows lie as PyTorch's.
        let loss = weighed(&g, y.reshape([24]));
        let d = loss.grad(&wrt).expect("gradients");
        let sums: Vec<Var<'_>> =
            d.iter().flat_map(|d| [weighed(&g, *d), d.square().sum(..).sqrt()]).collect();
        let all: Vec<Var<'_>> = [y].into_iter().chain(sums).collect();
        let mut plan = g.compile(&[], &all).expect("plans");
        let found = plan.run(&[]).expect("runs");
        let outputs = found[0].to_vec::<f64>().expect("f64");
        for (a, b) in outputs.iter().zip(numbers(fields[2])) {
            worst = worst.max((a - b).abs() / b.abs().max(1.0));
        }
        let right: Vec<(&str, Vec<f64>)> = fields[3]
            .split(' ')
            .filter_map(|p| p.split_once('='))
            .map(|(name, values)| (name, numbers(values)))
            .collect();
        assert_eq!(right.len(), learnt.len(), "{}", fields[0]);
        for (name, values) in right {
            let i = learnt.iter().position(|(path, _)| path == name).expect(name);
            for (j, b) in values.iter().enumerate() {
                let a = found[1 + 2 * i + j].item::<f64>().expect("a number");
                let off = (a - b).abs() / values[1].max(1.0);
                worst = worst.max(off);
                assert!(off < 1e-10, "{} {name}: {a}, not {b}", line.split('|').next().unwrap_or(""));
            }
        }
    }
    assert!(worst < 1e-10, "{worst:e}");
    println!("the worst relative difference {worst:.1e}");
}
