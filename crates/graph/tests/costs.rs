use chainrule_graph::{
    Error, Function, Graph, Keep, Kind, Optimise, Precision, Scan, Var, check, hessian, hvp, jacobian, jvp,
    vjp, vmap,
};
use chainrule_tensor::Tensor;

fn number(v: Var<'_>) -> f64 {
    v.value().expect("runs").item().expect("a number")
}

/// Fails unless the third call records no more than the second, and the second no more than the first.
fn settles<'g>(name: &str, g: &'g Graph, ask: impl Fn() -> Result<Vec<Var<'g>>, Error>) {
    let [first, second, third] = [(); 3].map(|()| {
        ask().expect("asked for soundly").iter().for_each(|v| drop(v.value().expect("runs")));
        g.len()
    });
    assert!(first == second && second == third, "{name}: {first}, {second}, {third} nodes");
}

#[test]
fn asking_again_records_nothing() {
    let g = Graph::new();
    let x = g.leaf("x", [0.5, -0.3]);
    let w = g.leaf("w", [1.5, 2.5]);
    let own = g.custom_vjp("own", &[x], |x| x[0].exp(), |_, y, ct| vec![ct * y]);
    let h = (own * w).tanh();
    let y = (h.sin() * h.checkpoint(&[x])).sum(..);
    let ones = g.constant([1.0, 1.0]);
    settles("grad", &g, || y.grad(&[x, w]));
    settles("grad of grad", &g, || y.grad(&[x])?[0].square().sum(..).grad(&[w]));
    settles("hvp", &g, || hvp(y, &[w], &[ones]));
    settles("jvp", &g, || jvp(&[h], &[w], &[ones]));
    settles("jvp of what has a vjp", &g, || jvp(&[own], &[x], &[ones]));
    settles("vjp", &g, || Ok(vjp(&[h], &[w], &[ones])?.into_iter().flatten().collect()));
    settles("jacobian", &g, || Ok(vec![jacobian(h, w)?]));
    settles("hessian", &g, || Ok(hessian(y, &[w])?.concat()));
}

#[test]
fn what_stays_of_a_derivative_can_be_differentiated_again() {
    let g = Graph::new();
    let (x, y) = (g.leaf("x", 3.0), g.leaf("y", 5.0));
    // A derivative within another: the inner variable is not the outer one.
    let inner = (x * y).grad(&[y]).expect("connected")[0];
    let outer = (x * inner).grad(&[x]).expect("connected")[0];
    assert_eq!(number(outer), 6.0);
    // x⁵ and its derivatives, each asked for twice, and other things in between.
    let mut d = x * x * x * x * x;
    for expected in [405.0, 540.0, 540.0, 360.0, 120.0] {
        let once = d.grad(&[x]).expect("connected")[0];
        let _other = (d * y).grad(&[y, x]).expect("connected");
        assert!(x.matmul(y).grad(&[x]).is_err());
        assert_eq!(d.grad(&[x]).expect("connected")[0].id(), once.id());
        assert_eq!(number(once), expected);
        d = once;
    }
}

#[test]
fn a_derivative_that_fails_leaves_nothing() {
    let g = Graph::new();
    let x = g.leaf("x", 3.0);
    let wrong = g.custom_jvp("wrong", &[x], |x| x[0].exp(), |_, _, t| t[0] + 1.0);
    assert!(wrong.grad(&[x]).is_err());
    // But for the number 1 that it began with.
    let before = g.len();
    assert!(wrong.grad(&[x]).is_err());
    assert_eq!(g.len(), before);
    assert_eq!(number(x * 2.0), 6.0);
}

#[test]
fn numbers_asked_for_are_those_of_a_plan() {
    let g = Graph::new();
    let mut x = g.leaf("x", [0.5, -0.25]);
    for i in 0..200 {
        x = (x * 1.01).sin();
        let value = x.value().expect("runs");
        if i % 20 == 0 {
            let plain = g.compiler(&[], &[x]).precision(Precision::F64).optimise(Optimise::NONE);
            assert_eq!(value, plain.build().expect("plans").run(&[]).expect("runs")[0], "step {i}");
        }
    }
    // Numbers and leaves, too.
    let (two, leaf) = (g.constant(2.0), g.leaf("a", 5.0));
    assert_eq!((number(two), number(leaf), number(two * leaf)), (2.0, 5.0, 10.0));
    assert_eq!(number((two * leaf).exp().ln()), 10.0);
    // What is looked at in between leaves no numbers behind for nodes that come to stand in its place.
    let y = x.square().sum(..);
    assert!(check::gradients(y, &[x]).is_err());
    let leaf = g.leaf("z", [1.0, 2.0]);
    let z = leaf.square().sum(..);
    assert!(check::gradients(z, &[leaf]).expect("runs").is_fine());
    assert_eq!(number(leaf.sum(..)), 3.0);
    assert_eq!(number(z * 3.0), 15.0);
    // The width of reals is that of what the graph holds now.
    let narrow = Graph::new();
    let x = narrow.leaf("x", Tensor::from([0.1_f32, 0.2]));
    assert!(x.sum(..).value().expect("runs").as_slice::<f32>().is_some());
    assert!(check::gradients(x.square().sum(..), &[x]).is_ok());
    assert!(x.exp().value().expect("runs").as_slice::<f32>().is_some());
    let _wide = narrow.constant([1.0_f64, 2.0]);
    assert!(x.exp().value().expect("runs").as_slice::<f64>().is_some());
}

#[test]
fn a_function_keeps_the_plans_of_the_last_signatures() {
    let mut f = Function::new(|_, x| Ok(vec![x[0].sum(..)])).keep(3);
    let ones = |n: usize| Tensor::from(vec![1.0; n]);
    for n in [1, 2, 3, 1, 4, 5, 1, 2] {
        assert_eq!(f.call(&[ones(n)]).expect("runs")[0].item::<f64>().expect("a number"), n as f64);
        assert!(f.signatures() <= 3);
    }
    f.clear();
    assert_eq!(f.signatures(), 0);
    assert_eq!(f.call(&[ones(2)]).expect("runs")[0].item::<f64>().expect("a number"), 2.0);
}

/// Bytes of the plan for the gradient of a sum over slices of an intermediate value, in units of that value.
fn slices(k: usize, slice: impl Fn(Var<'_>, usize) -> Option<(usize, usize, usize)>) -> (f64, bool) {
    let n = 256 * 256;
    let g = Graph::new();
    let numbers: Vec<f32> = (0..n).map(|i| (i % 101) as f32 / 50.0 - 1.0).collect();
    let x = g.leaf("x", Tensor::from(numbers));
    let mut loss = g.constant(0.0);
    for i in 0..k {
        let (start, end, step) = slice(x, i).expect("a slice");
        let part = x.slice_step(0, start..end, step);
        loss += (part * (i as f64 + 1.0)).sin().sum(..);
    }
    let d = loss.grad(&[x]).expect("connected");
    let mut fast = g.compile(&[x], &d).expect("plans");
    let mut slow = g.compiler(&[x], &d).optimise(Optimise::NONE).build().expect("plans");
    let argument = [x.value().expect("bound")];
    let same = fast.run(&argument).expect("runs") == slow.run(&argument).expect("runs");
    (fast.bytes() as f64 / (4 * n) as f64, same)
}

#[test]
fn the_gradient_of_many_slices_takes_the_memory_of_a_few_values() {
    let n = 256 * 256;
    for k in [4, 16, 64, 256] {
        let side_by_side = slices(k, |_, i| Some((i * n / k, (i + 1) * n / k, 1)));
        let every_kth = slices(k, |_, i| Some((i, n, k)));
        let apart = slices(k, |_, i| Some((i * n / k, i * n / k + n / k / 2, 1)));
        for (name, (ratio, same)) in
            [("side by side", side_by_side), ("every kth", every_kth), ("apart", apart)]
        {
            assert!(same, "{k} slices {name}: other numbers without optimisation");
            assert!(ratio <= 3.0, "{k} slices {name}: {ratio} times the value");
        }
    }
    // The slices themselves are k values here; their paddings are added one by one.
    let (ratio, same) = slices(32, |_, i| Some((i, n - i, 1)));
    assert!(same, "slices one within another: other numbers without optimisation");
    assert!(ratio <= 32.0 + 3.0, "slices one within another: {ratio} times the value");
}

#[test]
fn the_gradient_of_a_weight_used_many_times_takes_the_memory_of_a_few_weights() {
    let g = Graph::new();
    let drawn = |n: usize| (0..n).map(|i| (i % 31) as f32 / 310.0 - 0.05).collect::<Vec<_>>();
    let w = g.leaf("w", Tensor::from_vec(drawn(64 * 64), [64, 64]).expect("64 x 64"));
    let mut h = g.constant(Tensor::from_vec(drawn(64), [1, 64]).expect("1 x 64"));
    for _ in 0..40 {
        h = h.matmul(w).tanh();
    }
    let d = h.sum(..).grad(&[w]).expect("connected");
    let mut fast = g.compile(&[], &d).expect("plans");
    let mut slow = g.compiler(&[], &d).optimise(Optimise::NONE).build().expect("plans");
    assert_eq!(fast.run(&[]).expect("runs"), slow.run(&[]).expect("runs"));
    let weights = fast.bytes() as f64 / (64.0 * 64.0 * 4.0);
    assert!(weights < 5.0, "{weights} times the weight");
}

#[test]
fn slices_that_overlap_are_added() {
    let g = Graph::new();
    let x = g.leaf("x", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let windows = (0..4).map(|i| x.slice(0, i..i + 3) * (i as f64 + 1.0));
    let apart = [x.slice_step(0, 0..6, 2) * 10.0, x.slice_step(0, 1..6, 3) * 100.0];
    let y = windows.chain(apart).map(|part| part.sum(..)).reduce(|a, b| a + b).expect("parts");
    let expected = Tensor::from([11.0, 103.0, 16.0, 9.0, 117.0, 4.0]);
    assert_eq!(y.grad(&[x]).expect("connected")[0].value().expect("runs"), expected);
    // Over two examples, and once more.
    let both = g.constant([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]);
    let each = vmap(&[both], |e| {
        let y = (e[0].slice(0, 0..2).square().sum(..) + e[0].slice(0, 2..3).exp().sum(..)).sum(..);
        y.grad(&[e[0]])
    });
    let each = each.expect("connected")[0];
    let expected = Tensor::from([[2.0, 4.0, 3.0_f64.exp(), 0.0], [10.0, 12.0, 7.0_f64.exp(), 0.0]]);
    assert_eq!(each.value().expect("runs"), expected);
}

#[test]
fn registers_are_as_long_as_the_data_and_counted() {
    let g = Graph::new();
    let x = g.leaf("x", Tensor::from([0.5_f32, 0.25, -0.125]));
    let mut y = x;
    for _ in 0..5_000 {
        y = (y * 0.999).sin();
    }
    let d = y.sum(..).grad(&[x]).expect("connected");
    let mut f = g.compile(&[], &d).expect("plans");
    // One number of each step is kept, three of them in a place for four.
    assert!((5_000 * 16..4 * 5_000 * 16).contains(&f.bytes()), "{} bytes", f.bytes());
    let mut slow = g.compiler(&[], &d).optimise(Optimise::NONE).build().expect("plans");
    assert_eq!(f.run(&[]).expect("runs"), slow.run(&[]).expect("runs"));
}

#[test]
fn blocks_shorter_than_usual_give_the_same_bits() {
    let g = Graph::new();
    let numbers: Vec<f32> = (0..40_001).map(|i| (i % 977) as f32 / 977.0).collect();
    let x = g.leaf("x", Tensor::from(numbers));
    let (mut y, mut n) = (x, g.constant(1_i64));
    for i in 0..400 {
        // Many numbers, of all kinds, and hundreds of values alive at once.
        y = (y * (1.0 + f64::from(i) / 1e4) + 1e-3).sin();
        n += i64::from(i);
        y = y.greater(f64::from(i) / 500.0).select(y, n.real() * 1e-6 + y);
    }
    let d = y.sum(..).grad(&[x]).expect("connected");
    let mut f = g.compile(&[x], &d).expect("plans");
    assert!(f.bytes() < 8 << 20, "{} bytes", f.bytes());
    let mut slow = g.compiler(&[x], &d).optimise(Optimise::NONE).build().expect("plans");
    let argument = [x.value().expect("bound")];
    assert_eq!(f.run(&argument).expect("runs"), slow.run(&argument).expect("runs"));
}

/// Nodes once a recurrent loop of so many steps is recorded, once it is differentiated, once more, and the plan's text.
fn looped(length: usize, keep: Keep) -> (Vec<usize>, String) {
    let g = Graph::new();
    let (x, w) = (g.input("x", [length, 2, 3], Kind::Real), g.input("w", [3, 3], Kind::Real));
    let h = g.constant(0.0).broadcast_to([2, 3]);
    let (_, all) = Scan::new()
        .keep(keep)
        .run(&[h], &[x], |h, x| {
            let h = (h[0].matmul(w) + x[0]).tanh();
            Ok((vec![h], vec![h]))
        })
        .expect("a loop");
    let mut nodes = vec![g.len()];
    let once = all[0].square().sum(..).grad(&[w]).expect("connected")[0];
    nodes.push(g.len());
    let twice = once.square().sum(..).grad(&[x]).expect("connected")[0];
    nodes.push(g.len());
    let plan = g.compile(&[x, w], &[once, twice]).expect("plans").to_string();
    (nodes, plan)
}

#[test]
fn a_loop_of_any_length_records_differentiates_and_plans_the_same() {
    for keep in [Keep::All, Keep::Every(10), Keep::SquareRoot] {
        let ((nodes, plan), (more, longer)) = (looped(100, keep), looped(10_000, keep));
        assert_eq!(nodes, more, "{keep:?}");
        // Of the plans, too, only sizes differ.
        assert_eq!(plan.lines().count(), longer.lines().count(), "{keep:?}: {plan}\n{longer}");
    }
}

#[test]
fn formulas_as_values_may_go_to_other_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<chainrule_graph::Body>();
    shared::<chainrule_graph::plan::Plan>();
}
