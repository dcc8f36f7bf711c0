//! Losses against the values and gradients of PyTorch's (torch_losses.py).

use chainrule::loss::{
    BinaryCrossEntropy, CosineDistance, CrossEntropy, Focal, Hinge, Huber, KlDivergence, PoissonNll,
    Reduction, SmoothL1, binary_cross_entropy, binary_cross_entropy_with_logits, cosine_embedding,
    mean_squared_error, softmax_cross_entropy, triplet,
};
use chainrule::prelude::*;

fn loss(name: &str) -> Box<dyn for<'g> Fn(Var<'g>, Var<'g>) -> Var<'g>> {
    let weights = [0.5, 2.0, 1.25];
    let classes = CrossEntropy::new;
    fn boxed(loss: impl Loss + 'static) -> Box<dyn for<'g> Fn(Var<'g>, Var<'g>) -> Var<'g>> {
        Box::new(move |x, y| loss.of(x, y))
    }
    let name =
        ["huge ", "far ", "pixels "].into_iter().fold(name, |name, size| name.trim_start_matches(size));
    match name {
        "labels" | "shares" | "part" => boxed(softmax_cross_entropy),
        "weights" | "weighted shares" => boxed(classes().weights(weights)),
        "ignoring" => boxed(classes().weights(weights).ignoring(0)),
        "smoothing" | "smooth shares" => boxed(classes().smoothing(0.1)),
        "all" => boxed(classes().weights(weights).ignoring(0).smoothing(0.1)),
        "sum" => boxed(classes().weights(weights).reduction(Reduction::Sum)),
        "binary" | "binary shares" => boxed(binary_cross_entropy_with_logits),
        "probabilities" => boxed(binary_cross_entropy),
        "squares" => boxed(mean_squared_error),
        "huber" => boxed(Huber { delta: 0.75, ..Huber::default() }),
        "smooth l1" => boxed(SmoothL1 { beta: 0.75, ..SmoothL1::default() }),
        "positive" => boxed(BinaryCrossEntropy {
            positive: 3.0,
            weights: Some(weights.into()),
            ..BinaryCrossEntropy::default()
        }),
        "focal" => boxed(Focal::default()),
        "cosine" => boxed(CosineDistance::default()),
        "embedding" => Box::new(|x, y| {
            let pairs = x.graph().constant(Tensor::from([1.0, -1.0, -1.0, 1.0]));
            cosine_embedding(x, y, pairs, 0.25, Reduction::Mean)
        }),
        "triplet" => Box::new(|x, y| triplet(x, y, y.flip(0), 0.5, Reduction::Mean)),
        "hinge" => boxed(Hinge::default()),
        "squared hinge" => boxed(Hinge { squared: true, ..Hinge::default() }),
        "nll" => boxed(CrossEntropy::of_log_probabilities()),
        "kl" | "kl part" => boxed(KlDivergence::default()),
        "kl log" => boxed(KlDivergence { log_target: true, ..KlDivergence::default() }),
        "poisson" => boxed(PoissonNll::default()),
        "poisson rate" => boxed(PoissonNll { log_input: false, ..PoissonNll::default() }),
        other => panic!("no loss is called {other}"),
    }
}

#[test]
fn losses_have_the_values_and_gradients_of_pytorch() {
    for line in include_str!("data/losses.txt").lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let numbers =
            |i: usize| -> Vec<f64> { fields[i].split(' ').map(|x| x.parse().expect("a number")).collect() };
        let g = Graph::new();
        let (x, y) = (numbers(1), numbers(2));
        let shape: &[usize] = if fields[0].contains("pixels") { &[2, 2, 3, 3] } else { &[4, 3] };
        let y = if y.len() == x.len() {
            Tensor::from_vec(y, shape)
        } else {
            Tensor::from_vec(y.iter().map(|y| *y as i64).collect(), &shape[..shape.len() - 1])
        };
        let (x, y) = (g.leaf("x", Tensor::from_vec(x, shape).expect("as many")), y.expect("one for each"));
        let value = loss(fields[0])(x, g.constant(y));
        let gradient = value.grad(&[x]).expect("connected")[0].value().expect("runs");
        let found = value.value().expect("runs").item::<f64>().expect("a number");
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs().max(1.0);
        assert!(close(found, numbers(3)[0]), "{}: {found}, not {}", fields[0], fields[3]);
        for (a, b) in gradient.to_vec::<f64>().expect("reals").iter().zip(numbers(4)) {
            assert!(close(*a, b), "{}: slope {a}, not {b}", fields[0]);
        }
    }
}
