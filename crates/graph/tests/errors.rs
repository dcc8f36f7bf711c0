use chainrule_graph::{
    ErrorKind, Function, Graph, Kind, Phase, Precision, Result, Var, check, hessian, hvp, jacobian, jvp, vjp,
    vmap,
};
use chainrule_tensor::{DType, Error as TensorError, Tensor};

#[test]
fn a_shape_error_names_the_rule_the_line_and_the_operands() {
    let g = Graph::new();
    let a = g.leaf("a", [[1.0, 2.0]]);
    let b = g.leaf("b", [[1.0], [2.0], [3.0]]);
    let line = line!() + 1;
    let c = a.matmul(b);
    let error = (c.tanh() + 1.0).sum(..).value().expect_err("inner lengths differ");
    assert!(matches!(error.kind(), ErrorKind::Tensor(TensorError::Shape { op: "matmul", .. })));
    let text = error.to_string();
    assert!(text.contains("[matmul] (1, 2) x (3, 1): 2 must equal 3"), "{text}");
    assert!(text.contains(&format!("errors.rs:{line}")), "{text}");
    assert!(text.contains(&format!("errors.rs:{}", line - 3)), "left operand: {text}");
    assert!(text.contains(&format!("errors.rs:{}", line - 2)), "right operand: {text}");
}

#[test]
fn every_way_out_reports_poison() {
    let g = Graph::new();
    let x = g.leaf("x", [1.0, 2.0]);
    let bad = x.reshape([3]);
    assert!(bad.is_poisoned());
    assert!(bad.value().is_err());
    assert!(bad.sum(..).grad(&[x]).is_err());
    assert!(x.sum(..).grad(&[bad]).is_err());
    assert!(g.compile(&[], &[bad]).is_err());
    assert!(g.compiler(&[], &[]).state(&[(x, bad)]).build().is_err());
    assert!(jvp(&[bad], &[x], &[x]).is_err());
    assert!(vjp(&[bad], &[x], &[x]).is_err());
    assert!(chainrule_graph::check::gradients(bad, &[x]).is_err());
    assert!(Function::new(|_, x| Ok(vec![x[0].reshape([3])])).call(&[Tensor::from([1.0, 2.0])]).is_err());
}

#[test]
fn each_rule_that_can_be_broken_is_an_error() {
    let g = Graph::new();
    let x = g.leaf("x", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let n = g.leaf("n", [1_i64, 2]);
    let empty = g.input("empty", [0, 3], Kind::Real);
    let cases = [
        (x + g.leaf("y", [1.0, 2.0]), "lengths must be equal or 1"),
        (x.sum(2), "axis 2 is out of range"),
        (x.sum([0, 0]), "twice"),
        (x.permute([0, 0]), "each of the 2 axes once"),
        (x.reshape([4, -1]), "cannot be divided"),
        (x.slice(1, 2..4), "does not lie in axis 1"),
        (g.concat(&[x, n.real()], 0), "must be equal"),
        (g.concat(&[], 0), "at least one operand"),
        (x.broadcast_to([2, 4]), "must be equal or 1"),
        (n.exp(), "cast it with .real()"),
        (n + x.slice(1, 0..2), "make both real"),
        (n.insert_axis(1).select(x, x), "condition"),
        (empty.max(0), "no extreme"),
        (n.uniform("u", [3]) + x.t(), "must be equal or 1"),
        (x.uniform("u", [3]), "a pair of integers"),
        (x.in_range(3, "label"), "labels must be integers"),
        (n.t(), "at least 2 axes"),
        (x.sum(..).matmul(n.real()), "at least 2 axes"),
    ];
    for (v, words) in cases {
        let text = v.value().expect_err(words).to_string();
        assert!(text.contains(words), "{words:?} not in: {text}");
        assert!(text.contains("errors.rs:"), "{text}");
    }
}

#[test]
fn values_of_two_graphs_do_not_mix() {
    let (g, h) = (Graph::new(), Graph::new());
    let sum = g.leaf("a", 1.0) + h.leaf("b", 2.0);
    assert!(matches!(sum.value().expect_err("two graphs").kind(), ErrorKind::Graphs { op: "add" }));
}

#[test]
fn a_gradient_that_does_not_exist_is_an_error_that_says_why() {
    let g = Graph::new();
    let (x, unused) = (g.leaf("x", 2.0), g.leaf("unused", 1.0));
    let n = g.leaf("n", 3_i64);
    let text =
        |r: chainrule_graph::Result<Vec<chainrule_graph::Var<'_>>>| r.expect_err("no gradient").to_string();
    assert!(text((x * x).grad(&[unused])).contains("`unused` does not reach the output"));
    assert!(text((x * x).grad(&[unused])).contains("it is never used"));
    assert!(text((x.stop_gradient() * 2.0).grad(&[x])).contains("breaks at stop_gradient"));
    assert!(text((x.floor() * 2.0).grad(&[x])).contains("breaks at floor"));
    // The comparison inside relu has no derivative either, but relu does reach its result.
    assert!(text(x.relu().round().grad(&[x])).contains("breaks at round"));
    assert!(text((n.real() * x).grad(&[n])).contains("only reals have derivatives"));
    assert!(text(g.leaf("v", [1.0, 2.0]).grad(&[x])).contains("not a single number"));
    let zeros = (x * x).grad_or_zeros(&[unused]).expect("zeros were asked for");
    assert_eq!(zeros[0].value().expect("a number"), Tensor::from(0.0));
}

#[test]
fn a_function_checks_its_arguments() {
    let g = Graph::new();
    let x = g.input("x", [2], Kind::Real);
    let labels = g.input("labels", [2], Kind::Int);
    let y = x.sum(..) + labels.in_range(3, "label").real().sum(..);
    let unbound = g.compile(&[labels], &[y]).expect_err("x has no value");
    assert!(matches!(unbound.kind(), ErrorKind::Unbound { name } if name == "x"));
    let mut f = g.compile(&[x, labels], &[y]).expect("a sound function");
    let (good, wrong) = (Tensor::from([1.0_f32, 2.0]), Tensor::from([1.0_f32, 2.0, 3.0]));
    let (in_range, outside) = (Tensor::from([0_i64, 2]), Tensor::from([0_i64, 3]));
    assert!(f.run(std::slice::from_ref(&good)).expect_err("one missing").to_string().contains("2 arguments"));
    let text = f.run(&[wrong, in_range.clone()]).expect_err("3 elements").to_string();
    assert!(text.contains("argument 0 (`x`): expected real(2,), found real(3,)"), "{text}");
    let text = f.run(&[good.clone(), outside]).expect_err("label 3").to_string();
    assert!(text.contains("label 3 at position 1 is outside 0..3"), "{text}");
    assert_eq!(f.run(&[good, in_range]).expect("sound again")[0].item::<f64>().expect("a number"), 5.0);
}

#[test]
fn a_size_that_no_memory_holds_is_refused_when_it_is_recorded() {
    const HUGE: usize = 1 << 40;
    let g = Graph::new();
    let (s, x) = (g.leaf("s", 1.0), g.leaf("x", [1.0, 2.0]));
    let cases = [
        x.pad(0, usize::MAX, 1),
        x.pad(0, usize::MAX - 2, 1),
        s.broadcast_to([HUGE, HUGE]),
        s.broadcast_to([0, usize::MAX]),
        g.iota([usize::MAX], 0),
        g.iota([HUGE, HUGE], 1),
        g.input("tall", [HUGE, 1], Kind::Real).matmul(g.input("wide", [1, HUGE], Kind::Real)),
        g.input("column", [HUGE, 1], Kind::Real) + g.input("row", [HUGE], Kind::Real),
        g.input("x", [usize::MAX], Kind::Truth).real(),
        x.argmax(0).one_hot(usize::MAX),
        x.reshape([isize::MAX, isize::MAX]),
    ];
    for v in cases {
        let text = v.value().expect_err("too large").to_string();
        assert!(text.contains("too many"), "{text}");
        assert!(text.contains("errors.rs:"), "{text}");
    }
}

#[test]
fn messages_name_the_function_that_was_called() {
    let g = Graph::new();
    let x = g.leaf("x", [1.0, 2.0, 3.0]);
    let n = g.leaf("n", [1_i64, 2, 3]);
    let empty = g.input("empty", [2, 0], Kind::Real);
    let square = g.leaf("square", [[1_i64, 0], [0, 1]]);
    let cases = [
        (n.top_k(5, 0).0, "[top_k] (slice) (3,): 0..5 by 1 does not lie in axis 0 of length 3"),
        (x.softmax(3), "[softmax] (max) axis 3 is out of range"),
        (empty.max(1), "[max] (2, 0): an empty axis has no extreme"),
        (x.log_softmax(1), "[log_softmax] (argmax) axis 1 is out of range"),
        (x.take(0, x), "[take] (gather) indices are integers"),
        (x.take(1, n), "[take] axis 1 is out of range"),
        (n.mean(0), "[mean] (div)"),
        (g.einsum("i,i->", &[n, n]), "[einsum] does not multiply int(3,)"),
        (g.stack(&[x, x], 5), "[stack] (insert_axis) axis 5 is out of range"),
        (square.inverse(), "[inverse] (solve) does not take"),
        (square.det(), "[det] does not take"),
        (x.matmul(x.slice(0, 0..2)), "[matmul] (3,) x (2,)"),
        (x.sum(4), "[sum] axis 4"),
        (x.tril(0), "[tril] (3,): needs matrices"),
    ];
    for (v, words) in cases {
        let text = v.value().expect_err(words).to_string();
        assert!(text.starts_with(words), "{words:?} not at the start of: {text}");
        assert!(text.contains("--> ") && text.contains("errors.rs:"), "{text}");
    }
    // What a value breaks when the graph runs, too.
    let text = |v: chainrule_graph::Var<'_>| v.value().expect_err("fails when it runs").to_string();
    assert!(
        text(x.take(0, n)).starts_with("[take] (gather) index 3 at position 2"),
        "{}",
        text(x.take(0, n))
    );
    let singular = g.leaf("zeros", [[0.0, 0.0], [0.0, 0.0]]).inverse();
    assert!(text(singular).starts_with("[inverse] (solve)"), "{}", text(singular));
    // The outermost call is the user's; a derivative keeps the name.
    let _here = g.blame("attention", std::panic::Location::caller());
    assert!(text(x.softmax(3)).starts_with("[attention] (max)"), "{}", text(x.softmax(3)));
}

#[test]
fn what_a_custom_operation_returns_is_told_with_its_name() {
    struct Fails;
    impl chainrule_graph::CustomOp for Fails {
        fn name(&self) -> &'static str {
            "fails"
        }
        fn infer(&self, args: &[&chainrule_graph::Type]) -> Result<chainrule_graph::Type, String> {
            Ok(args[0].clone())
        }
        fn forward(&self, args: &[Tensor]) -> chainrule_tensor::Result<Tensor> {
            &args[0] * &Tensor::from([1_i64, 2])
        }
        fn vjp<'g>(
            &self,
            _: &[chainrule_graph::Var<'g>],
            _: chainrule_graph::Var<'g>,
            ct: chainrule_graph::Var<'g>,
        ) -> Vec<chainrule_graph::Var<'g>> {
            vec![ct]
        }
    }
    let g = Graph::new();
    let error = g.custom(Fails, &[g.leaf("x", [1.0, 2.0])]).value().expect_err("forward fails");
    assert!(matches!(error.kind(), ErrorKind::Custom { op: "fails", error: TensorError::DType { .. } }));
    assert!(error.to_string().starts_with("[fails] its forward fails: [mul] does not take"), "{error}");
}

#[test]
fn a_rule_that_is_not_linear_is_refused_in_both_modes() {
    type Jvp = for<'a> fn(
        &[chainrule_graph::Var<'a>],
        chainrule_graph::Var<'a>,
        &[chainrule_graph::Var<'a>],
    ) -> chainrule_graph::Var<'a>;
    let g = Graph::new();
    let (x, along) = (g.leaf("x", [1.0, 2.0]), g.constant([0.0, 0.0]));
    let line = line!() + 2;
    let affine: [(Jvp, &str); 9] = [
        (|_, _, t| t[0] * 2.0 + 1.0, "add joins"),
        (|_, _, t| t[0] * t[0], "mul of two terms"),
        (|_, _, t| t[0].sin(), "sin of a term"),
        (|x, _, t| x[0] / t[0], "div of a term"),
        (|x, _, _| x[0], "does not depend on them"),
        (|x, _, t| x[0].greater(1.5).select(t[0], x[0]), "select joins"),
        (|_, _, t| t[0].greater(0.0).select(t[0], 0.0), "greater of a term"),
        (|x, _, t| t[0].graph().concat(&[t[0].slice(0, 0..1), x[0].slice(0, 0..1)], 0), "concat joins"),
        (|_, _, t| t[0].stop_gradient(), "stop_gradient of a term"),
    ];
    for (i, (rule, words)) in affine.into_iter().enumerate() {
        let y = g.custom_jvp("r", &[x], |v| v[0] * 2.0, rule);
        let both = [
            jvp(&[y], &[x], &[along]).expect_err("forward").to_string(),
            y.sum(..).grad(&[x]).expect_err("reverse").to_string(),
        ];
        for text in both {
            assert!(
                text.starts_with("[grad] the jvp of `r` is not linear in its tangents: ")
                    && text.contains(words),
                "{text}"
            );
            if i != 4 {
                assert!(text.contains(&format!("errors.rs:{}:", line + i as u32)), "{text}");
            }
        }
    }
    let linear: [Jvp; 6] = [
        |x, y, t| t[0] * x[0] + y.like(0.0),
        |x, _, t| x[0].greater(1.5).select(t[0] * 3.0, 0.0),
        |x, _, t| t[0] / x[0] - t[0].sum(..) * x[0].exp(),
        |_, y, _| y.like(0.0),
        |x, _, _| x[0] * 0.0,
        |_, _, t| t[0] + t[0].graph().constant([0.0, 0.0]),
    ];
    for rule in linear {
        let y = g.custom_jvp("r", &[x], |v| v[0] * 2.0, rule);
        // A tangent may be what the rule multiplies it with.
        jvp(&[y], &[x], &[x]).expect("linear");
        y.sum(..).grad_or_zeros(&[x]).expect("linear");
    }
    let clipped = g.custom_vjp("shifted", &[x], |v| v[0] * 2.0, |_, _, ct| vec![ct + 1.0]);
    let text = jvp(&[clipped], &[x], &[along]).expect_err("affine").to_string();
    assert!(text.contains("the vjp of `shifted` is not linear in its cotangent: add joins"), "{text}");
    clipped.sum(..).grad(&[x]).expect("reverse mode needs no linearity");
}

#[test]
fn a_plan_beyond_all_memory_is_refused_before_it_runs() {
    const HUGE: usize = 1 << 50;
    let g = Graph::new();
    let s = g.leaf("s", 1.0);
    let text = s.broadcast_to([HUGE]).value().expect_err("petabytes").to_string();
    assert!(text.starts_with("[compile] the plan needs") && text.contains("errors.rs:"), "{text}");
    assert!(g.iota([HUGE], 0).value().is_err());
    // A view needs no memory.
    assert_eq!(
        s.broadcast_to([HUGE]).slice(0, 5..6).value().expect("one number").to_vec::<f64>(),
        Ok(vec![1.0])
    );
}

#[test]
fn values_of_another_graph_are_refused_wherever_they_come_in() {
    type Use = for<'g> fn(&'g Graph, Var<'g>, Var<'g>) -> Result<()>;
    let uses: &[(&str, Use)] = &[
        ("value", |_, x, y| (x + y).value().map(|_| ())),
        ("binary", |_, x, y| (y * x.sum(..)).value().map(|_| ())),
        ("select", |_, x, y| x.less(0.0).select(y, x).value().map(|_| ())),
        ("matmul", |_, x, y| x.insert_axis(0).matmul(y.insert_axis(1)).value().map(|_| ())),
        ("solve", |_, x, y| {
            (x.insert_axis(0) * x.insert_axis(1)).solve(y.insert_axis(1)).value().map(|_| ())
        }),
        ("take", |_, x, y| x.take(0, y.argmax(0).insert_axis(0)).value().map(|_| ())),
        ("scatter", |_, x, y| {
            x.scatter_add(0, x.argmax(0).insert_axis(0), y.slice(0, 0..1)).value().map(|_| ())
        }),
        ("concat", |g, x, y| g.concat(&[x, y], 0).value().map(|_| ())),
        ("stack", |g, x, y| g.stack(&[x, y], 0).value().map(|_| ())),
        ("einsum", |g, x, y| g.einsum("i,i->", &[x, y]).value().map(|_| ())),
        ("checkpoint", |_, x, y| x.exp().checkpoint(&[y]).value().map(|_| ())),
        ("custom x", |g, x, y| {
            g.custom_vjp("f", &[x, y], |x| x[0], |_, _, ct| vec![ct, ct]).value().map(|_| ())
        }),
        ("custom y", |g, x, y| g.custom_jvp("f", &[x], |_| y, |_, _, t| t[0]).value().map(|_| ())),
        ("grad", |_, x, y| x.sum(..).grad(&[y]).map(|_| ())),
        ("grad_or_zeros", |_, x, y| x.sum(..).grad_or_zeros(&[x, y]).map(|_| ())),
        ("jvp x", |_, x, y| jvp(&[x], &[y], &[y]).map(|_| ())),
        ("jvp t", |_, x, y| jvp(&[x], &[x], &[y]).map(|_| ())),
        ("vjp x", |_, x, y| vjp(&[x], &[y], &[x]).map(|_| ())),
        ("vjp ct", |_, x, y| vjp(&[x], &[x], &[y]).map(|_| ())),
        ("vjp y", |_, x, y| vjp(&[x, y], &[x], &[x, x]).map(|_| ())),
        ("hvp", |_, x, y| hvp(x.square().sum(..), &[y], &[x]).map(|_| ())),
        ("hvp v", |_, x, y| hvp(x.square().sum(..), &[x], &[y]).map(|_| ())),
        ("jacobian", |_, x, y| jacobian(x, y).map(|_| ())),
        ("hessian", |_, x, y| hessian(x.sum(..), &[y]).map(|_| ())),
        ("vmap x", |_, x, y| vmap(&[x, y], |e| Ok(vec![e[0]])).map(|_| ())),
        ("vmap y", |_, x, y| vmap(&[x], |_| Ok(vec![y])).map(|_| ())),
        ("vmap of a sum", |_, x, y| vmap(&[x], |e| Ok(vec![e[0] + y.sum(..)])).map(|_| ())),
        ("compile", |g, _, y| g.compile(&[], &[y]).map(|_| ())),
        ("compile input", |g, x, y| g.compile(&[y], &[x]).map(|_| ())),
        ("state", |g, x, y| g.compiler(&[], &[x]).state(&[(y, x)]).build().map(|_| ())),
        ("next state", |g, x, y| g.compiler(&[], &[x]).state(&[(x, y)]).build().map(|_| ())),
        ("check", |_, x, y| check::gradients(x.sum(..), &[y]).map(|_| ())),
        ("equations", |_, x, y| x.sum(..).equations(&[y]).map(|_| ())),
        ("saved", |g, _, y| g.saved_for_backward(&[y], Precision::F32).map(|_| ())),
        ("dot", |g, _, y| g.dot(&[y]).map(|_| ())),
        ("picture", |g, _, y| g.picture(&[y]).svg().map(|_| ())),
        ("picture name", |g, x, y| g.picture(&[x]).name(y, "y").svg().map(|_| ())),
    ];
    let (g, h) = (Graph::new(), Graph::new());
    let x = g.leaf("x", [1.0, 2.0]);
    let mut y = h.leaf("y", [100.0, 200.0]);
    for far in [false, true] {
        // Few or many nodes: a node's number is no mark of its graph.
        for _ in 0..if far { 500 } else { 0 } {
            y = y.sin();
        }
        for (name, give) in uses {
            let Err(error) = give(&g, x, y) else { panic!("{name} takes it") };
            let text = error.to_string();
            assert!(matches!(error.kind(), ErrorKind::Graphs { .. }), "{name}: {text}");
            assert!(
                text.contains("--> crates/graph/tests/errors.rs") && !text.contains("/src/"),
                "{name}: {text}"
            );
        }
    }
}

#[test]
fn a_leaf_gets_its_value_from_one_place() {
    let g = Graph::new();
    let line = line!() + 1;
    let (x, y) = (g.leaf("x", 1.0), g.leaf("y", 2.0));
    let twice = g.compile(&[x, y, x], &[x * y]).map(|_| ());
    let both = g.compiler(&[x], &[y]).state(&[(x, x * y)]).build().map(|_| ());
    let states = g.compiler(&[], &[y]).state(&[(x, y), (y, x), (x, x)]).build().map(|_| ());
    for (found, why) in [
        (twice, "stands twice among the inputs"),
        (both, "is both an input and a state"),
        (states, "has two states"),
    ] {
        let text = found.expect_err(why).to_string();
        assert!(text.contains(&format!("[compile] `x` {why}")), "{text}");
        assert!(text.contains(&format!("errors.rs:{line}")), "{text}");
    }
}

#[test]
fn a_run_that_fails_names_its_operands_and_gives_advice() {
    let g = Graph::new();
    let line = line!() + 1;
    let (m, i, x) = (g.leaf("m", [[1.0, 2.0], [2.0, 4.0]]), g.leaf("i", [0_i64, 7]), g.leaf("x", [1.0, 2.0]));
    let empty = g.leaf("empty", Tensor::zeros([0, 2], DType::F64));
    let text = |y: Var<'_>| y.value().expect_err("out of its domain").to_string();
    let pair = g.stack(&[m.matmul(m.t()) + m.like(1.0) * 0.0, m], 0);
    for (text, parts) in [
        (text(m.solve(m)), ["[solve] the matrix is singular", "`m`: real(2, 2)", "multiple of the identity"]),
        (text(m.inverse()), ["[inverse] (solve) the matrix", "`m`: real(2, 2)", "multiple of the identity"]),
        (text((-m).cholesky()), ["[cholesky] the matrix is not positive", "real(2, 2)", "eigenvalues"]),
        (text(pair.solve(pair)), ["matrix 0 of the batch is singular", "real(2, 2, 2)", "identity"]),
        (
            text(x.take(0, i)),
            ["[take] (gather) index 7 at position 1 is outside -2..2", "`i`: int(2,)", "from the end"],
        ),
        (
            text(empty.take(0, i)),
            ["index 0 at position 0 picks from an axis of length 0", "`empty`: real(0, 2)", ""],
        ),
    ] {
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    }
    // A derivative that fails has the line of its forward node.
    let n = g.leaf("n", [[1.0, 2.0], [2.0, 4.0]]);
    let at = line!() + 1;
    let d = n.det().grad(&[n]).expect("connected")[0];
    let text = text(d);
    assert!(text.contains("[det] (solve)") && text.contains(&format!("errors.rs:{at}")), "{text}");
    // Arguments have the lines of their leaves.
    let mut f = g.compile(&[x, i], &[x.take(0, i)]).expect("compiles");
    let short = f.run(&[Tensor::from([1.0, 2.0])]).expect_err("one of two").to_string();
    assert_eq!(short, "the function takes 2 arguments (`x`, `i`), not 1");
    let wrong =
        f.run(&[Tensor::from([1.0, 2.0, 3.0]), Tensor::from([1_i64, 0])]).expect_err("three").to_string();
    assert!(wrong.starts_with("argument 0 (`x`): expected real(2,), found real(3,)"), "{wrong}");
    assert!(wrong.contains(&format!("errors.rs:{line}")), "{wrong}");
    let mut f = g.compiler(&[], &[x]).state(&[(x, x * 0.5)]).build().expect("compiles");
    assert_eq!(f.set_state(&[]).expect_err("none").to_string(), "the function takes 1 state (`x`), not 0");
    // A function's arguments are where it was called.
    let mut product = Function::new(|_, x| Ok(vec![x[0].matmul(x[1])]));
    let at = line!() + 1;
    let error = product.call(&[Tensor::from(1.0), Tensor::from([2.0])]).expect_err("no axes").to_string();
    assert!(error.matches(&format!("errors.rs:{at}")).count() == 2 && !error.contains("/src/"), "{error}");
}

#[test]
fn an_example_has_no_value_outside_of_its_closure() {
    let g = Graph::new();
    let x = g.leaf("x", [[1.0, 2.0]]);
    let mut kept = None;
    let mapped = vmap(&[x], |e| {
        kept = Some(e[0]);
        Ok(vec![e[0]])
    });
    assert!(mapped.is_ok());
    let error = (kept.expect("called") + x).value().expect_err("no value").to_string();
    assert!(error.contains("outside it has no value"), "{error}");
    let own = g.input("example", [2], Kind::Real).value().expect_err("no value either").to_string();
    assert!(!own.contains("vmap"), "a name alone does not make an example: {own}");
    let at = line!() + 1;
    let error = vmap(&[], |_| Ok(Vec::new())).expect_err("nothing to map over").to_string();
    assert!(error.contains(&format!("errors.rs:{at}")), "{error}");
}

#[test]
fn what_a_derivative_recorded_first_has_the_line_of_the_formula() {
    let g = Graph::new();
    let x = g.leaf("x", [1.0, 2.0]);
    let _cos = x.sin().sum(..).grad(&[x]).expect("connected");
    let line = line!() + 1;
    let y = x.cos();
    assert_eq!((y.origin().location.line(), y.origin().phase), (line, Phase::Forward));
    // And stays there.
    let _sin = x.sin().sum(..).grad(&[x]).expect("connected");
    assert_eq!(x.cos().origin().location.line(), line);
}

#[test]
fn main_prints_an_error_as_it_is_displayed() {
    let g = Graph::new();
    let error = g.leaf("x", [1.0]).reshape([2]).value().expect_err("one element");
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[test]
fn a_rule_that_returns_a_value_of_another_graph_is_an_error() {
    // Rules own what they hold, so only a graph that lives for ever can get into one.
    let h: &'static Graph = Box::leak(Box::new(Graph::new()));
    let mut foreign = h.leaf("y", [1.0, 2.0]);
    for _ in 0..300 {
        foreign = foreign.sin();
    }
    let g: &'static Graph = Box::leak(Box::new(Graph::new()));
    let x = g.leaf("x", [1.0, 2.0]);
    fn held<'a>(y: Var<'static>) -> Var<'a> {
        y
    }
    let by_jvp = g.custom_jvp("f", &[x], |x| x[0], move |_, _, _| held(foreign));
    let by_vjp = g.custom_vjp("f", &[x], |x| x[0], move |_, _, _| vec![held(foreign)]);
    for y in [by_jvp, by_vjp] {
        let reverse = y.sum(..).grad(&[x]).map(|_| ());
        let forward = jvp(&[y], &[x], &[x]).map(|_| ());
        for found in [reverse, forward] {
            let error = found.expect_err("of another graph");
            assert!(matches!(error.kind(), ErrorKind::Graphs { .. }), "{error}");
        }
    }
}

#[test]
fn a_number_stands_where_it_is_used() {
    let g = Graph::new();
    let x = g.leaf("x", [1.0, 2.0]);
    // Equal numbers are one node, and so are their broadcasts; these two lines must not be named.
    let (_early, _dead) = (x * 2.0, x + f64::NAN);
    let line = line!() + 1;
    let text = (x.greater(0.0) + 2.0).value().expect_err("truth and a number").to_string();
    assert_eq!(text.matches(&format!("errors.rs:{line}")).count(), 3, "{text}");
    let line = line!() + 1;
    let y = x.exp() + f64::NAN;
    let text =
        g.compiler(&[], &[y]).anomaly(true).build().expect("compiles").run(&[]).expect_err("NaN").to_string();
    assert!(text.contains("a number holds NaN") && text.contains(&format!("errors.rs:{line}")), "{text}");
}
