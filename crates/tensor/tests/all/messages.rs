//! The messages of typical mistakes: each names the operation, what it was given, and what would be right.

use chainrule_tensor::{DType, Error, Key, Tensor};

fn said<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn shapes_that_do_not_fit() {
    let (a, b) = (Tensor::zeros([2, 3], DType::F32), Tensor::zeros([4, 5], DType::F32));
    assert_eq!(said(a.matmul(&b)), "[matmul] (2, 3) x (4, 5): 3 must equal 4");
    assert_eq!(
        said(&a + &b),
        "[add] (2, 3) x (4, 5): axis 2 from the end has 2 on the left and 4 on the right; \
         lengths must be equal or 1"
    );
    assert!(said(Tensor::arange(0..3).matmul(&a)).contains("does not take i64"));
    assert!(said(a.index_axis(0, 0).and_then(|v| v.matmul(&b))).contains("make a vector a row (1, n)"));
    assert_eq!(
        said(a.reshape([4, -1])),
        "[reshape] (2, 3): 6 elements cannot be divided to fill the -1 of [4, -1]"
    );
    assert_eq!(said(a.permute([0, 0])), "[permute] (2, 3): [0, 0] must name each of the 2 axes once");
    assert!(said(a.index_axis(0, 0).and_then(|v| v.t())).starts_with("[t] (3,): a transpose needs"));
    assert_eq!(said(a.squeeze(0)), "[squeeze] (2, 3): axis 0 has length 2, not 1");
    assert!(said(a.broadcast_to([3])).contains("cannot be repeated to fill"));
    assert!(said(a.broadcast_to([usize::MAX, 2, 3])).contains("too many elements"));
    assert_eq!(
        said(Tensor::concat(&[&a, &b], 0)),
        "[concat] (2, 3) x (4, 5): all axes but axis 0 must be equal"
    );
    assert_eq!(said(Tensor::concat(&[], 0)), "[concat] needs at least one operand");
    assert_eq!(
        said(Tensor::stack(&[&a, &b], 0)),
        "[stack] (2, 3) x (4, 5): the parts of a stack have one shape"
    );
    assert!(said(a.split(&[1, usize::MAX], 0)).contains("do not add up to the length of axis 0"));
    assert!(said(a.pad(0, usize::MAX, 1)).contains("too many elements"));
    assert_eq!(said(Tensor::from_vec(vec![1.0], [2, 3])), "[from_vec] (2, 3): 1 elements do not fill it");
    assert!(said(Tensor::from_vec::<f32>(vec![], [usize::MAX, 2])).contains("do not fill"));
}

#[test]
fn axes_and_indices_out_of_range() {
    let t = Tensor::zeros([2, 3], DType::F32);
    let axis = "axis 2 is out of range for shape (2, 3) of rank 2";
    assert_eq!(said(t.sum(2)), format!("[sum] {axis}"));
    assert_eq!(said(t.mean(2)), format!("[mean] {axis}"));
    assert_eq!(said(t.var(2)), format!("[var] {axis}"));
    assert_eq!(said(t.take(2, &[])), format!("[take] {axis}"));
    assert_eq!(said(t.flip(-3)), "[flip] axis -3 is out of range for shape (2, 3) of rank 2");
    assert_eq!(said(t.sum([0, -2])), "[sum] (2, 3): axes [0, -2] name an axis twice");
    assert_eq!(said(t.take(1, &[0, 7])), "[take] index 7 at position 1 is outside axis 1 of length 3");
    assert_eq!(said(t.index_axis(0, 2)), "[index_axis] index 2 is outside an axis of length 2");
    assert_eq!(
        said(t.get::<f32>(&[0, isize::MIN])),
        format!("[get] index {} is outside an axis of length 3", isize::MIN)
    );
    assert_eq!(said(t.get::<f32>(&[0])), "[get] (2, 3): 2 axes need as many indices, not the 1 of [0]");
    assert_eq!(said(t.slice(1, 1..5, 1)), "[slice] the range 1..5 does not lie within an axis of length 3");
    assert!(said(t.slice(1, isize::MIN..=isize::MAX, 1)).contains("does not lie within"));
    assert_eq!(said(t.slice(1, .., 0)), "[slice] a step of 0 never arrives; the smallest step is 1");
    assert_eq!(t.slice(1, .., usize::MAX).unwrap().shape(), [2, 1]);
    assert_eq!(said(t.item::<f32>()), "[item] (2, 3): it has 6 elements, not 1");
}

#[test]
fn dtypes_that_do_not_fit() {
    let (real, int, truth) = (Tensor::from([1.5_f64]), Tensor::from([1_i64]), Tensor::from([true]));
    assert_eq!(said(int.exp()), "[exp] does not take i64: cast it to f32 or f64 first");
    assert_eq!(said(int.div(&int)), "[div] does not take i64: cast both to f32 or f64 first");
    assert_eq!(said(&int * 2.5), "[mul] does not take i64: 2.5 is real; cast the tensor to f32 or f64 first");
    assert_eq!(said(&real * 2), "[mul] does not take f64: 2 is an integer; write 2.0 beside reals");
    assert_eq!(said(truth.sum(..)), "[sum] does not take bool: count with cast(DType::I64) first");
    assert_eq!(said(int.mean(..)), "[mean] does not take i64: cast it to f32 or f64 first");
    assert_eq!(said(real.all(..)), "[all] does not take f64: compare it first");
    assert_eq!(said(truth.argmax(0)), "[argmax] does not take bool: cast it to i64 first");
    assert!(said(real.select(&real, &real)).contains("the condition is bool"));
    assert!(said(Tensor::concat(&[&real, &int], 0)).contains("the first operand is f64; cast one of them"));
    assert_eq!(
        said(real.view::<f32>()),
        "[view] does not take f64: f32 was asked for; convert with .cast(DType::F32)"
    );
    assert_eq!(
        said(real.item::<f32>()),
        "[item] does not take f64: f32 cannot hold it exactly; convert with .cast(DType::F32)"
    );
    assert_eq!(int.item::<f64>(), Ok(1.0));
    assert!(Tensor::from(i64::MAX).item::<f64>().is_err());
}

#[test]
fn values_out_of_range() {
    let key = Key::new(0);
    assert_eq!(
        said(Tensor::uniform(key, 2, 1.0..1.0, DType::F32)),
        "[uniform] needs a finite range of positive width, not 1.0..1.0"
    );
    assert!(Tensor::uniform(key, 2, 0.0..f64::NAN, DType::F32).is_err());
    assert!(Tensor::uniform(key, [usize::MAX, 2], 0.0..1.0, DType::F32).is_err());
    assert!(said(Tensor::normal(key, 2, 0.0, -1.0, DType::F32)).contains("std >= 0, not 0 and -1"));
    assert!(said(Tensor::normal(key, 2, 0.0, 1.0, DType::I64)).contains("defined for the reals"));
    assert!(said(Tensor::linspace(0.0..=1.0, 2, DType::Bool)).contains("defined for the reals"));
    let empty = Tensor::zeros([0, 2], DType::F32);
    assert_eq!(said(empty.max(0)), "[max] (0, 2): an empty axis has no extreme");
    assert_eq!(said(empty.argmin(0)), "[argmin] (0, 2): an empty axis has no extreme");
    assert_eq!(empty.sum(0).unwrap(), Tensor::zeros(2, DType::F32));
}

#[test]
fn sizes_that_no_memory_holds() {
    const HUGE: usize = 1 << 40;
    let (tall, wide) = (Tensor::zeros([HUGE, 0], DType::F64), Tensor::zeros([0, HUGE], DType::F64));
    let many = "too many elements";
    assert!(said(tall.matmul(&wide)).contains(many));
    assert!(said(tall.reshape([isize::MAX, isize::MAX])).contains("too many for any memory"));
    assert!(said(tall.broadcast_to([1 << 30, HUGE, 0])).contains(many));
    let line = Tensor::zeros([0, isize::MAX as usize / 8], DType::I64);
    assert!(said(Tensor::concat(&[&line, &line], 1)).contains(many));
    assert!(said(Tensor::linspace(0.0..=1.0, usize::MAX, DType::F32)).contains(many));
    assert!(said(Tensor::uniform(Key::new(0), [HUGE, HUGE], 0.0..1.0, DType::F64)).contains(many));
    assert!(said(Tensor::from_vec(Vec::<f64>::new(), [0, usize::MAX])).contains("do not fill it"));
}
