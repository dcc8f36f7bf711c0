//! An axis in reverse: its own transpose.

use chainrule_tensor::{Layout, shape};

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample, within};
use crate::error::ErrorKind;
use crate::types::Type;
use crate::var::Var;

/// `axis` in reverse order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flip {
    axis: usize,
}

impl<'g> Var<'g> {
    /// The elements of `axis` in reverse order.
    #[track_caller]
    pub fn flip(self, axis: isize) -> Var<'g> {
        self.shaped(|own| {
            let axis = shape::axis("flip", axis, &own)?;
            Ok(self.record(Op::Flip(Flip { axis }), &[]))
        })
    }
}

impl Primitive for Flip {
    fn name(&self) -> &'static str {
        "flip"
    }

    fn attributes(&self) -> String {
        format!("axis={}", self.axis)
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        within("flip", &args[0].shape, self.axis + 1)?;
        Ok(args[0].clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Linear(|p, _, ct, _| ct.flip(p.axis as isize))
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(Flip { axis: self.axis + 1 })
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        let n = args[0].shape[self.axis];
        Lowering::View(Some(args[0].slice(self.axis, n.saturating_sub(1), n, -1)))
    }

    fn samples() -> Vec<Sample> {
        vec![
            Sample::new("x flipped times x, of (2, 3)", &[&[2, 3]], -2.0..2.0, |x| x[0].flip(1) * x[0]),
            Sample::new("flip of no elements", &[&[0]], -2.0..2.0, |x| x[0].flip(0).square()),
            Sample::new("flip of (1,)", &[&[1]], -2.0..2.0, |x| x[0].flip(0).square()),
        ]
    }
}
