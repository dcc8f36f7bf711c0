//! Files.
pub mod atomic;
pub use atomic::atomic_write;
/// shim
#[allow(missing_docs)]
pub mod safetensors {
    use crate::{Result, Tensor};
    pub struct Contents {
        pub tensors: Vec<(String, Tensor)>,
    }
    pub fn write<'a, N: AsRef<str>>(
        _: impl AsRef<std::path::Path>,
        _: impl IntoIterator<Item = (N, &'a Tensor)>,
        _: &std::collections::BTreeMap<String, String>,
    ) -> Result<()> {
        Ok(())
    }
    pub fn read(_: impl AsRef<std::path::Path>) -> Result<Contents> {
        Ok(Contents { tensors: Vec::new() })
    }
}
