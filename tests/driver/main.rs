//! Random programs over every public method of `Tensor`, `Var` and `Graph`, with arguments good and bad.
//!
//! Whatever is called, nothing may panic: a mistake is a typed error. What is computed has the type that was recorded, and
//! the same bits with and without optimisations, in anomaly mode, with one thread and with two.
//!
//! `CHAINRULE_DRIVER_CALLS` says how many calls to make instead of the 50,000 of a test run, and `CHAINRULE_DRIVER_SEED`
//! which program comes first: that of a failure's message, with 1 call, runs it alone.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chainrule::prelude::*;

mod dice;
mod graphs;
mod plans;
mod tensors;
mod vars;
mod world;

use dice::Dice;
use world::World;

/// Calls in one program.
const LENGTH: usize = 16;

const RECORDED: [&[(&str, world::Call)]; 6] =
    [vars::PLAIN, vars::BINARY, vars::AXIS, vars::AXES, vars::OTHER, graphs::CALLS];
const EAGER: [&[(&str, tensors::Call)]; 5] =
    [tensors::PLAIN, tensors::BINARY, tensors::AXIS, tensors::AXES, tensors::OTHER];

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |n| n.parse().expect("a number"))
}

#[test]
fn whatever_is_called_nothing_panics_and_values_do_not_depend_on_the_plan() {
    let calls = number("CHAINRULE_DRIVER_CALLS", 50_000);
    let first = number("CHAINRULE_DRIVER_SEED", 0);
    let said: Arc<Mutex<String>> = Arc::default();
    let told = said.clone();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        *told.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
    let (mut values, mut worked) = (0, HashSet::new());
    let mut failures: BTreeMap<String, (u64, &str, usize)> = BTreeMap::new();
    for seed in (first..).take(calls.div_ceil(LENGTH as u64) as usize) {
        let mut trace = Vec::new();
        let run =
            || if seed % 4 == 3 { eager(seed, &mut trace) } else { recorded(seed, &mut trace, &mut worked) };
        let Ok(computed) = catch_unwind(AssertUnwindSafe(run)) else {
            let what = said.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let call = trace.last().copied().unwrap_or_default();
            failures.entry(what).or_insert((seed, call, 0)).2 += 1;
            continue;
        };
        values += u64::from(computed);
    }
    std::panic::set_hook(before);
    let list: Vec<String> = failures
        .iter()
        .map(|(what, (seed, call, times))| format!("{times} times, first in {call} with seed {seed}: {what}"))
        .collect();
    assert!(list.is_empty(), "{} kinds of failure:\n{}", list.len(), list.join("\n\n"));
    assert!(
        values * LENGTH as u64 * 2 > calls,
        "only {values} programs came to values: the others say nothing"
    );
    let makes = |name: &&str| !vars::WITHOUT_VALUE.contains(name) && !graphs::WITHOUT_VALUE.contains(name);
    let names = RECORDED.iter().flat_map(|table| table.iter().map(|(name, _)| *name)).filter(makes);
    let failing: Vec<&str> = names.filter(|name| !worked.contains(name)).collect();
    assert!(calls < 50_000 || failing.is_empty(), "{failing:?} were given nothing that they take");
}

fn recorded(seed: u64, trace: &mut Vec<&'static str>, worked: &mut HashSet<&'static str>) -> bool {
    let g = Graph::new();
    let mut w = World::new(&g, seed);
    for _ in 0..LENGTH {
        let table = w.dice.pick(&[0, 1, 2, 3, 4, 4, 4, 5, 5]);
        let (name, call) = w.dice.pick(RECORDED[table]);
        trace.push(name);
        let made = call(&mut w);
        if made.iter().any(|v| !v.is_poisoned()) {
            worked.insert(name);
        }
        w.pool.extend(made);
    }
    trace.push("the plans");
    plans::agree(&mut w)
}

fn eager(seed: u64, trace: &mut Vec<&'static str>) -> bool {
    let mut dice = Dice(seed);
    for _ in 0..LENGTH {
        let operands = tensors::operands(&mut dice);
        let copies = operands.each_ref().map(|t| t.to_contiguous());
        let table = dice.pick(&[0, 1, 2, 3, 4]);
        let (name, call) = dice.pick(EAGER[table]);
        trace.push(name);
        let mut again = Dice(dice.0);
        let (of_views, of_copies) =
            (call(&mut dice, operands.each_ref()), call(&mut again, copies.each_ref()));
        let same = plans::same(&of_views, &of_copies);
        assert!(same, "{name} of views is {of_views:?}, of copies {of_copies:?}");
    }
    true
}

#[test]
fn what_is_made_of_an_error_is_an_error() {
    // A key of random numbers may be a constant; the others are given nothing that is sound.
    let rows = RECORDED[..5].iter().flat_map(|table| table.iter()).filter(|(name, _)| *name != "uniform");
    for (seed, (name, call)) in (0..8).flat_map(|seed| rows.clone().map(move |row| (seed, row))) {
        let g = Graph::new();
        let mut w = World::new(&g, seed);
        let poison = world::poisoned(&g);
        (w.pool, w.only) = (vec![poison], Some(poison));
        let made = call(&mut w);
        assert!(made.iter().all(|v| v.is_poisoned()), "{name} makes {made:?} of an error");
    }
}

#[test]
fn every_public_method_is_among_the_calls() {
    let names = |tables: &[&[(&'static str, world::Call)]]| -> HashSet<&str> {
        tables.iter().flat_map(|t| t.iter().map(|(name, _)| *name)).collect()
    };
    let eager: HashSet<&str> = EAGER.iter().flat_map(|t| t.iter().map(|(name, _)| *name)).collect();
    for (owner, folder, called, elsewhere) in [
        ("impl<'g> Var<'g> {", "graph", names(&RECORDED[..5]), vars::ELSEWHERE),
        ("impl Graph {", "graph", names(&RECORDED[5..]), graphs::ELSEWHERE),
        ("impl Tensor {", "tensor", eager, tensors::ELSEWHERE),
    ] {
        let found =
            methods(owner, &Path::new(env!("CARGO_MANIFEST_DIR")).join("crates").join(folder).join("src"));
        assert!(found.len() > 15, "{owner} has more methods than {found:?}");
        let missing: Vec<&String> = found
            .iter()
            .filter(|name| !called.contains(name.as_str()) && !elsewhere.contains(&name.as_str()))
            .collect();
        assert!(missing.is_empty(), "{owner} has {missing:?}; add a row for each in tests/driver");
    }
}

/// The names of public methods in blocks that begin with `owner`, those that macros make of rows included.
fn methods(owner: &str, folder: &Path) -> HashSet<String> {
    let mut found = HashSet::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(methods(owner, &path));
        }
        let Some(text) = path.extension().is_some_and(|e| e == "rs").then(|| fs::read_to_string(&path))
        else {
            continue;
        };
        let (text, mut inside) = (text.expect("UTF-8"), false);
        let made_of_rows = text.contains("macro_rules!") && text.contains(owner);
        for line in text.lines() {
            inside = line.starts_with(owner) || (inside && line != "}");
            if let (true, Some(rest)) = (inside, line.strip_prefix("    pub fn ")) {
                found.extend(rest.split(['(', '<']).next().map(String::from));
            }
            // A row: the method, the operation, and what it says in quotes.
            let words: Vec<&str> = line.split_whitespace().collect();
            if let (true, [a, b, quoted, ..]) = (made_of_rows, &words[..])
                && quoted.starts_with('"')
            {
                let method = |word: &&&str| {
                    word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                };
                found.extend([a, b].iter().find(|w| method(w)).map(|w| w.to_string()));
            }
        }
    }
    found
}
