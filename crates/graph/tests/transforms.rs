//! Transforms of formulas, and of each other.

use chainrule_graph::{
    CustomOp, ErrorKind, Graph, Kind, Result, Sample, Type, Var, hessian, hvp, jacobian, jvp, vjp, vmap,
};
use chainrule_tensor::Tensor;

use crate::rules::{draw, each_sample, elements, leaves, weighted};

pub(crate) fn value(v: Var<'_>) -> Vec<f64> {
    elements(&v.value().expect("a value").to_contiguous())
}

pub(crate) fn close(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-12 * b.abs().max(1.0))
}

/// Asserts that two values have the same gradients, tangents and Hessian-vector products.
pub(crate) fn same_derivatives<'g>(a: Var<'g>, b: Var<'g>, x: &[Var<'g>], v: &[Var<'g>]) {
    let all = |y: Var<'g>| {
        let mut found = y.grad(x).expect("gradients");
        found.extend(jvp(&[y], x, v).expect("tangents"));
        found.extend(hvp(y, x, v).expect("Hessian-vector products"));
        found.into_iter().map(value).collect::<Vec<_>>()
    };
    all(a).iter().zip(all(b)).enumerate().for_each(|(i, (a, b))| assert!(close(a, &b), "{i}: {a:?} {b:?}"));
}

/// The gradient of a weighted sum of the sample's squares, and its value.
fn outputs<'g>(sample: &Sample, all: &[Var<'g>], wrt: &[Var<'g>]) -> Result<Vec<Var<'g>>> {
    let y = (sample.formula)(all);
    let mut out = weighted(y * y, 3).grad_or_zeros(wrt)?;
    out.push(y);
    Ok(out)
}

#[test]
fn vmap_of_every_formula_equals_a_loop() {
    each_sample(|name, sample| {
        for shared in [None, Some(0), Some(sample.shapes.len() - 1)] {
            let g = Graph::new();
            // Three examples; the leaf `shared` is one for all of them.
            let x: Vec<Var<'_>> = leaves(&g, sample, 1);
            let rows: Vec<Vec<Var<'_>>> = (0..3).map(|i| leaves(&g, sample, 20 + i)).collect();
            let mapped: Vec<usize> = (0..x.len()).filter(|i| Some(*i) != shared).collect();
            if mapped.is_empty() {
                continue;
            }
            let examples: Vec<Var<'_>> =
                mapped.iter().map(|i| g.stack(&rows.iter().map(|r| r[*i]).collect::<Vec<_>>(), 0)).collect();
            let given = |e: &[_]| {
                let mut all = x.clone();
                mapped.iter().zip(e).for_each(|(i, e)| all[*i] = *e);
                all
            };
            let together =
                vmap(&examples, |e| outputs(sample, &given(e), e)).unwrap_or_else(|e| panic!("{name}: {e}"));
            for (i, row) in rows.iter().enumerate() {
                let e: Vec<Var<'_>> = mapped.iter().map(|k| row[*k]).collect();
                let alone = outputs(sample, &given(&e), &e).expect(name);
                for (all, one) in together.iter().zip(alone) {
                    assert_eq!(all.shape()[1..], one.shape()[..], "{name}");
                    let mine = all
                        .slice(0, i..i + 1)
                        .reshape(one.shape().iter().map(|n| *n as isize).collect::<Vec<_>>());
                    assert!(
                        close(&value(mine.real()), &value(one.real())),
                        "{name}, example {i}, shared {shared:?}"
                    );
                }
            }
        }
    });
}

#[test]
fn vmap_nests_and_maps_no_examples() {
    let g = Graph::new();
    let (a, b) = (g.leaf("a", draw(&(-1.0..1.0), &[4, 3], 1)), g.leaf("b", draw(&(-1.0..1.0), &[5, 3], 2)));
    let outer = vmap(&[a], |a| vmap(&[b], |b| Ok(vec![(a[0] * b[0]).sum(..)]))).expect("nested");
    assert!(close(&value(outer[0]), &value(a.matmul(b.t()))));
    let none = g.leaf("none", Tensor::zeros([0, 3], chainrule_tensor::DType::F64));
    let key = g.leaf("key", Tensor::zeros([0, 2], chainrule_tensor::DType::I64));
    let empty =
        vmap(&[none, key], |e| Ok(vec![e[0].exp().sum(..), e[1].uniform("u", [3])])).expect("no examples");
    assert_eq!((empty[0].shape().to_vec(), empty[1].shape().to_vec()), (vec![0], vec![0, 3]));
    assert_eq!(empty[1].value().expect("none").size(), 0);
}

#[test]
fn the_gradient_of_a_mean_is_the_mean_of_per_example_gradients() {
    let g = Graph::new();
    let (x, y) = (g.leaf("x", draw(&(-1.0..1.0), &[6, 4], 1)), g.leaf("y", draw(&(0.0..1.0), &[6, 1], 2)));
    let (w, b) = (g.leaf("w", draw(&(-1.0..1.0), &[4, 1], 3)), g.leaf("b", draw(&(-1.0..1.0), &[1], 4)));
    let loss = |x, y| ((Var::matmul(x, w) + b).tanh() - y).square().mean(..);
    let whole = loss(x, y).grad(&[w, b]).expect("connected");
    let each =
        vmap(&[x, y], |e| loss(e[0].insert_axis(0), e[1].insert_axis(0)).grad(&[w, b])).expect("per example");
    for (whole, each) in whole.iter().zip(&each) {
        assert!(close(&value(each.mean(0)), &value(*whole)));
    }
    // And the other way round: the gradient of what vmap records.
    let mapped =
        vmap(&[x, y], |e| Ok(vec![loss(e[0].insert_axis(0), e[1].insert_axis(0))])).expect("losses")[0];
    let again = mapped.mean(..).grad(&[w, b]).expect("connected");
    assert!(close(&value(again[0]), &value(whole[0])));
}

#[test]
fn jacobians_by_either_mode_agree_with_rows_of_vjp() {
    let g = Graph::new();
    let x = g.leaf("x", draw(&(-1.0..1.0), &[2, 3], 1));
    let w = g.leaf("w", draw(&(-1.0..1.0), &[3, 4], 2));
    let small = x.matmul(w).tanh().sum(0).slice(0, 0..2); // 2 from 6: reverse
    let big = x.matmul(w).tanh(); // 8 from 6: forward
    for y in [small, big] {
        let j = jacobian(y, x).expect("connected");
        let shape: Vec<usize> = y.shape().iter().chain(x.shape().iter()).copied().collect();
        assert_eq!(j.shape()[..], shape[..]);
        let flat = y.flatten();
        let rows: Vec<f64> = (0..flat.shape()[0])
            .flat_map(|i| value(flat.slice(0, i..i + 1).sum(..).grad(&[x]).expect("connected")[0]))
            .collect();
        assert!(close(&value(j), &rows));
    }
    let apart = jacobian(w.tanh(), x).expect_err("x does not reach it");
    assert!(matches!(apart.kind(), ErrorKind::Disconnected { .. }), "{apart}");
}

#[test]
fn a_hessian_is_symmetric_and_multiplies_as_hvp() {
    let g = Graph::new();
    let (x, w) = (g.leaf("x", draw(&(-1.0..1.0), &[3], 1)), g.leaf("w", draw(&(-1.0..1.0), &[3, 2], 2)));
    let loss = (x.insert_axis(0).matmul(w).tanh().exp() * 0.5).sum(..) + w.square().sum(..);
    let h = hessian(loss, &[x, w]).expect("connected");
    assert_eq!(h[1][1].shape()[..], [3, 2, 3, 2]);
    assert!(close(&value(h[0][1].reshape([3, 6])), &value(h[1][0].reshape([6, 3]).t())));
    let (u, v) = (g.constant(draw(&(-1.0..1.0), &[3], 5)), g.constant(draw(&(-1.0..1.0), &[3, 2], 6)));
    let products = hvp(loss, &[x, w], &[u, v]).expect("connected");
    let by_matrix = h[0][0].matmul(u.insert_axis(1)) + h[0][1].reshape([3, 6]).matmul(v.reshape([6, 1]));
    assert!(close(&value(products[0]), &value(by_matrix)));
    // A linear loss has a gradient, and a Hessian of zeros.
    assert_eq!(value(hessian(x.sum(..), &[x]).expect("connected")[0][0]), vec![0.0; 9]);
}

#[test]
fn third_and_fourth_derivatives_are_those_of_the_formula() {
    let g = Graph::new();
    let x = g.leaf("x", 0.7);
    let mut d = x.sin() * x.exp(); // its fourth derivative is −4 times itself
    let start = d;
    for _ in 0..4 {
        d = d.grad(&[x]).expect("connected")[0];
    }
    assert!(close(&value(d), &value(start * -4.0)));
    // In mixed modes: forward over forward over reverse.
    let one = g.constant(1.0);
    let mixed = hvp(x.powi_test(), &[x], &[one]).expect("connected");
    let third = jvp(&mixed, &[x], &[one]).expect("connected")[0];
    assert!(close(&value(third), &[60.0 * 0.49]));
}

trait PowFive<'g> {
    fn powi_test(self) -> Var<'g>;
}
impl<'g> PowFive<'g> for Var<'g> {
    /// x⁵, whose third derivative is 60x².
    fn powi_test(self) -> Var<'g> {
        self.square().square() * self
    }
}

#[test]
fn a_vjp_that_is_not_linear_works_in_reverse_mode_only() {
    let g = Graph::new();
    let x = g.leaf("x", [3.0, -0.2]);
    let clipped =
        g.custom_vjp("clip_gradient", &[x], |x| x[0], |_, _, ct| vec![ct.minimum(1.0).maximum(-1.0)]);
    let loss = clipped.square().sum(..);
    assert_eq!(value(loss.grad(&[x]).expect("reverse")[0]), [1.0, -0.4]);
    let one = g.constant(Tensor::from([1.0, 1.0]));
    let error = jvp(&[loss], &[x], &[one]).expect_err("not linear").to_string();
    assert!(error.contains("minimum of a term that depends on them"), "{error}");
    assert!(error.contains("`clip_gradient` has a vjp that is not linear in its cotangent"), "{error}");
    assert!(error.contains("transforms.rs"), "{error}");
}

#[test]
fn a_vjp_of_the_wrong_number_or_shape_is_an_error_with_the_line() {
    let g = Graph::new();
    let (x, b) = (g.leaf("x", [[1.0, 2.0]]), g.leaf("b", [1.0, 2.0]));
    let line = line!() + 1;
    let few = g.custom_vjp("scaled", &[x, b], |x| x[0] * x[1], |x, _, ct| vec![x[1] * ct]);
    let error = few.sum(..).grad(&[x]).expect_err("one cotangent of two").to_string();
    assert!(error.contains("the vjp of `scaled` returned 1 cotangents for 2 arguments"), "{error}");
    assert!(error.contains(&format!("transforms.rs:{line}")), "{error}");
    let wide = g.custom_vjp("scaled", &[x, b], |x| x[0] * x[1], |x, _, ct| vec![x[1] * ct, x[0] * ct]);
    let error = wide.sum(..).grad(&[x, b]).expect_err("not summed to b").to_string();
    assert!(error.contains("a cotangent of type real(1, 2) for argument 1"), "{error}");
    assert!(error.contains("sum over the axes that were broadcast"), "{error}");
    let tangent = g.custom_jvp("scaled", &[x], |x| x[0] * 2.0, |_, _, t| t[0].sum(..));
    let error = tangent.sum(..).grad(&[x]).expect_err("a number for a row").to_string();
    assert!(error.contains("the jvp of `scaled` returned a tangent of type real()"), "{error}");
}

#[test]
fn what_a_custom_formula_uses_besides_its_arguments_is_not_silently_constant() {
    let g = Graph::new();
    let (x, w) = (g.leaf("x", [2.0, -1.0]), g.leaf("w", [3.0, 0.5]));
    let line = line!() + 1;
    let y = g.custom_vjp("scale", &[x], |x| x[0] * w.exp(), |_, _, ct| vec![ct * 3.0]);
    let z = g.custom_jvp("scale", &[x], |x| x[0] * w.exp(), |_, _, t| t[0] * 3.0);
    // Whether the rest of the loss uses it or not, in either mode, and for many at once.
    let mapped =
        vmap(&[x], |x| Ok(vec![g.custom_vjp("scale", x, |x| x[0] * w.sum(..), |_, _, ct| vec![ct * 3.0])]));
    let mapped = mapped.expect("values")[0];
    let cases = [
        (y, "exp", line),
        (y + w, "exp", line),
        (z + w.square(), "exp", line + 1),
        (mapped + w, "sum", line + 4),
    ];
    for (loss, used, at) in cases {
        let grad = loss.sum(..).grad(&[x, w]).map(|_| ());
        let forward = jvp(&[loss], &[w], &[w.like(1.0)]).map(|_| ());
        let check = chainrule_graph::check::gradients(loss.sum(..), &[w]).map(|_| ());
        for found in [grad, forward, check] {
            let error = found.expect_err("w has no part in the rule").to_string();
            let said = format!("`scale` uses the result of {used} besides its arguments");
            assert!(error.contains(&said), "{error}");
            assert!(error.contains(&format!("transforms.rs:{at}")), "{error}");
            assert!(error.contains("list it among the arguments"), "{error}");
        }
        assert_eq!(value(loss.sum(..).grad(&[x]).expect("x is listed")[0]), [3.0, 3.0]);
    }
    // What depends on an argument only, and what is stopped, is the author's choice.
    let u = x.exp();
    let y = g.custom_vjp("f", &[x], |x| x[0] * u * w.stop_gradient(), |_, _, ct| vec![ct * 3.0]);
    assert_eq!(value((y + w).sum(..).grad(&[w]).expect("stopped")[0]), [1.0, 1.0]);
}

#[test]
fn a_custom_rule_shares_an_argument_among_examples() {
    let g = Graph::new();
    let xs = g.leaf("xs", draw(&(-1.0..1.0), &[4, 3], 1));
    let w = g.leaf("w", draw(&(-1.0..1.0), &[3], 2));
    fn by_vjp<'g>(x: &[Var<'g>]) -> Var<'g> {
        x[0].graph().custom_vjp("product", x, |x| x[0] * x[1], |x, _, ct| vec![x[1] * ct, x[0] * ct]).sin()
    }
    fn by_jvp<'g>(x: &[Var<'g>]) -> Var<'g> {
        let g = x[0].graph();
        g.custom_jvp("product", x, |x| x[0] * x[1], |x, _, t| t[0] * x[1] + x[0] * t[1]).sin()
    }
    let v = [g.constant(draw(&(-1.0..1.0), &[4, 3], 3)), g.constant(draw(&(-1.0..1.0), &[3], 4))];
    let plain = (xs * w).sin().sum(..);
    for product in [by_vjp, by_jvp] {
        let y = vmap(&[xs], |e| Ok(vec![product(&[e[0], w])]));
        same_derivatives(y.expect("mapped")[0].sum(..), plain, &[xs, w], &v);
    }
}

#[test]
fn vmap_over_what_does_not_fit_is_an_error() {
    let g = Graph::new();
    let (a, b) = (g.leaf("a", [1.0, 2.0]), g.leaf("b", [1.0, 2.0, 3.0]));
    let text = |r: chainrule_graph::Result<Vec<Var<'_>>>| r.expect_err("an error").to_string();
    let lengths = text(vmap(&[a, b], |e| Ok(vec![e[0] * e[1]])));
    assert!(lengths.contains("[vmap] leading axes differ in length: 2 and 3"), "{lengths}");
    assert!(lengths.contains("transforms.rs"), "{lengths}");
    let flat = text(vmap(&[g.leaf("c", 1.0)], |e| Ok(vec![e[0]])));
    assert!(flat.contains("real() has no axis to map over"), "{flat}");
    assert!(text(vmap(&[], |_| Ok(vec![a]))).contains("needs at least one value"));
    let inside = text(vmap(&[a], |e| Ok(vec![e[0].matmul(b)])));
    assert!(inside.contains("[matmul]"), "{inside}");
}

#[test]
fn derivatives_that_do_not_exist_are_errors() {
    let g = Graph::new();
    let (x, n) = (g.leaf("x", [1.0, 2.0]), g.leaf("n", Tensor::from([1_i64, 2])));
    let t = g.input("t", [3], Kind::Real);
    for error in [
        x.sum(..).grad(&[n]).expect_err("with respect to integers"),
        n.sum(..).grad(&[x]).expect_err("of integers"),
        x.less(1.5).sum(..).grad(&[x]).expect_err("of a count of truth values"),
        x.grad(&[x]).expect_err("of a vector"),
        vjp(&[x * x], &[x], &[t]).expect_err("a cotangent of another shape"),
        vjp(&[x * x], &[x], &[]).expect_err("no cotangent"),
        jvp(&[x * x], &[x], &[t]).expect_err("a tangent of another shape"),
        jacobian(n, x).expect_err("of integers"),
        hessian(x, &[x]).expect_err("of a vector"),
    ] {
        let text = error.to_string();
        assert!(text.contains("[grad]") || text.contains("[sum]"), "{text}");
        assert!(text.contains("transforms.rs:"), "{text}");
    }
}

/// A custom operation that promises one shape and returns another.
struct Liar;

impl CustomOp for Liar {
    fn name(&self) -> &'static str {
        "liar"
    }
    fn infer(&self, args: &[&Type]) -> std::result::Result<Type, String> {
        if args.len() == 1 { Ok(args[0].clone()) } else { Err("takes one value".into()) }
    }
    fn forward(&self, _: &[Tensor]) -> chainrule_tensor::Result<Tensor> {
        Ok(Tensor::from([1.0]))
    }
    fn vjp<'g>(&self, _: &[Var<'g>], _: Var<'g>, ct: Var<'g>) -> Vec<Var<'g>> {
        vec![ct]
    }
}

#[test]
fn a_custom_operation_is_held_to_its_word() {
    let g = Graph::new();
    let x = g.leaf("x", [1.0, 2.0]);
    let error = g.custom(Liar, &[x]).value().expect_err("another shape").to_string();
    assert!(error.contains("[liar] forward returned f64 of [1], but infer promised f64 of (2,)"), "{error}");
    let error = g.custom(Liar, &[x, x]).value().expect_err("two arguments").to_string();
    assert!(error.contains("[liar] takes one value"), "{error}");
}

fn mask(key: Var<'_>) -> Var<'_> {
    key.uniform("mask", [2, 3])
}

fn key<'g>(g: &'g Graph, words: &[i64]) -> Var<'g> {
    g.constant(Tensor::from_vec(words.to_vec(), words.len()).expect("a vector"))
}

/// Example i draws with the key behind which i stands, whatever stands around the closure.
#[test]
fn each_example_draws_its_own_numbers() {
    let g = Graph::new();
    let x = g.constant([[1.0; 3]; 4]);
    let k = key(&g, &[7, 0]);
    let alone = mask(k).value().expect("a value");
    let shared = mask(k);
    let drawn = vmap(&[x], |e| Ok(vec![mask(k), shared, (mask(k) * e[0]).sum(..)])).expect("four examples");
    for i in 0..4_usize {
        let own = mask(key(&g, &[7, 0, i as i64])).value().expect("a value");
        let one = |y: Var<'_>| y.slice(0, i..i + 1).value().expect("a value");
        assert_eq!(one(drawn[0]).reshape([2, 3]).expect("six"), own);
        assert_ne!(own, alone);
        // Equal nodes are one node, so what was drawn outside has to be told from what is drawn inside.
        assert_eq!(one(drawn[1]).reshape([2, 3]).expect("six"), alone);
    }
    // An example's own key is all that its numbers depend on, as if it stood alone.
    let keys = g.stack(&[key(&g, &[1, 2]), key(&g, &[3, 4])], 0);
    let drawn = vmap(&[keys], |e| Ok(vec![mask(e[0])])).expect("two examples")[0];
    for (i, words) in [[1, 2], [3, 4]].iter().enumerate() {
        let own = mask(key(&g, words)).value().expect("a value");
        assert_eq!(drawn.slice(0, i..i + 1).reshape([2, 3]).value().expect("a value"), own);
    }
    assert_eq!(mask(keys).value().expect("a value"), drawn.value().expect("a value"));
}

#[test]
fn mapped_within_mapped_draws_are_independent() {
    let g = Graph::new();
    let (x, k) = (g.constant([[[1.0; 2]; 3]; 2]), key(&g, &[7, 0]));
    let drawn = vmap(&[x], |e| vmap(&[e[0]], |_| Ok(vec![mask(k)]))).expect("two of three")[0];
    let mut seen = Vec::new();
    for i in 0..2_usize {
        for j in 0..3_usize {
            let own = mask(key(&g, &[7, 0, i as i64, j as i64])).value().expect("a value");
            let one = drawn.slice(0, i..i + 1).slice(1, j..j + 1).reshape([2, 3]).value().expect("a value");
            assert_eq!(one, own);
            assert!(!seen.contains(&one));
            seen.push(one);
        }
    }
    // A key of the outer example's: the inner examples still differ.
    let keys = g.stack(&[key(&g, &[1, 2]), key(&g, &[3, 4])], 0);
    let drawn = vmap(&[keys, x], |e| vmap(&[e[1]], |_| Ok(vec![mask(e[0])]))).expect("two of three")[0];
    let one = drawn.slice(0, 1..2).slice(1, 2..3).reshape([2, 3]).value().expect("a value");
    assert_eq!(one, mask(key(&g, &[3, 4, 2])).value().expect("a value"));
}

/// Per-example gradients through a mask are the gradients that each example with its own mask has, in every order of
/// derivative, through checkpoints and through rules of the user's.
#[test]
fn gradients_of_examples_see_their_own_masks() {
    let g = Graph::new();
    let w = g.leaf("w", [1.0, -2.0, 3.0]);
    let x = g.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let k = key(&g, &[7, 0]);
    type Form = for<'g> fn(Var<'g>, Var<'g>, Var<'g>) -> Var<'g>;
    let plain: Form = |w, x, k| (w * x * k.uniform("m", [3])).sin().sum(..);
    let checkpointed: Form = |w, x, k| {
        let start = w * x;
        (start * k.uniform("m", [3])).sin().checkpoint(&[start]).sum(..)
    };
    let ruled: Form = |w, x, k| {
        let m = k.uniform("m", [3]);
        let g = w.graph();
        g.custom_vjp("s", &[w * x * m], |u| u[0].sin(), |u, _, ct| vec![ct * u[0].cos()]).sum(..)
    };
    for form in [plain, checkpointed, ruled] {
        let mapped = vmap(&[x], |e| form(w, e[0], k).grad(&[w])).expect("two examples")[0];
        for i in 0..2_usize {
            let row = x.slice(0, i..i + 1).reshape([3]);
            let own = form(w, row, key(&g, &[7, 0, i as i64])).grad(&[w]).expect("connected")[0];
            assert_eq!(
                mapped.slice(0, i..i + 1).reshape([3]).value().expect("a value"),
                own.value().expect("a value")
            );
        }
    }
}

/// Merging the examples with the batch makes axes of several axes, which are no windows.
#[test]
fn vmap_convolves_examples_that_lie_apart() {
    let g = Graph::new();
    let numbers = |n: usize| (0..n).map(|i| (i * 7 % 11) as f64 - 5.0).collect::<Vec<_>>();
    let x = g.leaf("x", Tensor::from(numbers(2 * 3 * 2 * 42)).reshape([2, 3, 2, 6, 7]).unwrap());
    let kernel = g.leaf("kernel", Tensor::from(numbers(5 * 2 * 9)).reshape([5, 2, 3, 3]).unwrap());
    let examples = x.permute([1, 0, 3, 2, 4]).permute([0, 1, 3, 2, 4]);
    let slide = chainrule_graph::Slide::new();
    let together = vmap(&[examples], |e| Ok(vec![e[0].conv(kernel, &slide)])).unwrap()[0];
    let alone: Vec<Var<'_>> =
        (0..3).map(|i| examples.slice(0, i..i + 1).squeeze(0).conv(kernel, &slide)).collect();
    let alone = g.stack(&alone, 0);
    assert!(close(&value(together), &value(alone)));
    same_derivatives(together.square().sum(..), alone.square().sum(..), &[x, kernel], &[x, kernel]);
}
