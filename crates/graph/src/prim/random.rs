//! Random numbers as a function of an explicit key.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Layout, Shape};

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::types::Type;
use crate::var::Var;

/// Uniform reals in [0, 1): a function of the key (the last axis of the argument) and of `stream`. The axes before it
/// count keys, each of which draws `shape`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Uniform {
    stream: u64,
    shape: Shape,
}

impl<'g> Var<'g> {
    /// Uniform reals in [0, 1) of `shape`, drawn with this key: integers such as (seed, step), two or more.
    /// Several keys `(…, k)` draw `(…)` times, one after another, what each alone would draw.
    ///
    /// Inside [`vmap`](crate::vmap) each example draws its own numbers: unless the key itself depends on the example,
    /// the number of the example, counted from 0, is appended to the key. In nested ones these are several numbers, the
    /// outermost first. Numbers that are to be the same for all examples are drawn outside.
    ///
    /// ```
    /// use chainrule_graph::{Graph, vmap};
    /// use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// let (x, key) = (g.constant([[1.0; 4]; 3]), g.constant(Tensor::from([7_i64, 0])));
    /// let dropped = vmap(&[x], |e| Ok(vec![key.uniform("mask", [4]).less(0.5).real() * e[0]]))?[0];
    /// let third = g.constant(Tensor::from([7_i64, 0, 2])).uniform("mask", [4]).less(0.5).real();
    /// assert_eq!(dropped.slice(0, 2..3).reshape([4]).value()?, third.value()?);
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    ///
    /// The same key and stream name give the same numbers in every run, at any thread count, so a graph with
    /// randomness can be differentiated, checked and replayed. Different names give independent streams. Within
    /// [`scan`](crate::scan) and [`while_loop`](crate::while_loop) each step draws other numbers: its number, counted
    /// from 0, is appended to the key.
    #[track_caller]
    pub fn uniform(self, stream: &str, shape: impl Into<Shape>) -> Var<'g> {
        if self.is_poisoned() {
            return self;
        }
        let _here = self.graph.blame_line(Location::caller());
        let key = crate::repeat::key_of_run(self);
        key.record(Op::Uniform(Uniform { stream: stream_number(stream), shape: shape.into() }), &[])
    }
}

/// A number for a stream's name, the same in every run and on every machine (FNV-1a).
fn stream_number(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

fn no_key(found: &Type) -> ErrorKind {
    wrong_kind("uniform", format!("the key must be int(2,), a pair of integers, or longer, not {found}"))
}

impl Primitive for Uniform {
    fn name(&self) -> &'static str {
        "uniform"
    }

    fn attributes(&self) -> String {
        format!("stream={:016x}", self.stream)
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let Type { shape, kind: Kind::Int } = args[0] else { return Err(no_key(args[0])) };
        match &shape[..] {
            [keys @ .., words] if *words >= 2 => {
                Ok(Type::real(keys.iter().chain(self.shape.iter()).copied().collect::<Shape>()))
            }
            _ => Err(no_key(args[0])),
        }
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Flat("random numbers do not depend smoothly on their key")
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(self.clone())
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        let words = args[0].shape.last().copied().unwrap_or_default();
        Lowering::Kernel(Call::Uniform { stream: self.stream, words })
    }

    fn samples() -> Vec<Sample> {
        // Depends on x, so that an example's numbers are those that it draws alone, but is the same whatever x is.
        fn key<'g>(x: &[Var<'g>], seed: i64) -> Var<'g> {
            let zero = (x[0].sum(..) * 0.0).int();
            x[0].graph().stack(&[zero + seed, zero], 0)
        }
        vec![
            Sample::new("x times a random mask, of (2, 3)", &[&[2, 3]], -2.0..2.0, |x| {
                x[0] * key(x, 7).uniform("mask", [2, 3]).less(0.5).real()
            }),
            Sample::new("x times masks of two keys, of (2, 3)", &[&[2, 3]], -2.0..2.0, |x| {
                let keys = x[0].graph().stack(&[key(x, 7), key(x, 8)], 0);
                x[0] * keys.uniform("mask", [3]).less(0.5).real()
            }),
        ]
    }
}
