//! Elements as bytes: what the file formats have in common.

use std::io::{self, Write};

use crate::tensor::ArrayD;
use crate::{DType, Element, Format, Shape, Tensor};

/// An element type found in files. The four of [`DType`] are kept, the others widened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    F16,
    BF16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Bool,
}

impl Stored {
    /// Bytes of one element.
    pub(super) fn size(self) -> usize {
        match self {
            Stored::I8 | Stored::U8 | Stored::Bool => 1,
            Stored::F16 | Stored::BF16 | Stored::I16 | Stored::U16 => 2,
            Stored::F32 | Stored::I32 | Stored::U32 => 4,
            Stored::F64 | Stored::I64 | Stored::U64 => 8,
        }
    }

    /// A tensor of `shape` from its row-major bytes; the reason if they are not one.
    pub(super) fn decode(self, bytes: &[u8], order: Order, shape: Shape) -> Result<Tensor, String> {
        let too_large = || format!("shape {shape} does not fit the address space");
        let needed = shape.checked_size().ok_or_else(too_large)? * self.size();
        if needed != bytes.len() {
            return Err(format!("shape {shape} needs {needed} bytes, not {}", bytes.len()));
        }
        let flat = match self {
            Stored::F16 => numbers(bytes, order, |b| Format::F16.number::<f32>(u16::from_le_bytes(b))),
            Stored::BF16 => numbers(bytes, order, |b| Format::Bf16.number::<f32>(u16::from_le_bytes(b))),
            Stored::F32 => numbers(bytes, order, f32::from_le_bytes),
            Stored::F64 => numbers(bytes, order, f64::from_le_bytes),
            Stored::I8 => numbers(bytes, order, |b| i64::from(i8::from_le_bytes(b))),
            Stored::I16 => numbers(bytes, order, |b| i64::from(i16::from_le_bytes(b))),
            Stored::I32 => numbers(bytes, order, |b| i64::from(i32::from_le_bytes(b))),
            Stored::I64 => numbers(bytes, order, i64::from_le_bytes),
            Stored::U8 => numbers(bytes, order, |[b]| i64::from(b)),
            Stored::U16 => numbers(bytes, order, |b| i64::from(u16::from_le_bytes(b))),
            Stored::U32 => numbers(bytes, order, |b| i64::from(u32::from_le_bytes(b))),
            Stored::U64 => {
                let wide = numbers(bytes, order, i64::from_le_bytes);
                match wide.as_slice::<i64>().unwrap_or_default().iter().position(|n| *n < 0) {
                    Some(i) => return Err(format!("element {i} is too large for a signed 64-bit integer")),
                    None => wide,
                }
            }
            Stored::Bool => match bytes.iter().position(|b| *b > 1) {
                Some(i) => return Err(format!("element {i} is byte {}, not a truth value", bytes[i])),
                None => numbers(bytes, order, |[b]| b == 1),
            },
        };
        flat.with_shape("decode", &shape).map_err(|_| too_large())
    }
}

impl From<DType> for Stored {
    fn from(dtype: DType) -> Self {
        match dtype {
            DType::F32 => Stored::F32,
            DType::F64 => Stored::F64,
            DType::I64 => Stored::I64,
            DType::Bool => Stored::Bool,
        }
    }
}

impl Stored {
    /// What elements of this dtype are in a file in which reals have this format.
    pub(super) fn of(dtype: DType, format: Option<Format>) -> Self {
        match format {
            Some(Format::F16) if dtype.is_real() => Stored::F16,
            Some(Format::Bf16) if dtype.is_real() => Stored::BF16,
            _ => dtype.into(),
        }
    }
}

/// The order of the bytes of one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

fn numbers<const N: usize, T: Element>(bytes: &[u8], order: Order, from: impl Fn([u8; N]) -> T) -> Tensor {
    let (elements, _) = bytes.as_chunks::<N>();
    let swapped = |mut element: [u8; N]| {
        element.reverse();
        element
    };
    let elements = elements.iter().copied();
    Tensor::from(match order {
        Order::Little => elements.map(from).collect::<Vec<T>>(),
        Order::Big => elements.map(swapped).map(from).collect(),
    })
}

/// Writes the elements row-major and little-endian, reals rounded to `format` if there is one.
pub(super) fn encode(tensor: &Tensor, format: Option<Format>, file: &mut impl Write) -> io::Result<()> {
    if let Some(format) = format {
        let half = |x: f64| format.bits(format.round(x)).to_le_bytes();
        match tensor {
            Tensor::F32(a) => return put(a, |x| half(f64::from(x)), file),
            Tensor::F64(a) => return put(a, half, file),
            Tensor::I64(_) | Tensor::Bool(_) => {}
        }
    }
    match tensor {
        Tensor::F32(a) => put(a, f32::to_le_bytes, file),
        Tensor::F64(a) => put(a, f64::to_le_bytes, file),
        Tensor::I64(a) => put(a, i64::to_le_bytes, file),
        Tensor::Bool(a) => put(a, |b| [u8::from(b)], file),
    }
}

fn put<const N: usize, T: Element>(
    array: &ArrayD<T>,
    to: impl Fn(T) -> [u8; N],
    file: &mut impl Write,
) -> io::Result<()> {
    /// Elements converted at a time: one call of the writer for each would cost more than the conversion.
    const BLOCK: usize = 1024;
    let mut bytes = Vec::with_capacity(BLOCK * N);
    let standard = array.as_standard_layout();
    for block in standard.as_slice().unwrap_or_default().chunks(BLOCK) {
        bytes.clear();
        block.iter().for_each(|x| bytes.extend_from_slice(&to(*x)));
        file.write_all(&bytes)?;
    }
    Ok(())
}
