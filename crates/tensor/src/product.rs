//! Matrix products.

use crate::arithmetic::refused;
use crate::kernels::matmul::MatMul;
use crate::{Real, Result, Tensor};

impl Tensor {
    /// Matrix product `(…, m, k) x (…, k, n) → (…, m, n)`; the leading axes broadcast. A transposed operand costs
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the inner lengths differ or the leading axes do not broadcast,
    /// [`Error::DType`](crate::Error::DType) unless both are f32 or both f64.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let (a, b) = (Tensor::from([[1.0, 2.0]]), Tensor::from([[3.0], [4.0]]));
    /// assert_eq!(a.matmul(&b)?, Tensor::from([[11.0]]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    pub fn matmul(&self, right: &Tensor) -> Result<Tensor> {
        match (self, right) {
            (Tensor::F32(_), Tensor::F32(_)) => product::<f32>(self, right),
            (Tensor::F64(_), Tensor::F64(_)) => product::<f64>(self, right),
            _ => {
                let found = if self.dtype().is_real() { right.dtype() } else { self.dtype() };
                Err(refused("matmul", found, "both operands are f32 or both f64; cast one"))
            }
        }
    }
}

fn product<T: Real>(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let ((a, layout_a), (b, layout_b)) = (a.laid_out(), b.laid_out());
    let plan = MatMul::new(&layout_a, &layout_b)?;
    let mut out = vec![T::zero(); plan.out_shape().size()];
    plan.run(a.in_memory::<T>(), b.in_memory::<T>(), &mut out);
    Tensor::from_vec(out, plan.out_shape())
}
