//! The width of numbers that were read from a file.

use chainrule_tensor::{Shape, Tensor};

use crate::Result;

/// The numbers as f32 if that keeps every digit of each, else as f64.
pub(crate) fn reals(numbers: Vec<f64>, shape: impl Into<Shape>) -> Result<Tensor> {
    if numbers.iter().all(|x| is_f32(*x)) {
        return Ok(Tensor::from_vec(numbers.into_iter().map(|x| x as f32).collect(), shape)?);
    }
    Ok(Tensor::from_vec(numbers, shape)?)
}

/// Whether the nearest f32 is written with the same digits, as NaN and infinities are.
fn is_f32(number: f64) -> bool {
    let narrow = number as f32;
    f64::from(narrow) == number
        || number.is_nan()
        || (narrow.is_finite() && narrow.to_string().parse() == Ok(number))
}
