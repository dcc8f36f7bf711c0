//! Elementwise programs, element by element.

use chainrule_graph::Kind;
use chainrule_tensor::kernels::elementwise::{Binary, Compare, Definition, Program, Scalar, Unary};
use chainrule_tensor::{Layout, Shape};

use super::{at, indices, int, real, truth};

/// The outputs of a program.
pub(super) fn map(
    program: &Program,
    shape: &Shape,
    layouts: &[Layout],
    inputs: &[Vec<Scalar>],
) -> Vec<Vec<Scalar>> {
    let mut outputs = vec![Vec::new(); program.outputs().len()];
    for index in indices(shape) {
        let mut values: Vec<Scalar> = Vec::new();
        for (definition, kind) in program.values() {
            values.push(match definition {
                Definition::Input(k) => inputs[k][at(&layouts[k], &index)],
                Definition::Constant(x) => x,
                Definition::Unary(op, x) => unary(op, values[x.index()]),
                Definition::Binary(op, x, y) => binary(op, values[x.index()], values[y.index()]),
                Definition::Compare(op, x, y) => compare(op, values[x.index()], values[y.index()]),
                Definition::Select(c, x, y) => {
                    values[if truth(values[c.index()]) { x.index() } else { y.index() }]
                }
                Definition::Cast(x) => cast(values[x.index()], kind),
            });
        }
        for (output, reg) in outputs.iter_mut().zip(program.outputs()) {
            output.push(values[reg.index()]);
        }
    }
    outputs
}

fn unary(op: Unary, x: Scalar) -> Scalar {
    if let Scalar::Int(x) = x {
        return Scalar::Int(match op {
            Unary::Neg => x.wrapping_neg(),
            Unary::Abs => x.wrapping_abs(),
            Unary::Sign => x.signum(),
            _ => panic!("{} of an integer", op.name()),
        });
    }
    let x = real(x);
    Scalar::Real(match op {
        Unary::Neg => -x,
        Unary::Abs => x.abs(),
        Unary::Sign if x == 0.0 || x.is_nan() => x,
        Unary::Sign => x.signum(),
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Round => x.round_ties_even(),
        Unary::Sqrt => x.sqrt(),
        Unary::Rsqrt => 1.0 / x.sqrt(),
        Unary::Exp => x.exp(),
        Unary::Expm1 => x.exp_m1(),
        Unary::Ln => x.ln(),
        Unary::Ln1p => x.ln_1p(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Atan => x.atan(),
        Unary::Sinh => x.sinh(),
        Unary::Cosh => x.cosh(),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid if x < 0.0 => x.exp() / (1.0 + x.exp()),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        Unary::Erf => erf(x),
        Unary::Erfc => erfc(x),
        Unary::ToBf16 => nearest(x, 8, -126, 127),
        Unary::ToF16 => nearest(x, 11, -14, 15),
    })
}

/// The nearest number of so many digits whose exponent lies between these; infinite beyond.
fn nearest(x: f64, digits: i32, least: i32, most: i32) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    let mut exponent = least;
    while x.abs() / 2_f64.powi(exponent + 1) >= 1.0 && exponent < 1023 {
        exponent += 1;
    }
    let unit = 2_f64.powi(exponent - digits + 1);
    let y = (x / unit).round_ties_even() * unit;
    let end = (2.0 - 2_f64.powi(1 - digits)) * 2_f64.powi(most);
    if y.abs() > end { f64::INFINITY.copysign(x) } else { y }
}

/// A series of positive terms: 2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..300 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

/// Above 2 by its continued fraction, since 1 − erf has no digits there.
fn erfc(x: f64) -> f64 {
    if x < 2.0 {
        return 1.0 - erf(x);
    }
    let fraction = (1..200).rev().fold(x, |rest, n| x + f64::from(n) / 2.0 / rest);
    (-x * x).exp() / (fraction * std::f64::consts::PI.sqrt())
}

fn binary(op: Binary, x: Scalar, y: Scalar) -> Scalar {
    match (x, y) {
        (Scalar::Real(x), Scalar::Real(y)) => Scalar::Real(match op {
            Binary::Add => x + y,
            Binary::Sub => x - y,
            Binary::Mul => x * y,
            Binary::Div => x / y,
            Binary::Pow => x.powf(y),
            Binary::Max | Binary::Min if x.is_nan() || y.is_nan() => f64::NAN,
            Binary::Max => x.max(y),
            Binary::Min => x.min(y),
        }),
        (Scalar::Int(x), Scalar::Int(y)) => Scalar::Int(match op {
            Binary::Add => x.wrapping_add(y),
            Binary::Sub => x.wrapping_sub(y),
            Binary::Mul => x.wrapping_mul(y),
            Binary::Max => x.max(y),
            Binary::Min => x.min(y),
            Binary::Div | Binary::Pow => panic!("{} of integers", op.name()),
        }),
        (x, y) => Scalar::Truth(match op {
            Binary::Max => truth(x) || truth(y),
            Binary::Min => truth(x) && truth(y),
            _ => panic!("{} of truth values", op.name()),
        }),
    }
}

fn compare(op: Compare, x: Scalar, y: Scalar) -> Scalar {
    fn holds<T: PartialOrd>(op: Compare, x: T, y: T) -> bool {
        match op {
            Compare::Eq => x == y,
            Compare::Ne => x != y,
            Compare::Lt => x < y,
            Compare::Le => x <= y,
            Compare::Gt => x > y,
            Compare::Ge => x >= y,
        }
    }
    Scalar::Truth(match (x, y) {
        (Scalar::Real(x), Scalar::Real(y)) => holds(op, x, y),
        (Scalar::Int(x), Scalar::Int(y)) => holds(op, x, y),
        (x, y) => holds(op, truth(x), truth(y)),
    })
}

fn cast(x: Scalar, kind: Kind) -> Scalar {
    match (x, kind) {
        (Scalar::Real(x), Kind::Int) => Scalar::Int(x as i64),
        (Scalar::Real(x), Kind::Truth) => Scalar::Truth(x != 0.0),
        (Scalar::Int(x), Kind::Real) => Scalar::Real(x as f64),
        (Scalar::Int(x), Kind::Truth) => Scalar::Truth(x != 0),
        (Scalar::Truth(x), Kind::Real) => Scalar::Real(f64::from(u8::from(x))),
        (Scalar::Truth(x), Kind::Int) => Scalar::Int(i64::from(x)),
        (x, _) => x,
    }
}

#[test]
fn the_error_function_is_that_of_the_tables() {
    // Abramowitz and Stegun, table 7.1, and erfc(3) from 7.1.14.
    for (x, wanted) in [(0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.0, 0.995_322_265_0)] {
        assert!((erf(x) - wanted).abs() < 1e-10 && (erf(-x) + wanted).abs() < 1e-10);
    }
    assert!(
        (erfc(3.0) / 2.209_049_699_858_544e-5 - 1.0).abs() < 1e-12
            && int(cast(Scalar::Real(2.5), Kind::Int)) == 2
    );
}
