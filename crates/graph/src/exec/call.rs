//! What a step of a plan computes, as data: executors make kernels of it.

use std::borrow::Cow;

use chainrule_tensor::kernels::decompose::Decomposition;
use chainrule_tensor::kernels::elementwise::Program;
use chainrule_tensor::kernels::gather::Lengths;
use chainrule_tensor::kernels::linear_algebra::{Determinant, Part};
use chainrule_tensor::kernels::matmul::MatMul;
use chainrule_tensor::kernels::order::Order;
use chainrule_tensor::kernels::reduce::Reduction;
use chainrule_tensor::kernels::{rows, windows};
use chainrule_tensor::{Compound, Layout, Shape};

use super::plan::Plan;
use super::within::{Choice, Cycle};
use crate::prim::custom::Custom;
use crate::prim::decompose as factors;
use crate::prim::range::Range;
use crate::prim::solve;

/// What a step computes, from inputs to outputs. An input that is not told of by a layout lies row-major.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Call {
    /// A fused elementwise program over one shape.
    Map {
        /// What is computed of each element.
        program: Program,
        /// The shape of all outputs.
        shape: Shape,
        /// How each input lies.
        layouts: Vec<Layout>,
        /// The output whose memory holds the input before the step, for each input: what is given for it is not read.
        in_place: Vec<Option<usize>>,
    },
    /// Fused programs and reductions over the same rows.
    Rows {
        /// How many rows there are, and their length.
        dims: [usize; 2],
        /// In order.
        steps: Vec<RowStep>,
    },
    /// A batched matrix product of two inputs that lie so: (…, m, k) and (…, k, n).
    MatMul {
        /// The left one.
        a: Compound,
        /// The right one.
        b: Compound,
    },
    /// The same product, of an inner axis that its sums take at once, added to a third input of as many elements as the result.
    AddMatMul {
        /// The left one.
        a: Compound,
        /// The right one.
        b: Compound,
        /// Whether the third lies where the result is to be: what is given for it is not read.
        in_place: bool,
    },
    /// A product, with sums in the order of the inner axis however few rows or columns there are: of windows, which are read
    /// where they lie.
    Convolve {
        /// The left one.
        a: Compound,
        /// The right one.
        b: Compound,
    },
    /// A reduction of the middle of three axes.
    Reduce {
        /// Which.
        op: Reduction,
        /// Their lengths.
        dims: [usize; 3],
    },
    /// Position of the extreme along the middle of three axes: the first of equal ones; NaN counts as extreme.
    ArgReduce {
        /// Whether it is the greatest.
        max: bool,
        /// Their lengths.
        dims: [usize; 3],
    },
    /// Each input copied to its place in the output.
    Place {
        /// How each input lies, and where it goes.
        parts: Vec<(Layout, Layout)>,
        /// Whether places are left, which are 0.
        fill: bool,
    },
    /// Uniform reals drawn with the keys in the input.
    Uniform {
        /// Which of the streams of random numbers.
        stream: u64,
        /// Integers that make a key.
        words: usize,
    },
    /// A copy that fails on an element outside the range.
    InRange {
        /// The range.
        range: Range,
        /// What the elements are called.
        what: Cow<'static, str>,
    },
    /// 0, 1, 2, …
    Iota,
    /// Elements of the first input picked by the second.
    Gather(Lengths),
    /// The first input added into zeros at the places that the second names.
    ScatterAdd(Lengths),
    /// Windows added up where they overlap.
    OverlapAdd {
        /// How the input lies.
        x: Layout,
        /// Along which axis, and how.
        how: windows::Overlap,
    },
    /// Running sums along the middle of three axes.
    CumSum {
        /// Their lengths.
        dims: [usize; 3],
    },
    /// yᵢ = aᵢ·yᵢ₋₁ + bᵢ along the middle of three axes, from y₋₁ = 0.
    Recurrence {
        /// Their lengths.
        dims: [usize; 3],
    },
    /// The positions that sort the last of two axes.
    ArgSort {
        /// What comes first.
        order: Order,
        /// Their lengths.
        dims: [usize; 2],
    },
    /// The solutions of a batch of linear systems.
    Solve {
        /// What is read of the matrices.
        part: Part,
        /// Whether they are transposed.
        transposed: bool,
        /// How many; their rows; columns of the right-hand side.
        dims: [usize; 3],
    },
    /// The Cholesky factors of a batch of matrices.
    Cholesky {
        /// How many; their rows.
        dims: [usize; 2],
    },
    /// The determinants of a batch of matrices, their signs, or their log-magnitudes.
    Determinant {
        /// Which of them.
        what: Determinant,
        /// How many; their rows.
        dims: [usize; 2],
    },
    /// The factors of a batch of matrices.
    Decompose {
        /// Which.
        into: Decomposition,
        /// How many; their rows and columns.
        dims: [usize; 3],
    },
    /// A plan that is repeated.
    Loop(Box<Cycle>),
    /// One of two plans.
    Branch(Box<Choice>),
    /// The user's operation.
    Custom {
        /// Which.
        op: Custom,
        /// The shapes of the inputs.
        args: Vec<Shape>,
        /// The shape of the output.
        out: Shape,
    },
}

/// A step of [`Call::Rows`].
#[derive(Clone, Debug, PartialEq)]
pub struct RowStep {
    /// What it does.
    pub work: RowWork,
    /// Where what it reads lies.
    pub reads: Vec<rows::Place>,
    /// Where what it makes goes.
    pub writes: Vec<rows::Place>,
}

/// What a step of [`Call::Rows`] does.
#[derive(Clone, Debug, PartialEq)]
pub enum RowWork {
    /// A program over all elements of the rows, or over one element of each row.
    Map {
        /// What is computed of each element.
        program: Program,
        /// The shape of what it makes.
        shape: Shape,
        /// How each of what it reads lies.
        layouts: Vec<Layout>,
    },
    /// A reduction of each row.
    Reduce(Reduction),
}

impl Call {
    /// A program over `shape` that works on nothing in place.
    pub(crate) fn map(program: Program, shape: Shape, layouts: Vec<Layout>) -> Call {
        let in_place = vec![None; layouts.len()];
        Call::Map { program, shape, layouts, in_place }
    }

    /// The same, with input `i` read as a view that no layout describes, if such a call reads it so.
    pub(crate) fn read_as(&mut self, i: usize, view: &Compound) -> bool {
        let Call::MatMul { a, b } = self else { return false };
        let own = if i == 0 { a.shape() } else { b.shape() };
        if own != view.shape() || !MatMul::reads(view) {
            return false;
        }
        *(if i == 0 { a } else { b }) = view.merged();
        true
    }

    /// Name for plan dumps.
    pub fn name(&self) -> &'static str {
        match self {
            Call::Map { .. } => "map",
            Call::Rows { .. } => "rows",
            Call::MatMul { .. } => "matmul",
            Call::AddMatMul { .. } => "add_matmul",
            Call::Convolve { .. } => "convolve",
            Call::Reduce { op, .. } => op.name(),
            Call::ArgReduce { max: true, .. } => "argmax",
            Call::ArgReduce { .. } => "argmin",
            Call::Place { .. } => "place",
            Call::Uniform { .. } => "uniform",
            Call::InRange { .. } => "in_range",
            Call::Iota => "iota",
            Call::Gather(_) => "gather",
            Call::ScatterAdd(_) => "scatter_add",
            Call::OverlapAdd { .. } => "overlap_add",
            Call::CumSum { .. } => "cumsum",
            Call::Recurrence { .. } => "recurrence",
            Call::ArgSort { .. } => "argsort",
            Call::Solve { part, .. } => solve::name(*part),
            Call::Cholesky { .. } => "cholesky",
            Call::Determinant { .. } => "determinant",
            Call::Decompose { into, .. } => factors::name(*into),
            Call::Loop(cycle) => cycle.name(),
            Call::Branch(_) => "cond",
            Call::Custom { op, .. } => op.0.name(),
        }
    }

    /// The output whose memory holds input `k` before the step, if it works on that in place.
    pub(crate) fn held(&self, k: usize) -> Option<usize> {
        match self {
            Call::Map { in_place, .. } => in_place.get(k).copied().flatten(),
            Call::AddMatMul { in_place, .. } => (*in_place && k == 2).then_some(0),
            _ => None,
        }
    }

    /// Whether it may work on input `k` in place: it reads each element only where it writes it.
    pub(crate) fn may_hold(&self, k: usize) -> bool {
        match self {
            Call::Map { layouts, .. } => layouts[k].is_contiguous(),
            Call::AddMatMul { .. } => k == 2,
            _ => false,
        }
    }

    /// Has it work in place so.
    pub(crate) fn hold(&mut self, held: Vec<Option<usize>>) {
        match self {
            Call::Map { in_place, .. } => *in_place = held,
            Call::AddMatMul { in_place, .. } => *in_place = held[2].is_some(),
            _ => {}
        }
    }

    /// The plans that it carries out: the step of a loop and its test, or what a choice is between.
    pub fn within(&self) -> Vec<&Plan> {
        match self {
            Call::Loop(cycle) => std::iter::once(&cycle.step).chain(&cycle.test).collect(),
            Call::Branch(choice) => vec![&choice.yes, &choice.no],
            _ => Vec::new(),
        }
    }

    /// What to do if it refuses what it is given.
    pub(crate) fn advice(&self) -> Option<&'static str> {
        match self {
            Call::Gather(_) | Call::ScatterAdd(_) => {
                Some("indices count from 0, or from the end if they are negative")
            }
            Call::Solve { .. } => Some(
                "its rows depend on each other; where that may happen, add a small multiple of the identity",
            ),
            Call::Cholesky { .. } => Some(
                "all eigenvalues must be positive; where rounding may spoil that, add a small multiple of the identity",
            ),
            _ => None,
        }
    }
}
