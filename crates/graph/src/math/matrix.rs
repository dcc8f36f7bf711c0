//! Parts of matrices.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;

use crate::ir::Graph;
use crate::prim::pad::Pad;
use crate::prim::solve::square;
use crate::var::Var;

impl Graph {
    /// Ones on diagonal `k` of a matrix of `shape`, zeros elsewhere.
    #[track_caller]
    pub fn eye(&self, shape: [usize; 2], k: i64) -> Var<'_> {
        let _here = self.blame("eye", Location::caller());
        let [m, n] = shape.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        // Beyond the corners all diagonals are alike; further out the integers would overflow.
        (self.iota(shape, 0) + k.clamp(-m, n)).equal(self.iota(shape, 1)).real()
    }
}

/// Rows and columns of the matrices in `shape`.
fn sizes(op: &'static str, shape: &[usize]) -> chainrule_tensor::Result<[usize; 2]> {
    match shape {
        [.., m, n] => Ok([*m, *n]),
        _ => Err(chainrule_tensor::Error::shape(op, [shape], "needs matrices (…, m, n)")),
    }
}

impl<'g> Var<'g> {
    /// Each matrix (…, m, n) with zeros above diagonal `k`: 0 is the main one, 1 the one above it, −1 below.
    #[track_caller]
    pub fn tril(self, k: i64) -> Var<'g> {
        self.banded("tril", k, |row, column| column.less_equal(row))
    }

    /// Each matrix (…, m, n) with zeros below diagonal `k`: 0 is the main one, 1 the one above it, −1 below.
    #[track_caller]
    pub fn triu(self, k: i64) -> Var<'g> {
        self.banded("triu", k, |row, column| column.greater_equal(row))
    }

    /// The main diagonal (…, min(m, n)) of each matrix (…, m, n).
    #[track_caller]
    pub fn diagonal(self) -> Var<'g> {
        let _here = self.graph.blame("diagonal", Location::caller());
        self.diagonal_at(0)
    }

    /// Diagonal `k` of each matrix (…, m, n): 0 is the main one, 1 the one above it, −1 below; of none, no elements.
    #[track_caller]
    pub fn diagonal_at(self, k: i64) -> Var<'g> {
        let _here = self.graph.blame("diagonal_at", Location::caller());
        self.shaped(|own| {
            let [m, n] = sizes("diagonal_at", &own)?;
            let off = usize::try_from(k.unsigned_abs()).unwrap_or(usize::MAX);
            let (down, right) = if k < 0 { (off, 0) } else { (0, off) };
            let len = m.saturating_sub(down).min(n.saturating_sub(right));
            // Written in one row, the elements of a diagonal are n + 1 apart.
            let last = own.len() - 2;
            let row = self.reshape_to(own.without(last + 1).with(last, m * n));
            if len == 0 {
                return Ok(row.slice(-1, 0..0));
            }
            let start = down * n + right;
            Ok(row.slice_step(-1, start..start + (len - 1) * (n + 1) + 1, n + 1))
        })
    }

    /// For each vector (…, n) the square matrix that has it as diagonal `k`, and zeros elsewhere.
    ///
    /// ```
    /// # use chainrule_graph::Graph;
    /// # use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// assert_eq!(g.leaf("v", [2.0]).diag(1).value()?, Tensor::from([[0.0, 2.0], [0.0, 0.0]]));
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn diag(self, k: i64) -> Var<'g> {
        let _here = self.graph.blame("diag", Location::caller());
        self.shaped(|own| {
            let [.., n] = own[..] else {
                return Err(chainrule_tensor::Error::shape("diag", [&own[..]], "needs vectors (…, n)"));
            };
            let off = usize::try_from(k.unsigned_abs()).unwrap_or(usize::MAX);
            let side = n.saturating_add(off);
            let (last, all) = (own.len() - 1, side.saturating_mul(side));
            let to: chainrule_tensor::Shape = own[..last].iter().copied().chain([side, side]).collect();
            if n == 0 {
                let zero = self.sum(-1).insert_axis(-1).insert_axis(-1);
                return Ok(zero.broadcast_to(to));
            }
            let before = if k < 0 { off.saturating_mul(side) } else { off };
            Ok(self.pad_to(Pad { axis: last, before, step: side.saturating_add(1), len: all }).reshape_to(to))
        })
    }

    /// x yᵀ for vectors (…, m) and (…, n): all products of an element of each, (…, m, n).
    #[track_caller]
    pub fn outer(self, right: Var<'g>) -> Var<'g> {
        let _here = self.graph.blame("outer", Location::caller());
        if let Some(refused) = self.graph.refused("outer", &[right]) {
            return refused;
        }
        self.insert_axis(-1) * right.insert_axis(-2)
    }

    /// The product of `n` equal square matrices (…, k, k), by squaring; of none, the identity; of a negative number, that
    /// of inverses.
    #[track_caller]
    pub fn matrix_power(self, n: i64) -> Var<'g> {
        let _here = self.graph.blame("matrix_power", Location::caller());
        self.shaped(|own| {
            let k = square("matrix_power", &own)?;
            let one = self.graph.eye([k, k], 0).broadcast_to(own);
            let mut square = if n < 0 { self.inverse() } else { self };
            let (mut left, mut power) = (n.unsigned_abs(), None);
            while left > 0 {
                if left & 1 == 1 {
                    power = Some(power.map_or(square, |power: Var<'g>| power.matmul(square)));
                }
                left >>= 1;
                if left > 0 {
                    square = square.matmul(square);
                }
            }
            // As a product with what it is the power of, so that what is no matrix of reals is refused.
            Ok(power.unwrap_or_else(|| one + self.like(0.0)))
        })
    }

    /// The sum of the main diagonal of each square matrix (…, n, n).
    #[track_caller]
    pub fn trace(self) -> Var<'g> {
        let _here = self.graph.blame("trace", Location::caller());
        self.shaped(|own| {
            square("trace", &own)?;
            Ok(self.diagonal().sum(-1))
        })
    }

    /// Zeros but where `inside` holds of the column and of the row, moved by `k`.
    #[track_caller]
    fn banded(self, op: &'static str, k: i64, inside: impl FnOnce(Var<'g>, Var<'g>) -> Var<'g>) -> Var<'g> {
        let _here = self.graph.blame(op, Location::caller());
        self.shaped(|own| {
            let [m, n] = sizes(op, &own)?;
            let position = |axis| self.graph.iota([m, n], axis);
            let zero = match self.kind() {
                Kind::Real => self.graph.constant(0.0),
                Kind::Int => self.graph.constant(0_i64),
                Kind::Truth => self.graph.constant(false),
            };
            // Beyond the corners all diagonals are alike; further out the integers would overflow.
            let k = k.clamp(-(m as i64), n as i64);
            Ok(inside(position(0) + k, position(1)).select(self, zero))
        })
    }
}
