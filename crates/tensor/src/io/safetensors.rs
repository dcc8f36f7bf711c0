//! safetensors: named tensors and text notes in one file, the exchange format of model weights.
//!
//! Reading is as strict as the format: overlapping or missing bytes, a header over 100 MB, wrong sizes,
//! duplicate names and anything after the last tensor are refused.
//!
//! ```
//! use std::collections::BTreeMap;
//! use chainrule_tensor::{Tensor, io::safetensors};
//!
//! let dir = tempfile::tempdir().unwrap();
//! let path = dir.path().join("model.safetensors");
//! let weight = Tensor::from([[1.0_f32, 2.0], [3.0, 4.0]]);
//! let notes = BTreeMap::from([("epoch".to_owned(), "7".to_owned())]);
//! safetensors::write(&path, [("hidden.weight", &weight)], &notes)?;
//!
//! let contents = safetensors::read(&path)?;
//! assert_eq!(contents.get("hidden.weight"), Some(&weight));
//! assert_eq!(contents.metadata["epoch"], "7");
//! # Ok::<(), chainrule_tensor::Error>(())
//! ```

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::json;

use super::atomic_write;
use super::element::{Order, Stored, encode};
use crate::{Error, Format, Result, Shape, Tensor};

const FORMAT: &str = "safetensors";
/// The key under which the format keeps its notes; no tensor can have this name.
const METADATA: &str = "__metadata__";

/// The longest header the format allows, in bytes.
const MAX_HEADER: usize = 100_000_000;

/// What a safetensors file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// The tensors with their names, in the order in which the file lists them.
    pub tensors: Vec<(String, Tensor)>,
    /// The notes: text under text keys.
    pub metadata: BTreeMap<String, String>,
}

impl Contents {
    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|(n, _)| n == name).map(|(_, tensor)| tensor)
    }
}

/// Writes named tensors and notes (none: `&BTreeMap::new()`) to a file, atomically ([`atomic_write`] says what becomes
/// of a link, an owner and a mode). Equal contents give equal bytes.
///
/// # Errors
/// [`Error::Value`] if a name occurs twice or is the reserved `__metadata__`, [`Error::Io`] if the system refuses, or
/// `path` is there and no regular file.
pub fn write<'a, N: AsRef<str>>(
    path: impl AsRef<Path>,
    tensors: impl IntoIterator<Item = (N, &'a Tensor)>,
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    store(path.as_ref(), None, tensors.into_iter().collect(), metadata)
}

/// As [`write()`], with all reals rounded to `format`, in which they take two bytes each. Reading gives them as f32.
///
/// # Errors
/// As [`write()`].
///
/// ```
/// use std::collections::BTreeMap;
/// use chainrule_tensor::{Format, Tensor, io::safetensors};
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("half.safetensors");
/// let x = Tensor::from([0.1_f32, 1e-8, 3e38]);
/// safetensors::write_in(&path, Format::Bf16, [("x", &x)], &BTreeMap::new())?;
/// assert_eq!(safetensors::read_named(&path, "x")?, x.round_to(Format::Bf16)?);
/// # Ok::<(), chainrule_tensor::Error>(())
/// ```
pub fn write_in<'a, N: AsRef<str>>(
    path: impl AsRef<Path>,
    format: Format,
    tensors: impl IntoIterator<Item = (N, &'a Tensor)>,
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    store(path.as_ref(), Some(format), tensors.into_iter().collect(), metadata)
}

fn store<N: AsRef<str>>(
    path: &Path,
    format: Option<Format>,
    tensors: Vec<(N, &Tensor)>,
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let (header, order) = header(&tensors, format, metadata)?;
    atomic_write(path, |file| {
        let mut body = || {
            file.write_all(&(header.len() as u64).to_le_bytes())?;
            file.write_all(header.as_bytes())?;
            order.iter().try_for_each(|&i| encode(tensors[i].1, format, file))
        };
        body().map_err(|e| Error::io(path, &e))
    })
}

/// Reads a file.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, [`Error::Format`] if it breaks a rule of the format or holds a tensor of
/// an element type that has no exact counterpart here (the 8-bit floats and smaller, complex numbers); that error
/// names it, and [`names`] and [`read_named`] read the others.
pub fn read(path: impl AsRef<Path>) -> Result<Contents> {
    with_file(path.as_ref(), |header, file| {
        let tensors = header.names.into_iter().map(|name| {
            let tensor = tensor(file, &name)?;
            Ok((name, tensor))
        });
        Ok(Contents { tensors: tensors.collect::<Result<_, String>>()?, metadata: header.metadata })
    })
}

/// The names of the tensors of a file, in the order in which it lists them.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, [`Error::Format`] if it breaks a rule of the format.
pub fn names(path: impl AsRef<Path>) -> Result<Vec<String>> {
    with_file(path.as_ref(), |header, _| Ok(header.names))
}

/// Reads the tensor of one name; the others may have any element type.
///
/// # Errors
/// [`Error::Value`] if there is no such name, else as [`read`].
pub fn read_named(path: impl AsRef<Path>, name: &str) -> Result<Tensor> {
    let path = path.as_ref();
    let found = with_file(path, |header, file| {
        if header.names.iter().any(|n| n == name) {
            tensor(file, name).map(Ok)
        } else {
            Ok(Err(header.names))
        }
    })?;
    found.map_err(|names| super::no_tensor("safetensors::read_named", path, name, &names))
}

/// What `work` makes of the header and the bytes of a file.
fn with_file<R>(path: &Path, work: impl FnOnce(Header, &SafeTensors<'_>) -> Result<R, String>) -> Result<R> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, &e))?;
    let result = open(&bytes).and_then(|(header, file)| work(header, &file));
    result.map_err(|why| Error::Format { path: path.to_owned(), format: FORMAT, why })
}

/// The header, padded so that the data starts at a multiple of 8, and the order of the data behind it.
fn header<N: AsRef<str>>(
    tensors: &[(N, &Tensor)],
    format: Option<Format>,
    metadata: &BTreeMap<String, String>,
) -> Result<(String, Vec<usize>)> {
    let stored = |i: usize| Stored::of(tensors[i].1.dtype(), format);
    // Readers map the file into memory, so wide elements come first: then everything is aligned.
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|&i| Reverse(stored(i).size()));
    let mut offsets = vec![[0; 2]; tensors.len()];
    let mut end = 0;
    for &i in &order {
        let start = end;
        end += tensors[i].1.size() * stored(i).size();
        offsets[i] = [start, end];
    }
    let mut seen = BTreeSet::new();
    let mut entries = Vec::new();
    if !metadata.is_empty() {
        entries.push(format!("{}:{}", json!(METADATA), json!(metadata)));
    }
    for (i, ((name, tensor), offsets)) in tensors.iter().zip(offsets).enumerate() {
        let name = name.as_ref();
        if name == METADATA || !seen.insert(name) {
            let fault = if name == METADATA { "is reserved for the notes" } else { "is given twice" };
            return Err(Error::Value { op: "safetensors::write", why: format!("the name {name:?} {fault}") });
        }
        let info = json!({"dtype": code(stored(i)), "shape": tensor.shape(), "data_offsets": offsets});
        entries.push(format!("{}:{info}", json!(name)));
    }
    let mut text = format!("{{{}}}", entries.join(","));
    text.push_str(&" ".repeat(text.len().next_multiple_of(8) - text.len()));
    if text.len() > MAX_HEADER {
        let why =
            format!("names, shapes and notes take {} bytes; the format allows {MAX_HEADER}", text.len());
        return Err(Error::Value { op: "safetensors::write", why });
    }
    Ok((text, order))
}

fn code(stored: Stored) -> &'static str {
    match stored {
        Stored::F16 => "F16",
        Stored::BF16 => "BF16",
        Stored::F32 => "F32",
        Stored::F64 => "F64",
        Stored::I64 => "I64",
        Stored::Bool => "BOOL",
        other => unreachable!("no tensor is stored as {other:?}"),
    }
}

fn open(bytes: &[u8]) -> Result<(Header, SafeTensors<'_>), String> {
    // The format's own crate knows its rules; what it lets pass is refused here.
    let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let (len, rest) = bytes.split_first_chunk().ok_or("no header length")?;
    let header = rest.get(..u64::from_le_bytes(*len) as usize).ok_or("no header")?;
    if header.first() != Some(&b'{') {
        return Err("the header does not begin with `{`".to_owned());
    }
    let header: Header = serde_json::from_slice(header).map_err(|e| format!("header: {e}"))?;
    Ok((header, file))
}

fn tensor(file: &SafeTensors<'_>, name: &str) -> Result<Tensor, String> {
    let fail = |why: String| format!("tensor {name:?}: {why}");
    let view = file.tensor(name).map_err(|e| fail(e.to_string()))?;
    let stored = stored(view.dtype()).ok_or_else(|| fail(format!("unsupported dtype {}", view.dtype())))?;
    stored.decode(view.data(), Order::Little, Shape::from(view.shape())).map_err(fail)
}

fn stored(dtype: Dtype) -> Option<Stored> {
    Some(match dtype {
        Dtype::F16 => Stored::F16,
        Dtype::BF16 => Stored::BF16,
        Dtype::F32 => Stored::F32,
        Dtype::F64 => Stored::F64,
        Dtype::I8 => Stored::I8,
        Dtype::I16 => Stored::I16,
        Dtype::I32 => Stored::I32,
        Dtype::I64 => Stored::I64,
        Dtype::U8 => Stored::U8,
        Dtype::U16 => Stored::U16,
        Dtype::U32 => Stored::U32,
        Dtype::U64 => Stored::U64,
        Dtype::BOOL => Stored::Bool,
        _ => return None,
    })
}

/// The names in a header in their order, and the notes. A key that occurs twice is an error here, while a map would
/// silently keep the last.
#[derive(Default)]
struct Header {
    names: Vec<String>,
    metadata: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let (mut header, mut seen) = (Header::default(), BTreeSet::new());
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format!("the key {name:?} occurs twice")));
            }
            if name == METADATA {
                header.metadata = map.next_value::<Notes>()?.0;
            } else {
                map.next_value::<IgnoredAny>()?;
                header.names.push(name);
            }
        }
        Ok(header)
    }
}

struct Notes(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Notes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NotesVisitor)
    }
}

struct NotesVisitor;

impl<'de> Visitor<'de> for NotesVisitor {
    type Value = Notes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Notes, A::Error> {
        let mut notes = BTreeMap::new();
        while let Some((key, text)) = map.next_entry::<String, String>()? {
            if let Some(earlier) = notes.insert(key, text) {
                return Err(A::Error::custom(format!("the metadata key of {earlier:?} occurs twice")));
            }
        }
        Ok(Notes(notes))
    }
}
