//! Parts of matrices.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;

use crate::prim::solve::square;
use crate::var::Var;

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

    /// The main diagonal (…, n) of each square matrix (…, n, n).
    #[track_caller]
    pub fn diagonal(self) -> Var<'g> {
        let _here = self.graph.blame("diagonal", Location::caller());
        self.shaped(|own| {
            let n = square("diagonal", &own)?;
            if n == 0 {
                return Ok(self.reshape_to(own.without(own.len() - 1)));
            }
            // Written in one row, the elements of the diagonal are n + 1 apart.
            let row = own.without(own.len() - 1).with(own.len() - 2, n * n);
            Ok(self.reshape_to(row).slice_step(-1, 0..n * n, n + 1))
        })
    }

    /// The sum of the main diagonal of each square matrix (…, n, n).
    #[track_caller]
    pub fn trace(self) -> Var<'g> {
        let _here = self.graph.blame("trace", Location::caller());
        self.diagonal().sum(-1)
    }

    /// Zeros but where `inside` holds of the column and of the row, moved by `k`.
    #[track_caller]
    fn banded(self, op: &'static str, k: i64, inside: impl FnOnce(Var<'g>, Var<'g>) -> Var<'g>) -> Var<'g> {
        let _here = self.graph.blame(op, Location::caller());
        self.shaped(|own| {
            let [.., m, n] = own[..] else {
                let why = "needs matrices (…, m, n)";
                return Err(chainrule_tensor::Error::shape(op, [&own[..]], why));
            };
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
