//! Steps of optimisers, with ONNX's own conventions.

use chainrule::graph::Var;

use super::node::{Node, Outcome};

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    let states = match n.op.as_str() {
        "Adagrad" | "Momentum" => 1,
        "Adam" => 2,
        _ => return None,
    };
    // Inputs: rate, count, then all parameters, all gradients, all states. Outputs: parameters and states.
    let parameters = (n.arity() - 2) / (2 + states);
    let mut outputs: Vec<Vec<Var<'g>>> = vec![vec![]; 1 + states];
    for p in 0..parameters {
        let column = |i: usize| n.x(2 + i * parameters + p);
        let state: Vec<Var<'g>> = (0..states).map(|i| column(2 + i)).collect();
        // Regularisation is part of the gradient.
        let gradient = column(1) + column(0) * n.real_or("norm_coefficient", 0.0);
        for (list, new) in outputs.iter_mut().zip(step(n, column(0), gradient, &state)) {
            list.push(new);
        }
    }
    Some(Ok(outputs.concat()))
}

/// The next parameter and states, from the parameter, its gradient and its states.
fn step<'g>(n: &Node<'g>, x: Var<'g>, gradient: Var<'g>, state: &[Var<'g>]) -> Vec<Var<'g>> {
    match n.op.as_str() {
        "Adagrad" => adagrad(n, x, gradient, state),
        "Adam" => adam(n, x, gradient, state),
        _ => momentum(n, x, gradient, state),
    }
}

fn adagrad<'g>(n: &Node<'g>, x: Var<'g>, gradient: Var<'g>, state: &[Var<'g>]) -> Vec<Var<'g>> {
    let rate = n.x(0) / (1.0 + n.x(1).real() * n.real_or("decay_factor", 0.0));
    let squares = state[0] + gradient.square();
    vec![x - rate * gradient / (squares.sqrt() + n.real_or("epsilon", 0.0)), squares]
}

fn adam<'g>(n: &Node<'g>, x: Var<'g>, gradient: Var<'g>, state: &[Var<'g>]) -> Vec<Var<'g>> {
    let (alpha, beta) = (n.real_or("alpha", 0.9), n.real_or("beta", 0.999));
    let mean = state[0] * alpha + gradient * (1.0 - alpha);
    let squares = state[1] * beta + gradient.square() * (1.0 - beta);
    let count = n.x(1).real();
    let unbiased = |decay: f64| 1.0 - n.g.constant(decay).pow(count);
    let rate = count.greater(0.0).select(n.x(0) * unbiased(beta).sqrt() / unbiased(alpha), n.x(0));
    let new = x - rate * mean / (squares.sqrt() + n.real_or("epsilon", 0.0));
    vec![new * (1.0 - n.real_or("norm_coefficient_post", 0.0)), mean, squares]
}

fn momentum<'g>(n: &Node<'g>, x: Var<'g>, gradient: Var<'g>, state: &[Var<'g>]) -> Vec<Var<'g>> {
    let alpha = n.real_or("alpha", 0.9);
    let beta = n.x(1).greater(0_i64).select(n.real_or("beta", 1.0), 1.0);
    let speed = state[0] * alpha + beta * gradient;
    let along = if n.text_or("mode", "standard") == "nesterov" { gradient + speed * alpha } else { speed };
    vec![x - n.x(0) * along, speed]
}
