//! The bits of a product do not depend on how its operands lie.

use super::*;
use crate::kernels::copy::copy;

/// Numbers whose sums round.
fn rough<T: Real>(n: usize, seed: usize) -> Vec<T> {
    (0..n).map(|i| T::from_f64(((i * 7919 + seed * 104_729) % 1013) as f64 * 0.3711 - 187.0)).collect()
}

/// Row-major, transposed, rows or columns from the end, with gaps, one row or one element for all.
fn layouts(rows: usize, columns: usize) -> Vec<(&'static str, Layout, usize)> {
    let whole = Layout::contiguous([rows, columns]);
    let turned = Layout::contiguous([columns, rows]).permute(&[1, 0]);
    let wide = Layout::contiguous([rows, 2 * columns + 3]);
    let tall = Layout::contiguous([2 * columns + 3, rows]).permute(&[1, 0]);
    let shape = Shape::from([rows, columns]);
    let n = rows * columns;
    let flip = |l: &Layout, axis: usize| l.slice(axis, l.shape[axis] - 1, l.shape[axis], -1);
    vec![
        ("rows", whole.clone(), n),
        ("columns", turned.clone(), n),
        ("rows reversed", flip(&whole, 0), n),
        ("columns reversed", flip(&whole, 1), n),
        ("turned, rows reversed", flip(&turned, 0), n),
        ("turned, columns reversed", flip(&turned, 1), n),
        ("both reversed", flip(&flip(&whole, 0), 1), n),
        ("gaps", wide.slice(1, 1, columns, 2), rows * (2 * columns + 3)),
        ("turned gaps", tall.slice(1, 1, columns, 2), rows * (2 * columns + 3)),
        ("one row", Layout::contiguous([columns]).broadcast(&shape), columns),
        ("one column", Layout::contiguous([rows, 1]).broadcast(&shape), rows),
        ("one element", Layout::contiguous(()).broadcast(&shape), 1),
    ]
}

fn same_bits<T: Real>([m, n, k]: [usize; 3], differ: &mut Vec<String>) {
    let plain = |x: &[T], layout: &Layout| {
        let to = Layout::contiguous(layout.shape.clone());
        let mut out = vec![T::zero(); layout.shape.size()];
        copy(x, layout, &mut out, &to);
        (out, to)
    };
    for (left, a, len_a) in layouts(m, k) {
        for (right, b, len_b) in layouts(k, n) {
            let (x, y) = (rough::<T>(len_a, 1), rough::<T>(len_b, 2));
            let ((px, pa), (py, pb)) = (plain(&x, &a), plain(&y, &b));
            let (mut seen, mut copied) = (vec![T::nan(); m * n], vec![T::nan(); m * n]);
            MatMul::new(&a, &b).unwrap().run(&x, &y, &mut seen);
            MatMul::new(&pa, &pb).unwrap().run(&px, &py, &mut copied);
            if seen != copied {
                differ.push(format!("{} {m}x{k} by {k}x{n}: {left}, {right}", T::DTYPE));
            }
            // Added to what is there, it is as if it were added afterwards.
            let Some(onto) = MatMul::new(&a, &b).unwrap().onto() else {
                assert!(k > 256 || k == 1 || m.min(n) < 5, "{m}x{k} by {k}x{n}");
                continue;
            };
            let mut sum = rough::<T>(m * n, 3);
            let afterwards: Vec<T> = sum.iter().zip(&seen).map(|(x, y)| *x + *y).collect();
            onto.run(&x, &y, &mut sum);
            if sum != afterwards {
                differ.push(format!("{} {m}x{k} by {k}x{n} onto: {left}, {right}", T::DTYPE));
            }
        }
    }
}

/// The windows of an image as matrices, on both sides: rows and columns made of several axes.
#[test]
fn bits_do_not_depend_on_axes_made_of_several() {
    fn judge<T: Real>(image: [usize; 4], kernel: [usize; 2], stride: usize, others: usize) {
        let [batch, channels, height, width] = image;
        let [h, w] = kernel;
        let positions = [(height - h) / stride + 1, (width - w) / stride + 1];
        let all = positions[0] * positions[1];
        let terms = channels * h * w;
        let view = Layout::contiguous(image)
            .windows(3, positions[1], stride, w, 1)
            .windows(2, positions[0], stride, h, 1)
            .permute(&[0, 1, 2, 4, 3, 5]);
        let columns = Compound::from(&view).reshape(&[batch, terms, all].into()).unwrap();
        let rows =
            Compound::from(view.permute(&[0, 4, 5, 1, 2, 3])).reshape(&[batch * all, terms].into()).unwrap();
        let x = rough::<T>(image.iter().product(), 3);
        let made = |product: MatMul, x: &[T], y: &[T]| {
            let mut out = vec![T::nan(); product.out_shape().size()];
            product.run(x, y, &mut out);
            if Level::detected() > Level::Avx2 {
                let mut narrow = vec![T::nan(); out.len()];
                product.at(Level::Avx2).run(x, y, &mut narrow);
                assert_eq!(narrow, out);
            }
            out
        };
        let product = |a: &Compound, b: &Compound, x: &[T], y: &[T]| made(MatMul::new(a, b).unwrap(), x, y);
        let in_order =
            |a: &Compound, b: &Compound, x: &[T], y: &[T]| made(MatMul::in_order(a, b).unwrap(), x, y);
        let copied = |view: &Compound| {
            let to = Layout::contiguous(view.layout().shape.clone());
            let mut out = vec![T::zero(); to.shape.size()];
            copy(&x, view.layout(), &mut out, &to);
            (Compound::from(Layout::contiguous(view.shape())), out)
        };
        for (view, turned) in [(&columns, false), (&columns, true), (&rows, false), (&rows, true)] {
            let last = view.each().len() - 1;
            let turn = |view: &Compound| {
                let axes: Vec<usize> = (0..last - 1).chain([last, last - 1]).collect();
                if turned { view.permute(&axes) } else { view.clone() }
            };
            let (plain, elements) = copied(view);
            let (view, plain) = (turn(view), turn(&plain));
            let [m, k] = [view.shape()[last - 1], view.shape()[last]];
            let left = Compound::from(Layout::contiguous([others, m]));
            let right = Compound::from(Layout::contiguous([k, others]));
            let (ml, mr) = (rough::<T>(others * m, 5), rough::<T>(k * others, 6));
            let sides = [
                (&view, &right, &x, &mr, &plain, &right, &elements, &mr),
                (&left, &view, &ml, &x, &left, &plain, &ml, &elements),
            ];
            for (a, b, x, y, plain_a, plain_b, plain_x, plain_y) in sides {
                assert_eq!(in_order(a, b, x, y), in_order(plain_a, plain_b, plain_x, plain_y));
                assert!(MatMul::reads(&view));
                assert_eq!(product(a, b, x, y), product(plain_a, plain_b, plain_x, plain_y));
            }
        }
    }
    for (image, kernel, stride, others) in [
        ([2, 3, 9, 11], [3, 3], 1, 8),
        ([1, 5, 20, 13], [5, 2], 2, 17),
        ([3, 16, 8, 8], [3, 3], 1, 40),
        ([1, 4, 30, 40], [3, 3], 1, 5),
        ([1, 70, 6, 6], [3, 3], 1, 9),
        ([2, 4, 9, 9], [3, 3], 1, 2),
        // One row, whose tiles are computed together: many of as many columns, of two widths, and too few.
        ([2, 1, 30, 30], [3, 3], 1, 1),
        ([1, 8, 14, 50], [2, 3], 1, 1),
        ([1, 3, 4, 21], [3, 3], 1, 1),
    ] {
        judge::<f32>(image, kernel, stride, others);
        judge::<f64>(image, kernel, stride, others);
    }
}

#[test]
fn bits_do_not_depend_on_how_operands_lie() {
    let mut differ = Vec::new();
    let mut sizes =
        vec![[4, 4, 4], [1, 7, 9], [7, 1, 9], [30, 40, 50], [70, 65, 130], [3, 5, 600], [200, 3, 40]];
    // Few rows or columns, no depth to speak of, and an inner axis in parts.
    sizes.extend([
        [130, 1, 301],
        [1, 140, 70],
        [9, 4, 500],
        [5, 3, 1],
        [150, 2, 17],
        [2, 3, 8200],
        [5, 6, 8193],
    ]);
    for i in 1..12_usize {
        sizes.push([i, i * 7 % 13 + 1, i * 5 % 17 + 1]);
    }
    for size in sizes {
        same_bits::<f32>(size, &mut differ);
        same_bits::<f64>(size, &mut differ);
    }
    assert!(differ.is_empty(), "{}: {:#?}", differ.len(), differ);
}
