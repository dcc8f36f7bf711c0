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

#[test]
fn files_stay_short_enough_to_hold_in_the_head() {
    for (path, text) in sources() {
        // Tests at the end of a file do not count.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(&text);
        let lines = code.lines().count();
        assert!(lines <= 500, "{} has {lines} lines: it has grown past one subject", path.display());
    }
}

#[test]
fn dependencies_point_one_way() {
    let depends = |a: &str, b: &str| {
        let manifest = fs::read_to_string(root().join(format!("crates/{a}/Cargo.toml"))).expect("a manifest");
        manifest.contains(&format!("chainrule-{b}"))
    };
    for (a, b) in [("tensor", "graph"), ("tensor", "nn"), ("graph", "nn")] {
        assert!(depends(b, a) || a == "tensor", "{b} is built on {a}");
        assert!(!depends(a, b), "{a} must not know {b}");
    }
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
