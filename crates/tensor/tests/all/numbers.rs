//! Numbers that leave the range or lose digits on the way, though the result would not.

use chainrule_tensor::{DType, Key, Layout, Shape, Tensor};

fn numbers(t: &Tensor) -> Vec<f64> {
    t.cast(DType::F64).to_vec().unwrap()
}

#[test]
fn whole_steps_give_whole_numbers() {
    for n in 2..3000_usize {
        let last = (n - 1) as f64;
        for dtype in [DType::F32, DType::F64] {
            let whole: Vec<f64> = (0..n).map(|i| i as f64).collect();
            assert_eq!(numbers(&Tensor::linspace(0.0..=last, n, dtype).unwrap()), whole);
            let down: Vec<f64> = (0..n).map(|i| last - i as f64).collect();
            assert_eq!(numbers(&Tensor::linspace(last..=0.0, n, dtype).unwrap()), down);
        }
    }
}

#[test]
fn spaced_numbers_meet_both_ends_and_stay_in_range() {
    for (first, last) in
        [(0.1, 0.7), (-f64::MAX, f64::MAX), (0.0, 5e-324), (1.0, 1.0), (-1e300, 3.0), (5e-324, 2e-323)]
    {
        for n in [1, 2, 3, 7, 100] {
            let x = numbers(&Tensor::linspace(first..=last, n, DType::F64).unwrap());
            assert_eq!((x[0], x[n - 1]), (first, if n == 1 { first } else { last }));
            assert!(
                x.windows(2).all(|w| w[0] <= w[1]) && x.iter().all(|x| x.is_finite()),
                "{first} {last} {n}"
            );
        }
    }
    assert_eq!(Tensor::linspace(0.0..=1.0, 0, DType::F64).unwrap().size(), 0);
}

#[test]
fn integers_are_rounded_to_single_precision_once() {
    // Just above the middle between two neighbours: by way of f64 they would be taken for the middle.
    let above = (1_i64 << 60) + (1 << 36) + 1;
    let n = [above, -above, i64::MAX, i64::MIN, (1 << 24) + 1, 3];
    let narrow = Tensor::from(n).cast(DType::F32);
    assert_eq!(narrow.to_vec::<f32>().unwrap(), n.map(|n| n as f32));
    assert_eq!(narrow.to_vec::<f32>().unwrap()[0], 1_152_921_641_983_270_912.0);
}

#[test]
fn a_mean_is_in_range_where_its_sum_is_not() {
    for (dtype, huge) in [(DType::F64, 1.5e308), (DType::F32, 3e38)] {
        let x = Tensor::from([[huge, huge, huge], [1.0, 2.0, 3.0], [f64::INFINITY, 1.0, huge]]).cast(dtype);
        let mean = numbers(&x.mean(1).unwrap());
        assert!((mean[0] / huge - 1.0).abs() < 1e-6 && mean[1..] == [2.0, f64::INFINITY], "{mean:?}");
    }
    // The squares fit, their sum does not.
    let x = Tensor::from([1.2e154, -1.2e154, 1.2e154, -1.2e154]);
    let var = numbers(&x.var(..).unwrap());
    assert!((var[0] / 1.44e308 - 1.0).abs() < 1e-14, "{var:?}");
    assert!(numbers(&Tensor::zeros([0], DType::F64).mean(..).unwrap())[0].is_nan());
}

#[test]
fn reductions_of_nothing() {
    for dtype in [DType::F32, DType::F64, DType::I64] {
        let none = Tensor::zeros([2, 0], dtype);
        assert_eq!(none.sum(1).unwrap(), Tensor::zeros([2], dtype));
        assert_eq!(none.prod(1).unwrap(), Tensor::ones([2], dtype));
        assert_eq!(none.prod(0).unwrap().shape(), [0]);
        assert!(none.max(1).is_err() && none.min(..).is_err());
    }
    assert_eq!(Tensor::from([3_i64, 5]).prod(..).unwrap(), Tensor::from(15_i64));
}

#[test]
fn random_numbers_stay_in_what_their_dtype_reaches() {
    let draw = |range, dtype| Tensor::uniform(Key::new(1), [100], range, dtype);
    for range in [1e300..2e300, 0.0..1e39, -1e39..0.0, (1.0 + 1e-12)..(1.0 + 2e-12)] {
        assert!(draw(range.clone(), DType::F32).is_err(), "{range:?}");
        assert!(numbers(&draw(range.clone(), DType::F64).unwrap()).iter().all(|x| range.contains(x)));
    }
    for range in [0.0..3.4e38, (1.0 + 1e-9)..1.001, -1e-40..1e-40] {
        assert!(
            numbers(&draw(range.clone(), DType::F32).unwrap()).iter().all(|x| range.contains(x)),
            "{range:?}"
        );
    }
    assert!(Tensor::normal(Key::new(1), [3], 1e300, 1.0, DType::F32).is_err());
    assert!(Tensor::normal(Key::new(1), [3], 0.0, 1e300, DType::F32).is_err());
}

/// Whether a call panics with a message that says so.
fn refuses(call: impl FnOnce() + std::panic::UnwindSafe, says: &str) {
    let payload = std::panic::catch_unwind(call).expect_err("a panic");
    let told = payload.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(told.contains(says), "{told}");
}

#[test]
fn preconditions_of_layouts_are_checked_in_every_build() {
    let layout = Layout::contiguous([2, 3]);
    for shape in [Shape::from([3]), Shape::from(()), Shape::from([2, 2]), Shape::from([2, 3, 1])] {
        refuses(|| drop(layout.broadcast(&shape)), "does not broadcast to");
    }
    refuses(|| drop(layout.permute(&[0])), "does not name each axis");
    refuses(|| drop(layout.permute(&[0, 0])), "does not name each axis");
    for (axis, start, len, step) in
        [(2, 0, 1, 1), (1, 3, 1, 1), (1, 0, 4, 1), (1, 0, 2, -1), (1, 0, 3, isize::MAX)]
    {
        refuses(|| drop(layout.slice(axis, start, len, step)), "leave axis");
    }
    refuses(|| drop(Shape::from([2]).with(9, 1)), "has no axis 9");
    assert_eq!(Shape::from([2]).without(9), Shape::from([2]));
}
