//! Minima by L-BFGS, and averages of weights, against scikit-learn, SciPy and PyTorch (minima.py).

use chainrule::data::{Dataset, Standardize, breast_cancer};
use chainrule::graph::Precision;
use chainrule::loss::{binary_cross_entropy_with_logits, from_fn};
use chainrule::optim::{Average, Lbfgs, Optimiser, Sgd};
use chainrule::prelude::*;

fn lines(name: &str) -> Vec<Vec<f64>> {
    let of = |line: &'static str| line.split_once('|').filter(|(found, _)| *found == name);
    let numbers = |(_, rest): (_, &str)| rest.split(' ').map(|x| x.parse().expect("a number")).collect();
    let found: Vec<Vec<f64>> = include_str!("data/minima.txt").lines().filter_map(of).map(numbers).collect();
    assert!(!found.is_empty(), "{name}");
    found
}

/// In f64 and standardised, with the first so many features.
fn cancer(features: usize) -> Dataset {
    let data = breast_cancer().expect("embedded");
    let data =
        data.map_features(|x| Ok(x.cast(DType::F64).slice(1, 0..features as isize, 1)?)).expect("columns");
    let scale = Standardize::fit(&data).expect("finite");
    scale.apply(&data).expect("finite")
}

#[test]
fn logistic_regression_has_the_optimum_of_scikit_learn() {
    for right in lines("logistic") {
        let (features, l2) = (right[0] as usize, right[1]);
        let data = cancer(features);
        let loss = from_fn(|z, y| binary_cross_entropy_with_logits(z, y.insert_axis(1)));
        let model = Linear::new(1).init(Init::Zeros);
        let trainer = Trainer::new(model, loss).penalty(Penalty { l1: 0.0, l2 });
        let mut params = Params::new();
        let found = trainer.minimise(&mut params, &data, &Lbfgs::new().tolerance(1e-10)).expect("a minimum");
        println!("{features} features, λ {l2}: {} steps, {} evaluations", found.steps, found.evaluations);
        assert!(found.converged);
        assert!((found.value - right[2]).abs() < 1e-12, "{} against {}", found.value, right[2]);
        let of = |path: &str| params.get(path).expect("a parameter").to_vec::<f64>().expect("f64");
        for (found, right) in [of("bias"), of("weight")].concat().iter().zip(&right[3..]) {
            assert!((found - right).abs() < 1e-6, "{found} against {right}");
        }
    }
}

#[test]
fn rosenbrocks_valley_takes_no_more_evaluations_than_scipy_needs() {
    let right = &lines("rosenbrock")[0];
    let mut evaluations = 0;
    let found = Lbfgs::new().tolerance(1e-9).minimise([-1.2, 1.0].repeat(5), |x| {
        evaluations += 1;
        let mut slope = vec![0.0; x.len()];
        let mut value = 0.0;
        for i in 0..x.len() - 1 {
            let (a, b) = (1.0 - x[i], x[i + 1] - x[i] * x[i]);
            value += a * a + 100.0 * b * b;
            slope[i] += -2.0 * a - 400.0 * x[i] * b;
            slope[i + 1] += 200.0 * b;
        }
        Ok((value, slope))
    });
    let found = found.expect("a minimum");
    println!("{} steps, {} evaluations; SciPy {} and {}", found.steps, evaluations, right[1], right[2]);
    assert!(found.converged && found.evaluations == evaluations && found.values.len() == found.steps);
    assert!(found.values.windows(2).all(|pair| pair[1] < pair[0]));
    assert!(evaluations as f64 <= 1.5 * right[2]);
    for (found, right) in found.at.iter().zip(&right[3..]) {
        assert!((found - right).abs() < 1e-7, "{found} against {right}");
    }
}

#[test]
fn averages_of_weights_are_those_of_pytorch() {
    for (name, average) in [("exponential", Average::exponential(0.8)), ("even", Average::even(10, 5))] {
        let inputs: [Tensor; 0] = [];
        let mut step = Step::builder()
            .precision(Precision::F64)
            .record(Params::new(), &inputs, |s, _| {
                let graph = s.graph();
                let w = s.param("w", [3], Init::Zeros);
                let (goal, scale) = (graph.constant([1.0, -2.0, 3.0]), graph.constant([0.5, 3.0, 0.05]));
                let loss = ((w - goal).square() * scale).sum(..);
                Learning::of(Goal::new("loss", loss, Sgd::new(0.3).then(average)))
            })
            .expect("a step");
        assert!(step.averages().is_some());
        step.set_params(&[("w".to_owned(), Tensor::from([0.3, -0.7, 2.0]))].into_iter().collect())
            .expect("fits");
        for (t, right) in lines(name)[0].chunks(3).enumerate() {
            step.run(&inputs).expect("runs");
            let averages = step.averages().expect("averages");
            let found = averages.get("w").expect("w").to_vec::<f64>().expect("f64");
            for (x, y) in found.iter().zip(right) {
                assert!((x - y).abs() < 1e-10, "{name}, step {}: {found:?}, not {right:?}", t + 1);
            }
        }
    }
}
