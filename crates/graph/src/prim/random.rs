//! Random numbers as a function of an explicit key.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Layout, Shape};

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::kernel::Kernel;
use crate::ir::Type;
use crate::var::Var;

/// Uniform reals in [0, 1): a function of the key (the argument, two integers) and of `stream`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Uniform {
    stream: u64,
    shape: Shape,
}

impl<'g> Var<'g> {
    /// Uniform reals in [0, 1) of `shape`, drawn with this key: a pair of integers such as (seed, step).
    ///
    /// The same key and stream name give the same numbers in every run, at any thread count, so a graph with
    /// randomness can be differentiated, checked and replayed. Different names give independent streams. Within
    /// [`scan`](crate::scan) and [`while_loop`](crate::while_loop) each step draws other numbers: its number is
    /// [folded into](Var::fold_in) the key.
    #[track_caller]
    pub fn uniform(self, stream: &str, shape: impl Into<Shape>) -> Var<'g> {
        let _here = self.graph.blame_line(Location::caller());
        let op = Op::Uniform(Uniform { stream: stream_number(stream), shape: shape.into() });
        self.in_this_step().record(op, &[])
    }
}

/// A number for a stream's name, the same in every run and on every machine (FNV-1a).
fn stream_number(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

impl Primitive for Uniform {
    fn name(&self) -> &'static str {
        "uniform"
    }

    fn attributes(&self) -> String {
        format!("stream={:016x}", self.stream)
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        if args[0].kind != Kind::Int || args[0].shape[..] != [2] {
            return Err(wrong_kind(
                "uniform",
                format!("the key must be int(2,), a pair of integers, not {}", args[0]),
            ));
        }
        Ok(Type::real(&self.shape))
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Flat("random numbers do not depend smoothly on their key")
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.unrolled(self.clone())
    }

    fn lower(&self, _: &[Layout], _: &Type) -> Lowering {
        Lowering::Kernel(Kernel::Uniform { stream: self.stream })
    }

    fn samples() -> Vec<Sample> {
        vec![Sample::new("x times a random mask, of (2, 3)", &[&[2, 3]], -2.0..2.0, |x| {
            let key = x[0].graph().constant(chainrule_tensor::Tensor::from([7_i64, 0]));
            x[0] * key.uniform("mask", [2, 3]).less(0.5).real()
        })]
    }
}
