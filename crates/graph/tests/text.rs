//! Plans as text: reading gives the plan that was printed; damaged text is an error that names its line.

use chainrule_graph::plan::{Cpu, Machine, Plan};
use chainrule_graph::{Compiled, ErrorKind, Graph, Kind, Optimise, Precision};
use chainrule_tensor::{DType, Key, Tensor};
use proptest::prelude::*;

use crate::golden::{PROGRAMS, golden};
use crate::passes::{STEPS, recorded, shapes};
use crate::rules::{each_sample, leaves, same_bits, weighted};

/// Reads what is printed, and has the plan in the text run.
fn round_trip(name: &str, mut f: Compiled, arguments: &[Tensor]) {
    let text = f.plan().to_string();
    let read = Plan::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
    assert!(read == *f.plan(), "{name}: another plan is read:\n{text}{read}");
    assert_eq!(read.to_string(), text, "{name}");
    let (printed, read) = match f.precision() {
        Precision::F32 => {
            let mut machine = Machine::new(read, Cpu::<f32>::new()).expect(name);
            (f.run(arguments).expect(name).to_vec(), machine.run(arguments).expect(name).to_vec())
        }
        Precision::F64 => {
            let mut machine = Machine::new(read, Cpu::<f64>::new()).expect(name);
            (f.run(arguments).expect(name).to_vec(), machine.run(arguments).expect(name).to_vec())
        }
    };
    assert!(same_bits(&printed, &read), "{name}: {printed:?} is not {read:?}");
}

#[test]
fn every_primitive_is_read_as_it_is_printed() {
    each_sample(|name, sample| {
        let g = Graph::new();
        let x = leaves(&g, sample, 8);
        let y = (sample.formula)(&x);
        let mut outputs = weighted(y, 3).grad_or_zeros(&x).expect(name);
        outputs.push(y);
        for (precision, optimise) in [(Precision::F64, Optimise::NONE), (Precision::F32, Optimise::ALL)] {
            let f = g.compiler(&[], &outputs).precision(precision).optimise(optimise).build().expect(name);
            if !f.plan().to_string().contains("custom \"") {
                round_trip(name, f, &[]);
            }
        }
    });
}

#[test]
fn a_dozen_programs_are_read_as_they_are_printed() {
    for i in 0..PROGRAMS.len() {
        let (name, f, arguments) = golden(i);
        round_trip(name, f, &arguments);
    }
}

#[test]
fn numbers_keep_their_bits_and_names_their_marks() {
    let g = Graph::new();
    let odd = [f64::from_bits(0x7ff8_0000_0000_0123), -0.0, f64::INFINITY, 5e-324, 0.1 + 0.2];
    let x = g.input("a \"name\"\n\\ with {marks} %0 é", [5], Kind::Real);
    let y = x + g.leaf("odd", odd) * f64::NAN;
    round_trip("odd numbers", g.compile(&[x], &[y]).expect("plans"), &[Tensor::from([1.0; 5])]);
}

/// The error of a text that is no plan, and its line there.
fn refused(text: &str) -> (usize, String) {
    let error = Plan::parse(text).expect_err("no plan");
    match error.kind() {
        ErrorKind::Text { line, why } => (*line, why.clone()),
        other => panic!("{other} of\n{text}"),
    }
}

#[test]
fn damaged_text_is_an_error_that_names_its_line() {
    let sound = "plan f64\n  buffer b0 real 3\n  buffer b1 real 1\n  argument b0 \"x\" real 3\n  sum 1x3x1 of b0 to b1 \"sum\"\n  result b1 real -\nend\n";
    assert!(Plan::parse(sound).is_ok());
    for (from, to, line, why) in [
        ("plan f64", "plan f16", 1, "`f16` is none of f32, f64"),
        ("buffer b1", "buffer b7", 3, "so this is b1"),
        ("sum 1x3x1", "sun 1x3x1", 5, "`sun` is no operation"),
        ("1x3x1", "1x4x1", 1, "sum [sum]: takes no"),
        ("1x3x1", "1x-3x1", 5, "no list of lengths"),
        ("1x3x1", "1x99999999999x99999999999", 5, "has too many elements"),
        ("1x3x1", "0x99999999999x99999999999", 5, "has too many elements"),
        ("of b0", "of b9", 5, "there is no buffer b9"),
        ("of b0", "of b1", 1, "reads b1 before it is written"),
        ("to b1", "to b0", 1, "writes over what is given in b0"),
        ("\"sum\"", "\"sum", 5, "no text in quotation marks"),
        ("result b1 real -", "result b0 real 3", 1, "is no result"),
        ("result b1 real -\nend", "result b1 real -", 6, "the text ends"),
        ("end\n", "end\nend\n", 8, "behind the end"),
    ] {
        let (at, found) = refused(&sound.replacen(from, to, 1));
        assert!(at == line && found.contains(why), "{from} → {to}: line {at}, {found}");
    }
    assert_eq!(refused("").0, 1);
    let error = Plan::parse("plan f64").expect_err("no end").to_string();
    assert!(error.contains("line 1") && error.contains("text.rs"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn random_programs_are_read_as_they_are_printed(
        steps in prop::collection::vec((0..STEPS.len(), any::<prop::sample::Index>(), any::<prop::sample::Index>()), 2..6),
        [a, b, c] in shapes(),
        wide: bool,
    ) {
        let g = Graph::new();
        let x = g.input("x", [a, b, c], Kind::Real);
        let pool = recorded(x, &steps);
        let y = pool[pool.len() - 1];
        let mut outputs = vec![y, y.sum(0)];
        outputs.extend(y.cos().sum(..).grad_or_zeros(&[x]).expect("differentiates"));
        let precision = if wide { Precision::F64 } else { Precision::F32 };
        let f = g.compiler(&[x], &outputs).precision(precision).build().expect("plans");
        let value = Tensor::uniform(Key::new(1), [a, b, c], -1.0..1.0, DType::F64).expect("a range");
        round_trip("a random program", f, &[value]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Words are exchanged, lines are lost: what is still a plan runs, or fails with an error; all else is refused.
    #[test]
    fn no_damage_makes_a_plan_that_panics(
        program in 0..PROGRAMS.len(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4_u8), 1..3),
    ) {
        let (_, f, arguments) = golden(program);
        let mut text = f.plan().to_string();
        // A test that never fails would never end.
        prop_assume!(!text.contains("while"));
        for (at, other, how) in damage {
            let mut lines: Vec<Vec<&str>> = text.lines().map(|l| l.split(' ').collect()).collect();
            let line = at.index(lines.len());
            match how {
                0 => drop(lines.remove(line)),
                1 => {
                    let copied = lines[other.index(lines.len())].clone();
                    lines.insert(line, copied);
                }
                _ => {
                    let all: Vec<&str> = text.split_whitespace().collect();
                    let word = other.index(lines[line].len());
                    lines[line][word] = all[other.index(all.len())];
                }
            }
            text = lines.into_iter().map(|l| l.join(" ") + "\n").collect();
        }
        match Plan::parse(&text) {
            Err(error) => prop_assert!(matches!(error.kind(), ErrorKind::Text { .. }), "{error}"),
            Ok(plan) => {
                let ran = Machine::new(plan, Cpu::<f64>::new()).and_then(|mut m| m.run(&arguments).map(|y| y.to_vec()));
                prop_assert!(ran.is_ok() || ran.is_err());
            }
        }
    }
}
