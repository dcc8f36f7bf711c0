//! Products against sums written out, over any layout.

use proptest::prelude::*;

use super::*;

/// How an operand lies: which axes are turned over, whether its matrix is transposed in memory, and whether its
/// batch axes are broadcast.
type View = (bool, bool, bool);

/// A layout of `batch` matrices of `rows` x `columns`, and the length of its buffer.
fn view(batch: &[usize], [rows, columns]: [usize; 2], (flip, turn, repeat): View) -> (Layout, usize) {
    let shape: Shape = batch.iter().copied().chain([rows, columns]).collect();
    let stored = if repeat { &[][..] } else { batch };
    let sides = if turn { [columns, rows] } else { [rows, columns] };
    let lies: Shape = stored.iter().copied().chain(sides).collect();
    let mut layout = Layout::contiguous(lies.clone());
    let rank = lies.len();
    if turn {
        let axes: Vec<usize> = (0..rank - 2).chain([rank - 1, rank - 2]).collect();
        layout = layout.permute(&axes);
    }
    if flip && rows > 0 {
        layout = layout.slice(rank - 2, rows - 1, rows, -1);
    }
    (layout.broadcast(&shape), lies.size())
}

/// The element of row-major index `flat`.
fn element<T: Real>(x: &[T], layout: &Layout, mut flat: usize) -> T {
    let mut at = layout.offset as isize;
    for (&n, &stride) in layout.shape.iter().zip(&layout.strides).rev() {
        at += (flat % n) as isize * stride;
        flat /= n;
    }
    x[at as usize]
}

/// Small whole numbers, so that sums are exact in any order.
fn numbers<T: Real>(n: usize, seed: usize) -> Vec<T> {
    (0..n).map(|i| T::from_f64(((i * 7919 + seed * 104_729) % 17) as f64 - 8.0)).collect()
}

fn agrees<T: Real>(batch: &[usize], [m, n, k]: [usize; 3], va: View, vb: View) {
    let ((a, len_a), (b, len_b)) = (view(batch, [m, k], va), view(batch, [k, n], vb));
    let (x, y) = (numbers::<T>(len_a, 1), numbers::<T>(len_b, 2));
    let product = MatMul::new(&a, &b).unwrap();
    // What was there before must not matter.
    let mut out = vec![T::nan(); product.out_shape().size()];
    product.run(&x, &y, &mut out);
    for (i, found) in out.iter().enumerate() {
        let (z, row, column) = (i / (m * n), i / n % m, i % n);
        let sum: T = (0..k)
            .map(|l| element(&x, &a, (z * m + row) * k + l) * element(&y, &b, (z * k + l) * n + column))
            .sum();
        assert_eq!(*found, sum, "element {i} of {batch:?} {m}x{k} by {k}x{n}, {va:?} {vb:?}");
    }
}

proptest! {
    #[test]
    fn equals_the_sums_of_products(
        batch in prop::collection::vec(0_usize..4, 0..3),
        size in prop::array::uniform3(0_usize..20),
        a: View, b: View,
    ) {
        agrees::<f32>(&batch, size, a, b);
        agrees::<f64>(&batch, size, a, b);
    }
}

#[test]
fn long_and_thin_sizes_agree() {
    let plain = (false, false, false);
    for size in [
        [1, 300, 70],
        [300, 1, 70],
        [129, 65, 257],
        [6, 500, 1],
        [1, 1, 20_000],
        [7, 9, 20_001],
        [40, 300, 1030],
        [70, 20, 600],
    ] {
        agrees::<f32>(&[], size, plain, plain);
        agrees::<f32>(&[], size, (false, true, false), plain);
        agrees::<f64>(&[], size, plain, (true, true, false));
    }
    // Many small products, one right matrix for all of them or for none.
    agrees::<f32>(&[3, 40], [9, 8, 7], plain, plain);
    agrees::<f32>(&[3, 40], [9, 8, 7], plain, (false, false, true));
    agrees::<f32>(&[3, 40], [1, 8, 7], plain, (false, false, true));
    agrees::<f32>(&[3, 40], [9, 8, 7], (true, false, false), (false, false, true));
}

#[test]
fn a_result_cut_both_ways_equals_its_rows() {
    let [m, n, k] = [303, 1030, 301];
    let whole = MatMul::new(Layout::contiguous([m, k]), Layout::contiguous([k, n])).unwrap();
    assert!(whole.block[0] < m && whole.block[1] < n);
    let row = MatMul::new(Layout::contiguous([1, k]), Layout::contiguous([k, n])).unwrap();
    let (x, y) = (numbers::<f32>(m * k, 1), numbers::<f32>(k * n, 2));
    let (mut out, mut line) = (vec![f32::NAN; m * n], vec![f32::NAN; n]);
    whole.run(&x, &y, &mut out);
    for (x, found) in x.chunks(k).zip(out.chunks(n)) {
        row.run(x, &y, &mut line);
        assert_eq!(line, found);
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    for (batch, size) in [
        (1, [200, 300, 150]),
        (50, [30, 40, 50]),
        (1, [900, 1, 700]),
        (1, [1, 900, 700]),
        (1, [4, 5, 100_000]),
        (1, [150, 300, 1030]),
        (300, [40, 2, 50]),
    ] {
        let [m, n, k] = size;
        let (a, b) = (Layout::contiguous([batch, m, k]), Layout::contiguous([batch, k, n]));
        let product = MatMul::new(&a, &b).unwrap();
        let noise = |n: usize, f: f32| (0..n).map(|i| (i as f32 * f).sin()).collect::<Vec<_>>();
        let (x, y) = (noise(a.shape.size(), 0.7), noise(b.shape.size(), 1.3));
        let mut results = [1, 2, 3].map(|n| {
            threads::set_threads(n);
            let mut out = vec![0.0_f32; product.out_shape().size()];
            product.run(&x, &y, &mut out);
            out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        });
        let [first, others @ ..] = &mut results;
        assert!(others.iter().all(|other| other == first));
    }
}

#[test]
fn no_depth_gives_zeros_and_nan_goes_through() {
    let mut out = [1.0; 6];
    MatMul::new(Layout::contiguous([2, 0]), Layout::contiguous([0, 3])).unwrap().run(&[], &[], &mut out);
    assert_eq!(out, [0.0; 6]);
    let mut out = [0.0; 2];
    let product = MatMul::new(Layout::contiguous([1, 2]), Layout::contiguous([2, 2])).unwrap();
    product.run(&[0.0, 1.0], &[f64::NAN, 1.0, 2.0, f64::INFINITY], &mut out);
    assert!(out[0].is_nan() && out[1] == f64::INFINITY);
}

#[test]
fn batch_axes_broadcast_and_other_misfits_are_errors() {
    let of = |a: &[usize], b: &[usize]| MatMul::new(Layout::contiguous(a), Layout::contiguous(b));
    assert_eq!(*of(&[4, 1, 2, 3], &[5, 3, 6]).unwrap().out_shape(), Shape::from([4, 5, 2, 6]));
    assert!(of(&[2, 3], &[4, 5]).is_err());
    assert!(of(&[2, 2, 3], &[4, 3, 5]).is_err());
    assert!(of(&[3], &[3, 5]).is_err());
    let square = Layout::contiguous([2, 2]);
    let before = Layout { strides: square.strides.iter().map(|s| -s).collect(), ..square.clone() };
    let beyond = Layout { offset: usize::MAX, ..square.clone() };
    assert!(MatMul::new(&before, &square).is_err());
    assert!(MatMul::new(&square, &beyond).is_err());
}

#[test]
#[should_panic(expected = "the right operand has 3 elements, not 4")]
fn a_short_buffer_is_refused() {
    let square = Layout::contiguous([2, 2]);
    MatMul::new(&square, &square).unwrap().run(&[0.0; 4], &[0.0; 3], &mut [0.0; 4]);
}
