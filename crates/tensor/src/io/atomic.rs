//! Files that are either the old ones or the new ones, never half of each.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

use crate::{Error, Result};

/// Writes a file so that a crash, a full disk or an error at any moment leaves the previous one intact.
///
/// `write` fills a temporary file in the same directory, which is flushed to disk and then renamed over `path`;
/// if it fails, the temporary file is removed and `path` is not touched. `E` is the caller's
/// own error type; the system's refusals arrive in it as [`Error::Io`].
///
/// # Errors
/// Whatever `write` returns, and [`Error::Io`] naming `path` if the system refuses.
///
/// ```
/// use std::io::Write;
/// use chainrule_tensor::{Error, io::atomic_write};
///
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("notes.txt");
/// atomic_write(&path, |file| writeln!(file, "epoch 1").map_err(|e| Error::io(&path, &e)))?;
/// assert_eq!(std::fs::read_to_string(&path).unwrap(), "epoch 1\n");
/// # Ok::<(), Error>(())
/// ```
pub fn atomic_write<E: From<Error>>(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>,
) -> Result<(), E> {
    let path = path.as_ref();
    let io = |e: std::io::Error| Error::io(path, &e);
    // An empty parent ("model.npy") is the working directory, not the system's folder for temporary files:
    // a rename is atomic only within one file system.
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = create_beside(path, parent).map_err(io)?;
    let mut writer = BufWriter::new(temporary.as_file().try_clone().map_err(io)?);
    write(&mut writer)?;
    writer.flush().map_err(io)?;
    let file = writer.get_ref();
    file.sync_all().map_err(io)?;
    temporary.persist(path).map_err(|e| io(e.error))?;
    sync_directory(parent).map_err(io)?;
    Ok(())
}

/// Temporary files are private as a rule; this one gets the permissions of the file that it is to replace, or those
/// of any new file.
#[cfg(unix)]
fn create_beside(path: &Path, parent: &Path) -> std::io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    let temporary = Builder::new().permissions(std::fs::Permissions::from_mode(0o666)).tempfile_in(parent)?;
    if let Ok(old) = std::fs::metadata(path) {
        temporary.as_file().set_permissions(old.permissions())?;
    }
    Ok(temporary)
}

#[cfg(not(unix))]
fn create_beside(_: &Path, parent: &Path) -> std::io::Result<NamedTempFile> {
    Builder::new().tempfile_in(parent)
}

/// The rename itself is on disk only when the directory is.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "old").unwrap();
        let failed = atomic_write(&path, |file| {
            file.write_all(b"new, but").unwrap();
            Err(Error::Value { op: "test", why: "half way".into() })
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_directory_is_an_error_that_names_the_file() {
        let error = atomic_write("/no/such/place/file", |_| Ok::<(), Error>(())).unwrap_err();
        assert!(error.to_string().starts_with("/no/such/place/file: "), "{error}");
    }
}
