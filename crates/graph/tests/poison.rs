use chainrule_graph::{CustomOp, Graph, Order, Type, Var, jvp, vmap};
use chainrule_tensor::Tensor;
use chainrule_tensor::keep;

fn says(x: Var<'_>, words: &[&str]) {
    let text = x.value().expect_err("an error").to_string();
    for word in words.iter().chain(&["poison.rs:"]) {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[test]
fn axes_are_all_one_or_a_list_and_stay_when_they_are_kept() {
    let g = Graph::new();
    let x = g.leaf("x", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let none: &[isize] = &[];
    assert_eq!(x.sum(none).value().expect("as it is"), x.value().expect("x"));
    assert_eq!(x.max(keep(..)).shape()[..], [1, 1]);
    assert_eq!((x - x.mean(keep(1))).sum(-1).value().expect("zeros"), Tensor::from([0.0, 0.0]));
    assert_eq!(x.reshape([2, 1, 3]).sum(keep([0, -1])).shape()[..], [1, 1, 1]);
    says(x.sum(2), &["[sum]", "axis 2", "(2, 3)"]);
    says(x.mean([0, -2]), &["[mean]", "[0, -2]", "twice"]);
    says(x.squeeze(0), &["[squeeze]", "axis 0 has length 2"]);
    says(x.swap_axes(0, 2), &["[swap_axes]", "axis 2"]);
}

#[test]
fn a_length_that_is_not_there_is_the_next_way_outs_error() {
    let g = Graph::new();
    let x = g.leaf("x", [[1.0, 2.0, 3.0]]);
    assert_eq!((x.dim(0), x.dim(-1)), (1, 3));
    assert_eq!(x.dim(2), 1);
    let text = x.sum(..).grad(&[x]).unwrap_err().to_string();
    assert!(text.contains("[dim]") && text.contains("poison.rs"), "{text}");
    assert!(x.sum(..).grad(&[x]).is_ok(), "it is reported once");
    assert_eq!(x.reshape([7]).dim(5), 1);
    assert!(x.value().is_ok(), "the poisoned value has its own error");
}

#[test]
fn wrong_kinds_are_errors_on_any_axis() {
    let g = Graph::new();
    let x = g.leaf("x", [[1.0, 2.0], [3.0, 4.0]]);
    let (t, n) = (x.greater(2.0), x.int());
    for axis in [0, 1, -1] {
        says(t.sort(axis, Order::Ascending), &["[sort]", "truth(2, 2)"]);
        says(t.argsort(axis, Order::Descending), &["[argsort]", "truth(2, 2)"]);
        says(t.top_k(1, axis).0, &["[top_k]", "truth(2, 2)"]);
        says(t.top_k(1, axis).1, &["[top_k]", "truth(2, 2)"]);
        for index in [x, t] {
            says(x.take_along_axis(axis, index), &["[take_along_axis]", "indices are integers"]);
            says(
                x.scatter_add_along_axis(axis, index, x),
                &["[scatter_add_along_axis]", "indices are integers"],
            );
        }
        says(t.scatter_add_along_axis(axis, n, t), &["[scatter_add_along_axis]", "truth(2, 2)"]);
    }
    for operands in [vec![n, n, n], vec![t, t, t], vec![x, t, x], vec![x, x, n]] {
        says(g.einsum("ij,kj,kl->il", &operands), &["[einsum]", ".real()"]);
    }
    let wide = g.leaf("wide", Tensor::from([[true, false]]));
    says(g.einsum("...,...->...", &[wide, t]), &["[einsum]", "truth"]);
    let (batch, w) =
        (g.leaf("batch", Tensor::ones([2, 3, 4], chainrule_tensor::DType::I64)), g.leaf("w", [[1.0]; 4]));
    says(batch.matmul(w), &["[matmul]", "int(2, 3, 4)", ".real()"]);
    says(batch.truth().matmul(w), &["[matmul]", "truth(2, 3, 4)"]);
    says(batch.real().matmul(w.int()), &["[matmul]", "int(4, 1)"]);
}

struct Wrong(usize);

impl CustomOp for Wrong {
    fn name(&self) -> &'static str {
        "wrong"
    }
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        Ok(args[0].clone())
    }
    fn forward(&self, args: &[Tensor]) -> chainrule_tensor::Result<Tensor> {
        Ok(args[0].clone())
    }
    fn vjp<'g>(&self, _: &[Var<'g>], _: Var<'g>, ct: Var<'g>) -> Vec<Var<'g>> {
        wrong(self.0, ct)
    }
}

/// A cotangent of the wrong number, shape or kind, or with an error of its own.
fn wrong(how: usize, ct: Var<'_>) -> Vec<Var<'_>> {
    match how {
        0 => Vec::new(),
        1 => vec![ct, ct],
        2 => vec![ct.sum(..)],
        3 => vec![ct.insert_axis(0)],
        4 => vec![ct.truth()],
        _ => vec![ct.reshape([7])],
    }
}

#[test]
fn a_wrong_rule_is_its_error_whatever_it_stands_over() {
    type View = for<'g> fn(Var<'g>) -> Var<'g>;
    let views: &[View] = &[
        |x| x,
        |x| x.slice(0, 0..1),
        |x| x.slice_step(1, 0..2, 2),
        |x| x.pad(0, 1, 1),
        |x| x.graph().concat(&[x, x], 1),
        |x| x.graph().stack(&[x, x], 0),
        |x| x.broadcast_to([3, 2, 2]),
        |x| x.t(),
        |x| x.flip(0),
        |x| x.flatten(),
        |x| x.sum(0),
        |x| x.max(1),
        |x| x.cumsum(0),
        |x| x.cumprod(1),
        |x| x.sort(1, Order::Ascending),
        |x| x.take(0, x.graph().constant(Tensor::from([1_i64, 0, 1]))),
        |x| x.matmul(x),
        |x| x.tril(0).solve_lower(x),
        |x| x.inverse(),
        |x| x.diagonal(),
        |x| x.softmax(1),
        |x| x.greater(1.5).select(x, 0),
        |x| x.tanh().checkpoint(&[x]),
    ];
    for (i, view) in views.iter().enumerate() {
        for how in 0..6 {
            let g = Graph::new();
            let w = g.leaf("w", [[1.0, 2.0], [3.0, 4.0]]);
            let rule = g.custom_vjp("wrong", &[view(w)], |x| x[0] * 2.0, move |_, _, ct| wrong(how, ct));
            let op = g.custom(Wrong(how), &[view(w)]);
            let mapped =
                vmap(&[w.insert_axis(0)], |e| Ok(vec![e[0].graph().custom(Wrong(how), &[view(e[0])])]));
            for y in [rule, op, mapped.expect("records")[0]] {
                let text = y.sum(..).grad(&[w]).expect_err("a wrong rule").to_string();
                let told = ["`wrong`", "reshape"].iter().any(|words| text.contains(words));
                assert!(told && text.contains("poison.rs:"), "view {i}, fault {how}: {text}");
                assert!(jvp(&[y], &[w], &[w]).is_err(), "view {i}, fault {how}, forward");
            }
        }
    }
}

#[test]
fn a_wrong_jvp_is_its_error_in_both_modes() {
    let g = Graph::new();
    let w = g.leaf("w", [[1.0, 2.0], [3.0, 4.0]]);
    for how in 2..6 {
        let y = g.custom_jvp("wrong", &[w], |x| x[0] * 2.0, move |_, _, t| wrong(how, t[0])[0]);
        let z = g.concat(&[y.slice(0, 1..2), y.pad(1, 1, 0).slice(1, 0..2)], 0);
        assert!(z.sum(..).grad(&[w]).is_err() && jvp(&[z], &[w], &[w]).is_err(), "fault {how}");
    }
}
