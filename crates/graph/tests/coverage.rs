//! What is checked of every primitive, counted; the counts are the page `docs/coverage.md`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use chainrule_graph::check::Checker;
use chainrule_graph::{Graph, Op, Precision, Sample, Var, compositions, samples, vmap};
use chainrule_tensor::Tensor;

use crate::rules::{draw, elements, weighted};

/// How the leaves of a sample lie in memory.
#[derive(Clone, Copy, PartialEq)]
enum Lie {
    Contiguous,
    Strided,
}

/// The sample's leaves: the values to differentiate by, and those values as the formula gets them.
fn leaves<'g>(g: &'g Graph, sample: &Sample, lie: Lie, seed: u64) -> (Vec<Var<'g>>, Vec<Var<'g>>) {
    let each = sample.shapes.iter().enumerate().map(|(i, shape)| {
        let name = format!("x{i}");
        let seed = seed + 31 * i as u64;
        if lie == Lie::Contiguous {
            let x = g.leaf(&name, draw(&sample.range, shape, seed));
            return (x, x);
        }
        // Every second element of the reversed last axis of a transpose.
        let mut wide = shape.clone();
        wide.reverse();
        let Some(first) = wide.first_mut() else {
            let pair = g.leaf(&name, draw(&sample.range, &[2], seed));
            return (pair, pair.slice(0, 1..2).reshape(()));
        };
        *first *= 2;
        let rank = wide.len() as isize;
        let x = g.leaf(&name, draw(&sample.range, &wide, seed));
        let turned = x.permute((0..rank).rev().collect::<Vec<_>>());
        (x, turned.flip(-1).slice_step(-1, 0..wide[0], 2))
    });
    each.unzip()
}

/// The number whose derivatives are checked: all elements of the result, weighted differently.
fn loss<'g>(sample: &Sample, x: &[Var<'g>]) -> Var<'g> {
    weighted((sample.formula)(x), 7)
}

/// A number made of the gradient of a power of the result, whose gradient is made of second derivatives.
fn of_gradient<'g>(sample: &Sample, wrt: &[Var<'g>], x: &[Var<'g>]) -> Var<'g> {
    let y = (sample.formula)(x);
    let first = weighted(y * y * y, 5).grad_or_zeros(wrt).unwrap_or_else(|e| panic!("{}: {e}", sample.name));
    let parts = first.iter().enumerate().map(|(i, d)| weighted(*d, 11 + i as u64));
    parts.reduce(|a, b| a + b).expect("a sample has leaves")
}

/// Checks the gradient of `y` against differences in f64.
fn numeric(name: &str, y: Var<'_>, wrt: &[Var<'_>], limit: f64) {
    let report = Checker::default().check(y, wrt).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(report.difference < limit, "{name}\n{report}");
}

/// Checks the gradient of `y` in f32 against that in f64.
fn narrow(name: &str, y: Var<'_>, wrt: &[Var<'_>], limit: f64) {
    let gradient = y.grad_or_zeros(wrt).unwrap_or_else(|e| panic!("{name}: {e}"));
    let run = |precision| {
        let compiled = y.graph().compiler(&[], &gradient).precision(precision).build();
        compiled.expect(name).run(&[]).expect(name).to_vec()
    };
    for (wide, narrow) in run(Precision::F64).iter().zip(run(Precision::F32)) {
        let (wide, narrow) = (elements(wide), narrow.as_slice::<f32>().expect("contiguous f32").to_vec());
        let scale = wide.iter().fold(1.0_f64, |m, x| m.max(x.abs()));
        for (w, n) in wide.iter().zip(narrow) {
            assert!((w - f64::from(n)).abs() < limit * scale, "{name}: {w} in f64, {n} in f32");
        }
    }
}

/// Checks that the gradients of two examples together are those of each alone.
fn batched(name: &str, sample: &Sample, lie: Lie) {
    let g = Graph::new();
    let (ones, others) = (leaves(&g, sample, lie, 1).0, leaves(&g, sample, lie, 9).0);
    let both: Vec<Var<'_>> = ones.iter().zip(&others).map(|(a, b)| g.stack(&[*a, *b], 0)).collect();
    let alone = |given: &[Var<'_>]| -> Vec<Tensor> {
        let h = Graph::new();
        let (x, seen) = leaves(&h, sample, lie, 1);
        let d = loss(sample, &seen).grad_or_zeros(&x).expect(name);
        let values: Vec<Tensor> = given.iter().map(|v| v.value().expect(name)).collect();
        let mut f = h.compiler(&x, &d).precision(Precision::F64).build().expect(name);
        f.run(&values).expect(name).to_vec()
    };
    let together = vmap(&both, |x| {
        let seen: Vec<_> = x.iter().zip(&sample.shapes).map(|(x, shape)| view(*x, shape, lie)).collect();
        loss(sample, &seen).grad_or_zeros(x)
    });
    let together = together.unwrap_or_else(|e| panic!("{name}: {e}"));
    for (i, given) in [ones, others].iter().enumerate() {
        for (all, one) in together.iter().zip(alone(given)) {
            let mine = elements(&all.slice(0, i..i + 1).value().expect(name).to_contiguous());
            for (a, b) in mine.iter().zip(elements(&one)) {
                assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{name}: {a} together, {b} alone");
            }
        }
    }
}

/// The view that [`leaves`] takes of a leaf.
fn view<'g>(x: Var<'g>, shape: &[usize], lie: Lie) -> Var<'g> {
    match (lie, shape) {
        (Lie::Contiguous, _) => x,
        (Lie::Strided, []) => x.slice(0, 1..2).reshape(()),
        (Lie::Strided, [.., n]) => {
            let turned = x.permute((0..shape.len() as isize).rev().collect::<Vec<_>>());
            turned.flip(-1).slice_step(-1, 0..2 * n, 2)
        }
    }
}

/// The cases that a sample is one of.
const CASES: [&str; 7] = ["scalar", "1-D", "n-D", "size 0", "size 1", "broadcast left", "broadcast right"];

fn cases(sample: &Sample) -> [bool; 7] {
    let g = Graph::new();
    let x = leaves(&g, sample, Lie::Contiguous, 1).0;
    let _ = (sample.formula)(&x);
    let nodes = g.nodes();
    // Whether the last argument of some operation, or one before it, is one of the leaves, repeated.
    let broadcast = |last: bool| {
        nodes.iter().any(|n| {
            let repeated = |a: &chainrule_graph::NodeId| {
                let arg = &nodes[a.index()];
                matches!(arg.op, Op::Broadcast(_)) && x.iter().any(|x| arg.args[0] == x.id())
            };
            let Some((right, left)) = n.args.split_last() else { return false };
            !left.is_empty() && if last { repeated(right) } else { left.iter().any(repeated) }
        })
    };
    let rank = sample.shapes.iter().map(Vec::len).max().unwrap_or(0);
    let sizes = || sample.shapes.iter().map(|s| (s.iter().product::<usize>(), s.len()));
    [
        rank == 0,
        rank == 1,
        rank > 1,
        sizes().any(|(n, _)| n == 0),
        sizes().any(|(n, rank)| n == 1 && rank > 0),
        broadcast(false),
        broadcast(true),
    ]
}

/// The operation that a sample of the family `family` is about.
fn operation(family: &str, sample: &Sample) -> Op {
    let g = Graph::new();
    let x = leaves(&g, sample, Lie::Contiguous, 1).0;
    let _ = (sample.formula)(&x);
    let of_family = |op: &Op| format!("{op:?}").starts_with(&format!("{family}("));
    let found = g.nodes().into_iter().map(|n| n.op).find(of_family);
    found.unwrap_or_else(|| panic!("{}: no {family} is recorded", sample.name))
}

/// What the operation is called on the page: names that two families share are told apart.
fn title(family: &str, op: &Op) -> String {
    match family {
        "Reduce" => format!("{} over axes", op.name()),
        "Call" if op.name() == "checkpoint" => "checkpoint".into(),
        "Call" => format!("custom {}", op.label().rsplit(['[', ']']).nth(1).unwrap_or_default()),
        "Custom" => "custom operation".into(),
        _ => op.name().into(),
    }
}

#[derive(Default)]
struct Row {
    cases: [usize; 7],
    checks: usize,
}

/// Runs all checks of a sample; how many there were.
fn check(sample: &Sample) -> usize {
    let mut checks = 0;
    for lie in [Lie::Contiguous, Lie::Strided] {
        let name = &sample.name;
        let g = Graph::new();
        let (wrt, x) = leaves(&g, sample, lie, 2);
        let first = loss(sample, &x);
        numeric(name, first, &wrt, 1e-7);
        narrow(name, first, &wrt, 2e-5);
        let second = of_gradient(sample, &wrt, &x);
        numeric(name, second, &wrt, 1e-6);
        narrow(name, second, &wrt, 5e-4);
        batched(name, sample, lie);
        checks += 5;
    }
    checks
}

fn table(rows: &BTreeMap<String, Row>, what: &str, page: &mut String) -> usize {
    let _ = writeln!(page, "| {what} | {} | checks |", CASES.join(" | "));
    let _ = writeln!(page, "|---|{}", "--:|".repeat(CASES.len() + 1));
    for (name, row) in rows {
        let cells: Vec<String> =
            row.cases.iter().map(|n| if *n == 0 { "–".into() } else { n.to_string() }).collect();
        let _ = writeln!(page, "| {name} | {} | {} |", cells.join(" | "), row.checks);
    }
    rows.values().map(|r| r.checks).sum()
}

fn add(rows: &mut BTreeMap<String, Row>, name: &str, sample: &Sample) {
    let row = rows.entry(name.into()).or_default();
    row.checks += check(sample);
    row.cases.iter_mut().zip(cases(sample)).for_each(|(n, is)| *n += usize::from(is));
}

#[test]
fn the_page_of_coverage_says_what_is_checked() {
    let (mut primitives, mut composed) = (BTreeMap::new(), BTreeMap::new());
    let mut flat: BTreeMap<String, &str> = BTreeMap::new();
    for (family, samples) in samples() {
        for sample in &samples {
            let op = operation(family, sample);
            match op.flat() {
                Some(why) => drop(flat.insert(op.name().into(), why)),
                None => add(&mut primitives, &title(family, &op), sample),
            }
        }
    }
    for (name, samples) in compositions() {
        samples.iter().for_each(|s| add(&mut composed, name, s));
    }
    let mut page = String::from(
        "# What is checked\n\n\
         Written by `UPDATE_COVERAGE=1 cargo test -p chainrule-graph --test graph coverage`; the same command without \
         the variable, and so every run of the tests, checks all of it and that this page is current.\n\n\
         A number counts sample cases of that kind. Each sample is checked ten times: with its values contiguous, and \
         as every second element of a flipped transpose; each time\n\n\
         * first derivatives in f64 against numeric ones (relative difference below 1e-7),\n\
         * first derivatives in f32 against those in f64,\n\
         * second derivatives in f64 against numeric ones of the first (below 1e-6),\n\
         * second derivatives in f32 against those in f64,\n\
         * `vmap` of the gradient over two examples against each alone.\n\n\
         ## Primitives\n\n",
    );
    let first = table(&primitives, "primitive", &mut page);
    page.push_str("\n## Compositions\n\n");
    let second = table(&composed, "function", &mut page);
    let _ = writeln!(
        page,
        "\n{} primitives and {} compositions, {} checks.\n\n## Without derivative\n",
        primitives.len(),
        composed.len(),
        first + second
    );
    for (name, why) in &flat {
        let _ = writeln!(page, "* `{name}`: {why}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/coverage.md");
    if std::env::var_os("UPDATE_COVERAGE").is_some() {
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("created");
        std::fs::write(&path, &page).expect("written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/coverage.md is out of date; run\n  UPDATE_COVERAGE=1 cargo test -p chainrule-graph --test graph coverage"
    );
}
