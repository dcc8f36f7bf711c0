//! Anomaly mode: who made the first NaN or infinity, and of what.

use std::fmt;

use chainrule_tensor::kernels::copy;
use chainrule_tensor::{DType, Layout, Tensor};

use crate::error::{Error, ErrorKind};
use crate::origin::Origin;
use crate::types::Type;

/// What is known of a step that is watched: its one node and the operands of that.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) op: &'static str,
    pub(crate) operands: Vec<Operand>,
}

/// What is known of a value that no step makes: an argument, a state, a bound leaf, a constant.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) op: &'static str,
    /// What it is called, such as `` `x` `` or `a constant`.
    pub(crate) label: String,
    pub(crate) origin: Origin,
    pub(crate) place: LeafPlace,
}

/// Where a leaf's value is.
#[derive(Clone, Copy)]
pub(crate) enum LeafPlace {
    /// A number in steps themselves.
    Immediate(f64),
    /// A buffer, from its start, and the number of elements.
    Buffer(usize, usize),
}

/// An operand of a watched step.
#[derive(Clone)]
pub(crate) struct Operand {
    pub(crate) label: String,
    pub(crate) ty: Type,
    pub(crate) origin: Origin,
    pub(crate) place: Place,
}

/// Where an operand's value is.
#[derive(Clone)]
pub(crate) enum Place {
    /// A number in the step itself.
    Immediate(f64),
    /// An input of the step, read so.
    Input(usize, Layout),
}

/// What the elements of a value are like.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Statistics {
    count: usize,
    least: f64,
    greatest: f64,
    zeros: usize,
    negatives: usize,
    nans: usize,
    infinities: usize,
}

impl Statistics {
    fn of(elements: impl Iterator<Item = f64>) -> Self {
        let none = Statistics {
            count: 0,
            least: f64::INFINITY,
            greatest: f64::NEG_INFINITY,
            zeros: 0,
            negatives: 0,
            nans: 0,
            infinities: 0,
        };
        elements.fold(none, |s, x| Statistics {
            count: s.count + 1,
            least: s.least.min(x),
            greatest: s.greatest.max(x),
            zeros: s.zeros + usize::from(x == 0.0),
            negatives: s.negatives + usize::from(x < 0.0),
            nans: s.nans + usize::from(x.is_nan()),
            infinities: s.infinities + usize::from(x.is_infinite()),
        })
    }

    fn is_finite(&self) -> bool {
        self.nans == 0 && self.infinities == 0
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.least > self.greatest {
            f.write_str("no numbers")?;
        } else if self.count == 1 {
            write!(f, "{:.4e}", self.least)?;
        } else {
            write!(f, "{:.4e} to {:.4e}", self.least, self.greatest)?;
        }
        let others = [(self.zeros, "zero"), (self.nans, "NaN"), (self.infinities, "infinite")];
        others.iter().filter(|(n, _)| *n > 0).try_for_each(|(n, what)| write!(f, ", {n} {what}"))
    }
}

/// Elements of an operand that is no truth value, of those of its buffer.
fn elements(buffer: &Tensor, layout: &Layout) -> Option<Vec<f64>> {
    if buffer.dtype() == DType::Bool {
        return None;
    }
    let from = buffer.cast(DType::F64).to_vec::<f64>().ok()?;
    let mut out = vec![0.0; layout.shape.size()];
    copy::copy(&from, layout, &mut out, &Layout::contiguous(layout.shape.clone()));
    Some(out)
}

impl Leaf {
    /// The error for this leaf if it holds NaN, or if one of its numbers is infinite only in the precision of the
    /// plan. `value` is what steps read, `given` what it was made from, where that is known.
    pub(crate) fn look(&self, value: &Tensor, given: Option<&Tensor>, run: u64) -> Option<Error> {
        if !value.dtype().is_real() {
            return None;
        }
        let (dtype, value) = (value.dtype(), value.cast(DType::F64).to_vec::<f64>().ok()?);
        let error = |what, why| {
            Error::new(ErrorKind::NonFinite { op: self.op, what, why, run }).placed(self.origin.clone())
        };
        if let Some(at) = value.iter().position(|x| x.is_nan()) {
            let why =
                format!("{} holds NaN, first at position {at}, before anything is computed", self.label);
            return Some(error("NaN", why).hint(match self.op {
                "input" => "look at the data, or at the update of the run before",
                _ => "it stands in the formula itself",
            }));
        }
        let given = given.filter(|_| value.iter().any(|x| x.is_infinite()))?.to_vec::<f64>().ok()?;
        let lost = |(x, wide): (&f64, &f64)| x.is_infinite() && wide.is_finite();
        let at = value.iter().zip(&given).position(lost)?;
        let why =
            format!("{} holds {:e} at position {at}, which is infinite in {}", self.label, given[at], dtype);
        Some(error("an infinity", why).hint("compile in Precision::F64, or scale the data"))
    }
}

impl Watch {
    /// The error for this step if it made a NaN of operands without, or an infinity of finite operands. `made` is its
    /// result, `inputs` are what it read.
    pub(crate) fn look(&self, made: &Tensor, inputs: &[Tensor], run: u64, at: &Origin) -> Option<Error> {
        if !made.dtype().is_real() {
            return None;
        }
        let single = made.dtype() == DType::F32;
        let made = made.cast(DType::F64).to_vec::<f64>().ok()?;
        if made.iter().all(|x| x.is_finite()) {
            return None;
        }
        let made = Statistics::of(made.into_iter());
        let operand = |o: &Operand| match &o.place {
            Place::Immediate(x) => Some(Statistics::of(std::iter::once(*x))),
            Place::Input(i, layout) => Some(Statistics::of(elements(&inputs[*i], layout)?.into_iter())),
        };
        let operands: Vec<Option<Statistics>> = self.operands.iter().map(operand).collect();
        let passed_on = |test: &dyn Fn(&Statistics) -> bool| operands.iter().flatten().any(test);
        let (what, count) = match made.nans {
            0 if !passed_on(&|s| !s.is_finite()) => ("an infinity", made.infinities),
            n if n > 0 && !passed_on(&|s| s.nans > 0) => ("NaN", n),
            _ => return None,
        };
        let why = format!("makes {what} in {count} of {} elements", made.count);
        let kind = ErrorKind::NonFinite { op: self.op, what, why, run };
        let mut error = Error::new(kind).placed(at.clone());
        for (o, s) in self.operands.iter().zip(&operands) {
            let numbers = s.map_or_else(|| "truth values".into(), |s| s.to_string());
            error = error.operand(format!("{} ({numbers})", o.label), o.ty.clone(), o.origin.clone());
        }
        let immediate = |o: &Operand| if let Place::Immediate(x) = o.place { Some(x) } else { None };
        let immediates: Vec<f64> = self.operands.iter().filter_map(immediate).collect();
        let made = Made { what, within: at.within, single };
        Some(match hint(self.op, made, &operands, &immediates) {
            Some(hint) => error.hint(hint),
            None => error,
        })
    }
}

/// Operations whose results may be greater than any operand.
const GROWING: [&str; 10] =
    ["add", "sub", "mul", "matmul", "sum", "cumsum", "scatter_add", "overlap_add", "pow", "softplus"];

/// What came of an operation: NaN or an infinity, in which function of several operations, and whether in f32.
struct Made {
    what: &'static str,
    within: Option<&'static str>,
    single: bool,
}

/// What to do about it.
fn hint(
    op: &str,
    Made { what, within, single }: Made,
    operands: &[Option<Statistics>],
    immediates: &[f64],
) -> Option<String> {
    let first = (*operands.first()?)?;
    let second = operands.get(1).copied().flatten();
    let n = first.count;
    if let Some(x) = immediates.iter().find(|x| single && x.is_finite() && (**x as f32).is_infinite()) {
        return Some(format!("the number {x:e} is infinite in f32; compile in Precision::F64"));
    }
    let logits = "take the loss from logits (softplus, log_softmax), or keep the argument away from 0";
    let overflow = "overflow: lower the learning rate, scale the inputs, or initialise with smaller weights";
    let infinite = operands.iter().flatten().any(|s| s.infinities > 0);
    Some(match op {
        "ln" | "ln_1p" if within.is_some_and(|f| f.starts_with("log")) => {
            "all entries along the axis are −∞, as where a mask leaves none: keep one, or choose the result with select"
                .into()
        }
        "sin" | "cos" => "an infinity has no sine and no cosine; it came in through the operand".into(),
        _ if what == "NaN" && infinite => {
            "∞ − ∞, 0 · ∞ and ∞ / ∞ are NaN; the infinity came in through an operand".into()
        }
        "ln" if first.negatives > 0 => {
            format!("ln of a negative number in {} of {n} elements", first.negatives)
        }
        "ln" => format!("ln of 0 in {} of {n} elements; {logits}", first.zeros),
        "ln_1p" => "ln(1 + x) of x ≤ −1".into(),
        "div" => {
            let (zeros, n) = second.map_or((0, n), |s| (s.zeros, s.count));
            if zeros == 0 {
                "overflow: a great number divided by a small one".into()
            } else {
                format!(
                    "division by 0 in {zeros} of {n} elements; add a small number below, or choose the argument \
                     with select before the division (after it, the derivative is still NaN)"
                )
            }
        }
        "sqrt" if first.negatives > 0 => {
            format!("root of a negative number in {} of {n} elements", first.negatives)
        }
        "rsqrt" => format!(
            "1/√x of 0 in {} and of negative numbers in {} of {n} elements",
            first.zeros, first.negatives
        ),
        "exp" | "expm1" => format!(
            "eˣ overflows above {}; take out the maximum first (softmax, logsumexp), or lower the learning rate",
            if single { "88.7" } else { "709.7" }
        ),
        "pow" if what == "NaN" => "a negative number has no power with a fractional exponent".into(),
        "pow" if first.zeros > 0 && second.is_some_and(|s| s.negatives > 0) => {
            format!("0 to a negative power in {} of {n} elements", first.zeros)
        }
        _ if GROWING.contains(&op) => overflow.into(),
        "logdet" => "a determinant of 0: the matrix is singular, and the logarithm of 0 is −∞".into(),
        op if op.starts_with("solve") => "the matrix is close to singular".into(),
        _ => "its operands are finite: look at what it computes, and for which values that is defined".into(),
    })
}
