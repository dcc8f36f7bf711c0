//! Folders of images.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use chainrule_tensor::Tensor;

use super::{Classes, Dataset, Source};
use crate::{Error, Result};

/// Images in folders, one folder for each class, as data sets of images are often kept:
///
/// ```text
/// animals/cat/1.png   animals/cat/2.png   animals/dog/whatever.png
/// ```
///
/// Classes are the names of the folders, in the order of their letters, as are the files within; so the same folder gives the
/// same data on every machine. Whatever does not end in `.png`, and what is hidden, is left alone.
///
/// ```
/// use std::sync::Arc;
/// use chainrule_nn::data::{Images, Stream};
/// # let pixels = [0_u8, 255, 255, 0];
/// # let folder = tempfile::tempdir()?;
/// # for (class, n) in [("cat", 2), ("dog", 1)] {
/// #     std::fs::create_dir(folder.path().join(class))?;
/// #     for i in 0..n {
/// #         let file = std::fs::File::create(folder.path().join(class).join(format!("{i}.png")))?;
/// #         let mut encoder = png::Encoder::new(file, 2, 2);
/// #         encoder.set_color(png::ColorType::Grayscale);
/// #         encoder.write_header()?.write_image_data(&pixels)?;
/// #     }
/// # }
/// # let folder = folder.path();
/// let animals = Images::grey().read(folder)?;
/// assert_eq!(animals.features().shape(), [3, 1, 2, 2]);
/// assert_eq!(animals.classes().expect("classes").names(), ["cat", "dog"]);
/// let first = Stream::of(Arc::new(Images::grey().files(folder)?), 2)?.next().expect("three images")?;
/// assert!(first == animals.batches(2)?.next().expect("the same"));
/// let small = Images::colour().resized(1, 1).read(folder)?;
/// assert_eq!(small.features().to_vec::<f32>()?, [0.5; 9]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Images {
    channels: usize,
    size: Option<[usize; 2]>,
}

/// The images of a folder, read one by one as batches need them; made by [`Images::files`].
#[derive(Clone, Debug)]
pub struct ImageFiles {
    images: Images,
    /// Each with its label.
    files: Vec<(i64, PathBuf)>,
    classes: Classes,
}

impl ImageFiles {
    /// What the labels name.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }
}

impl Source for ImageFiles {
    fn examples(&self) -> usize {
        self.files.len()
    }

    fn read(&self, row: usize) -> Result<(Tensor, Tensor)> {
        let Some((label, file)) = self.files.get(row) else {
            let why = format!("there are {} images, none at {row}", self.files.len());
            return Err(Error::argument("ImageFiles::read", why));
        };
        Ok((self.images.one(file)?, Tensor::from(*label)))
    }

    fn classes(&self) -> Option<Classes> {
        Some(self.classes.clone())
    }
}

/// Height, width and numbers (channels, height, width) in 0..=1.
struct Picture {
    size: [usize; 2],
    numbers: Vec<f32>,
}

impl Images {
    /// As one channel: of colours the luminance, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
    pub fn grey() -> Self {
        Images { channels: 1, size: None }
    }

    /// As red, green and blue.
    pub fn colour() -> Self {
        Images { channels: 3, size: None }
    }

    /// Brought to this size: each new pixel is the mean of the old ones that it covers, weighted by a triangle that is as wide
    /// as the scale when made smaller, else linear between neighbours.
    pub fn resized(self, height: usize, width: usize) -> Self {
        Images { size: Some([height, width]), ..self }
    }

    /// All images below `folder`, (m, channels, height, width) in 0..=1, with their classes. Transparency is left out.
    ///
    /// # Errors
    /// [`Error::Missing`] for a folder without folders that hold images; [`Error::Format`] for a damaged file;
    /// [`Error::Argument`] for images of different sizes, unless they are [`resized`](Images::resized), and for a size of 0;
    /// what the system refuses.
    pub fn read(&self, folder: impl AsRef<Path>) -> Result<Dataset> {
        let ImageFiles { files, classes, .. } = self.files(folder)?;
        let (mut size, mut numbers, mut labels) = (self.size, Vec::new(), Vec::new());
        for (label, file) in &files {
            let picture = self.picture(file)?;
            let expected = *size.get_or_insert(picture.size);
            if picture.size != expected {
                let why = format!(
                    "{} is {} × {}, those before it {} × {} (height × width): say Images::resized",
                    file.display(),
                    picture.size[0],
                    picture.size[1],
                    expected[0],
                    expected[1]
                );
                return Err(Error::argument("Images::read", why));
            }
            numbers.extend_from_slice(&picture.numbers);
            labels.push(*label);
        }
        let [height, width] = size.unwrap_or_default();
        let features = Tensor::from_vec(numbers, [labels.len(), self.channels, height, width])?;
        Dataset::classification(features, Tensor::from(labels), classes)
    }

    /// The same images in the same order, of which none is read before it is needed; a [`Stream`](super::Stream) gives their
    /// batches.
    ///
    /// # Errors
    /// [`Error::Missing`] for a folder without folders that hold images; [`Error::Argument`] for a size of 0; what the system
    /// refuses.
    pub fn files(&self, folder: impl AsRef<Path>) -> Result<ImageFiles> {
        let folder = folder.as_ref();
        if self.size.is_some_and(|size| size.contains(&0)) {
            return Err(Error::argument("Images::resized", "an image has at least one pixel"));
        }
        let (mut names, mut files) = (Vec::new(), Vec::new());
        for path in sorted(folder)?.into_iter().filter(|path| path.is_dir()) {
            let png = |path: &PathBuf| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png"));
            let label = names.len() as i64;
            let known = files.len();
            files.extend(sorted(&path)?.into_iter().filter(png).map(|file| (label, file)));
            if files.len() > known {
                names.push(name(&path));
            }
        }
        if files.is_empty() {
            return Err(Error::Missing { folder: folder.into(), names: vec!["<class>/<name>.png".into()] });
        }
        Ok(ImageFiles { images: *self, files, classes: Classes::from(names) })
    }

    /// One image, (channels, height, width) in 0..=1.
    ///
    /// # Errors
    /// [`Error::Format`] for a damaged file; what the system refuses.
    pub fn one(&self, path: impl AsRef<Path>) -> Result<Tensor> {
        let picture = self.picture(path.as_ref())?;
        Ok(Tensor::from_vec(picture.numbers, [self.channels, picture.size[0], picture.size[1]])?)
    }

    fn picture(&self, path: &Path) -> Result<Picture> {
        let file = File::open(path).map_err(|e| Error::io(path, &e))?;
        let broken = |why: String| {
            let file = path.display().to_string();
            Error::Format { file, format: "PNG", position: 0, why }
        };
        let refused = |e: png::DecodingError| match e {
            png::DecodingError::IoError(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => {
                Error::io(path, &e)
            }
            e => broken(e.to_string()),
        };
        let mut decoder = png::Decoder::new(BufReader::new(file));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(refused)?;
        let length = reader.output_buffer_size().ok_or_else(|| broken("it is larger than memory".into()))?;
        let mut bytes = vec![0; length];
        let info = reader.next_frame(&mut bytes).map_err(refused)?;
        let size = [info.height as usize, info.width as usize];
        let samples = info.color_type.samples();
        let pixels = || bytes[..info.buffer_size()].chunks_exact(samples);
        let plane = |channel: usize| pixels().map(move |pixel| self.pixel(pixel, channel));
        let picture = Picture { size, numbers: (0..self.channels).flat_map(plane).collect() };
        Ok(match self.size.filter(|wanted| *wanted != size) {
            Some(wanted) => picture.resized(wanted, self.channels),
            None => picture,
        })
    }

    /// A channel that is wanted of grey, grey with transparency, colours, or colours with transparency.
    fn pixel(&self, bytes: &[u8], channel: usize) -> f32 {
        let value = |byte: u8| f32::from(byte) / 255.0;
        let rgb = match bytes {
            [grey] | [grey, _] => [value(*grey); 3],
            [r, g, b, ..] => [value(*r), value(*g), value(*b)],
            [] => [0.0; 3],
        };
        let [r, g, b] = rgb;
        match self.channels {
            // Grey stays what it is, to the bit.
            1 if r == g && g == b => r,
            1 => 0.299 * r + 0.587 * g + 0.114 * b,
            _ => rgb[channel.min(2)],
        }
    }
}

impl Picture {
    fn resized(&self, to: [usize; 2], channels: usize) -> Picture {
        let [height, width] = self.size;
        // (outer, along, inner): first the rows, then the columns.
        let rows = resample(&self.numbers, [channels, height, width], to[0]);
        Picture { size: to, numbers: resample(&rows, [channels * to[0], width, 1], to[1]) }
    }
}

/// The middle axis of (outer, length, inner) with another length, by a triangle as wide as the scale, at least one pixel.
fn resample(from: &[f32], [outer, length, inner]: [usize; 3], to: usize) -> Vec<f32> {
    let scale = length as f64 / to as f64;
    let reach = scale.max(1.0);
    let mut made = vec![0.0; outer * to * inner];
    for i in 0..to {
        let middle = (i as f64 + 0.5) * scale;
        let first = (middle - reach).max(0.0) as usize;
        let end = ((middle + reach).ceil() as usize).min(length);
        let weight = |j: usize| (1.0 - ((j as f64 + 0.5 - middle) / reach).abs()).max(0.0);
        let total: f64 = (first..end).map(weight).sum();
        for o in 0..outer {
            for k in 0..inner {
                let value = |j: usize| weight(j) * f64::from(from[(o * length + j) * inner + k]);
                made[(o * to + i) * inner + k] = ((first..end).map(value).sum::<f64>() / total) as f32;
            }
        }
    }
    made
}

/// What is in a folder and not hidden, by name.
fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let refused = |e: std::io::Error| Error::io(folder, &e);
    let entries: std::io::Result<Vec<PathBuf>> =
        fs::read_dir(folder).map_err(refused)?.map(|entry| Ok(entry?.path())).collect();
    let mut paths = entries.map_err(refused)?;
    paths.retain(|path| !name(path).starts_with('.'));
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
