//! The ONNX project's single-node cases: each operator as a formula over [`Var`]s, its outputs against theirs.
//!
//! `data/onnx/README.md` says where the cases come from. Reals must agree to ONNX's own tolerance, integers and
//! truth values exactly. An operator that chainrule has no formula for is listed by name with the reason.

mod attention;
mod boxes;
mod control;
mod elementwise;
mod indexing;
mod linear;
mod loss;
mod node;
mod normalisation;
mod optimiser;
mod recurrent;
mod reduction;
mod resize;
mod sampling;
mod shape;
mod signal;
mod unsupported;
mod window;

use std::collections::BTreeMap;

use chainrule::graph::{Graph, Precision, Var};
use chainrule::tensor::{DType, Tensor, io::safetensors};
use serde_json::Value;

use node::{Node, Outcome};

/// How many cases pass; a change is made knowingly.
const PASSING: usize = 986;
const CASES: usize = 1_035;
const OPERATORS: usize = 179;

/// ONNX's tolerance: |ours − theirs| ≤ `ATOL` + `RTOL` · |theirs|.
const RTOL: f64 = 1e-3;
const ATOL: f64 = 1e-7;

/// Where the expected zeros are their rounding, above the tolerance: 1.9e-7 where chainrule has 3e-15.
const ROUNDING: [&str; 2] = ["test_dft_inverse", "test_dft_inverse_opset19"];

/// The families, asked in turn; the last says why an operator has no formula.
const FAMILIES: &[for<'g> fn(&Node<'g>) -> Option<Outcome<'g>>] = &[
    elementwise::record,
    reduction::record,
    shape::record,
    linear::record,
    normalisation::record,
    loss::record,
    attention::record,
    recurrent::record,
    resize::record,
    indexing::record,
    window::record,
    boxes::record,
    sampling::record,
    signal::record,
    optimiser::record,
    control::record,
    unsupported::record,
];

/// What became of a case.
enum Verdict {
    Passed,
    Unsupported(&'static str),
    Failed(String),
}

/// Passed and total, and the names of the rest by reason.
#[derive(Default)]
struct Row {
    passed: usize,
    total: usize,
    unsupported: BTreeMap<&'static str, usize>,
}

#[test]
fn onnx_cases_pass() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/judges/data/onnx");
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("data/onnx/cases.json")).expect("a list of cases");
    let tensors = safetensors::read(format!("{folder}/cases.safetensors")).expect("the cases' tensors");
    let tensors: BTreeMap<String, Tensor> = tensors.tensors.into_iter().collect();

    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    let mut failed = Vec::new();
    for case in &cases {
        let text = |key: &str| case[key].as_str().expect("text");
        let row = rows.entry(text("op")).or_default();
        row.total += 1;
        match judge(case, &tensors) {
            Verdict::Passed => row.passed += 1,
            Verdict::Unsupported(why) => *row.unsupported.entry(why).or_default() += 1,
            Verdict::Failed(why) => failed.push(format!("{}: {why}", text("name"))),
        }
    }
    let passed: usize = rows.values().map(|r| r.passed).sum();
    report(&rows);
    println!("onnx: {passed} of {} cases of {} operators pass", cases.len(), rows.len());
    assert!(failed.is_empty(), "{} fail:\n{}", failed.len(), failed.join("\n"));
    assert_eq!((cases.len(), rows.len()), (CASES, OPERATORS), "none is left out");
    assert_eq!(passed, PASSING, "more pass than before: raise the number");
    let said = format!("{PASSING} of {},{:03} pass", CASES / 1000, CASES % 1000);
    assert!(include_str!("../../README.md").contains(&said), "README.md: {said}");
}

/// One line for the operators that pass in full, one for each of the others.
fn report(rows: &BTreeMap<&str, Row>) {
    let full = rows.iter().filter(|(_, r)| r.passed == r.total);
    let full: Vec<String> = full.map(|(op, r)| format!("{op} {}/{}", r.passed, r.total)).collect();
    println!("onnx, all cases: {}", full.join(", "));
    for (op, row) in rows.iter().filter(|(_, r)| r.passed < r.total) {
        let reasons: Vec<String> = row.unsupported.iter().map(|(why, n)| format!("{n} {why}")).collect();
        println!("onnx, {op}: {}/{}; not supported: {}", row.passed, row.total, reasons.join("; "));
    }
}

fn judge(case: &Value, tensors: &BTreeMap<String, Tensor>) -> Verdict {
    let name = case["name"].as_str().expect("a name");
    if case["plain"] == Value::Bool(false) {
        return Verdict::Unsupported("sequences and optional values");
    }
    if ROUNDING.contains(&name) {
        return Verdict::Unsupported("an expected zero is rounding");
    }
    let tensor = |side: &str, i: u64| tensors.get(&format!("{name}/0/{side}/{i}"));
    let inputs = case["inputs"].as_array().expect("a list").iter();
    let inputs: Vec<Option<&Tensor>> = inputs.map(|i| i.as_u64().and_then(|i| tensor("in", i))).collect();
    // Places among the node's outputs, some of which may be left out.
    let places =
        case["outputs"].as_array().expect("a list").iter().map(|i| i.as_u64().expect("a place") as usize);
    let places: Vec<usize> = places.collect();
    let expected = (0..places.len()).map(|i| tensor("out", i as u64).expect("a tensor for each output"));
    let expected: Vec<&Tensor> = expected.collect();
    let g = Graph::new();
    let node = Node::new(&g, case, &inputs);
    let outputs = match formula(&node) {
        Some(Ok(outputs)) => outputs,
        Some(Err(why)) => return Verdict::Unsupported(why),
        None => return Verdict::Failed(format!("no formula for {}", node.op)),
    };
    let Some(outputs) = places.iter().map(|i| outputs.get(*i).copied()).collect::<Option<Vec<_>>>() else {
        return Verdict::Failed(format!("{} outputs, but {places:?} are wanted", outputs.len()));
    };
    let reals = || inputs.iter().flatten().chain(&expected).map(|t| t.dtype()).filter(|d| d.is_real());
    let narrow = reals().any(|d| d == DType::F32) && !reals().any(|d| d == DType::F64);
    let precision = if narrow { Precision::F32 } else { Precision::F64 };
    match compare(&g, &outputs, &expected, precision) {
        Ok(()) => Verdict::Passed,
        Err(why) => Verdict::Failed(why),
    }
}

/// What the first family that knows the operator makes of it.
fn formula<'g>(node: &Node<'g>) -> Option<Outcome<'g>> {
    FAMILIES.iter().find_map(|family| family(node))
}

fn compare(g: &Graph, outputs: &[Var<'_>], expected: &[&Tensor], precision: Precision) -> Result<(), String> {
    let mut function = g.compiler(&[], outputs).precision(precision).build().map_err(|e| e.to_string())?;
    let found = function.run(&[]).map_err(|e| e.to_string())?;
    for (i, (ours, theirs)) in found.iter().zip(expected).enumerate() {
        agree(ours, theirs).map_err(|why| format!("output {i}: {why}"))?;
    }
    Ok(())
}

fn agree(ours: &Tensor, theirs: &Tensor) -> Result<(), String> {
    if ours.shape() != theirs.shape() {
        return Err(format!("shape {:?} instead of {:?}", ours.shape(), theirs.shape()));
    }
    let kinds = (ours.dtype(), theirs.dtype());
    let exact = kinds.0 == kinds.1 && !kinds.1.is_real();
    let comparable = exact || (kinds.0.is_real() && kinds.1.is_real());
    if !comparable {
        return Err(format!("{} instead of {}", kinds.0, kinds.1));
    }
    let wide = |t: &Tensor| t.cast(DType::F64).to_vec::<f64>().expect("a tensor in f64");
    let near = |(a, b): (&f64, &f64)| {
        let close = if exact { a == b } else { (a - b).abs() <= ATOL + RTOL * b.abs() };
        close || a == b || (a.is_nan() && b.is_nan())
    };
    let (ours, theirs) = (wide(ours), wide(theirs));
    match ours.iter().zip(&theirs).position(|pair| !near(pair)) {
        Some(i) => Err(format!("element {i} is {} instead of {}", ours[i], theirs[i])),
        None => Ok(()),
    }
}
