//! Elements picked by index, and added back by index.

use std::cell::RefCell;

use super::Additive;

/// The lengths of a gather: `x` is [batch, n, inner], `index` is [batch, picked], and the result [batch, picked,
/// inner]. Each entry of `index` is a position on the axis of length `n`; a negative one counts from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// Leading axes that `x` and `index` share.
    pub batch: usize,
    /// The axis picked from.
    pub n: usize,
    /// How many are picked in each batch.
    pub picked: usize,
    /// The axes behind.
    pub inner: usize,
}

/// An index outside `-n..n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outside {
    /// Its position among the indices.
    pub at: usize,
    /// The index.
    pub index: i64,
}

impl Lengths {
    /// Calls `visit` with the position in x-like and result-like buffers of each picked run of `inner` elements.
    fn each(&self, index: &[i64], mut visit: impl FnMut(usize, usize)) -> Result<(), Outside> {
        let Lengths { batch, n, picked, inner } = *self;
        for (at, &i) in index[..batch * picked].iter().enumerate() {
            let from_start = if i < 0 { i + n as i64 } else { i };
            if !(0..n as i64).contains(&from_start) {
                return Err(Outside { at, index: i });
            }
            visit(((at / picked) * n + from_start as usize) * inner, at * inner);
        }
        Ok(())
    }
}

/// `out[b, p, :] = x[b, index[b, p], :]`.
///
/// # Errors
/// The first index outside `-n..n`.
///
/// # Panics
/// If a buffer is shorter than `lengths` say.
///
/// ```
/// use chainrule_tensor::kernels::gather::{Lengths, gather};
/// let mut out = [0.0; 4];
/// gather(&[1.0, 2.0, 3.0, 4.0], &[-1, 0], Lengths { batch: 1, n: 2, picked: 2, inner: 2 }, &mut out)?;
/// assert_eq!(out, [3.0, 4.0, 1.0, 2.0]);
/// # Ok::<(), chainrule_tensor::kernels::gather::Outside>(())
/// ```
pub fn gather<E: Copy>(x: &[E], index: &[i64], lengths: Lengths, out: &mut [E]) -> Result<(), Outside> {
    let inner = lengths.inner;
    lengths.each(index, |from, to| out[to..to + inner].copy_from_slice(&x[from..from + inner]))
}

/// `out[b, index[b, p], :] += updates[b, p, :]`, in the order of `index`, starting from zeros; integers wrap.
///
/// Each sum is held in twice the precision until its last term is there, as that of [`cumsum`](super::order::cumsum).
///
/// # Errors
/// The first index outside `-n..n`.
///
/// # Panics
/// If a buffer is shorter than `lengths` say.
pub fn scatter_add<E: Additive>(
    updates: &[E],
    index: &[i64],
    lengths: Lengths,
    out: &mut [E],
) -> Result<(), Outside> {
    /// Columns that go side by side.
    const WIDTH: usize = 64;
    let Lengths { batch, n, picked, inner } = lengths;
    lengths.each(index, |_, _| {})?;
    if inner == 0 || n == 0 {
        return Ok(());
    }
    let nothing = E::run_on(E::NOTHING, E::default());
    let mut sums = [nothing; WIDTH];
    // The updates of a row side by side: so it is summed at once, without a second, wider copy of the result. Kept for the
    // next call, so that a replay allocates nothing.
    thread_local!(static PLACES: RefCell<[Vec<usize>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) });
    let [mut ends, mut order] = PLACES.take();
    ends.resize(n, 0);
    order.resize(picked, 0);
    for block in 0..batch {
        let index = &index[block * picked..][..picked];
        let row = |i: i64| (if i < 0 { i + n as i64 } else { i }) as usize;
        ends.fill(0);
        index.iter().for_each(|&i| ends[row(i)] += 1);
        ends.iter_mut().fold(0, |start, end| start + std::mem::replace(end, start));
        for (at, &i) in index.iter().enumerate() {
            order[ends[row(i)]] = block * picked + at;
            ends[row(i)] += 1;
        }
        let rows = out[block * n * inner..][..n * inner].chunks_exact_mut(inner);
        let mut first = 0;
        for (out, &end) in rows.zip(&ends) {
            for (column, out) in (0..inner).step_by(WIDTH).zip(out.chunks_mut(WIDTH)) {
                let sums = &mut sums[..out.len()];
                sums.fill(nothing);
                for from in &order[first..end] {
                    let updates = &updates[from * inner + column..][..out.len()];
                    sums.iter_mut().zip(updates).for_each(|(sum, u)| *sum = E::run_on(*sum, *u));
                }
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out = E::rounded(*sum));
            }
            first = end;
        }
    }
    PLACES.set([ends, order]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scatter_add_is_the_transpose_of_gather() {
        // ⟨gather(x), u⟩ = ⟨x, scatter_add(u)⟩
        let lengths = Lengths { batch: 2, n: 3, picked: 4, inner: 2 };
        let x: Vec<f64> = (0..12).map(f64::from).collect();
        let u: Vec<f64> = (0..16).map(|i| f64::from(i * i % 7)).collect();
        let index = [0, -1, 2, 2, 1, -3, 0, 1];
        let (mut picked, mut spread) = (vec![0.0; 16], vec![9.0; 12]);
        gather(&x, &index, lengths, &mut picked).expect("in range");
        scatter_add(&u, &index, lengths, &mut spread).expect("in range");
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        assert_eq!(dot(&picked, &u), dot(&x, &spread));
    }

    #[test]
    fn sums_of_integers_wrap() {
        let lengths = Lengths { batch: 1, n: 1, picked: 2, inner: 1 };
        let mut out = [0];
        scatter_add(&[i64::MAX, 2], &[0, 0], lengths, &mut out).expect("in range");
        assert_eq!(out, [i64::MIN + 1]);
    }

    #[test]
    fn sums_lose_no_small_terms() {
        let n = 1000;
        let lengths = Lengths { batch: 2, n: 3, picked: n, inner: 65 };
        let mut out = vec![9.0_f32; 2 * 3 * 65];
        let updates: Vec<f32> =
            (0..2 * n * 65).map(|i| if i % (n * 65) < 65 { 16_777_216.0 } else { 1.0 }).collect();
        let index: Vec<i64> = (0..2 * n).map(|i| if i < n { 1 } else { -1 }).collect();
        scatter_add(&updates, &index, lengths, &mut out).expect("in range");
        for (row, sums) in out.chunks(65).enumerate() {
            // 2²⁴ and 999 ones, rounded to even.
            let right = if row == 1 || row == 5 { 16_778_216.0 } else { 0.0 };
            assert_eq!(sums, [right; 65], "{row}");
        }
        let mut none = [1.0_f32; 2];
        let lengths = Lengths { batch: 1, n: 2, picked: 1, inner: 1 };
        scatter_add(&[-0.0], &[0], lengths, &mut none).expect("in range");
        assert_eq!(none.map(f32::to_bits), [0, 0], "what starts from 0 stays 0");
    }

    #[test]
    fn an_index_outside_is_named() {
        let lengths = Lengths { batch: 1, n: 2, picked: 3, inner: 1 };
        let found = gather(&[1, 2], &[0, 1, 2], lengths, &mut [0; 3]);
        assert_eq!(found, Err(Outside { at: 2, index: 2 }));
        let found = gather(&[1, 2], &[0, -3, 1], lengths, &mut [0; 3]);
        assert_eq!(found, Err(Outside { at: 1, index: -3 }));
        // Nothing can be picked from nothing, and nothing is.
        assert!(gather::<i64>(&[], &[], Lengths { batch: 1, n: 0, picked: 0, inner: 4 }, &mut []).is_ok());
    }
}
