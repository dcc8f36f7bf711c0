use chainrule_graph::{ErrorKind, Function, Graph, Kind, jvp, vjp};
use chainrule_tensor::{Error as TensorError, Tensor};

#[test]
fn a_shape_error_names_the_rule_the_line_and_the_operands() {
    let g = Graph::new();
    let a = g.leaf("a", [[1.0, 2.0]]);
    let b = g.leaf("b", [[1.0], [2.0], [3.0]]);
    let line = line!() + 1;
    let c = a.matmul(b);
    let error = (c.tanh() + 1.0).sum(&[]).value().expect_err("inner lengths differ");
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
    let bad = x.reshape(&[3]);
    assert!(bad.is_poisoned());
    assert!(bad.value().is_err());
    assert!(bad.dim(0).is_err());
    assert!(bad.sum(&[]).grad(&[x]).is_err());
    assert!(x.sum(&[]).grad(&[bad]).is_err());
    assert!(g.compile(&[], &[bad]).is_err());
    assert!(g.compiler(&[], &[]).state(&[(x, bad)]).build().is_err());
    assert!(jvp(&[bad], &[x], &[x]).is_err());
    assert!(vjp(&[bad], &[x], &[x]).is_err());
    assert!(chainrule_graph::check::gradients(bad, &[x]).is_err());
    assert!(Function::new(|_, x| Ok(vec![x[0].reshape(&[3])])).call(&[Tensor::from([1.0, 2.0])]).is_err());
}

#[test]
fn each_rule_that_can_be_broken_is_an_error() {
    let g = Graph::new();
    let x = g.leaf("x", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let n = g.leaf("n", [1_i64, 2]);
    let empty = g.input("empty", [0, 3], Kind::Real);
    let cases = [
        (x + g.leaf("y", [1.0, 2.0]), "lengths must be equal or 1"),
        (x.sum(&[2]), "axis 2 is out of range"),
        (x.sum(&[0, 0]), "twice"),
        (x.permute(&[0, 0]), "each of the 2 axes once"),
        (x.reshape(&[4, -1]), "cannot be divided"),
        (x.slice(1, 2..4), "does not lie in axis 1"),
        (g.concat(&[x, n.real()], 0), "must be equal"),
        (g.concat(&[], 0), "at least one operand"),
        (x.broadcast_to([2, 4]), "must be equal or 1"),
        (n.exp(), "cast it with .real()"),
        (n + x.slice(1, 0..2), "make both real"),
        (n.expand(1).select(x, x), "condition"),
        (empty.max(&[0]), "no extreme"),
        (n.uniform("u", [3]) + x.t(), "must be equal or 1"),
        (x.uniform("u", [3]), "a pair of integers"),
        (x.in_range(3, "label"), "labels must be integers"),
        (n.t(), "at least 2 axes"),
        (x.matmul(n.real()), "at least 2 axes"),
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
    let y = x.sum(&[]) + labels.in_range(3, "label").real().sum(&[]);
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
    assert_eq!(f.run(&[good, in_range]).expect("sound again")[0].item::<f32>().expect("a number"), 5.0);
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
        x.reshape(&[isize::MAX, isize::MAX]),
    ];
    for v in cases {
        let text = v.value().expect_err("too large").to_string();
        assert!(text.contains("too many"), "{text}");
        assert!(text.contains("errors.rs:"), "{text}");
    }
}
