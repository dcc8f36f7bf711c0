use chainrule_sketch::{Flow, Sketch};
use chainrule_tensor::kernels::Kind;
use proptest::prelude::*;

use super::*;
use crate::{ErrorKind, Var, cond, scan};

// What holds of every drawing is one test, that of the crate which draws.
#[path = "../../../sketch/tests/geometry/mod.rs"]
mod geometry;

use geometry::check_sketch;

fn sketched(picture: &Picture<'_>) -> Sketch {
    picture.sketch().expect("can be drawn")
}

/// Draws `outputs` in every way.
fn check_all(graph: &Graph, outputs: &[Var<'_>]) {
    for depth in [None, Some(0), Some(1), Some(2)] {
        for values in [false, true] {
            let mut picture = graph.picture(outputs).values(values);
            picture.depth = depth;
            check_sketch(&sketched(&picture));
            let text = picture.svg().expect("can be drawn");
            assert_eq!(text, picture.svg().expect("again"), "the same graph gives the same bytes");
        }
    }
}

/// A net of `layers` scopes in blocks of two, with its gradients.
fn net(graph: &Graph, layers: usize) -> Vec<Var<'_>> {
    let mut h = graph.leaf("x", [[0.5, -1.0, 2.0], [1.0, 0.0, -0.5]]);
    let mut wrt = Vec::new();
    for i in 0..layers {
        let _scope = graph.enter(&format!("block{}.layer{i}", i / 2));
        let w = graph.leaf(&format!("block{}.layer{i}.weight", i / 2), [[0.1, 0.2, 0.3]; 3]);
        let b = graph.leaf(&format!("block{}.layer{i}.bias", i / 2), [0.1, 0.2, 0.3]);
        h = (h.matmul(w) + b).tanh();
        wrt.extend([w, b]);
    }
    let loss = (h * h).mean(..);
    let mut outputs = vec![loss];
    outputs.extend(loss.grad(&wrt).expect("connected"));
    outputs
}

#[test]
fn the_graph_of_the_lecture_has_its_numbers() {
    let g = Graph::new();
    let (a, b, c) = (g.leaf("a", 5.0), g.leaf("b", 3.0), g.leaf("c", 2.0));
    let u = b * c;
    let v = a + u;
    let j = 3.0 * v;
    let wrt = [v, a, u, b, c];
    let d = j.grad(&wrt).expect("connected");
    let picture =
        g.picture(&[j]).name(u, "u").name(v, "v").name(j, "J").values(true).derivatives(j, &wrt, &d);
    check_sketch(&sketched(&picture));
    let svg = picture.svg().expect("drawn");
    for text in ["u = b × c", "v = a + u", "J = 3 × v", ">33<", "dJ/dv = 3", "dJ/db = 6", "dJ/dc = 9"] {
        assert!(svg.contains(text), "{text} is missing");
    }
    check_all(&g, &[j, d[0], d[3], d[4]]);
}

#[test]
fn nets_with_scopes_are_framed_and_collapse() {
    let g = Graph::new();
    let outputs = net(&g, 3);
    check_all(&g, &outputs);
    let all = g.picture(&outputs).svg().expect("drawn");
    assert!(all.contains("block0.layer1 · backward") && all.contains("saved 48 bytes"), "{all}");
    let blocks = g.picture(&outputs).depth(0).svg().expect("drawn");
    assert!(blocks.contains(">block0<") && !blocks.contains(">block0.layer0<"));
    assert!(blocks.len() < all.len());
}

#[test]
fn a_scope_that_is_left_and_entered_again_has_two_frames() {
    let g = Graph::new();
    let twice = |x: Var<'_>| {
        let _scope = x.graph().enter("shared");
        x.exp().id()
    };
    let x = g.leaf("x", 1.0);
    let h = g.var(twice(x)).sin();
    let y = g.var(twice(h));
    assert_eq!(sketched(&g.picture(&[y])).placed().expect("drawn").frames.len(), 2);
    check_all(&g, &[y]);
}

#[test]
fn long_names_and_strange_characters_stay_inside_and_are_escaped() {
    let g = Graph::new();
    let name = "a<b> & \"c\" \u{1} 数学 ".repeat(20);
    let x = g.leaf(&name, [1.0, 2.0]);
    let _scope = g.enter(&name);
    let y = x.exp();
    check_all(&g, &[y]);
    let svg = g.picture(&[y]).svg().expect("drawn");
    assert!(svg.contains("a&lt;b&gt; &amp; &quot;c&quot;") && !svg.contains('\u{1}'));
}

#[test]
fn nothing_and_errors() {
    let (g, other) = (Graph::new(), Graph::new());
    check_all(&g, &[]);
    let x = g.leaf("x", [1.0, 2.0]);
    let poisoned = x.matmul(g.leaf("y", [1.0, 2.0, 3.0]));
    let kind = |picture: Picture<'_>| picture.svg().expect_err("cannot be drawn").kind().clone();
    assert!(matches!(kind(g.picture(&[x, poisoned])), ErrorKind::Tensor(_)));
    assert!(matches!(kind(g.picture(&[x]).name(poisoned, "p")), ErrorKind::Tensor(_)));
    assert!(matches!(kind(other.picture(&[x])), ErrorKind::Graphs { .. }));
    assert!(matches!(kind(g.picture(&[x]).derivatives(x, &[x], &[])), ErrorKind::Gradient(_)));
    let apart = g.leaf("z", 1.0);
    assert!(matches!(kind(g.picture(&[x]).derivatives(x, &[apart], &[x])), ErrorKind::Gradient(_)));
    let unbound = g.input("u", [2], Kind::Real);
    assert!(g.picture(&[unbound]).svg().is_ok());
    assert!(matches!(kind(g.picture(&[unbound]).values(true)), ErrorKind::Unbound { .. }));
}

#[test]
fn two_hundred_nodes() {
    let g = Graph::new();
    let outputs = net(&g, 16);
    assert!(g.len() > 200);
    check_all(&g, &outputs);
}

#[test]
fn ten_thousand_nodes_in_a_row_with_their_gradient_are_drawn_in_seconds() {
    let g = Graph::new();
    let x = g.leaf("x", [0.5, -0.25]);
    let mut y = x;
    for _ in 0..3_500 {
        y = (y * 1.0001).sin();
    }
    let d = y.sum(..).grad(&[x]).expect("connected");
    assert!(g.len() > 10_000);
    let start = std::time::Instant::now();
    let svg = g.picture(&d).svg().expect("drawn");
    assert!(svg.len() > 1_000_000);
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

#[test]
fn plans_are_drawn_without_overlaps() {
    let g = Graph::new();
    let outputs = net(&g, 4);
    for optimise in [crate::Optimise::ALL, crate::Optimise::NONE] {
        let plan = g.compiler(&[], &outputs).optimise(optimise).build().expect("plans");
        check_sketch(&plan::sketch(&plan));
    }
    let w = g.leaf("w", [1.0, 2.0]);
    let loss = (w * w).sum(..);
    let d = loss.grad(&[w]).expect("connected")[0];
    let step = g.compiler(&[], &[loss]).state(&[(w, w - 0.1 * d)]).build().expect("plans");
    let svg = step.svg();
    for text in [">w<", "next w", "in place", "result 0", "operations in one pass"] {
        assert!(svg.contains(text), "{text} is missing: {step}");
    }
    check_sketch(&plan::sketch(&step));
}

/// A graph from random choices: each node takes earlier ones, some in scopes, some with gradients.
fn random(graph: &Graph, choices: &[(u8, u8, u8, u8)], gradient: bool) -> Vec<NodeId> {
    let mut made =
        vec![graph.leaf("x", [[0.5, 1.5], [2.5, 0.25]]), graph.leaf("y", [[1.0, 0.5], [0.25, 2.0]])];
    let names = ["", "a", "b", "a.inner", "a.inner.most"];
    for &(op, left, right, scope) in choices {
        let _scope = graph.enter(names[usize::from(scope) % names.len()]);
        let (l, r) = (made[usize::from(left) % made.len()], made[usize::from(right) % made.len()]);
        made.push(match op % 7 {
            0 => l + r,
            1 => l * r,
            2 => l.tanh(),
            3 => l.matmul(r),
            4 => 0.5 * l,
            5 => l.sum(0).broadcast_to([2, 2]),
            _ => l.t() - 1.0,
        });
    }
    let mut outputs = vec![made[made.len() - 1]];
    if gradient {
        let loss = outputs[0].sum(..);
        outputs.extend(loss.grad_or_zeros(&made[..2]).expect("real"));
    }
    outputs.iter().map(|v| v.id()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_graphs_are_drawn_without_overlaps(
        choices in proptest::collection::vec(any::<(u8, u8, u8, u8)>(), 0..40),
        gradient in any::<bool>(),
    ) {
        let g = Graph::new();
        let outputs: Vec<_> = random(&g, &choices, gradient).into_iter().map(|id| g.var(id)).collect();
        for depth in [None, Some(0), Some(1), Some(2)] {
            let mut picture = g.picture(&outputs);
            picture.depth = depth;
            check_sketch(&sketched(&picture));
        }
        let plan = g.compile(&[], &outputs).expect("plans");
        check_sketch(&plan::sketch(&plan));
    }
}

#[test]
fn a_long_chain_flows_down_the_page() {
    let g = Graph::new();
    let outputs = net(&g, 8);
    let (short, long) = (net(&g, 1), &outputs[..1]);
    assert_eq!(sketched(&g.picture(&short[..1])).placed().expect("drawn").flow, Flow::Right);
    let sketch = sketched(&g.picture(long));
    let scene = sketch.placed().expect("drawn");
    assert_eq!(scene.flow, Flow::Down);
    let wide = sketch.placed_along(Flow::Right).expect("drawn");
    assert!(scene.size[1] < wide.size[0], "{:?} instead of {:?}", scene.size, wide.size);
    let svg = g.picture(long).svg().expect("can be drawn");
    assert!(
        svg.contains("rotate(-90") && !g.picture(&short[..1]).svg().expect("can be drawn").contains("rotate")
    );
}

#[test]
fn a_plan_names_its_leaves() {
    let g = Graph::new();
    let (x, w) = (g.leaf("x", [[1.0, 2.0]]), g.leaf("w", [[0.5], [0.25]]));
    let svg = g.compile(&[], &[x.matmul(w).tanh() + 3.0]).expect("compiles").svg();
    assert!(svg.contains(">x<") && svg.contains(">w<") && !svg.contains(">constant<"), "{svg}");
}

#[test]
fn a_scope_of_very_many_names_is_drawn_in_proportion() {
    let length = |depth: usize| {
        let g = Graph::new();
        let x = g.leaf("x", 2.0);
        let scope = g.enter(&vec!["a"; depth].join(".")[..]);
        let y = x * x;
        drop(scope);
        g.picture(&[y]).svg().expect("can be drawn").len()
    };
    // Each frame used to hold the names of all that are around it.
    let (one, ten) = (length(3_000), length(30_000));
    assert!(ten < 11 * one, "{one} and {ten} bytes");
}

#[test]
fn what_loops_and_choices_carry_out_stands_in_frames() {
    let g = Graph::new();
    let (x, w) = (g.leaf("x", [1.0, 2.0, 3.0]), g.leaf("w", 0.5));
    let steps = g.enter("rnn");
    let (last, _) = scan(&[g.constant(0.0)], &[x], |h, x| Ok((vec![(w * h[0] + x[0]).tanh()], vec![h[0]])))
        .expect("a loop");
    drop(steps);
    let last = last[0];
    let chosen =
        cond(last.less(1.0), || Ok(vec![last * last]), || Ok(vec![last.exp()])).expect("a choice")[0];
    let d = chosen.grad(&[w]).expect("a gradient")[0];
    let picture = g.picture(&[chosen, d]);
    let sketch = sketched(&picture);
    check_sketch(&sketch);
    let labels: Vec<&str> = sketch.frames.iter().map(|f| &f.label[..]).collect();
    for wanted in ["each of 3 steps", "each of 3 steps, the last first", "if it holds", "if not"] {
        assert!(labels.contains(&wanted), "{wanted} is not in {labels:?}");
    }
    let title = |b: usize| sketch.boxes[b].lines[0].1.clone();
    // The first state is a number, and each step reads its row of x.
    assert!(sketch.boxes.iter().any(|b| b.lines[0].1 == "carry 0 = 0"));
    assert!(sketch.wires.iter().any(|w| title(w.from) == "x" && title(w.to) == "slice 0"));
}
