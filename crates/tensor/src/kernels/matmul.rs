//! Batched matrix products with any strides.
//!
//! The engine is the single-threaded `gemm`; threads take blocks of the output, cut by a rule that looks at the
//! shape alone and never cuts the inner dimension. So each element is summed in one order, whoever does it.

use smallvec::SmallVec;

use super::threads::{self, Pieces};
use crate::{Layout, Real, Result, Shape, shape};

/// A matrix product planned for operands of one layout.
///
/// ```
/// use chainrule_tensor::{Layout, kernels::matmul::MatMul};
/// let a = Layout::contiguous([2, 3]);
/// let b = Layout::contiguous([2, 3]).permute(&[1, 0]); // a transpose costs nothing
/// let product = MatMul::new(&a, &b)?;
/// let mut out = [0.0; 4];
/// product.run(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0], &mut out);
/// assert_eq!(out, [1.0, 2.0, 4.0, 5.0]);
/// # Ok::<(), chainrule_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct MatMul {
    out: Shape,
    m: usize,
    k: usize,
    n: usize,
    a: Operand,
    b: Operand,
    blocks: Blocks,
}

/// Where the elements of an operand are.
#[derive(Debug)]
struct Operand {
    batch: SmallVec<[isize; 4]>,
    row: isize,
    column: isize,
    offset: isize,
    /// One past the greatest position that is read; 0 if none is.
    end: usize,
}

/// How the rows and columns of the output are cut into tasks.
#[derive(Debug)]
struct Blocks {
    rows: usize,
    columns: usize,
}

/// Multiplications that keep a core busy for some ten microseconds: less is not worth a task.
const TASK: usize = 1 << 19;
/// Blocks are cut at multiples of this, the engine's own tile.
const TILE: usize = 48;
/// A matrix is cut into this many tasks at most.
const TASKS: usize = 8;

impl Operand {
    fn new(layout: &Layout) -> Operand {
        let rank = layout.shape.len();
        // Wide enough for any layout, as the engine reads wherever it says.
        let reach = |keep: fn(isize) -> isize| -> i128 {
            let axes = layout.shape.iter().zip(&layout.strides);
            layout.offset as i128 + axes.map(|(n, s)| (*n as i128 - 1) * keep(*s) as i128).sum::<i128>()
        };
        let empty = layout.shape.contains(&0);
        assert!(empty || reach(|s| s.min(0)) >= 0, "a layout reaches back before its buffer");
        let end = usize::try_from(reach(|s| s.max(0)) + 1).unwrap_or(usize::MAX);
        Operand {
            batch: layout.strides[..rank - 2].into(),
            row: layout.strides[rank - 2],
            column: layout.strides[rank - 1],
            offset: layout.offset as isize,
            end: if empty { 0 } else { end },
        }
    }
}

impl MatMul {
    /// Plans the product of operands `(…, m, k)` and `(…, k, n)` that lie so; the leading axes are equal (broadcast
    /// ones have stride 0).
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the shapes do not fit.
    ///
    /// # Panics
    /// If a layout reaches back before the start of its buffer.
    pub fn new(a: &Layout, b: &Layout) -> Result<MatMul> {
        let out = shape::matmul(&a.shape, &b.shape)?;
        let rank = out.len();
        if a.shape.len() != rank || b.shape.len() != rank || a.shape[..rank - 2] != b.shape[..rank - 2] {
            let why = "the leading axes must have been broadcast";
            return Err(crate::Error::shape("matmul", [&a.shape[..], &b.shape[..]], why));
        }
        let (m, k, n) = (out[rank - 2], a.shape[rank - 1], out[rank - 1]);
        let blocks = Blocks::new(m, k, n, out[..rank - 2].iter().product());
        Ok(MatMul { m, k, n, a: Operand::new(a), b: Operand::new(b), blocks, out })
    }

    /// The shape of the product.
    pub fn out_shape(&self) -> &Shape {
        &self.out
    }

    /// Computes the product; `out` is contiguous. With inner dimension 0 it is all zeros.
    ///
    /// # Panics
    /// If a slice is too short for its layout, or `out` has another size than the product.
    pub fn run<T: Real>(&self, a: &[T], b: &[T], out: &mut [T]) {
        assert!(a.len() >= self.a.end && b.len() >= self.b.end, "operands cover their layouts");
        assert!(out.len() == self.out.size(), "the output has the product's size");
        if self.k == 0 {
            out.fill(T::zero());
        }
        if out.is_empty() || self.k == 0 {
            return;
        }
        let (rows, columns) = (self.blocks.rows, self.blocks.columns);
        let (down, across) = (self.m.div_ceil(rows), self.n.div_ceil(columns));
        let batches = out.len() / (self.m * self.n);
        let shared = Pieces::new(out);
        let task = |task: usize| {
            let (batch, block) = (task / (down * across), task % (down * across));
            let (i, j) = (block / across * rows, block % across * columns);
            let (m, n) = (rows.min(self.m - i), columns.min(self.n - j));
            let (mut from_a, mut from_b) = (self.a.offset, self.b.offset);
            let mut rest = batch;
            for axis in (0..self.a.batch.len()).rev() {
                let index = (rest % self.out[axis]) as isize;
                rest /= self.out[axis];
                from_a += index * self.a.batch[axis];
                from_b += index * self.b.batch[axis];
            }
            from_a += i as isize * self.a.row;
            from_b += j as isize * self.b.column;
            // SAFETY: the layouts lie inside `a` and `b` (asserted above; strides are the layouts' own), the block
            // of rows i..i+m and columns j..j+n of this batch lies inside `out` and belongs to this task alone,
            // and `out` is borrowed until all tasks are done.
            unsafe {
                gemm::gemm(
                    m,
                    n,
                    self.k,
                    shared.at(batch * self.m * self.n + i * self.n + j),
                    1,
                    self.n as isize,
                    false,
                    a.as_ptr().offset(from_a),
                    self.a.column,
                    self.a.row,
                    b.as_ptr().offset(from_b),
                    self.b.column,
                    self.b.row,
                    T::zero(),
                    T::one(),
                    false,
                    false,
                    false,
                    gemm::Parallelism::None,
                );
            }
        };
        threads::parallel(batches * down * across, &task);
    }
}

impl Blocks {
    fn new(m: usize, k: usize, n: usize, batches: usize) -> Blocks {
        let whole = Blocks { rows: m.max(1), columns: n.max(1) };
        let work = m * k * n;
        // A batch of many products is spread as it is.
        if work < 2 * TASK || batches >= TASKS {
            return whole;
        }
        let tasks = (work / TASK).min(TASKS);
        let piece = |n: usize| n.div_ceil(tasks).next_multiple_of(TILE);
        if m >= n { Blocks { rows: piece(m), ..whole } } else { Blocks { columns: piece(n), ..whole } }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(a: &[f64], b: &[f64], m: usize, k: usize, n: usize) -> Vec<f64> {
        (0..m * n).map(|e| (0..k).map(|l| a[e / n * k + l] * b[l * n + e % n]).sum()).collect()
    }

    fn numbers(n: usize, seed: usize) -> Vec<f64> {
        (0..n).map(|i| ((i * 31 + seed * 17) % 23) as f64 - 11.0).collect()
    }

    proptest! {
        #[test]
        fn equals_a_plain_loop(
            m in prop_oneof![0_usize..5, 90_usize..110], k in 0_usize..40, n in prop_oneof![0_usize..20, 90_usize..110],
            turn_a: bool, turn_b: bool, batch in 1_usize..3, share: bool,
        ) {
            // Whole numbers, so that every order of summation gives the same.
            let a = numbers(batch * m * k, 1);
            let b = numbers(if share { 1 } else { batch } * k * n, 2);
            let lie = |turn: bool, count: usize, rows: usize, columns: usize| {
                if turn {
                    Layout::contiguous([count, columns, rows]).permute(&[0, 2, 1])
                } else {
                    Layout::contiguous([count, rows, columns])
                }
            };
            let la = lie(turn_a, batch, m, k);
            let lb = lie(turn_b, if share { 1 } else { batch }, k, n).broadcast(&Shape::from([batch, k, n]));
            let mut out = vec![f64::NAN; batch * m * n];
            MatMul::new(&la, &lb).unwrap().run(&a, &b, &mut out);
            let at = |data: &[f64], l: &Layout, z: usize, i: usize, j: usize| {
                data[l.offset + z * l.strides[0] as usize + i * l.strides[1] as usize + j * l.strides[2] as usize]
            };
            for z in 0..batch {
                let x: Vec<f64> = (0..m * k).map(|e| at(&a, &la, z, e / k, e % k)).collect();
                let y: Vec<f64> = (0..k * n).map(|e| at(&b, &lb, z, e / n, e % n)).collect();
                prop_assert_eq!(&out[z * m * n..(z + 1) * m * n], &plain(&x, &y, m, k, n)[..]);
            }
        }
    }

    #[test]
    fn bits_do_not_depend_on_threads() {
        for [m, k, n] in [[200, 300, 150], [1, 3000, 700], [700, 3000, 1], [64, 1000, 500]] {
            let a: Vec<f32> = numbers(m * k, 1).iter().map(|x| *x as f32 * 0.1).collect();
            let b: Vec<f32> = numbers(k * n, 2).iter().map(|x| *x as f32 * 0.3).collect();
            let product = MatMul::new(&Layout::contiguous([m, k]), &Layout::contiguous([k, n])).unwrap();
            let run = |threads| {
                threads::set_threads(threads);
                let mut out = vec![0.0; m * n];
                product.run(&a, &b, &mut out);
                out
            };
            let one = run(1);
            assert!(one == run(2) && one == run(3), "{m} {k} {n}");
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_errors() {
        let error = MatMul::new(&Layout::contiguous([2, 3]), &Layout::contiguous([4, 5])).unwrap_err();
        assert_eq!(error.to_string(), "[matmul] (2, 3) x (4, 5): 3 must equal 4");
    }

    #[test]
    #[should_panic = "reaches back before its buffer"]
    fn layouts_outside_of_their_buffers_are_refused() {
        let backwards = Layout { strides: [-2, 1].as_slice().into(), ..Layout::contiguous([2, 2]) };
        let _ = MatMul::new(&backwards, &Layout::contiguous([2, 2]));
    }
}
