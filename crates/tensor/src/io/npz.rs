//! NPZ: named tensors in a file, as `numpy.savez` writes it and `numpy.load` reads it.
//!
//! ```
//! use chainrule_tensor::{Tensor, io::npz};
//!
//! let dir = tempfile::tempdir().unwrap();
//! let path = dir.path().join("data.npz");
//! let (x, y) = (Tensor::from([[1.0_f32, 2.0]]), Tensor::from([3_i64]));
//! npz::write(&path, [("x", &x), ("y", &y)])?;
//! assert_eq!(npz::read(&path)?, [("x".to_owned(), x), ("y".to_owned(), y)]);
//! # Ok::<(), chainrule_tensor::Error>(())
//! ```

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::atomic_write;
use super::npy::{decode_npy_member, encode_npy};
use crate::{Error, Result, Tensor};

/// Writes named tensors to a file in the given order, uncompressed and atomically ([`atomic_write`] says what becomes
/// of a link, an owner and a mode). Equal tensors give equal bytes.
///
/// # Errors
/// [`Error::Value`] if a name occurs twice or is too long, [`Error::Io`] if the system refuses, or `path` is there and
/// no regular file.
pub fn write<'a, N: AsRef<str>>(
    path: impl AsRef<Path>,
    tensors: impl IntoIterator<Item = (N, &'a Tensor)>,
) -> Result<()> {
    let path = path.as_ref();
    atomic_write(path, |file| {
        let mut zip = ZipWriter::new(file);
        for (name, tensor) in tensors {
            // NumPy's own limit for members without the 64-bit extension is 4 GB; leave room for the header.
            let large = tensor.size().saturating_mul(tensor.dtype().size()) > 4_000_000_000;
            let options =
                SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(large);
            let name = name.as_ref();
            zip.start_file(format!("{name}.npy"), options)
                .map_err(|e| Error::Value { op: "npz::write", why: format!("name {name:?}: {e}") })?;
            encode_npy(tensor, None, &mut zip).map_err(|e| Error::io(path, &e))?;
        }
        zip.finish().map_err(|e| Error::io(path, &e.into()))?;
        Ok(())
    })
}

/// Reads all tensors of a file in the order in which it lists them; compressed members too
/// (`numpy.savez_compressed`).
///
/// No more is unpacked than the headers of the members ask for, and none of a member whose header asks for another
/// size than the archive says, or more than its bytes can hold. One member that is no tensor (text, objects) makes the
/// whole an error that names it; [`names`] and [`read_named`] read the others.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is no zip archive, its members overlap, or one is no
/// readable NPY.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<(String, Tensor)>> {
    let mut archive = Archive::open(path.as_ref())?;
    (0..archive.zip.len()).map(|i| archive.member(i)).collect()
}

/// The names of the tensors of a file, in the order in which it lists them; nothing is unpacked.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is no zip archive or its members overlap.
pub fn names(path: impl AsRef<Path>) -> Result<Vec<String>> {
    let archive = Archive::open(path.as_ref())?;
    Ok(archive.zip.file_names().filter_map(|name| name.strip_suffix(".npy")).map(str::to_owned).collect())
}

/// Reads the tensor of one name; the other members may be anything.
///
/// # Errors
/// [`Error::Value`] if there is no such name, else as [`read`].
///
/// ```
/// use chainrule_tensor::{Tensor, io::npz};
///
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("data.npz");
/// let (x, y) = (Tensor::from([[1.0_f32, 2.0]]), Tensor::from([3_i64]));
/// npz::write(&path, [("x", &x), ("y", &y)])?;
/// assert_eq!(npz::names(&path)?, ["x", "y"]);
/// assert_eq!(npz::read_named(&path, "y")?, y);
/// # Ok::<(), chainrule_tensor::Error>(())
/// ```
pub fn read_named(path: impl AsRef<Path>, name: &str) -> Result<Tensor> {
    let path = path.as_ref();
    let mut archive = Archive::open(path)?;
    match archive.zip.index_for_name(&format!("{name}.npy")) {
        Some(i) => Ok(archive.member(i)?.1),
        None => Err(super::no_tensor("npz::read_named", path, name, &names(path)?)),
    }
}

/// An archive whose members do not overlap.
struct Archive<'a> {
    path: &'a Path,
    zip: ZipArchive<BufReader<File>>,
}

impl<'a> Archive<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, &e))?;
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|e| format_error(path, e.to_string()))?;
        let mut archive = Archive { path, zip };
        // Many names for the same bytes would unpack to any multiple of the file.
        let mut ranges = Vec::new();
        for i in 0..archive.zip.len() {
            let member = archive.zip.by_index_raw(i);
            let member = member.map_err(|e| format_error(path, format!("member {i}: {e}")))?;
            ranges.push((member.data_start(), member.compressed_size(), member.name().to_owned()));
        }
        ranges.sort_unstable();
        for pair in ranges.windows(2) {
            let [(start, size, first), (next, _, second)] = pair else { continue };
            if start.checked_add(*size).is_none_or(|end| end > *next) {
                return Err(format_error(path, format!("members {first:?} and {second:?} overlap")));
            }
        }
        Ok(archive)
    }

    fn member(&mut self, i: usize) -> Result<(String, Tensor)> {
        let path = self.path;
        let member = self.zip.by_index(i).map_err(|e| format_error(path, format!("member {i}: {e}")))?;
        let name = member.name().to_owned();
        let tensor = || {
            let stem = name.strip_suffix(".npy").ok_or("its name does not end in .npy")?;
            let (size, packed) = (member.size(), member.compressed_size());
            if size > packed.saturating_mul(GREATEST_RATIO).saturating_add(GREATEST_RATIO) {
                return Err(format!("{packed} bytes cannot hold the {size} that it is said to have"));
            }
            Ok((stem.to_owned(), decode_npy_member(member, size)?))
        };
        tensor().map_err(|why| format_error(path, format!("member {name:?}: {why}")))
    }
}

/// Deflate packs no more than so many bytes into one.
const GREATEST_RATIO: u64 = 1032;

fn format_error(path: &Path, why: String) -> Error {
    Error::Format { path: path.to_owned(), format: "NPZ", why }
}
