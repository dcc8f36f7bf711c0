//! Formulas over tensors that carry their error, and need one `?` at the end.

use std::ops;

use crate::{Axes, DType, Error, Lengths, Operand, Result, Shape, Tensor};

/// A value on the way through a formula: a tensor, or the first error there was.
///
/// Everything that is computed of an error is that error, so a formula reads as it is written down, and [`get`](Eager::get)
/// asks once. Numbers stand beside it as they do beside a tensor.
///
/// ```
/// # use chainrule_tensor::Tensor;
/// let (x, w) = (Tensor::from([[1.0, 2.0]]), Tensor::from([[0.5], [0.25]]));
/// let y = (1.0 - x.eager().matmul(&w).tanh() / 2.0).sum(..).get()?;
/// assert!((y.item::<f64>()? - (1.0 - 1.0_f64.tanh() / 2.0)).abs() < 1e-15);
///
/// let wrong = (x.eager() + &w).matmul(&x).exp().get().unwrap_err();
/// assert!(wrong.to_string().starts_with("[matmul]"));
/// # Ok::<(), chainrule_tensor::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "it holds an error, if there was one"]
pub struct Eager(Result<Tensor>);

impl Tensor {
    /// This tensor as the beginning of a formula that carries its error; see [`Eager`].
    pub fn eager(&self) -> Eager {
        Eager(Ok(self.clone()))
    }
}

impl Eager {
    /// The value.
    ///
    /// # Errors
    /// The first one on the way.
    pub fn get(self) -> Result<Tensor> {
        self.0
    }

    /// `f` of the value, for what there is no method of.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let x = Tensor::from([3.0, 1.0, 2.0]);
    /// let y = (x.eager() * 2.0).then(|y| y.take(0, &[2, 0])).get()?;
    /// assert_eq!(y, Tensor::from([4.0, 6.0]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn then(self, f: impl FnOnce(&Tensor) -> Result<Tensor>) -> Eager {
        Eager(self.0.and_then(|x| f(&x)))
    }

    /// `f` of the value and of what stands beside it.
    fn with(
        self,
        op: &'static str,
        right: impl Operand,
        f: impl FnOnce(&Tensor, &Tensor) -> Result<Tensor>,
    ) -> Eager {
        self.then(|x| f(x, &right.into_operand(op, x.dtype())?))
    }

    /// `yes` where this truth value holds, `no` elsewhere; all three broadcast. A number as `no` has the dtype of `yes`, as `yes`
    /// it is f64.
    pub fn select(self, yes: impl Operand, no: impl Operand) -> Eager {
        self.then(|holds| {
            let yes = yes.into_operand("select", DType::F64)?;
            holds.select(&yes, &no.into_operand("select", yes.dtype())?)
        })
    }

    /// As [`Tensor::cast`].
    pub fn cast(self, dtype: DType) -> Eager {
        self.then(|x| Ok(x.cast(dtype)))
    }
}

/// What stands beside a tensor: a value on the way, with its error.
impl Operand for Eager {
    fn into_operand(self, _: &'static str, _: DType) -> Result<Tensor> {
        self.0
    }
}

impl Operand for &Eager {
    fn into_operand(self, _: &'static str, _: DType) -> Result<Tensor> {
        self.0.clone()
    }
}

impl From<Result<Tensor, Error>> for Eager {
    fn from(value: Result<Tensor, Error>) -> Self {
        Eager(value)
    }
}

/// Methods of the same names as a tensor's: `exp` gives `pub fn exp(self) -> Eager { self.then(Tensor::exp) }`, and so on
/// for those with an operand and with other arguments.
macro_rules! alike {
    (
        $($plain:ident)*; with $($operand:ident)*;
        $($method:ident($($name:ident: $type:ty),*))*
    ) => {
        impl Eager {
            $(
                #[doc = concat!("As [`Tensor::", stringify!($plain), "`].")]
                pub fn $plain(self) -> Eager {
                    self.then(Tensor::$plain)
                }
            )*
            $(
                #[doc = concat!("As [`Tensor::", stringify!($operand), "`], with a number or a tensor.")]
                pub fn $operand(self, right: impl Operand) -> Eager {
                    self.with(stringify!($operand), right, Tensor::$operand)
                }
            )*
            $(
                #[doc = concat!("As [`Tensor::", stringify!($method), "`].")]
                pub fn $method(self, $($name: $type),*) -> Eager {
                    self.then(|x| x.$method($($name),*))
                }
            )*
        }
    };
}

alike! {
    abs sign floor ceil round sqrt rsqrt exp expm1 ln ln_1p sin cos atan sinh cosh tanh sigmoid softplus erf erfc t;
    with pow maximum minimum equal not_equal less less_equal greater greater_equal matmul;
    sum(axes: impl Into<Axes>) prod(axes: impl Into<Axes>) max(axes: impl Into<Axes>) min(axes: impl Into<Axes>)
    mean(axes: impl Into<Axes>) var(axes: impl Into<Axes>) all(axes: impl Into<Axes>) any(axes: impl Into<Axes>)
    argmax(axis: isize) argmin(axis: isize)
    reshape(to: impl Into<Lengths>) permute(axes: impl AsRef<[isize]>) swap_axes(a: isize, b: isize)
    insert_axis(axis: isize) squeeze(axis: isize) flip(axis: isize) broadcast_to(shape: impl Into<Shape>)
}

/// From `Add add` the operator `+` between a value on the way and any [`Operand`], and with a number on its left.
macro_rules! operators {
    ($($trait:ident $method:ident),*) => {$(
        impl<R: Operand> ops::$trait<R> for Eager {
            type Output = Eager;
            fn $method(self, right: R) -> Eager {
                self.with(stringify!($method), right, Tensor::$method)
            }
        }
        impl ops::$trait<Eager> for f64 {
            type Output = Eager;
            fn $method(self, right: Eager) -> Eager {
                right.then(|x| Tensor::$method(&self.into_operand(stringify!($method), x.dtype())?, x))
            }
        }
    )*};
}
operators!(Add add, Sub sub, Mul mul, Div div);

impl ops::Neg for Eager {
    type Output = Eager;
    fn neg(self) -> Eager {
        self.then(Tensor::neg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_the_same_with_one_question_mark_as_with_many() {
        let (a, b) = (Tensor::from([[1.0, 2.0], [3.0, 4.0]]), Tensor::from([0.5, -0.5]));
        let once = (a.eager() * &b + 2.0).exp().matmul(&a).sum(0).maximum(3.0).get().expect("a value");
        let many = || -> Result<Tensor> {
            let y = ((&a * &b)? + 2.0)?.exp()?.matmul(&a)?.sum(0)?;
            y.maximum(&Tensor::full(y.shape(), 3.0))
        };
        assert_eq!(once, many().expect("a value"));
        assert_eq!((1.0 - a.eager()).get(), 1.0 - &a);
        assert_eq!((-a.eager() / b.eager()).get(), a.neg().and_then(|a| a.div(&b)));
        let chosen = a.eager().greater(2.0).select(&a, 0.0).get().expect("a value");
        assert_eq!(chosen, Tensor::from([[0.0, 0.0], [3.0, 4.0]]));
    }

    #[test]
    fn the_first_error_is_the_one_that_is_told() {
        let (a, b) = (Tensor::from([1.0, 2.0]), Tensor::from([1.0, 2.0, 3.0]));
        let n = Tensor::from([1_i64, 2]);
        let error = (a.eager() + &b).reshape([7]).matmul(n.eager().exp()).get().expect_err("shapes");
        assert!(matches!(error, Error::Shape { op: "add", .. }), "{error}");
        // Of two operands the left one comes first.
        let error = (a.eager().reshape([7]) + n.eager().exp()).get().expect_err("two");
        assert!(error.to_string().starts_with("[reshape]"), "{error}");
        let error = (a.eager() + n.eager().exp()).get().expect_err("the right one");
        assert!(error.to_string().starts_with("[exp]"), "{error}");
        assert!(n.eager().less(1.5).get().is_err());
    }
}
