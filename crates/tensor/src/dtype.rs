//! The four element types, and the traits through which kernels are generic over them.

use std::fmt;

use crate::tensor::{ArrayD, Tensor};

/// The element type of a [`Tensor`], known at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// 32-bit IEEE float: what models train in.
    F32,
    /// 64-bit IEEE float: what gradients are checked in.
    F64,
    /// 64-bit signed integer: labels, indices, random keys.
    I64,
    /// Truth value: masks and comparisons.
    Bool,
}

impl DType {
    /// Bytes one element occupies.
    pub fn size(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::F64 | DType::I64 => 8,
            DType::Bool => 1,
        }
    }

    /// Whether this is one of the two float types.
    pub fn is_real(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I64 => "i64",
            DType::Bool => "bool",
        })
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for i64 {}
    impl Sealed for bool {}
}

/// A Rust type that can be the element of a [`Tensor`]: `f32`, `f64`, `i64` or `bool`.
///
/// The trait is sealed: the set of dtypes is closed, so every `match` on [`DType`] is complete.
pub trait Element: sealed::Sealed + Copy + Default + PartialEq + fmt::Debug + Send + Sync + 'static {
    /// The run-time name of this type.
    const DTYPE: DType;
    /// Wraps an array of this type.
    fn wrap(array: ArrayD<Self>) -> Tensor;
    /// The array inside, if the tensor has this dtype.
    fn unwrap(tensor: &Tensor) -> Option<&ArrayD<Self>>;
    /// Mutable access to the array inside, if the tensor has this dtype.
    fn unwrap_mut(tensor: &mut Tensor) -> Option<&mut ArrayD<Self>>;
    /// The element at `index` of a tensor of this dtype or of one whose values this type holds exactly:
    /// `f64` also reads `f32` and integers up to 2⁵³. `None` if it cannot.
    fn widen(tensor: &Tensor, index: &[usize]) -> Option<Self>;
}

macro_rules! element {
    ($($type:ty => $variant:ident, $($from:ident as $exact:expr),*;)*) => {$(
        impl Element for $type {
            const DTYPE: DType = DType::$variant;
            fn wrap(array: ArrayD<Self>) -> Tensor {
                Tensor::$variant(array)
            }
            fn unwrap(tensor: &Tensor) -> Option<&ArrayD<Self>> {
                if let Tensor::$variant(array) = tensor { Some(array) } else { None }
            }
            fn unwrap_mut(tensor: &mut Tensor) -> Option<&mut ArrayD<Self>> {
                if let Tensor::$variant(array) = tensor { Some(array) } else { None }
            }
            fn widen(tensor: &Tensor, index: &[usize]) -> Option<Self> {
                match tensor {
                    Tensor::$variant(array) => array.get(index).copied(),
                    $(Tensor::$from(array) => array.get(index).copied().and_then($exact),)*
                    _ => None,
                }
            }
        }
    )*};
}
element! {
    f32 => F32,;
    f64 => F64, F32 as |x| Some(f64::from(x)), I64 as |n| (n.unsigned_abs() <= 1 << 53).then_some(n as f64);
    i64 => I64,;
    bool => Bool,;
}

/// A float element: `f32` or `f64`. Kernels over reals are written once against this trait.
pub trait Real: Element + crate::kernels::Math + crate::kernels::Additive + std::iter::Sum {
    /// Rounds an `f64` to this type.
    fn from_f64(value: f64) -> Self;
    /// Rounds an integer to this type, once: by way of `f64` an `f32` would be rounded twice.
    fn from_i64(value: i64) -> Self;
    /// Widens to `f64`; exact.
    fn to_f64(self) -> f64;
}

impl Real for f32 {
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }
    #[inline(always)]
    fn from_i64(value: i64) -> Self {
        value as f32
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn from_i64(value: i64) -> Self {
        value as f64
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
}
