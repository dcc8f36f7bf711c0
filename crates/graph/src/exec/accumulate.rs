//! Sums of products: what a product is added to is where its own sums are added, so it is neither written nor read again.

use chainrule_tensor::kernels::elementwise::{Binary, Definition};
use chainrule_tensor::kernels::matmul::MatMul;

use super::call::Call;
use super::plan::{Plan, Step};

/// Makes one step of each product that is only added to a value which is there before it, in a plan that writes every buffer
/// once.
pub(crate) fn accumulate(plan: &mut Plan) {
    let mut readers = vec![0_usize; plan.buffers.len()];
    let mut maker: Vec<Option<usize>> = vec![None; plan.buffers.len()];
    for (s, step) in plan.steps.iter().enumerate() {
        step.inputs.iter().for_each(|x| readers[x.buffer] += 1);
        step.outputs.iter().for_each(|y| maker[y.buffer] = Some(s));
    }
    plan.results().for_each(|b| readers[b] += 1);
    let (mut merged, mut kept) = (Vec::new(), vec![true; plan.steps.len()]);
    let mut adds_on: Vec<bool> = plan.steps.iter().map(adds_on).collect();
    for (s, step) in plan.steps.iter().enumerate().filter(|(_, step)| is_sum(plan, step)) {
        let found = [(0, 1), (1, 0)].into_iter().find_map(|(product, other)| {
            let [product, other] = [step.inputs[product], step.inputs[other]];
            let p = maker[product.buffer].filter(|_| readers[product.buffer] == 1)?;
            let there = maker[other.buffer].is_none_or(|o| o < p);
            (there && adds_on[p]).then_some((p, other))
        });
        if let Some((p, other)) = found {
            merged.push((p, s, other));
            kept[s] = false;
            // The sum is now made where the product was, which is added to no more.
            adds_on[p] = false;
            maker[step.outputs[0].buffer] = Some(p);
        }
    }
    for &(p, s, other) in &merged {
        let outputs = plan.steps[s].outputs.clone();
        let Step { call, inputs, outputs: to, about } = &mut plan.steps[p];
        let Call::MatMul { a, b } = call else { unreachable!("a product is added once") };
        *call = Call::AddMatMul { a: a.clone(), b: b.clone(), in_place: false };
        inputs.push(other);
        *to = outputs;
        about.label = format!("{} add", about.label);
    }
    let mut kept = kept.into_iter();
    plan.steps.retain(|_| kept.next() == Some(true));
}

/// Whether a step adds two whole values of as many reals, and nobody looks at it.
fn is_sum(plan: &Plan, step: &Step) -> bool {
    let Call::Map { program, layouts, .. } = &step.call else { return false };
    let ([x, y], [z]) = (&step.inputs[..], &step.outputs[..]) else { return false };
    let values: Vec<_> = program.values().map(|(definition, _)| definition).collect();
    let [Definition::Input(i), Definition::Input(j), Definition::Binary(Binary::Add, _, _)] = values[..]
    else {
        return false;
    };
    let wide = |b: usize| plan.buffers[b].format.is_none();
    i != j
        && step.about.watch.is_none()
        && layouts.iter().all(|l| l.is_contiguous())
        && [x, y].iter().all(|slot| slot.len == z.len)
        && program.outputs().iter().all(|r| r.index() == 2)
        && wide(x.buffer)
        && wide(y.buffer)
        && wide(z.buffer)
}

/// Whether a step is a product that gives the same bits whether it is added afterwards or sum by sum.
fn adds_on(step: &Step) -> bool {
    match &step.call {
        Call::MatMul { a, b } => {
            step.about.watch.is_none() && MatMul::new(a, b).is_ok_and(|product| product.onto().is_some())
        }
        _ => false,
    }
}
