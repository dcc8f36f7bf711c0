//! SHA-256 of tensors and texts, to tell whether two are the same.

use chainrule_tensor::{DType, Tensor};
use sha2::{Digest, Sha256};

/// Of a text.
pub(crate) fn of_text(text: &str) -> String {
    hex(Sha256::new_with_prefix(text))
}

/// Of tensors with names: their types, shapes and bits.
pub(crate) fn of<'a>(tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>) -> String {
    let mut digest = Sha256::new();
    for (name, value) in tensors {
        digest.update(format!("{}:{name} {} {:?}", name.len(), value.dtype(), value.shape()));
        let value = value.to_contiguous();
        match value.dtype() {
            DType::F32 => bytes(&mut digest, value.as_slice::<f32>(), |x| x.to_le_bytes()),
            DType::F64 => bytes(&mut digest, value.as_slice::<f64>(), |x| x.to_le_bytes()),
            DType::I64 => bytes(&mut digest, value.as_slice::<i64>(), |x| x.to_le_bytes()),
            DType::Bool => bytes(&mut digest, value.as_slice::<bool>(), |x| [u8::from(x)]),
        }
    }
    hex(digest)
}

fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes<T: Copy, const N: usize>(digest: &mut Sha256, values: Option<&[T]>, of: impl Fn(T) -> [u8; N]) {
    let mut buffer = Vec::with_capacity(4096);
    for chunk in values.unwrap_or_default().chunks(512) {
        buffer.clear();
        chunk.iter().for_each(|x| buffer.extend_from_slice(&of(*x)));
        digest.update(&buffer);
    }
}
