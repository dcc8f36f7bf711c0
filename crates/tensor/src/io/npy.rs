//! NPY: one tensor in a file, as `numpy.save` writes it and `numpy.load` reads it.
//!
//! ```
//! use chainrule_tensor::{Tensor, io::npy};
//!
//! let dir = tempfile::tempdir().unwrap();
//! let path = dir.path().join("x.npy");
//! let x = Tensor::from([[1.0_f32, 2.0], [3.0, 4.0]]);
//! npy::write(&path, &x)?;
//! assert_eq!(npy::read(&path)?, x);
//! # Ok::<(), chainrule_tensor::Error>(())
//! ```

use std::io::{self, Read, Write};
use std::path::Path;

use super::atomic_write;
use super::element::{Order, Stored, encode};
use crate::{DType, Error, Format, Result, Shape, Tensor};

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Writes a tensor to a file, atomically; [`atomic_write`] says what becomes of a link, an owner and a mode.
///
/// # Errors
/// [`Error::Io`] if the system refuses, or `path` is there and no regular file.
pub fn write(path: impl AsRef<Path>, tensor: &Tensor) -> Result<()> {
    let path = path.as_ref();
    atomic_write(path, |file| encode_npy(tensor, None, file).map_err(|e| Error::io(path, &e)))
}

/// As [`write()`], with reals rounded to IEEE half precision, two bytes each. Reading gives them as f32.
///
/// # Errors
/// As [`write()`]; [`Error::Value`] for bf16, which NPY has no name for: safetensors has.
///
/// ```
/// use chainrule_tensor::{Format, Tensor, io::npy};
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("half.npy");
/// npy::write_in(&path, Format::F16, &Tensor::from([0.1_f32, 2.0]))?;
/// assert_eq!(npy::read(&path)?, Tensor::from([0.099_975_586_f32, 2.0]));
/// # Ok::<(), chainrule_tensor::Error>(())
/// ```
pub fn write_in(path: impl AsRef<Path>, format: Format, tensor: &Tensor) -> Result<()> {
    if format != Format::F16 {
        let why = format!("NPY has no {format}; write f16, or safetensors");
        return Err(Error::Value { op: "npy::write_in", why });
    }
    let path = path.as_ref();
    atomic_write(path, |file| encode_npy(tensor, Some(format), file).map_err(|e| Error::io(path, &e)))
}

/// Reads a file. Byte order and memory order (C or Fortran) may be any, and the header that of Python 2.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, [`Error::Format`] if it breaks a rule of the format or its elements
/// are neither real, integer nor truth values.
pub fn read(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, &e))?;
    decode_npy(&bytes).map_err(|why| Error::Format { path: path.to_owned(), format: "NPY", why })
}

pub(super) fn encode_npy(tensor: &Tensor, format: Option<Format>, file: &mut impl Write) -> io::Result<()> {
    let descr = match tensor.dtype() {
        DType::F32 | DType::F64 if format.is_some() => "<f2",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::I64 => "<i8",
        DType::Bool => "|b1",
    };
    let shape = Shape::from(tensor.shape());
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    // Ten bytes go before the header, and a newline ends it; NumPy wants the data at a multiple of 64.
    let end = (10 + header.len() + 1).next_multiple_of(64);
    header.push_str(&" ".repeat(end - 10 - header.len() - 1));
    header.push('\n');
    file.write_all(MAGIC)?;
    // Version 1 has 16 bits for the length, enough for 3000 axes.
    match u16::try_from(header.len()) {
        Ok(len) => file.write_all(&[&[1, 0], &len.to_le_bytes()[..]].concat())?,
        Err(_) => return Err(io::Error::other("a shape of so many axes does not fit the header")),
    }
    file.write_all(header.as_bytes())?;
    encode(tensor, format, file)
}

/// The tensor in the bytes of a file, or what is wrong with them.
fn decode_npy(bytes: &[u8]) -> Result<Tensor, String> {
    let (head, data) = Head::parse(bytes)?;
    head.decode(data)
}

/// The tensor in `member`, which is said to hold `size` bytes: no more of it is read than the header asks for, and
/// nothing beyond the header if that asks for another size.
pub(super) fn decode_npy_member(mut member: impl Read, size: u64) -> Result<Tensor, String> {
    let mut bytes = Vec::new();
    let mut read = |n: u64, bytes: &mut Vec<u8>| member.by_ref().take(n).read_to_end(bytes);
    read(LONGEST_HEADER, &mut bytes).map_err(|e| e.to_string())?;
    let (head, data) = Head::parse(&bytes)?;
    let before = (bytes.len() - data.len()) as u64;
    let whole = before.saturating_add(head.needs()? as u64);
    if size != whole {
        return Err(head.misfit(size.saturating_sub(before)));
    }
    // One more than is due, to see that nothing follows.
    read((whole + 1).saturating_sub(bytes.len() as u64), &mut bytes).map_err(|e| e.to_string())?;
    head.decode(bytes.get(before as usize..).unwrap_or_default())
}

/// More than a header of 40,000 axes takes. NumPy itself refuses headers over 10,000 bytes.
const LONGEST_HEADER: u64 = 1 << 20;

/// What the bytes before the data say.
struct Head {
    stored: Stored,
    order: Order,
    fortran: bool,
    shape: Shape,
}

impl Head {
    /// Bytes of the data.
    fn needs(&self) -> Result<usize, String> {
        let size = self.shape.checked_size();
        let size = size.ok_or_else(|| format!("shape {} does not fit the address space", self.shape))?;
        Ok(size * self.stored.size())
    }

    fn misfit(&self, found: u64) -> String {
        let needed = self.needs().unwrap_or(usize::MAX);
        format!("shape {} needs {needed} bytes, not {found}", self.shape)
    }

    fn decode(self, data: &[u8]) -> Result<Tensor, String> {
        let Head { stored, order, fortran, shape } = self;
        if fortran {
            let reversed: Shape = shape.iter().rev().copied().collect();
            Ok(stored.decode(data, order, reversed)?.reverse_axes())
        } else {
            stored.decode(data, order, shape)
        }
    }

    /// The head of a file that begins with `bytes`, and what follows it of them.
    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), String> {
        let rest = bytes.strip_prefix(MAGIC).ok_or("it does not begin with \\\\x93NUMPY")?;
        let (&[major, minor], rest) = rest.split_first_chunk().ok_or("it ends before the version")?;
        let cut = "it ends within the header";
        let (len, rest) = match (major, minor) {
            (1, 0) => rest.split_first_chunk().map(|(n, rest)| (u16::from_le_bytes(*n) as usize, rest)),
            (2 | 3, 0) => rest.split_first_chunk().map(|(n, rest)| (u32::from_le_bytes(*n) as usize, rest)),
            _ => return Err(format!("unknown version {major}.{minor}")),
        }
        .ok_or(cut)?;
        let (header, data) = rest.split_at_checked(len).ok_or(cut)?;
        let header = std::str::from_utf8(header).map_err(|e| format!("header: {e}"))?;
        let Header { descr, fortran, shape } = Header::parse(header)?;
        let (stored, order) = element(descr).ok_or_else(|| format!("unsupported dtype {descr:?}"))?;
        Ok((Head { stored, order, fortran, shape }, data))
    }
}

/// The element type and byte order that a description such as `<f4` or `|b1` means.
fn element(descr: &str) -> Option<(Stored, Order)> {
    let (order, code) = descr.split_at_checked(1)?;
    let order = match order {
        "<" | "|" => Order::Little,
        ">" => Order::Big,
        _ => return None,
    };
    let stored = match code {
        "f2" => Stored::F16,
        "f4" => Stored::F32,
        "f8" => Stored::F64,
        "i1" => Stored::I8,
        "i2" => Stored::I16,
        "i4" => Stored::I32,
        "i8" => Stored::I64,
        "u1" => Stored::U8,
        "u2" => Stored::U16,
        "u4" => Stored::U32,
        "u8" => Stored::U64,
        "b1" => Stored::Bool,
        _ => return None,
    };
    Some((stored, order))
}

/// The three entries of a header, which is a Python dictionary.
struct Header<'a> {
    descr: &'a str,
    fortran: bool,
    shape: Shape,
}

impl<'a> Header<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        let mut text = Literal(text.trim());
        text.expect('{')?;
        while !text.eat('}') {
            let key = text.string()?;
            text.expect(':')?;
            let fresh = match key {
                "descr" => descr.replace(text.string()?).is_none(),
                "fortran_order" => fortran.replace(text.boolean()?).is_none(),
                "shape" => shape.replace(text.tuple()?).is_none(),
                _ => return Err(format!("header: unknown key {key:?}")),
            };
            if !fresh {
                return Err(format!("header: the key {key:?} occurs twice"));
            }
            if !text.eat(',') {
                text.expect('}')?;
                break;
            }
        }
        if !text.0.is_empty() {
            return Err(format!("header: {:?} follows the dictionary", text.0));
        }
        let missing = |key: &str| format!("header: the key {key:?} is missing");
        Ok(Header {
            descr: descr.ok_or_else(|| missing("descr"))?,
            fortran: fortran.ok_or_else(|| missing("fortran_order"))?,
            shape: shape.ok_or_else(|| missing("shape"))?,
        })
    }
}

/// What is still to be read of the few Python literals that occur in a header.
struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    fn eat(&mut self, token: char) -> bool {
        let rest = self.0.strip_prefix(token);
        self.0 = rest.map_or(self.0, str::trim_start);
        rest.is_some()
    }

    fn expect(&mut self, token: char) -> Result<(), String> {
        if self.eat(token) { Ok(()) } else { Err(self.found(&format!("{token:?}"))) }
    }

    fn string(&mut self) -> Result<&'a str, String> {
        let quote = if self.eat('"') { '"' } else { '\'' };
        if quote == '\'' {
            self.expect(quote)?;
        }
        let (text, rest) = self.0.split_once(quote).ok_or_else(|| self.found("the end of a string"))?;
        self.0 = rest.trim_start();
        Ok(text)
    }

    fn boolean(&mut self) -> Result<bool, String> {
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.0.strip_prefix(word) {
                self.0 = rest.trim_start();
                return Ok(value);
            }
        }
        Err(self.found("True or False"))
    }

    fn tuple(&mut self) -> Result<Shape, String> {
        let mut axes = Vec::new();
        self.expect('(')?;
        while !self.eat(')') {
            let end = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
            let (digits, rest) = self.0.split_at(end);
            axes.push(digits.parse().map_err(|_| self.found("an axis length"))?);
            // Python 2 marks long integers.
            self.0 = rest.strip_prefix('L').unwrap_or(rest).trim_start();
            if !self.eat(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(axes.into())
    }

    fn found(&self, wanted: &str) -> String {
        let start: String = self.0.chars().take(20).collect();
        format!("header: expected {wanted}, found {start:?}")
    }
}
