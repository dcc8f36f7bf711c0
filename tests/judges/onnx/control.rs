//! If, Loop and Scan: the formulas that they carry out, node by node, as closures of `cond`, `while_loop` and `scan`.

use std::collections::BTreeMap;

use chainrule::graph::{Var, cond, scan, while_loop};
use serde_json::Value;

use super::node::{Node, Outcome};

/// Values by name.
type Named<'g> = BTreeMap<String, Var<'g>>;

/// The lengths that slices have in a step, by the names of their results.
type Lengths = BTreeMap<String, usize>;

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    Some(match n.op.as_str() {
        "If" => choice(n),
        "Loop" => repeated(n),
        "Scan" => scanned(n),
        _ => return None,
    })
}

fn choice<'g>(n: &Node<'g>) -> Outcome<'g> {
    let branch = |name: &str| carried_out(n, n.attribute(name), &[], &mut Lengths::new());
    // Once outside, to see that every operator has a formula.
    branch("then_branch")?;
    branch("else_branch")?;
    let again = |name: &str| Ok(branch(name).expect("as before"));
    Ok(cond(n.x(0), || again("then_branch"), || again("else_branch")).expect("two branches alike"))
}

/// Carries are the values of a `while_loop`; what each step gives is stacked by a `scan`, where the steps are counted.
fn repeated<'g>(n: &Node<'g>) -> Outcome<'g> {
    let body = n.attribute("body");
    let most = n.ints_of(0).and_then(|most| most.first().copied()).unwrap_or(i64::MAX);
    let start = n.given(1).unwrap_or_else(|| n.g.constant(true));
    let carries: Vec<Var<'g>> = (2..n.arity()).map(|i| n.x(i)).collect();
    let count = carries.len();
    // The first step, with its number known: slices have the lengths that they have in every step.
    let mut lengths = Lengths::new();
    let first = [&[n.g.constant(0_i64), start], &carries[..]].concat();
    carried_out(n, body, &first, &mut lengths)?;
    let step = |i: Var<'g>, test: Var<'g>, carries: &[Var<'g>]| {
        let given = [&[i, test], carries].concat();
        carried_out(n, body, &given, &mut lengths.clone()).expect("as before")
    };
    let at_start = [&[start, n.g.constant(0_i64)], &carries[..]].concat();
    let holds = |c: &[Var<'g>]| c[0].minimum(c[1].less(most));
    let last = while_loop(&at_start, holds, |c| {
        let found = step(c[1], c[0], &c[2..]);
        Ok([&[found[0], c[1] + 1], &found[1..=count]].concat())
    });
    let last = last.expect("a loop").split_off(2);
    if !passes_on(body) {
        let stacks = body["outputs"].as_array().map_or(0, |outputs| outputs.len() - 1 - count);
        return if stacks == 0 { Ok(last) } else { Err("the result's shape depends on values") };
    }
    let numbers = n.g.iota([most as usize], 0);
    let (_, stacks) = scan(&carries, &[numbers], |c, i| {
        let mut found = step(i[0], start, c).split_off(1);
        let stacked = found.split_off(count);
        Ok((found, stacked))
    })
    .expect("a loop");
    Ok([last, stacks].concat())
}

/// Whether the test of a loop is handed on, so that it takes as many steps as it may.
fn passes_on(body: &Value) -> bool {
    let (given, made) = (&body["inputs"][1], &body["outputs"][0]);
    let nodes = body["nodes"].as_array().expect("a list");
    given == made
        || nodes.iter().any(|n| n["op"] == "Identity" && n["inputs"][0] == *given && n["outputs"][0] == *made)
}

/// What no case has.
const OTHERWISE: [&str; 5] =
    ["scan_input_axes", "scan_input_directions", "scan_output_axes", "scan_output_directions", "directions"];

fn scanned<'g>(n: &Node<'g>) -> Outcome<'g> {
    if OTHERWISE.iter().any(|name| !n.attribute(name).is_null()) {
        return Err("other axes and directions of a scan");
    }
    let body = n.attribute("body");
    // Once the first input was the lengths of sequences, and axis 0 the examples.
    let batched = n.opset < 9;
    let given: Vec<Var<'g>> = (usize::from(batched)..n.arity()).map(|i| n.x(i)).collect();
    let count = given.len() - n.int("num_scan_inputs").expect("a number") as usize;
    let of = |given: &[Var<'g>]| {
        let (carries, slices) = given.split_at(count);
        let row = |x: &Var<'g>| x.slice(0, 0..1).squeeze(0);
        let first: Vec<Var<'g>> = carries.iter().copied().chain(slices.iter().map(row)).collect();
        let mut lengths = Lengths::new();
        carried_out(n, body, &first, &mut lengths)?;
        let (last, stacks) = scan(carries, slices, |c, x| {
            let given = [c, x].concat();
            let mut found = carried_out(n, body, &given, &mut lengths.clone()).expect("as before");
            let stacked = found.split_off(count);
            Ok((found, stacked))
        })
        .expect("a loop");
        Ok([last, stacks].concat())
    };
    if !batched {
        return of(&given);
    }
    let example = |i: usize| given.iter().map(|x| x.slice(0, i..i + 1).squeeze(0)).collect::<Vec<_>>();
    let each = (0..given[0].dim(0)).map(|i| of(&example(i))).collect::<Result<Vec<_>, _>>()?;
    let all = |k: usize| n.g.stack(&each.iter().map(|found| found[k]).collect::<Vec<_>>(), 0);
    Ok((0..each[0].len()).map(all).collect())
}

/// What the formula `body` gives, node by node.
fn carried_out<'g>(n: &Node<'g>, body: &Value, given: &[Var<'g>], lengths: &mut Lengths) -> Outcome<'g> {
    let list = |of: &Value, key: &str| -> Vec<String> {
        of[key].as_array().expect("a list").iter().map(|v| v.as_str().expect("a name").into()).collect()
    };
    let mut known: Named<'g> = list(body, "inputs").into_iter().zip(given.iter().copied()).collect();
    for inner in body["nodes"].as_array().expect("a list") {
        let inputs: Vec<Option<Var<'g>>> =
            list(inner, "inputs").iter().map(|name| known.get(name).copied()).collect();
        let names = list(inner, "outputs");
        let node = n.inner(inner, &inputs);
        let made = match node.op.as_str() {
            "Slice" if node.ints_of(1).is_none() => {
                // Where a step begins its slice is known only in that step.
                let from = node.x(1).squeeze(0) + n.g.iota([lengths[&names[0]]], 0);
                vec![node.x(0).take(0, from)]
            }
            _ => super::formula(&node).ok_or("an operator without a formula")??,
        };
        if node.op == "Slice" {
            lengths.insert(names[0].clone(), made[0].dim(0));
        }
        known.extend(names.into_iter().zip(made));
    }
    Ok(list(body, "outputs").iter().map(|name| known[name]).collect())
}
