//! Decompositions: what they are, and where they and their derivatives are not.

use chainrule_graph::{Graph, MatrixNorm, Triangular, Var};
use chainrule_tensor::Tensor;

use crate::rules::{draw, elements};

fn value(v: Var<'_>) -> Vec<f64> {
    elements(&v.value().expect("a value").to_contiguous())
}

fn same(a: Var<'_>, b: Var<'_>) {
    assert_eq!(a.shape(), b.shape());
    let (a, b) = (value(a), value(b));
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-13 * b.abs().max(1.0)), "{a:?} and {b:?}");
}

#[test]
fn factors_give_the_matrix_back() {
    let g = Graph::new();
    for shape in [[2, 4, 3], [2, 3, 4], [1, 3, 3]] {
        let a = g.leaf("a", draw(&(-1.0..1.0), &shape, 3)) + g.eye([shape[1], shape[2]], 0);
        let (u, s, v) = a.svd();
        same((u * s.insert_axis(-2)).matmul(v.t()), a);
        let (q, r) = a.qr();
        same(q.matmul(r), a);
        same(r.triu(0), r);
        let both = a.t().matmul(a);
        let (w, x) = both.eigh();
        same((x * w.insert_axis(-2)).matmul(x.t()), both);
        same(a.matmul(a.pinv(1e-12)).matmul(a), a);
        same(a.pinv(1e-12).matmul(a).matmul(a.pinv(1e-12)), a.pinv(1e-12));
        let b = g.leaf("b", draw(&(-1.0..1.0), &[shape[0], shape[1], 2], 5));
        same(a.lstsq(b), a.pinv(1e-12).matmul(b));
        same(a.matrix_norm(MatrixNorm::Nuclear), s.sum(-1));
        same(a.singular_values().square().sum(-1).sqrt(), a.matrix_norm(MatrixNorm::Frobenius));
    }
    let (a, b) = (g.leaf("t", draw(&(1.0..2.0), &[3, 3], 1)), g.leaf("c", draw(&(-1.0..1.0), &[3, 3], 2)));
    for bits in 0..16 {
        let bit = |i: i32| bits >> i & 1 == 1;
        let how = Triangular { upper: bit(0), transposed: bit(1), unit: bit(2), right: bit(3) };
        let x = a.solve_triangular(b, how);
        let part = if how.upper { a.triu(0) } else { a.tril(0) };
        let part = if how.unit { part - part.diagonal().diag(0) + g.eye([3, 3], 0) } else { part };
        let part = if how.transposed { part.t() } else { part };
        same(if how.right { x.matmul(part) } else { part.matmul(x) }, b);
    }
}

#[test]
fn derivatives_of_values_are_there_where_those_of_vectors_are_not() {
    let g = Graph::new();
    let a = g.leaf("a", [[2.0, 0.0], [0.0, 2.0]]);
    let slope = |y: Var<'_>| value(y.sum(..).grad(&[a]).expect("reaches")[0]);
    assert_eq!(slope(a.eigh().0.ln()), [0.5, 0.0, 0.0, 0.5]);
    assert_eq!(slope(a.matrix_norm(MatrixNorm::Nuclear)), [1.0, 0.0, 0.0, 1.0]);
    assert!(slope(a.eigh().1).iter().any(|x| !x.is_finite()), "it does not exist");
    assert!(slope(a.svd().0).iter().any(|x| !x.is_finite()), "it does not exist");
    // That of the pseudoinverse of a matrix of rank 1 is there, and is that of the inverse where the rank stays.
    let b = g.leaf("b", [[2.0, 0.0], [0.0, 0.0]]);
    let d = b.pinv(1e-12).sum(..).grad(&[b]).expect("reaches")[0];
    assert_eq!(value(d)[0], -0.25);
    let text =
        b.qr().1.sum(..).grad(&[b]).expect("records")[0].value().expect_err("not of full rank").to_string();
    assert!(text.contains("singular") && text.contains("[qr]"), "{text}");
    let text = b.lstsq(a).value().expect_err("not of full rank").to_string();
    assert!(text.starts_with("[lstsq] (solve_upper) the matrix is singular"), "{text}");
}

#[test]
fn what_cannot_be_decomposed_is_named() {
    let g = Graph::new();
    let odd = g.leaf("odd", [[[1.0, 2.0], [3.0, 4.0]], [[1.0, f64::NAN], [0.0, 1.0]]]);
    for (y, op) in [(odd.eigh().0, "eigh"), (odd.svd().1, "svd"), (odd.qr().0, "qr")] {
        let text = y.value().expect_err("a NaN").to_string();
        let wanted = format!("[{op}] matrix 1 of the batch has an element that is not finite");
        assert!(text.starts_with(&wanted) && text.contains("factors.rs"), "{text}");
    }
    let (wide, n) = (g.leaf("wide", [[1.0, 2.0]]), g.leaf("n", [[1_i64]]));
    for (y, words) in [
        (wide.eigh().1, "[eigh] (1, 2): needs square matrices"),
        (n.svd().0, "[svd] does not take int(1, 1)"),
        (n.qr().0, "[qr] does not take int(1, 1)"),
        (wide.sum(0).svd().2, "[svd] (2,): needs matrices"),
        (wide.sum(0).qr().1, "[qr] (2,): needs matrices"),
        (wide.lstsq(wide.t()), "[lstsq] (1, 2) x (2, 1): 1 must equal 2"),
        (wide.pinv(-1.0), "[pinv]"),
        (wide.solve_triangular(wide, Triangular::default()), "needs square matrices"),
    ] {
        let text = y.value().expect_err("refused").to_string();
        assert!(text.contains(words), "{text} has no {words}");
    }
    assert_eq!(g.leaf("a", Tensor::zeros([0, 3], chainrule_tensor::DType::F64)).svd().1.shape()[..], [0]);
}
