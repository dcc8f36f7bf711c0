//! Files that are either the old ones or the new ones, never half of each.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::{Error, Result};

/// Writes a file so that a crash, a full disk or an error at any moment leaves the previous one intact.
///
/// `write` fills a temporary file in the same directory, which is flushed to disk and then renamed over the file that
/// `path` leads to; if it fails, the temporary file is removed and nothing else is touched. `E` is the caller's
/// own error type; the system's refusals arrive in it as [`Error::Io`].
///
/// What is there is respected:
///
/// * A symbolic link stays, and the file that it leads to is replaced, or made if there is none.
/// * The new file has the old one's mode and, as far as the system lets the caller give files away, its owner and group.
/// * A directory, a device, a pipe or a socket is refused.
/// * A process that is killed while it writes leaves its temporary file, `.tmp-…`; the next write to the same file
///   removes it (on Unix, where a lock shows that nobody is writing there any more).
///
/// # Errors
/// Whatever `write` returns; [`Error::Value`] for an empty path; [`Error::Io`] naming `path` if the system refuses, or
/// if what is there is no regular file.
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
    if path.as_os_str().is_empty() {
        let why = "the path is empty; it has to name a file".to_owned();
        return Err(Error::Value { op: "atomic_write", why }.into());
    }
    let io = |e: io::Error| Error::io(path, &e);
    let target = Target::of(path).map_err(io)?;
    let temporary = target.temporary().map_err(io)?;
    let mut writer = BufWriter::new(temporary.as_file().try_clone().map_err(io)?);
    write(&mut writer)?;
    writer.flush().map_err(io)?;
    let file = writer.get_ref();
    file.sync_all().map_err(io)?;
    temporary.persist(&target.path).map_err(|e| io(e.error))?;
    sync_directory(&target.parent).map_err(io)?;
    Ok(())
}

/// The file to be replaced or made.
struct Target {
    path: PathBuf,
    parent: PathBuf,
    /// What is there.
    old: Option<std::fs::Metadata>,
}

impl Target {
    /// Where `path` leads to, along symbolic links.
    fn of(path: &Path) -> io::Result<Self> {
        let old = match std::fs::metadata(path) {
            Ok(old) if !old.is_file() => return Err(io::Error::other(refusal(&old))),
            Ok(old) => Some(old),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        let mut path = path.to_owned();
        // Link by link, since the end of a chain may be a file that does not exist yet. A circle has been refused above.
        while std::fs::symlink_metadata(&path).is_ok_and(|there| there.is_symlink()) {
            let next = std::fs::read_link(&path)?;
            path = path.parent().map(|parent| parent.join(&next)).unwrap_or(next);
        }
        // An empty parent ("model.npy") is the working directory, not the system's folder for temporary files:
        // a rename is atomic only within one file system.
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !parent.is_dir() {
            let why = format!("the directory {} does not exist", parent.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        }
        Ok(Target { parent: parent.to_owned(), path, old })
    }

    /// A new file beside the target, with its mode and owner. What killed processes have left there is removed.
    fn temporary(&self) -> io::Result<NamedTempFile> {
        let prefix = format!(".tmp-{:016x}-", self.hash());
        remove_stale(&self.parent, &prefix);
        loop {
            let mut builder = Builder::new();
            builder.prefix(&prefix);
            with_common_mode(&mut builder);
            // Without the temporary file's name, which would say nothing to a user.
            let made = builder.tempfile_in(&self.parent).map_err(|e| io::Error::from(e.kind()))?;
            if hold(made.as_file()) {
                self.dress(made.as_file())?;
                return Ok(made);
            }
        }
    }

    /// A number for the target's name (FNV-1a), since a name with something added may be too long for a name.
    fn hash(&self) -> u64 {
        let name = self.path.file_name().unwrap_or_default().as_encoded_bytes();
        name.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }

    /// Gives a file the mode and, where the system lets it, the owner and the group of the old one.
    #[cfg(unix)]
    fn dress(&self, file: &File) -> io::Result<()> {
        use std::os::unix::fs::{MetadataExt, fchown};
        let Some(old) = &self.old else { return Ok(()) };
        let new = file.metadata()?;
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            // Only the superuser gives files away; anybody may hand a file to a group of their own.
            let _ = fchown(file, Some(old.uid()), Some(old.gid()))
                .or_else(|_| fchown(file, None, Some(old.gid())));
        }
        // After the owner, whose change takes the special bits.
        file.set_permissions(old.permissions())
    }

    #[cfg(not(unix))]
    fn dress(&self, file: &File) -> io::Result<()> {
        self.old.as_ref().map_or(Ok(()), |old| file.set_permissions(old.permissions()))
    }
}

fn refusal(there: &std::fs::Metadata) -> String {
    #[cfg(unix)]
    let special = {
        use std::os::unix::fs::FileTypeExt;
        let kind = there.file_type();
        let kinds = [(kind.is_fifo(), "a pipe"), (kind.is_socket(), "a socket")];
        kinds.into_iter().find(|(is, _)| *is).map_or("a device", |(_, name)| name)
    };
    #[cfg(not(unix))]
    let special = "a device";
    let found = if there.is_dir() { "a directory" } else { special };
    format!("it is {found}, which a file cannot replace")
}

/// Temporary files are private as a rule; this one gets the mode of any new file.
#[cfg(unix)]
fn with_common_mode(builder: &mut Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(std::fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn with_common_mode(_: &mut Builder<'_, '_>) {}

/// Marks a temporary file as one that is being written, by a lock that ends with the process. False if another process
/// took it for a stale one in the moment before.
#[cfg(unix)]
fn hold(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    // Where a file system has no locks, nothing is ever found stale.
    file.lock().is_err() || file.metadata().map_or(true, |there| there.nlink() > 0)
}

#[cfg(not(unix))]
fn hold(_: &File) -> bool {
    true
}

/// Removes the files of this prefix that nobody is writing. A failure leaves them for the next time.
#[cfg(unix)]
fn remove_stale(parent: &Path, prefix: &str) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes());
        if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let Ok(file) = File::open(entry.path()) else { continue };
            if file.try_lock().is_ok() {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

#[cfg(not(unix))]
fn remove_stale(_: &Path, _: &str) {}

/// The rename itself is on disk only when the directory is.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
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
        let right = "/no/such/place/file: the directory /no/such/place does not exist";
        assert_eq!(error.to_string(), right);
    }
}
