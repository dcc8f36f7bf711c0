//! Recurrent layers, unrolled: RNN, GRU and LSTM in one or both directions.

use chainrule::graph::Var;

use super::node::{Node, Outcome};

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    matches!(n.op.as_str(), "RNN" | "GRU" | "LSTM").then(|| Ok(layer(n)))
}

/// The next state (h, c) from the input of this moment and the state before; only the LSTM uses c.
fn step<'g>(n: &Node<'g>, cell: &Cell<'g>, x: Var<'g>, [h, c]: [Var<'g>; 2]) -> [Var<'g>; 2] {
    match n.op.as_str() {
        "RNN" => [rnn(cell, x, h), c],
        "GRU" => [gru(n, cell, x, h), c],
        _ => lstm(cell, x, [h, c]),
    }
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

fn layer<'g>(n: &Node<'g>) -> Vec<Var<'g>> {
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

fn rnn<'g>(cell: &Cell<'g>, x: Var<'g>, h: Var<'g>) -> Var<'g> {
    let bias = cell.gate(cell.bias, 0) + cell.gate(cell.bias, 1);
    (x.matmul(cell.w.t()) + h.matmul(cell.r.t()) + bias).tanh()
}

fn gru<'g>(n: &Node<'g>, cell: &Cell<'g>, x: Var<'g>, h: Var<'g>) -> Var<'g> {
    let input = |i| x.matmul(cell.weights(cell.w, i)) + cell.gate(cell.bias, i);
    let recurrent = |i, h: Var<'g>| h.matmul(cell.weights(cell.r, i)) + cell.gate(cell.bias, 3 + i);
    let update = (input(0) + recurrent(0, h)).sigmoid();
    let reset = (input(1) + recurrent(1, h)).sigmoid();
    let memory =
        if n.flag("linear_before_reset", false) { reset * recurrent(2, h) } else { recurrent(2, reset * h) };
    let new = (input(2) + memory).tanh();
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
