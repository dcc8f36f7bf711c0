//! Random tensors for the properties: all dtypes, sizes 0 and 1, and views that do not lie row-major.

use chainrule_tensor::{DType, Element, Shape, Tensor};
use proptest::prelude::*;

/// Shapes of rank 0 to 3 with axes of length 0 to 4.
pub(crate) fn shapes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1 => Just(0_usize), 2 => Just(1), 6 => 2_usize..5], 0..4)
}

/// A tensor of `shape` (before rearrangement) and `dtype`, row-major or a view: transposed, flipped, every second.
pub(crate) fn tensor(shape: Vec<usize>, dtype: DType) -> BoxedStrategy<Tensor> {
    let n = shape.iter().product::<usize>();
    // Small whole numbers: sums and products of them are exact in every order.
    let numbers = prop::collection::vec(-4_i64..5, n);
    (numbers, any::<(bool, bool, bool)>())
        .prop_map(move |(numbers, (turn, flip, skip))| {
            let whole = match dtype {
                DType::F32 => of(numbers.iter().map(|n| *n as f32), &shape),
                DType::F64 => of(numbers.iter().map(|n| *n as f64), &shape),
                DType::I64 => of(numbers.iter().copied(), &shape),
                DType::Bool => of(numbers.iter().map(|n| *n > 0), &shape),
            };
            view(whole, turn, flip, skip)
        })
        .boxed()
}

/// A tensor of any shape and the given dtype.
pub(crate) fn any_shape(dtype: DType) -> impl Strategy<Value = Tensor> {
    shapes().prop_flat_map(move |shape| tensor(shape, dtype))
}

/// A tensor of any shape and dtype.
pub(crate) fn any_tensor() -> impl Strategy<Value = Tensor> {
    dtypes().prop_flat_map(any_shape)
}

pub(crate) fn dtypes() -> impl Strategy<Value = DType> {
    prop::sample::select(vec![DType::F32, DType::F64, DType::I64, DType::Bool])
}

/// Two f64 tensors whose shapes broadcast.
pub(crate) fn broadcastable() -> impl Strategy<Value = (Tensor, Tensor)> {
    let axis = (0_usize..5, 0..3).prop_map(|(n, which)| match which {
        0 => (n, n),
        1 => (1, n),
        _ => (n, 1),
    });
    (prop::collection::vec(axis, 0..4), 0_usize..3).prop_flat_map(|(axes, missing)| {
        let left: Vec<usize> = axes.iter().map(|a| a.0).collect();
        // Leading axes may be missing on one side.
        let right: Vec<usize> = axes.iter().skip(missing).map(|a| a.1).collect();
        (plain(left), plain(right))
    })
}

/// A row-major f64 tensor of exactly this shape, or the transpose of one.
pub(crate) fn plain(shape: Vec<usize>) -> impl Strategy<Value = Tensor> {
    let n = shape.iter().product::<usize>();
    (prop::collection::vec(-4_i64..5, n), any::<bool>()).prop_map(move |(numbers, turned)| {
        let numbers = numbers.into_iter().map(|n| n as f64);
        if turned {
            let turned: Vec<usize> = shape.iter().rev().copied().collect();
            let order: Vec<isize> = (0..shape.len() as isize).rev().collect();
            of(numbers, &turned).permute(&order).unwrap()
        } else {
            of(numbers, &shape)
        }
    })
}

fn of<T: Element>(elements: impl Iterator<Item = T>, shape: &[usize]) -> Tensor {
    Tensor::from_vec(elements.collect(), Shape::from(shape)).unwrap()
}

fn view(t: Tensor, turn: bool, flip: bool, skip: bool) -> Tensor {
    let rank = t.rank() as isize;
    let mut t = t;
    if turn {
        t = t.permute((0..rank).rev().collect::<Vec<_>>()).unwrap();
    }
    if flip && rank > 0 {
        t = t.flip(0).unwrap();
    }
    if skip && rank > 0 {
        t = t.slice(-1, .., 2).unwrap();
    }
    t
}
