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
        }
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
