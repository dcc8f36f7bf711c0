//! A value that differentiation takes for a constant.

use chainrule_tensor::Layout;

use super::{Derivative, Lowering, Op, Primitive, Sample};
use crate::error::ErrorKind;
use crate::types::Type;
use crate::var::Var;

/// The argument, cut off from differentiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StopGradient;

impl<'g> Var<'g> {
    /// The same value, taken for a constant by every derivative.
    #[track_caller]
    pub fn stop_gradient(self) -> Var<'g> {
        self.record(Op::StopGradient(StopGradient), &[])
    }
}

impl Primitive for StopGradient {
    fn name(&self) -> &'static str {
        "stop_gradient"
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        Ok(args[0].clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Flat("stop_gradient was asked for")
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        Lowering::View(Some(args[0].clone()))
    }

    fn samples() -> Vec<Sample> {
        // A stopped value is no function of its argument, so no numeric derivative can judge it; see tests.
        Vec::new()
    }
}
