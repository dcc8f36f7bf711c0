//! Softmax and its relatives, stable for logits of any size.

use std::panic::Location;

use chainrule_tensor::{Axes, Shape, keep, shape};

use crate::var::Var;

impl<'g> Var<'g> {
    /// ln Σ eˣ over `axes` (see [`Axes`]); −∞ of no elements, and where all are −∞, with derivative 0 there. Nothing
    /// overflows, and a sum close to 1 keeps the digits of its logarithm.
    #[track_caller]
    pub fn logsumexp(self, axes: impl Into<Axes>) -> Var<'g> {
        let _here = self.graph.blame("logsumexp", Location::caller());
        self.along_one(&axes.into(), "logsumexp", |x, axis| {
            let Shifted { top, rest, .. } = x.shifted(axis);
            // ln 0 is right, but its slope times the 0 of each term is not.
            let nothing = rest.equal(-1.0);
            nothing.select(f64::NEG_INFINITY, nothing.select(0.0, rest).ln_1p() + top).squeeze(axis)
        })
    }

    /// What `then` makes of this along one axis that stands for all of `axes`, and takes away.
    #[track_caller]
    pub(crate) fn along_one(
        self,
        axes: &Axes,
        op: &'static str,
        then: impl FnOnce(Var<'g>, isize) -> Var<'g>,
    ) -> Var<'g> {
        self.shaped(|own| {
            let reduced = axes.of(op, &own)?;
            let made = if let [axis] = reduced[..] {
                then(self, axis as isize)
            } else {
                let others = (0..own.len()).filter(|a| !reduced.contains(a));
                let order = others.clone().chain(reduced.iter().copied()).collect();
                let n = reduced.iter().map(|a| own[*a]).product::<usize>();
                let to = others.map(|a| own[a]).chain([n]).collect::<Shape>();
                let axis = to.len() as isize - 1;
                then(self.permute_to(order).reshape_to(to), axis)
            };
            Ok(if axes.stay() { made.reshape_to(axes.left(&own, &reduced)) } else { made })
        })
    }

    /// ln softmax along `axis`; of no elements, none. Accurate for logits of any size, since a common offset is taken out
    /// before anything is added, and for probabilities close to 1, whose logarithm is formed from all the others. NaN
    /// where all logits are −∞.
    #[track_caller]
    pub fn log_softmax(self, axis: isize) -> Var<'g> {
        let _here = self.graph.blame("log_softmax", Location::caller());
        let Shifted { x, rest, .. } = self.shifted(axis);
        x - rest.ln_1p()
    }

    /// eˣ / Σ eˣ along `axis`; of no elements, none. Positive, and its sum is 1. NaN where all logits are −∞.
    #[track_caller]
    pub fn softmax(self, axis: isize) -> Var<'g> {
        let _here = self.graph.blame("softmax", Location::caller());
        if self.is_empty_along(axis) {
            return self;
        }
        let top = self.max(keep(axis)).stop_gradient();
        let e = (self - top.abs().equal(f64::INFINITY).select(0.0, top)).exp();
        e / e.sum(keep(axis))
    }

    /// This without its greatest element along `axis`. Which one that is does not change the value, so taking it out is
    /// differentiated as it is written, to any order.
    #[track_caller]
    fn shifted(self, axis: isize) -> Shifted<'g> {
        if self.is_empty_along(axis) {
            let top = self.sum(keep(axis));
            return Shifted { x: self, top, rest: top - 1.0 };
        }
        let first = self.argmax(axis).insert_axis(axis);
        let is_top = first.equal(self.graph.iota(self.shape(), axis));
        let top = is_top.select(self, 0.0).sum(keep(axis));
        // An infinite one would make ∞ − ∞.
        let top = top.abs().equal(f64::INFINITY).select(0.0, top);
        let x = self - top;
        // The term of the top is 1 + 0, of which the 1 is left out; 1 − 1 or ∞ if it is infinite.
        let rest = is_top.select(x.maximum(-1.0), x.exp()).sum(keep(axis));
        Shifted { x, top, rest }
    }

    /// Whether there is nothing along `axis`; what is not an axis is for others to say.
    fn is_empty_along(self, axis: isize) -> bool {
        let own = self.shape();
        shape::axis("max", axis, &own).is_ok_and(|axis| own[axis] == 0)
    }

    /// Truth values of shape `(…, classes)`: whether this integer is the position on the new last axis. An integer that
    /// is no class is at no position: its row is false.
    #[track_caller]
    pub fn one_hot(self, classes: usize) -> Var<'g> {
        let _here = self.graph.blame("one_hot", Location::caller());
        self.insert_axis(-1).equal(self.graph.iota([classes], 0))
    }
}

/// Logits without their greatest.
struct Shifted<'g> {
    x: Var<'g>,
    top: Var<'g>,
    /// Σ eˣ − 1, formed without the term that is 1.
    rest: Var<'g>,
}
