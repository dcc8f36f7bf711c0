//! Every method of `Tensor`.

use chainrule::prelude::*;

use crate::dice::Dice;

/// A call of one method on three tensors, the second of which mostly fits beside the first; what it made.
pub(crate) type Call = fn(&mut Dice, [&Tensor; 3]) -> Vec<Tensor>;

/// Whatever a method returns, as tensors.
trait Give {
    fn give(self) -> Vec<Tensor>;
}

impl Give for Tensor {
    fn give(self) -> Vec<Tensor> {
        vec![self]
    }
}

impl<T: Give> Give for Vec<T> {
    fn give(self) -> Vec<Tensor> {
        self.into_iter().flat_map(Give::give).collect()
    }
}

impl<T: Give> Give for chainrule::tensor::Result<T> {
    fn give(self) -> Vec<Tensor> {
        match self {
            Ok(given) => given.give(),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                Vec::new()
            }
        }
    }
}

impl Give for () {
    fn give(self) -> Vec<Tensor> {
        Vec::new()
    }
}

macro_rules! calls {
    ($table:ident: $($name:ident |$d:ident, $x:ident| $call:expr;)*) => {
        pub(crate) const $table: &[(&str, Call)] = &[$((stringify!($name), |$d, $x| Give::give($call))),*];
    };
}

macro_rules! alike {
    ($plain:ident: $($p:ident)*; $binary:ident: $($b:ident)*; $axis:ident: $($a:ident)*; $axes:ident: $($r:ident)*;) => {
        calls! { $plain: $($p |_d, x| x[0].$p();)* }
        calls! { $binary: $($b |_d, x| x[0].$b(x[1]);)* }
        calls! { $axis: $($a |d, x| x[0].$a(d.axis(x[0].rank()));)* }
        calls! { $axes: $($r |d, x| x[0].$r(d.reduced(x[0].rank()));)* }
    };
}

alike! {
    PLAIN: neg abs sign floor ceil round sqrt rsqrt exp expm1 ln ln_1p sin cos atan tanh sigmoid softplus erf erfc to_bf16 to_f16 sinh cosh t
        to_contiguous;
    BINARY: add sub mul div pow maximum minimum equal not_equal less less_equal greater greater_equal matmul;
    AXIS: argmax argmin insert_axis squeeze flip;
    AXES: sum max min prod mean var all any;
}

calls! { OTHER:
    select |_d, x| x[2].select(x[0], x[1]);
    cast |d, x| x[0].cast(d.pick(&[DType::F32, DType::F64, DType::I64, DType::Bool]));
    reshape |d, x| {
        let mut to: Vec<isize> = x[0].shape().iter().rev().map(|n| *n as isize).collect();
        if d.once_in(2) {
            to = d.shape().iter().map(|n| *n as isize).chain([-1]).collect();
        }
        x[0].reshape(&to)
    };
    swap_axes |d, x| x[0].swap_axes(d.axis(x[0].rank()), d.axis(x[0].rank()));
    permute |d, x| { let axes = if d.once_in(3) { d.axes(x[0].rank()) } else { d.order(x[0].rank()) }; x[0].permute(&axes) };
    broadcast_to |d, x| {
        let longer = if x[0].rank() < 6 { 3 } else { 1 };
        let mut to: Vec<usize> = x[0].shape().iter().map(|n| if *n == 1 { longer } else { *n }).collect();
        if d.once_in(3) { to = d.small() } else { to.insert(0, 2) }
        x[0].broadcast_to(to)
    };
    slice |d, x| {
        let axis = d.axis(x[0].rank());
        let (a, b) = (ends(d), ends(d));
        vec![x[0].slice(axis, a..b, d.len()), x[0].slice(axis, a.., 1), x[0].slice(axis, ..=b, 2)]
    };
    index_axis |d, x| { let axis = d.axis(x[0].rank()); x[0].index_axis(axis, ends(d)) };
    take |d, x| { let axis = d.axis(x[0].rank()); x[0].take(axis, &[d.len(), d.throw(2)]) };
    concat |d, x| Tensor::concat(&x[..d.throw(4)], d.axis(x[0].rank()));
    stack |d, x| Tensor::stack(&x[..d.throw(4)], d.axis(x[0].rank() + 1));
    split |d, x| { let axis = d.axis(x[0].rank()); x[0].split(&[d.len(), d.throw(3)], axis) };
    pad |d, x| { let axis = d.axis(x[0].rank()); x[0].pad(axis, small(d), small(d)) };
    get |d, x| x[0].get::<f64>(&d.axes(x[0].rank())).map(Tensor::from);
    item |_d, x| x[0].item::<f32>().map(Tensor::from);
    to_vec |_d, x| x[0].to_vec::<i64>().map(Tensor::from);
    from_vec |d, x| Tensor::from_vec(x[0].to_vec::<f64>().unwrap_or_default(), d.shape());
    arrays |_d, x| {
        let array = x[0].to_array::<f64>().or_else(|_| x[0].clone().into_array::<f64>());
        assert!(x[0].view::<f64>().is_ok() == array.is_ok());
        array.map(Tensor::from)
    };
    eager |d, x| { let a = d.reduced(x[0].rank()); ((x[0].eager() + x[1]).tanh().maximum(0.5).sum(a) * 2.0).get() };
    round_to |d, x| x[0].round_to(d.pick(chainrule::tensor::Format::ALL));
    make |d, _x| {
        let n = d.throw(5);
        let a = d.int().clamp(-5, 5);
        vec![Ok(Tensor::full(d.small(), 1.5)), Ok(Tensor::zeros(d.small(), DType::I64)), Ok(Tensor::ones(d.small(), DType::F32)),
            Ok(Tensor::scalar(true)), Ok(Tensor::arange(a..3)), Tensor::linspace(d.real()..=d.real(), n, DType::F64),
            Ok(Tensor::eye(n, DType::F32))]
    };
    random |d, _x| {
        let (a, b) = (d.real(), d.real());
        vec![Tensor::uniform(Key::new(1), d.small(), a..b, DType::F32), Tensor::normal(Key::new(2), d.small(), a, b, DType::F64)]
    };
    accessors |_d, x| assert!(x[0].size() == x[0].shape().iter().product::<usize>() && x[0].rank() == x[0].shape().len()
        && x[0].dtype().size() > 0 && !format!("{} {:?}", x[0], x[0]).is_empty()
        && x[0].to_contiguous().as_slice::<bool>().is_some() == (x[0].dtype() == DType::Bool));
}

/// Methods that stand in the rows `arrays`, `make`, `random` and `accessors`.
pub(crate) const ELSEWHERE: &[&str] = &[
    "view",
    "to_array",
    "into_array",
    "full",
    "zeros",
    "ones",
    "scalar",
    "arange",
    "linspace",
    "eye",
    "uniform",
    "normal",
    "size",
    "shape",
    "rank",
    "dtype",
    "as_slice",
];

fn ends(d: &mut Dice) -> isize {
    if d.once_in(10) { d.pick(&[isize::MIN, isize::MAX]) } else { d.throw(6) as isize - 3 }
}

/// Few elements, since these are allocated; or more than any memory holds.
fn small(d: &mut Dice) -> usize {
    if d.once_in(20) { usize::MAX } else { d.throw(4) }
}

/// Three tensors, most of them views of others.
pub(crate) fn operands(d: &mut Dice) -> [Tensor; 3] {
    let wide = d.once_in(2);
    let (shape, kind) = (d.small(), d.kind());
    let first = d.tensor(&shape, kind, wide);
    let (shape, kind) = if d.once_in(3) { (d.small(), d.kind()) } else { (shape, kind) };
    let second = d.tensor(&shape, kind, wide);
    let third = if d.once_in(2) { d.tensor(&shape, Kind::Truth, wide) } else { first.clone() };
    [first, second, third].map(|t| view(d, t))
}

/// The same numbers, or some of them, as they lie in another order.
fn view(d: &mut Dice, t: Tensor) -> Tensor {
    let rank = t.rank();
    let viewed = match d.throw(5) {
        0 => t.permute(d.order(rank)),
        1 if rank > 0 => t.flip(0),
        2 if rank > 0 => t.slice(0, .., 2),
        3 => t.broadcast_to(std::iter::once(2).chain(t.shape().iter().copied()).collect::<Vec<_>>()),
        _ => Ok(t),
    };
    viewed.expect("a view")
}
