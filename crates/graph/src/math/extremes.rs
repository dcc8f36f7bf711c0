//! Running extremes, and numbers that are none.

use std::panic::Location;

use chainrule_tensor::shape;

use crate::var::{Operand, Var};

impl<'g> Var<'g> {
    /// The whole part: towards 0. Derivative: 0.
    #[track_caller]
    pub fn trunc(self) -> Var<'g> {
        let _here = self.graph.blame("trunc", Location::caller());
        self.less(0).select(self.ceil(), self.floor())
    }

    /// ln(eˣ + eʸ), without overflow, to the digits of the greater of the two; smooth, also where they are equal.
    #[track_caller]
    pub fn logaddexp(self, right: impl Operand<'g>) -> Var<'g> {
        let _here = self.graph.blame("logaddexp", Location::caller());
        let right = right.into_operand().beside(Some(self.kind()), self.graph);
        // Of two equal infinities the difference is none.
        let infinite = self.equal(right).select(self.abs(), 0.0).equal(f64::INFINITY);
        let apart = infinite.select(0.0, self - right);
        apart.less(0.0).select(right + apart.softplus(), self + (-apart).softplus())
    }

    /// Whether each element is NaN.
    #[track_caller]
    pub fn is_nan(self) -> Var<'g> {
        let _here = self.graph.blame("is_nan", Location::caller());
        self.not_equal(self)
    }

    /// Whether each element is neither NaN nor infinite.
    #[track_caller]
    pub fn is_finite(self) -> Var<'g> {
        let _here = self.graph.blame("is_finite", Location::caller());
        self.abs().less(f64::INFINITY)
    }

    /// `nan` in the place of NaN, `high` of ∞ and `low` of −∞. The derivative is 1 where nothing is replaced, else 0.
    #[track_caller]
    pub fn nan_to_num(self, nan: impl Operand<'g>, high: impl Operand<'g>, low: impl Operand<'g>) -> Var<'g> {
        let _here = self.graph.blame("nan_to_num", Location::caller());
        let low = self.equal(f64::NEG_INFINITY).select(low, self);
        self.is_nan().select(nan, self.equal(f64::INFINITY).select(high, low))
    }

    /// The greatest of elements 0 to i along `axis`, for each i; NaN from the first NaN on. The derivative goes to the
    /// last of equal elements.
    #[track_caller]
    pub fn cummax(self, axis: isize) -> Var<'g> {
        let _here = self.graph.blame("cummax", Location::caller());
        self.running(axis, |a, b| a.maximum(b))
    }

    /// The least of elements 0 to i along `axis`, for each i; NaN from the first NaN on. The derivative goes to the last
    /// of equal elements.
    #[track_caller]
    pub fn cummin(self, axis: isize) -> Var<'g> {
        let _here = self.graph.blame("cummin", Location::caller());
        self.running(axis, |a, b| a.minimum(b))
    }

    /// The running extremes by `choose`, looked up where they stand, so that each has one place for its derivative.
    #[track_caller]
    fn running(self, axis: isize, choose: fn(Var<'g>, Var<'g>) -> Var<'g>) -> Var<'g> {
        self.shaped(|own| {
            let at = shape::axis("cummax", axis, &own)?;
            // Windows of 1, 2, 4, … elements up to each, of which two that do not meet make one twice as long.
            let over = |mut x: Var<'g>, choose: fn(Var<'g>, Var<'g>) -> Var<'g>| {
                let (n, mut width) = (own[at], 1);
                while width < n {
                    let both = choose(x.slice(axis, width..n), x.slice(axis, 0..n - width));
                    x = self.graph.concat(&[x.slice(axis, 0..width), both], axis);
                    width = width.saturating_mul(2);
                }
                x
            };
            let extreme = over(self.stop_gradient(), choose);
            if extreme.is_poisoned() || own.size() == 0 {
                return Ok(choose(self, self));
            }
            let position = self.graph.iota(own.clone(), axis);
            let stands = self.equal(extreme).select(position, self.is_nan().select(position, 0_i64));
            Ok(self.take_along_axis(axis, over(stands, |a, b| a.maximum(b))))
        })
    }
}
