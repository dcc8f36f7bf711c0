//! Linear systems.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::linear_algebra::Part;
use chainrule_tensor::{Error, Layout, Shape, shape};

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample, Site, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::types::Type;
use crate::var::Var;

/// The x with A x = b, or Aᵀ x = b, where A is the `part` of argument 0 (…, n, n) and b is argument 1 (…, n, k).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Solve {
    part: Part,
    transposed: bool,
}

impl<'g> Var<'g> {
    /// The x with `self` · x = `b`, for square matrices (…, n, n) and right sides (…, n, k); leading axes broadcast.
    /// The graph fails when it runs on a singular matrix.
    #[track_caller]
    pub fn solve(self, b: Var<'g>) -> Var<'g> {
        self.solve_part(Part::All, b)
    }

    /// As [`solve`](Var::solve), where this matrix is lower triangular; what stands above its diagonal is not read.
    #[track_caller]
    pub fn solve_lower(self, b: Var<'g>) -> Var<'g> {
        self.solve_part(Part::Lower, b)
    }

    /// As [`solve`](Var::solve), where this matrix is upper triangular; what stands below its diagonal is not read.
    #[track_caller]
    pub fn solve_upper(self, b: Var<'g>) -> Var<'g> {
        self.solve_part(Part::Upper, b)
    }

    /// The inverse of each square matrix (…, n, n). [`solve`](Var::solve) is more accurate where a product with the
    /// inverse is wanted.
    #[track_caller]
    pub fn inverse(self) -> Var<'g> {
        let _here = self.graph.blame("inverse", Location::caller());
        self.shaped(|own| {
            let (graph, n) = (self.graph, square("inverse", &own)?);
            Ok(self.solve(graph.iota([n, n], 0).equal(graph.iota([n, n], 1)).real()))
        })
    }

    #[track_caller]
    fn solve_part(self, part: Part, b: Var<'g>) -> Var<'g> {
        let solve = Solve { part, transposed: false };
        let name = name(part);
        if let Some(refused) = self.graph.refused(name, &[b]) {
            return refused;
        }
        self.shaped(|own| {
            let right = b.shape();
            sides(name, &own, &right)?;
            let common = shape::broadcast(name, &own[..own.len() - 2], &right[..right.len() - 2])?;
            let batched = |s: &Shape| common.iter().chain(&s[s.len() - 2..]).copied().collect::<Shape>();
            let op = Op::Solve(solve);
            Ok(self.broadcast_to(batched(&own)).record(op, &[b.broadcast_to(batched(&right))]))
        })
    }

    /// The lower (or upper) triangle of each matrix, zeros elsewhere.
    #[track_caller]
    fn only(self, part: Part) -> Var<'g> {
        match part {
            Part::All => self,
            Part::Lower => self.tril(0),
            Part::Upper => self.triu(0),
        }
    }
}

/// What solving with that part of a matrix is called.
pub(crate) fn name(part: Part) -> &'static str {
    match part {
        Part::All => "solve",
        Part::Lower => "solve_lower",
        Part::Upper => "solve_upper",
    }
}

/// The size of the square matrices in `shape`.
pub(crate) fn square(op: &'static str, shape: &[usize]) -> chainrule_tensor::Result<usize> {
    match shape {
        [.., m, n] if m == n => Ok(*n),
        _ => Err(Error::shape(op, [shape], "needs square matrices (…, n, n)")),
    }
}

/// Fails unless `a` are square matrices and `b` right sides of systems with them.
fn sides(op: &'static str, a: &[usize], b: &[usize]) -> chainrule_tensor::Result<()> {
    let n = square(op, a)?;
    if b.len() < 2 || b[b.len() - 2] != n {
        let advice = if b.len() == 1 { "; make a vector a column with .insert_axis(-1)" } else { "" };
        return Err(Error::shape(op, [a, b], format!("the right side must be (…, {n}, k){advice}")));
    }
    Ok(())
}

impl Solve {
    fn apply<'g>(&self, a: Var<'g>, b: Var<'g>) -> Var<'g> {
        a.record(Op::Solve(*self), &[b])
    }

    /// A x = b ⇒ A ẋ = −Ȧ x.
    fn tangent<'g>(&self, t: Var<'g>, site: &Site<'_, 'g>) -> Var<'g> {
        let t = t.only(self.part);
        let t = if self.transposed { t.t() } else { t };
        -self.apply(site.x[0], t.matmul(site.y))
    }
}

impl Primitive for Solve {
    fn name(&self) -> &'static str {
        name(self.part)
    }

    fn attributes(&self) -> String {
        if self.transposed { "transposed".into() } else { String::new() }
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        if let Some(other) = args.iter().find(|a| a.kind != Kind::Real) {
            return Err(wrong_kind(
                self.name(),
                format!("does not take {other}; cast it with .real() first"),
            ));
        }
        let (a, b) = (&args[0].shape, &args[1].shape);
        sides(self.name(), a, b)?;
        if a[..a.len() - 2] != b[..b.len() - 2] {
            return Err(Error::shape(self.name(), [&a[..], &b[..]], "the leading axes must be equal").into());
        }
        Ok(args[1].clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Mixed(
            &[1],
            |p, _, ct, s| Solve { transposed: !p.transposed, ..*p }.apply(s.x[0], ct),
            |p, t, s| t[0].map_or_else(|| s.y.like(0.0), |t| p.tangent(t, s)),
        )
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(*self)
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        let b = &args[1].shape;
        let batch = b[..b.len() - 2].iter().product();
        let dims = [batch, b[b.len() - 2], b[b.len() - 1]];
        Lowering::Kernel(Call::Solve { part: self.part, transposed: self.transposed, dims })
    }

    fn samples() -> Vec<Sample> {
        let shapes: [[&[usize]; 2]; 5] = [
            [&[3, 3], &[3, 2]],
            [&[1, 1], &[1, 1]],
            [&[2, 2, 2], &[2, 1]],
            [&[2, 2], &[3, 2, 1]],
            [&[2, 2], &[2, 0]],
        ];
        let mut all = Vec::new();
        for part in [Part::All, Part::Lower, Part::Upper] {
            for s in shapes {
                let name = format!("{} {:?} x {:?}", Solve { part, transposed: false }.name(), s[0], s[1]);
                all.push(Sample::new(&name, &s, -1.0..1.0, move |x| {
                    safe(x[0]).solve_part(part, x[1]).square()
                }));
            }
        }
        all.push(Sample::new("inverse of a transpose (2, 2)", &[&[2, 2]], -1.0..1.0, |x| {
            safe(x[0]).t().inverse().square()
        }));
        all
    }
}

/// `x` far from singular, for the sample cases: elements in (−1, 1) with 3 added to the diagonal.
pub(crate) fn safe(x: Var<'_>) -> Var<'_> {
    let n = x.shape()[x.rank() - 1];
    x + x.graph().iota([n, n], 0).equal(x.graph().iota([n, n], 1)).real() * 3.0
}
