use proptest::prelude::*;

use super::{Binary, Compare, Kernel, ProgramBuilder, Reg, Scalar, Unary};
use crate::kernels::{Kind, Slice, SliceMut, threads};
use crate::{Layout, Shape};

/// A layout of `shape` over a buffer, drawn from: contiguous, transposed, flipped, broadcast, offset.
fn view(shape: &[usize], form: u8) -> (usize, Layout) {
    let whole = Layout::contiguous(shape);
    let size = whole.shape.size();
    match form % 6 {
        1 => {
            let order: Vec<usize> = (0..shape.len()).rev().collect();
            let turned: Vec<usize> = shape.iter().rev().copied().collect();
            (size, Layout::contiguous(turned).permute(&order))
        }
        2 if !shape.is_empty() => {
            let last = shape.len() - 1;
            (size, whole.slice(last, shape[last].saturating_sub(1), shape[last], -1))
        }
        3 => (1, Layout::contiguous(()).broadcast(&shape.into())),
        4 if !shape.is_empty() => {
            let row = Shape::from([shape[shape.len() - 1]]);
            (row.size(), Layout::contiguous(row).broadcast(&shape.into()))
        }
        5 if !shape.is_empty() => {
            let column: Shape = shape.iter().enumerate().map(|(i, n)| if i == 0 { *n } else { 1 }).collect();
            (column.size() + 3, Layout { offset: 3, ..Layout::contiguous(column) }.broadcast(&shape.into()))
        }
        _ => (size, whole),
    }
}

fn element(data: &[f64], layout: &Layout, mut flat: usize) -> f64 {
    let mut at = layout.offset as isize;
    for axis in (0..layout.shape.len()).rev() {
        at += (flat % layout.shape[axis]) as isize * layout.strides[axis];
        flat /= layout.shape[axis];
    }
    data[at as usize]
}

/// (|a| + 1)·b where a < b, else a − b; and the truth of a < b.
fn mixed(p: &mut ProgramBuilder, a: Reg, b: Reg) -> (Reg, Reg) {
    let one = p.constant(Scalar::Real(1.0));
    let size = p.unary(Unary::Abs, a);
    let more = p.binary(Binary::Add, size, one);
    let product = p.binary(Binary::Mul, more, b);
    let less = p.compare(Compare::Lt, a, b);
    let gap = p.binary(Binary::Sub, a, b);
    (p.select(less, product, gap), less)
}

fn expected(a: f64, b: f64) -> f64 {
    if a < b { (a.abs() + 1.0) * b } else { a - b }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn programs_read_any_layout(
        shape in prop::collection::vec(prop_oneof![0_usize..5, Just(1), Just(700)], 0..3),
        forms: [u8; 2],
    ) {
        let size: usize = shape.iter().product();
        prop_assume!(size < 100_000);
        let views = forms.map(|f| view(&shape, f));
        let data: Vec<Vec<f64>> = views.iter().enumerate()
            .map(|(k, (n, _))| (0..*n).map(|i| ((i * 37 + k * 11) % 101) as f64 - 50.0).collect())
            .collect();
        let mut p = ProgramBuilder::new();
        let (a, b) = (p.input(Kind::Real), p.input(Kind::Real));
        let (y, less) = mixed(&mut p, a, b);
        let count = p.cast(less, Kind::Int);
        p.output(y);
        p.output(less);
        p.output(count);
        let layouts: Vec<Layout> = views.iter().map(|v| v.1.clone()).collect();
        let kernel = Kernel::new(&p.finish(), &shape.clone().into(), &layouts, &[None, None]);
        let (mut y, mut less, mut count) = (vec![0.0; size], vec![false; size], vec![0; size]);
        kernel.run(
            &[Slice::Real(&data[0]), Slice::Real(&data[1])],
            &mut [SliceMut::Real(&mut y), SliceMut::Truth(&mut less), SliceMut::Int(&mut count)],
        );
        for i in 0..size {
            let (a, b) = (element(&data[0], &views[0].1, i), element(&data[1], &views[1].1, i));
            prop_assert_eq!((y[i], less[i], count[i]), (expected(a, b), a < b, i64::from(a < b)));
        }
    }

    #[test]
    fn in_place_equals_out_of_place(n in 0_usize..5000, seed in 0_u32..100) {
        let a: Vec<f64> = (0..n).map(|i| ((i as u32 * 7 + seed) % 13) as f64 - 6.0).collect();
        let b: Vec<f64> = (0..n).map(|i| ((i as u32 * 5 + seed) % 11) as f64 - 5.0).collect();
        let run = |in_place: Vec<Option<usize>>| {
            let mut p = ProgramBuilder::new();
            let (x, y) = (p.input(Kind::Real), p.input(Kind::Real));
            let (first, _) = mixed(&mut p, x, y);
            // The second output reads both inputs after the first output is known.
            let sum = p.binary(Binary::Add, x, y);
            let second = p.binary(Binary::Mul, sum, first);
            p.output(first);
            p.output(second);
            let layouts = vec![Layout::contiguous([n]); 2];
            let kernel = Kernel::new(&p.finish(), &Shape::from([n]), &layouts, &in_place);
            let (mut out_a, mut out_b) = (a.clone(), b.clone());
            kernel.run(
                &[Slice::Real(&a), Slice::Real(&b)],
                &mut [SliceMut::Real(&mut out_a), SliceMut::Real(&mut out_b)],
            );
            (out_a, out_b)
        };
        let apart = run(vec![None, None]);
        prop_assert_eq!(&apart, &run(vec![Some(0), None]));
        prop_assert_eq!(&apart, &run(vec![None, Some(1)]));
        prop_assert_eq!(&apart, &run(vec![Some(0), Some(1)]));
    }
}

#[test]
fn minima_and_maxima_propagate_nan() {
    for (op, right) in [(Binary::Max, 2.0), (Binary::Min, 1.0)] {
        let mut p = ProgramBuilder::new();
        let (a, b) = (p.input(Kind::Real), p.input(Kind::Real));
        let y = p.binary(op, a, b);
        p.output(y);
        let kernel = Kernel::new(
            &p.finish(),
            &Shape::from([4]),
            &[Layout::contiguous([4]), Layout::contiguous([4])],
            &[None; 2],
        );
        let mut y = [0.0_f64; 4];
        let (a, b) = ([1.0, f64::NAN, 2.0, f64::NAN], [2.0, 1.0, f64::NAN, f64::NAN]);
        kernel.run(&[Slice::Real(&a), Slice::Real(&b)], &mut [SliceMut::Real(&mut y)]);
        assert!(y[0] == right && y[1..].iter().all(|y| y.is_nan()));
    }
}

#[test]
fn casts_truncate_and_saturate() {
    let mut p = ProgramBuilder::new();
    let x = p.input(Kind::Real);
    let (n, t) = (p.cast(x, Kind::Int), p.cast(x, Kind::Truth));
    p.output(n);
    p.output(t);
    let kernel = Kernel::new(&p.finish(), &Shape::from([5]), &[Layout::contiguous([5])], &[None]);
    let (mut n, mut t) = ([0; 5], [false; 5]);
    let x = [-1.7_f64, 0.0, f64::NAN, f64::INFINITY, 2.9];
    kernel.run(&[Slice::Real(&x)], &mut [SliceMut::Int(&mut n), SliceMut::Truth(&mut t)]);
    assert_eq!(n, [-1, 0, 0, i64::MAX, 2]);
    assert_eq!(t, [true, false, true, true, true]);
}

#[test]
fn outputs_in_place_may_change_places() {
    let mut p = ProgramBuilder::new();
    let (a, b) = (p.input(Kind::Real), p.input(Kind::Real));
    p.output(b);
    p.output(a);
    let n = 3000;
    let layouts = vec![Layout::contiguous([n]); 2];
    let kernel = Kernel::new(&p.finish(), &Shape::from([n]), &layouts, &[Some(0), Some(1)]);
    let (mut a, mut b) = (vec![1.0_f32; n], vec![2.0_f32; n]);
    let outputs = &mut [SliceMut::Real(&mut a), SliceMut::Real(&mut b)];
    kernel.run(&[Slice::Real(&[]), Slice::Real(&[])], outputs);
    assert!(a == vec![2.0; n] && b == vec![1.0; n]);
}

#[test]
fn bits_do_not_depend_on_threads() {
    let n = 300_000;
    let x: Vec<f32> = (0..n).map(|i| (i % 1000) as f32 * 0.01 - 5.0).collect();
    let mut p = ProgramBuilder::new();
    let (a, b) = (p.input(Kind::Real), p.input(Kind::Real));
    let (t, s) = (p.unary(Unary::Tanh, a), p.unary(Unary::Softplus, b));
    let product = p.binary(Binary::Mul, t, s);
    let y = p.unary(Unary::Exp, product);
    p.output(y);
    let row = Layout::contiguous([1000]).broadcast(&[300, 1000].into());
    let layouts = vec![Layout::contiguous([300, 1000]), row];
    let kernel = Kernel::new(&p.finish(), &[300, 1000].into(), &layouts, &[None; 2]);
    let run = |count| {
        threads::set_threads(count);
        let mut y = vec![0.0; n];
        kernel.run(&[Slice::Real(&x), Slice::Real(&x[..1000])], &mut [SliceMut::Real(&mut y)]);
        y
    };
    let one = run(1);
    assert!(one == run(2) && one == run(3));
}
