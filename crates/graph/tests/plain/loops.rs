//! Everything that is nested loops over lists: reductions, products, what is picked and put, running sums, orders.

use std::cmp::Ordering;

use chainrule_graph::plan::{Call, Range};
use chainrule_graph::{ErrorKind, Order};
use chainrule_tensor::kernels::elementwise::Scalar;
use chainrule_tensor::kernels::random;
use chainrule_tensor::kernels::reduce::Reduction;
use chainrule_tensor::{Layout, shape};

use super::{at, indices, int, nothing, real, truth};

/// The positions in a list of the elements along the middle of three axes, for each of the others.
fn lines([outer, n, inner]: [usize; 3]) -> impl Iterator<Item = Vec<usize>> {
    (0..outer).flat_map(move |o| {
        (0..inner).map(move |k| (0..n).map(|i| (o * n + i) * inner + k).collect::<Vec<_>>())
    })
}

pub(super) fn reduce(op: Reduction, x: &[Scalar], dims: [usize; 3]) -> Vec<Scalar> {
    lines(dims).map(|line| reduced(op, line.into_iter().map(|i| x[i]).collect())).collect()
}

fn reduced(op: Reduction, x: Vec<Scalar>) -> Scalar {
    let all = x.into_iter();
    match op {
        Reduction::Sum => all.reduce(|a, b| match (a, b) {
            (Scalar::Int(a), Scalar::Int(b)) => Scalar::Int(a.wrapping_add(b)),
            (a, b) => Scalar::Real(real(a) + real(b)),
        }),
        Reduction::Prod => all.reduce(|a, b| match (a, b) {
            (Scalar::Int(a), Scalar::Int(b)) => Scalar::Int(a.wrapping_mul(b)),
            (a, b) => Scalar::Real(real(a) * real(b)),
        }),
        Reduction::Max | Reduction::Min => all.reduce(|a, b| {
            let more = order(a, b) == Ordering::Greater;
            let lost = |x: Scalar| matches!(x, Scalar::Real(x) if x.is_nan());
            if lost(a) || (!lost(b) && more == (op == Reduction::Max)) { a } else { b }
        }),
    }
    .unwrap_or(Scalar::Real(match op {
        Reduction::Sum => 0.0,
        Reduction::Prod => 1.0,
        Reduction::Max => f64::NEG_INFINITY,
        Reduction::Min => f64::INFINITY,
    }))
}

/// NaN is greater than all numbers.
fn order(a: Scalar, b: Scalar) -> Ordering {
    match (a, b) {
        (Scalar::Int(a), Scalar::Int(b)) => a.cmp(&b),
        (Scalar::Truth(a), Scalar::Truth(b)) => a.cmp(&b),
        (a, b) => real(a).partial_cmp(&real(b)).unwrap_or_else(|| real(a).is_nan().cmp(&real(b).is_nan())),
    }
}

fn outside(op: &'static str) -> ErrorKind {
    ErrorKind::Value { op, why: "outside".into() }
}

/// Row `index` of `n`, counted from the end if it is negative.
fn row(op: &'static str, index: Scalar, n: usize) -> Result<usize, ErrorKind> {
    let i = int(index);
    let i = if i < 0 { i + n as i64 } else { i };
    usize::try_from(i).ok().filter(|i| *i < n).ok_or_else(|| outside(op))
}

type Outputs = Vec<Vec<Scalar>>;

/// The outputs of a call that is one of these; `outputs` says how long they are.
pub(super) fn carry_out(
    call: &Call,
    inputs: &[&[Scalar]],
    outputs: &[&mut [Scalar]],
) -> Option<Result<Outputs, ErrorKind>> {
    let len = outputs[0].len();
    Some(Ok(vec![match call {
        Call::MatMul { a, b } | Call::Convolve { a, b } | Call::AddMatMul { a, b, .. } => {
            let [(x, a), (y, b)] = [(inputs[0], a), (inputs[1], b)].map(|(x, view)| {
                // Row-major, an operand is its elements in order.
                let elements =
                    indices(&view.layout().shape).into_iter().map(|index| x[at(view.layout(), &index)]);
                (elements.collect::<Vec<_>>(), Layout::contiguous(view.shape()))
            });
            let out = shape::matmul(&a.shape, &b.shape).expect("shapes that fit");
            let k = a.shape[a.shape.len() - 1];
            let (lead, [m, n]) = (&out[..out.len() - 2], [out[out.len() - 2], out[out.len() - 1]]);
            let a = a.broadcast(&[lead, &[m, k]].concat().into());
            let b = b.broadcast(&[lead, &[k, n]].concat().into());
            let element = |index: Vec<usize>| {
                let (lead, of) = index.split_at(index.len() - 2);
                let term = |i: usize| {
                    let left = x[at(&a, &[lead, &[of[0], i]].concat())];
                    real(left) * real(y[at(&b, &[lead, &[i, of[1]]].concat())])
                };
                Scalar::Real((0..k).map(term).sum())
            };
            let product = indices(&out).into_iter().map(element);
            match call {
                Call::AddMatMul { in_place, .. } => {
                    let onto = if *in_place { &*outputs[0] } else { inputs[2] };
                    product.zip(onto).map(|(x, y)| Scalar::Real(real(x) + real(*y))).collect()
                }
                _ => product.collect(),
            }
        }
        Call::Reduce { op, dims } => reduce(*op, inputs[0], *dims),
        Call::ArgReduce { max, dims } => {
            let best = |line: Vec<usize>| {
                let better = |best: usize, i: usize| {
                    let (old, new) = (inputs[0][line[best]], inputs[0][line[i]]);
                    let lost = |x: Scalar| matches!(x, Scalar::Real(x) if x.is_nan());
                    let wins = if *max { Ordering::Greater } else { Ordering::Less };
                    !lost(old) && (lost(new) || order(new, old) == wins)
                };
                (1..line.len()).fold(0, |best, i| if better(best, i) { i } else { best })
            };
            lines(*dims).map(|line| Scalar::Int(best(line) as i64)).collect()
        }
        Call::Place { parts, .. } => {
            let mut y =
                vec![nothing(outputs[0].first().map_or(chainrule_graph::Kind::Real, |x| x.kind())); len];
            for ((from, to), x) in parts.iter().zip(inputs) {
                indices(&from.shape).iter().for_each(|i| y[at(to, i)] = x[at(from, i)]);
            }
            y
        }
        Call::Uniform { stream, words } => {
            // Which numbers these are is held by a test of the tensor library; here only who gets which.
            let each = len / (inputs[0].len() / words).max(1);
            let drawn = |key: &[Scalar]| {
                let key: Vec<i64> = key.iter().map(|x| int(*x)).collect();
                let mut y = vec![0.0; each];
                random::uniform(random::words(&key, *stream), &mut y);
                y
            };
            inputs[0].chunks_exact(*words).flat_map(drawn).map(Scalar::Real).collect()
        }
        Call::InRange { range, .. } => {
            let fits = |x: &Scalar| match (range, x) {
                (Range::Below(end), Scalar::Int(x)) => *x >= 0 && x < end,
                (Range::Between([low, high]), Scalar::Real(x)) => {
                    x.is_nan() || (*x >= f64::from_bits(*low) && *x <= f64::from_bits(*high))
                }
                _ => panic!("{range} does not suit {x:?}"),
            };
            if !inputs[0].iter().all(fits) {
                return Some(Err(outside("in_range")));
            }
            inputs[0].to_vec()
        }
        Call::Iota => (0..len as i64).map(Scalar::Int).collect(),
        Call::Gather(l) => {
            let mut y = Vec::new();
            for (at, index) in inputs[1].iter().enumerate() {
                let from = match row("gather", *index, l.n) {
                    Ok(row) => (at / l.picked * l.n + row) * l.inner,
                    Err(error) => return Some(Err(error)),
                };
                y.extend(&inputs[0][from..from + l.inner]);
            }
            y
        }
        Call::ScatterAdd(l) => {
            let mut y =
                vec![nothing(inputs[0].first().map_or(chainrule_graph::Kind::Real, |x| x.kind())); len];
            for (at, index) in inputs[1].iter().enumerate() {
                let to = match row("scatter_add", *index, l.n) {
                    Ok(row) => (at / l.picked * l.n + row) * l.inner,
                    Err(error) => return Some(Err(error)),
                };
                for k in 0..l.inner {
                    y[to + k] = reduced(Reduction::Sum, vec![y[to + k], inputs[0][at * l.inner + k]]);
                }
            }
            y
        }
        Call::OverlapAdd { x, how } => {
            let mut y = vec![0.0; len];
            let inner: usize = x.shape[how.axis + 2..].iter().product();
            for (i, index) in indices(&x.shape).into_iter().enumerate() {
                let (w, p) = (index[how.axis], index[how.axis + 1]);
                let o = i / (inner * x.shape[how.axis] * x.shape[how.axis + 1]);
                let to = (o * how.n + p * how.stride + w * how.dilation) * inner + i % inner;
                y[to] += real(inputs[0][at(x, &index)]);
            }
            y.into_iter().map(Scalar::Real).collect()
        }
        Call::CumSum { dims } => {
            let mut y = inputs[0].to_vec();
            for line in lines(*dims) {
                for pair in line.windows(2) {
                    y[pair[1]] = reduced(Reduction::Sum, vec![y[pair[0]], y[pair[1]]]);
                }
            }
            y
        }
        Call::Recurrence { dims } => {
            let mut y = inputs[1].to_vec();
            for line in lines(*dims) {
                for pair in line.windows(2) {
                    let grown = reduced(Reduction::Prod, vec![inputs[0][pair[1]], y[pair[0]]]);
                    y[pair[1]] = reduced(Reduction::Sum, vec![grown, y[pair[1]]]);
                }
            }
            y
        }
        Call::ArgSort { order: which, dims: [rows, n] } => {
            let sorted = |r: usize| {
                let mut positions: Vec<usize> = (0..*n).collect();
                positions.sort_by(|a, b| {
                    let by_value = order(inputs[0][r * n + a], inputs[0][r * n + b]);
                    if *which == Order::Ascending { by_value } else { by_value.reverse() }
                });
                positions.into_iter().map(|i| Scalar::Int(i as i64)).collect::<Vec<_>>()
            };
            (0..*rows).flat_map(sorted).collect()
        }
        Call::Custom { op, args, out } => {
            let tensor = |(x, shape): (&&[Scalar], &chainrule_tensor::Shape)| {
                super::tensor(x, x.first().map_or(chainrule_graph::Kind::Real, |x| x.kind()), shape)
            };
            let args: Vec<_> = inputs.iter().zip(args).map(tensor).collect();
            let made = op.op().forward(&args).expect("it computes");
            assert_eq!(made.shape(), &out[..]);
            super::numbers(&made)
        }
        _ => return None,
    }]))
}

#[test]
fn truth_values_are_ordered() {
    let [no, yes] = [false, true].map(Scalar::Truth);
    assert!(truth(reduced(Reduction::Max, vec![no, yes])) && !truth(reduced(Reduction::Min, vec![yes, no])));
}
