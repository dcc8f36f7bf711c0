use chainrule_graph::{Graph, Kind, Optimise, Precision, Var};
use chainrule_tensor::Tensor;

#[test]
fn a_graph_ten_thousand_nodes_deep_differentiates_and_runs() {
    let g = Graph::new();
    let x = g.leaf("x", [0.5, -0.25]);
    let mut y = x;
    for _ in 0..10_000 {
        y = (y * 1.0001).sin();
    }
    let gradient = y.sum(..).grad(&[x]).expect("connected")[0];
    assert!(g.len() > 40_000);
    let fast = gradient.value().expect("runs");
    let mut slow = g
        .compiler(&[], &[gradient])
        .precision(Precision::F64)
        .optimise(Optimise::NONE)
        .build()
        .expect("plans");
    assert_eq!(fast, slow.run(&[]).expect("runs")[0]);
}

#[test]
fn equal_nodes_are_one_and_dead_ones_are_not_run() {
    let g = Graph::new();
    let x = g.input("x", [4], Kind::Real);
    let before = g.len();
    let (a, b) = (x.exp(), x.exp());
    assert_eq!(a.id(), b.id());
    assert_eq!(g.len(), before + 1);
    let _dead = x.sin();
    let f = g.compile(&[x], &[a]).expect("plans");
    let plan = f.to_string();
    assert!(plan.contains("1 steps") && !plan.contains("sin"), "{plan}");
}

#[test]
fn a_repeated_number_is_not_folded_into_an_array() {
    let g = Graph::new();
    let x = g.input("x", [5000], Kind::Real);
    let two = g.constant(2.0);
    let c = two.broadcast_to([5000]).exp();
    // What is computed from the repeated number is fused with its user; from the number itself, folded.
    let f = g.compile(&[x], &[x * c + two.sin()]).expect("plans");
    let plan = f.to_string();
    assert!(plan.contains("1 steps") && plan.contains("exp mul") && !plan.contains("sin"), "{plan}");
    // An array is folded as before, and so is what a kernel makes of a repeated number.
    let row = g.constant(Tensor::from(vec![1.5; 5000])).exp() * c.sum(..);
    let plan = g.compile(&[x], &[x * row]).expect("plans").to_string();
    assert!(plan.contains("1 steps") && !plan.contains("exp"), "{plan}");
}

#[test]
fn chains_are_one_step_and_constants_none() {
    let g = Graph::new();
    let x = g.input("x", [4], Kind::Real);
    let c = (g.constant([1.0, 2.0, 3.0, 4.0]) * 2.0).exp();
    let y = ((x * c).tanh() + 1.0).relu() / c;
    let plan = g.compile(&[x], &[y]).expect("plans").to_string();
    assert!(plan.starts_with("plan: 1 steps"), "{plan}");
}

#[test]
fn transposes_cost_nothing() {
    let g = Graph::new();
    let (a, b) = (g.input("a", [3, 4], Kind::Real), g.input("b", [5, 3], Kind::Real));
    let plan = g.compile(&[a, b], &[a.t().matmul(b.t())]).expect("plans").to_string();
    assert!(plan.starts_with("plan: 1 steps"), "{plan}");
}

#[test]
fn the_first_rows_of_a_buffer_are_not_the_buffer() {
    let g = Graph::new();
    let x = g.leaf("x", [[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!(x.slice(0, 0..1).sum(0).value().expect("runs"), Tensor::from([1.0, 2.0]));
    assert_eq!(x.slice(0, 0..1).argmax(1).value().expect("runs"), Tensor::from([1_i64]));
    assert_eq!(x.slice(0, 0..0).sum(0).value().expect("runs"), Tensor::from([0.0, 0.0]));
}

#[test]
fn state_is_updated_in_place_and_can_be_read_and_set() {
    let g = Graph::new();
    let w = g.leaf("w", [1.0, 2.0]);
    let old = g.leaf("old", [0.0, 0.0]);
    let x = g.input("x", [2], Kind::Real);
    // `old` takes the value that `w` has before its update.
    let next = w - 0.5 * (w * x);
    for optimise in [Optimise::ALL, Optimise::NONE] {
        let mut step = g
            .compiler(&[x], &[next.sum(..)])
            .state(&[(w, next), (old, w)])
            .precision(Precision::F64)
            .optimise(optimise)
            .build()
            .expect("plans");
        let ones = Tensor::from([1.0, 1.0]);
        assert_eq!(step.run(std::slice::from_ref(&ones)).expect("runs")[0], Tensor::from(1.5));
        assert_eq!(step.state(), [Tensor::from([0.5, 1.0]), Tensor::from([1.0, 2.0])]);
        step.run(std::slice::from_ref(&ones)).expect("runs");
        assert_eq!(step.state(), [Tensor::from([0.25, 0.5]), Tensor::from([0.5, 1.0])]);
        step.set_state(&[Tensor::from([4.0, 8.0]), Tensor::from([0.0, 0.0])]).expect("fits");
        step.run(&[ones]).expect("runs");
        assert_eq!(step.state()[0], Tensor::from([2.0, 4.0]));
        assert!(step.set_state(&[Tensor::from(1.0)]).is_err());
    }
}

#[test]
fn results_that_are_kept_stay_what_they_are() {
    let g = Graph::new();
    let x = g.input("x", [3], Kind::Real);
    let w = g.leaf("w", [0.0, 0.0, 0.0]);
    // A result of its own, the same once more, the next state, and a view of the argument.
    let y = x.exp();
    let next = w + x;
    let mut f = g
        .compiler(&[x], &[y, y, next, x])
        .state(&[(w, next)])
        .precision(Precision::F64)
        .build()
        .expect("plans");
    let mut kept: Vec<Vec<Tensor>> = Vec::new();
    for i in 0..4 {
        let found = f.run(&[Tensor::full([3], f64::from(i))]).expect("runs");
        if i != 2 {
            kept.push(found.to_vec());
        }
    }
    for (of, (i, sum)) in kept.iter().zip([(0.0_f64, 0.0), (1.0, 1.0), (3.0, 6.0)]) {
        let e = Tensor::full([3], i).exp().expect("reals");
        assert_eq!(of[..], [e.clone(), e, Tensor::full([3], sum), Tensor::full([3], i)]);
    }
}

#[test]
fn states_may_exchange_their_values() {
    let g = Graph::new();
    let (a, b) = (g.leaf("a", [1.0, 2.0]), g.leaf("b", [3.0, 4.0]));
    let mut step =
        g.compiler(&[], &[]).state(&[(a, b), (b, a)]).precision(Precision::F64).build().expect("plans");
    step.run(&[]).expect("runs");
    assert_eq!(step.state(), [Tensor::from([3.0, 4.0]), Tensor::from([1.0, 2.0])]);
}

#[test]
fn dump_and_dot_show_shapes_lines_and_phases() {
    let g = Graph::new();
    let w = g.leaf("w", [[1.0, 2.0]]);
    let loss = {
        let _scope = g.enter("block.hidden");
        (w.tanh() * w).sum(..)
    };
    let d = loss.grad(&[w]).expect("connected")[0];
    let dump = g.to_string();
    assert!(dump.contains("%1 = tanh %0 : real(1, 2)  ; "), "{dump}");
    assert!(dump.contains("in `block.hidden`") && dump.contains("(backward)"), "{dump}");
    let dot = g.dot(&[loss, d]).expect("values");
    assert!(dot.contains("real(1, 2)") && dot.contains("block.hidden") && dot.ends_with("}\n"), "{dot}");
}

/// Takes positive numbers only, and not by an error.
struct Panics;

impl chainrule_graph::CustomOp for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }
    fn infer(&self, args: &[&chainrule_graph::Type]) -> Result<chainrule_graph::Type, String> {
        Ok(args[0].clone())
    }
    fn forward(&self, args: &[Tensor]) -> chainrule_tensor::Result<Tensor> {
        assert!(args[0].to_vec::<f64>()?[0] > 0.0, "the user's own");
        Ok(args[0].clone())
    }
    fn vjp<'g>(&self, _: &[Var<'g>], _: Var<'g>, ct: Var<'g>) -> Vec<Var<'g>> {
        vec![ct]
    }
}

#[test]
fn a_plan_whose_run_panicked_says_so() {
    let g = Graph::new();
    let x = g.leaf("x", [1.0]);
    let mut plan = g.compile(&[x], &[g.custom(Panics, &[x])]).expect("compiles");
    assert!(plan.run(&[Tensor::from([1.0])]).is_ok());
    let run = std::panic::AssertUnwindSafe(|| plan.run(&[Tensor::from([-1.0])]).is_ok());
    assert!(std::panic::catch_unwind(run).is_err());
    let error = plan.run(&[Tensor::from([1.0])]).expect_err("its buffers are in no order");
    assert!(matches!(error.kind(), chainrule_graph::ErrorKind::Panicked), "{error}");
    assert!(g.custom(Panics, &[x]).value().is_ok(), "others are as they were");
}
