//! Rounding to a format of 16 bits.

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Format, Layout};

use super::{Derivative, Lowering, Op, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::elementwise::Instruction;
use crate::types::Type;
use crate::var::Var;

/// The argument, rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Narrow(pub Format);

impl<'g> Var<'g> {
    /// Each element rounded to a format of 16 bits (`reduce_precision`). What is computed of it is computed in the precision of
    /// the plan; the value itself is kept in two bytes an element.
    ///
    /// The derivative is that of the identity, rounded the same way: tangents and cotangents of what has 16 bits have 16 bits.
    /// The gradient check looks at the formula without its roundings, which have no slope that differences could show
    /// ([`Compiler::exact`](crate::Compiler::exact)).
    ///
    /// ```
    /// use chainrule_graph::Graph;
    /// use chainrule_tensor::{Format, Tensor};
    /// let g = Graph::new();
    /// let w = g.leaf("w", [0.1, 1.0]);
    /// let narrow = w.round_to(Format::Bf16);
    /// assert_eq!(narrow.value()?, Tensor::from([0.100_097_656_25, 1.0]));
    /// let dw = (narrow * 0.3).sum(..).grad(&[w])?[0];
    /// assert_eq!(dw.value()?, Tensor::from([0.300_781_25, 0.300_781_25]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "reduce_precision")]
    #[doc(alias = "bfloat16")]
    #[doc(alias = "half")]
    #[track_caller]
    pub fn round_to(self, format: Format) -> Var<'g> {
        // What is rounded already is its own rounding.
        if matches!(&self.graph.inner.borrow().nodes[self.id.index()].op, Op::Narrow(n) if n.0 == format) {
            return self;
        }
        self.record(Op::Narrow(Narrow(format)), &[])
    }
}

impl Primitive for Narrow {
    fn name(&self) -> &'static str {
        "round_to"
    }

    fn attributes(&self) -> String {
        self.0.to_string()
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        if args[0].kind != Kind::Real {
            return Err(wrong_kind(
                "round_to",
                format!("does not take {}; only reals have formats", args[0]),
            ));
        }
        Ok(args[0].clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Linear(|p, _, ct, _| ct.round_to(p.0))
    }

    fn lower(&self, _: &[Layout], _: &Type) -> Lowering {
        Lowering::Elementwise(Instruction::Round(self.0))
    }

    fn samples() -> Vec<Sample> {
        // It is linear but for the roundings, so no law of derivatives holds to the last digit; see tests.
        Vec::new()
    }
}
