//! Decompositions of matrices: operations with several results.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::decompose::Decomposition;
use chainrule_tensor::{Error as ShapeError, Layout, Shape};

use super::rows::Rows;
use super::solve::square;
use super::{Derivative, Lowering, Primitive, Sample, Site, Structured, wrong_kind};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::call::Call;
use crate::prim::Mode;
use crate::types::Type;
use crate::var::Var;

/// The factors of each matrix (…, m, n), in the order that [`Decomposition`] lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decompose {
    into: Decomposition,
}

impl<'g> Var<'g> {
    /// Eigenvalues (…, n), ascending, and eigenvectors (…, n, n), one in each column, of (A + Aᵀ)/2 for matrices A
    /// (…, n, n). The first element of an eigenvector that is at least half as great as its greatest is positive.
    ///
    /// The derivative of eigenvectors is not finite where two eigenvalues are equal, since it does not exist; symmetric
    /// functions of the eigenvalues alone have theirs, of the first order. The graph fails when it runs on a matrix that is
    /// not finite.
    ///
    /// ```
    /// # use chainrule_graph::Graph;
    /// # use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// let (w, _) = g.leaf("a", [[2.0, 1.0], [1.0, 2.0]]).eigh();
    /// let off = (w - Tensor::from([1.0, 3.0])).abs().max(..).value()?;
    /// assert!(off.item::<f64>()? < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn eigh(self) -> (Var<'g>, Var<'g>) {
        let _here = self.graph.blame("eigh", Location::caller());
        let all = self.decomposed(Decomposition::Eigen);
        (all[0], all[1])
    }

    /// U (…, m, k), the singular values s (…, k), descending, and V (…, n, k), where k is the less of m and n, of each
    /// matrix A (…, m, n): A = U diag(s) Vᵀ, and the columns of U and of V are orthonormal. The first element of a
    /// column of V that is at least half as great as its greatest is positive.
    ///
    /// The derivatives of U and V are not finite where two singular values are equal, and, unless the matrix is square,
    /// where one is 0; symmetric functions of the singular values alone have theirs, of the first order. The graph fails
    /// when it runs on a matrix that is not finite.
    ///
    /// ```
    /// # use chainrule_graph::Graph;
    /// # use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// let a = g.leaf("a", [[3.0, 0.0], [0.0, -5.0], [0.0, 0.0]]);
    /// let (u, s, v) = a.svd();
    /// assert_eq!(s.value()?, Tensor::from([5.0, 3.0]));
    /// assert_eq!((u * s.insert_axis(0)).matmul(v.t()).value()?, a.value()?);
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn svd(self) -> (Var<'g>, Var<'g>, Var<'g>) {
        let _here = self.graph.blame("svd", Location::caller());
        let all = self.decomposed(Decomposition::Singular);
        (all[0], all[1], all[2])
    }

    /// Q (…, m, k) with orthonormal columns and the upper triangular R (…, k, n), where k is the less of m and n, of each
    /// matrix A (…, m, n): A = Q R. No element on the diagonal of R is negative, so both are determined where the first
    /// k columns depend on none of each other; elsewhere the graph fails when it differentiates.
    ///
    /// ```
    /// # use chainrule_graph::Graph;
    /// # use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// let (q, r) = g.leaf("a", [[0.0, 2.0], [3.0, 1.0]]).qr();
    /// for (found, right) in [(q, [[0.0, 1.0], [1.0, 0.0]]), (r, [[3.0, 1.0], [0.0, 2.0]])] {
    ///     let off = (found - Tensor::from(right)).abs().max(..).value()?;
    ///     assert!(off.item::<f64>()? < 1e-14);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn qr(self) -> (Var<'g>, Var<'g>) {
        let _here = self.graph.blame("qr", Location::caller());
        let own = self.shape();
        if let [.., m, n] = own[..]
            && m < n
        {
            // Q is that of the first columns; the others are written in it.
            let all = self.slice(-1, 0..m).decomposed(Decomposition::Orthogonal);
            let right = all[0].t().matmul(self.slice(-1, m..n));
            return (all[0], self.graph.concat(&[all[1], right], -1));
        }
        let all = self.decomposed(Decomposition::Orthogonal);
        (all[0], all[1])
    }

    /// The factors of this, or its error for each of them.
    #[track_caller]
    fn decomposed(self, into: Decomposition) -> Vec<Var<'g>> {
        let made = self.record(Decompose { into }.into(), &[]);
        if made.is_poisoned() { vec![made; 3] } else { made.results() }
    }
}

/// Element (i, j) is 1 / (xⱼ − xᵢ), and 0 on the diagonal.
fn gaps(x: Var<'_>) -> Var<'_> {
    let n = x.dim(-1);
    let same = x.graph.iota([n, n], 0).equal(x.graph.iota([n, n], 1));
    same.select(0.0, 1.0 / same.select(1.0, x.insert_axis(-2) - x.insert_axis(-1)))
}

/// ẇ = diag(Vᵀ Ȧ V) and V̇ = V (F ∘ Vᵀ Ȧ V) with F the inverse gaps (Giles 2008, "Collected matrix derivative results"), of
/// the symmetric part of A.
fn eigen<'g>(t: Var<'g>, y: &[Var<'g>]) -> Vec<Var<'g>> {
    let (w, v) = (y[0], y[1]);
    let inner = v.t().matmul((t + t.t()) * 0.5).matmul(v);
    vec![inner.diagonal(), v.matmul(gaps(w) * inner)]
}

/// Giles 2008; what leaves the space of U, or of V, is added where there are more rows than columns, or fewer.
fn singular<'g>(t: Var<'g>, y: &[Var<'g>]) -> Vec<Var<'g>> {
    let (u, s, v) = (y[0], y[1], y[2]);
    let (m, n, k) = (u.dim(-2), v.dim(-2), s.dim(-1));
    let inner = u.t().matmul(t).matmul(v);
    // 1 / (sⱼ² − sᵢ²), whose second factor has no sign to lose digits by; 0 on the diagonal.
    let same = s.graph.iota([k, k], 0).equal(s.graph.iota([k, k], 1));
    let sum = same.select(1.0, s.insert_axis(-2) + s.insert_axis(-1));
    let f = gaps(s) / sum;
    let (right, left) = (inner * s.insert_axis(-2), s.insert_axis(-1) * inner);
    let within = |x: Var<'g>, part: Var<'g>| x.matmul(f * (part + part.t()));
    // (1 − x xᵀ) of what the tangent makes of the other side, by 1 / s.
    let beyond = |x: Var<'g>, made: Var<'g>| (made - x.matmul(x.t().matmul(made))) / s.insert_axis(-2);
    let mut du = within(u, right);
    let mut dv = within(v, left);
    if m > k {
        du += beyond(u, t.matmul(v));
    }
    if n > k {
        dv += beyond(v, t.t().matmul(u));
    }
    vec![du, inner.diagonal(), dv]
}

/// With M = Ȧ R⁻¹ and Ω the antisymmetric matrix that has the part of Qᵀ M below the diagonal: Q̇ = M − Q (Qᵀ M − Ω) and
/// Ṙ = (Qᵀ M − Ω) R (Walter, Lehmann and Lamour 2012).
fn orthogonal<'g>(t: Var<'g>, y: &[Var<'g>]) -> Vec<Var<'g>> {
    let (q, r) = (y[0], y[1]);
    let made = r.t().solve_lower(t.t()).t();
    let inner = q.t().matmul(made);
    let low = inner.tril(-1);
    let upper = inner - low + low.t();
    vec![made - q.matmul(upper), upper.matmul(r)]
}

impl Structured for Decompose {
    fn tangents<'g>(
        &self,
        t: &[Option<Var<'g>>],
        _: Mode,
        site: &Site<'_, 'g>,
    ) -> Result<Vec<Option<Var<'g>>>> {
        let y = site.y.results();
        let Some(t) = t[0] else { return Ok(vec![None; y.len()]) };
        let found = match self.into {
            Decomposition::Eigen => eigen(t, &y),
            Decomposition::Singular => singular(t, &y),
            Decomposition::Orthogonal => orthogonal(t, &y),
        };
        Ok(found.into_iter().map(Some).collect())
    }

    fn cotangents<'g>(
        &self,
        _: &[Option<Var<'g>>],
        _: &[bool],
        site: &Site<'_, 'g>,
    ) -> Result<Vec<Option<Var<'g>>>> {
        let why = format!("{} is not linear in the tangents that it is applied to", self.name());
        Err(Error::new(ErrorKind::Gradient(why)).placed(site.y.origin()))
    }
}

impl Decompose {
    /// The types of all results.
    fn types(&self, ty: &Type) -> Vec<Type> {
        let (lead, sizes) = ty.shape.split_at(ty.shape.len() - 2);
        let (m, n, k) = (sizes[0], sizes[1], sizes[0].min(sizes[1]));
        let of = |own: &[usize]| ty.shaped(lead.iter().chain(own).copied().collect::<Shape>());
        match self.into {
            Decomposition::Eigen => vec![of(&[n]), of(&[n, n])],
            Decomposition::Singular => vec![of(&[m, k]), of(&[k]), of(&[n, k])],
            Decomposition::Orthogonal => vec![of(&[m, n]), of(&[n, n])],
        }
    }
}

impl Primitive for Decompose {
    fn name(&self) -> &'static str {
        name(self.into)
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let (ty, op) = (args[0], self.name());
        if ty.kind != Kind::Real {
            return Err(wrong_kind(op, format!("does not take {ty}; cast it with .real() first")));
        }
        let [.., m, n] = ty.shape[..] else {
            return Err(ShapeError::shape(op, [&ty.shape[..]], "needs matrices (…, m, n)").into());
        };
        match self.into {
            Decomposition::Eigen => {
                square(op, &ty.shape)?;
            }
            Decomposition::Orthogonal if m < n => {
                return Err(ShapeError::shape(op, [&ty.shape[..]], "needs no more columns than rows").into());
            }
            _ => {}
        }
        Ok(self.types(ty).swap_remove(0))
    }

    fn further(&self, args: &[&Type]) -> Vec<Type> {
        self.types(args[0]).split_off(1)
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Structured(|p| p)
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(*self)
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        let (lead, sizes) = args[0].shape.split_at(args[0].shape.len() - 2);
        let dims = [lead.iter().product(), sizes[0], sizes[1]];
        Lowering::Kernel(Call::Decompose { into: self.into, dims })
    }

    fn samples() -> Vec<Sample> {
        /// The leaf with different numbers added to its diagonal, so that no two values are close.
        fn apart(x: Var<'_>) -> Var<'_> {
            let (m, n) = (x.dim(-2), x.dim(-1));
            let steps = x.graph().iota([m, n], 0).real() * 4.0 + 3.0;
            x + x.graph().eye([m, n], 0) * steps
        }
        let mut all = Vec::new();
        for s in [&[3, 3][..], &[1, 1], &[2, 2, 2], &[0, 2, 2]] {
            all.push(Sample::new(&format!("eigh of {s:?}"), &[s], -1.0..1.0, |x| {
                let (w, v) = apart(x[0]).eigh();
                w.insert_axis(-2) * v
            }));
        }
        for s in [&[2, 2][..], &[3, 2], &[2, 3], &[1, 1], &[2, 3, 2], &[0, 2, 2]] {
            all.push(Sample::new(&format!("svd of {s:?}"), &[s], -1.0..1.0, |x| {
                let (u, s, v) = apart(x[0]).svd();
                (u * s.insert_axis(-2)).matmul((v * v).t())
            }));
            all.push(Sample::new(&format!("qr of {s:?}"), &[s], -1.0..1.0, |x| {
                let (q, r) = apart(x[0]).qr();
                (q * q).matmul(r)
            }));
        }
        all
    }
}

/// What a decomposition is called.
pub(crate) fn name(into: Decomposition) -> &'static str {
    match into {
        Decomposition::Eigen => "eigh",
        Decomposition::Singular => "svd",
        Decomposition::Orthogonal => "qr",
    }
}
