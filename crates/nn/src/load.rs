//! Parameters of other programs, by name.

use std::fmt;

use chainrule_tensor::{DType, Shape, Tensor};

use crate::error::Result;
use crate::params::Params;

/// How the names of a file become those of a model. Rules are tried in their order; the first that fits is taken.
///
/// A linear layer of PyTorch has a weight (out, in), here it is (in, out): where turning a matrix over makes it fit, and
/// only that, it is turned. A square one tells nothing; say [`transpose`](Renaming::transpose).
///
/// ```
/// use chainrule_nn::{Params, Renaming};
/// use chainrule_tensor::{DType, Tensor};
/// // What torch.nn.Sequential(torch.nn.Linear(4, 3)) saved, with a head that is not wanted.
/// let saved: Params = [
///     ("0.weight", Tensor::ones([3, 4], DType::F32)),
///     ("0.bias", Tensor::zeros([3], DType::F32)),
///     ("head.weight", Tensor::ones([2, 3], DType::F32)),
/// ].into_iter().collect();
/// let mut params: Params = [
///     ("hidden.weight", Tensor::zeros([4, 3], DType::F32)),
///     ("hidden.bias", Tensor::ones([3], DType::F32)),
///     ("output.weight", Tensor::zeros([3, 2], DType::F32)),
/// ].into_iter().collect();
/// let report = Renaming::new().prefix("0", "hidden").load(&saved, &mut params);
/// assert_eq!(params.get("hidden.weight"), Some(&Tensor::ones([4, 3], DType::F32)));
/// assert_eq!(report.missing, ["output.weight"]);
/// assert_eq!(report.left_over, ["head.weight"]);
/// assert!(!report.is_whole());
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Renaming {
    rules: Vec<(String, String)>,
    transposed: Vec<String>,
}

impl Renaming {
    /// All names stay.
    pub fn new() -> Self {
        Renaming::default()
    }

    /// What is at the place `from` and below it, or the one tensor `from`, comes to `to`; an empty place is all of the file,
    /// or the root of the model.
    pub fn prefix(mut self, from: &str, to: &str) -> Self {
        self.rules.push((from.into(), to.into()));
        self
    }

    /// Turns the matrix that comes to `path`, or those at the place `path` and below it, over in any case; vectors stay.
    pub fn transpose(mut self, path: &str) -> Self {
        self.transposed.push(path.into());
        self
    }

    /// The name in the model.
    fn name(&self, given: &str) -> String {
        let fits = |(from, to): &(String, String)| {
            let rest = match given.strip_prefix(from.as_str())? {
                rest if from.is_empty() || rest.is_empty() => rest,
                rest => rest.strip_prefix('.')?,
            };
            Some([to.as_str(), rest].into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join("."))
        };
        self.rules.iter().find_map(fits).unwrap_or_else(|| given.to_owned())
    }

    /// Puts into `params`, those of the model, what of `saved` fits by name and shape, and says what became of all the rest;
    /// values that do not fit change nothing. Values have the dtype of those that they replace.
    pub fn load(&self, saved: &Params, params: &mut Params) -> Loaded {
        let mut report = Loaded::default();
        let mut unset: Vec<String> = params.iter().map(|(path, _)| path.to_owned()).collect();
        for (given, value) in saved.iter() {
            let path = self.name(given);
            let Some(own) = params.get(&path) else {
                report.left_over.push(given.into());
                continue;
            };
            if !unset.contains(&path) {
                report.misfits.push((given.into(), format!("`{path}` has been set by another")));
                continue;
            }
            let told = self.transposed.iter().any(|place| crate::train::lies_below(&path, place));
            match fitted(value, own, told) {
                Ok((value, turned)) => {
                    unset.retain(|other| *other != path);
                    report.fitted.push((given.into(), path.clone()));
                    if turned {
                        report.transposed.push(path.clone());
                    }
                    params.insert(path, value);
                }
                Err(why) => report.misfits.push((given.into(), format!("`{path}` {why}"))),
            }
        }
        report.missing = unset;
        report
    }
}

/// `value` in the shape and dtype of `own`, and whether it was turned over.
fn fitted(value: &Tensor, own: &Tensor, turn: bool) -> Result<(Tensor, bool), String> {
    let (found, wanted) = (value.shape(), own.shape());
    let over = matches!((found, wanted), ([a, b], [c, d]) if a == d && b == c);
    if value.dtype().is_real() != own.dtype().is_real() {
        return Err(format!("is {}, the file has {}", own.dtype(), value.dtype()));
    }
    let cast = |value: Tensor| if own.dtype() == DType::Bool { value } else { value.cast(own.dtype()) };
    if found == wanted && !(turn && found.len() == 2) {
        return Ok((cast(value.clone()), false));
    }
    if over {
        let turned = value.permute([1, 0]).map_err(|error| error.to_string())?;
        return Ok((cast(turned.to_contiguous()), true));
    }
    Err(format!("is {}, the file has {}", Shape::from(wanted), Shape::from(found)))
}

/// What became of the tensors of a file; made by [`Renaming::load`]. As text it is a list to read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// Names in the file and in the model of what was set.
    pub fitted: Vec<(String, String)>,
    /// Which of them, by the model's names, were turned over.
    pub transposed: Vec<String>,
    /// The model's parameters that nothing was found for.
    pub missing: Vec<String>,
    /// Names in the file that the model does not have.
    pub left_over: Vec<String>,
    /// Names in the file of what did not fit, and why.
    pub misfits: Vec<(String, String)>,
}

impl Loaded {
    /// Whether all of the model's parameters were set and nothing was left over.
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.left_over.is_empty() && self.misfits.is_empty()
    }
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (given, path) in &self.fitted {
            let turned = if self.transposed.contains(path) { ", turned over" } else { "" };
            writeln!(f, "`{given}` -> `{path}`{turned}")?;
        }
        self.misfits.iter().try_for_each(|(given, why)| writeln!(f, "`{given}` does not fit: {why}"))?;
        self.missing.iter().try_for_each(|path| writeln!(f, "`{path}` was not found"))?;
        self.left_over.iter().try_for_each(|given| writeln!(f, "`{given}` is left over"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_changes_nothing_and_is_told() {
        let of = |entries: &[(&str, &[usize])]| -> Params {
            entries.iter().map(|(path, shape)| (*path, Tensor::ones(*shape, DType::F32))).collect()
        };
        let zero = |entries: &[(&str, &[usize])]| -> Params {
            entries.iter().map(|(path, shape)| (*path, Tensor::zeros(*shape, DType::F32))).collect()
        };
        let saved = of(&[
            ("net.a.weight", &[5, 4]),
            ("net.b.weight", &[3, 3]),
            ("net.b.bias", &[3]),
            ("other", &[2]),
            ("net.a.bias", &[4]),
        ]);
        let mut params = zero(&[
            ("a.weight", &[4, 5]),
            ("b.weight", &[3, 3]),
            ("b.bias", &[3]),
            ("a.bias", &[5]),
            ("c.bias", &[1]),
        ]);
        let report = Renaming::new().prefix("net", "").transpose("b").load(&saved, &mut params);
        assert_eq!(report.transposed, ["a.weight", "b.weight"]);
        assert_eq!(report.missing, ["a.bias", "c.bias"]);
        assert_eq!(report.left_over, ["other"]);
        assert_eq!(report.misfits[0].0, "net.a.bias");
        let text = report.to_string();
        for words in [
            "`net.a.weight` -> `a.weight`, turned over",
            "is (5,), the file has (4,)",
            "`other` is left over",
        ] {
            assert!(text.contains(words), "{text}");
        }
        assert_eq!(params.get("a.bias"), Some(&Tensor::zeros([5], DType::F32)));
        assert_eq!(params.get("b.bias"), Some(&Tensor::ones([3], DType::F32)));
        // A rule is for whole words of a path, and the first that fits is taken.
        let rules = Renaming::new().prefix("net.a", "x").prefix("net", "y").prefix("", "z");
        let names = ["net.a.weight", "net.ab", "net", "w"].map(|given| rules.name(given));
        assert_eq!(names, ["x.weight", "y.ab", "y", "z.w"]);
        let twice = of(&[("p.bias", &[1]), ("c.bias", &[1])]);
        let report = Renaming::new().prefix("p", "c").load(&twice, &mut zero(&[("c.bias", &[1])]));
        assert_eq!(report.misfits[0].1, "`c.bias` has been set by another");
    }
}
