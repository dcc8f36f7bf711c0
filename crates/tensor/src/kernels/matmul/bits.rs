//! Every level, tile and layout gives the bits of the same sums, written out.

use proptest::prelude::*;

use super::axes::Axes;
use super::blocked::{self, Block, Product};
use super::tile::{self, Tiles};
use super::*;

/// Numbers whose sums round.
fn rough<T: Real>(n: usize, seed: usize) -> Vec<T> {
    (0..n).map(|i| T::from_f64(((i * 7919 + seed * 104_729) % 1013) as f64 * 0.3711 - 187.0)).collect()
}

/// The levels that fuse products with additions, the portable one among them.
fn fused<T: Real>() -> Vec<(String, Tiles<T>)> {
    let levels = Level::available().filter(|level| cfg!(target_arch = "aarch64") || *level > Level::Baseline);
    let exact = std::iter::once(("portable".to_owned(), tile::exact_tiles()));
    exact.chain(levels.map(|level| (format!("{level:?}"), tile::tiles(level)))).collect()
}

/// One side of an operand, and how many elements it spans.
#[derive(Clone, Debug)]
struct Side(Vec<(usize, isize)>);

impl Side {
    fn len(&self) -> usize {
        self.0.iter().map(|axis| axis.0).product()
    }

    /// The first and the last offset.
    fn span(&self) -> (isize, isize) {
        self.0.iter().fold((0, 0), |(low, high), (n, stride)| {
            let reach = (*n as isize - 1) * stride;
            (low + reach.min(0), high + reach.max(0))
        })
    }

    fn offset(&self, mut i: usize) -> isize {
        let mut at = 0;
        for (n, stride) in self.0.iter().rev() {
            at += (i % n) as isize * stride;
            i /= n;
        }
        at
    }
}

/// An operand: its numbers, where it begins, its rows or columns, its inner axis.
struct Matrix<T> {
    numbers: Vec<T>,
    first: isize,
    outer: Side,
    inner: Side,
}

impl<T: Real> Matrix<T> {
    fn new(outer: &Side, inner: &Side, seed: usize) -> Self {
        let ((low, high), (low_2, high_2)) = (outer.span(), inner.span());
        let first = -(low + low_2);
        let numbers = rough((high + high_2 + first + 1) as usize, seed);
        Matrix { numbers, first, outer: outer.clone(), inner: inner.clone() }
    }

    fn at(&self, i: usize, l: usize) -> T {
        self.numbers[(self.first + self.outer.offset(i) + self.inner.offset(l)) as usize]
    }
}

/// The sum of the products of row i and column j: a chain in each panel of the inner axis, and the panels in order.
fn sum<T: Real>(a: &Matrix<T>, b: &Matrix<T>, i: usize, j: usize, depth: usize) -> T {
    let each = blocked::panel::<T>(depth);
    let mut sums = (0..depth).step_by(each).map(|start| {
        (start..depth.min(start + each)).fold(T::zero(), |sum, l| a.at(i, l).mul_add(b.at(j, l), sum))
    });
    let first = sums.next().unwrap_or(T::zero());
    sums.fold(first, |all, sum| all + sum)
}

fn same_bits<T: Real>(rows: &Side, columns: &Side, inner: [&Side; 2], turned: bool) {
    let (a, b) = (Matrix::<T>::new(rows, inner[0], 1), Matrix::<T>::new(columns, inner[1], 2));
    let (m, n, k) = (rows.len(), columns.len(), inner[0].len());
    let wanted: Vec<T> = (0..m * n).map(|i| sum(&a, &b, i / n, i % n, k)).collect();
    let axes = |side: &Side| Axes::new(side.0.iter().copied());
    let (a_axes, b_axes) = ([axes(rows), axes(inner[0])], [axes(columns), axes(inner[1])]);
    for (level, tiles) in fused::<T>() {
        let mut out = vec![T::nan(); m * n];
        // SAFETY: the operands hold all that their sides reach, the result every row and column; the level is there.
        unsafe {
            let left = (a.numbers.as_ptr().offset(a.first), &a_axes[0], &a_axes[1]);
            let right = (b.numbers.as_ptr().offset(b.first), &b_axes[0], &b_axes[1]);
            let whole = Product { a: left, b: right, c: (out.as_mut_ptr(), [n as isize, 1]), add: false };
            let block = Block { rows: [0, m], columns: [0, n], depth: [0, k] };
            match turned {
                false => whole.run(&tiles, block),
                true => whole.turned().run(&tiles, block.turned()),
            }
        }
        assert_eq!(out, wanted, "{level} {} {rows:?} {columns:?} {inner:?} turned: {turned}", T::DTYPE);
    }
}

/// A side of one axis or two, as a plain matrix or the windows of an image have it.
fn side(most: usize) -> impl Strategy<Value = Side> {
    let one =
        (1..=most, prop_oneof![Just(1), Just(0), Just(-1), -70_isize..70]).prop_map(|axis| Side(vec![axis]));
    let root = (most as f64).sqrt() as usize;
    let stride = || prop_oneof![Just(1), -3_isize..40];
    let two = (1..=root, stride(), 1..=root, stride()).prop_map(|(n, s, m, t)| Side(vec![(n, s), (m, t)]));
    prop_oneof![2 => one, 1 => two]
}

proptest! {
    #[test]
    fn all_levels_give_the_bits_of_the_sums_written_out(
        rows in side(40), columns in side(90), inner in side(40), other in side(1), turned: bool,
    ) {
        let depth = inner.len() as isize;
        let plain = Side(vec![(inner.len(), 1 + other.0[0].1.abs())]);
        let back = Side(vec![(inner.len(), -1)]);
        prop_assert!(depth > 0);
        for second in [&plain, &back, &inner] {
            same_bits::<f32>(&rows, &columns, [&inner, second], turned);
            same_bits::<f64>(&rows, &columns, [&inner, second], turned);
        }
    }
}

#[test]
fn long_sums_and_large_blocks_have_the_bits_of_the_sums_written_out() {
    let plain = |n: usize, stride: isize| Side(vec![(n, stride)]);
    // Rows: contiguous inner axes; columns: contiguous rows; more than a panel deep, more than a block wide, with rows of
    // a stride that falls into the same lines of the cache.
    for [m, n, k] in [[5, 40, 1300], [30, 70, 513], [20, 300, 520], [200, 33, 40], [17, 200, 1024]] {
        for turned in [false, true] {
            let (rows, columns) = (plain(m, k as isize), plain(n, k as isize));
            same_bits::<f32>(&rows, &columns, [&plain(k, 1); 2], turned);
            same_bits::<f64>(&plain(m, 1), &columns, [&plain(k, m as isize), &plain(k, 1)], turned);
            same_bits::<f32>(&rows, &plain(n, 1), [&plain(k, 1), &plain(k, n as isize)], turned);
        }
    }
    // Windows of 3 by 3 over 2 images of 3 channels of 10 by 12, against a kernel, and summed over their positions.
    let image = |axes: &[usize]| {
        let of = [(2, 360), (3, 120), (8, 12), (10, 1), (3, 12), (3, 1)];
        Side(axes.iter().map(|a| of[*a]).collect())
    };
    let (terms, places) = (image(&[1, 4, 5]), image(&[0, 2, 3]));
    for turned in [false, true] {
        same_bits::<f32>(&plain(7, 27), &places, [&plain(27, 1), &terms], turned);
        same_bits::<f64>(&plain(18, 27), &places, [&plain(27, 1), &terms], turned);
        let outputs = Side(vec![(7, 80)]);
        let deep = Side(vec![(2, 560), (80, 1)]);
        same_bits::<f32>(&outputs, &terms, [&deep, &places], turned);
        same_bits::<f64>(&terms, &outputs, [&places, &deep], turned);
    }
}

#[test]
fn numbers_that_are_none_stay_in_their_row_and_column() {
    let [m, n, k] = [33, 45, 70];
    let product = MatMul::new(Layout::contiguous([m, k]), Layout::contiguous([k, n])).unwrap();
    let (mut a, mut b) = (vec![1.0_f32; m * k], vec![1.0_f32; k * n]);
    (a[3 * k + 5], b[7 * n + 11]) = (f32::NAN, f32::INFINITY);
    for level in Level::available() {
        let mut out = vec![0.0; m * n];
        product.clone().at(level).run(&a, &b, &mut out);
        for (i, y) in out.iter().enumerate() {
            match (i / n, i % n) {
                (3, _) => assert!(y.is_nan()),
                (_, 11) => assert_eq!(*y, f32::INFINITY),
                _ => assert_eq!(*y, k as f32),
            }
        }
    }
}
