//! Batched matrix products of operands that lie in memory in any way.
//!
//! Tiles of the result are summed in registers (`blocked`, `tile`), whose operand is packed unless it lies so already
//! (`pack`); products with few rows or columns wait for memory and pack nothing (`skinny`). Which of the two it is, the
//! shape decides. A long inner axis of a small result is cut into parts, whose results are added as a tree. So the bits
//! depend neither on how many threads take the blocks, nor on the width of registers, nor on how the operands lie.

mod axes;
mod blocked;
mod pack;
mod skinny;
mod tile;

use std::mem::MaybeUninit;

use smallvec::SmallVec;

use super::level::Level;
use super::scratch;
use super::threads::{self, Pieces};
use crate::compound::{self, Compound};
use crate::{Error, Layout, Real, Result, Shape, shape};

use axes::Axes;
use blocked::{Block, DEEPEST, Product};
use skinny::Skinny;

/// Multiplications that are worth a second thread.
const WORTH_A_THREAD: usize = 1 << 20;
/// Multiplications of a block of the result whose operands are read where they lie, where it can be cut into so many
/// blocks.
const BLOCK: usize = 1 << 20;
/// More such blocks than this share work no better.
const MOST_BLOCKS: usize = 16;
/// A result with a packed operand is cut into n blocks, an even number, if each keeps about n times so many multiplications:
/// each reads the other operand anew.
const PACKED_BLOCK: usize = 1 << 20;
/// No side is cut to fewer elements.
const SIDE: usize = 64;
/// Nor a long one along registers to fewer, the other operand is read anew for each block; nor the other side of a packed
/// operand.
const WIDE: usize = 256;
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
    /// Whether it has few rows or columns, and a kernel of its own for it.
    few: bool,
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
    /// Whether rows of the result, rather than columns, run along registers.
    turned: bool,
    /// Whether the result is added to what stands there.
    add: bool,
    level: Level,
}

/// Where a matrix lies: its first element, its rows (of a right operand, its columns) and its inner axis, and the
/// buffer length it needs.
#[derive(Clone, Debug)]
struct Operand {
    offset: isize,
    outer: Axes,
    inner: Axes,
    needs: usize,
}

/// The strides of batch axes.
type Strides = SmallVec<[isize; 4]>;

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

impl Operand {
    /// The operand that lies so, and the strides of its batch axes once they are broadcast to `lead`; `outer` and `inner`
    /// are its axes, counted from the end.
    fn new(
        name: &str,
        own: &Compound,
        [outer, inner]: [usize; 2],
        lead: &[usize],
    ) -> Result<(Self, Strides)> {
        let value = |why| Error::Value { op: "matmul", why };
        let Some([first, end]) = span(own.layout()) else {
            return Err(value(format!("the strides of {name} reach beyond any buffer")));
        };
        if first < 0 {
            return Err(value(format!("the strides of {name} reach {} elements before its buffer", -first)));
        }
        let rank = own.each().len();
        let side = |from_end: usize| {
            let (lengths, strides) = own.axis(rank - from_end);
            Axes::new(lengths.iter().copied().zip(strides.iter().copied()))
        };
        let new = lead.len() + 2 - rank;
        let mut strides = Strides::from_elem(0, new);
        for (i, n) in lead.iter().enumerate().skip(new) {
            let (lengths, _) = own.axis(i - new);
            let Some(stride) = compound::stride(own.axis(i - new)) else {
                return Err(value(format!("batch axis {i} of {name} has no one stride")));
            };
            strides.push(if *n == lengths.iter().product::<usize>() { stride } else { 0 });
        }
        let (offset, outer, inner) = (own.layout().offset as isize, side(outer), side(inner));
        Ok((Operand { offset, outer, inner, needs: end as usize }, strides))
    }

    /// The strides of the outer and of the inner axis, if each is one axis.
    fn strides(&self) -> Option<[isize; 2]> {
        Some([self.outer.stride()?, self.inner.stride()?])
    }

    /// Where elements of the outer and of the inner axis, of each the first and how many, lie with one stride for each axis:
    /// copied to `memory` if they do not.
    ///
    /// # Safety
    /// All these elements are in bounds, counted from `x`, and the memory holds as many, unless each axis has one stride.
    unsafe fn evenly<T: Real>(
        &self,
        x: *const T,
        [outer, inner]: [[usize; 2]; 2],
        memory: &mut [T],
    ) -> (*const T, [isize; 2]) {
        if let Some(strides) = self.strides() {
            return (x.wrapping_offset(self.outer.offset(outer[0]) + self.inner.offset(inner[0])), strides);
        }
        let mut to = memory.as_mut_ptr();
        let mut room = [const { MaybeUninit::uninit() }; DEEPEST];
        for i in outer[0]..outer[0] + outer[1] {
            let row = self.outer.offset(i);
            for start in (inner[0]..inner[0] + inner[1]).step_by(DEEPEST) {
                let len = DEEPEST.min(inner[0] + inner[1] - start);
                for run in self.inner.runs(start, len, &mut room) {
                    let from = x.wrapping_offset(row + run.at);
                    // SAFETY: the caller's promise; the memory holds as many elements as there are.
                    unsafe {
                        match run.step {
                            1 => to.copy_from_nonoverlapping(from, run.len),
                            step => (0..run.len).for_each(|l| *to.add(l) = *from.offset(l as isize * step)),
                        }
                        to = to.add(run.len);
                    }
                }
            }
        }
        (memory.as_ptr(), [inner[1] as isize, 1])
    }
}

impl MatMul {
    /// Prepares the product of operands of shapes (…, m, k) and (…, k, n); leading axes broadcast.
    ///
    /// # Errors
    /// If the shapes do not fit each other, or a layout reaches before the start of its buffer; for an operand that has to
    /// lie simply ([`MatMul::reads`]).
    pub fn new(a: impl Into<Compound>, b: impl Into<Compound>) -> Result<MatMul> {
        MatMul::prepare(&a.into(), &b.into(), skinny::suits)
    }

    /// The same product with sums in the order of the inner axis, however few rows or columns it has: any view is read where it
    /// lies, and matrices that are views of few numbers, such as windows, are never made.
    ///
    /// # Errors
    /// As of [`MatMul::new`].
    pub fn in_order(a: impl Into<Compound>, b: impl Into<Compound>) -> Result<MatMul> {
        MatMul::prepare(&a.into(), &b.into(), |_| false)
    }

    fn prepare(a: &Compound, b: &Compound, suits_few: fn([usize; 3]) -> bool) -> Result<MatMul> {
        let [shape_a, shape_b] = [a.shape(), b.shape()];
        let out = shape::matmul(&shape_a, &shape_b)?;
        let (lead, matrix) = out.split_at(out.len() - 2);
        let (mut m, n, k) = (matrix[0], matrix[1], shape_a[shape_a.len() - 1]);
        let (mut left, in_a) = Operand::new("the left operand", a, [2, 1], lead)?;
        let (right, in_b) = Operand::new("the right operand", b, [1, 2], lead)?;

        let mut batch: SmallVec<[_; 4]> =
            (0..lead.len()).map(|i| (lead[i], in_a[i], in_b[i])).filter(|axis| axis.0 != 1).collect();
        // A batch of left matrices stacked one under the other, with one right matrix, is a single tall product.
        while let (Some(&(len, step_a, 0)), Some(down)) = (batch.last(), left.outer.stride())
            && (m == 1 || step_a == down * m as isize)
        {
            let down = if m == 1 { step_a } else { down };
            m *= len;
            left.outer = Axes::new([(m, down)]);
            batch.pop();
        }
        let size = [m, n, k];
        let few = suits_few(size);
        let turned = !few && blocked::turned(size, [&left.outer, &left.inner], [&right.outer, &right.inner]);
        let along = if turned { [&left.outer, &left.inner] } else { [&right.outer, &right.inner] };
        let packed = !blocked::lie_close(along, SIDE, size_of::<f64>());
        let (mut block, most) =
            if few { (slices(size, 4), FEW_GROUP) } else { (cut(size, turned, packed), GROUP) };
        let along = if n <= m { left.outer.stride() } else { right.outer.stride() };
        if few && along == Some(1) {
            block = slices(size, ALONG);
        }
        let work = (block[0] * block[1]).saturating_mul(k);
        let group = (most / work.max(1)).max(1);
        let blocks = m.div_ceil(SIDE) * n.div_ceil(SIDE);
        let alone = batch.is_empty() && blocks < TASKS;
        let parts = if alone { (k / DEPTH).clamp(1, 2 * TASKS / blocks.max(1)) } else { 1 };
        let level = Level::detected();
        Ok(MatMul {
            out,
            size,
            few,
            batch,
            a: left,
            b: right,
            block,
            group,
            parts,
            turned,
            add: false,
            level,
        })
    }

    /// The same product, added to what stands in the result. `None` for one whose sums are taken in several goes: added as a whole
    /// it would have other bits.
    pub fn onto(self) -> Option<MatMul> {
        let at_once = !self.few && self.parts == 1 && self.size[2] <= blocked::panel::<f64>(self.size[2]);
        at_once.then_some(MatMul { add: true, ..self })
    }

    /// Whether products read an operand that lies so where it lies: batches want one stride for each axis.
    pub fn reads(own: &Compound) -> bool {
        let simple = |i: usize| compound::stride(own.axis(i)).is_some();
        (0..own.each().len().saturating_sub(2)).all(simple)
    }

    /// The same product with the instructions of another level, or of the best one that the processor has if that is
    /// less. All levels that fuse a product with the addition after it give the same bits.
    pub fn at(self, level: Level) -> MatMul {
        MatMul { level: level.min(Level::detected()), ..self }
    }

    /// The shape of the result: (…, m, n).
    pub fn out_shape(&self) -> &Shape {
        &self.out
    }

    /// Computes the product into `out`, which is row-major. The bits depend on shapes and numbers alone, not on how the
    /// operands lie. Nothing is allocated once the threads have their memory.
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
        T::product(self, a, b, out);
    }

    /// The product of buffers that are long enough.
    fn whole<T: Real>(&self, a: &[T], b: &[T], out: &mut [T]) {
        if out.is_empty() || self.size[2] == 0 {
            // A sum of nothing is +0, which is not nothing to a −0.
            out.iter_mut().for_each(|x| *x = if self.add { *x + T::zero() } else { T::zero() });
            return;
        }
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
        let worth = if self.few { WORTH_A_THREAD / 8 } else { WORTH_A_THREAD };
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
        let (mut start, mut depth) = (0, k);
        if self.parts > 1 {
            let each = k.div_ceil(self.parts);
            start = (matrix * each).min(k);
            depth = each.min(k - start);
        } else {
            let mut rest = matrix;
            for (len, step_a, step_b) in self.batch.iter().rev() {
                let i = (rest % len) as isize;
                rest /= len;
                from_a += i * step_a;
                from_b += i * step_b;
            }
        }
        // SAFETY: the block lies inside the result, and the operands' indices inside their spans, which lie inside
        // their buffers.
        unsafe {
            let (a, b) = (a.as_ptr().offset(from_a), b.as_ptr().offset(from_b));
            let c = (out.at(matrix * m * n), [n as isize, 1]);
            if self.few {
                let room = |operand: &Operand, outer: usize| {
                    scratch::lend(if operand.strides().is_some() { 0 } else { outer * depth })
                };
                let [mut left, mut right] = [room(&self.a, rows), room(&self.b, columns)];
                let (a, [a_row, a_inner]) = self.a.evenly(a, [[row, rows], [start, depth]], &mut left);
                let (b, [b_column, b_inner]) =
                    self.b.evenly(b, [[column, columns], [start, depth]], &mut right);
                let c = (out.at((matrix * m + row) * n + column), [n as isize, 1]);
                let size = [rows, columns, depth];
                let whole = Skinny { size, a: (a, [a_row, a_inner]), b: (b, [b_inner, b_column]), c };
                return self.level.run(whole.promised());
            }
            let (a, b) = ((a, &self.a.outer, &self.a.inner), (b, &self.b.outer, &self.b.inner));
            let block = Block { rows: [row, rows], columns: [column, columns], depth: [start, depth] };
            let whole = Product { a, b, c, add: self.add };
            let (whole, block) = if self.turned { (whole.turned(), block.turned()) } else { (whole, block) };
            whole.run(&tile::tiles(self.level), block);
        }
    }
}

/// The products of a type. Hundreds of kernels stand behind them: as functions of no generic type they are compiled once, in
/// this crate, and not again in each one that multiplies.
pub trait Products: Sized {
    /// What [`MatMul::run`] does, once the lengths are checked.
    fn product(product: &MatMul, a: &[Self], b: &[Self], out: &mut [Self]);
}

impl Products for f32 {
    #[inline(never)]
    fn product(product: &MatMul, a: &[f32], b: &[f32], out: &mut [f32]) {
        product.whole(a, b, out);
    }
}

impl Products for f64 {
    #[inline(never)]
    fn product(product: &MatMul, a: &[f64], b: &[f64], out: &mut [f64]) {
        product.whole(a, b, out);
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

/// Rows and columns of the blocks of a result. The side along registers is cut first: its operand may be `packed`, and so
/// by one task alone.
fn cut([m, n, k]: [usize; 3], turned: bool, packed: bool) -> [usize; 2] {
    let (long, other) = if turned { (m, n) } else { (n, m) };
    let work = (m * n).saturating_mul(k);
    let blocks = match packed {
        true => (work / PACKED_BLOCK).isqrt().next_multiple_of(2).max(1),
        false => work.div_ceil(BLOCK).clamp(1, MOST_BLOCKS),
    };
    let least = match packed {
        _ if long > 2 * WIDE => WIDE,
        // Many rows of the other operand are read as often as there are blocks.
        false if other > WIDE => WIDE / 2,
        _ => SIDE,
    };
    let along = long.div_ceil(blocks).next_multiple_of(32).max(least).min(long);
    let left = blocks.div_ceil(long.div_ceil(along.max(1)).max(1));
    let least = if packed && other > WIDE { WIDE / 2 } else { SIDE };
    let across = other.div_ceil(left).next_multiple_of(2).max(least).min(other);
    if turned { [along, across] } else { [across, along] }
}

#[cfg(test)]
mod bits;
#[cfg(test)]
mod lies;
#[cfg(test)]
mod tests;
