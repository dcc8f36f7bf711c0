//! shim
use crate::{Layout, Real, Result, Shape};
/// shim
#[derive(Debug)]
pub struct MatMul {
    a: Layout,
    b: Layout,
    out: Shape,
}
#[allow(missing_docs)]
impl MatMul {
    pub fn new(a: &Layout, b: &Layout) -> Result<MatMul> {
        Ok(MatMul { a: a.clone(), b: b.clone(), out: crate::shape::matmul(&a.shape, &b.shape)? })
    }
    pub fn run<T: Real>(&self, a: &[T], b: &[T], out: &mut [T]) {
        let r = self.out.len();
        let (m, n) = (self.out[r - 2], self.out[r - 1]);
        let k = self.a.shape[r - 1];
        let batch: usize = self.out[..r - 2].iter().product();
        for z in 0..batch {
            let mut f = z;
            let (mut oa, mut ob) = (self.a.offset as isize, self.b.offset as isize);
            for d in (0..r - 2).rev() {
                let i = (f % self.out[d]) as isize;
                f /= self.out[d];
                oa += i * self.a.strides[d];
                ob += i * self.b.strides[d];
            }
            for i in 0..m {
                for j in 0..n {
                    let mut s = T::zero();
                    for l in 0..k {
                        s = s + a[(oa
                            + i as isize * self.a.strides[r - 2]
                            + l as isize * self.a.strides[r - 1]) as usize]
                            * b[(ob + l as isize * self.b.strides[r - 2] + j as isize * self.b.strides[r - 1])
                                as usize];
                    }
                    out[(z * m + i) * n + j] = s;
                }
            }
        }
    }
}
