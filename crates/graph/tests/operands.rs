use chainrule_graph::{Function, Graph, Kind, Optimise, Precision, Var};
use chainrule_tensor::{DType, Tensor};

fn dtype(x: Var<'_>) -> Option<DType> {
    x.value().ok().map(|t| t.dtype())
}

#[test]
fn the_kind_of_a_result_does_not_depend_on_the_value_of_a_number() {
    let g = Graph::new();
    let leaves = [g.leaf("x", [3.0, 4.0]), g.leaf("n", [3_i64, 4]), g.leaf("t", [true, false])];
    type Call = for<'g> fn(Var<'g>, f64) -> Var<'g>;
    let calls: &[Call] = &[
        |x, c| x + c,
        |x, c| c + x,
        |x, c| x - c,
        |x, c| c - x,
        |x, c| x * c,
        |x, c| c * x,
        |x, c| x / c,
        |x, c| c / x,
        |x, c| x.pow(c),
        |x, c| x.maximum(c),
        |x, c| x.minimum(c),
        |x, c| x.less(c),
        |x, c| x.equal(c),
        |x, c| x.clip(c..=c),
        |x, c| x.truth().select(x, c),
        |x, c| x.leaky_relu(c),
        |x, c| x * x.graph().constant(c).broadcast_to([2]),
        |x, c| x + x.graph().constant(c).broadcast_to([1]).reshape([1, 1]),
    ];
    for (i, call) in calls.iter().enumerate() {
        for x in leaves {
            let with = |c: f64| dtype(call(x, c));
            for neutral in [0.0, -0.0, 1.0, -1.0, 2.0, f64::INFINITY] {
                assert_eq!(with(neutral), with(1.5), "call {i}: {:?} with {neutral} and with 1.5", x.kind());
            }
        }
    }
}

#[test]
fn the_mean_of_integers_does_not_depend_on_their_number() {
    let g = Graph::new();
    for shape in [[1_usize, 1], [1, 2], [2, 1], [2, 2], [0, 1]] {
        let n = g.leaf("n", Tensor::ones(shape, DType::I64));
        for axis in [0, 1] {
            let text = n.mean(axis).value().expect_err("integers").to_string();
            assert!(text.contains("[mean]") && text.contains(".real()"), "{text}");
        }
    }
}

#[test]
fn an_integer_literal_is_a_real_beside_reals_and_an_integer_beside_integers() {
    let g = Graph::new();
    let x = g.leaf("x", [3.0, 4.0]);
    let n = g.leaf("n", [3_i64, 4]);
    let pairs: Vec<(Var<'_>, Var<'_>)> = vec![
        (x + 1, x + 1.0),
        (1 - x, 1.0 - x),
        (2 * x, 2.0 * x),
        (x / 2, x / 2.0),
        (1 / x, 1.0 / x),
        (x.pow(2), x.pow(2.0)),
        (x.clip(0..=3), x.clip(0.0..=3.0)),
        (x.greater(3), x.greater(3.0)),
        (x.greater(3).select(x, 0), x.greater(3.0).select(x, 0.0)),
        (x.greater(3).select(1, x), x.greater(3.0).select(1.0, x)),
        (x.greater(3).select(1, 0.5), x.greater(3.0).select(1.0, 0.5)),
        (x * 2_i64, x * 2.0),
        (x * 0.5_f32, x * 0.5),
    ];
    for (a, b) in pairs {
        assert_eq!(a.value().expect("a value"), b.value().expect("a value"));
    }
    for (y, wanted) in [(n + 1, [4, 5]), (1 - n, [-2, -3]), (2 * n, [6, 8]), (n.clip(0..=3), [3, 3])] {
        assert_eq!(y.value().expect("a value"), Tensor::from(wanted.map(i64::from)));
    }
    assert_eq!(dtype(n.greater(3).select(1, 0)), Some(DType::I64));
    assert_eq!(x.pow(2).sum(..).grad(&[x]).expect("a gradient")[0].value(), (2 * x).value());
    // 2⁵³ + 1 is no f64, nor is i64::MAX, though a cast there and back again says so.
    for literal in [(1_i64 << 53) + 1, i64::MAX, -(1 << 53) - 1] {
        let text = (x + literal).value().expect_err("no real").to_string();
        assert!(text.contains(&literal.to_string()) && text.contains("operands.rs:"), "{text}");
        assert_eq!(dtype(n + literal), Some(DType::I64));
    }
    assert!((x + i64::MIN).value().is_ok());
}

#[test]
fn a_real_literal_beside_integers_leads_on() {
    let g = Graph::new();
    let n = g.leaf("n", [3_i64, 4]);
    let text = (n * 1.0).value().expect_err("two kinds").to_string();
    assert!(
        text.contains(".real()") && text.contains("without a point") && text.contains("operands.rs:"),
        "{text}"
    );
}

#[test]
fn values_are_updated_in_place_of_themselves() {
    let g = Graph::new();
    let x = g.leaf("x", 3.0);
    let mut y = x;
    y += 1;
    y *= x;
    y -= 0.5;
    y /= 2;
    assert_eq!(y.value().expect("a value"), Tensor::from(5.75));
    let line = line!() + 1;
    y += g.leaf("v", [1.0, 2.0]).reshape([3]);
    assert!(y.value().expect_err("three of two").to_string().contains(&format!("operands.rs:{line}")));
}

#[test]
fn integers_have_products_of_nothing_and_exact_extremes() {
    let g = Graph::new();
    let none = g.leaf("none", Tensor::zeros([2, 0], DType::I64));
    assert_eq!(none.prod(1).value().expect("ones"), Tensor::from([1_i64, 1]));
    let big = 1_i64 << 53;
    let values = Tensor::from([[big, big + 1, big], [-big, -big - 1, i64::MIN]]);
    let n = g.leaf("n", values.clone());
    assert_eq!(n.argmax(1).value().expect("positions"), Tensor::from([1_i64, 0]));
    assert_eq!(n.argmin(1).value().expect("positions"), Tensor::from([0_i64, 2]));
    assert_eq!(n.argmin(0).value().expect("positions"), Tensor::from([1_i64, 1, 1]));
    assert_eq!(values.argmax(1).expect("positions"), Tensor::from([1_i64, 0]));
    assert!(n.truth().argmax(0).value().expect_err("truth").to_string().contains(".int()"));
}

#[test]
fn nothing_is_narrowed_unasked() {
    // 2²⁵ + 1 is no f32.
    let odd = (1_i64 << 25) + 1;
    let real = |t: &Tensor| t.item::<f64>().expect("a real");
    let mut total = Function::new(|_, x| Ok(vec![x[0].real().sum(..)]));
    assert_eq!(real(&total.call(&[Tensor::from([odd])]).expect("runs")[0]), odd as f64);
    let mut nothing = Function::new(|g, _| Ok(vec![g.constant(odd).real()]));
    assert_eq!(real(&nothing.call(&[]).expect("runs")[0]), odd as f64);
    for (arguments, wanted) in [
        (vec![Tensor::from([1.0_f32]), Tensor::from([odd])], DType::F32),
        (vec![Tensor::from([1.0_f32]), Tensor::from([1.0])], DType::F64),
    ] {
        let mut first = Function::new(|_, x| Ok(vec![x[0] * 2]));
        assert_eq!(first.call(&arguments).expect("runs")[0].dtype(), wanted);
    }

    let g = Graph::new();
    let x = g.input("x", [1], Kind::Real);
    let given = Tensor::from([1e300]);
    let run = |g: &Graph, x: Var<'_>| {
        g.compile(&[x], &[x * 2]).and_then(|mut f| f.run(std::slice::from_ref(&given)).map(|r| r[0].clone()))
    };
    assert_eq!(run(&g, x).expect("runs"), Tensor::from([2e300]));
    let w = g.leaf("w", [0.5]);
    assert_eq!(g.compile(&[], &[w]).expect("plans").precision(), Precision::F64);
    let narrow = g.compiler(&[], &[w]).precision(Precision::F32).optimise(Optimise::NONE).build();
    assert_eq!(narrow.expect("plans").precision(), Precision::F32);

    let g = Graph::new();
    let (x, w) = (g.input("x", [1], Kind::Real), g.leaf("w", Tensor::from([0.5_f32])));
    let plan = g.compile(&[x], &[x * w]).expect("plans");
    assert_eq!(plan.precision(), Precision::F32, "values of the graph that are all f32 say so");
}
