//! The tangent of an operation whose derivative is given as a vjp, until it is transposed.

use chainrule_tensor::Layout;

use super::{Derivative, Lowering, Primitive, Sample};
use crate::body::Body;
use crate::error::ErrorKind;
use crate::types::Type;

/// J·t, where `rule` gives Jᵀ·ct. The arguments are the tangents of the arguments `varying`, then what the rule takes
/// but for the cotangent: the arguments (as many as are `given`), the result, and what it uses besides.
///
/// Reverse mode records it and transposes it at once, by the rule. It is never carried out: forward mode records the
/// transpose of the rule instead.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pushforward {
    pub(crate) name: &'static str,
    pub(crate) rule: Body,
    pub(crate) given: usize,
    pub(crate) varying: Vec<usize>,
}

impl Primitive for Pushforward {
    fn name(&self) -> &'static str {
        "pushforward"
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        Ok(args[self.varying.len() + self.given].clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Structured(|p| p)
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        Lowering::View(Some(args[0].clone()))
    }

    fn samples() -> Vec<Sample> {
        // It lives only between the two halves of reverse mode; the samples of custom operations go through it.
        Vec::new()
    }
}
