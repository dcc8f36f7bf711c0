//! Values kept within bounds.

use std::ops::{RangeFrom, RangeInclusive, RangeToInclusive};
use std::panic::Location;

use chainrule_tensor::{DType, Tensor};

use crate::error::{Error, ErrorKind};
use crate::var::{Operand, OperandValue, Var};

/// Bounds for [`Var::clip`]: `low..`, `..=high` or `low..=high`, of whatever can stand beside a value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` gives no bounds to clip to",
    note = "a bound belongs to what is kept: write `low..`, `..=high` or `low..=high`"
)]
pub trait Bounds<'g> {
    /// The low and the high bound, where there is one.
    fn into_bounds(self) -> [Option<OperandValue<'g>>; 2];
}

impl<'g, B: Operand<'g>> Bounds<'g> for RangeFrom<B> {
    fn into_bounds(self) -> [Option<OperandValue<'g>>; 2] {
        [Some(self.start.into_operand()), None]
    }
}

impl<'g, B: Operand<'g>> Bounds<'g> for RangeToInclusive<B> {
    fn into_bounds(self) -> [Option<OperandValue<'g>>; 2] {
        [None, Some(self.end.into_operand())]
    }
}

impl<'g, B: Operand<'g>> Bounds<'g> for RangeInclusive<B> {
    fn into_bounds(self) -> [Option<OperandValue<'g>>; 2] {
        let (low, high) = self.into_inner();
        [Some(low.into_operand()), Some(high.into_operand())]
    }
}

impl<'g> Var<'g> {
    /// `self` within `bounds`: no less than the low one, no more than the high one. NaN stays NaN.
    ///
    /// ```
    /// use chainrule_graph::Graph;
    /// use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// let x = g.leaf("x", [-2.0, 0.5, 9.0]);
    /// assert_eq!(x.clip(-1.0..=6.0).value()?, Tensor::from([-1.0, 0.5, 6.0]));
    /// assert_eq!(x.clip(0.0..).value()?, Tensor::from([0.0, 0.5, 9.0]));
    /// let highest = g.leaf("highest", [1.0, 0.0, 7.0]);
    /// assert_eq!(x.clip(..=highest).value()?, Tensor::from([-2.0, 0.0, 7.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The derivative is 1 strictly within the bounds, 0 beyond, ½ on a bound; that in a bound is the rest. A bound that
    /// is a number or a tensor must not be NaN, nor the low one above the high one; where values are so, the high one
    /// holds, and NaN gives NaN. Bounds of two types are two calls: `x.clip(low..).clip(..=6.0)`.
    #[doc(alias = "clamp")]
    #[track_caller]
    pub fn clip(self, bounds: impl Bounds<'g>) -> Var<'g> {
        let _here = self.graph.blame("clip", Location::caller());
        let bounds = bounds.into_bounds();
        if let Some(why) = fault(&bounds) {
            return self.fail(Error::new(ErrorKind::Value { op: "clip", why }));
        }
        let [low, high] = bounds;
        let above = low.map_or(self, |low| self.maximum(low));
        high.map_or(above, |high| above.minimum(high))
    }
}

/// What is wrong with bounds that are known.
fn fault(bounds: &[Option<OperandValue<'_>>; 2]) -> Option<String> {
    let known = |bound: &Option<OperandValue<'_>>| match bound {
        Some(OperandValue::Integer(n)) => Some(Tensor::from(*n)),
        Some(OperandValue::Tensor(t)) => Some(t.clone()),
        Some(OperandValue::Var(_)) | None => None,
    };
    let [low, high] = bounds.each_ref().map(known);
    for (name, bound) in [("low", &low), ("high", &high)] {
        if bound.as_ref().is_some_and(|b| any(b.not_equal(b))) {
            return Some(format!("the {name} bound is NaN"));
        }
    }
    let (low, high) = (low?, high?);
    // Integers above 2⁵³ are compared as integers.
    let real = low.dtype() != high.dtype();
    let [l, h] = [&low, &high].map(|b| if real { b.cast(DType::F64) } else { b.clone() });
    // Shapes that do not go together are the operation's to refuse.
    let crossed = any(l.greater(&h));
    crossed.then(|| match (number(&low), number(&high)) {
        (Some(low), Some(high)) => format!("the low bound {low} is above the high bound {high}"),
        _ => "the low bound is above the high bound in some element".into(),
    })
}

/// The one number in `bound`, as it is written.
fn number(bound: &Tensor) -> Option<String> {
    match bound.dtype() {
        DType::I64 => bound.item::<i64>().map(|n| n.to_string()).ok(),
        _ => bound.cast(DType::F64).item::<f64>().map(|x| x.to_string()).ok(),
    }
}

/// Whether some element is true.
fn any(truth: chainrule_tensor::Result<Tensor>) -> bool {
    truth.and_then(|t| t.any(..)).and_then(|t| t.item::<bool>()).unwrap_or(false)
}
