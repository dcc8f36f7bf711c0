//! Elementwise operations and matrix products against plain loops.

use chainrule_tensor::{DType, Error, Result, Tensor, shape};
use ndarray::{ArrayD, IxDyn, Zip};
use proptest::prelude::*;

use crate::samples::{any_shape, any_tensor, broadcastable, plain, tensor};

type Binary<O> = (&'static str, fn(&Tensor, &Tensor) -> Result<Tensor>, fn(f64, f64) -> O);

fn zip<O>(a: &Tensor, b: &Tensor, f: fn(f64, f64) -> O) -> ArrayD<O> {
    let shape = shape::broadcast("test", a.shape(), b.shape()).unwrap();
    let (a, b) = (a.view::<f64>().unwrap(), b.view::<f64>().unwrap());
    let (a, b) = (a.broadcast(IxDyn(&shape)).unwrap(), b.broadcast(IxDyn(&shape)).unwrap());
    Zip::from(a).and(b).map_collect(|a, b| f(*a, *b))
}

/// Equal, or both NaN; `pow` and `div` may differ by a rounding.
fn close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 4.0 * f64::EPSILON * b.abs()
}

proptest! {
    #[test]
    fn binary_operations_broadcast((a, b) in broadcastable()) {
        let operations: [Binary<f64>; 7] = [
            ("add", Tensor::add, |a, b| a + b),
            ("sub", Tensor::sub, |a, b| a - b),
            ("mul", Tensor::mul, |a, b| a * b),
            ("div", Tensor::div, |a, b| a / b),
            ("pow", Tensor::pow, f64::powf),
            ("maximum", Tensor::maximum, f64::max),
            ("minimum", Tensor::minimum, f64::min),
        ];
        for (name, operation, scalar) in operations {
            let ours = operation(&a, &b).unwrap();
            let expected = zip(&a, &b, scalar);
            prop_assert_eq!(ours.shape(), expected.shape());
            for (x, y) in ours.view::<f64>().unwrap().iter().zip(&expected) {
                prop_assert!(close(*x, *y), "{}: {} is not {}", name, x, y);
            }
        }
    }

    #[test]
    fn comparisons_and_choice_broadcast((a, b) in broadcastable()) {
        let operations: [Binary<bool>; 6] = [
            ("equal", Tensor::equal, |a, b| a == b),
            ("not_equal", Tensor::not_equal, |a, b| a != b),
            ("less", Tensor::less, |a, b| a < b),
            ("less_equal", Tensor::less_equal, |a, b| a <= b),
            ("greater", Tensor::greater, |a, b| a > b),
            ("greater_equal", Tensor::greater_equal, |a, b| a >= b),
        ];
        for (name, operation, scalar) in operations {
            prop_assert_eq!(operation(&a, &b).unwrap(), Tensor::from(zip(&a, &b, scalar)), "{}", name);
        }
        let larger = a.greater(&b).unwrap().select(&a, &b).unwrap();
        prop_assert_eq!(larger, a.maximum(&b).unwrap());
    }

    #[test]
    fn functions_agree_with_the_standard_library(t in any_shape(DType::F64)) {
        type Unary = (&'static str, fn(&Tensor) -> Result<Tensor>, fn(f64) -> f64);
        let functions: [Unary; 16] = [
            ("neg", Tensor::neg, |x| -x),
            ("abs", Tensor::abs, f64::abs),
            ("floor", Tensor::floor, f64::floor),
            ("ceil", Tensor::ceil, f64::ceil),
            ("round", Tensor::round, f64::round_ties_even),
            ("sqrt", Tensor::sqrt, f64::sqrt),
            ("rsqrt", Tensor::rsqrt, |x| 1.0 / x.sqrt()),
            ("exp", Tensor::exp, f64::exp),
            ("expm1", Tensor::expm1, f64::exp_m1),
            ("ln", Tensor::ln, f64::ln),
            ("ln_1p", Tensor::ln_1p, f64::ln_1p),
            ("sin", Tensor::sin, f64::sin),
            ("cos", Tensor::cos, f64::cos),
            ("tanh", Tensor::tanh, f64::tanh),
            ("sigmoid", Tensor::sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
            ("softplus", Tensor::softplus, |x| x.exp().ln_1p()),
        ];
        let x = (&t * 0.7).unwrap();
        for (name, function, scalar) in functions {
            let y = function(&x).unwrap();
            let narrow = function(&x.cast(DType::F32)).unwrap().cast(DType::F64);
            prop_assert_eq!(y.shape(), x.shape());
            let each = x.view::<f64>().unwrap().mapv(scalar);
            for ((y, narrow), expected) in y.to_vec::<f64>().unwrap().iter().zip(narrow.to_vec::<f64>().unwrap()).zip(each) {
                let same = |y: f64, digits: f64| {
                    y == expected || (y.is_nan() && expected.is_nan()) || (y - expected).abs() <= digits * expected.abs()
                };
                prop_assert!(same(*y, 1e-14), "{}: {} is not {}", name, y, expected);
                prop_assert!(same(narrow, 2e-6), "{} in f32: {} is not {}", name, narrow, expected);
            }
        }
    }

    #[test]
    fn casts_keep_what_fits(t in any_tensor()) {
        for dtype in [DType::F32, DType::F64, DType::I64] {
            let there = t.cast(dtype);
            prop_assert_eq!((there.dtype(), there.shape()), (dtype, t.shape()));
            prop_assert_eq!(there.cast(t.dtype()), t.clone());
        }
    }

    #[test]
    fn integers_wrap_and_truth_values_are_or_and_and(
        (a, b) in prop::collection::vec(0_usize..4, 0..3)
            .prop_flat_map(|s| (tensor(s.clone(), DType::I64), tensor(s, DType::I64)))
    ) {
        prop_assume!(a.shape() == b.shape());
        let wide = |t: &Tensor| t.cast(DType::F64);
        prop_assert_eq!(wide(&a.mul(&b).unwrap()), wide(&a).mul(&wide(&b)).unwrap());
        let (p, q) = (a.cast(DType::Bool), b.cast(DType::Bool));
        let or = p.cast(DType::I64).maximum(&q.cast(DType::I64)).unwrap().cast(DType::Bool);
        prop_assert_eq!(p.maximum(&q).unwrap(), or);
    }

    #[test]
    fn products_of_matrices_and_batches(
        (batch_a, batch_b) in prop_oneof![
            Just((vec![], vec![])), Just((vec![2], vec![2])), Just((vec![3], vec![])), Just((vec![1, 2], vec![3, 1])),
        ],
        (m, k, n) in (0_usize..6, 0_usize..6, 0_usize..6),
        seed: u64,
    ) {
        let made = |batch: &[usize], rows: usize, columns: usize, which: u64| {
            let shape: Vec<usize> = batch.iter().copied().chain([rows, columns]).collect();
            let key = chainrule_tensor::Key::new(seed).at(which);
            Tensor::uniform(key, shape, -9.0..9.0, DType::F64).unwrap().round().unwrap()
        };
        // Both a row-major and a transposed operand, and one with gaps.
        let (a, b) = (made(&batch_a, m, k, 0), made(&batch_b, n, k, 1).t().unwrap());
        let gaps = made(&batch_a, m, 2 * k, 2).slice(-1, .., 2).unwrap();
        for a in [a, gaps] {
            let product = a.matmul(&b).unwrap();
            let terms = a.insert_axis(-1).unwrap().mul(&b.insert_axis(-3).unwrap()).unwrap();
            prop_assert_eq!(product, terms.sum(-2).unwrap());
        }
    }

    #[test]
    fn operators_are_the_methods(a in plain(vec![2, 3]), x in -4_i64..5) {
        let number = Tensor::from(x as f64);
        prop_assert_eq!(&a + x as f64, a.add(&number));
        prop_assert_eq!(x as f64 - &a, number.sub(&a));
        prop_assert_eq!(a.clone() * &a, a.mul(&a));
        prop_assert_eq!(a.cast(DType::I64) * x, a.mul(&number).map(|t| t.cast(DType::I64)));
        prop_assert_eq!(-&a, a.neg());
    }
}

#[test]
fn nan_propagates_through_extremes() {
    let (a, b) = (Tensor::from([f64::NAN, 1.0]), Tensor::from([1.0, f64::NAN]));
    for extreme in [a.maximum(&b).unwrap(), a.minimum(&b).unwrap()] {
        assert!(extreme.to_vec::<f64>().unwrap().iter().all(|x| x.is_nan()));
    }
}

#[test]
fn dtypes_are_never_promoted_in_silence() {
    let (narrow, wide) = (Tensor::from([1.0_f32]), Tensor::from([1.0_f64]));
    let error = (&narrow + &wide).unwrap_err();
    assert!(matches!(error, Error::DType { .. }));
    assert_eq!(error.to_string(), "[add] does not take f32: the other operand is f64; cast one of them");
    assert!((&narrow + &wide.cast(DType::F32)).is_ok());
}
