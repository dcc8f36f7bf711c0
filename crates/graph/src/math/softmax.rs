//! Softmax and its relatives, stable for logits of any size.

use std::panic::Location;

use chainrule_tensor::{keep, shape};

use crate::var::Var;

impl<'g> Var<'g> {
    /// ln Σ eˣ along `axis`, which disappears; −∞ of no elements, and where all are −∞, with derivative 0 there. The
    /// maximum is taken out first, so nothing overflows.
    #[track_caller]
    pub fn logsumexp(self, axis: isize) -> Var<'g> {
        let _here = self.graph.blame("logsumexp", Location::caller());
        let top = self.top(axis);
        let sum = (self - top).exp().sum(keep(axis));
        // ln 0 is right, but its slope times the 0 of each term is not.
        let nothing = sum.equal(0.0);
        nothing.select(f64::NEG_INFINITY, nothing.select(1.0, sum).ln() + top).squeeze(axis)
    }

    /// ln softmax along `axis`; of no elements, none. Accurate for logits of any size, since a common offset is taken out
    /// before anything is added. NaN where all logits are −∞.
    #[track_caller]
    pub fn log_softmax(self, axis: isize) -> Var<'g> {
        let _here = self.graph.blame("log_softmax", Location::caller());
        let shifted = self - self.top(axis);
        shifted - shifted.exp().sum(keep(axis)).ln()
    }

    /// eˣ / Σ eˣ along `axis`; of no elements, none. Positive, and its sum is 1. NaN where all logits are −∞.
    #[track_caller]
    pub fn softmax(self, axis: isize) -> Var<'g> {
        let _here = self.graph.blame("softmax", Location::caller());
        let e = (self - self.top(axis)).exp();
        e / e.sum(keep(axis))
    }

    /// The maximum along `axis`, which stays, as a number that only shifts: it has no derivative, and it is 0 of no elements, and where
    /// it is infinite and would make ∞ − ∞.
    #[track_caller]
    fn top(self, axis: isize) -> Var<'g> {
        let own = self.shape();
        if shape::axis("max", axis, &own).is_ok_and(|axis| own[axis] == 0) {
            return self.sum(keep(axis)).stop_gradient();
        }
        let top = self.max(keep(axis)).stop_gradient();
        top.abs().equal(f64::INFINITY).select(0.0, top)
    }

    /// Truth values of shape `(…, classes)`: whether this integer is the position on the new last axis. An integer that
    /// is no class is at no position: its row is false.
    #[track_caller]
    pub fn one_hot(self, classes: usize) -> Var<'g> {
        let _here = self.graph.blame("one_hot", Location::caller());
        self.insert_axis(-1).equal(self.graph.iota([classes], 0))
    }
}
