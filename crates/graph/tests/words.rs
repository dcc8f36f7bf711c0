//! Words and operators that are compositions, against their definitions.

use chainrule_graph::{Graph, MatrixNorm, Var};
use chainrule_tensor::{DType, Tensor, keep};

use crate::rules::elements;

fn value(v: Var<'_>) -> Vec<f64> {
    elements(&v.real().value().expect("a value").to_contiguous())
}

#[test]
fn elements_are_turned_repeated_looked_up_and_counted() {
    let g = Graph::new();
    let x = g.leaf("x", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    assert_eq!(value(x.roll(1, -4)), value(x.roll(-1, 2)));
    assert_eq!(value(x.roll(1, i64::MIN).roll(1, i64::MAX)), value(x.roll(1, -1)));
    assert_eq!(value(x.roll(0, 1)), [4.0, 5.0, 6.0, 1.0, 2.0, 3.0]);
    assert_eq!(x.tile([2, 3]).shape()[..], [4, 9]);
    assert_eq!(value(x.tile([1, 2]))[..6], [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    assert_eq!(value(x.repeat(0, 2))[..6], [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    assert_eq!(x.tile([0, 1]).shape()[..], [0, 3]);
    let index = g.leaf("index", [[0_i64], [2]]);
    assert_eq!(value(x.take_along_axis(1, index)), [1.0, 6.0]);
    assert_eq!(value(x.take_along_axis(1, index.slice(0, 1..2))), [3.0, 6.0]);
    let words = g.leaf("words", [3_i64, 0, 3]);
    assert_eq!(words.bincount(4).value().expect("counts"), Tensor::from([1_i64, 0, 0, 2]));
    let text = words.bincount(3).value().expect_err("3 is none of 0..3").to_string();
    assert!(text.contains("[bincount] (in_range) integer 3 at position 0 is outside 0..3"), "{text}");
    for n in 0..9 {
        let sorted = g.constant(Tensor::arange(0..n)) * 2;
        let all = g.constant(Tensor::arange(-1..2 * n + 2));
        let below =
            |right: i64| -> Vec<i64> { (-1..2 * n + 2).map(|v| ((v + 1 + right) / 2).clamp(0, n)).collect() };
        for (right, found) in [(false, below(0)), (true, below(1))] {
            let got = sorted.searchsorted(all, right).value().expect("places");
            assert_eq!(got, Tensor::from(&found[..]), "{n} {right}");
        }
    }
}

#[test]
fn running_extremes_hand_nan_on_and_give_the_slope_to_the_last() {
    let g = Graph::new();
    let x = g.leaf("x", [2.0, 3.0, 1.0, 3.0, 0.5, 4.0, 0.0]);
    assert_eq!(value(x.cummax(0)), [2.0, 3.0, 3.0, 3.0, 3.0, 4.0, 4.0]);
    assert_eq!(value(x.cummin(0)), [2.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.0]);
    assert_eq!(
        value(x.cummax(0).sum(..).grad(&[x]).expect("reaches")[0]),
        [1.0, 2.0, 0.0, 3.0 - 1.0, 0.0, 2.0, 0.0]
    );
    let broken = value(g.leaf("broken", [1.0, f64::NAN, 3.0, f64::NAN]).cummax(0));
    assert!(broken[0] == 1.0 && broken[1..].iter().all(|x| x.is_nan()), "{broken:?}");
    assert_eq!(g.leaf("n", [1_i64, 3, 2]).cummax(0).value().expect("runs"), Tensor::from([1_i64, 3, 3]));
    assert_eq!(g.leaf("none", Tensor::zeros([0], DType::F64)).cummax(0).shape()[..], [0]);
}

#[test]
fn sums_of_exponentials_and_products_take_several_axes() {
    let g = Graph::new();
    let x = g.leaf("x", Tensor::arange(0..24).cast(DType::F64).reshape([2, 3, 4]).expect("24"));
    let close = |a: Var<'_>, b: Var<'_>| {
        assert_eq!(a.shape(), b.shape());
        assert!(value(a).iter().zip(value(b)).all(|(a, b)| (a - b).abs() <= 1e-14 * b.abs()));
    };
    let exp = (x * 0.1).exp();
    close((x * 0.1).logsumexp([0, 2]), exp.sum([0, 2]).ln());
    close((x * 0.1).logsumexp(keep(..)), exp.sum(keep(..)).ln());
    close((x * 0.1).logsumexp([]), x * 0.1);
    close((x + 1).prod([0, -1]), (x + 1).prod(0).prod(-1));
    close((x + 1).prod(keep(1)), (x + 1).prod(1).insert_axis(1));
    let (a, b) = (g.leaf("a", 1000.0), g.leaf("b", 1000.0));
    let sum = a.logaddexp(b);
    assert_eq!(value(sum), [1000.0 + 2_f64.ln()]);
    let d = sum.grad(&[a]).expect("reaches")[0];
    assert_eq!((value(d), value(d.grad(&[a]).expect("reaches")[0])), (vec![0.5], vec![0.25]));
    for (x, y, both) in [
        (f64::INFINITY, f64::INFINITY, f64::INFINITY),
        (f64::NEG_INFINITY, 1.0, 1.0),
        (f64::NEG_INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY),
        (1.0, -1e20, 1.0),
    ] {
        assert_eq!(value(g.constant(x).logaddexp(y)), [both]);
    }
}

#[test]
fn diagonals_norms_and_vectors_in_products() {
    let g = Graph::new();
    let a = g.leaf("a", [[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]]);
    assert_eq!(
        (value(a.diagonal()), value(a.diagonal_at(1)), value(a.diagonal_at(-1))),
        (vec![1.0, 5.0], vec![-2.0, -6.0], vec![4.0])
    );
    assert_eq!(a.diagonal_at(3).shape()[..], [0]);
    assert_eq!(a.diagonal_at(i64::MIN).shape()[..], [0]);
    for k in -3..4 {
        let v = g.leaf("v", [7.0, 8.0]);
        assert_eq!(value(v.diag(k).diagonal_at(k)), [7.0, 8.0]);
        assert_eq!(value(v.diag(k).sum(..)), [15.0]);
    }
    assert!(g.leaf("v", [1.0]).diag(i64::MAX).value().is_err());
    assert_eq!(value(g.eye([2, 3], 1)), [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(value(g.eye([2, 2], i64::MIN).sum(..)), [0.0]);
    assert_eq!(value(a.matrix_norm(MatrixNorm::One)), [9.0]);
    assert_eq!(value(a.matrix_norm(MatrixNorm::Infinity)), [15.0]);
    assert_eq!(value(a.matrix_norm(MatrixNorm::Frobenius)), value(a.norm()));
    assert_eq!(value(a.vector_norm(0.0, 1)), [3.0, 3.0]);
    assert_eq!(value(a.vector_norm(f64::NEG_INFINITY, keep(0))), [1.0, 2.0, 3.0]);
    let far = value((a * 1e200).vector_norm(4.0, ..) / 1e200 / a.vector_norm(4.0, ..))[0];
    assert!((far - 1.0).abs() < 1e-14, "{far}");
    assert!(a.vector_norm(-1.0, ..).value().expect_err("no norm").to_string().contains("[vector_norm]"));
    let (x, y) = (g.leaf("x", [1.0, 2.0]), g.leaf("y", [1.0, 0.0, 1.0]));
    assert_eq!(value(x.matmul(a)), [9.0, 8.0, -9.0]);
    assert_eq!(value(a.matmul(y)), [4.0, -2.0]);
    assert_eq!((value(x.matmul(x)), x.matmul(x).rank()), (vec![5.0], 0));
    assert_eq!(value(x.matmul(a).matmul(y)), [0.0]);
    assert_eq!(value(x.outer(y)), [1.0, 0.0, 1.0, 2.0, 0.0, 2.0]);
    assert!(
        x.matmul(y)
            .value()
            .expect_err("2 is not 3")
            .to_string()
            .starts_with("[matmul] (2,) x (3,): 2 must equal 3")
    );
    let m = g.leaf("m", [[1.0, 1.0], [0.0, 2.0]]);
    assert_eq!(value(m.matrix_power(5)), [1.0, 31.0, 0.0, 32.0]);
    assert_eq!(value(m.matrix_power(-1).matmul(m)), value(m.matrix_power(0)));
    assert_eq!(value(g.leaf("t", [-1.5, 1.5, f64::NAN]).trunc())[..2], [-1.0, 1.0]);
    let odd = g.leaf("odd", [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 2.0]);
    assert_eq!(value(odd.nan_to_num(0, 9, -9)), [0.0, 9.0, -9.0, 2.0]);
    assert_eq!(odd.is_finite().value().expect("truth"), Tensor::from([false, false, false, true]));
    let spread = g.leaf("spread", [1.0, 2.0, 3.0, 6.0]);
    assert_eq!(
        (value(spread.var_corrected(.., 1)), value((spread.std(..).square() * 1e9).round() / 1e9)),
        (vec![14.0 / 3.0], vec![3.5])
    );
}

#[test]
fn values_are_clipped_on_either_side_or_both() {
    let g = Graph::new();
    let x = g.leaf("x", [-2.0, -1.0, 0.5, 6.0, 9.0, f64::NAN]);
    let (low, high) = (g.leaf("low", -1.0), g.leaf("high", 6.0));
    let slope = |y: Var<'_>, wrt| value(y.sum(..).grad(&[wrt]).expect("reaches")[0]);
    for (y, values, slopes) in [
        (x.clip(-1.0..), [-1.0, -1.0, 0.5, 6.0, 9.0], [0.0, 0.5, 1.0, 1.0, 1.0]),
        (x.clip(..=6), [-2.0, -1.0, 0.5, 6.0, 6.0], [1.0, 1.0, 1.0, 0.5, 0.0]),
        (x.clip(low..=high), [-1.0, -1.0, 0.5, 6.0, 6.0], [0.0, 0.5, 1.0, 0.5, 0.0]),
        (x.clip(low..).clip(..=6.0), [-1.0, -1.0, 0.5, 6.0, 6.0], [0.0, 0.5, 1.0, 0.5, 0.0]),
    ] {
        let found = value(y);
        assert_eq!(found[..5], values);
        assert!(found[5].is_nan(), "NaN stays NaN");
        assert_eq!(slope(y, x)[..5], slopes);
    }
    // What the value does not get the bound gets: a whole element below it, half of one on it.
    let known = x.slice(0, 0..5);
    assert_eq!(slope(known.clip(low..=high), low), [1.5]);
    assert_eq!(slope(known.clip(..=high), high), [1.5]);
    // Of bounds that are crossed in values the high one holds; one with axes is broadcast.
    assert_eq!(value(known.clip(high..=low)), [-1.0; 5]);
    let each = Tensor::from([[0.0], [7.0]]);
    assert_eq!(value(known.clip(&each..)), [0.0, 0.0, 0.5, 6.0, 9.0, 7.0, 7.0, 7.0, 7.0, 9.0]);
    assert_eq!(g.leaf("n", [1_i64, 9]).clip(..=3).value().expect("integers"), Tensor::from([1_i64, 3]));
}

#[test]
fn bounds_that_are_none_are_refused_with_the_line() {
    let g = Graph::new();
    let (x, n) = (g.leaf("x", [1.0, 2.0]), g.leaf("n", [1_i64, 2]));
    let beyond = (1_i64 << 53) + 1;
    let line = line!() + 2;
    let refused = [
        (x.clip(2.0..=1.0), "[clip] the low bound 2 is above the high bound 1"),
        (x.clip(f64::NAN..), "[clip] the low bound is NaN"),
        (x.clip(..=f64::NAN), "[clip] the high bound is NaN"),
        (x.clip(Tensor::from([0.0, 2.0])..=Tensor::from([1.0, 1.0])), "above the high bound in some element"),
        (n.clip(beyond..=beyond - 1), "[clip] the low bound 9007199254740993 is above"),
        (n.clip(0.5..), ".real()"),
        (x.clip(Tensor::from([0.0; 3])..), "[clip] (maximum)"),
        (x.clip(..=Tensor::from([0.0; 3])), "[clip] (minimum)"),
    ];
    for (i, (y, why)) in refused.into_iter().enumerate() {
        let text = y.value().expect_err("no bounds").to_string();
        assert!(text.contains(why) && text.contains(&format!("words.rs:{}", line + i as u32)), "{text}");
    }
}
