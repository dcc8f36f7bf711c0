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
use std::io::{BufReader, Read};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::atomic_write;
use super::npy::{decode_npy, encode_npy};
use crate::{Error, Result, Tensor};

/// Writes named tensors to a file in the given order, uncompressed and atomically. Equal tensors give equal bytes.
///
/// # Errors
/// [`Error::Value`] if a name occurs twice or is too long, [`Error::Io`] if the system refuses.
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
            encode_npy(tensor, &mut zip).map_err(|e| Error::io(path, &e))?;
        }
        zip.finish().map_err(|e| Error::io(path, &e.into()))?;
        Ok(())
    })
}

/// Reads all tensors of a file in the order in which it lists them; compressed members too
/// (`numpy.savez_compressed`).
///
/// # Errors
/// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is no zip archive or a member is no readable NPY.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<(String, Tensor)>> {
    let path = path.as_ref();
    let fail = |why: String| Error::Format { path: path.to_owned(), format: "NPZ", why };
    let file = File::open(path).map_err(|e| Error::io(path, &e))?;
    let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|e| fail(e.to_string()))?;
    let mut tensors = Vec::with_capacity(zip.len());
    for i in 0..zip.len() {
        let mut member = zip.by_index(i).map_err(|e| fail(format!("member {i}: {e}")))?;
        let name = member.name().to_owned();
        let fail = |why: String| fail(format!("member {name:?}: {why}"));
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).map_err(|e| fail(e.to_string()))?;
        let stem =
            name.strip_suffix(".npy").ok_or_else(|| fail("its name does not end in .npy".to_owned()))?;
        tensors.push((stem.to_owned(), decode_npy(&bytes).map_err(fail)?));
    }
    Ok(tensors)
}
