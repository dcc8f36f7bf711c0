//! RNN, GRU and LSTM in one or both directions: by the library's layer, or step by step where ONNX has what it has not.

use chainrule::graph::Var;
use chainrule::nn::{Params, Recurrent};
use chainrule::tensor::{DType, Tensor};

use super::node::{Node, Outcome};

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    matches!(n.op.as_str(), "RNN" | "GRU" | "LSTM").then(|| Ok(by_layer(n).unwrap_or_else(|| unrolled(n))))
}

/// What the layer gives; `None` for peepholes, and for gates that reset the state before its product.
fn by_layer<'g>(n: &Node<'g>) -> Option<Vec<Var<'g>>> {
    // Where the layer's gates stand among ONNX's.
    let (net, order): (fn(usize) -> Recurrent, &[usize]) = match n.op.as_str() {
        "RNN" => (Recurrent::plain, &[0]),
        "LSTM" if n.given(7).is_none() => (Recurrent::lstm, &[0, 2, 3, 1]),
        "GRU" if n.flag("linear_before_reset", false) => (Recurrent::gru, &[1, 0, 2]),
        _ => return None,
    };
    let [directions, _, units] = n.x(2).shape()[..] else { return None };
    let mut params = Params::new();
    for d in 0..directions {
        let name = ["forward0", "backward0"][d];
        let gates = order.len();
        for (i, part) in ["input", "hidden"].into_iter().enumerate() {
            let weight = ordered(n.value(i + 1)?, d, order, 0, units).t().expect("a matrix");
            params.insert(format!("{name}.{part}.weight"), weight);
            let bias = match n.value(3) {
                Some(bias) => ordered(bias, d, order, i * gates, units),
                None => Tensor::zeros([gates * units], DType::F32),
            };
            params.insert(format!("{name}.{part}.bias"), bias);
        }
    }
    let batch_first = n.int_or("layout", 0) == 1;
    let swapped = |v: Var<'g>| if batch_first { v.swap_axes(0, 1) } else { v };
    let x = if batch_first { n.x(0) } else { n.x(0).swap_axes(0, 1) };
    let backwards = n.text_or("direction", "forward") == "reverse";
    let turned = |v: Var<'g>| if backwards { v.flip(1) } else { v };
    let state: Vec<Var<'g>> = [n.given(5), n.given(6)].into_iter().flatten().map(swapped).collect();
    let net = if directions == 2 { net(units).bidirectional() } else { net(units) };
    let (y, last) = net.unroll(&n.scope(params), turned(x), None, &state);
    let sides = [x.dim(0) as isize, x.dim(1) as isize, directions as isize, units as isize];
    let y = turned(y).reshape(sides);
    let y = if batch_first { y } else { y.permute([1, 2, 0, 3]) };
    Some([vec![y], last.into_iter().map(swapped).collect()].concat())
}

/// The rows of direction `d` of (directions, gates·units, …) in the layer's order of gates, from gate `first` on.
fn ordered(all: &Tensor, d: usize, order: &[usize], first: usize, units: usize) -> Tensor {
    let rows = |of: &Tensor, axis, at: usize, count: usize| {
        of.slice(axis, at as isize..(at + count) as isize, 1).expect("as many as ONNX says")
    };
    let own = rows(all, 0, d, 1);
    let gates: Vec<Tensor> = order.iter().map(|g| rows(&own, 1, (first + g) * units, units)).collect();
    let own = Tensor::concat(&gates.iter().collect::<Vec<_>>(), 1).expect("alike");
    let shape: Vec<isize> = own.shape()[1..].iter().map(|n| *n as isize).collect();
    own.reshape(&shape[..]).expect("one direction")
}

/// The next state (h, c) from the input of this moment and the state before; only the LSTM uses c.
fn step<'g>(n: &Node<'g>, cell: &Cell<'g>, x: Var<'g>, [h, c]: [Var<'g>; 2]) -> [Var<'g>; 2] {
    if n.op == "GRU" { [gru(cell, x, h), c] } else { lstm(cell, x, [h, c]) }
}

/// The parameters of one direction.
struct Cell<'g> {
    w: Var<'g>,
    r: Var<'g>,
    /// For the input and for the recurrence, one after the other.
    bias: Var<'g>,
    peepholes: Var<'g>,
    hidden: usize,
}

impl<'g> Cell<'g> {
    /// Part `i` of a value whose last axis has `hidden` elements for each gate.
    fn gate(&self, all: Var<'g>, i: usize) -> Var<'g> {
        all.slice(-1, i * self.hidden..(i + 1) * self.hidden)
    }

    /// Rows of weights that belong to gate `i`, as a right factor.
    fn weights(&self, all: Var<'g>, i: usize) -> Var<'g> {
        all.slice(0, i * self.hidden..(i + 1) * self.hidden).t()
    }
}

fn unrolled<'g>(n: &Node<'g>) -> Vec<Var<'g>> {
    let batch_first = n.int_or("layout", 0) == 1;
    let swapped = |v: Var<'g>| if batch_first { v.permute([1, 0, 2]) } else { v };
    let x = swapped(n.x(0));
    let (steps, batch) = (x.shape()[0], x.shape()[1]);
    let (directions, hidden) = (n.x(1).shape()[0], n.x(2).shape()[2]);
    let gates = n.x(1).shape()[1] / hidden;
    let zeros = |shape: &[usize]| n.g.constant(0.0).broadcast_to(shape);
    let state = |i: usize| n.given(i).map_or_else(|| zeros(&[directions, batch, hidden]), swapped);
    let (h, c) = (state(5), state(6));
    let bias = n.given(3).unwrap_or_else(|| zeros(&[directions, 2 * gates * hidden]));
    let peepholes = n.given(7).unwrap_or_else(|| zeros(&[directions, 3 * hidden]));
    let (mut all, mut last_h, mut last_c) = (vec![], vec![], vec![]);
    for d in 0..directions {
        let of = |v: Var<'g>| v.slice(0, d..d + 1).sum(0);
        let cell = Cell { w: of(n.x(1)), r: of(n.x(2)), bias: of(bias), peepholes: of(peepholes), hidden };
        let backwards = d == 1 || n.text_or("direction", "forward") == "reverse";
        let mut state = [of(h), of(c)];
        let mut seen = Vec::new();
        for t in 0..steps {
            let t = if backwards { steps - 1 - t } else { t };
            state = step(n, &cell, x.slice(0, t..t + 1).sum(0), state);
            seen.push(state[0]);
        }
        if backwards {
            seen.reverse();
        }
        all.push(n.g.stack(&seen, 0));
        last_h.push(state[0]);
        last_c.push(state[1]);
    }
    let y = n.g.stack(&all, 1); // (time, direction, batch, hidden)
    let y = if batch_first { y.permute([2, 0, 1, 3]) } else { y };
    vec![y, swapped(n.g.stack(&last_h, 0)), swapped(n.g.stack(&last_c, 0))]
}

fn gru<'g>(cell: &Cell<'g>, x: Var<'g>, h: Var<'g>) -> Var<'g> {
    let input = |i| x.matmul(cell.weights(cell.w, i)) + cell.gate(cell.bias, i);
    let recurrent = |i, h: Var<'g>| h.matmul(cell.weights(cell.r, i)) + cell.gate(cell.bias, 3 + i);
    let update = (input(0) + recurrent(0, h)).sigmoid();
    let reset = (input(1) + recurrent(1, h)).sigmoid();
    let new = (input(2) + recurrent(2, reset * h)).tanh();
    (1.0 - update) * new + update * h
}

fn lstm<'g>(cell: &Cell<'g>, x: Var<'g>, [h, c]: [Var<'g>; 2]) -> [Var<'g>; 2] {
    let gates = x.matmul(cell.w.t()) + h.matmul(cell.r.t());
    let sum = |i| cell.gate(gates, i) + cell.gate(cell.bias, i) + cell.gate(cell.bias, 4 + i);
    let peep = |i, c: Var<'g>| cell.gate(cell.peepholes, i) * c;
    let input = (sum(0) + peep(0, c)).sigmoid();
    let forget = (sum(2) + peep(2, c)).sigmoid();
    let new = forget * c + input * sum(3).tanh();
    let output = (sum(1) + peep(1, new)).sigmoid();
    [output * new.tanh(), new]
}
