//! Maps and reductions of rows in one pass: the same bits, and fewer values stored.

use chainrule_graph::{Graph, Kind, Optimise, Precision, Var, scan};
use chainrule_tensor::{Axes, DType, Key, Tensor, keep};
use proptest::prelude::*;

use crate::rules::same_bits;

fn plan_of(shape: &[usize], formula: impl for<'g> Fn(Var<'g>) -> Var<'g>) -> String {
    let g = Graph::new();
    let x = g.input("x", shape, Kind::Real);
    g.compile(&[x], &[formula(x)]).expect("plans").to_string()
}

#[test]
fn what_is_over_the_same_rows_is_one_step() {
    let plan = plan_of(&[64, 100], |x| x.softmax(-1));
    assert!(plan.starts_with("plan: 1 steps") && plan.contains("rows"), "{plan}");
    let plan = plan_of(&[4, 16, 100], |x| {
        let centred = x - x.mean(keep(-1));
        centred * (centred.square().mean(keep(-1)) + 1e-5).rsqrt()
    });
    assert!(plan.starts_with("plan: 1 steps"), "{plan}");
    // Nothing of the size of x is stored, only the sum.
    let plan = plan_of(&[1_000_000], |x| (x.tanh() * x).sum(..));
    assert!(plan.starts_with("plan: 1 steps, 2 buffers"), "{plan}");
    // Columns are no rows, and what is small stays as it is.
    assert!(!plan_of(&[64, 100], |x| x.exp().sum(0)).contains("rows"));
    assert!(!plan_of(&[4, 5], |x| x.softmax(-1)).contains("rows"));
}

/// The weights of a loop's steps get their gradients where the sum of those before lies.
#[test]
fn a_product_that_is_only_added_to_something_is_added_sum_by_sum() {
    let run = |optimise| {
        let g = Graph::new();
        let w = g.leaf("w", Tensor::normal(Key::new(1), [9, 9], 0.0, 0.3, DType::F64).expect("a scale"));
        let x = g.leaf("x", Tensor::normal(Key::new(2), [5, 7, 9], 0.0, 1.0, DType::F64).expect("a scale"));
        let start = g.constant(0.0).broadcast_to([7, 9]);
        let (last, _) =
            scan(&[start], &[x], |h, x| Ok((vec![(x[0] + h[0].matmul(w)).tanh()], vec![]))).expect("a loop");
        let mut outputs = last[0].sum(..).grad(&[w, x]).expect("a gradient");
        outputs.push(last[0]);
        let mut f =
            g.compiler(&[], &outputs).precision(Precision::F32).optimise(optimise).build().expect("plans");
        (f.to_string(), f.run(&[]).expect("runs").to_vec(), f.plan().to_string())
    };
    let (plan, values, text) = run(Optimise::ALL);
    let (plain, same, _) = run(Optimise::NONE);
    assert!(plan.matches("add_matmul(").count() == 1, "{plan}");
    assert!(text.contains(" held of"), "{text}");
    assert!(!plain.contains("add_matmul"), "{plain}");
    assert!(same_bits(&values, &same));
    // One that is needed besides, is added to what is not there yet, or has too long an inner axis stays by itself.
    assert!(!plan_of(&[9, 9], |x| x.matmul(x) + x.matmul(x).sin()).contains("add_matmul"));
    assert!(
        !plan_of(&[9, 9], |x| x.matmul(x) + x.matmul(x.t()).exp().matmul(x).cos()).contains("add_matmul")
    );
    assert!(!plan_of(&[257, 257], |x| x.matmul(x) + x).contains("add_matmul"));
    assert!(plan_of(&[9, 9], |x| x.matmul(x) + x).contains("add_matmul"));
    assert!(plan_of(&[9, 9], |x| x.matmul(x) + x + x.t()).starts_with("plan: 2 steps"));
}

/// A value from two of shape (a, b, c).
pub(crate) type Step = for<'g> fn(Var<'g>, Var<'g>) -> Var<'g>;

pub(crate) const STEPS: &[Step] = &[
    |x, y| x - y.max(keep(-1)),
    |x, y| x * (1.0 + y.square().mean(keep(-1))).rsqrt(),
    |x, _| x.softmax(-1),
    |x, y| x.log_softmax(-1) - y,
    |x, y| (x * y).tanh(),
    |x, y| x + y.sum(keep([1, 2])),
    |x, y| x + y.mean(keep(1)),
    |x, y| x - y.min(keep([0, 1, 2])),
    |x, y| x.less(y.mean(keep(-1))).select(x, y),
    |x, y| x + 1.0 / (y.flip(1) * x).sum(keep(-1)).exp(),
    |x, y| x.greater(0.0).int().sum(keep(-1)).real() * y,
    |x, y| x.t().exp().sum(keep(-2)).t() + y,
];

/// `x`, its sine, and what each of [`STEPS`] makes of two values before it.
pub(crate) fn recorded<'g>(
    x: Var<'g>,
    steps: &[(usize, prop::sample::Index, prop::sample::Index)],
) -> Vec<Var<'g>> {
    let mut pool = vec![x, x.sin()];
    for (step, i, o) in steps {
        pool.push(STEPS[*step](*i.get(&pool), *o.get(&pool)));
    }
    pool
}

/// Of rows that are few or many, short or long.
pub(crate) fn shapes() -> impl Strategy<Value = [usize; 3]> {
    prop::sample::select(vec![[3, 7, 100], [1, 1, 1500], [1, 3, 3000], [40, 10, 4], [1, 400, 9], [5, 1, 300]])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_pass_changes_no_bit(
        steps in prop::collection::vec((0..STEPS.len(), any::<prop::sample::Index>(), any::<prop::sample::Index>()), 2..7),
        [a, b, c] in shapes(),
        last in prop_oneof![Just(Axes::from(..)), Just(Axes::from(-1)), Just(Axes::from(0)), Just(Axes::from([1, 2]))],
        gradient: bool,
        wide: bool,
    ) {
        let g = Graph::new();
        let x = g.input("x", [a, b, c], Kind::Real);
        let pool = recorded(x, &steps);
        let y = pool[pool.len() - 1];
        let mut outputs = vec![y.sum(last), pool[2]];
        if gradient {
            outputs.extend(y.cos().sum(..).grad_or_zeros(&[x]).expect("differentiates"));
        }
        let precision = if wide { Precision::F64 } else { Precision::F32 };
        let value = Tensor::uniform(Key::new(1), [a, b, c], -1.0..1.0, DType::F64).expect("a range");
        let run = |optimise| {
            let mut f =
                g.compiler(&[x], &outputs).precision(precision).optimise(optimise).build().expect("plans");
            f.run(std::slice::from_ref(&value)).expect("runs");
            f.run(std::slice::from_ref(&value)).expect("runs").to_vec()
        };
        let (plain, fused) = (run(Optimise::NONE), run(Optimise::ALL));
        prop_assert!(same_bits(&plain, &fused), "{}", g.compile(&[x], &outputs).expect("plans"));
    }
}

#[test]
fn sums_in_parts_keep_their_bits() {
    let g = Graph::new();
    let x = g.input("x", [300_007], Kind::Real);
    let y = (x.tanh() * x).exp();
    let outputs = [y.sum(..), y.max(..), (y - y.sum(..)).square().mean(..)];
    let value = Tensor::uniform(Key::new(1), [300_007], -1.0..1.0, DType::F32).expect("a range");
    let run = |optimise| {
        let build = g.compiler(&[x], &outputs).precision(Precision::F32).optimise(optimise).build();
        build.expect("plans").run(std::slice::from_ref(&value)).expect("runs").to_vec()
    };
    assert!(same_bits(&run(Optimise::NONE), &run(Optimise::ALL)));
}
