//! Named parameters: an ordered map from path to tensor.

use std::collections::BTreeMap;
use std::path::Path;

use chainrule_tensor::{Tensor, io};

use crate::data::{Classes, Names};
use crate::error::{Error, Result};

/// The parameters of a model, in the order in which the model asked for them first.
///
/// A path such as `hidden.weight` names a parameter in every error, summary, check and file. Parameters that were
/// trained also know the [names](Params::names) of the features and classes that they were trained on.
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
    names: Names,
}

/// Under which keys the names stand in a file.
const FEATURES: &str = "chainrule.features";
const CLASSES: &str = "chainrule.classes";

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

    /// What the features and classes are called that these were trained on; [`Trainer::fit`](crate::Trainer::fit) sets
    /// it. Data of other names are refused by training and measurement.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The same parameters for data of the names of `data`, for a training loop of one's own.
    pub fn with_names(mut self, names: &Names) -> Self {
        self.names = names.clone();
        self
    }

    /// The same parameters for data of any names, for instance to be trained further on other classes.
    pub fn without_names(self) -> Self {
        self.with_names(&Names::default())
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
        let text = |value: serde_json::Value| value.to_string();
        let classes = |classes: &Classes| {
            let named = classes.are_named();
            text(if named { classes.names().into() } else { classes.count().into() })
        };
        let features = self.names.features().map(|names| (FEATURES.to_owned(), text(names.into())));
        let classes = self.names.classes().map(|c| (CLASSES.to_owned(), classes(c)));
        io::safetensors::write(path.as_ref(), self.iter(), &features.into_iter().chain(classes).collect())?;
        Ok(())
    }

    /// Reads a safetensors file. Its tensors come in the order in which they lie in the file.
    ///
    /// Whether they fit a model is checked when the model is traced with them; see [`Params::expect`].
    ///
    /// # Errors
    /// [`Error::Tensor`] if the file is missing, truncated or breaks the format's rules; [`Error::Misfit`] if its notes
    /// on features and classes are no lists of names.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let mut params = Params::new();
        let contents = io::safetensors::read(path.as_ref())?;
        for (name, value) in contents.tensors {
            params.insert(name, value);
        }
        let refuse = |key: &str| Error::Misfit {
            source_name: path.as_ref().display().to_string(),
            why: format!("its note `{key}` is no list of names"),
        };
        let list = |text: &String| serde_json::from_str::<Vec<String>>(text).ok();
        if let Some(text) = contents.metadata.get(FEATURES) {
            params.names.features = Some(list(text).ok_or_else(|| refuse(FEATURES))?.into());
        }
        if let Some(text) = contents.metadata.get(CLASSES) {
            let counted = text.parse::<usize>().ok().map(Classes::from);
            let classes = counted.or_else(|| list(text).map(Classes::from));
            params.names.classes = Some(classes.ok_or_else(|| refuse(CLASSES))?);
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
        let left = self.left_over(wanted.iter().map(|(path, _)| path));
        why.extend(left.iter().map(|path| format!("the model has no `{path}`")));
        if why.is_empty() {
            Ok(())
        } else {
            Err(Error::Misfit { source_name: source.into(), why: why.join("; ") })
        }
    }
}

impl Params {
    /// Those that are none of `wanted`.
    pub(crate) fn left_over<'a>(&self, wanted: impl Iterator<Item = &'a str>) -> Vec<&str> {
        let wanted: std::collections::BTreeSet<&str> = wanted.collect();
        self.iter().map(|(path, _)| path).filter(|path| !wanted.contains(path)).collect()
    }

    /// That a model does not find `missing` among these, and does not take `left`.
    pub(crate) fn misfit(&self, source: &str, missing: &[&str], left: &[&str]) -> Error {
        let missing = missing.iter().map(|path| format!("`{path}` is missing"));
        let left = left.iter().map(|path| format!("the model has no `{path}`"));
        // As many of both as a message can hold.
        let cut = |all: Vec<String>| match all.len().checked_sub(SHOWN).filter(|more| *more > 1) {
            Some(more) => format!("{}; and {more} others alike", all[..SHOWN].join("; ")),
            None => all.join("; "),
        };
        let parts: Vec<String> =
            [cut(missing.collect()), cut(left.collect())].into_iter().filter(|p| !p.is_empty()).collect();
        Error::Misfit { source_name: source.into(), why: parts.join("; ") }
    }
}

/// How many parameters a message lists.
const SHOWN: usize = 12;

/// Equal paths and values, in whatever order; the names of data do not count.
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
