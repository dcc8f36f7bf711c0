//! Batched matrix products of operands that lie in memory in any way.
//!
//! Engines of others multiply blocks on one thread; products with few rows or columns have a kernel here (`skinny`).
//! The result is cut into blocks by its shape alone, and a long inner axis into parts, whose results are added as a
//! tree; so the bits do not depend on how many threads take the blocks. Nor do they depend on how the operands lie:
//! each sum is taken in the order of the inner axis.

mod skinny;

use std::borrow::Cow;

use smallvec::SmallVec;

use super::copy::copy;
use super::level::Level;
use super::scratch;
use super::threads::{self, Pieces};
use crate::{DType, Error, Layout, Real, Result, Shape, shape};

use skinny::Skinny;

/// Multiplications that are worth a second thread.
const WORTH_A_THREAD: usize = 1 << 20;
/// A result is cut into n blocks if each keeps n² times so many multiplications. More blocks share the work better,
/// but each packs its part of the operands anew, which only big blocks make good.
const BLOCK: usize = 1 << 18;
/// No side is cut to fewer elements.
const SIDE: usize = 64;
/// Small products of a batch are taken together until they are so many multiplications.
const GROUP: usize = 1 << 18;
/// The same for products with few rows or columns, which wait for memory.
const FEW_GROUP: usize = 1 << 16;
/// Rows of those whose matrix lies by columns: pieces of columns as long as memory likes to be read.
const ALONG: usize = 256;
/// A result of fewer tasks than this has its inner axis cut into parts,
const TASKS: usize = 8;
/// which are no shorter than this.
const DEPTH: usize = 1 << 12;

/// The product of two matrices, or of two batches of them, prepared once for the way its operands lie.
///
/// ```
/// use chainrule_tensor::{Layout, kernels::matmul::MatMul};
/// // (1, 2) x (2, 2), the second one transposed in memory.
/// let (a, b) = (Layout::contiguous([1, 2]), Layout::contiguous([2, 2]).permute(&[1, 0]));
/// let mut out = [0.0; 2];
/// MatMul::new(&a, &b)?.run(&[1.0, 10.0], &[1.0, 2.0, 3.0, 4.0], &mut out);
/// assert_eq!(out, [21.0, 43.0]);
/// # Ok::<(), chainrule_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MatMul {
    out: Shape,
    /// Rows, columns and depth of one product.
    size: [usize; 3],
    /// The batch axes, those that the rows could not take in: length, stride in a, stride in b.
    batch: SmallVec<[(usize, isize, isize); 4]>,
    a: Operand,
    b: Operand,
    /// Rows and columns of a block of the result.
    block: [usize; 2],
    /// Blocks that make one task.
    group: usize,
    /// Parts of the inner axis.
    parts: usize,
}

/// Where a matrix lies: its first element, the strides of its rows and columns, the buffer length it needs.
#[derive(Clone, Debug)]
struct Operand {
    offset: isize,
    strides: [isize; 2],
    needs: usize,
    /// How it lies before it is copied, if it is. The engines run along the inner axis by ascending addresses, so an
    /// operand that is reversed on it would have its sums taken from the other end.
    reversed: Option<Layout>,
}

impl Operand {
    /// The operand, and the layout of shape `whole` that the product reads. `depth` is the inner axis, counted from
    /// the end.
    fn new(name: &str, own: &Layout, depth: usize, whole: &Shape) -> Result<(Self, Layout)> {
        let rank = whole.len();
        let value = |why| Error::Value { op: "matmul", why };
        let Some([first, end]) = span(own) else {
            return Err(value(format!("the strides of {name} reach beyond any buffer")));
        };
        if first < 0 {
            return Err(value(format!("the strides of {name} reach {} elements before its buffer", -first)));
        }
        let axis = own.shape.len() - depth;
        let reversed = (own.strides[axis] < 0 && own.shape[axis] > 1).then(|| own.clone());
        let read = if reversed.is_some() { Layout::contiguous(own.shape.clone()) } else { own.clone() };
        let read = read.broadcast(whole);
        let strides = [read.strides[rank - 2], read.strides[rank - 1]];
        Ok((Operand { offset: read.offset as isize, strides, needs: end as usize, reversed }, read))
    }

    /// The buffer that the product reads.
    fn read<'a, T: Real>(&self, x: &'a [T]) -> Cow<'a, [T]> {
        let Some(from) = &self.reversed else { return Cow::Borrowed(x) };
        let mut out = vec![T::zero(); from.shape.size()];
        copy(x, from, &mut out, &Layout::contiguous(from.shape.clone()));
        Cow::Owned(out)
    }
}

/// The first index that a layout touches and the one after the last; `None` if they fit no integer.
fn span(layout: &Layout) -> Option<[isize; 2]> {
    if layout.shape.contains(&0) {
        return Some([0, 0]);
    }
    let offset = isize::try_from(layout.offset).ok()?;
    let (mut first, mut last) = (offset, offset);
    for (&n, &stride) in layout.shape.iter().zip(&layout.strides) {
        let reach = isize::try_from(n - 1).ok()?.checked_mul(stride)?;
        first = first.checked_add(reach.min(0))?;
        last = last.checked_add(reach.max(0))?;
    }
    Some([first, last.checked_add(1)?])
}

impl MatMul {
    /// Prepares the product of operands of shapes (…, m, k) and (…, k, n); leading axes broadcast.
    ///
    /// # Errors
    /// If the shapes do not fit each other, or a layout reaches before the start of its buffer.
    pub fn new(a: &Layout, b: &Layout) -> Result<MatMul> {
        let out = shape::matmul(&a.shape, &b.shape)?;
        let (lead, matrix) = out.split_at(out.len() - 2);
        let (mut m, n, k) = (matrix[0], matrix[1], a.shape[a.shape.len() - 1]);
        let whole = |rows, columns| lead.iter().copied().chain([rows, columns]).collect::<Shape>();
        let (mut left, a) = Operand::new("the left operand", a, 1, &whole(m, k))?;
        let (right, b) = Operand::new("the right operand", b, 2, &whole(k, n))?;

        let mut batch: SmallVec<[_; 4]> = (0..lead.len())
            .map(|i| (lead[i], a.strides[i], b.strides[i]))
            .filter(|axis| axis.0 != 1)
            .collect();
        // A batch of left matrices stacked one under the other, with one right matrix, is a single tall product.
        while let Some(&(len, step_a, 0)) = batch.last()
            && (m == 1 || step_a == left.strides[0] * m as isize)
        {
            if m == 1 {
                left.strides[0] = step_a;
            }
            m *= len;
            batch.pop();
        }
        let size = [m, n, k];
        let few = skinny::suits(size);
        let (mut block, most) = if few { (slices(size, 4), FEW_GROUP) } else { (cut(size), GROUP) };
        let blocks = m.div_ceil(block[0].max(1)) * n.div_ceil(block[1].max(1));
        let along = if n <= m { left.strides[0] } else { right.strides[1] };
        if few && along == 1 {
            block = slices(size, ALONG);
        }
        let work = (block[0] * block[1]).saturating_mul(k);
        let group = (most / work.max(1)).max(1);
        let alone = batch.is_empty() && blocks < TASKS;
        let parts = if alone { (k / DEPTH).clamp(1, 2 * TASKS / blocks.max(1)) } else { 1 };
        Ok(MatMul { out, size, batch, a: left, b: right, block, group, parts })
    }

    /// The shape of the result: (…, m, n).
    pub fn out_shape(&self) -> &Shape {
        &self.out
    }

    /// Computes the product into `out`, which is row-major. The bits depend on shapes and numbers alone, not on how the
    /// operands lie. One that is reversed along the inner axis is copied first, which allocates.
    ///
    /// # Panics
    /// If `a` or `b` is shorter than its layout needs, or `out` has another length than the result.
    pub fn run<T: Real>(&self, a: &[T], b: &[T], out: &mut [T]) {
        assert!(a.len() >= self.a.needs, "the left operand has {} elements, not {}", a.len(), self.a.needs);
        assert!(b.len() >= self.b.needs, "the right operand has {} elements, not {}", b.len(), self.b.needs);
        assert!(
            out.len() == self.out.size(),
            "the result has {} elements, not {}",
            self.out.size(),
            out.len()
        );
        if out.is_empty() || self.size[2] == 0 {
            out.fill(T::zero());
            return;
        }
        let (a, b) = (&*self.a.read(a), &*self.b.read(b));
        if self.parts == 1 {
            return self.partial(a, b, out);
        }
        let mut sums = scratch::lend(self.parts * out.len());
        self.partial(a, b, &mut sums);
        let mut left = self.parts;
        while left > 1 {
            let half = left.div_ceil(2);
            let (low, high) = sums[..left * out.len()].split_at_mut(half * out.len());
            low.iter_mut().zip(high).for_each(|(a, b)| *a = *a + *b);
            left = half;
        }
        out.copy_from_slice(&sums[..out.len()]);
    }

    /// The products of the parts of the inner axis, one behind the other.
    fn partial<T: Real>(&self, a: &[T], b: &[T], out: &mut [T]) {
        let [m, n, k] = self.size;
        let [down, across] = [m.div_ceil(self.block[0]), n.div_ceil(self.block[1])];
        let blocks = out.len() / (m * n) * down * across;
        let few = skinny::suits(self.size);
        let worth = if few { WORTH_A_THREAD / 8 } else { WORTH_A_THREAD };
        let work = (self.out.size()).saturating_mul(k);
        let whole = Pieces::new(out);
        let task = |task: usize| {
            for i in task * self.group..blocks.min((task + 1) * self.group) {
                let (matrix, row, column) = (i / (down * across), i / across % down, i % across);
                // SAFETY: each block is computed once, by one task; the lengths of the buffers are checked.
                unsafe { self.block(a, b, &whole, matrix, [row, column]) };
            }
        };
        let tasks = blocks.div_ceil(self.group);
        if work < worth {
            (0..tasks).for_each(task);
        } else {
            threads::parallel(tasks, &task);
        }
    }

    /// One block of one product of the batch, or of one part of the only product.
    ///
    /// # Safety
    /// The buffers are as long as `run` demands, no size is 0, and nobody else touches this block meanwhile.
    unsafe fn block<T: Real>(&self, a: &[T], b: &[T], out: &Pieces<T>, matrix: usize, at: [usize; 2]) {
        let [m, n, k] = self.size;
        let (row, column) = (at[0] * self.block[0], at[1] * self.block[1]);
        let (rows, columns) = (self.block[0].min(m - row), self.block[1].min(n - column));
        let (mut from_a, mut from_b) = (self.a.offset, self.b.offset);
        let mut depth = k;
        if self.parts > 1 {
            let each = k.div_ceil(self.parts);
            let start = (matrix * each).min(k);
            depth = each.min(k - start);
            from_a += start as isize * self.a.strides[1];
            from_b += start as isize * self.b.strides[0];
        } else {
            let mut rest = matrix;
            for (len, step_a, step_b) in self.batch.iter().rev() {
                let i = (rest % len) as isize;
                rest /= len;
                from_a += i * step_a;
                from_b += i * step_b;
            }
        }
        from_a += row as isize * self.a.strides[0];
        from_b += column as isize * self.b.strides[1];
        let size = [rows, columns, depth];
        // SAFETY: the block lies inside the result, and the operands' indices inside their spans, which lie inside
        // their buffers.
        unsafe {
            let c = (out.at((matrix * m + row) * n + column), [n as isize, 1]);
            let a = (a.as_ptr().offset(from_a), self.a.strides);
            let b = (b.as_ptr().offset(from_b), self.b.strides);
            if skinny::suits(self.size) {
                Level::detected().run(Skinny { size, a, b, c }.promised());
            } else {
                engine(size, a, b, c);
            }
        }
    }
}

/// Rows and columns of the blocks of a product with few rows or columns: slices of the longer side, of no fewer than
/// `least` rows. No sum depends on them.
fn slices([m, n, k]: [usize; 3], least: usize) -> [usize; 2] {
    let long = usize::from(n > m);
    let mut block = [m, n];
    // With a depth of 1, all is in writing the result.
    let each = if k == 1 { block[1 - long] } else { k };
    block[long] = block[long].min((FEW_GROUP / each.max(1)).next_multiple_of(4).max(least));
    block
}

/// Rows and columns of the blocks of a result: halves of the longer side, again and again.
fn cut([m, n, k]: [usize; 3]) -> [usize; 2] {
    let mut block = [m, n];
    loop {
        let long = usize::from(block[1] >= block[0]);
        let mut next = block;
        next[long] = block[long].div_ceil(2).next_multiple_of(16);
        let blocks = (m.div_ceil(next[0].max(1)) * n.div_ceil(next[1].max(1))).max(1);
        if next[long] < SIDE || (next[0] * next[1]).saturating_mul(k) / blocks < BLOCK * blocks {
            return block;
        }
        block = next;
    }
}

/// `c = a · b` on this thread.
///
/// # Safety
/// All elements of the m x k, k x n and m x n matrices at these addresses, with these strides of rows and columns,
/// are in bounds, and those of `c` are nobody else's.
unsafe fn engine<T: Real>(
    [m, n, k]: [usize; 3],
    (a, a_strides): (*const T, [isize; 2]),
    (b, b_strides): (*const T, [isize; 2]),
    (c, c_strides): (*mut T, [isize; 2]),
) {
    #[cfg(target_arch = "x86_64")]
    if Level::detected() > Level::Baseline {
        use private_gemm_x86 as x86;
        let element = if T::DTYPE == DType::F32 { x86::DType::F32 } else { x86::DType::F64 };
        let instructions =
            if Level::detected() == Level::Avx512 { x86::InstrSet::Avx512 } else { x86::InstrSet::Avx256 };
        let none = std::ptr::null();
        // SAFETY: the caller's promise, and the processor has these instructions. `c` is not read; it is written
        // whole, by rows and columns in order (no index lists), by this thread alone.
        unsafe {
            x86::gemm(
                element,
                x86::IType::U64,
                instructions,
                m,
                n,
                k,
                c.cast(),
                c_strides[0],
                c_strides[1],
                none,
                none,
                x86::DstKind::Full,
                x86::Accum::Replace,
                a.cast(),
                a_strides[0],
                a_strides[1],
                false,
                none,
                0,
                b.cast(),
                b_strides[0],
                b_strides[1],
                false,
                std::ptr::from_ref(&T::one()).cast(),
                1,
            );
        }
        return;
    }
    // `gemm` knows the element by its type and panics at others.
    debug_assert!(matches!(T::DTYPE, DType::F32 | DType::F64));
    // SAFETY: the caller's promise. `c` is not read.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c,
            c_strides[1],
            c_strides[0],
            false,
            a,
            a_strides[1],
            a_strides[0],
            b,
            b_strides[1],
            b_strides[0],
            T::zero(),
            T::one(),
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod lies;
#[cfg(test)]
mod tests;
