//! A promise about numbers, checked when the graph runs.

use std::fmt;

use chainrule_tensor::Layout;
use chainrule_tensor::kernels::Kind;

use super::{Derivative, Lowering, Op, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::types::Type;
use crate::var::Var;

/// The argument, after a check that every element lies in the range.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InRange {
    range: Range,
    what: &'static str,
}

/// Where numbers may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Range {
    /// Integers from 0 to below this.
    Below(i64),
    /// Reals from the first to the second, both included, by their bits.
    Between([u64; 2]),
}

impl Range {
    /// Whether the integer `x` is inside.
    pub fn holds_position(self, x: i64) -> bool {
        matches!(self, Range::Below(end) if (0..end).contains(&x))
    }

    /// Whether `x` is inside, or NaN.
    pub fn holds(self, x: f64) -> bool {
        x.is_nan()
            || matches!(self, Range::Between([low, high]) if (f64::from_bits(low)..=f64::from_bits(high)).contains(&x))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Range::Below(end) => write!(f, "0..{end}"),
            Range::Between([low, high]) => {
                write!(f, "{}..={}", f64::from_bits(*low), f64::from_bits(*high))
            }
        }
    }
}

impl<'g> Var<'g> {
    /// The same integers; running fails with the position and value of the first one outside `0..end`.
    /// `what` names them in the message, such as `label`.
    #[track_caller]
    pub fn in_range(self, end: usize, what: &'static str) -> Var<'g> {
        let range = Range::Below(i64::try_from(end).unwrap_or(i64::MAX));
        self.record(Op::InRange(InRange { range, what }), &[])
    }

    /// The same reals, with derivative 1; running fails with the position and value of the first one below `low` or
    /// above `high`. NaN is handed on. `what` names them in the message, such as `probability`.
    #[track_caller]
    pub fn in_interval(self, low: f64, high: f64, what: &'static str) -> Var<'g> {
        let range = Range::Between([low.to_bits(), high.to_bits()]);
        self.record(Op::InRange(InRange { range, what }), &[])
    }
}

impl Primitive for InRange {
    fn name(&self) -> &'static str {
        "in_range"
    }

    fn attributes(&self) -> String {
        self.range.to_string()
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let (kind, name) = match self.range {
            Range::Below(_) => (Kind::Int, "integers"),
            Range::Between(_) => (Kind::Real, "reals"),
        };
        if args[0].kind != kind {
            return Err(wrong_kind("in_range", format!("{}s must be {name}, not {}", self.what, args[0])));
        }
        Ok(args[0].clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        match self.range {
            Range::Below(_) => Derivative::Flat("integers have no derivative"),
            // The tangent of a number in range need not be there.
            Range::Between(_) => Derivative::Nonlinear(|_, t, s| t[0].unwrap_or_else(|| s.y.like(0.0))),
        }
    }

    fn lower(&self, _: &[Layout], _: &Type) -> Lowering {
        Lowering::Kernel(Call::InRange { range: self.range, what: self.what.into() })
    }

    fn samples() -> Vec<Sample> {
        vec![
            Sample::new("x at a checked position, of (3,)", &[&[3]], -2.0..2.0, |x| {
                x[0].argmax(0).in_range(3, "position").real() * x[0]
            }),
            Sample::new("the square of a checked x, of (2, 3)", &[&[2, 3]], -2.0..2.0, |x| {
                x[0].in_interval(-3.0, 3.0, "x").square()
            }),
        ]
    }
}
