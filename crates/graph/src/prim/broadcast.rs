//! Repetition along axes of length 1: the transpose of a sum.

use chainrule_tensor::{Error, Layout, Shape, Tensor, shape};

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample};
use crate::error::ErrorKind;
use crate::types::Type;
use crate::var::Var;

/// The argument repeated to fill `shape`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Broadcast {
    shape: Shape,
}

impl<'g> Var<'g> {
    /// Repeats axes of length 1, and new leading axes, to fill `shape`.
    #[doc(alias = "expand")]
    #[track_caller]
    pub fn broadcast_to(self, shape: impl Into<Shape>) -> Var<'g> {
        let shape = shape.into();
        if self.shape() == shape { self } else { self.record(Op::Broadcast(Broadcast { shape }), &[]) }
    }

    /// The number `value` in this value's shape and kind.
    #[track_caller]
    pub fn like(self, value: f64) -> Var<'g> {
        use chainrule_tensor::kernels::Kind;
        let scalar = match self.kind() {
            Kind::Real => Tensor::from(value),
            Kind::Int => Tensor::from(value as i64),
            Kind::Truth => Tensor::from(value != 0.0),
        };
        self.shaped(|own| Ok(self.graph.constant(scalar).broadcast_to(own)))
    }

    /// Whether every element is the real constant `value`, as far as can be told without computing.
    pub(crate) fn is_constant(self, value: f64) -> bool {
        let inner = self.graph.inner.borrow();
        let mut node = &inner.nodes[self.id.index()];
        while let Op::Broadcast(_) | Op::Reshape(_) = node.op {
            node = &inner.nodes[node.args[0].index()];
        }
        matches!(&node.op, Op::Scalar(s) if s.real() == Some(value))
    }

    /// The sum over the axes that broadcasting from `shape` to this value's shape repeated.
    #[track_caller]
    pub(crate) fn sum_to(self, shape: &Shape) -> Var<'g> {
        self.shaped(|own| {
            let new = own.len() - shape.len();
            let axes: Vec<isize> = (0..own.len())
                .filter(|&i| i < new || (shape[i - new] == 1 && own[i] != 1))
                .map(|i| i as isize)
                .collect();
            Ok(if axes.is_empty() { self } else { self.sum(axes).reshape_to(shape.clone()) })
        })
    }
}

impl Primitive for Broadcast {
    fn name(&self) -> &'static str {
        "broadcast"
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let own = &args[0].shape;
        if shape::broadcast("broadcast", own, &self.shape)? != self.shape {
            let why = "the first cannot be repeated to fill the second";
            return Err(Error::shape("broadcast", [&own[..], &self.shape[..]], why).into());
        }
        Ok(args[0].shaped(&self.shape))
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Linear(|_, _, ct, s| ct.sum_to(&s.x[0].shape()))
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        // The leading axis stays in front of the new ones.
        let x = rows.each(0);
        let own = x.shape();
        let new = self.shape.len() + 1 - own.len();
        let aligned =
            own[..1].iter().copied().chain(std::iter::repeat_n(1, new)).chain(own[1..].iter().copied());
        x.reshape_to(aligned.collect()).broadcast_to(self.shape.with_leading(rows.n))
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        Lowering::View(Some(args[0].broadcast(&self.shape)))
    }

    fn samples() -> Vec<Sample> {
        vec![
            Sample::new("broadcast (2, 1) to (2, 3)", &[&[2, 1]], -2.0..2.0, |x| {
                x[0].broadcast_to([2, 3]).square()
            }),
            Sample::new("broadcast () to (2, 2)", &[&[]], -2.0..2.0, |x| x[0].broadcast_to([2, 2]).square()),
            Sample::new("broadcast (1,) to (0,)", &[&[1]], -2.0..2.0, |x| x[0].broadcast_to([0]).square()),
            Sample::new("broadcast (0,) to (2, 0)", &[&[0]], -2.0..2.0, |x| {
                x[0].broadcast_to([2, 0]).square()
            }),
            Sample::new("broadcast (3,) to (2, 3)", &[&[3]], -2.0..2.0, |x| {
                x[0].broadcast_to([2, 3]).square()
            }),
        ]
    }
}
