//! Element by element: arithmetic, functions of one real, activations, comparisons, logic.

use chainrule::graph::{Kind, Var};

use super::node::{Node, Outcome};

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    let y = unary(n)
        .or_else(|| activation(n))
        .or_else(|| binary(n))
        .or_else(|| logic(n))
        .or_else(|| several(n))?;
    Some(Ok(vec![y]))
}

#[rustfmt::skip]
fn unary<'g>(n: &Node<'g>) -> Option<Var<'g>> {
    let x = || n.x(0);
    Some(match n.op.as_str() {
        "Abs" => x().abs(),
        "Acos" => x().acos(),
        "Acosh" => x().acosh(),
        "Asin" => x().asin(),
        "Asinh" => x().asinh(),
        "Atan" => x().atan(),
        "Atanh" => x().atanh(),
        "BitwiseNot" => -x() - 1_i64,
        "Ceil" => x().ceil(),
        "Cos" => x().cos(),
        "Cosh" => x().cosh(),
        "Erf" => x().erf(),
        "Exp" => x().exp(),
        "Floor" => x().floor(),
        "IsInf" => is_infinite(n, x()),
        "IsNaN" => x().not_equal(x()),
        "Log" => x().ln(),
        "Neg" => -x(),
        "Not" => x().equal(false),
        "Reciprocal" => 1.0 / x(),
        "Round" => x().round(),
        "Sign" => x().sign(),
        "Sin" => x().sin(),
        "Sinh" => x().sinh(),
        "Sqrt" => x().sqrt(),
        "Tan" => x().tan(),
        _ => return None,
    })
}

fn is_infinite<'g>(n: &Node<'g>, x: Var<'g>) -> Var<'g> {
    let side = |attribute, infinity: f64| x.equal(if n.flag(attribute, true) { infinity } else { f64::NAN });
    side("detect_positive", f64::INFINITY).maximum(side("detect_negative", f64::NEG_INFINITY))
}

fn activation<'g>(n: &Node<'g>) -> Option<Var<'g>> {
    let x = n.given(0)?;
    let alpha = |default| n.real_or("alpha", default);
    Some(match n.op.as_str() {
        "Celu" => x.celu(alpha(1.0)),
        "Elu" => x.elu(alpha(1.0)),
        "Gelu" if n.text_or("approximate", "none") == "tanh" => x.gelu_tanh(),
        "Gelu" => x.gelu(),
        "HardSigmoid" => x.hard_sigmoid(alpha(0.2), n.real_or("beta", 0.5)),
        "HardSwish" => x.hard_swish(),
        "LeakyRelu" => x.leaky_relu(alpha(0.01)),
        "PRelu" => x.less(0.0).select(x * n.x(1), x),
        "Relu" => x.relu(),
        "Selu" => n.real_or("gamma", 1.050_700_987_355_480_5) * x.elu(alpha(1.673_263_242_354_377_2)),
        "Shrink" => {
            let (threshold, bias) = (n.real_or("lambd", 0.5), n.real_or("bias", 0.0));
            x.less(-threshold).select(x + bias, x.greater(threshold).select(x - bias, 0.0))
        }
        "Sigmoid" => x.sigmoid(),
        "Softplus" => x.softplus(),
        "Softsign" => x.softsign(),
        "SwiGLU" => {
            let gate = alpha(1.0);
            x * (x * gate).sigmoid() * n.x(1)
        }
        "Swish" => x * (x * alpha(1.0)).sigmoid(),
        "Tanh" => x.tanh(),
        "ThresholdedRelu" => x.greater(alpha(1.0)).select(x, 0.0),
        "Binarizer" => x.greater(n.real_or("threshold", 0.0)).real(),
        _ => return None,
    })
}

fn binary<'g>(n: &Node<'g>) -> Option<Var<'g>> {
    let (a, b) = (n.given(0)?, n.given(1)?);
    let whole = a.kind() == Kind::Int;
    Some(match n.op.as_str() {
        "Add" => a + b,
        // Of integers, towards 0; small ones are exact as reals.
        "Div" if whole => (a.real() / b.real()).int(),
        "Div" => a / b,
        "Mod" if n.flag("fmod", false) => remainder(a, b, truncated(a.real() / b.real())),
        "Mod" => modulo(a, b),
        "Mul" => a * b,
        "Pow" if whole => a.real().pow(b.real()).int(),
        "Pow" => a.pow(b.real()),
        "Sub" => a - b,
        _ => return None,
    })
}

fn truncated(x: Var<'_>) -> Var<'_> {
    x.less(0.0).select(x.ceil(), x.floor())
}

/// The remainder with the sign of `b`; an infinite `b` leaves `a`, or takes its place if their signs differ.
fn modulo<'g>(a: Var<'g>, b: Var<'g>) -> Var<'g> {
    let floored = remainder(a, b, (a.real() / b.real()).floor());
    if a.kind() != Kind::Real {
        return floored;
    }
    let opposed = (a * b).less(0.0);
    let (infinite, finite) = (b.abs().equal(f64::INFINITY), a.abs().less(f64::INFINITY));
    infinite.minimum(finite).select(opposed.select(b, a), floored)
}

/// a − b · quotient in the kind of `a`.
fn remainder<'g>(a: Var<'g>, b: Var<'g>, quotient: Var<'g>) -> Var<'g> {
    (a.real() - b.real() * quotient).cast(a.kind())
}

#[rustfmt::skip]
fn logic<'g>(n: &Node<'g>) -> Option<Var<'g>> {
    let (a, b) = (n.given(0)?, n.given(1)?);
    Some(match n.op.as_str() {
        "And" => a.minimum(b),
        "Or" => a.maximum(b),
        "Xor" => a.not_equal(b),
        "Equal" => a.equal(b),
        "Less" => a.less(b),
        "LessOrEqual" => a.less_equal(b),
        "Greater" => a.greater(b),
        "GreaterOrEqual" => a.greater_equal(b),
        "Where" => a.select(b, n.x(2)),
        _ => return None,
    })
}

/// Operators of any number of arguments.
fn several<'g>(n: &Node<'g>) -> Option<Var<'g>> {
    let over = |f: fn(Var<'g>, Var<'g>) -> Var<'g>| n.all().into_iter().reduce(f);
    match n.op.as_str() {
        "Clip" => {
            let low = n.given(1).map_or(n.x(0), |low| n.x(0).clip(low..));
            Some(n.given(2).map_or(low, |high| low.clip(..=high)))
        }
        "Max" => over(|a, b| a.maximum(b)),
        "Mean" => over(|a, b| a + b).map(|sum| sum * (1.0 / n.arity() as f64)),
        "Min" => over(|a, b| a.minimum(b)),
        "Sum" => over(|a, b| a + b),
        _ => None,
    }
}
