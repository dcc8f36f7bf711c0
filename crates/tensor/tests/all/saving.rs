//! Saving respects what is there, and survives being killed.

use std::path::{Path, PathBuf};

use chainrule_tensor::io::{atomic_write, npy};
use chainrule_tensor::{Error, Tensor};

/// Names in a directory.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn save(path: &Path, text: &str) -> Result<(), Error> {
    use std::io::Write;
    atomic_write(path, |file| file.write_all(text.as_bytes()).map_err(|e| Error::io(path, &e)))
}

#[test]
fn an_empty_path_is_told() {
    let error = save(Path::new(""), "x").unwrap_err().to_string();
    assert_eq!(error, "[atomic_write] the path is empty; it has to name a file");
}

#[test]
fn a_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().to_owned(), dir.path().join(".")] {
        let error = save(&path, "x").unwrap_err().to_string();
        assert!(error.ends_with("it is a directory, which a file cannot replace"), "{error}");
    }
    assert!(names(dir.path()).is_empty());
}

#[test]
fn names_as_long_as_the_system_allows_are_saved() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("n".repeat(255));
    save(&path, "whole").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "whole");
    assert!(save(&dir.path().join("n".repeat(300)), "x").is_err());
    assert_eq!(names(dir.path()).len(), 1);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_target_of_a_link_is_replaced_and_the_link_stays() {
        let dir = tempfile::tempdir().unwrap();
        let there = dir.path().join("there");
        std::fs::create_dir(&there).unwrap();
        let target = there.join("target");
        // A chain of links, relative and absolute; at first it leads to nothing.
        let (first, second) = (dir.path().join("first"), dir.path().join("second"));
        symlink("second", &first).unwrap();
        symlink(&target, &second).unwrap();
        for text in ["made", "replaced"] {
            save(&first, text).unwrap();
            assert_eq!(std::fs::read_to_string(&target).unwrap(), text);
            assert!([&first, &second].iter().all(|link| link.is_symlink()) && !target.is_symlink());
        }
        assert_eq!((names(dir.path()).len(), names(&there).len()), (3, 1));
        symlink("circle", dir.path().join("circle")).unwrap();
        assert!(save(&dir.path().join("circle"), "x").is_err());
        assert!(dir.path().join("circle").is_symlink());
    }

    #[test]
    fn mode_and_owner_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        save(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        // Only the superuser can give it away; others keep their own.
        let _ = std::os::unix::fs::chown(&path, Some(1234), Some(1235));
        let of = |path: &Path| {
            let there = std::fs::metadata(path).unwrap();
            (there.uid(), there.gid(), there.mode())
        };
        let before = of(&path);
        save(&path, "new").unwrap();
        assert_eq!(of(&path), before);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn pipes_sockets_and_devices_are_refused_and_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let error = save(&path, "x").unwrap_err().to_string();
        assert!(error.ends_with("it is a socket, which a file cannot replace"), "{error}");
        let pipe = dir.path().join("pipe");
        if Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
            let error = save(&pipe, "x").unwrap_err().to_string();
            assert!(error.ends_with("it is a pipe, which a file cannot replace"), "{error}");
            symlink(&pipe, dir.path().join("link")).unwrap();
            assert!(save(&dir.path().join("link"), "x").is_err());
        }
        let error = npy::write("/dev/null", &Tensor::from(1.0)).unwrap_err().to_string();
        assert_eq!(error, "/dev/null: it is a device, which a file cannot replace");
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    }

    /// The variable that makes a test process a child that saves until it is killed.
    const SAVES: &str = "CHAINRULE_TEST_SAVES";

    /// In a child: saves tensors whose elements are all equal and grow, for ever. Else nothing.
    #[test]
    fn saves_until_it_is_killed() {
        let Some(path) = std::env::var_os(SAVES).map(PathBuf::from) else { return };
        for version in 1.. {
            npy::write(&path, &Tensor::full([1 << 16], version)).unwrap();
        }
    }

    #[test]
    fn a_kill_leaves_a_whole_file_and_the_next_save_cleans_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.npy");
        npy::write(&path, &Tensor::full([1 << 16], 0_i64)).unwrap();
        // Those of other files are not this file's to remove.
        let foreign = dir.path().join(".tmp-0000000000000000-other");
        std::fs::write(&foreign, "").unwrap();
        for round in 0..8 {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "saving::unix::saves_until_it_is_killed"])
                .env(SAVES, &path)
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(20 + 13 * round));
            child.kill().unwrap();
            child.wait().unwrap();
            let elements = npy::read(&path).unwrap().to_vec::<i64>().unwrap();
            assert!(elements.len() == 1 << 16 && elements.iter().all(|x| *x == elements[0]));
        }
        let stale = format!("{}stale", temporary_prefix(&path));
        std::fs::write(dir.path().join(&stale), "half").unwrap();
        npy::write(&path, &Tensor::from(1.0)).unwrap();
        assert_eq!(names(dir.path()), [".tmp-0000000000000000-other", "model.npy"]);
    }

    #[test]
    fn files_that_somebody_is_writing_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        atomic_write(&path, |_| {
            save(&path, "meanwhile")?;
            assert_eq!(names(dir.path()).len(), 2);
            Ok::<(), Error>(())
        })
        .unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
        assert_eq!(names(dir.path()), ["file"]);
    }

    /// How the temporary files of a path begin, as seen while one is there.
    fn temporary_prefix(path: &Path) -> String {
        let mut seen = None;
        atomic_write(path, |_| {
            seen = names(path.parent().unwrap())
                .into_iter()
                .find(|name| name.starts_with(".tmp-") && !name.ends_with("other"));
            Err(Error::Value { op: "test", why: "seen".into() })
        })
        .unwrap_err();
        let name = seen.unwrap();
        name[..name.rfind('-').unwrap() + 1].to_owned()
    }
}
