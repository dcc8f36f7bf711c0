//! Products in tiles: one side of the result runs along registers, whose operand is packed unless it lies so already; the
//! other operand is read where it is.
//!
//! Each sum is taken in the order of the inner axis, with fused multiply-add, in panels whose length that axis alone
//! decides; the sums of the panels are added in order. So neither the width of registers nor the cutting of the result
//! nor the way operands lie changes a bit.

use std::mem::MaybeUninit;

use super::axes::{Axes, Pieces, Room};
use super::pack::Panel;
use super::tile::{Kernel, MOST_ROWS, Places, Run, STRIPS, Strips, Tile, Tiles};
use crate::Real;
use crate::kernels::scratch;

/// No panel of the inner axis is longer,
pub(super) const DEEPEST: usize = 512;
/// nor one row of it: those of a tile together stay in the nearest cache.
const ROW_BYTES: usize = 1 << 11;
/// Bytes of a packed block: a share of the cache that one core has to itself.
const BLOCK_BYTES: usize = 1 << 19;

/// One product, `c = a · b`, on this thread. The columns run along registers.
pub(super) struct Product<'a, T> {
    /// The left operand: its rows and the inner axis.
    pub(super) a: (*const T, &'a Axes, &'a Axes),
    /// The right operand: its columns and the inner axis.
    pub(super) b: (*const T, &'a Axes, &'a Axes),
    /// The result, and the strides of its rows and columns.
    pub(super) c: (*mut T, [isize; 2]),
    /// Whether the sums are added to what stands there.
    pub(super) add: bool,
}

/// Where rows, columns and the inner axis begin, and how far they go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) rows: [usize; 2],
    pub(super) columns: [usize; 2],
    pub(super) depth: [usize; 2],
}

/// The length of the panels of an inner axis.
pub(super) fn panel<T>(depth: usize) -> usize {
    let most = DEEPEST.min(ROW_BYTES / size_of::<T>());
    depth.div_ceil(depth.div_ceil(most).max(1)).max(1)
}

/// Whether it is cheaper to have rows of the result along registers, rather than columns: estimated, in steps of a
/// processor for each of which a register is multiplied and added.
pub(super) fn turned([m, n, k]: [usize; 3], a: [&Axes; 2], b: [&Axes; 2]) -> bool {
    const LANES: usize = 16;
    // What it costs to bring one element of an operand into registers.
    let packing = |[outer, inner]: [&Axes; 2], rows: usize| match outer.last() {
        _ if lie_close([outer, inner], rows, size_of::<f32>()) => 0.0,
        (_, 1) if outer.stride().is_some() => 0.15,
        (n, 1) => 10.0 / n as f64,
        _ if inner.last().1 == 1 => 0.5,
        _ => 1.0,
    };
    let cost = |along: usize, rows: usize, side: [&Axes; 2]| {
        let tiles = along.div_ceil(LANES) * rows * k;
        tiles as f64 + packing(side, rows) * (along * k) as f64
    };
    let panels = k.div_ceil(DEEPEST).max(1);
    let plain = cost(n, m, b);
    let turned = cost(m, n, a) + (m * n * panels) as f64;
    turned < plain
}

impl Block {
    /// The same block of the transposed product.
    pub(super) fn turned(self) -> Self {
        Block { rows: self.columns, columns: self.rows, depth: self.depth }
    }
}

impl<T: Real> Product<'_, T> {
    /// bᵀ · aᵀ = cᵀ.
    pub(super) fn turned(self) -> Self {
        let Product { a, b, c: (c, [down, across]), add } = self;
        Product { a: b, b: a, c: (c, [across, down]), add }
    }

    /// Computes one block of the result.
    ///
    /// # Safety
    /// All elements of the operands are in bounds, those of the block of `c` too, and nobody else's; the processor has the
    /// level of these tiles.
    pub(super) unsafe fn run(&self, tiles: &Tiles<T>, block: Block) {
        let [start, depth] = block.depth;
        let each = panel::<T>(depth);
        let wide = 2 * tiles.lanes;
        let many = (BLOCK_BYTES / size_of::<T>() / each / wide).max(1) * wide;
        let direct = lie_close([self.b.1, self.b.2], block.rows[1], size_of::<T>());
        let packed = if direct { 0 } else { block.columns[1].min(many).next_multiple_of(wide) };
        let mut memory = scratch::lend(packed * each);
        let mut rooms: [Room; 3] = [[MaybeUninit::uninit(); DEEPEST]; 3];
        for k in (0..depth).step_by(each) {
            let len = each.min(depth - k);
            let [left, right, both] = &mut rooms;
            let (a_runs, b_runs) =
                (self.a.2.runs(start + k, len, left), self.b.2.runs(start + k, len, right));
            let together = direct.then(|| beside(b_runs, both));
            for j in (0..block.columns[1]).step_by(many) {
                let part = [block.columns[0] + j, many.min(block.columns[1] - j)];
                // SAFETY: the caller's promise.
                unsafe {
                    let right = Right { at: part, each: wide, depth: len, runs: b_runs, direct };
                    right.pack(self, tiles, &mut memory);
                    self.sweep(
                        tiles,
                        block.rows,
                        &right,
                        [a_runs, together.unwrap_or(&[])],
                        &memory,
                        self.add || k > 0,
                    );
                }
            }
        }
    }

    /// All tiles of these rows and columns.
    ///
    /// # Safety
    /// As [`Product::run`].
    unsafe fn sweep(
        &self,
        tiles: &Tiles<T>,
        [first, count]: [usize; 2],
        right: &Right<'_>,
        [own, beside]: [&[Run]; 2],
        packed: &[T],
        add: bool,
    ) {
        let (mut a, rows, _) = self.a;
        let (mut close, mut runs) = (rows.stride() == Some(1), own);
        let height = count.div_ceil(count.div_ceil(tiles.rows()));
        let width = height.next_multiple_of(8);
        let clash = rows.stride().is_some_and(|apart| clash(apart * size_of::<T>() as isize));
        // In pieces, the right operand says where runs end.
        let in_pieces = beside.len() > 1;
        let copied = in_pieces || (clash && right.at[1] >= 4 * right.each);
        let mut memory = scratch::lend(if copied { width * right.depth } else { 0 });
        let step = width as isize;
        let together = [Run { at: 0, len: right.depth, step, skip: 0 }];
        let mut room: Room = [MaybeUninit::uninit(); DEEPEST];
        let together = if in_pieces { scaled(beside, step, &mut room) } else { &together };
        let mut offsets = [0; MOST_ROWS];
        for i in (0..count).step_by(height) {
            let r = height.min(count - i);
            for (offset, row) in offsets.iter_mut().zip(first + i..first + i + r) {
                *offset = rows.offset(row);
            }
            if copied {
                let panel = Panel { columns: rows, at: first + i, count: r, width, runs: own };
                // SAFETY: the caller's promise.
                unsafe { (tiles.pack)(self.a.0, panel, &mut memory) };
                (a, close, runs, offsets[0]) = (memory.as_ptr(), true, together, 0);
            }
            let (b, step) = right.base(self, packed);
            let (c, c_strides) = self.c;
            let tile = |columns: usize| {
                let registers = 1 + usize::from(columns > tiles.lanes);
                let b_step = step.unwrap_or((registers * tiles.lanes) as isize);
                let cut = right.direct && columns != registers * tiles.lanes;
                let kernel = tiles.kernel(r, registers, close, cut);
                let tile = Tile { a, rows: &offsets, runs, b, b_step, c, c_strides, columns, add };
                (tile, kernel, (registers == 2).then(|| tiles.strips(cut)))
            };
            // Tiles of one row are computed together, those of as many columns.
            let mut waiting = [Waiting::default(), Waiting::default()];
            let mut to = (first + i) as isize * c_strides[0] + right.at[0] as isize * c_strides[1];
            for (count, mut from) in right.pieces(self) {
                let mut left = count;
                while left > 0 {
                    let columns = right.each.min(left);
                    // SAFETY: the caller's promise; what is packed holds whole registers.
                    unsafe {
                        if r == 1 && c_strides[1] == 1 {
                            let waiting = &mut waiting[usize::from(columns < right.each)];
                            if waiting.count == STRIPS || waiting.columns != columns {
                                waiting.compute(tile(waiting.columns));
                            }
                            waiting.push(columns, [from, to]);
                        } else {
                            let (tile, kernel, _) = tile(columns);
                            kernel(&tile.at([from, to]));
                        }
                    }
                    left -= columns;
                    from += (columns * if right.direct { 1 } else { right.depth }) as isize;
                    to += columns as isize * c_strides[1];
                }
            }
            for waiting in waiting.iter_mut().filter(|waiting| waiting.count > 0) {
                // SAFETY: the caller's promise.
                unsafe { waiting.compute(tile(waiting.columns)) };
            }
        }
    }
}

/// Places of tiles of one row that are to be computed together, of as many columns each.
#[derive(Default)]
struct Waiting {
    columns: usize,
    count: usize,
    places: Places,
}

impl Waiting {
    fn push(&mut self, columns: usize, place: [isize; 2]) {
        self.columns = columns;
        self.places[self.count] = place;
        self.count += 1;
    }

    /// Computes them.
    ///
    /// # Safety
    /// The tile is good at each place, and the processor has the level of the kernels.
    unsafe fn compute<T>(&mut self, (tile, kernel, strips): (Tile<'_, T>, Kernel<T>, Option<Strips<T>>)) {
        // SAFETY: the caller's promise.
        unsafe {
            match strips {
                Some(strips) if self.count == STRIPS => strips(&tile, &self.places),
                _ => self.places[..self.count].iter().for_each(|place| kernel(&tile.at(*place))),
            }
        }
        self.count = 0;
    }
}

/// Up to so many rows read a right operand where it lies.
const DIRECT_ROWS: usize = 192;

/// Elements of the inner axis that are packed from all panels before the next.
const ROWS: usize = 16;

/// Whether rows so many bytes apart fall into the same few lines of the nearest cache.
fn clash(apart: isize) -> bool {
    apart != 0 && apart.unsigned_abs().is_multiple_of(1 << 11)
}

/// Whether a right operand of these columns and inner axis, of elements of so many bytes, is read where it lies: it need
/// not be rearranged, and so few rows read it that a copy would cost more.
pub(super) fn lie_close([columns, inner]: [&Axes; 2], rows: usize, bytes: usize) -> bool {
    // Far apart, each element of the inner axis is on another page of memory, and few lines of the cache are theirs.
    let rows_at_most = |apart: isize| match apart.unsigned_abs() * bytes {
        4096.. => DIRECT_ROWS / 8,
        2048.. => DIRECT_ROWS / 3,
        _ => DIRECT_ROWS,
    };
    match (columns.stride(), inner.stride()) {
        (Some(1), Some(apart)) => rows <= rows_at_most(apart),
        // Windows, say: each piece of columns fills registers of its own.
        (Some(1), None) | (None, _) => {
            let ((n, step), lanes) = (columns.last(), 64 / bytes);
            step == 1 && rows <= DIRECT_ROWS && 4 * n >= 3 * n.next_multiple_of(lanes)
        }
        _ => false,
    }
}

/// Columns of the right operand, in panels as wide as a tile.
struct Right<'a> {
    /// The first column, and how many.
    at: [usize; 2],
    /// Columns of a panel.
    each: usize,
    depth: usize,
    runs: &'a [Run],
    /// Whether whole panels are read where they lie.
    direct: bool,
}

/// The same elements of the inner axis, by number; each run says how far it is from the one before.
fn beside<'a>(runs: &[Run], room: &'a mut Room) -> &'a [Run] {
    let (mut end, mut done) = (runs.first().map_or(0, |run| run.at), 0);
    for (run, to) in runs.iter().zip(&mut *room) {
        to.write(Run { at: done, len: run.len, step: 1, skip: run.at - end });
        done += run.len as isize;
        end = run.at + run.len as isize * run.step;
    }
    // SAFETY: so many are written.
    unsafe { std::slice::from_raw_parts(room.as_ptr().cast(), runs.len()) }
}

/// Runs of elements that are `step` apart.
fn scaled<'a>(runs: &[Run], step: isize, room: &'a mut Room) -> &'a [Run] {
    for (run, to) in runs.iter().zip(&mut *room) {
        to.write(Run { at: run.at * step, step, ..*run });
    }
    // SAFETY: so many are written.
    unsafe { std::slice::from_raw_parts(room.as_ptr().cast(), runs.len()) }
}

impl Right<'_> {
    /// Packs the panels, unless they are read where they lie.
    ///
    /// # Safety
    /// As [`Product::run`].
    unsafe fn pack<T: Real>(&self, product: &Product<'_, T>, tiles: &Tiles<T>, memory: &mut [T]) {
        let (b, columns, _) = product.b;
        if self.direct {
            return;
        }
        // Of neighbours some rows are taken from all panels before the next, so that memory is read in long pieces.
        let deep = if let ([_], Some(1)) = (self.runs, columns.stride()) { ROWS } else { self.depth };
        for l in (0..self.depth).step_by(deep) {
            let len = deep.min(self.depth - l);
            let mut part = self.runs[0];
            (part.at, part.len) = (part.at + l as isize * part.step, len);
            let runs = if len < self.depth { std::slice::from_ref(&part) } else { self.runs };
            for j in (0..self.at[1]).step_by(self.each) {
                let count = self.each.min(self.at[1] - j);
                let width = count.next_multiple_of(tiles.lanes);
                let panel = Panel { columns, at: self.at[0] + j, count, width, runs };
                // SAFETY: the caller's promise.
                unsafe { (tiles.pack)(b, panel, &mut memory[j * self.depth + l * width..][..width * len]) };
            }
        }
    }

    /// From where panels are counted, and how far it is in them to the next element of the inner axis, unless they are as wide
    /// as their registers.
    fn base<T>(&self, product: &Product<'_, T>, packed: &[T]) -> (*const T, Option<isize>) {
        let (b, _, inner) = product.b;
        match self.direct {
            true => (b.wrapping_offset(self.runs[0].at), Some(inner.last().1)),
            false => (packed.as_ptr(), None),
        }
    }

    /// Columns side by side: how many, and where the first one's panel begins.
    fn pieces<'a, T>(&self, product: &Product<'a, T>) -> Pieces<'a> {
        match self.direct {
            true => product.b.1.pieces(self.at[0], self.at[1]),
            false => Pieces::one(self.at[1]),
        }
    }
}
