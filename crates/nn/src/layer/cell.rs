//! The equations of recurrent cells.

use chainrule_graph::Var;

/// What a step makes of its input and its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Tanh,
    Relu,
    Lstm,
    Gru,
}

impl Cell {
    pub(super) fn name(self) -> &'static str {
        match self {
            Cell::Tanh | Cell::Relu => "rnn",
            Cell::Lstm => "lstm",
            Cell::Gru => "gru",
        }
    }

    pub(super) fn gates(self) -> usize {
        match self {
            Cell::Tanh | Cell::Relu => 1,
            Cell::Lstm => 4,
            Cell::Gru => 3,
        }
    }

    pub(super) fn states(self) -> usize {
        if self == Cell::Lstm { 2 } else { 1 }
    }

    /// The next state from the input's part of all gates, the hidden state's part, and the state before.
    #[track_caller]
    pub(super) fn step<'g>(self, x: Var<'g>, h: Var<'g>, old: &[Var<'g>], units: usize) -> Vec<Var<'g>> {
        let gate = |all: Var<'g>, i: usize| all.slice(-1, i * units..(i + 1) * units);
        match self {
            Cell::Tanh => vec![(x + h).tanh()],
            Cell::Relu => vec![(x + h).relu()],
            Cell::Lstm => {
                let all = x + h;
                let [i, f, o] = [0, 1, 3].map(|n| gate(all, n).sigmoid());
                let cell = f * old[1] + i * gate(all, 2).tanh();
                vec![o * cell.tanh(), cell]
            }
            Cell::Gru => {
                let [r, z] = [0, 1].map(|n| (gate(x, n) + gate(h, n)).sigmoid());
                let n = (gate(x, 2) + r * gate(h, 2)).tanh();
                vec![(1.0 - z) * n + z * old[0]]
            }
        }
    }
}
