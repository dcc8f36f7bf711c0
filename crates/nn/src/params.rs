//! Named parameters: an ordered map from path to tensor.

use std::collections::BTreeMap;
use std::path::Path;

use chainrule_tensor::{Tensor, io};

use crate::error::{Error, Result};

/// The parameters of a model, in the order in which the model asked for them first.
///
/// A path such as `hidden.weight` names a parameter in every error, summary, check and file.
///
/// ```
/// use chainrule_nn::Params;
/// use chainrule_tensor::Tensor;
/// let mut params = Params::new();
/// params.insert("output.bias", Tensor::from([0.5_f32]));
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("model.safetensors");
/// params.save(&file)?;
/// assert_eq!(Params::load(&file)?, params);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Params {
    entries: Vec<(String, Tensor)>,
    places: BTreeMap<String, usize>,
}

impl Params {
    /// No parameters; a model makes its own when it is traced.
    pub fn new() -> Self {
        Params::default()
    }

    /// The parameter at `path`.
    pub fn get(&self, path: &str) -> Option<&Tensor> {
        self.places.get(path).map(|i| &self.entries[*i].1)
    }

    /// Sets the parameter at `path`; a new one comes last.
    pub fn insert(&mut self, path: impl Into<String>, value: Tensor) {
        let path = path.into();
        match self.places.get(&path) {
            Some(i) => self.entries[*i].1 = value,
            None => {
                self.places.insert(path.clone(), self.entries.len());
                self.entries.push((path, value));
            }
        }
    }

    /// Paths and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.entries.iter().map(|(path, value)| (path.as_str(), value))
    }

    /// The name of the first that holds NaN or an infinity.
    pub(crate) fn not_finite(&self) -> Option<&str> {
        let finite = |t: &Tensor| match t {
            Tensor::F32(a) => a.iter().all(|x| x.is_finite()),
            Tensor::F64(a) => a.iter().all(|x| x.is_finite()),
            _ => true,
        };
        self.iter().find(|(_, t)| !finite(t)).map(|(name, _)| name)
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Number of elements of all tensors.
    pub fn count(&self) -> usize {
        self.iter().map(|(_, value)| value.size()).sum()
    }

    /// Writes a safetensors file, which PyTorch, JAX and others read. An interrupted save leaves an older file whole.
    ///
    /// # Errors
    /// [`Error::Tensor`] with the path if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        io::safetensors::write(path.as_ref(), self.iter(), &BTreeMap::new())?;
        Ok(())
    }

    /// Reads a safetensors file. Its tensors come in the order in which they lie in the file.
    ///
    /// Whether they fit a model is checked when the model is traced with them; see [`Params::expect`].
    ///
    /// # Errors
    /// [`Error::Tensor`] if the file is missing, truncated or breaks the format's rules.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let mut params = Params::new();
        for (name, value) in io::safetensors::read(path.as_ref())?.tensors {
            params.insert(name, value);
        }
        Ok(params)
    }

    /// Checks that these are the parameters `wanted` by a model: the same names with the same shapes.
    /// `source` names where they came from, such as a file.
    ///
    /// # Errors
    /// [`Error::Misfit`] that lists what is missing, left over, or of another shape.
    pub fn expect(&self, wanted: &Params, source: &str) -> Result<()> {
        let mut why = Vec::new();
        for (path, value) in wanted.iter() {
            match self.get(path) {
                None => why.push(format!("`{path}` {:?} is missing", value.shape())),
                Some(own) if own.shape() != value.shape() => {
                    why.push(format!("`{path}` is {:?}, the model needs {:?}", own.shape(), value.shape()));
                }
                Some(_) => {}
            }
        }
        let left = self.iter().filter(|(path, _)| wanted.get(path).is_none());
        why.extend(left.map(|(path, _)| format!("the model has no `{path}`")));
        if why.is_empty() {
            Ok(())
        } else {
            Err(Error::Misfit { source_name: source.into(), why: why.join("; ") })
        }
    }
}

/// Equal names and values, in whatever order.
impl PartialEq for Params {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(path, value)| other.get(path) == Some(value))
    }
}

impl<S: Into<String>> FromIterator<(S, Tensor)> for Params {
    fn from_iter<I: IntoIterator<Item = (S, Tensor)>>(entries: I) -> Self {
        let mut params = Params::new();
        entries.into_iter().for_each(|(path, value)| params.insert(path, value));
        params
    }
}
