//! MNIST, and sets laid out like it.

use std::path::{Path, PathBuf};

use super::{Classes, Dataset, idx};
use crate::{Error, Result};

/// The ten garments of Fashion-MNIST in the order of their labels, for [`mnist`].
pub const FASHION: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// A training and a test set as their publisher divided them.
#[derive(Clone, Debug, PartialEq)]
pub struct Mnist {
    /// The images to learn from (60,000 in MNIST).
    pub train: Dataset,
    /// The images to be judged by (10,000 in MNIST).
    pub test: Dataset,
}

/// Reads MNIST, or a set laid out like it, from the four files in `folder`.
///
/// Features are images (m, 28, 28) in f32 with pixels from 0 to 1 (see
/// [`Dataset::reshape_examples`] for rows of 784). Files may be named as published
/// (`train-images-idx3-ubyte`) or with a dot (`train-images.idx3-ubyte`), with or without `.gz`.
///
/// ```no_run
/// use chainrule_nn::data;
///
/// let digits = data::mnist("mnist", 10)?;
/// let garments = data::mnist("fashion-mnist", data::FASHION)?;
/// let rows = garments.train.reshape_examples(&[-1])?;
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
///
/// # Errors
/// [`Error::Missing`] with the names that were tried, [`Error::Format`] with the position of the fault, also for images
/// that are not of rank 3 or labels that are not of rank 1, and those of [`Dataset::classification`].
pub fn mnist(folder: impl AsRef<Path>, classes: impl Into<Classes>) -> Result<Mnist> {
    let (folder, classes) = (folder.as_ref(), classes.into());
    let part = |name: &str| {
        let read = |what: &str, rank: usize| {
            let idx = idx::read(find(folder, &format!("{name}-{what}"), rank)?)?;
            idx.expect_rank(what, rank).map(|()| idx)
        };
        let (images, labels) = (read("images", 3)?, read("labels", 1)?);
        Dataset::classification(images.fractions()?, labels.integers()?, &classes)
    };
    Ok(Mnist { train: part("train")?, test: part("t10k")? })
}

fn find(folder: &Path, stem: &str, rank: usize) -> Result<PathBuf> {
    let names: Vec<String> = ["-", "."]
        .into_iter()
        .flat_map(|dot| ["", ".gz"].map(|gz| format!("{stem}{dot}idx{rank}-ubyte{gz}")))
        .collect();
    let found = names.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| Error::Missing { folder: folder.to_owned(), names })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// An IDX file of bytes.
    fn file(shape: &[u32], elements: &[u8]) -> Vec<u8> {
        let lengths = shape.iter().flat_map(|n| n.to_be_bytes());
        [0, 0, 8, shape.len() as u8].into_iter().chain(lengths).chain(elements.iter().copied()).collect()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn mnist_is_found_under_its_usual_names() {
        let images = file(&[2, 1, 2], &[0, 255, 255, 0]);
        let labels = file(&[2], &[3, 9]);
        for (dot, gz) in [("-", ""), (".", ""), ("-", ".gz"), (".", ".gz")] {
            let folder = tempfile::tempdir().unwrap();
            for part in ["train", "t10k"] {
                for (what, rank, bytes) in [("images", 3, &images), ("labels", 1, &labels)] {
                    let bytes = if gz.is_empty() { bytes.clone() } else { gzip(bytes) };
                    let name = format!("{part}-{what}{dot}idx{rank}-ubyte{gz}");
                    std::fs::write(folder.path().join(name), bytes).unwrap();
                }
            }
            let data = mnist(folder.path(), 10).unwrap();
            assert_eq!(data.train.features().shape(), [2, 1, 2]);
            assert_eq!(data.test.targets().as_slice::<i64>(), Some(&[3, 9][..]));
        }
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        for (images, labels) in
            [(&[2][..], &[2][..]), (&[2, 1, 1], &[2, 1, 1]), (&[2, 1, 1, 1], &[2]), (&[], &[])]
        {
            let size = |shape: &[u32]| shape.iter().product::<u32>() as usize;
            write("train-images-idx3-ubyte", &file(images, &vec![0; size(images)]));
            write("train-labels-idx1-ubyte", &file(labels, &vec![0; size(labels)]));
            let error = mnist(folder.path(), 10).unwrap_err();
            assert!(matches!(&error, Error::Format { position: 3, .. }), "{error}");
        }
        let error = mnist("no such folder", 10).unwrap_err().to_string();
        assert!(error.contains("has none of train-images-idx3-ubyte, train-images-idx3-ubyte.gz"), "{error}");
    }
}
