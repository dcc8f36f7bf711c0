//! shim
use crate::Layout;
/// shim
pub fn copy<E: Copy>(src: &[E], from: &Layout, dst: &mut [E], to: &Layout) {
    let at = |l: &Layout, flat: usize| { let mut f = flat; let mut o = l.offset as isize; for d in (0..l.shape.len()).rev() { o += (f % l.shape[d]) as isize * l.strides[d]; f /= l.shape[d]; } o as usize };
    for i in 0..from.shape.size() { dst[at(to, i)] = src[at(from, i)]; }
}
