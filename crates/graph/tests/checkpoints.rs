//! Recomputing instead of storing changes no derivative, in any mode and under every transform.

use chainrule_graph::{ErrorKind, Graph, Precision, Var, hessian, hvp, jacobian, vmap};
use chainrule_tensor::Tensor;

use crate::rules::{draw, elements};
use crate::transforms::{close, same_derivatives, value};

#[test]
fn a_checkpoint_keeps_derivatives_and_saves_memory() {
    let g = Graph::new();
    let w = g.leaf("w", draw(&(-0.1..0.1), &[64, 64], 1));
    let x = g.leaf("x", draw(&(-1.0..1.0), &[256, 64], 2));
    let net = |checkpointed: bool| {
        let mut h = x;
        for _ in 0..8 {
            let start = h;
            for _ in 0..4 {
                h = h.matmul(w).tanh().softplus();
            }
            if checkpointed {
                h = h.checkpoint(&[start]);
            }
        }
        h.square().mean(..)
    };
    let step = |loss: Var<'_>| {
        let d = loss.grad(&[w]).expect("connected")[0];
        let mut f = g.compiler(&[], &[d]).precision(Precision::F64).build().expect("compiles");
        (f.run(&[]).expect("runs")[0].clone(), f.bytes())
    };
    let ((plain, much), (again, less)) = (step(net(false)), step(net(true)));
    assert!(close(&elements(&again), &elements(&plain)));
    assert!(less * 2 < much, "{less} bytes with checkpoints, {much} without");
    // Second derivatives go through, and so does vmap.
    let loss = net(true);
    let d = loss.grad(&[w]).expect("connected")[0];
    assert!(d.square().sum(..).grad(&[w]).is_ok());
    let each = vmap(&[x], |x| {
        let h = x[0].insert_axis(0).matmul(w).tanh();
        h.exp().checkpoint(&[h]).sum(..).grad(&[w])
    });
    let plain = vmap(&[x], |x| x[0].insert_axis(0).matmul(w).tanh().exp().sum(..).grad(&[w]));
    assert!(close(&value(each.expect("per example")[0]), &value(plain.expect("per example")[0])));
}

#[test]
fn checkpoints_nest_and_draw_the_same_random_numbers() {
    let g = Graph::new();
    let x = g.leaf("x", draw(&(-1.0..1.0), &[4, 3], 1));
    let w = g.leaf("w", draw(&(-1.0..1.0), &[3, 3], 2));
    let key = g.leaf("key", Tensor::from([5_i64, 2]));
    let net = |checkpointed: bool| {
        let kept = |y, start: &[_]| if checkpointed { Var::checkpoint(y, start) } else { y };
        let dropped = x * key.uniform("mask", [4, 3]).less(0.5).real();
        let inner = kept(dropped.matmul(w).tanh().exp(), &[x]);
        let sine = g.custom_vjp("sine", &[inner], |x| x[0].sin(), |x, _, ct| vec![ct * x[0].cos()]);
        kept(sine.matmul(w).softplus(), &[x]).square().sum(..)
    };
    let (plain, again) = (net(false), net(true));
    let v = [g.constant(draw(&(-1.0..1.0), &[4, 3], 3)), g.constant(draw(&(-1.0..1.0), &[3, 3], 4))];
    for (a, b) in [
        (plain.grad(&[x, w]).expect("plain"), again.grad(&[x, w]).expect("again")),
        (hvp(plain, &[x, w], &v).expect("plain"), hvp(again, &[x, w], &v).expect("again")),
    ] {
        a.iter().zip(&b).for_each(|(a, b)| assert!(close(&value(*b), &value(*a))));
    }
}

#[test]
fn a_chain_of_checkpoints_has_the_derivatives_of_a_chain_without() {
    let g = Graph::new();
    let x = g.leaf("x", draw(&(-1.0..1.0), &[2, 3], 1));
    let w = g.leaf("w", draw(&(-1.0..1.0), &[3, 3], 2));
    let v = [g.constant(draw(&(-1.0..1.0), &[2, 3], 3)), g.constant(draw(&(-1.0..1.0), &[3, 3], 4))];
    // So deep that work twice as much at each level would never end.
    let chain = |checkpointed: bool| {
        let mut h = x.tanh();
        for _ in 0..40 {
            let y = (h.matmul(w) + h).tanh();
            h = if checkpointed { y.checkpoint(&[h]) } else { y };
        }
        h.square().sum(..)
    };
    same_derivatives(chain(true), chain(false), &[x, w], &v);
    // The start depends on a leaf of the segment, and on another start.
    let (a, b) = ((x.matmul(w)).sin(), x.square());
    let c = (a.matmul(w) * b).exp();
    let plain = (c * a).sum(..);
    for start in [vec![a], vec![a, x], vec![a, b, x], vec![c], vec![], vec![w]] {
        same_derivatives((c * a).checkpoint(&start).sum(..), plain, &[x, w], &v);
        same_derivatives((c.checkpoint(&start) * a).sum(..), plain, &[x, w], &v);
        same_derivatives((c.checkpoint(&start) * a).checkpoint(&[a]).sum(..), plain, &[x, w], &v);
    }
    // A start that is not on the way changes nothing, and what is cut off stays cut off.
    let unused = g.leaf("unused", 1.0);
    let beside = (c.checkpoint(&[unused]) * a).sum(..);
    same_derivatives(beside, plain, &[x, w], &v);
    assert!(matches!(beside.grad(&[unused]).expect_err("unused").kind(), ErrorKind::Disconnected { .. }));
    let stopped = (x * unused.stop_gradient()).checkpoint(&[x]).sum(..);
    let error = stopped.grad(&[unused]).expect_err("cut off").to_string();
    assert!(error.contains("the path breaks at stop_gradient"), "{error}");
}

#[test]
fn a_checkpoint_for_many_examples_can_be_differentiated() {
    let g = Graph::new();
    let xs = g.leaf("xs", draw(&(-1.0..1.0), &[4, 3], 1));
    let w = g.leaf("w", draw(&(-1.0..1.0), &[3, 3], 2));
    let v = [g.constant(draw(&(-1.0..1.0), &[4, 3], 3)), g.constant(draw(&(-1.0..1.0), &[3, 3], 4))];
    fn net<'g>(x: Var<'g>, w: Var<'g>, kept: bool) -> Var<'g> {
        let keep = |y: Var<'g>, start: &[Var<'g>]| if kept { y.checkpoint(start) } else { y };
        let h = keep(x.insert_axis(0).matmul(w).tanh(), &[x]);
        keep(keep((h.matmul(w) + h).exp(), &[h]).matmul(w).sin(), &[h]).sum(..)
    }
    let mapped = |kept| vmap(&[xs], |e| Ok(vec![net(e[0], w, kept)])).expect("mapped")[0].square().sum(..);
    same_derivatives(mapped(true), mapped(false), &[xs, w], &v);
    // A formula that does not hang on the example.
    let shared = |kept: bool| {
        let y = vmap(&[xs], |e| {
            let y = w.exp().sum(..);
            Ok(vec![if kept { y.checkpoint(&[e[0]]) } else { y } * e[0].sum(..)])
        });
        y.expect("mapped")[0].square().sum(..)
    };
    same_derivatives(shared(true), shared(false), &[xs, w], &v);
    // Jacobians and Hessians are made of vmap.
    let x = g.leaf("x", draw(&(-1.0..1.0), &[3], 5));
    for kept in [false, true] {
        let each = hessian(net(x, w, kept), &[x]).expect("a Hessian")[0][0];
        let h = jacobian(net(x, w, kept).grad(&[x]).expect("a gradient")[0], x).expect("a Jacobian");
        let plain = hessian(net(x, w, false), &[x]).expect("a Hessian")[0][0];
        assert!(close(&value(each), &value(plain)) && close(&value(h), &value(plain)));
    }
}

#[test]
fn a_checkpoint_costs_what_its_segment_costs() {
    // One argument more is a few nodes more, nested or not, and the run repeats no product for it.
    let counts = |k: usize| {
        let g = Graph::new();
        let x = g.leaf("x", draw(&(-1.0..1.0), &[4, 4], 1));
        let w: Vec<Var<'_>> =
            (0..k).map(|i| g.leaf("w", draw(&(-0.3..0.3), &[4, 4], 2 + i as u64))).collect();
        let y = w.iter().fold(x, |y, w| y.matmul(*w).tanh().checkpoint(&[y]));
        let d = y.checkpoint(&[x]).sum(..).grad(&w).expect("connected");
        let plan = g.compile(&[], &d).expect("compiles").to_string();
        (g.len(), plan.matches("matmul(").count())
    };
    let [(few, products), (many, more)] = [8, 64].map(counts);
    assert!(many < 9 * few, "{few} nodes for 8 arguments, {many} for 64");
    // Forward, and again for the outer checkpoint, and again for each inner one; and two for the gradient.
    assert!(products <= 5 * 8 && more <= 5 * 64, "{products} products for 8 layers, {more} for 64");
}

#[test]
fn checkpoints_nest_as_deep_as_one_likes() {
    let g = Graph::new();
    let x = g.leaf("x", [0.3, -0.8]);
    let deep = |checkpointed: bool| {
        let mut y = x;
        for _ in 0..100 {
            y = (y * 0.9).sin();
            y = if checkpointed { y.checkpoint(&[x]) } else { y };
        }
        y.sum(..)
    };
    let (plain, nested) = (deep(false), deep(true));
    same_derivatives(nested, plain, &[x], &[g.constant([1.0, 0.5])]);
}
