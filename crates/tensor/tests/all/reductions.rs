//! Reductions against plain loops over any axes.

use chainrule_tensor::{DType, Key, Tensor, keep};
use proptest::prelude::*;

use crate::samples::{any_shape, any_tensor};

/// Folds over the axes that `mask` chooses, perhaps none, with the index loop written out.
fn fold(t: &Tensor, mask: u8, start: f64, f: fn(f64, f64) -> f64) -> (Vec<isize>, Tensor) {
    let chosen: Vec<usize> = (0..t.rank()).filter(|a| mask >> a & 1 == 1).collect();
    let mut array = t.to_array::<f64>().unwrap();
    for &axis in chosen.iter().rev() {
        array = array.fold_axis(ndarray::Axis(axis), start, |a, b| f(*a, *b));
    }
    // Half of the axes are named from the end.
    let name = |a: usize| if a.is_multiple_of(2) { a as isize } else { a as isize - t.rank() as isize };
    (chosen.into_iter().map(name).collect(), Tensor::from(array))
}

proptest! {
    #[test]
    fn sums_and_products(t in any_shape(DType::F64), mask: u8) {
        let (axes, sum) = fold(&t, mask, 0.0, |a, b| a + b);
        prop_assert_eq!(t.sum(&axes).unwrap(), sum.clone());
        prop_assert_eq!(t.cast(DType::F32).sum(&axes).unwrap().cast(DType::F64), sum.clone());
        prop_assert_eq!(t.cast(DType::I64).sum(&axes).unwrap(), sum.cast(DType::I64));
        let signs = t.sign().unwrap();
        let (axes, product) = fold(&signs, mask, 1.0, |a, b| a * b);
        prop_assert_eq!(signs.prod(&axes).unwrap(), product);
    }

    #[test]
    fn extremes(t in any_shape(DType::F64), mask: u8) {
        let (axes, greatest) = fold(&t, mask, f64::NEG_INFINITY, f64::max);
        let (_, least) = fold(&t, mask, f64::INFINITY, f64::min);
        if t.size() > 0 {
            prop_assert_eq!(t.max(&axes).unwrap(), greatest);
            prop_assert_eq!(t.min(&axes).unwrap(), least.clone());
            prop_assert_eq!(t.cast(DType::I64).min(&axes).unwrap(), least.cast(DType::I64));
        }
    }

    #[test]
    fn truth(t in any_shape(DType::F64), mask: u8) {
        let positive = t.greater(&Tensor::from(0.0)).unwrap();
        let ones = positive.cast(DType::F64);
        let (axes, all) = fold(&ones, mask, 1.0, f64::min);
        let (_, any) = fold(&ones, mask, 0.0, f64::max);
        prop_assert_eq!(positive.all(&axes).unwrap(), all.cast(DType::Bool));
        prop_assert_eq!(positive.any(&axes).unwrap(), any.cast(DType::Bool));
    }

    #[test]
    fn kept_axes_broadcast_against_the_operand(t in any_tensor(), mask: u8) {
        let t = t.cast(DType::F64);
        let (axes, _) = fold(&t, mask, 0.0, |a, b| a + b);
        let kept = t.sum(keep(&axes)).unwrap();
        prop_assert_eq!(kept.rank(), t.rank());
        let difference = t.sub(&kept).unwrap();
        prop_assert_eq!(difference.shape(), t.shape());
        prop_assert_eq!(kept.to_vec::<f64>().unwrap(), t.sum(&axes).unwrap().to_vec::<f64>().unwrap());
    }

    #[test]
    fn positions_of_extremes(t in any_shape(DType::F64)) {
        for axis in 0..t.rank() as isize {
            if t.shape()[axis as usize] == 0 {
                prop_assert!(t.argmax(axis).is_err());
                continue;
            }
            let (max, min) = (t.argmax(axis).unwrap(), t.argmin(axis - t.rank() as isize).unwrap());
            for (i, lane) in t.view::<f64>().unwrap().lanes(ndarray::Axis(axis as usize)).into_iter().enumerate() {
                let first = |best: f64| lane.iter().position(|x| *x == best).unwrap() as i64;
                let greatest = lane.fold(f64::NEG_INFINITY, |a, b| a.max(*b));
                let least = lane.fold(f64::INFINITY, |a, b| a.min(*b));
                prop_assert_eq!(max.to_vec::<i64>().unwrap()[i], first(greatest));
                prop_assert_eq!(min.to_vec::<i64>().unwrap()[i], first(least));
            }
        }
    }

    #[test]
    fn variance_does_not_drown_in_a_great_mean(seed: u64, shift in -1e6_f64..1e6) {
        let t = Tensor::normal(Key::new(seed), [200], shift, 1.0, DType::F64).unwrap();
        let x = t.to_vec::<f64>().unwrap();
        let mean = x.iter().map(|x| x - shift).sum::<f64>() / 200.0;
        let expected = x.iter().map(|x| (x - shift - mean).powi(2)).sum::<f64>() / 200.0;
        let var: f64 = t.var(0).unwrap().item().unwrap();
        prop_assert!((var - expected).abs() < 1e-8 * expected, "{} is not {}", var, expected);
    }
}

#[test]
fn nan_wins_every_extreme() {
    let t = Tensor::from([1.0, f64::NAN, 3.0]);
    assert!(t.max(..).unwrap().item::<f64>().unwrap().is_nan());
    assert!(t.min(..).unwrap().item::<f64>().unwrap().is_nan());
    assert_eq!((t.argmax(0).unwrap(), t.argmin(0).unwrap()), (Tensor::from(1_i64), Tensor::from(1_i64)));
}
