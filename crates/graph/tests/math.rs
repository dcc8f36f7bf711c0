//! Compositions equal their definitions.

use chainrule_graph::{Graph, Order, Var, vmap};
use chainrule_tensor::{DType, Tensor};
use proptest::prelude::*;

use crate::rules::{draw, elements};

fn value(v: Var<'_>) -> Vec<f64> {
    elements(&v.real().value().expect("a value").to_contiguous())
}

fn same(a: Var<'_>, b: Var<'_>) {
    assert_eq!(a.shape(), b.shape());
    let (a, b) = (value(a), value(b));
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-12 * b.abs().max(1.0)), "{a:?} and {b:?}");
}

#[test]
fn einsum_is_the_sum_that_it_names() {
    let g = Graph::new();
    let leaf = |name: &str, shape: &[usize], seed| g.leaf(name, draw(&(-1.0..1.0), shape, seed));
    let (a, b, c) = (leaf("a", &[2, 3], 1), leaf("b", &[3, 4], 2), leaf("c", &[4, 2], 3));
    let (s, t, v) = (leaf("s", &[5, 2, 3], 4), leaf("t", &[5, 3, 4], 5), leaf("v", &[3], 6));
    let square = leaf("square", &[3, 3], 7);
    same(g.einsum("ij,jk->ik", &[a, b]), a.matmul(b));
    same(g.einsum("ij,jk", &[a, b]), a.matmul(b));
    same(g.einsum("ij,jk->ki", &[a, b]), a.matmul(b).t());
    same(g.einsum("bij,bjk->bik", &[s, t]), s.matmul(t));
    same(g.einsum("...ij,...jk->...ik", &[s, b]), s.matmul(b));
    same(g.einsum("ij,jk,kl->il", &[a, b, c]), a.matmul(b).matmul(c));
    same(g.einsum("ij,jk,ki->", &[a, b, c]), a.matmul(b).matmul(c).trace());
    same(g.einsum("i,j->ij", &[v, v]), v.insert_axis(1) * v.insert_axis(0));
    same(g.einsum("ij->", &[a]), a.sum(..));
    same(g.einsum("ij->j", &[a]), a.sum(0));
    same(g.einsum("ji", &[a]), a.t());
    same(g.einsum("ii->i", &[square]), square.diagonal());
    same(g.einsum("ii", &[square]), square.trace());
    same(g.einsum("ij,ij->i", &[a, a]), a.square().sum(1));
    same(g.einsum("bij,j->bi", &[s, v]), (s * v).sum(2));
    same(g.einsum("...j,j", &[s, v]), (s * v).sum(2));
    let one = leaf("one", &[1, 3], 8);
    same(g.einsum("...,...", &[a, one]), a * one);
    for (spec, operands, why) in [
        ("ij,jk->ik", vec![a], "names 2 operands, but 1 are given"),
        ("ijk->i", vec![a], "names 3 axes of an operand that has 2"),
        ("ij,ij->", vec![a, b], "axes named `i` are 2 and 3 long"),
        ("ij->ik", vec![a], "`k` of the result stands in no operand"),
        ("ij->ii", vec![a], "`i` stands twice"),
        ("i1->i", vec![a], "`1` is not a letter"),
    ] {
        let error = g.einsum(spec, &operands).value().expect_err(spec).to_string();
        assert!(error.contains(why) && error.contains("math.rs"), "{error}");
    }
}

#[test]
fn parts_of_matrices_are_those() {
    let g = Graph::new();
    let x = g.leaf("x", draw(&(-1.0..1.0), &[2, 3, 4], 1));
    let at = |v: Var<'_>, i: usize, j: usize| value(v)[4 * i + j];
    for k in -3..4_i64 {
        let (low, high) = (x.tril(k), x.triu(k));
        for i in 0..3 {
            for j in 0..4 {
                let below = j as i64 <= i as i64 + k;
                assert_eq!(at(low, i, j) != 0.0, below);
                assert_eq!(at(high, i, j) != 0.0, j as i64 >= i as i64 + k);
            }
        }
    }
    let none = g.leaf("none", Tensor::zeros([2, 0, 0], chainrule_tensor::DType::F64));
    assert_eq!(value(none.trace()), [0.0, 0.0]);
    assert!(x.trace().value().expect_err("not square").to_string().contains("needs square matrices"));
    assert!(x.slice(0, 0..1).flatten().tril(0).value().is_err());
}

#[test]
fn products_stay_in_range_where_those_of_the_first_elements_do() {
    let g = Graph::new();
    let x = g.leaf("x", [3e-25_f32, 2e25, 4e25, 1e-20]);
    let running = x.cumprod(0).value().expect("runs").to_vec::<f32>().expect("f32");
    let right = [3e-25_f32, 6.0, 2.4e26, 2.4e6];
    assert!(running.iter().zip(right).all(|(a, b)| (a / b - 1.0).abs() < 1e-6), "{running:?}");
    let y = g.leaf("y", [1e-200, 1e200, 1e-200, 1e200]);
    assert!((value(y.prod(0))[0] - 1.0).abs() < 1e-15);
    let d = value(y.prod(0).grad(&[y]).expect("connected")[0]);
    assert!(d.iter().zip([1e200, 1e-200, 1e200, 1e-200]).all(|(a, b)| (a / b - 1.0).abs() < 1e-14), "{d:?}");
    let g = Graph::new();
    let z = g.leaf("z", [0.0_f32, 1e30, 1e30, 1.0]);
    let d = z.prod(0).grad(&[z]).expect("connected")[0].value().expect("runs");
    assert_eq!(d.to_vec::<f32>().expect("f32"), [f32::INFINITY, 0.0, 0.0, 0.0]);
}

#[test]
fn compositions_keep_their_digits() {
    let g = Graph::new();
    let single = |y: Var<'_>| y.value().expect("runs").to_vec::<f32>().expect("f32");
    let near = |found: &[f32], right: &[f64], tolerance: f64| {
        let off = |(a, b): (&f32, &f64)| (f64::from(*a) - b).abs() > tolerance * b.abs();
        assert!(!found.iter().zip(right).any(off), "{found:?}, not {right:?}");
    };
    let slope = |y: Var<'_>, x| single(y.sum(..).grad(&[x]).expect("connected")[0]);
    let z = g.leaf("z", [2e4_f32, 2e4]);
    near(&single(z.log_softmax(0)), &[-std::f64::consts::LN_2; 2], 1e-7);
    let x = g.leaf("x", [-5.5_f32, -6.3]);
    near(&single(x.gelu()), &[-1.0444e-7, -9.376e-10], 1e-4);
    let small = g.leaf("small", [1e-4_f32, 1e-8]);
    near(&slope(small.cosh(), small), &[1e-4, 1e-8], 1e-6);
    let low = g.leaf("low", [-17.0_f32]);
    near(&slope(low.elu(1.0), low), &[(-17.0_f64).exp()], 1e-6);
    let far = g.leaf("far", [1e8_f32]);
    near(&slope(far.softsign(), far), &[1e-16], 1e-6);
    let matrix = g.leaf("matrix", [[50.0_f32, 0.0], [0.0, 30.0]]);
    assert_eq!(single(matrix.det()), [1500.0]);
    let constant = g.leaf("constant", Tensor::full([55], 0.5_f32));
    assert_eq!(single(constant.mean(..)), [0.5]);
    let g = Graph::new();
    let edge = g.leaf("edge", [710.2]);
    assert!((value(edge.sinh())[0] / 1.3643e308 - 1.0).abs() < 1e-3);
    let empty = g.leaf("empty", Tensor::zeros([3, 0], DType::F64));
    assert_eq!(value(empty.logsumexp(1)), [f64::NEG_INFINITY; 3]);
    assert_eq!(empty.softmax(1).value().expect("runs").shape(), [3, 0]);
    let masked = g.leaf("masked", [f64::NEG_INFINITY; 2]);
    let all = masked.logsumexp(0);
    assert_eq!(value(all), [f64::NEG_INFINITY]);
    assert_eq!(value(all.grad(&[masked]).expect("connected")[0]), [0.0; 2]);
}

#[test]
fn running_products_have_right_derivatives_at_zero() {
    let g = Graph::new();
    let x = g.leaf("x", [2.0, 0.0, 3.0, 0.0, 5.0]);
    assert_eq!(value(x.cumprod(0)), [2.0, 0.0, 0.0, 0.0, 0.0]);
    let d = x.cumprod(0).sum(..).grad(&[x]).expect("connected")[0];
    // ∂/∂x₁ of x₀ + x₀x₁ + x₀x₁x₂ + …: x₀ + x₀x₂ + 0
    assert_eq!(value(d), [1.0, 8.0, 0.0, 0.0, 0.0]);
}

#[test]
fn indices_out_of_range_and_singular_matrices_fail_with_their_place() {
    let g = Graph::new();
    let x = g.leaf("x", [1.0, 2.0, 3.0]);
    let i = g.leaf("i", Tensor::from([0_i64, 5, -1]));
    let message = |v: Var<'_>| v.value().expect_err("a failure").to_string();
    let text = message(x.take(0, i));
    assert!(text.contains("[take] (gather) index 5 at position 1 is outside -3..3"), "{text}");
    assert!(text.contains("math.rs"), "{text}");
    let text = message(x.scatter_add(0, i, x));
    assert!(text.contains("[scatter_add] index 5 at position 1"), "{text}");
    let m = g.leaf("m", [[1.0, 2.0], [2.0, 4.0]]);
    assert!(message(m.solve(m)).contains("[solve] the matrix is singular"));
    assert!(message(-m.cholesky()).contains("[cholesky] the matrix is not positive definite"));
    assert_eq!(value(m.det()), [0.0]);
    assert!(message(m.det().grad(&[m]).expect("recorded")[0]).contains("singular"));
}

#[test]
fn picking_with_what_does_not_fit_is_an_error() {
    let g = Graph::new();
    let (x, y) = (g.leaf("x", draw(&(0.0..1.0), &[2, 3], 1)), g.leaf("y", [1.0, 2.0]));
    let i = g.leaf("i", Tensor::from([0_i64, 1]));
    for (poisoned, why) in [
        (x.take(0, y), "indices are integers, not real(2,)"),
        (x.take(2, i), "axis"),
        (x.take_along_axis(0, i), "there must be as many axes on both sides"),
        (x.scatter_add_along_axis(0, i, y), "all axes but 0 must be equal"),
        (x.scatter_add(0, i, y), "must be (2, 3)"),
        (x.solve(y.insert_axis(1)), "needs square matrices"),
        (x.matmul(x.t()).solve(x.t()), "the right side must be (…, 2, k)"),
        (
            x.matmul(x.t()).solve_lower(x.sum(1)),
            "[solve_lower] (2, 2) x (2,): the right side must be (…, 2, k); make",
        ),
        (x.less(0.5).cumsum(0), "does not take truth"),
        (x.less(0.5).argsort(0, Order::Ascending), "does not take truth"),
        (x.int().matmul(x.t().int()).cholesky(), "int"),
        (x.top_k(4, 1).0, "does not lie in axis 1"),
    ] {
        let text = poisoned.value().expect_err(why).to_string();
        assert!(text.contains(why), "{text}\nshould say: {why}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    #[test]
    fn sorting_sorts_and_its_gradient_goes_back(n in 0_usize..7, m in 1_usize..4, seed in 0_u64..1000) {
        let g = Graph::new();
        let x = g.leaf("x", draw(&(-1.0..1.0), &[m, n], seed));
        let sorted = value(x.sort(1, Order::Ascending));
        let mut expected = value(x);
        expected.chunks_exact_mut(n.max(1)).for_each(|row| row.sort_by(f64::total_cmp));
        prop_assert_eq!(&sorted, &expected);
        let down = value(x.sort(1, Order::Descending).flip(1));
        prop_assert_eq!(&down, &expected);
        // Σ rank · value: the gradient of an element is its rank.
        let ranks = g.iota([n], 0).real();
        let d = (x.sort(1, Order::Ascending) * ranks).sum(..).grad(&[x]).expect("connected")[0];
        let of_ranks = x.argsort(1, Order::Ascending).argsort(1, Order::Ascending);
        prop_assert_eq!(value(d), value(of_ranks));
    }

    #[test]
    fn taking_equals_one_hot_products(n in 1_usize..5, k in 0_usize..5, r in 0_usize..4, seed in 0_i64..1000) {
        let g = Graph::new();
        let x = g.leaf("x", draw(&(-1.0..1.0), &[n, r], seed as u64));
        let index: Vec<i64> = (0..k as i64).map(|i| (i * 7 + seed) % n as i64).collect();
        let index = g.leaf("i", Tensor::from(index));
        let hot = index.one_hot(n).real();
        prop_assert_eq!(value(x.take(0, index)), value(hot.matmul(x)));
        let updates = g.leaf("u", draw(&(-1.0..1.0), &[k, r], seed as u64 + 1));
        let (added, by_product) = (value(x.scatter_add(0, index, updates)), value(x + hot.t().matmul(updates)));
        prop_assert!(added.iter().zip(&by_product).all(|(a, b)| (a - b).abs() < 1e-14));
        // Each example with its own index, into a table that all share.
        let each = vmap(&[index], |i| Ok(vec![x.take(0, i[0])])).expect("mapped")[0];
        prop_assert_eq!(value(each), value(x.take(0, index)));
    }
}

#[test]
fn functions_of_one_number_equal_their_definitions_and_stay_finite() {
    type Row = (&'static str, for<'g> fn(Var<'g>) -> Var<'g>, fn(f64) -> f64, std::ops::Range<f64>, f64);
    // Name, formula, definition, interval, slope at 0 (NaN where 0 is outside the interval).
    let rows: [Row; 19] = [
        ("tan", |x| x.tan(), f64::tan, -1.4..1.4, 1.0),
        ("asin", |x| x.asin(), f64::asin, -1.0..1.0, 1.0),
        ("acos", |x| x.acos(), f64::acos, -1.0..1.0, -1.0),
        ("atan", |x| x.atan(), f64::atan, -1e9..1e9, 1.0),
        ("sinh", |x| x.sinh(), f64::sinh, -4.0..4.0, 1.0),
        ("cosh", |x| x.cosh(), f64::cosh, -4.0..4.0, 0.0),
        ("asinh", |x| x.asinh(), f64::asinh, -1e9..1e9, 1.0),
        ("acosh", |x| x.acosh(), f64::acosh, 1.0..1e3, f64::NAN),
        ("atanh", |x| x.atanh(), f64::atanh, -0.99..0.99, 1.0),
        ("clip", |x| x.clip(-1.0..=0.5), |x| x.clamp(-1.0, 0.5), -2.0..2.0, 1.0),
        ("elu", |x| x.elu(0.7), |x| if x < 0.0 { 0.7 * x.exp_m1() } else { x }, -900.0..900.0, 1.0),
        ("celu", |x| x.celu(0.7), |x| if x < 0.0 { 0.7 * (x / 0.7).exp_m1() } else { x }, -900.0..900.0, 1.0),
        (
            "selu",
            |x| x.selu(),
            |x| 1.050_700_987_355_48 * if x < 0.0 { 1.673_263_242_354_377 * x.exp_m1() } else { x },
            -9.0..9.0,
            1.050_700_987_355_48,
        ),
        (
            "gelu_tanh",
            |x| x.gelu_tanh(),
            |x| 0.5 * x * (1.0 + (0.797_884_560_802_865 * (x + 0.044715 * x * x * x)).tanh()),
            -9.0..9.0,
            0.5,
        ),
        ("silu", |x| x.silu(), |x| x / (1.0 + (-x).exp()), -900.0..900.0, 0.5),
        ("mish", |x| x.mish(), |x| x * x.exp().ln_1p().tanh(), -30.0..30.0, 0.6),
        ("softsign", |x| x.softsign(), |x| x / (1.0 + x.abs()), -900.0..900.0, 1.0),
        ("hard_sigmoid", |x| x.hard_sigmoid(0.2, 0.5), |x| (0.2 * x + 0.5).clamp(0.0, 1.0), -5.0..5.0, 0.2),
        ("hard_swish", |x| x.hard_swish(), |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0), -5.0..5.0, 0.5),
    ];
    for (name, formula, definition, range, slope) in rows {
        let g = Graph::new();
        let x = g.leaf("x", draw(&range, &[200], 1));
        let right: Vec<f64> = value(x).into_iter().map(definition).collect();
        let y = value(formula(x));
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * b.abs().max(1e-3);
        assert!(y.iter().zip(&right).all(near), "{name}: {y:?} instead of {right:?}");
        let d = formula(x).sum(..).grad(&[x]).expect("connected")[0];
        assert!(value(d).iter().all(|d| d.is_finite()), "{name} has derivatives {:?}", value(d));
        if !slope.is_nan() {
            let zero = g.leaf("zero", 0.0);
            let at = value(formula(zero).grad(&[zero]).expect("connected")[0])[0];
            assert!((at - slope).abs() < 1e-12, "{name} has slope {at} at 0");
        }
    }
}

#[test]
fn gelu_is_the_normal_distribution_function_times_its_argument() {
    let g = Graph::new();
    // Φ(1) and Φ(−2) from a table.
    same(
        g.leaf("x", [0.0, 1.0, -2.0]).gelu(),
        g.constant([0.0, 0.841_344_746_068_542_9, -2.0 * 0.022_750_131_948_179_2]),
    );
}

/// The derivative of `formula` of the given order, by reverse mode, at `x`.
fn derivative(formula: impl Fn(Var<'_>) -> Var<'_>, order: usize, x: &[f64]) -> Vec<f64> {
    let g = Graph::new();
    let x = g.leaf("x", Tensor::from(x.to_vec()));
    let mut y = formula(x);
    for _ in 0..order {
        y = y.sum(..).grad_or_zeros(&[x]).expect("a leaf")[0];
    }
    value(y)
}

#[test]
fn inverse_functions_hold_at_the_edges_of_their_domains() {
    const INFINITE: f64 = f64::INFINITY;
    assert_eq!(derivative(|x| x.asin(), 1, &[-1.0, 1.0]), [INFINITE; 2]);
    assert_eq!(derivative(|x| x.acos(), 1, &[-1.0, 1.0]), [-INFINITE; 2]);
    assert_eq!(derivative(|x| x.acosh(), 1, &[1.0]), [INFINITE]);
    for beyond in [derivative(|x| x.asin(), 1, &[1.5, -1.5]), derivative(|x| x.acosh(), 1, &[0.5, -3.0])] {
        assert!(beyond.iter().all(|d| d.is_nan()), "{beyond:?}");
    }
    // asin″(x) = x + …, which no cancellation may swallow.
    let small = derivative(|x| x.asin(), 2, &[1e-8, -1e-12]);
    assert!((small[0] - 1e-8).abs() < 1e-22 && (small[1] + 1e-12).abs() < 1e-26, "{small:?}");
    // No square overflows.
    let large = [1e8, 1e20, 1e30];
    for (formula, right) in [
        ((|x| x.asinh()) as fn(Var<'_>) -> Var<'_>, f64::asinh as fn(f64) -> f64),
        (|x| x.acosh(), f64::acosh),
    ] {
        let g = Graph::new();
        let narrow = formula(g.leaf("x", large.map(|x| x as f32))).value().expect("a value");
        for (y, x) in elements(&narrow.cast(DType::F64)).iter().zip(large) {
            assert!((y - right(x)).abs() < 1e-5, "{y} at {x}");
        }
        let wide = value(formula(g.leaf("x", [1e200])));
        assert!((wide[0] - right(1e200)).abs() < 1e-11, "{wide:?}");
    }
}

#[test]
fn powers_have_all_derivatives_at_zero() {
    for n in 0..4 {
        for order in 1..=5 {
            let factorial: i32 = (1..=n).product();
            let right = if order == n as usize { f64::from(factorial) } else { 0.0 };
            assert_eq!(
                derivative(|x| x.pow(f64::from(n)), order, &[0.0, -0.0]),
                [right; 2],
                "x^{n}, order {order}"
            );
        }
    }
    // 0ˣ is 0 for x > 0, with all its derivatives.
    assert_eq!(derivative(|x| x.graph().constant(0.0).pow(x), 3, &[1.0, 2.5]), [0.0; 2]);
}

#[test]
fn linear_algebra_of_any_size_0() {
    for (batch, n, k) in (0..8).map(|i| (i & 2, (i << 1) & 2, (i >> 1) & 2)) {
        let g = Graph::new();
        let one = g.iota([n, n], 0).equal(g.iota([n, n], 1)).real();
        let a = g.leaf("a", one.broadcast_to([batch, n, n]).value().expect("identities"));
        let b = g.leaf("b", g.constant(3.0).broadcast_to([batch, n, k]).value().expect("threes"));
        for x in [a.solve(b), a.solve_lower(b), a.solve_upper(b), a.inverse().matmul(b)] {
            same(x, b);
            let found = x.sum(..).grad(&[a, b]).expect("connected");
            same(found[1], b.like(1.0));
            assert_eq!(value(found[0]).len(), batch * n * n);
        }
        for x in [a.cholesky(), a.inverse()] {
            same(x, a);
            assert_eq!(value(x.sum(..).grad(&[a]).expect("connected")[0]).len(), batch * n * n);
        }
        let ones = g.constant(1.0).broadcast_to([batch]);
        same(a.det(), ones);
        same(a.logdet(), ones * 0.0);
        same(a.slogdet().0, ones);
        same(a.det().sum(..).grad(&[a]).expect("connected")[0], a);
        same(a.trace(), ones * n as f64);
    }
}

#[test]
fn steps_and_diagonals_may_be_of_any_size() {
    let g = Graph::new();
    let x = g.leaf("x", [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    for step in [3, 4, isize::MAX as usize, usize::MAX] {
        let first = x.slice_step(0, 0..3, step);
        same(first, x.slice(0, 0..1));
        assert_eq!(value(first.sum(..).grad(&[x]).expect("connected")[0]), [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    }
    same(x.tril(i64::MAX), x);
    same(x.triu(i64::MIN), x);
    same(x.tril(i64::MIN), x * 0.0);
    same(x.triu(i64::MAX), x * 0.0);
    same(x.tril(-3), x * 0.0);
    same(x.triu(2), x * 0.0);
    assert_eq!(value(x.triu(1)), [0.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
}
