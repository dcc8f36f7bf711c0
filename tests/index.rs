use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const HEAD: &str = "\
# The lectures as programs

Each program states a lecture's claim, measures it over several seeds, fails if it does not hold, and draws the slide's picture
into `out/lectures`. Run one with `cargo run --release --example NAME`; most take seconds. `tests/programs.rs` runs all of them with
fewer seeds.

This page is made of the programs' first lines and of what `examples/record` wrote to `results/`; after a change,
`UPDATE_INDEX=1 cargo test --test programs index` writes it anew.
";

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// The names of the programs of lectures, in order.
fn programs() -> Vec<String> {
    let files = fs::read_dir(examples()).expect("examples");
    let names = files.filter_map(|f| f.ok()?.file_name().to_str()?.strip_suffix(".rs").map(str::to_owned));
    let lecture = |n: &String| n.starts_with('c') && n[1..].starts_with(|c: char| c.is_ascii_digit());
    let mut names: Vec<String> = names.filter(lecture).collect();
    names.sort();
    names
}

fn source(name: &str) -> String {
    fs::read_to_string(examples().join(name).with_extension("rs")).expect("UTF-8")
}

/// The lecture and the claim: the first paragraph, up to its first colon and behind it.
fn head(name: &str) -> (String, String) {
    let source = source(name);
    let lines = source.lines().map_while(|l| l.strip_prefix("//! "));
    let text = lines.collect::<Vec<_>>().join(" ").replace('|', "\\|");
    let (lecture, claim) =
        text.split_once(": ").unwrap_or_else(|| panic!("{name} starts with `Course …: claim`"));
    assert!(lecture.starts_with("Course "), "{name} starts with its lecture, not with {lecture}");
    (lecture.to_owned(), claim.to_owned())
}

/// What the recorded run said.
fn result(name: &str) -> String {
    let file = format!("results/{name}.txt");
    match fs::read_to_string(examples().join(&file)) {
        Err(_) => "not recorded".into(),
        Ok(text) if text.contains("claim holds") => format!("[holds]({file})"),
        Ok(_) => format!("[shown]({file})"),
    }
}

fn index() -> String {
    let mut page = HEAD.to_owned();
    let mut course = String::new();
    for name in programs() {
        let (lecture, claim) = head(&name);
        let (own, rest) = lecture.split_once(", ").unwrap_or((&lecture, ""));
        if own != course {
            own.clone_into(&mut course);
            write!(
                page,
                "\n## {course}\n\n| lecture | program | what it shows | result |\n| --- | --- | --- | --- |\n"
            )
            .expect("text");
        }
        let result = result(&name);
        writeln!(page, "| {rest} | [`{name}`]({name}.rs) | {claim} | {result} |").expect("text");
    }
    page
}

#[test]
fn the_index_is_that_of_the_files() {
    let (file, index) = (examples().join("README.md"), index());
    if std::env::var_os("UPDATE_INDEX").is_some() {
        fs::write(&file, &index).expect("writable");
    }
    let found = fs::read_to_string(file).unwrap_or_default();
    assert_eq!(found, index, "UPDATE_INDEX=1 cargo test --test programs index writes it anew");
}

#[test]
fn every_claim_is_tested() {
    let programs_rs = include_str!("programs.rs");
    for name in programs().iter().filter(|n| source(n).contains("pub fn run(")) {
        assert!(programs_rs.contains(&format!("    {name}(")), "tests/programs.rs does not run {name}");
    }
}

#[test]
fn programs_are_short_and_recorded() {
    for name in programs() {
        let lines = source(&name).lines().count();
        assert!(lines <= 150, "{name} has {lines} lines");
        assert_ne!(result(&name), "not recorded", "examples/record {name} runs it and keeps what it prints");
    }
}
