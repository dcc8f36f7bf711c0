//! shim
use crate::Real;
/// shim
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)] #[allow(missing_docs)]
pub enum Reduction { Sum, Prod, Max, Min }
impl Reduction { /// shim
 pub fn name(self) -> &'static str { match self { Self::Sum => "sum", Self::Prod => "prod", Self::Max => "max", Self::Min => "min" } } }
/// shim
pub fn reduce<T: Real>(op: Reduction, x: &[T], [o, n, i]: [usize; 3], out: &mut [T]) {
    for a in 0..o { for c in 0..i { let mut acc = match op { Reduction::Sum => T::zero(), Reduction::Prod => T::one(), Reduction::Max => T::neg_infinity(), Reduction::Min => T::infinity() };
        for b in 0..n { let v = x[(a*n+b)*i+c]; acc = match op { Reduction::Sum => acc + v, Reduction::Prod => acc * v, Reduction::Max => if v > acc || v.is_nan() { v } else { acc }, Reduction::Min => if v < acc || v.is_nan() { v } else { acc } } }
        out[a*i+c] = acc; } }
}
/// shim
pub fn reduce_int(op: Reduction, x: &[i64], [o, n, i]: [usize; 3], out: &mut [i64]) {
    for a in 0..o { for c in 0..i { let it = (0..n).map(|b| x[(a*n+b)*i+c]); out[a*i+c] = match op { Reduction::Sum => it.sum(), Reduction::Prod => it.product(), Reduction::Max => it.max().unwrap_or(i64::MIN), Reduction::Min => it.min().unwrap_or(i64::MAX) } } }
}
/// shim
pub fn reduce_truth(op: Reduction, x: &[bool], [o, n, i]: [usize; 3], out: &mut [bool]) {
    for a in 0..o { for c in 0..i { let mut it = (0..n).map(|b| x[(a*n+b)*i+c]); out[a*i+c] = if op == Reduction::Max { it.any(|b| b) } else { it.all(|b| b) } } }
}
/// shim
pub fn arg_reduce<T: Real>(max: bool, x: &[T], [o, n, i]: [usize; 3], out: &mut [i64]) {
    for a in 0..o { for c in 0..i { let mut k = 0; for b in 1..n { let (v, w) = (x[(a*n+b)*i+c], x[(a*n+k)*i+c]); if !w.is_nan() && (v.is_nan() || if max { v > w } else { v < w }) { k = b } } out[a*i+c] = k as i64; } }
}
