//! The closed set of kernels that a plan is made of; all numbers come from the tensor library.

use std::sync::Arc;

use chainrule_tensor::kernels::decompose::{self, Decomposition, Failure};
use chainrule_tensor::kernels::gather::{self, Lengths, Outside};
use chainrule_tensor::kernels::linear_algebra::{self, Determinant, Part, Singular};
use chainrule_tensor::kernels::matmul::MatMul;
use chainrule_tensor::kernels::order::{self, Order};
use chainrule_tensor::kernels::recurrence::recurrence;
use chainrule_tensor::kernels::reduce::{self, Reduction};
use chainrule_tensor::kernels::{Slice, SliceMut, copy, elementwise, random, rows, windows};
use chainrule_tensor::{DType, Layout, Real, Shape, Tensor};

use crate::error::ErrorKind;
use crate::prim::custom::CustomOp;
use crate::prim::decompose as factors;
use crate::prim::range::Range;
use crate::prim::solve;

use super::buffers::Plan;
use super::within::{Choice, Cycle};

/// One kernel with all that is known of it at planning time.
pub(crate) enum Kernel {
    /// A fused elementwise program.
    Map(elementwise::Kernel),
    /// Fused programs and reductions over the same rows.
    Rows(Box<rows::Kernel>),
    /// A batched matrix product.
    MatMul(Box<MatMul>),
    /// A reduction of the middle of three axes.
    Reduce { op: Reduction, dims: [usize; 3] },
    /// Position of the extreme along the middle of three axes.
    ArgReduce { max: bool, dims: [usize; 3] },
    /// Each argument copied to its place in the result, after filling it with zeros if places are left.
    Place { parts: Vec<(Layout, Layout)>, fill: bool },
    /// Uniform reals drawn with the keys in the argument, of as many words each.
    Uniform { stream: u64, words: usize },
    /// A copy that fails on an element outside the range.
    InRange { range: Range, what: &'static str },
    /// 0, 1, 2, …
    Iota,
    /// Elements of the first argument picked by the second.
    Gather(Lengths),
    /// The first argument added into zeros at the places that the second names.
    ScatterAdd(Lengths),
    /// Windows added up where they overlap.
    OverlapAdd(windows::Lengths),
    /// Running sums along the middle of three axes.
    CumSum { dims: [usize; 3] },
    /// Linear recurrences along the middle of three axes.
    Recurrence { dims: [usize; 3] },
    /// The positions that sort the last of two axes.
    ArgSort { order: Order, dims: [usize; 2] },
    /// The solutions of a batch of linear systems.
    Solve { part: Part, transposed: bool, dims: [usize; 3] },
    /// The Cholesky factors of a batch of matrices.
    Cholesky { dims: [usize; 2] },
    /// The determinants of a batch of matrices, their signs, or their log-magnitudes.
    Determinant { what: Determinant, dims: [usize; 2] },
    /// The factors of a batch of matrices.
    Decompose { into: Decomposition, dims: [usize; 3] },
    /// A plan that is repeated.
    Loop(Box<Cycle>),
    /// One of two plans.
    Branch(Box<Choice>),
    /// The user's operation on arguments of these shapes.
    Custom { op: Arc<dyn CustomOp>, args: Vec<Shape>, out: Shape },
}

impl Kernel {
    /// A matrix product of operands that lie so; their shapes have been checked.
    pub(crate) fn matmul(a: &Layout, b: &Layout) -> Kernel {
        match MatMul::new(a, b) {
            Ok(product) => Kernel::MatMul(Box::new(product)),
            Err(error) => unreachable!("recording checks the shapes of a product: {error}"),
        }
    }

    /// Name for plan dumps.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Kernel::Map(_) => "map",
            Kernel::Rows(_) => "rows",
            Kernel::MatMul(_) => "matmul",
            Kernel::Reduce { op, .. } => op.name(),
            Kernel::ArgReduce { max: true, .. } => "argmax",
            Kernel::ArgReduce { .. } => "argmin",
            Kernel::Place { .. } => "place",
            Kernel::Uniform { .. } => "uniform",
            Kernel::InRange { .. } => "in_range",
            Kernel::Iota => "iota",
            Kernel::Gather(_) => "gather",
            Kernel::ScatterAdd(_) => "scatter_add",
            Kernel::OverlapAdd(_) => "overlap_add",
            Kernel::CumSum { .. } => "cumsum",
            Kernel::Recurrence { .. } => "recurrence",
            Kernel::ArgSort { .. } => "argsort",
            Kernel::Solve { part, .. } => solve::name(*part),
            Kernel::Cholesky { .. } => "cholesky",
            Kernel::Determinant { .. } => "determinant",
            Kernel::Decompose { into, .. } => factors::name(*into),
            Kernel::Loop(cycle) => cycle.name,
            Kernel::Branch(_) => "cond",
            Kernel::Custom { op, .. } => op.name(),
        }
    }

    /// The plans that it carries out.
    pub(crate) fn within(&self) -> Vec<&Plan> {
        match self {
            Kernel::Loop(cycle) => std::iter::once(&cycle.step).chain(&cycle.test).collect(),
            Kernel::Branch(choice) => vec![&choice.yes, &choice.no],
            _ => Vec::new(),
        }
    }

    /// Bytes that each thread needs besides inputs and outputs, with reals of `width` bytes.
    pub(crate) fn scratch(&self, width: usize) -> usize {
        match self {
            Kernel::Map(kernel) => kernel.scratch(width),
            Kernel::Rows(kernel) => kernel.scratch(width),
            _ => 0,
        }
    }

    /// What to do if it refuses what it is given.
    pub(crate) fn advice(&self) -> Option<&'static str> {
        match self {
            Kernel::Gather(_) | Kernel::ScatterAdd(_) => {
                Some("indices count from 0, or from the end if they are negative")
            }
            Kernel::Solve { .. } => Some(
                "its rows depend on each other; where that may happen, add a small multiple of the identity",
            ),
            Kernel::Cholesky { .. } => Some(
                "all eigenvalues must be positive; where rounding may spoil that, add a small multiple of the identity",
            ),
            _ => None,
        }
    }

    /// Computes the outputs from the inputs.
    pub(crate) fn run<T: Real>(
        &self,
        inputs: &[Slice<'_, T>],
        outputs: &mut [SliceMut<'_, T>],
    ) -> Result<(), ErrorKind> {
        use {Slice as In, SliceMut as Out};
        match (self, inputs, outputs) {
            (Kernel::Map(kernel), inputs, outputs) => kernel.run(inputs, outputs),
            (Kernel::Rows(kernel), inputs, outputs) => kernel.run(inputs, outputs),
            (Kernel::MatMul(product), [In::Real(a), In::Real(b)], [Out::Real(y)]) => product.run(a, b, y),
            (Kernel::Reduce { op, dims }, [In::Real(x)], [Out::Real(y)]) => reduce::reduce(*op, x, *dims, y),
            (Kernel::Reduce { op, dims }, [In::Int(x)], [Out::Int(y)]) => {
                reduce::reduce_int(*op, x, *dims, y)
            }
            (Kernel::Reduce { op, dims }, [In::Truth(x)], [Out::Truth(y)]) => {
                reduce::reduce_truth(*op, x, *dims, y);
            }
            (Kernel::ArgReduce { max, dims }, [In::Real(x)], [Out::Int(y)]) => {
                reduce::arg_reduce(*max, x, *dims, y);
            }
            (Kernel::ArgReduce { max, dims }, [In::Int(x)], [Out::Int(y)]) => {
                reduce::arg_reduce(*max, x, *dims, y);
            }
            (Kernel::Place { parts, fill }, inputs, [y]) => {
                if *fill {
                    clear(y);
                }
                for ((from, to), x) in parts.iter().zip(inputs) {
                    match (x, &mut *y) {
                        (In::Real(x), Out::Real(y)) => copy::copy(x, from, y, to),
                        (In::Int(x), Out::Int(y)) => copy::copy(x, from, y, to),
                        (In::Truth(x), Out::Truth(y)) => copy::copy(x, from, y, to),
                        _ => unreachable!("recording gives all parts one kind"),
                    }
                }
            }
            (Kernel::Uniform { stream, words }, [In::Int(keys)], [Out::Real(y)]) => {
                let each = y.len() / (keys.len() / words).max(1);
                for (key, y) in keys.chunks_exact(*words).zip(y.chunks_exact_mut(each.max(1))) {
                    random::uniform(random::words(key, *stream), y);
                }
            }
            (Kernel::InRange { range, what }, [In::Int(x)], [Out::Int(y)]) => {
                within(x, *range, what, |x| range.holds_position(x))?;
                y.copy_from_slice(x);
            }
            (Kernel::InRange { range, what }, [In::Real(x)], [Out::Real(y)]) => {
                within(x, *range, what, |x| range.holds(Real::to_f64(x)))?;
                y.copy_from_slice(x);
            }
            (Kernel::Iota, [], [Out::Int(y)]) => y.iter_mut().zip(0..).for_each(|(y, i)| *y = i),
            (Kernel::Gather(lengths), [x, In::Int(index)], [y]) => {
                let done = match (x, y) {
                    (In::Real(x), Out::Real(y)) => gather::gather(x, index, *lengths, y),
                    (In::Int(x), Out::Int(y)) => gather::gather(x, index, *lengths, y),
                    (In::Truth(x), Out::Truth(y)) => gather::gather(x, index, *lengths, y),
                    _ => unreachable!("what is picked is of one kind with what it is picked from"),
                };
                done.map_err(|outside| out_of_range("gather", lengths.n, outside))?;
            }
            (Kernel::ScatterAdd(lengths), [x, In::Int(index)], [y]) => {
                let done = match (x, y) {
                    (In::Real(x), Out::Real(y)) => gather::scatter_add(x, index, *lengths, y),
                    (In::Int(x), Out::Int(y)) => gather::scatter_add(x, index, *lengths, y),
                    _ => unreachable!("recording refuses to add truth values"),
                };
                done.map_err(|outside| out_of_range("scatter_add", lengths.n, outside))?;
            }
            (Kernel::OverlapAdd(lengths), [In::Real(x)], [Out::Real(y)]) => {
                windows::overlap_add(x, *lengths, y);
            }
            (Kernel::CumSum { dims }, [In::Real(x)], [Out::Real(y)]) => order::cumsum(x, *dims, y),
            (Kernel::CumSum { dims }, [In::Int(x)], [Out::Int(y)]) => order::cumsum(x, *dims, y),
            (Kernel::Recurrence { dims }, [In::Real(a), In::Real(b)], [Out::Real(y)]) => {
                recurrence(a, b, *dims, y, |y, a, b| y * a + b);
            }
            (Kernel::Recurrence { dims }, [In::Int(a), In::Int(b)], [Out::Int(y)]) => {
                recurrence(a, b, *dims, y, |y, a, b| y.wrapping_mul(a).wrapping_add(b));
            }
            (Kernel::ArgSort { order, dims }, [In::Real(x)], [Out::Int(y)]) => {
                order::argsort(x, *dims, *order, y);
            }
            (Kernel::ArgSort { order, dims }, [In::Int(x)], [Out::Int(y)]) => {
                order::argsort(x, *dims, *order, y);
            }
            (Kernel::Solve { part, transposed, dims }, [In::Real(a), In::Real(b)], [Out::Real(y)]) => {
                let done = linear_algebra::solve(*part, *transposed, a, b, *dims, y);
                done.map_err(|Singular(i)| no_factor(solve::name(*part), i, dims[0], "is singular"))?;
            }
            (Kernel::Cholesky { dims }, [In::Real(a)], [Out::Real(y)]) => {
                let done = linear_algebra::cholesky(a, *dims, y);
                done.map_err(|Singular(i)| no_factor("cholesky", i, dims[0], "is not positive definite"))?;
            }
            (Kernel::Determinant { what, dims }, [In::Real(a)], [Out::Real(y)]) => {
                linear_algebra::determinant(*what, a, *dims, y);
            }
            (Kernel::Decompose { into, dims }, [In::Real(a)], outputs) => {
                let mut all: Vec<&mut [T]> = Vec::new();
                for out in outputs {
                    match out {
                        Out::Real(out) => all.push(out),
                        _ => unreachable!("factors are real"),
                    }
                }
                let done = decompose::decompose(*into, a, *dims, &mut all);
                done.map_err(|failure| match failure {
                    Failure::NotFinite(i) => (i, "has an element that is not finite"),
                    Failure::NotConverged(i) => (i, "is not decomposed by the rounds of rotations allowed"),
                })
                .map_err(|(i, why)| no_factor(factors::name(*into), i, dims[0], why))?;
            }
            (Kernel::Custom { op, args, out }, inputs, [y]) => custom(&**op, inputs, args, out, y)?,
            (kernel, ..) => unreachable!("recording gives {} operands of the right kinds", kernel.name()),
        }
        Ok(())
    }
}

fn within<E: Copy + std::fmt::Debug>(
    x: &[E],
    range: Range,
    what: &str,
    fits: impl Fn(E) -> bool,
) -> Result<(), ErrorKind> {
    match x.iter().position(|x| !fits(*x)) {
        None => Ok(()),
        Some(i) => {
            let why = format!("{what} {:?} at position {i} is outside {range}", x[i]);
            Err(ErrorKind::Value { op: "in_range", why })
        }
    }
}

fn out_of_range(op: &'static str, n: usize, outside: Outside) -> ErrorKind {
    let Outside { index, at } = outside;
    let why = match n {
        0 => format!("index {index} at position {at} picks from an axis of length 0"),
        n => format!("index {index} at position {at} is outside -{n}..{n}"),
    };
    ErrorKind::Value { op, why }
}

fn no_factor(op: &'static str, i: usize, batch: usize, why: &str) -> ErrorKind {
    let which = if batch == 1 { "the matrix".to_owned() } else { format!("matrix {i} of the batch") };
    ErrorKind::Value { op, why: format!("{which} {why}") }
}

fn custom<T: Real>(
    op: &dyn CustomOp,
    inputs: &[Slice<'_, T>],
    shapes: &[Shape],
    out: &Shape,
    y: &mut SliceMut<'_, T>,
) -> Result<(), ErrorKind> {
    // A contiguous argument lies at the start of its buffer, which may be longer.
    let tensor = |(x, shape): (&Slice<'_, T>, &Shape)| match x {
        Slice::Real(x) => Tensor::from_vec(x[..shape.size()].to_vec(), shape),
        Slice::Int(x) => Tensor::from_vec(x[..shape.size()].to_vec(), shape),
        Slice::Truth(x) => Tensor::from_vec(x[..shape.size()].to_vec(), shape),
    };
    let args = inputs.iter().zip(shapes).map(tensor).collect::<Result<Vec<_>, _>>()?;
    let found =
        op.forward(&args).map_err(|error| ErrorKind::Custom { op: op.name(), error })?.to_contiguous();
    let fits = found.shape() == &out[..];
    match (y, found.as_slice::<T>(), found.as_slice::<i64>(), found.as_slice::<bool>()) {
        (SliceMut::Real(y), Some(x), ..) if fits => y.copy_from_slice(x),
        (SliceMut::Int(y), _, Some(x), _) if fits => y.copy_from_slice(x),
        (SliceMut::Truth(y), .., Some(x)) if fits => y.copy_from_slice(x),
        (y, ..) => {
            let expected = match y {
                SliceMut::Real(_) => T::DTYPE,
                SliceMut::Int(_) => DType::I64,
                SliceMut::Truth(_) => DType::Bool,
            };
            let (dtype, shape) = (found.dtype(), found.shape());
            let why =
                format!("forward returned {dtype} of {shape:?}, but infer promised {expected} of {out}");
            return Err(ErrorKind::Value { op: op.name(), why });
        }
    }
    Ok(())
}

fn clear<T: Real>(y: &mut SliceMut<'_, T>) {
    match y {
        SliceMut::Real(y) => y.fill(T::zero()),
        SliceMut::Int(y) => y.fill(0),
        SliceMut::Truth(y) => y.fill(false),
    }
}
