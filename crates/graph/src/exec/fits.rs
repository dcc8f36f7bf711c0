//! Whether a plan can run: what is read is there, and values fit the calls. Plans of the planner are looked at in debug builds,
//! plans from text always.

use chainrule_tensor::kernels::decompose::Decomposition;
use chainrule_tensor::kernels::elementwise::{Definition, Program};
use chainrule_tensor::kernels::gather::Lengths;
use chainrule_tensor::kernels::rows::{self, Place};
use chainrule_tensor::kernels::{Kind, matmul::MatMul};
use chainrule_tensor::{Layout, Shape};

use super::call::{Call, RowStep, RowWork};
use super::plan::{Plan, Room, Slot};
use super::rows::aligned;
use super::verify::lies_within;
use super::within::{Choice, Cycle, Output};
use crate::types::{Type, type_of};

type Fits = Result<(), String>;

/// A value: its kind, and how many elements it has.
type Value = (Kind, usize);

fn all_fit(holds: bool, why: impl FnOnce() -> String) -> Fits {
    if holds { Ok(()) } else { Err(why()) }
}

/// Fails with the reason why `plan` cannot run.
pub(crate) fn plan(plan: &Plan) -> Fits {
    let mut is_there = vec![false; plan.buffers.len()];
    let mut given = is_there.clone();
    let holds = |b: usize, ty: &Type| {
        let why = || format!("b{b} does not hold {ty}");
        let whole = Room { kind: ty.kind, format: None, len: ty.shape.size() };
        all_fit(plan.buffers.get(b) == Some(&whole), why)
    };
    let constants = plan.constants.iter().map(|(b, value, _)| (*b, type_of(value)));
    let inputs = plan.inputs.iter().map(|(b, _, ty, _)| (*b, ty.clone()));
    for (b, ty) in constants.chain(inputs) {
        holds(b, &ty)?;
        all_fit(!given[b], || format!("b{b} is given twice"))?;
        (is_there[b], given[b]) = (true, true);
    }
    for (b, start) in &plan.state {
        holds(*b, &type_of(start))?;
        all_fit(!is_there[*b], || format!("b{b} is given twice"))?;
        is_there[*b] = true;
    }
    for (b, room) in plan.buffers.iter().enumerate() {
        all_fit(room.format.is_none() || room.kind == Kind::Real, || {
            format!("b{b} has a format, but no reals")
        })?;
    }
    let value = |slot: &Slot| (plan.buffers[slot.buffer].kind, slot.len);
    for step in &plan.steps {
        let about = |why: String| format!("{} [{}]: {why}", step.call.name(), step.about.label);
        for slot in &step.inputs {
            all_fit(is_there[slot.buffer], || format!("reads b{} before it is written", slot.buffer))
                .map_err(about)?;
        }
        for (i, slot) in step.outputs.iter().enumerate() {
            let b = slot.buffer;
            all_fit(!given[b], || format!("writes over what is given in b{b}")).map_err(about)?;
            let twice = step.outputs[..i].iter().any(|other| other.buffer == b);
            all_fit(!twice, || format!("writes two values to b{b}")).map_err(about)?;
            let held = |(k, slot): (usize, &Slot)| slot.buffer != b || step.call.held(k) == Some(i);
            let apart = step.inputs.iter().enumerate().all(held);
            all_fit(apart, || format!("reads b{b}, which it writes")).map_err(about)?;
        }
        let inputs: Vec<Value> = step.inputs.iter().map(value).collect();
        let outputs: Vec<Value> = step.outputs.iter().map(value).collect();
        call(&step.call, &inputs, &outputs).map_err(about)?;
        let fits = |(k, from): (usize, &Slot)| {
            step.call.held(k).is_none_or(|j| step.outputs.get(j).is_some_and(|to| to == from))
        };
        let fits = step.inputs.iter().enumerate().all(fits);
        all_fit(fits, || "an input lies in an output that lies elsewhere".into()).map_err(about)?;
        step.outputs.iter().for_each(|slot| is_there[slot.buffer] = true);
    }
    for (slot, ty) in &plan.outputs {
        let fits = is_there[slot.buffer] && value(slot) == (ty.kind, ty.shape.size());
        let whole = plan.buffers[slot.buffer].format.is_none();
        all_fit(fits && whole && !given[slot.buffer], || format!("b{} is no result {ty}", slot.buffer))?;
    }
    for (from, to) in &plan.carries {
        let home = plan.state.iter().find(|(b, _)| b == to);
        let fits = home.is_some_and(|(_, start)| value(from) == (type_of(start).kind, start.size()));
        all_fit(fits && is_there[from.buffer] && from.buffer != *to, || {
            format!("b{} is no next value of b{to}", from.buffer)
        })?;
    }
    Ok(())
}

fn call(call: &Call, inputs: &[Value], outputs: &[Value]) -> Fits {
    use Kind::{Int, Real, Truth};
    let wrong = || format!("takes no {inputs:?} to {outputs:?}");
    let fits = |holds: bool| all_fit(holds, wrong);
    let size = |dims: &[usize]| dims.iter().try_fold(1_usize, |size, n| size.checked_mul(*n));
    let is = |value: &Value, kind: Kind, dims: &[usize]| value.0 == kind && Some(value.1) == size(dims);
    match (call, inputs, outputs) {
        (Call::Map { program, shape, layouts, in_place }, ..) => {
            fits(in_place.len() == layouts.len())?;
            let row_major = |(l, held): (&Layout, &Option<usize>)| held.is_none() || l.is_contiguous();
            fits(layouts.iter().zip(in_place).all(row_major))?;
            map(program, shape, layouts, inputs)?;
            fits(program.outputs().len() == outputs.len())?;
            fits(program.outputs().iter().zip(outputs).all(|(r, y)| is(y, r.kind(), shape)))
        }
        (Call::Rows { dims, steps }, ..) => passes(*dims, steps, inputs, outputs),
        (Call::MatMul { a, b } | Call::Convolve { a, b }, [x, y], [z]) => {
            let product = match call {
                Call::MatMul { .. } => MatMul::new(a, b),
                _ => MatMul::in_order(a, b),
            };
            let product = product.map_err(|error| error.to_string())?;
            fits(x.0 == Real && y.0 == Real && is(z, Real, product.out_shape()))?;
            fits(lies_within(a.layout(), x.1) && lies_within(b.layout(), y.1))
        }
        (Call::AddMatMul { a, b, .. }, [x, y, other], [z]) => {
            let product = MatMul::new(a, b).map_err(|error| error.to_string())?;
            fits(x.0 == Real && y.0 == Real && other == z && is(z, Real, product.out_shape()))?;
            fits(product.onto().is_some())?;
            fits(lies_within(a.layout(), x.1) && lies_within(b.layout(), y.1))
        }
        (Call::Reduce { dims: [o, n, i], op }, [x], [y]) => {
            use chainrule_tensor::kernels::reduce::Reduction::{Max, Min};
            // Of no integers none is the greatest.
            let some = x.0 == Real || *n > 0 || y.1 == 0 || !matches!(op, Max | Min) || x.0 == Truth;
            fits(is(x, x.0, &[*o, *n, *i]) && is(y, x.0, &[*o, *i]) && some)?;
            fits(x.0 != Truth || matches!(op, Max | Min))
        }
        (Call::ArgReduce { dims: [o, n, i], .. }, [x], [y]) => {
            fits(x.0 != Truth && is(x, x.0, &[*o, *n, *i]) && is(y, Int, &[*o, *i]))?;
            fits(*n > 0 || y.1 == 0)
        }
        (Call::Place { parts, .. }, inputs, [y]) => {
            fits(parts.len() == inputs.len())?;
            let part = |((from, to), x): (&(Layout, Layout), &Value)| {
                x.0 == y.0 && from.shape == to.shape && lies_within(from, x.1) && lies_within(to, y.1)
            };
            fits(parts.iter().zip(inputs).all(part))
        }
        (Call::Uniform { words, .. }, [(Int, keys)], [(Real, len)]) => {
            fits(*words > 0 && keys.is_multiple_of(*words))?;
            fits(len.is_multiple_of((keys / words).max(1)) && (*keys > 0 || *len == 0))
        }
        (Call::InRange { .. }, [x], [y]) => fits(x == y && x.0 != Truth),
        (Call::Iota, [], [(Int, _)]) => Ok(()),
        (Call::Gather(l), [x, (Int, picks)], [y]) => {
            let Lengths { batch, n, picked, inner } = *l;
            fits(is(x, x.0, &[batch, n, inner]) && size(&[batch, picked]) == Some(*picks))?;
            fits(is(y, x.0, &[batch, picked, inner]))
        }
        (Call::ScatterAdd(l), [x, (Int, picks)], [y]) => {
            let Lengths { batch, n, picked, inner } = *l;
            fits(is(x, x.0, &[batch, picked, inner]) && size(&[batch, picked]) == Some(*picks))?;
            fits(is(y, x.0, &[batch, n, inner]) && x.0 != Truth)
        }
        (Call::OverlapAdd { x: from, how }, [x], [y]) => {
            let Some([window, positions, inner @ ..]) = from.shape.get(how.axis..) else {
                return fits(false);
            };
            let reach = |count: usize, step: usize| count.saturating_sub(1).checked_mul(step);
            let ends = reach(*window, how.dilation).zip(reach(*positions, how.stride));
            let last = ends.and_then(|(element, position)| element.checked_add(position));
            let within = *window == 0 || *positions == 0 || last.is_some_and(|last| last < how.n);
            fits(x.0 == Real && lies_within(from, x.1) && within && how.stride > 0)?;
            fits(is(y, Real, &[&from.shape[..how.axis], &[how.n], inner].concat()))
        }
        (Call::CumSum { dims }, [x], [y]) => fits(is(x, x.0, dims) && x == y && x.0 != Truth),
        (Call::Recurrence { dims }, [a, b], [y]) => {
            fits(is(a, a.0, dims) && a == b && b == y && a.0 != Truth)
        }
        (Call::ArgSort { dims, .. }, [x], [y]) => fits(is(x, x.0, dims) && is(y, Int, dims) && x.0 != Truth),
        (Call::Solve { dims: [batch, n, k], .. }, [a, b], [y]) => {
            fits(is(a, Real, &[*batch, *n, *n]) && is(b, Real, &[*batch, *n, *k]) && b == y)
        }
        (Call::Cholesky { dims: [batch, n] }, [a], [y]) => fits(is(a, Real, &[*batch, *n, *n]) && a == y),
        (Call::Determinant { dims: [batch, n], .. }, [a], [y]) => {
            fits(is(a, Real, &[*batch, *n, *n]) && is(y, Real, &[*batch]))
        }
        (Call::Decompose { into, dims: [batch, m, n] }, [a], outputs) => {
            let (m, n, k) = (*m, *n, *m.min(n));
            let of: Vec<[usize; 2]> = match into {
                Decomposition::Eigen => vec![[n, 1], [n, n]],
                Decomposition::Singular => vec![[m, k], [k, 1], [n, k]],
                Decomposition::Orthogonal => vec![[m, n], [n, n]],
            };
            let square = *into != Decomposition::Eigen || m == n;
            let tall = *into != Decomposition::Orthogonal || m >= n;
            fits(is(a, Real, &[*batch, m, n]) && of.len() == outputs.len() && square && tall)?;
            fits(outputs.iter().zip(of).all(|(y, [r, c])| is(y, Real, &[*batch, r, c])))
        }
        (Call::Loop(cycle), inputs, outputs) => looped(cycle, inputs, outputs),
        (Call::Branch(choice), [(Truth, 1), inputs @ ..], outputs) => {
            let Choice { yes, no } = &**choice;
            for choice in [yes, no] {
                fits(arguments(choice).eq(inputs.iter().copied()) && choice.state.is_empty())?;
                fits(results(choice).eq(outputs.iter().copied()))?;
            }
            Ok(())
        }
        (Call::Custom { args, out, .. }, inputs, [y]) => {
            let whole = |(shape, x): (&Shape, &Value)| x.1 == shape.size();
            fits(args.len() == inputs.len() && args.iter().zip(inputs).all(whole) && y.1 == out.size())
        }
        _ => Err(wrong()),
    }
}

/// Whether a program over `shape` can read values that lie so.
fn map(program: &Program, shape: &Shape, layouts: &[Layout], inputs: &[Value]) -> Fits {
    let fits = |holds| all_fit(holds, || format!("a program over {shape} does not read {inputs:?}"));
    fits(program.inputs() == inputs.len() && layouts.len() == inputs.len())?;
    for (definition, kind) in program.values() {
        if let Definition::Input(k) = definition {
            let (layout, value) = (&layouts[k], inputs[k]);
            fits(layout.shape == *shape && value.0 == kind && lies_within(layout, value.1))?;
        }
    }
    Ok(())
}

fn passes(dims: [usize; 2], steps: &[RowStep], inputs: &[Value], outputs: &[Value]) -> Fits {
    let [rows, n] = dims;
    let wrong = || format!("no pass over {rows} rows of {n} takes {inputs:?} to {outputs:?}");
    let fits = |holds: bool| all_fit(holds, wrong);
    let size = rows.checked_mul(n).ok_or_else(wrong)?;
    fits(rows > 0 && n > 0)?;
    let at_end = rows::reduced_at_end(dims);
    let mut made: Vec<(Place, Value)> = Vec::new();
    for step in steps {
        let value = |place: &Place| match *place {
            Place::Input(i) => inputs.get(i).copied().ok_or_else(wrong),
            place => made.iter().find(|(p, _)| *p == place).map(|(_, value)| *value).ok_or_else(wrong),
        };
        let reads: Vec<Value> = step.reads.iter().map(value).collect::<Result<_, _>>()?;
        let values: Vec<Value> = match &step.work {
            RowWork::Map { program, shape, layouts } => {
                let own = shape.size();
                fits(own == size || (own == rows && !at_end))?;
                map(program, shape, layouts, &reads)?;
                for ((place, (_, len)), layout) in step.reads.iter().zip(&reads).zip(layouts) {
                    let inside = !matches!(place, Place::Input(_));
                    let row = aligned(layout, rows, len / rows, own / rows) && (!at_end || *len == size);
                    fits(!inside || row)?;
                }
                program.outputs().iter().map(|r| (r.kind(), own)).collect()
            }
            RowWork::Reduce(op) => {
                fits(reads == [(Kind::Real, size)] && rows::fits(*op, dims))?;
                vec![(Kind::Real, rows)]
            }
        };
        fits(values.len() == step.writes.len())?;
        for (place, value) in step.writes.iter().zip(values) {
            let fresh = made.iter().all(|(p, _)| p != place);
            let real = !matches!(place, Place::Local(_)) || value.0 == Kind::Real;
            fits(fresh && real && !matches!(place, Place::Input(_)))?;
            made.push((*place, value));
        }
    }
    let find = |place: Place| made.iter().find(|(p, _)| *p == place).map(|(_, value)| *value);
    fits((0..outputs.len()).map(|j| find(Place::Output(j))).eq(outputs.iter().map(|y| Some(*y))))?;
    let locals = made.iter().filter(|(p, _)| matches!(p, Place::Local(_))).count();
    fits((0..locals).all(|l| find(Place::Local(l)).is_some()) && made.len() == locals + outputs.len())
}

fn arguments(plan: &Plan) -> impl Iterator<Item = Value> {
    plan.inputs.iter().map(|(_, _, ty, _)| (ty.kind, ty.shape.size()))
}

fn results(plan: &Plan) -> impl Iterator<Item = Value> {
    plan.outputs.iter().map(|(_, ty)| (ty.kind, ty.shape.size()))
}

fn looped(cycle: &Cycle, inputs: &[Value], outputs: &[Value]) -> Fits {
    let fits = |holds: bool| {
        all_fit(holds, || format!("no {} of such a step takes {inputs:?} to {outputs:?}", cycle.name()))
    };
    let Cycle { step, test, carries, slices, captures, counted, length, .. } = cycle;
    let needed = [*carries, *slices, usize::from(*counted), *captures];
    let needed = needed.iter().try_fold(0_usize, |sum, n| sum.checked_add(*n));
    fits(needed.is_some_and(|n| n <= inputs.len()))?;
    let (starts, rest) = inputs.split_at(*carries);
    let (sliced, rest) = rest.split_at(*slices);
    let (count, rest) = rest.split_at(usize::from(*counted));
    let (captured, of_test) = rest.split_at(*captures);
    fits(count.iter().all(|c| *c == (Kind::Int, 1)))?;
    let carried: Vec<Value> =
        step.state.iter().map(|(_, start)| (type_of(start).kind, start.size())).collect();
    fits(carried == starts && step.inputs.len() == slices + captures)?;
    let stacked = |x: &Value| length.checked_mul(x.1).map(|len| (x.0, len));
    let mut parameters = arguments(step);
    fits(parameters.by_ref().take(*slices).map(|x| stacked(&x)).eq(sliced.iter().map(|x| Some(*x))))?;
    fits(parameters.eq(captured.iter().copied()))?;
    match test {
        Some(test) => {
            let holds = results(test).eq([(Kind::Truth, 1)]) && test.state.is_empty();
            fits(holds && arguments(test).eq(starts.iter().chain(of_test).copied()))?;
        }
        None => fits(of_test.is_empty())?,
    }
    let made: Vec<Value> = results(step).collect();
    let output = |o: &Output| match o {
        Output::Count => Some((Kind::Int, 1)),
        Output::Carry(i) => carried.get(*i).copied(),
        Output::Stack(i) => made.get(*i).and_then(stacked),
    };
    fits(cycle.outputs.iter().map(output).eq(outputs.iter().map(|y| Some(*y))))
}
