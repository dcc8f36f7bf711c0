//! The calls that need no preparation.

use chainrule_tensor::kernels::decompose::{self, Failure};
use chainrule_tensor::kernels::gather::{self, Outside};
use chainrule_tensor::kernels::linear_algebra::{self, Singular};
use chainrule_tensor::kernels::order;
use chainrule_tensor::kernels::recurrence::recurrence;
use chainrule_tensor::kernels::{Slice, SliceMut, copy, random, reduce, windows};
use chainrule_tensor::{DType, Real, Shape, Tensor};

use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::prim::custom::CustomOp;
use crate::prim::decompose as factors;
use crate::prim::range::Range;
use crate::prim::solve;

/// Computes the outputs of a call without preparation.
pub(super) fn run<T: Real>(
    call: &Call,
    inputs: &[Slice<'_, T>],
    outputs: &mut [SliceMut<'_, T>],
) -> Result<(), ErrorKind> {
    use {Slice as In, SliceMut as Out};
    match (call, inputs, outputs) {
        (Call::Reduce { op, dims }, [In::Real(x)], [Out::Real(y)]) => reduce::reduce(*op, x, *dims, y),
        (Call::Reduce { op, dims }, [In::Int(x)], [Out::Int(y)]) => reduce::reduce_int(*op, x, *dims, y),
        (Call::Reduce { op, dims }, [In::Truth(x)], [Out::Truth(y)]) => {
            reduce::reduce_truth(*op, x, *dims, y);
        }
        (Call::ArgReduce { max, dims }, [In::Real(x)], [Out::Int(y)]) => {
            reduce::arg_reduce(*max, x, *dims, y);
        }
        (Call::ArgReduce { max, dims }, [In::Int(x)], [Out::Int(y)]) => {
            reduce::arg_reduce(*max, x, *dims, y);
        }
        (Call::Place { parts, fill }, inputs, [y]) => {
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
        (Call::Uniform { stream, words }, [In::Int(keys)], [Out::Real(y)]) => {
            let each = y.len() / (keys.len() / words).max(1);
            for (key, y) in keys.chunks_exact(*words).zip(y.chunks_exact_mut(each.max(1))) {
                random::uniform(random::words(key, *stream), y);
            }
        }
        (Call::InRange { range, what }, [In::Int(x)], [Out::Int(y)]) => {
            within(x, *range, what, |x| range.holds_position(x))?;
            y.copy_from_slice(x);
        }
        (Call::InRange { range, what }, [In::Real(x)], [Out::Real(y)]) => {
            within(x, *range, what, |x| range.holds(Real::to_f64(x)))?;
            y.copy_from_slice(x);
        }
        (Call::Iota, [], [Out::Int(y)]) => y.iter_mut().zip(0..).for_each(|(y, i)| *y = i),
        (Call::Gather(lengths), [x, In::Int(index)], [y]) => {
            let done = match (x, y) {
                (In::Real(x), Out::Real(y)) => gather::gather(x, index, *lengths, y),
                (In::Int(x), Out::Int(y)) => gather::gather(x, index, *lengths, y),
                (In::Truth(x), Out::Truth(y)) => gather::gather(x, index, *lengths, y),
                _ => unreachable!("what is picked is of one kind with what it is picked from"),
            };
            done.map_err(|outside| out_of_range("gather", lengths.n, outside))?;
        }
        (Call::ScatterAdd(lengths), [x, In::Int(index)], [y]) => {
            let done = match (x, y) {
                (In::Real(x), Out::Real(y)) => gather::scatter_add(x, index, *lengths, y),
                (In::Int(x), Out::Int(y)) => gather::scatter_add(x, index, *lengths, y),
                _ => unreachable!("recording refuses to add truth values"),
            };
            done.map_err(|outside| out_of_range("scatter_add", lengths.n, outside))?;
        }
        (Call::OverlapAdd { x: from, how }, [In::Real(x)], [Out::Real(y)]) => {
            windows::overlap_add(x, from, *how, y);
        }
        (Call::CumSum { dims }, [In::Real(x)], [Out::Real(y)]) => order::cumsum(x, *dims, y),
        (Call::CumSum { dims }, [In::Int(x)], [Out::Int(y)]) => order::cumsum(x, *dims, y),
        (Call::Recurrence { dims }, [In::Real(a), In::Real(b)], [Out::Real(y)]) => {
            recurrence(a, b, *dims, y, |y, a, b| y * a + b);
        }
        (Call::Recurrence { dims }, [In::Int(a), In::Int(b)], [Out::Int(y)]) => {
            recurrence(a, b, *dims, y, |y, a, b| y.wrapping_mul(a).wrapping_add(b));
        }
        (Call::ArgSort { order, dims }, [In::Real(x)], [Out::Int(y)]) => {
            order::argsort(x, *dims, *order, y);
        }
        (Call::ArgSort { order, dims }, [In::Int(x)], [Out::Int(y)]) => {
            order::argsort(x, *dims, *order, y);
        }
        (Call::Solve { part, transposed, dims }, [In::Real(a), In::Real(b)], [Out::Real(y)]) => {
            let done = linear_algebra::solve(*part, *transposed, a, b, *dims, y);
            done.map_err(|Singular(i)| no_factor(solve::name(*part), i, dims[0], "is singular"))?;
        }
        (Call::Cholesky { dims }, [In::Real(a)], [Out::Real(y)]) => {
            let done = linear_algebra::cholesky(a, *dims, y);
            done.map_err(|Singular(i)| no_factor("cholesky", i, dims[0], "is not positive definite"))?;
        }
        (Call::Determinant { what, dims }, [In::Real(a)], [Out::Real(y)]) => {
            linear_algebra::determinant(*what, a, *dims, y);
        }
        (Call::Decompose { into, dims }, [In::Real(a)], outputs) => {
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
        (Call::Custom { op, args, out }, inputs, [y]) => custom(&*op.0, inputs, args, out, y)?,
        (call, ..) => unreachable!("recording gives {} operands of the right kinds", call.name()),
    }
    Ok(())
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

pub(super) fn clear<T: Real>(y: &mut SliceMut<'_, T>) {
    match y {
        SliceMut::Real(y) => y.fill(T::zero()),
        SliceMut::Int(y) => y.fill(0),
        SliceMut::Truth(y) => y.fill(false),
    }
}
