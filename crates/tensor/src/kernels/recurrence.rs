//! Linear recurrences along an axis.

/// out₀ = b₀ and outᵢ = step(outᵢ₋₁, aᵢ, bᵢ) along the middle of three axes, one element after the other; a₀ is not
/// read.
///
/// # Panics
/// If a buffer is shorter than `dims` say.
///
/// ```
/// use chainrule_tensor::kernels::recurrence::recurrence;
/// let mut out = [0.0; 3];
/// recurrence(&[9.0, 2.0, 3.0], &[1.0, 1.0, 0.0], [1, 3, 1], &mut out, |y, a, b| y * a + b);
/// assert_eq!(out, [1.0, 3.0, 9.0]);
/// ```
pub fn recurrence<E: Copy>(
    a: &[E],
    b: &[E],
    [outer, n, inner]: [usize; 3],
    out: &mut [E],
    step: impl Fn(E, E, E) -> E,
) {
    let size = outer * n * inner;
    let (a, out) = (&a[..size], &mut out[..size]);
    out.copy_from_slice(&b[..size]);
    if size == 0 {
        return;
    }
    for (a, out) in a.chunks_exact(n * inner).zip(out.chunks_exact_mut(n * inner)) {
        for i in inner..n * inner {
            out[i] = step(out[i - inner], a[i], out[i]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_axis_is_gone_along() {
        let x: Vec<f64> = (1..=12).map(f64::from).collect();
        let mut out = vec![0.0; 12];
        recurrence(&x, &x, [2, 3, 2], &mut out, |y, a, _| y * a);
        assert_eq!(out, [1., 2., 3., 8., 15., 48., 7., 8., 63., 80., 693., 960.]);
        for dims in [[2, 0, 3], [2, 3, 0], [0, 2, 2]] {
            recurrence::<f64>(&[], &[], dims, &mut [], |_, _, b| b);
        }
    }
}
