//! The fast executor against the plain one.

use chainrule_graph::plan::{Machine, Plan};
use chainrule_graph::{Compiled, Graph, Kind, Optimise, Precision, Var};
use chainrule_tensor::{DType, Key, Tensor};
use proptest::prelude::*;

use super::Plain;
use crate::golden::{PROGRAMS, golden};
use crate::passes::{recorded, shapes};
use crate::rules::{each_sample, leaves, weighted};

/// The greatest difference of two values, relative to the greatest number among them; infinite where one is finite and the
/// other is not.
fn apart(fast: &Tensor, plain: &Tensor) -> f64 {
    assert_eq!(fast.shape(), plain.shape());
    if !fast.dtype().is_real() {
        return if fast == plain { 0.0 } else { f64::INFINITY };
    }
    let [fast, plain] = [fast, plain].map(|t| t.cast(DType::F64).to_vec::<f64>().expect("reals"));
    let scale = plain.iter().filter(|x| x.is_finite()).fold(1.0_f64, |most, x| most.max(x.abs()));
    let apart = |(a, b): (&f64, &f64)| match a == b || (a.is_nan() && b.is_nan()) {
        true => 0.0,
        false if a.is_finite() && b.is_finite() => (a - b).abs() / scale,
        false => f64::INFINITY,
    };
    fast.iter().zip(&plain).map(apart).fold(0.0, f64::max)
}

/// Runs both three times, so that states move and buffers are used again.
fn agree(name: &str, mut fast: Compiled, arguments: &[Tensor], tolerance: f64) {
    let plan: Plan = fast.plan().clone();
    let mut plain = Machine::new(plan, Plain).expect(name);
    for run in 0..3 {
        let plain = plain.run(arguments).expect(name).to_vec();
        for (i, (fast, plain)) in fast.run(arguments).expect(name).iter().zip(&plain).enumerate() {
            let apart = apart(fast, plain);
            assert!(
                apart <= tolerance,
                "{name}, result {i} in run {run} is {apart:e} off: {fast} is not {plain}"
            );
        }
    }
    for (fast, plain) in fast.state().iter().zip(plain.state()) {
        assert!(apart(fast, &plain) <= tolerance, "{name}: the state {fast} is not {plain}");
    }
}

#[test]
fn every_primitive_is_what_nested_loops_make_of_it() {
    each_sample(|name, sample| {
        let g = Graph::new();
        let x = leaves(&g, sample, 8);
        let y = (sample.formula)(&x);
        let mut outputs = weighted(y, 3).grad_or_zeros(&x).expect(name);
        outputs.push(y);
        for (precision, tolerance) in [(Precision::F64, 1e-11), (Precision::F32, 3e-5)] {
            for optimise in [Optimise::NONE, Optimise::ALL] {
                let f = g.compiler(&[], &outputs).precision(precision).optimise(optimise).build();
                agree(name, f.expect(name), &[], tolerance);
            }
        }
    });
}

#[test]
fn a_dozen_programs_are_what_nested_loops_make_of_them() {
    for i in 0..PROGRAMS.len() {
        let (name, f, arguments) = golden(i);
        agree(name, f, &arguments, 1e-11);
    }
}

/// Those of [`STEPS`](crate::passes::STEPS) without kinks and jumps, beside which a rounding of another kernel's would choose the other side, and
/// without sums and powers that would make it great.
const SMOOTH: &[usize] = &[1, 2, 3, 4, 6];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn random_programs_are_what_nested_loops_make_of_them(
        steps in prop::collection::vec((prop::sample::select(SMOOTH), any::<prop::sample::Index>(), any::<prop::sample::Index>()), 2..6),
        [a, b, c] in shapes(),
        optimised: bool,
    ) {
        let g = Graph::new();
        let x = g.input("x", [a, b, c], Kind::Real);
        let pool = recorded(x, &steps);
        let y = pool[pool.len() - 1];
        let mut outputs = vec![y, y.sum(0)];
        outputs.extend(y.cos().sum(..).grad_or_zeros(&[x]).expect("differentiates"));
        let optimise = if optimised { Optimise::ALL } else { Optimise::NONE };
        let f = g.compiler(&[x], &outputs).precision(Precision::F64).optimise(optimise).build().expect("plans");
        let value = Tensor::uniform(Key::new(1), [a, b, c], -1.0..1.0, DType::F64).expect("a range");
        agree("a random program", f, &[value], 1e-9);
    }

    /// Every engine and every way to cut a product: few rows or columns, deep ones, batches, operands that lie in any way.
    #[test]
    fn products_are_what_nested_loops_make_of_them(
        [m, n] in [prop_oneof![0_usize..6, 20..70_usize], prop_oneof![0_usize..6, 20..70_usize]],
        k in prop_oneof![Just(0_usize), Just(1), 2..40_usize, Just(300)],
        batch in 1_usize..4,
        lies in 0_usize..6,
    ) {
        let g = Graph::new();
        let lying = |x: Var<'_>, how: usize| match how {
            0 => x.shape(),
            _ => [x.shape()[0], x.shape()[2], x.shape()[1]].into(),
        };
        let (a, b) = (g.input("a", [batch, m, k], Kind::Real), g.input("b", [1, k, n], Kind::Real));
        let turned = |x: Var<'_>| g.input("turned", lying(x, 1), Kind::Real);
        let (p, q) = (if lies % 2 == 1 { turned(a) } else { a }, if lies >= 3 { turned(b) } else { b });
        let left = if lies % 2 == 1 { p.t() } else { p };
        let right = if lies >= 3 { q.t() } else { q };
        let left = if lies == 5 { left.flip(2) } else { left };
        let f = g.compiler(&[p, q], &[left.matmul(right)]).precision(Precision::F64).build().expect("plans");
        let drawn = |x: Var<'_>, key: u64| Tensor::uniform(Key::new(key), x.shape(), -1.0..1.0, DType::F64);
        agree("a product", f, &[drawn(p, 1).expect("p"), drawn(q, 2).expect("q")], 1e-12);
    }
}
