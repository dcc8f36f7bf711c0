use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    rust_files(&root().join("crates"), &mut files);
    assert!(files.len() > 50, "the crates' sources, not {} files", files.len());
    files.into_iter().map(|f| (f.clone(), fs::read_to_string(&f).expect("UTF-8"))).collect()
}

/// The lines that a file may have, tests at its end aside.
const LONGEST: usize = 500;

#[test]
fn files_stay_short_enough_to_hold_in_the_head() {
    let rules = fs::read_to_string(root().join("CONTRIBUTING.md")).expect("a page");
    assert!(rules.contains(&format!("at most {LONGEST} lines")), "CONTRIBUTING.md names another length");
    for (path, text) in sources() {
        // Tests at the end of a file do not count.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(&text);
        let lines = code.lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines: it has grown past one subject", path.display());
    }
}

#[test]
fn dependencies_point_one_way() {
    let depends = |a: &str, b: &str| {
        let manifest = fs::read_to_string(root().join(format!("crates/{a}/Cargo.toml"))).expect("a manifest");
        manifest.contains(&format!("chainrule-{b}"))
    };
    for (a, b) in [("tensor", "graph"), ("sketch", "graph"), ("tensor", "nn"), ("graph", "nn")] {
        assert!(depends(b, a), "{b} is built on {a}");
        assert!(!depends(a, b), "{a} must not know {b}");
    }
    for (a, b) in [("sketch", "tensor"), ("sketch", "nn"), ("tensor", "sketch"), ("nn", "sketch")] {
        assert!(!depends(a, b), "{a} must not know {b}");
    }
}

/// What is known without a graph: types, origins, errors.
const GROUND: &str = "cache error origin types";
/// What a formula is made of: these rooms know each other, the price of "one primitive, one file".
const LANGUAGE: &str = "attribution body control copy ir mixed note precision prim repeat trim var walk";
/// The rooms of the graph crate, and which others each may use, besides what is known without a graph. Every arrow goes back in
/// this list.
const ROOMS: &[(&str, &str)] = &[
    (GROUND, ""),
    (LANGUAGE, "language"),
    ("math", "language"),
    ("rewrite", "language"),
    ("diff", "language rewrite"),
    ("exec", "language rewrite"),
    ("plan", "language exec"),
    ("text", "language rewrite diff"),
    ("picture", "language rewrite exec"),
    ("check", "language rewrite diff exec"),
];

/// Arrows that go forth, each with its reason.
const FORTH: &[(&str, &str, &str)] = &[("prim", "exec", "a primitive says which call of a plan it is")];

#[test]
fn arrows_between_rooms_of_the_graph_point_one_way() {
    let src = root().join("crates/graph/src");
    let mut unused: Vec<_> = FORTH.iter().collect();
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    for path in files.iter().filter(|p| !p.ends_with("lib.rs") && !p.ends_with("tests.rs")) {
        let inside = path.strip_prefix(&src).expect("a file of the crate");
        let first = inside.iter().next().expect("a name").to_string_lossy();
        let room = first.trim_end_matches(".rs");
        let found = ROOMS.iter().find(|(rooms, _)| rooms.split(' ').any(|r| r == room));
        let (_, known) = found.unwrap_or_else(|| panic!("{} is in no room: list it", path.display()));
        let text = fs::read_to_string(path).expect("UTF-8");
        let code = text.lines().filter(|l| !l.trim_start().starts_with("//"));
        let uses = code.flat_map(|l| l.split("crate::").skip(1));
        let names =
            uses.map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(""));
        for other in names.filter(|n| n.starts_with(char::is_lowercase)) {
            let holds = |rooms: &str| rooms.split(' ').any(|r| r == other);
            let of_language = known.contains("language") && holds(LANGUAGE);
            let fits = other == room || holds(GROUND) || of_language || holds(known);
            let forth = FORTH.iter().find(|(from, to, _)| *from == room && *to == other);
            assert!(
                fits || forth.is_some(),
                "{} uses crate::{other}, which {room} must not know",
                path.display()
            );
            unused.retain(|arrow| Some(*arrow) != forth);
        }
    }
    assert!(unused.is_empty(), "these arrows are gone, strike them from the list: {unused:?}");
}

#[test]
fn files_named_in_the_documents_exist() {
    fn all(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("readable").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() && !["target", ".git", "out"].contains(&&*name) {
                all(&path, found);
            } else {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    let mut there = Vec::new();
    all(&root(), &mut there);
    let is_there = |name: &str| there.iter().any(|path| path.ends_with(&format!("/{name}")));
    let mut named = 0;
    for page in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root().join(page)).expect("a page");
        // What stands in a block is a program or what it prints.
        let prose = text.split("```").step_by(2);
        for name in prose.flat_map(|part| part.split('`').skip(1).step_by(2)) {
            let path = name.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c));
            let ending =
                [".rs", ".py", ".txt", ".md", ".toml", ".csv", ".json"].iter().any(|e| name.ends_with(e));
            if path && ending {
                assert!(is_there(name), "{page} names `{name}`, which is not there");
                named += 1;
            }
        }
    }
    assert!(named > 50, "the files that the pages name, not {named}");
}

#[test]
fn unsafe_code_is_in_the_kernels_alone() {
    for (path, text) in sources() {
        let kernels = path.components().any(|c| c.as_os_str() == "kernels");
        let uses = text.lines().any(|l| !l.trim_start().starts_with("//") && l.contains("unsafe "));
        assert!(kernels || !uses, "{} has unsafe code", path.display());
    }
}

#[test]
fn nothing_is_left_for_later() {
    let marks = ["todo!", "unimplemented!", "#[ignore", "FIXME", "dbg!"];
    for (path, text) in sources() {
        for mark in marks {
            assert!(!text.contains(mark), "{} has {mark}", path.display());
        }
    }
}

#[test]
fn every_example_is_where_a_reader_looks() {
    let read = |name: &str| fs::read_to_string(root().join(name)).expect("a README");
    let (readme, index) = (read("README.md"), read("examples/README.md"));
    assert!(readme.contains("(examples/README.md)"), "README.md leads to the index of the lectures");
    let mut files = Vec::new();
    rust_files(&root().join("examples"), &mut files);
    for path in files.iter().filter(|p| p.parent().is_some_and(|folder| folder.ends_with("examples"))) {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let known = readme.contains(&name) || index.contains(&name);
        assert!(known, "neither README.md nor examples/README.md mentions the example {name}");
    }
}
