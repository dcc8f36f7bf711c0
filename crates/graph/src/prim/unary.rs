//! Elementwise functions of one argument: one row each.

use chainrule_tensor::Layout;
use chainrule_tensor::kernels::elementwise::Unary as Function;

use super::{Derivative, Lowering, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::elementwise::Instruction;
use crate::prim::Op;
use crate::types::Type;
use crate::var::Var;

/// An elementwise function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unary(pub Function);

/// From each row: a method on [`Var`], the derivative, and the sample case.
///
/// The row `Exp exp "eˣ" |x, y| y, -3.0..3.0;` gives
/// `pub fn exp(self) -> Var<'g> { self.unary(Function::Exp) }`, the arm `Function::Exp => Some(y)` of
/// `slope`, and a sample drawn from the interval. `flat` rows have derivative 0 wherever it exists.
macro_rules! unary {
    ($($variant:ident $method:ident $doc:literal |$x:ident, $y:ident| $slope:expr, $range:expr;)*) => {
        impl<'g> Var<'g> {
            $(
                #[doc = $doc]
                #[track_caller]
                pub fn $method(self) -> Var<'g> {
                    self.unary(Function::$variant)
                }
            )*
        }

        /// dy/dx in terms of the argument and the result.
        fn slope<'g>(function: Function, x: Var<'g>, y: Var<'g>) -> Var<'g> {
            match function {
                $(Function::$variant => {
                    let ($x, $y) = (x, y);
                    $slope
                })*
                Function::Neg => x.like(-1.0),
                Function::ToBf16 | Function::ToF16 => unreachable!("rounding to a format is a primitive of its own"),
            }
        }

        const ROWS: &[(Function, &str, std::ops::Range<f64>)] = &[$((Function::$variant, stringify!($method), $range)),*];
    };
}

const TWO_OVER_SQRT_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI;

#[rustfmt::skip]
unary! { //        method    what                                                        dy/dx                                   sampled on
    Abs            abs       "|x|. Derivative at 0: 0."                                  |x, _y| x.sign(),                       0.1..3.0;
    Sign           sign      "-1, 0 or 1 by sign. Derivative: 0."                        |x, _y| x.like(0.0),                    0.1..3.0;
    Floor          floor     "The greatest whole number not above x. Derivative: 0."     |x, _y| x.like(0.0),                    0.1..0.9;
    Ceil           ceil      "The least whole number not below x. Derivative: 0."        |x, _y| x.like(0.0),                    0.1..0.9;
    Round          round     "The nearest whole number, halves to even. Derivative: 0."  |x, _y| x.like(0.0),                    0.6..1.4;
    Sqrt           sqrt      "√x; NaN below 0."                                          |_x, y| 0.5 / y,                        0.2..4.0;
    Rsqrt          rsqrt     "1/√x."                                                     |x, y| -0.5 * y / x,                    0.2..4.0;
    Exp            exp       "eˣ."                                                       |_x, y| y,                              -3.0..3.0;
    Expm1          expm1     "eˣ − 1, accurate near 0."                                  |x, _y| x.exp(),                        -3.0..3.0;
    Ln             ln        "Natural logarithm; −∞ at 0, NaN below."                    |x, _y| 1.0 / x,                        0.2..5.0;
    Ln1p           ln_1p     "ln(1 + x), accurate near 0."                               |x, _y| 1.0 / (x + 1.0),                -0.7..3.0;
    Sin            sin       "Sine of x radians."                                        |x, _y| x.cos(),                        -3.0..3.0;
    Cos            cos       "Cosine of x radians."                                      |x, _y| -x.sin(),                       -3.0..3.0;
    Atan           atan      "Inverse tangent, in radians: −π/2 to π/2."                 |x, _y| 1.0 / (x * x + 1.0),                -3.0..3.0;
    Sinh           sinh      "Hyperbolic sine, accurate near 0."                         |x, _y| x.cosh(),                       -2.0..2.0;
    Cosh           cosh      "Hyperbolic cosine."                                        |x, _y| x.sinh(),                       -2.0..2.0;
    Tanh           tanh      "Hyperbolic tangent: g'(z) = 1 − g(z)² (lecture 3.8).  "    |_x, y| 1.0 - y * y,                    -3.0..3.0;
    Sigmoid        sigmoid   "σ(x) = 1/(1 + e⁻ˣ): g'(z) = g(z)(1 − g(z)) (lecture 3.8)." |_x, y| y * (1.0 - y),                  -3.0..3.0;
    Softplus       softplus  "ln(1 + eˣ), without overflow."                             |x, _y| x.sigmoid(),                    -3.0..3.0;
    Erf            erf       "The error function, 2/√π ∫₀ˣ e^(−t²) dt."                  |x, _y| (-(x * x)).exp() * TWO_OVER_SQRT_PI, -2.0..2.0;
    Erfc           erfc      "1 − erf x, accurate however small it is."                  |x, _y| (-(x * x)).exp() * -TWO_OVER_SQRT_PI, -2.0..2.0;
}

impl<'g> Var<'g> {
    #[track_caller]
    pub(crate) fn unary(self, function: Function) -> Var<'g> {
        self.record(Op::Unary(Unary(function)), &[])
    }
}

impl Primitive for Unary {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let kind = args[0].kind;
        if !self.0.takes(kind) {
            let why = format!("does not take {}; cast it with .real() first", args[0]);
            return Err(wrong_kind(self.name(), why));
        }
        Ok(args[0].clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        match self.0 {
            Function::Neg => Derivative::Linear(|_, _, ct, _| -ct),
            Function::Sign | Function::Floor | Function::Ceil | Function::Round => {
                Derivative::Flat("it is constant between its jumps")
            }
            _ => Derivative::Nonlinear(|p, t, s| match t[0] {
                Some(t) => t * slope(p.0, s.x[0], s.y),
                None => s.y.like(0.0),
            }),
        }
    }

    fn lower(&self, _: &[Layout], _: &Type) -> Lowering {
        Lowering::Elementwise(Instruction::Unary(self.0))
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 5] = [&[], &[3], &[0], &[1], &[2, 1, 3]];
        let rows = ROWS.iter().map(|(f, name, range)| (*f, *name, range.clone()));
        rows.chain([(Function::Neg, "neg", -2.0..2.0)])
            .flat_map(|(f, name, range)| {
                // A flat function alone has no gradient to ask for.
                let flat = matches!(Unary(f).derivative(), Derivative::Flat(_));
                shapes.map(|s| {
                    let name = format!("{name} of {s:?}");
                    Sample::new(&name, &[s], range.clone(), move |x| {
                        if flat { x[0].unary(f) * x[0] } else { x[0].unary(f) }
                    })
                })
            })
            .collect()
    }
}
