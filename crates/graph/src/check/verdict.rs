//! What a check concludes.

use std::fmt;

use crate::error::Error;
use crate::origin::Origin;

/// How far apart two gradients are, in the words of the course.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Band {
    /// Below 1e-6 (the notes' "about 1e-7"): differences of rounding.
    Fine,
    /// Below 1e-4 (the notes' "about 1e-5"): look at the worst element.
    Look,
    /// 1e-4 and above (the notes' "about 1e-3"), or not a number: one of the two is wrong.
    Wrong,
}

impl Band {
    /// The band of a relative difference.
    pub fn of(difference: f64) -> Band {
        match difference {
            d if d < 1e-6 => Band::Fine,
            d if d < 1e-4 => Band::Look,
            _ => Band::Wrong,
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Band::Fine => "fine",
            Band::Look => "look",
            Band::Wrong => "WRONG",
        })
    }
}

/// What the check of one parameter concludes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// The recorded gradient agrees with the differences, to within their error.
    Pass,
    /// The slopes to the left and to the right differ, and the recorded derivative is one of them or lies between; or
    /// an operation on the way is at such a point. It is a matter of convention, not a fault.
    Kink(Kink),
    /// Rounding of the loss swamps the differences: they can neither confirm nor refute the gradient.
    NoiseFloor {
        /// The error of rounding in one value of the loss.
        noise: f64,
        /// The relative error that it leaves in the differences.
        error: f64,
    },
    /// The parameter does not reach the loss through differentiable operations; the error says where the path
    /// breaks.
    Unused(Error),
    /// Two evaluations of the loss at one point differ, so differences mean nothing.
    Random {
        /// The value of the first.
        first: f64,
        /// The value of the second.
        second: f64,
    },
    /// The recorded gradient is wrong.
    Wrong(Fault),
}

/// A point without a derivative.
#[derive(Clone, Debug, PartialEq)]
pub struct Kink {
    /// The first such element (or direction).
    pub index: Vec<usize>,
    /// How many of the checked elements are such.
    pub count: usize,
    /// The slope to the left, infinite at a jump.
    pub left: f64,
    /// The slope to the right, infinite at a jump.
    pub right: f64,
    /// The recorded derivative.
    pub recorded: f64,
    /// The operation that has the kink, and where it was recorded, if it could be told.
    pub at: Option<(String, Origin)>,
}

/// Which slope a recorded derivative took at a kink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// That to the left, towards smaller values.
    Left,
    /// That to the right, towards greater values.
    Right,
    /// One in between.
    Between,
    /// Another: there are several kinks at this point, each operation at one took a slope of its own, and together these
    /// give no slope of the whole.
    Neither,
}

impl Kink {
    /// Which slope the recorded derivative took.
    pub fn side(&self) -> Side {
        let width = (self.right - self.left).abs().min(f64::MAX);
        let near = |slope: f64| (self.recorded - slope).abs() <= 1e-3 * width;
        match (near(self.left), near(self.right)) {
            (true, _) => Side::Left,
            (_, true) => Side::Right,
            _ if self.recorded > self.left.min(self.right) && self.recorded < self.left.max(self.right) => {
                Side::Between
            }
            _ => Side::Neither,
        }
    }
}

/// In what way a gradient is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// It differs from the differences by more than their error.
    Differs,
    /// Differences of the loss cannot tell, because of a kink or of rounding, but an operation on the way has a wrong
    /// derivative of its own.
    Operation,
    /// The loss itself is not finite, so it has no gradient.
    Loss(f64),
    /// The loss is finite, but an element of the gradient is not.
    NotFinite(f64),
}

impl Verdict {
    /// Whether the gradient is wrong.
    pub fn is_wrong(&self) -> bool {
        matches!(self, Verdict::Wrong(_))
    }

    /// One word for tables.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Kink(_) => "kink",
            Verdict::NoiseFloor { .. } => "noise",
            Verdict::Unused(_) => "UNUSED",
            Verdict::Random { .. } => "RANDOM",
            Verdict::Wrong(_) => "WRONG",
        }
    }

    /// What a person should know besides the word.
    pub(super) fn explanation(&self) -> Option<String> {
        Some(match self {
            Verdict::Pass | Verdict::Wrong(Fault::Differs) => return None,
            Verdict::Kink(k) => {
                let took = match k.side() {
                    Side::Left => "the left one",
                    Side::Right => "the right one",
                    Side::Between => "one between",
                    Side::Neither => "those of single operations, of which several have a kink here",
                };
                let more =
                    if k.count > 1 { format!(", as at {} of its elements", k.count) } else { String::new() };
                let of = k.at.as_ref().map(|(op, at)| format!("\n  --> [{op}] {at}")).unwrap_or_default();
                format!(
                    "kink at {:?}{more}: slope {:.6e} to the left, {:.6e} to the right; \
                     the gradient took {took}, {:.6e}{of}",
                    k.index, k.left, k.right, k.recorded
                )
            }
            Verdict::NoiseFloor { error, .. } if !error.is_finite() => {
                "differences settle at no step: the loss is no number beside the point, or varies faster than steps can see"
                    .into()
            }
            Verdict::NoiseFloor { noise: 0.0, .. } => {
                "the loss does not change at any step: rounding swallows it, so differences cannot tell".into()
            }
            Verdict::NoiseFloor { noise, error } => format!(
                "noise floor: values of the loss are known to about {noise:.1e} only, which leaves an error of \
                 {error:.1e} in the differences"
            ),
            Verdict::Unused(error) => error.to_string(),
            Verdict::Random { first, second } => format!(
                "two evaluations of the loss at the same point gave {first:e} and {second:e}; \
                 draw random numbers from a key"
            ),
            Verdict::Wrong(Fault::Operation) => {
                "differences of the loss cannot tell, but an operation on the way has a wrong derivative"
                    .into()
            }
            Verdict::Wrong(Fault::Loss(value)) => format!("the loss is {value}, so it has no gradient"),
            Verdict::Wrong(Fault::NotFinite(value)) => {
                format!("the loss is finite, but an element of the gradient is {value}")
            }
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
