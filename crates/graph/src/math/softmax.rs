//! Softmax and its relatives, stable for logits of any size.

use std::panic::Location;

use crate::var::Var;

impl<'g> Var<'g> {
    /// ln Σ eˣ along `axis`, which disappears. The maximum is taken out first, so nothing overflows.
    #[track_caller]
    pub fn logsumexp(self, axis: isize) -> Var<'g> {
        let _here = self.graph.blame("logsumexp", Location::caller());
        let top = self.max(&[axis]).stop_gradient();
        // An infinite maximum would make ∞ − ∞ below.
        let top = top.abs().equal(f64::INFINITY).select(0.0, top);
        (self - self.keep(&[axis], top)).exp().sum(&[axis]).ln() + top
    }

    /// ln softmax along `axis`.
    #[track_caller]
    pub fn log_softmax(self, axis: isize) -> Var<'g> {
        let _here = self.graph.blame("log_softmax", Location::caller());
        self - self.keep(&[axis], self.logsumexp(axis))
    }

    /// eˣ / Σ eˣ along `axis`: positive, and its sum is 1.
    #[track_caller]
    pub fn softmax(self, axis: isize) -> Var<'g> {
        let _here = self.graph.blame("softmax", Location::caller());
        let top = self.keep(&[axis], self.max(&[axis]).stop_gradient());
        let e = (self - top).exp();
        e / self.keep(&[axis], e.sum(&[axis]))
    }

    /// Truth values of shape `(…, classes)`: whether this integer is the position on the new last axis. An integer that
    /// is no class is at no position: its row is false.
    #[track_caller]
    pub fn one_hot(self, classes: usize) -> Var<'g> {
        let _here = self.graph.blame("one_hot", Location::caller());
        self.expand(-1).equal(self.graph.iota([classes], 0))
    }
}
