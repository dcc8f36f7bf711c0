//! Conversion, slicing, joining and rearrangement against ndarray.

use chainrule_tensor::{ArrayD, DType, Tensor};
use ndarray::{Axis, IxDyn, Slice};
use proptest::prelude::*;

use crate::samples::{any_shape, any_tensor};

proptest! {
    #[test]
    fn to_ndarray_and_back(t in any_shape(DType::F64)) {
        prop_assert_eq!(Tensor::from(t.to_array::<f64>().unwrap()), t.clone());
        prop_assert_eq!(Tensor::from(t.clone().into_array::<f64>().unwrap()), t.clone());
        prop_assert_eq!(Tensor::from(ArrayD::<f64>::try_from(t.clone()).unwrap()), t.clone());
        prop_assert_eq!(Tensor::from_vec(t.to_vec::<f64>().unwrap(), t.shape()).unwrap(), t.clone());
        prop_assert_eq!(t.to_contiguous(), t);
    }

    #[test]
    fn slices(t in any_shape(DType::F64), axis: prop::sample::Index, (a, b) in (0_isize..6, 0_isize..6), step in 1_usize..4) {
        prop_assume!(t.rank() > 0);
        let axis = axis.index(t.rank());
        let n = t.shape()[axis] as isize;
        let ours = t.slice(axis as isize, a..b, step);
        if a <= b && b <= n {
            let expected = t.view::<f64>().unwrap().slice_axis(Axis(axis), Slice::new(a, Some(b), step as isize)).to_owned();
            prop_assert_eq!(ours.clone().unwrap(), Tensor::from(expected));
            // The same range counted from the end, where that can be said.
            if b < n {
                prop_assert_eq!(t.slice(axis as isize, a - n..b - n, step), ours);
            }
        } else {
            prop_assert!(ours.unwrap_err().to_string().contains("does not lie within an axis of length"));
        }
    }

    #[test]
    fn single_indices_and_elements(t in any_shape(DType::F64)) {
        for (index, x) in t.view::<f64>().unwrap().indexed_iter() {
            let position: Vec<isize> = (0..t.rank()).map(|a| index[a] as isize).collect();
            let from_end: Vec<isize> = position.iter().zip(t.shape()).map(|(i, n)| i - *n as isize).collect();
            prop_assert_eq!(t.get::<f64>(&position).unwrap(), *x);
            prop_assert_eq!(t.get::<f64>(&from_end).unwrap(), *x);
            // Axis by axis.
            let mut part = t.clone();
            for i in position {
                part = part.index_axis(0, i).unwrap();
            }
            prop_assert_eq!(part.item::<f64>().unwrap(), *x);
        }
    }

    #[test]
    fn selections(t in any_tensor(), axis: prop::sample::Index, picks in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        prop_assume!(t.rank() > 0);
        let axis = axis.index(t.rank());
        let n = t.shape()[axis];
        prop_assume!(n > 0);
        let picks: Vec<usize> = picks.iter().map(|i| i.index(n)).collect();
        let wide = t.cast(DType::F64);
        let expected = wide.view::<f64>().unwrap().select(Axis(axis), &picks);
        prop_assert_eq!(t.take(axis as isize, &picks).unwrap(), Tensor::from(expected).cast(t.dtype()));
    }

    #[test]
    fn flips_and_transposes_undo_themselves(t in any_tensor(), seed: u64) {
        for axis in 0..t.rank() as isize {
            prop_assert_eq!(t.flip(axis).unwrap().flip(axis).unwrap(), t.clone());
            prop_assert_eq!(t.insert_axis(axis).unwrap().squeeze(axis).unwrap(), t.clone());
        }
        if t.rank() >= 2 {
            prop_assert_eq!(t.t().unwrap().t().unwrap(), t.clone());
        }
        let order = chainrule_tensor::Key::new(seed).permutation(t.rank()).expect("few");
        let mut back = vec![0; order.len()];
        order.iter().enumerate().for_each(|(i, a)| back[*a] = i as isize);
        let order: Vec<isize> = order.iter().map(|a| *a as isize).collect();
        prop_assert_eq!(t.permute(&order).unwrap().permute(&back).unwrap(), t.clone());
    }

    #[test]
    fn reshapes_keep_the_order(t in any_tensor()) {
        let shape: Vec<isize> = t.shape().iter().map(|n| *n as isize).collect();
        let flat = t.reshape([t.size()]).unwrap();
        prop_assert_eq!(flat.reshape(&shape).unwrap(), t.clone());
        prop_assert_eq!(flat.cast(DType::F64).to_vec::<f64>().unwrap(), t.cast(DType::F64).to_vec::<f64>().unwrap());
        let wrong = [t.size() as isize + 1];
        prop_assert!(t.reshape(wrong).is_err());
    }

    #[test]
    fn broadcasts(t in any_shape(DType::F64), lead in 0_usize..3, n in 0_usize..4) {
        let mut to: Vec<usize> = t.shape().iter().map(|&m| if m == 1 { n } else { m }).collect();
        to.insert(0, lead);
        let expected = t.view::<f64>().unwrap().broadcast(IxDyn(&to)).unwrap().to_owned();
        prop_assert_eq!(t.broadcast_to(&to[..]).unwrap(), Tensor::from(expected));
    }

    #[test]
    fn splits_are_joined_again(t in any_tensor(), axis: prop::sample::Index, cut: prop::sample::Index) {
        prop_assume!(t.rank() > 0);
        let axis = axis.index(t.rank());
        let n = t.shape()[axis];
        let first = cut.index(n + 1);
        let pieces = t.split(&[first, 0, n - first], axis as isize).unwrap();
        let joined = Tensor::concat(&pieces.iter().collect::<Vec<_>>(), axis as isize).unwrap();
        prop_assert_eq!(joined, t.clone());
        let padded = t.pad(axis as isize, 1, 2).unwrap();
        prop_assert_eq!(padded.slice(axis as isize, 1..1 + n as isize, 1).unwrap(), t.clone());
        let margin = padded.take(axis as isize, &[0, n + 1, n + 2]).unwrap();
        prop_assert_eq!(margin, Tensor::zeros(chainrule_tensor::Shape::from(t.shape()).with(axis, 3), t.dtype()));
    }

    #[test]
    fn a_stack_is_taken_apart_by_index(t in any_tensor(), at: prop::sample::Index) {
        let axis = at.index(t.rank() + 1) as isize;
        let negated = t.flip(0).unwrap_or_else(|_| t.clone());
        let stack = Tensor::stack(&[&t, &negated, &t], axis).unwrap();
        prop_assert_eq!(stack.index_axis(axis, 0).unwrap(), t.clone());
        prop_assert_eq!(stack.index_axis(axis, 1).unwrap(), negated);
    }

    #[test]
    fn every_tensor_prints(t in any_tensor(), digits in 0_usize..9) {
        let text = format!("{t:.digits$}\n{t:?}");
        prop_assert_eq!(text.matches('[').count(), text.matches(']').count());
        prop_assert!(text.contains(&t.dtype().to_string()));
    }
}

#[test]
fn ndarray_goes_in_and_out_without_a_copy() {
    let array = ndarray::Array2::<f32>::zeros((3, 4));
    let address = array.as_ptr();
    let t = Tensor::from(array);
    assert_eq!(t.view::<f32>().unwrap().as_ptr(), address);
    assert_eq!(t.reshape([2, -1]).unwrap().view::<f32>().unwrap().as_ptr(), address);
    assert_eq!(t.t().unwrap().view::<f32>().unwrap().as_ptr(), address);
    assert_eq!(t.into_array::<f32>().unwrap().as_ptr(), address);
}

#[test]
fn a_shared_tensor_is_copied_before_it_is_given_away() {
    let t = Tensor::from([1.0, 2.0]);
    let mut array = t.clone().into_array::<f64>().unwrap();
    array[0] = 9.0;
    assert_eq!(t, Tensor::from([1.0, 2.0]));
}

#[test]
fn ranges_and_identities() {
    assert_eq!(Tensor::arange(3..3).shape(), [0]);
    assert_eq!(Tensor::linspace(2.0..=4.0, 1, DType::F32).unwrap(), Tensor::from([2.0_f32]));
    assert_eq!(Tensor::linspace(1.0..=0.0, 3, DType::F64).unwrap(), Tensor::from([1.0, 0.5, 0.0]));
    assert_eq!(Tensor::linspace(-1e308..=1e308, 3, DType::F64).unwrap(), Tensor::from([-1e308, 0.0, 1e308]));
    assert_eq!(Tensor::eye(0, DType::F32).shape(), [0, 0]);
    assert_eq!(Tensor::from([[[1_i64], [2]]]).shape(), [1, 2, 1]);
    assert_eq!(Tensor::from(vec![1.0_f32]).shape(), [1]);
    assert_eq!(
        Tensor::try_from(vec![vec![1_i64, 2], vec![3, 4]]).unwrap(),
        Tensor::from([[1_i64, 2], [3, 4]])
    );
}
