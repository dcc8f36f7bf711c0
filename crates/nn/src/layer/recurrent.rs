//! Recurrent layers: one cell, carried along time by a loop.

use std::panic::Location;

use chainrule_graph::{Error, ErrorKind, Keep, Kind, Result, Scan, Var};

use super::cell::Cell;
use super::{Dropout, Layer};
use crate::init::Init;
use crate::scope::Scope;

/// A recurrent network over sequences (batch, time, features), which gives (batch, time, units): plain, LSTM or GRU, of one
/// or more layers, in one or both directions (course 5, lectures 1.3 and 1.9 to 1.12).
///
/// ```
/// use chainrule_graph::{Graph, Kind};
/// use chainrule_nn::{Layer, Linear, Mode, Params, Recurrent, Scope};
/// let g = Graph::new();
/// let x = g.input("x", [8, 20, 5], Kind::Real); // 8 sequences of 20 steps
/// let s = Scope::root(&g, Params::new(), Mode::Train, 1);
/// let h = Recurrent::lstm(16).layers(2).bidirectional().forward(&s.at("lstm"), x);
/// assert_eq!(h.shape()[..], [8, 20, 32]);
/// assert_eq!(Linear::new(3).forward(&s.at("output"), h).shape()[..], [8, 20, 3]);
/// ```
///
/// The equations are those of PyTorch's layers of these names. With W x + b and R h + c for the input's and the hidden
/// state's part of each gate, and σ the logistic function:
///
/// ```text
/// plain   h' = tanh(W x + b + R h + c)
/// LSTM    i, f, o = σ(W x + b + R h + c), each its own    g = tanh(W x + b + R h + c)
///         cell' = f cell + i g                            h' = o tanh(cell')
/// GRU     r, z = σ(W x + b + R h + c), each its own       n = tanh(W x + b + r (R h + c))
///         h' = (1 − z) n + z h
/// ```
///
/// The parameters of layer 0 are `forward0.input.weight` (features, gates·units), `forward0.hidden.weight` (units,
/// gates·units) and a `bias` (gates·units) of each, with the gates in PyTorch's order: i, f, g, o and r, z, n. So PyTorch's
/// `weight_ih_l0` is the transpose of the first. Further layers count on; the other direction's are `backward0` and so on.
///
/// The products of all steps' inputs are one product, outside the loop.
#[derive(Clone, Debug)]
#[doc(alias = "LSTM")]
#[doc(alias = "GRU")]
#[doc(alias = "RNN")]
pub struct Recurrent {
    cell: Cell,
    units: usize,
    layers: usize,
    bidirectional: bool,
    keep: f64,
    backward_keeps: Keep,
}

impl Recurrent {
    /// The plain network, with tanh.
    pub fn plain(units: usize) -> Self {
        Recurrent::of(Cell::Tanh, units)
    }

    /// The plain network, with ReLU (Le and others 2015).
    pub fn relu(units: usize) -> Self {
        Recurrent::of(Cell::Relu, units)
    }

    /// Long short-term memory (Hochreiter and Schmidhuber 1997; lecture 1.10).
    pub fn lstm(units: usize) -> Self {
        Recurrent::of(Cell::Lstm, units)
    }

    /// Gated recurrent units (Cho and others 2014; lecture 1.9).
    pub fn gru(units: usize) -> Self {
        Recurrent::of(Cell::Gru, units)
    }

    fn of(cell: Cell, units: usize) -> Self {
        Recurrent { cell, units, layers: 1, bidirectional: false, keep: 1.0, backward_keeps: Keep::All }
    }

    /// So many layers, each over the outputs of the one before (lecture 1.12).
    pub fn layers(self, layers: usize) -> Self {
        Recurrent { layers, ..self }
    }

    /// A second network in each layer from the last step to the first, whose outputs stand behind those of the first
    /// (lecture 1.11).
    pub fn bidirectional(self) -> Self {
        Recurrent { bidirectional: true, ..self }
    }

    /// Dropout between the layers, which keeps each output with this probability.
    pub fn dropout(self, keep: f64) -> Self {
        Recurrent { keep, ..self }
    }

    /// What the backward pass finds of the steps, the rest being computed again: memory for time.
    pub fn keep(self, keep: Keep) -> Self {
        Recurrent { backward_keeps: keep, ..self }
    }

    /// The outputs of all steps, and the states after the last.
    ///
    /// `lengths`, (batch,), says how many steps each sequence has; what stands behind is padding of any value, its outputs are
    /// 0, and the other direction begins with each sequence's own last step. A length beyond the steps, or below 0, is
    /// an error when the graph runs.
    ///
    /// `state` is what was returned for the steps before, or empty for zeros: the hidden states, and for the LSTM those of
    /// its cells behind them, each (layers·directions, batch, units), with a layer's directions side by side. For truncated
    /// back-propagation through time, hand on `state.stop_gradient()`.
    #[track_caller]
    pub fn unroll<'g>(
        &self,
        scope: &Scope<'g>,
        x: Var<'g>,
        lengths: Option<Var<'g>>,
        state: &[Var<'g>],
    ) -> (Var<'g>, Vec<Var<'g>>) {
        let here = Location::caller();
        let refused = [Some(x), lengths].into_iter().flatten().chain(state.iter().copied());
        if let Some(poisoned) = refused.clone().find(|v| v.is_poisoned()) {
            return (poisoned, vec![poisoned; self.cell.states()]);
        }
        let _here = scope.graph().blame(self.cell.name(), here);
        self.checked(x, lengths, state).and_then(|()| self.stacked(scope, x, lengths, state)).unwrap_or_else(
            |error| {
                let error =
                    if error.at().is_some() { error } else { error.placed(scope.graph().origin(here)) };
                let poison = scope.graph().poison(error);
                (poison, vec![poison; self.cell.states()])
            },
        )
    }

    fn directions(&self) -> usize {
        1 + usize::from(self.bidirectional)
    }

    fn checked<'g>(&self, x: Var<'g>, lengths: Option<Var<'g>>, state: &[Var<'g>]) -> Result<()> {
        let shape = x.shape();
        let refuse = |why: String| {
            let error = Error::new(ErrorKind::Value { op: self.cell.name(), why });
            Err(error.operand("sequences", x.ty(), x.origin()))
        };
        let [batch, steps, _] = shape[..] else {
            return refuse(format!("sequences are (batch, time, features), not {shape}"));
        };
        if steps == 0 {
            return refuse("the sequences have no steps".into());
        }
        if self.units == 0 || self.layers == 0 {
            return refuse(format!("{} layers of {} units compute nothing", self.layers, self.units));
        }
        if let Some(lengths) = lengths.filter(|l| l.kind() != Kind::Int || l.shape()[..] != [batch]) {
            return refuse(format!(
                "lengths are {batch} integers, one for each sequence, not {}",
                lengths.ty()
            ));
        }
        if !state.is_empty() && state.len() != self.cell.states() {
            return refuse(format!("{} states are given of {}", state.len(), self.cell.states()));
        }
        let wanted = [self.layers * self.directions(), batch, self.units];
        if let Some(other) = state.iter().find(|s| s.shape()[..] != wanted) {
            return refuse(format!(
                "states are (layers·directions, batch, units) = {wanted:?}, not {}",
                other.ty()
            ));
        }
        Ok(())
    }

    fn stacked<'g>(
        &self,
        scope: &Scope<'g>,
        x: Var<'g>,
        lengths: Option<Var<'g>>,
        state: &[Var<'g>],
    ) -> Result<(Var<'g>, Vec<Var<'g>>)> {
        let g = scope.graph();
        let (batch, steps) = (x.dim(0), x.dim(1));
        // Within the loop time leads.
        let inside = lengths.map(|lengths| {
            let lengths = lengths.in_range(steps + 1, "length");
            g.iota([steps, 1], 0).less(lengths.insert_axis(0)).insert_axis(-1)
        });
        let mut y = x.swap_axes(0, 1);
        if let Some(inside) = inside {
            // Padding may be anything, and NaN times a cotangent of 0 is NaN.
            y = inside.select(y, 0.0);
        }
        let mut last: Vec<Vec<Var<'g>>> = vec![Vec::new(); self.cell.states()];
        for layer in 0..self.layers {
            if layer > 0 && self.keep != 1.0 {
                y = Dropout::keep(self.keep).forward(&scope.at(&format!("drop{layer}")), y);
            }
            let mut sides = Vec::new();
            for direction in 0..self.directions() {
                let nth = layer * self.directions() + direction;
                let first: Vec<Var<'g>> = match state {
                    [] => vec![g.constant(0.0).broadcast_to([batch, self.units]); self.cell.states()],
                    state => state.iter().map(|s| s.slice(0, nth..nth + 1).squeeze(0)).collect(),
                };
                let name = format!("{}{layer}", ["forward", "backward"][direction]);
                let (side, state) = self.one(&scope.at(&name), y, inside, &first, direction == 1)?;
                sides.push(side);
                for (all, last) in last.iter_mut().zip(state) {
                    all.push(last);
                }
            }
            y = g.concat(&sides, -1);
        }
        Ok((y.swap_axes(0, 1), last.iter().map(|all| g.stack(all, 0)).collect()))
    }

    /// One direction of one layer, over (time, batch, features).
    fn one<'g>(
        &self,
        scope: &Scope<'g>,
        x: Var<'g>,
        inside: Option<Var<'g>>,
        first: &[Var<'g>],
        reverse: bool,
    ) -> Result<(Var<'g>, Vec<Var<'g>>)> {
        let width = self.cell.gates() * self.units;
        let part = |name: &str, from: usize| {
            let scope = scope.at(name);
            (scope.param("weight", [from, width], Init::Xavier), scope.param("bias", [width], Init::Zeros))
        };
        let (w, b) = part("input", x.dim(-1));
        let (r, c) = part("hidden", self.units);
        let inputs = x.matmul(w) + b;
        let slices: Vec<Var<'g>> = [inputs].into_iter().chain(inside).collect();
        let scan = Scan::new().reverse(reverse).keep(self.backward_keeps);
        let (last, outputs) = scan.run(first, &slices, |old, slice| {
            let recurrent = old[0].matmul(r) + c;
            let new = self.cell.step(slice[0], recurrent, old, self.units);
            let Some(inside) = slice.get(1) else {
                return Ok((new.clone(), vec![new[0]]));
            };
            let kept = new.iter().zip(old).map(|(new, old)| inside.select(*new, *old)).collect();
            Ok((kept, vec![inside.select(new[0], 0.0)]))
        })?;
        Ok((outputs[0], last))
    }
}

impl Layer for Recurrent {
    #[track_caller]
    fn forward<'g>(&self, scope: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        self.unroll(scope, x, None, &[]).0
    }
}
