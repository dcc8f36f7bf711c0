//! Linear recurrences, and with them products.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Axes, Layout, shape};

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample, within, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::types::Type;
use crate::var::Var;

/// y₀ = b₀ and yᵢ = aᵢ·yᵢ₋₁ + bᵢ along `axis`, for argument 0, a, and argument 1, b. a₀ has no part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Recurrence {
    axis: usize,
}

impl<'g> Var<'g> {
    /// Running products along `axis`: element i is the product of elements 0 to i, multiplied in this order, so only a
    /// product of the first elements can leave the range. Derivatives of every order are right where elements are 0,
    /// since nothing is divided by. A derivative is the product of the elements before times that of those behind, and
    /// out of range where one of the two is.
    #[track_caller]
    pub fn cumprod(self, axis: isize) -> Var<'g> {
        let _here = self.graph.blame("cumprod", Location::caller());
        self.shaped(|own| {
            let axis = shape::axis("cumprod", axis, &own)?;
            // Adding −0 changes no bit, not even the sign of a 0.
            let nothing = match self.kind() {
                Kind::Real => self.graph.constant(-0.0),
                Kind::Int => self.graph.constant(0_i64),
                Kind::Truth => self.graph.constant(false),
            };
            let first = self.graph.iota(own, axis as isize).equal(0_i64);
            Ok(self.recurrence(first.select(self, nothing), axis))
        })
    }

    /// Product over `axes` (see [`Axes`]), multiplied in their order; 1 of no elements. Range and derivatives are those of
    /// [`cumprod`](Var::cumprod).
    #[track_caller]
    pub fn prod(self, axes: impl Into<Axes>) -> Var<'g> {
        let _here = self.graph.blame("prod", Location::caller());
        self.along_one(&axes.into(), "prod", |x, axis| {
            let own = x.shape();
            let n = own[axis as usize];
            if n == 0 {
                return x.sum(axis) + 1;
            }
            x.cumprod(axis).slice(axis, n - 1..n).reshape_to(own.without(axis as usize))
        })
    }

    #[track_caller]
    fn recurrence(self, b: Var<'g>, axis: usize) -> Var<'g> {
        self.record(Op::Recurrence(Recurrence { axis }), &[b])
    }
}

impl Primitive for Recurrence {
    fn name(&self) -> &'static str {
        "recurrence"
    }

    fn attributes(&self) -> String {
        format!("axis={}", self.axis)
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        if args[0].kind == Kind::Truth {
            return Err(wrong_kind("recurrence", format!("does not take {}; cast it first", args[0])));
        }
        let [a, b] = [args[0], args[1]];
        if a.kind != b.kind {
            return Err(wrong_kind("recurrence", format!("takes no {a} beside {b}")));
        }
        if a.shape != b.shape {
            let why = "factors and terms must be of the same shape";
            return Err(
                chainrule_tensor::Error::shape("recurrence", [&a.shape[..], &b.shape[..]], why).into()
            );
        }
        within("recurrence", &a.shape, self.axis + 1)?;
        Ok(a.clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Mixed(
            &[1],
            // The same recurrence from the other end, where each cotangent meets the factor behind it.
            |p, _, ct, s| {
                let (a, axis, n) = (s.x[0], p.axis as isize, ct.shape()[p.axis]);
                if n < 2 {
                    return ct;
                }
                let behind = a.graph.concat(&[a.slice(axis, 1..n), a.slice(axis, 0..1)], axis);
                behind.flip(axis).recurrence(ct.flip(axis), p.axis).flip(axis)
            },
            |p, t, s| {
                let (axis, n) = (p.axis as isize, s.y.shape()[p.axis]);
                match t[0] {
                    Some(t) if n > 1 => {
                        let changed = t.slice(axis, 1..n) * s.y.slice(axis, 0..n - 1);
                        s.x[0].recurrence(changed.pad(axis, 1, 0), p.axis)
                    }
                    _ => s.y.like(0.0),
                }
            },
        )
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(Recurrence { axis: self.axis + 1 })
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        let shape = &args[0].shape;
        let size = |axes: &[usize]| axes.iter().product::<usize>();
        let dims = [size(&shape[..self.axis]), shape[self.axis], size(&shape[self.axis + 1..])];
        Lowering::Kernel(Call::Recurrence { dims })
    }

    fn samples() -> Vec<Sample> {
        let shapes: [(&[usize], isize); 6] =
            [(&[4], 0), (&[2, 3], 0), (&[2, 3], 1), (&[2, 3, 2], 1), (&[1], 0), (&[2, 0], 1)];
        let recurrence = |(s, axis): (&[usize], isize)| {
            let name = format!("recurrence along axis {axis} of {s:?}");
            Sample::new(&name, &[s, s], -2.0..2.0, move |x| x[0].recurrence(x[1], axis as usize).square())
        };
        shapes.map(recurrence).into()
    }
}
