//! `+ - * /` and unary `-` on tensors.

use std::ops;

use crate::{DType, Error, Result, Tensor};

/// What may stand to the right of a tensor and an operator: a tensor, or a number, which takes the tensor's dtype.
///
/// Operators give a `Result`, so a formula over tensors uses `?`; one that begins with [`Tensor::eager`] carries its error and
/// needs a single one at its end. An `f64` stands beside tensors of reals, an `i64` beside tensors of integers.
///
/// ```
/// # use chainrule_tensor::Tensor;
/// let (a, b) = (Tensor::from([1.0_f32, 2.0]), Tensor::from([10.0_f32, 20.0]));
/// assert_eq!((&a + &b)?, Tensor::from([11.0_f32, 22.0]));
/// assert_eq!((((&a - 1.0)? * &b)? / 2.0)?, Tensor::from([0.0_f32, 10.0]));
/// assert_eq!((1.0 - &a)?, Tensor::from([0.0_f32, -1.0]));
/// # Ok::<(), chainrule_tensor::Error>(())
/// ```
pub trait Operand {
    /// The operand as a tensor of dtype `beside`; `op` is the operation that an error names. A tensor is
    /// returned as it is.
    ///
    /// # Errors
    /// [`Error::DType`] for a number that is not of the tensor's kind.
    fn into_operand(self, op: &'static str, beside: DType) -> Result<Tensor>;
}

impl Operand for Tensor {
    fn into_operand(self, _: &'static str, _: DType) -> Result<Tensor> {
        Ok(self)
    }
}

impl Operand for &Tensor {
    fn into_operand(self, _: &'static str, _: DType) -> Result<Tensor> {
        Ok(self.clone())
    }
}

impl Operand for f64 {
    fn into_operand(self, op: &'static str, beside: DType) -> Result<Tensor> {
        match beside {
            DType::F32 => Ok(Tensor::from(self as f32)),
            DType::F64 => Ok(Tensor::from(self)),
            found => {
                let why = format!("{self:?} is real; cast the tensor to f32 or f64 first");
                Err(Error::DType { op, found, why })
            }
        }
    }
}

impl Operand for i64 {
    fn into_operand(self, op: &'static str, beside: DType) -> Result<Tensor> {
        match beside {
            DType::I64 => Ok(Tensor::from(self)),
            found => {
                let why = format!("{self} is an integer; write {self}.0 beside reals");
                Err(Error::DType { op, found, why })
            }
        }
    }
}

/// From `Add add` the operator `+` between a tensor, owned or borrowed, and any [`Operand`], and with a number on its
/// left.
macro_rules! operators {
    ($($trait:ident $method:ident),*) => {$(
        impl<R: Operand> ops::$trait<R> for &Tensor {
            type Output = Result<Tensor>;
            fn $method(self, right: R) -> Result<Tensor> {
                Tensor::$method(self, &right.into_operand(stringify!($method), self.dtype())?)
            }
        }
        impl<R: Operand> ops::$trait<R> for Tensor {
            type Output = Result<Tensor>;
            fn $method(self, right: R) -> Result<Tensor> {
                ops::$trait::$method(&self, right)
            }
        }
        impl ops::$trait<&Tensor> for f64 {
            type Output = Result<Tensor>;
            fn $method(self, right: &Tensor) -> Result<Tensor> {
                self.into_operand(stringify!($method), right.dtype())?.$method(right)
            }
        }
    )*};
}
operators!(Add add, Sub sub, Mul mul, Div div);

impl ops::Neg for &Tensor {
    type Output = Result<Tensor>;
    fn neg(self) -> Result<Tensor> {
        Tensor::neg(self)
    }
}

impl ops::Neg for Tensor {
    type Output = Result<Tensor>;
    fn neg(self) -> Result<Tensor> {
        Tensor::neg(&self)
    }
}
