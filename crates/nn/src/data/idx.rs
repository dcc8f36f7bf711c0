//! IDX, the file format of MNIST and the sets made after it.
//!
//! A file is `00 00 type rank`, then `rank` lengths (u32, big-endian), then the elements row-major,
//! big-endian. Files compressed by gzip are recognised by their content, whatever their name.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use chainrule_tensor::{Shape, Tensor};
use flate2::bufread::MultiGzDecoder;

use super::narrow::reals;
use crate::{Error, Result};

/// The type of the elements in an IDX file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdxType {
    /// Code 0x08: unsigned bytes, what MNIST uses.
    U8,
    /// Code 0x09: signed bytes.
    I8,
    /// Code 0x0B: 16-bit signed integers.
    I16,
    /// Code 0x0C: 32-bit signed integers.
    I32,
    /// Code 0x0D: 32-bit floats.
    F32,
    /// Code 0x0E: 64-bit floats.
    F64,
}

impl IdxType {
    fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0x08 => IdxType::U8,
            0x09 => IdxType::I8,
            0x0B => IdxType::I16,
            0x0C => IdxType::I32,
            0x0D => IdxType::F32,
            0x0E => IdxType::F64,
            _ => return None,
        })
    }

    fn size(self) -> usize {
        match self {
            IdxType::U8 | IdxType::I8 => 1,
            IdxType::I16 => 2,
            IdxType::I32 | IdxType::F32 => 4,
            IdxType::F64 => 8,
        }
    }
}

/// What an IDX file holds: a shape and elements, still in the file's own type.
#[derive(Clone, Debug, PartialEq)]
pub struct Idx {
    file: String,
    shape: Shape,
    element: IdxType,
    bytes: Vec<u8>,
}

/// Reads an IDX file, compressed by gzip or plain.
///
/// # Errors
/// An I/O error naming the path, or [`Error::Format`] for a file that is cut short, goes on too long, or has
/// a wrong header.
pub fn read(path: impl AsRef<Path>) -> Result<Idx> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|e| Error::io(path, &e))?;
    decode(BufReader::new(file), &path.display().to_string())
}

/// Decodes IDX content from memory or any other source; `file` names it in errors.
///
/// ```
/// use chainrule_nn::data::idx;
///
/// let bytes = [0, 0, 0x08, 1, 0, 0, 0, 3, 7, 8, 9];
/// let labels = idx::decode(&bytes[..], "labels")?.integers()?;
/// assert_eq!(labels.as_slice::<i64>(), Some(&[7, 8, 9][..]));
///
/// let error = idx::decode(&bytes[..9], "labels").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "labels: not a valid IDX file: at byte 9: ends early: shape (3,) needs 3 bytes of elements, 1 follow"
/// );
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
///
/// # Errors
/// [`Error::Format`] naming the byte (after decompression) at which the content is wrong.
pub fn decode(mut source: impl BufRead, file: &str) -> Result<Idx> {
    let start = source.fill_buf().map_err(|e| fault(file, 0, e.to_string()))?;
    if start.starts_with(&[0x1F, 0x8B]) {
        decode_plain(MultiGzDecoder::new(source), file)
    } else {
        decode_plain(source, file)
    }
}

fn decode_plain(mut source: impl Read, file: &str) -> Result<Idx> {
    let mut read = |at: usize, limit: usize| {
        let mut bytes = Vec::new();
        let end = source.by_ref().take(limit as u64).read_to_end(&mut bytes);
        end.map_err(|e| fault(file, at + bytes.len(), e.to_string())).map(|_| bytes)
    };
    let magic = read(0, 4)?;
    let &[0, 0, code, rank] = magic.as_slice() else {
        let why = format!("starts with {magic:02x?}; IDX starts with 00 00, a type code and the rank");
        return Err(fault(file, 0, why));
    };
    let element = IdxType::from_code(code)
        .ok_or_else(|| fault(file, 2, format!("type code 0x{code:02x} is none of 08, 09, 0b, 0c, 0d, 0e")))?;
    let lengths = read(4, 4 * usize::from(rank))?;
    let header = 4 + 4 * usize::from(rank);
    if 4 + lengths.len() < header {
        let why = format!("ends inside the {rank} lengths of its shape");
        return Err(fault(file, 4 + lengths.len(), why));
    }
    let shape: Shape = lengths.as_chunks().0.iter().map(|n| u32::from_be_bytes(*n) as usize).collect();
    // As tensors, elements may take 8 bytes; and an axis of length 0 does not make the others shorter.
    let bytes = shape.iter().filter(|n| **n > 0).try_fold(8_usize, |size, n| size.checked_mul(*n));
    if bytes.is_none_or(|size| size >= isize::MAX as usize) {
        return Err(fault(file, 4, format!("shape {shape} has more elements than memory has addresses")));
    }
    let size = element.size() * shape.size();
    // One byte more than needed shows whether the file goes on too long.
    let mut bytes = read(header, size + 1)?;
    if bytes.len() < size {
        let why = format!("ends early: shape {shape} needs {size} bytes of elements, {} follow", bytes.len());
        return Err(fault(file, header + bytes.len(), why));
    }
    if bytes.len() > size {
        return Err(fault(file, header + size, format!("goes on after the last element of shape {shape}")));
    }
    bytes.shrink_to_fit();
    Ok(Idx { file: file.to_owned(), shape, element, bytes })
}

fn fault(file: &str, position: usize, why: impl Into<String>) -> Error {
    Error::Format { file: file.to_owned(), format: "IDX", position: position as u64, why: why.into() }
}

impl Idx {
    /// The length of each axis.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The type of the elements.
    pub fn element(&self) -> IdxType {
        self.element
    }

    /// Fails unless the file has `rank` axes, as `what` must.
    pub(super) fn expect_rank(&self, what: &str, rank: usize) -> Result<()> {
        if self.shape.len() == rank {
            return Ok(());
        }
        let why =
            format!("{what} have {rank} axes, this file has {}: shape {}", self.shape.len(), self.shape);
        Err(fault(&self.file, 3, why))
    }

    /// The elements as i64: labels and counts.
    ///
    /// # Errors
    /// [`Error::Format`] if the file holds floats.
    pub fn integers(&self) -> Result<Tensor> {
        let elements: Vec<i64> = match self.element {
            IdxType::U8 => self.each(|b: [u8; 1]| b[0].into()),
            IdxType::I8 => self.each(|b| i8::from_be_bytes(b).into()),
            IdxType::I16 => self.each(|b| i16::from_be_bytes(b).into()),
            IdxType::I32 => self.each(|b| i32::from_be_bytes(b).into()),
            IdxType::F32 | IdxType::F64 => {
                return Err(fault(&self.file, 2, "holds floats where integers are needed"));
            }
        };
        Ok(Tensor::from_vec(elements, &self.shape)?)
    }

    /// The elements as f32, whatever their type; as f64 where f32 would lose a digit of one.
    pub fn reals(&self) -> Result<Tensor> {
        let elements: Vec<f32> = match self.element {
            IdxType::U8 => self.each(|b: [u8; 1]| b[0].into()),
            IdxType::I8 => self.each(|b| i8::from_be_bytes(b).into()),
            IdxType::I16 => self.each(|b| i16::from_be_bytes(b).into()),
            IdxType::I32 => return reals(self.each(|b| i32::from_be_bytes(b).into()), &self.shape),
            IdxType::F32 => self.each(f32::from_be_bytes),
            IdxType::F64 => return reals(self.each(f64::from_be_bytes), &self.shape),
        };
        Ok(Tensor::from_vec(elements, &self.shape)?)
    }

    /// Bytes 0 to 255 as f32 from 0 to 1: pixels.
    ///
    /// # Errors
    /// [`Error::Format`] if the elements are not unsigned bytes.
    pub fn fractions(&self) -> Result<Tensor> {
        if self.element != IdxType::U8 {
            let why = format!("pixels are unsigned bytes (type code 08), not {:?}", self.element);
            return Err(fault(&self.file, 2, why));
        }
        Ok(Tensor::from_vec(self.each(|b: [u8; 1]| f32::from(b[0]) / 255.0), &self.shape)?)
    }

    fn each<const N: usize, T>(&self, convert: impl Fn([u8; N]) -> T) -> Vec<T> {
        self.bytes.as_chunks().0.iter().map(|element| convert(*element)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn file(code: u8, shape: &[u32], elements: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, code, shape.len() as u8];
        shape.iter().for_each(|n| bytes.extend(n.to_be_bytes()));
        bytes.extend(elements);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn position(bytes: &[u8]) -> u64 {
        match decode(bytes, "f") {
            Err(Error::Format { position, .. }) => position,
            other => panic!("expected a format error, got {other:?}"),
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back_plain_and_compressed(
            (rows, columns) in (0..6_u32, 0..6_u32),
            seed in any::<u8>(),
        ) {
            let elements: Vec<u8> = (0..rows * columns).map(|i| (i as u8).wrapping_mul(31) ^ seed).collect();
            let bytes = file(8, &[rows, columns], &elements);
            for bytes in [&bytes, &gzip(&bytes)] {
                let idx = decode(&bytes[..], "f").unwrap();
                prop_assert_eq!(&idx.shape()[..], [rows as usize, columns as usize]);
                let expected: Vec<i64> = elements.iter().map(|b| (*b).into()).collect();
                let integers = idx.integers().unwrap();
                prop_assert_eq!(integers.as_slice::<i64>(), Some(&expected[..]));
            }
        }

        #[test]
        fn damage_never_panics(
            mut bytes in Just(file(8, &[3, 2], &[1, 2, 3, 4, 5, 6])),
            compressed in any::<bool>(),
            damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<proptest::sample::Index>(),
        ) {
            if compressed {
                bytes = gzip(&bytes);
            }
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            bytes.truncate(cut.index(bytes.len() + 1));
            if let Ok(idx) = decode(&bytes[..], "f") {
                let _ = (idx.integers(), idx.reals(), idx.fractions());
            }
        }

        #[test]
        fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&noise[..], "f");
            let _ = decode(&[&[0, 0][..], &noise].concat()[..], "f");
            let _ = decode(&[&[0x1F, 0x8B][..], &noise].concat()[..], "f");
        }

        #[test]
        fn a_cut_file_names_its_end(cut in 0..18_usize) {
            let bytes = file(8, &[3, 2], &[1, 2, 3, 4, 5, 6]);
            let expected = if cut < 4 { 0 } else { cut as u64 };
            prop_assert_eq!(position(&bytes[..cut]), expected);
        }
    }

    #[test]
    fn faults_name_their_byte() {
        assert_eq!(position(&[1, 0, 8, 0]), 0);
        assert_eq!(position(&file(7, &[], &[1])), 2);
        assert_eq!(position(&file(8, &[2], &[1, 2, 3])), 10);
        // 2^32 - 1 four times over is more than a 64-bit address can count.
        assert_eq!(position(&file(8, &[u32::MAX; 4], &[])), 4);
        assert_eq!(position(&file(8, &[0, 3_003_252_773, 1_248_826_519], &[])), 4);
        assert_eq!(position(&file(8, &[u32::MAX], &[1])), 9);
    }

    #[test]
    fn every_type_is_read_big_endian() {
        let read = |code, bytes: &[u8], n| decode(&file(code, &[n], bytes)[..], "f").unwrap();
        let integers = |code, bytes: &[u8], n| {
            read(code, bytes, n).integers().unwrap().as_slice::<i64>().unwrap().to_vec()
        };
        let reals =
            |code, bytes: &[u8], n| read(code, bytes, n).reals().unwrap().as_slice::<f32>().unwrap().to_vec();
        assert_eq!(integers(0x08, &[255, 1], 2), [255, 1]);
        assert_eq!(integers(0x09, &[255, 1], 2), [-1, 1]);
        assert_eq!(integers(0x0B, &[1, 2], 1), [258]);
        assert_eq!(integers(0x0C, &(-70_000_i32).to_be_bytes(), 1), [-70_000]);
        assert_eq!(reals(0x0B, &[1, 2], 1), [258.0]);
        assert_eq!(reals(0x0D, &1.5_f32.to_be_bytes(), 1), [1.5]);
        assert_eq!(reals(0x0E, &(-2.25_f64).to_be_bytes(), 1), [-2.25]);
        let wide = |code, bytes: &[u8]| read(code, bytes, 1).reals().unwrap().to_vec::<f64>().unwrap();
        assert_eq!(wide(0x0C, &16_777_217_i32.to_be_bytes()), [16_777_217.0]);
        assert_eq!(wide(0x0E, &1e300_f64.to_be_bytes()), [1e300]);
        assert!(read(0x0D, &1.5_f32.to_be_bytes(), 1).integers().is_err());
        assert!(read(0x09, &[1], 1).fractions().is_err());
        let pixels = read(0x08, &[0, 51, 255], 3).fractions().unwrap();
        assert_eq!(pixels.as_slice::<f32>(), Some(&[0.0, 0.2, 1.0][..]));
    }
}
