//! The random numbers of one example.

use chainrule_tensor::{DType, Key, Tensor};

use crate::Result;

/// What is drawn for an example: always the same numbers for the same uses, so that one change more moves no other.
pub(super) struct Dice {
    key: Key,
    pub(super) drawn: [f64; 10],
}

impl Dice {
    pub(super) fn new(key: Key) -> Result<Self> {
        let numbers = Tensor::uniform(key, [10], 0.0..1.0, DType::F64)?.to_vec::<f64>()?;
        Ok(Dice { key, drawn: std::array::from_fn(|i| numbers[i]) })
    }

    pub(super) fn normal(&self, n: usize) -> Result<Vec<f64>> {
        Ok(Tensor::normal(self.key.named("noise"), [n], 0.0, 1.0, DType::F64)?.to_vec()?)
    }

    /// Beta(α, α) for α up to 1, by Jöhnk's method: of u and v uniform, u^(1/α) and v^(1/α), drawn until their sum is at most 1,
    /// the share of the first.
    pub(super) fn beta(&self, alpha: f64) -> Result<f64> {
        let key = self.key.named("mixup");
        let mut tries = 0;
        loop {
            let pair = Tensor::uniform(key.at(tries), [2], 0.0..1.0, DType::F64)?.to_vec::<f64>()?;
            // As logarithms, since powers of small α leave the range.
            let (a, b) = (pair[0].ln() / alpha, pair[1].ln() / alpha);
            let most = a.max(b);
            let sum = most + ((a - most).exp() + (b - most).exp()).ln();
            if sum <= 0.0 && most > f64::NEG_INFINITY {
                return Ok((a - sum).exp());
            }
            tries += 1;
        }
    }
}
