//! What kind of mistake a wrong derivative is.

use std::fmt;

/// What a wrong derivative has in common with the right one.
///
/// In formulas `x0`, `x1`, … are the operands of the operation, `y` is its result and `ct` the cotangent of the
/// result.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Hypothesis {
    /// It is zero, although the result depends on the operand.
    Lost,
    /// It is not zero, although the result does not change with the operand, as that of rounding.
    Spurious,
    /// The operation cuts its operand off from differentiation, as it was told to, but the loss depends on it.
    Blocked,
    /// It is not finite, although the operands and the result are.
    NotFinite,
    /// Even the result is not finite, although the operands are.
    Overflow {
        /// The first such element of the result.
        index: Vec<usize>,
        /// Its value.
        value: f64,
    },
    /// The operand itself is not finite.
    Given {
        /// The first such element.
        index: Vec<usize>,
        /// Its value.
        value: f64,
    },
    /// It does not depend on the cotangent of the result, so the rule forgot to multiply by it.
    Cotangent,
    /// It has the wrong sign.
    Sign,
    /// It is the right one times a constant.
    Factor {
        /// The constant.
        factor: f64,
        /// An axis whose length is the factor or its inverse: a sum stands where a mean belongs, or the reverse.
        axis: Option<Length>,
    },
    /// It, or a factor of the matrix product it is made of, is transposed.
    Transposed {
        /// What was recorded, and what differences show, if it is a product.
        formulas: Option<(String, String)>,
    },
    /// The right elements stand in the opposite order.
    Flipped {
        /// The axis of the operand.
        axis: usize,
    },
    /// The right elements stand some places off: element `i` holds what belongs at `i + by`.
    Shifted {
        /// The axis of the operand.
        axis: usize,
        /// How far.
        by: isize,
    },
    /// The right elements stand at wrong places.
    Permuted,
    /// Only part of the result had a share in it: a sum over a broadcast axis is missing.
    Slice {
        /// The axis of the result.
        axis: usize,
        /// The index along it.
        index: usize,
        /// Whether that slice is the only one with a share; else it is the only one without.
        only: bool,
    },
    /// It is another function than the derivative.
    Formula {
        /// The recorded derivative of the result by the operand.
        recorded: String,
        /// The derivative that differences show, if it is a known function.
        shown: Option<String>,
    },
    /// It is the right one times this, which does not belong there.
    Extra(String),
    /// It is right but for some elements.
    Partly {
        /// The first few wrong ones.
        elements: Vec<Vec<usize>>,
        /// How many are wrong.
        count: usize,
        /// Of how many that were looked at.
        of: usize,
        /// A condition that holds at exactly the wrong ones, such as `x0 < 0`.
        condition: Option<String>,
        /// The recorded derivative over the right one, if it is the same at all the wrong ones.
        factor: Option<f64>,
    },
    /// None of the known mistakes.
    Unknown,
}

/// The length of an axis, or of all axes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// Whether it is of the operand, not of the result.
    pub operand: bool,
    /// The axis; `None` for the number of all elements.
    pub axis: Option<usize>,
    /// The length.
    pub length: usize,
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.operand { "the operand" } else { "the result" };
        match self.axis {
            Some(axis) => write!(f, "{} is the length of axis {axis} of {whose}", self.length),
            None => write!(f, "{} is the number of elements of {whose}", self.length),
        }
    }
}

impl fmt::Display for Hypothesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hypothesis::Lost => f.write_str("the derivative is lost: zero was recorded"),
            Hypothesis::Spurious => {
                f.write_str("a derivative was recorded, but the result does not change with the operand here")
            }
            Hypothesis::Blocked => {
                f.write_str("differentiation is cut off here, but the loss depends on the value all the same")
            }
            Hypothesis::NotFinite => {
                f.write_str("the derivative is not finite here, although operands and result are")
            }
            Hypothesis::Overflow { index, value } => {
                write!(f, "the result is {value} at {index:?}, although its operands are finite")
            }
            Hypothesis::Given { index, value } => write!(f, "the operand is {value} at {index:?}"),
            Hypothesis::Cotangent => f.write_str(
                "it is the same for any cotangent of the result: the rule forgot to multiply by it",
            ),
            Hypothesis::Sign => f.write_str("the sign is wrong"),
            Hypothesis::Factor { factor, axis: None } => {
                write!(f, "wrong by the constant factor {}", number(*factor))
            }
            Hypothesis::Factor { factor, axis: Some(length) } => {
                let kind = if factor.abs() < 1.0 { "a mean where a sum" } else { "a sum where a mean" };
                write!(f, "wrong by the constant factor {}; {length}: {kind} belongs?", number(*factor))
            }
            Hypothesis::Transposed { formulas: None } => {
                f.write_str("transposed: rows and columns are exchanged")
            }
            Hypothesis::Transposed { formulas: Some((recorded, shown)) } => {
                write!(f, "a factor is transposed: {recorded} was recorded, but differences show {shown}")
            }
            Hypothesis::Flipped { axis } => write!(f, "flipped: axis {axis} runs backwards"),
            Hypothesis::Shifted { axis, by } => {
                write!(f, "shifted along axis {axis}: element i holds what belongs at i {by:+}")
            }
            Hypothesis::Permuted => f.write_str("permuted: the right elements stand at wrong places"),
            Hypothesis::Slice { axis, index, only: true } => write!(
                f,
                "a sum is missing: only the share of index {index} along axis {axis} of the result arrived"
            ),
            Hypothesis::Slice { axis, index, only: false } => {
                write!(f, "the share of index {index} along axis {axis} of the result is missing")
            }
            Hypothesis::Formula { recorded, shown: Some(shown) } => {
                write!(f, "the recorded derivative is {recorded}, but differences show {shown}")
            }
            Hypothesis::Formula { recorded, shown: None } => {
                write!(f, "the recorded derivative is {recorded}, which is not what differences show")
            }
            Hypothesis::Extra(what) => write!(f, "multiplied by {what}, which does not belong there"),
            Hypothesis::Partly { elements, count, of, condition, factor } => {
                write!(f, "right but for {count} of the {of} elements looked at")?;
                if let Some(condition) = condition {
                    write!(f, ", exactly those where {condition}")?;
                }
                match factor {
                    Some(k) if *k == 0.0 => f.write_str(", where it is lost")?,
                    Some(k) => write!(f, ", where it is wrong by the factor {}", number(*k))?,
                    None => {}
                }
                let more = if elements.len() < *count { ", …" } else { "" };
                let list: Vec<String> = elements.iter().map(|e| format!("{e:?}")).collect();
                write!(f, ": {}{more}", list.join(", "))
            }
            Hypothesis::Unknown => f.write_str("no known kind of mistake"),
        }
    }
}

/// A number as people write it: whole, a simple fraction, or with some digits.
pub(super) fn number(k: f64) -> String {
    let near = |x: f64| (x - x.round()).abs() < 1e-6 * x.abs().max(1e-3);
    if near(k) && k.round() != 0.0 {
        return format!("{}", k.round());
    }
    match (2..=64).find(|q| near(k * f64::from(*q)) && (k * f64::from(*q)).round() != 0.0) {
        Some(q) if q != 10 && q != 20 && q != 50 => format!("{}/{q}", (k * f64::from(q)).round()),
        _ if k.abs() > 1e-3 && k.abs() < 1e4 => {
            format!("{:.6}", k).trim_end_matches('0').trim_end_matches('.').into()
        }
        _ => format!("{k:.6e}"),
    }
}
