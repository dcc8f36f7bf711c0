use chainrule::data::{Dataset, Standardize};
use chainrule::graph::Result;
use chainrule::loss;
use chainrule::prelude::*;

fn f32s(x: Var<'_>) -> Vec<f32> {
    x.value().and_then(|t| Ok(t.to_vec::<f32>()?)).expect("f32")
}

fn f64s(x: Var<'_>) -> Vec<f64> {
    x.value().map(|t| t.cast(DType::F64)).and_then(|t| Ok(t.to_vec::<f64>()?)).expect("numbers")
}

#[track_caller]
fn close(found: &[f32], right: &[f64], ulps: f64) {
    assert_eq!(found.len(), right.len());
    for (x, y) in found.iter().zip(right) {
        let ulp = f64::from((*y as f32).abs().next_up() - (*y as f32).abs());
        assert!((f64::from(*x) - y).abs() <= ulps * ulp || f64::from(*x) == *y, "{found:?} is not {right:?}");
    }
}

fn slope<'g>(y: Var<'g>, x: Var<'g>) -> Var<'g> {
    y.sum(..).grad(&[x]).expect("a gradient")[0]
}

#[test]
fn a_common_offset_of_logits_takes_no_digits() {
    let g = Graph::new();
    for (offset, n) in [(2e4_f32, 2_usize), (1e6, 3), (1e8, 3), (-3e7, 5)] {
        let z = g.leaf("z", Tensor::full([1, n], offset));
        let y = g.constant(Tensor::from([0_i64]));
        let right = (n as f64).ln();
        close(&f32s(z.log_softmax(1)), &vec![-right; n], 1.0);
        close(&f32s(loss::softmax_cross_entropy(z, y)), &[right], 1.0);
    }
}

#[test]
fn products_leave_the_range_only_where_a_product_of_the_first_elements_does() {
    let g = Graph::new();
    let x = g.leaf("x", [3e-25_f32, 2e25, 4e25, 1e-20]);
    close(&f32s(x.cumprod(0)), &[3e-25, 6.0, 2.4e26, 2.4e6], 4.0);
    let y = g.leaf("y", [2e-25_f32, 5e24, 4e-25, 1e25]);
    close(&f32s(y.prod(0)), &[4.0], 4.0);
    assert_eq!(f32s(slope(y.prod(0), y)).iter().filter(|d| !d.is_finite()).count(), 0);
    let z = g.leaf("z", [0.0_f32, 1e30, 1e30, 1.0]);
    assert_eq!(f32s(z.cumprod(0)), [0.0; 4]);
    let wide = g.leaf("wide", [1e-200, 1e200, 1e-200, 1e200]);
    assert!((f64s(wide.prod(0))[0] - 1.0).abs() < 1e-15);
}

#[test]
fn targets_need_not_sum_to_one_and_no_weight_meets_an_infinity() {
    let g = Graph::new();
    let z = g.leaf("z", [[0.5, -0.5], [2.0, 1.0]]);
    let l = loss::softmax_cross_entropy(z, g.constant([[1.0, 0.0], [0.0, 0.0]]));
    assert!((f64s(l)[0] - 0.156_630_8).abs() < 1e-6);
    assert_eq!(f64s(slope(l, z))[2..], [0.0, 0.0]);
    let z = g.leaf("z", [[0.5, f64::NEG_INFINITY, 1.5]]);
    let soft = loss::softmax_cross_entropy(z, g.constant([[0.0, 0.0, 1.0]]));
    let hard = loss::softmax_cross_entropy(z, g.constant(Tensor::from([2_i64])));
    assert_eq!(f64s(soft), f64s(hard));
    assert!((f64s(soft)[0] - 0.313_261_7).abs() < 1e-6);
    assert!(f64s(slope(soft, z)).iter().all(|d| d.is_finite()));
}

#[test]
fn the_mean_of_a_constant_is_the_constant() {
    let g = Graph::new();
    for n in 1..400 {
        for c in [0.5_f32, 1.0] {
            let t = Tensor::full([n], c);
            let x = g.leaf("x", t.clone());
            assert_eq!(f32s(x.mean(..)), [c], "{n}");
            assert_eq!(t.mean(..), Ok(Tensor::from(c)), "{n}");
            assert_eq!(f32s(x.var(..)), [0.0], "{n}");
        }
    }
}

#[test]
fn whole_steps_are_whole() {
    for n in 2..300_usize {
        let t = Tensor::linspace(0.0..=(n - 1) as f64, n, DType::F64).expect("few");
        assert_eq!(t.cast(DType::I64), Tensor::arange(0..n as i64), "{n}");
    }
    let far = Tensor::linspace(-1e308..=1e308, 3, DType::F64).expect("few");
    assert_eq!(far, Tensor::from([-1e308, 0.0, 1e308]));
}

#[test]
fn tails_and_slopes_keep_their_digits() {
    let g = Graph::new();
    let x = g.leaf("x", [-5.5_f32, -6.3]);
    close(&f32s(x.gelu()), &[-1.044_425_935_62e-7, -9.375_826_543_6e-10], 40.0);
    // x Φ(x) has the slope Φ(x) + x φ(x).
    close(&f32s(slope(x.gelu(), x)), &[-5.733_472_398_74e-7, -5.900_073_298_85e-9], 40.0);
    let x = g.leaf("x", [1e-4_f32, 1e-8]);
    close(&f32s(slope(x.cosh(), x)), &[1.000_000_002e-4, 1e-8], 2.0);
    let x = g.leaf("x", [-17.0_f32]);
    close(&f32s(slope(x.elu(1.0), x)), &[(-17.0_f64).exp()], 2.0);
    let wide = Graph::new();
    let x = wide.leaf("x", [710.2]);
    for y in [x.sinh(), x.cosh()] {
        assert!((f64s(y)[0] / 1.364_264e308 - 1.0).abs() < 1e-4, "{:?}", f64s(y));
        assert!(f64s(slope(y, x))[0].is_finite());
    }
    // The form with tanh is what it is, but not −0 where its tail has digits.
    let x = g.leaf("x", [-3.0_f32]);
    let exact =
        |x: f64| 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh());
    close(&f32s(x.gelu_tanh()), &[exact(-3.0)], 8.0);
    let x = g.leaf("x", [1e-20_f32, -3e-5, 1e30]);
    close(&f32s(x.asinh()), &[1e-20, (-3e-5_f64).asinh(), 1e30_f64.asinh()], 2.0);
}

#[test]
fn statistics_stay_in_the_range() {
    let huge = Tensor::from([[4e180], [6e180], [9e180]]);
    let d = Dataset::regression(huge.clone(), Tensor::zeros([3, 1], DType::F32)).expect("sound");
    let s = Standardize::fit(&d).expect("finite");
    assert!(Standardize::new(s.mean(), s.deviation()).is_ok());
    let scaled = s.apply(&d).expect("finite").features().cast(DType::F64).to_vec::<f64>().expect("f64");
    assert!(scaled[0] < -1.0 && scaled[2] > 1.0, "{scaled:?}");
    let g = Graph::new();
    let x = g.leaf("x", huge);
    assert!((f64s(x.norm())[0] / 1.153_256e181 - 1.0).abs() < 1e-6, "{:?}", f64s(x.norm()));
    let small = g.leaf("small", [3e-200, 4e-200]);
    assert!((f64s(small.norm())[0] / 5e-200 - 1.0).abs() < 1e-14);
    close(&f32s(Graph::new().leaf("a", [3e30_f32, 4e30]).norm()), &[5e30], 2.0);
    let d = slope(small.norm(), small);
    assert!((f64s(d)[0] - 0.6).abs() < 1e-14 && (f64s(d)[1] - 0.8).abs() < 1e-14);
}

#[test]
fn determinants_and_long_sums_have_the_digits_of_f64() {
    let g = Graph::new();
    close(&f32s(g.leaf("a", [[6e17_f32, 0.0], [0.0, 5e17]]).det()), &[3e35], 2.0);
    close(&f32s(g.leaf("b", [[50.0_f32, 0.0], [0.0, 30.0]]).det()), &[1500.0], 1.0);
    let s = g.leaf("s", Tensor::full([4_000_000], 0.001_f32));
    close(&f32s(s.cumsum(0).slice(0, 3_999_999..4_000_000)), &[f64::from(0.001_f32) * 4e6], 2.0);
    let ones = g.leaf("ones", Tensor::ones([20_000_000], DType::F32));
    close(&f32s(ones.cumsum(0).slice(0, 19_999_999..20_000_000)), &[2e7], 0.0);
}

#[test]
fn integers_round_once_wrap_and_have_an_empty_product() {
    let far = Tensor::from([(1_i64 << 60) + (1 << 36) + 1]).cast(DType::F32);
    assert_eq!(far, Tensor::from([1_152_921_642_045_800_448_f32]));
    let g = Graph::new();
    let x = g.leaf("x", [i64::MAX - 3, 9]);
    let wrapped = (i64::MAX - 3).wrapping_add(9);
    assert_eq!(x.cumsum(0).value().expect("wraps"), Tensor::from([i64::MAX - 3, wrapped]));
    assert_eq!(x.sum(..).value().expect("wraps"), Tensor::from(wrapped));
    let none = g.leaf("none", Tensor::zeros([2, 0], DType::I64));
    assert_eq!(none.prod(1).value().expect("ones"), Tensor::from([1_i64, 1]));
    assert_eq!(g.leaf("n", [3_i64, 9, 4]).argmax(0).value().expect("a place"), Tensor::from(1_i64));
    assert_eq!(g.leaf("n", [3_i64, -4, 5]).prod(0).value().expect("a product"), Tensor::from(-60_i64));
}

#[test]
fn of_no_elements() {
    let g = Graph::new();
    let x = g.leaf("x", Tensor::zeros([3, 0], DType::F64));
    assert_eq!(x.softmax(1).value().expect("nothing").shape(), [3, 0]);
    assert_eq!(f64s(x.logsumexp(1)), [f64::NEG_INFINITY; 3]);
}

#[test]
fn a_rule_may_differentiate_a_formula_over_its_own_result() {
    let g = Graph::new();
    let w = g.leaf("w", 0.5);
    // z = cos w, with the slope of z·w by w, in which z is what it is.
    let z = g.custom_vjp(
        "root",
        &[w],
        |w| w[0].cos(),
        |w, z, ct| vec![vjp(&[z * w[0]], &[w[0]], &[ct]).map_or_else(|e| z.fail(e), |d| d[0].unwrap_or(z))],
    );
    assert_eq!(f64s(slope(z, w)), [0.5_f64.cos()]);
}

#[test]
fn labels_that_are_none_are_refused_by_every_loss_of_classes() {
    let g = Graph::new();
    let z = g.leaf("z", [[0.5], [1.0]]);
    let says = |l: Var<'_>, words: &str| {
        let text = l.value().expect_err("no labels").to_string();
        assert!(text.contains(words) && text.contains("cases.rs"), "{text}");
    };
    let two = g.constant([[2.0], [0.0]]);
    says(loss::binary_cross_entropy_with_logits(z, two), "target 2");
    says(loss::binary_cross_entropy(z, two), "target 2");
    says(loss::binary_cross_entropy(z + 1.0, g.constant([[1.0], [0.0]])), "probability 1.5");
    let scores = g.leaf("scores", [[0.5, 1.0], [1.0, 0.0]]);
    says(loss::softmax_cross_entropy(scores, g.constant(Tensor::from([1_i64, -1]))), "label -1");
    says(loss::softmax_cross_entropy(scores, g.constant(Tensor::from([1_i64, 2]))), "label 2");
}

#[test]
fn sizes_beyond_all_memory_are_errors() {
    let huge = usize::MAX / 2;
    for init in [Init::He, Init::Zeros, Init::Constant(1.0)] {
        assert!(init.draw(Key::new(1), [huge, 3]).is_err());
        assert!(init.draw(Key::new(1), [1 << 46]).is_err(), "it fits the address space, not the memory");
    }
    for n in [usize::MAX, 1 << 46] {
        assert!(Key::new(1).permutation(n).is_err());
    }
    let g = Graph::new();
    let labels = g.constant(Tensor::from([0_i64, 1]));
    assert!(labels.one_hot(usize::MAX).value().is_err());
    fn wide<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        Linear::new(usize::MAX).forward(s, x)
    }
    assert!(Summary::of(&wide, &Params::new(), [4]).is_err());
}

#[test]
fn a_tensor_of_very_many_axes_prints() -> Result<()> {
    let t = Tensor::from(1.0).reshape(vec![1; 60_000])?;
    let text = std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(move || format!("{t}").len() + format!("{t:?}").len());
    assert!(text.expect("a thread").join().expect("no overflow") > 0);
    Ok(())
}

#[test]
fn labels_of_pixels_that_do_not_fit_are_refused_with_both_shapes() {
    let g = Graph::new();
    let says = |l: Var<'_>, words: &[&str]| {
        let text = l.value().expect_err("no labels").to_string();
        assert!(words.iter().chain(&["cases.rs"]).all(|word| text.contains(word)), "{words:?} in {text}");
    };
    let z = g.leaf("z", Tensor::zeros([2, 3, 4, 5], DType::F64)); // 2 images of 4 × 5 as PyTorch has them, 3 classes
    let labels = |shape: &[usize]| g.constant(Tensor::zeros(shape, DType::I64));
    let pixels = labels(&[2, 4, 5]);
    says(
        loss::softmax_cross_entropy(z, pixels),
        &[
            "[softmax_cross_entropy]",
            "(2, 3, 4, 5)",
            "(2, 4, 5)",
            "labels are (2, 3, 4)",
            "permute([0, 2, 3, 1])",
        ],
    );
    let last = z.permute([0, 2, 3, 1]);
    assert!((f64s(loss::softmax_cross_entropy(last, pixels))[0] - 3_f64.ln()).abs() < 1e-15);
    says(
        loss::softmax_cross_entropy(last, labels(&[40])),
        &["(2, 4, 5, 3)", "(40,)", "labels are (2, 4, 5)"],
    );
    says(loss::softmax_cross_entropy(last, labels(&[2, 5, 4])), &["(2, 5, 4)", "without its last axis"]);
    says(
        loss::softmax_cross_entropy(last, pixels.real()),
        &["(2, 4, 5, 3)", "(2, 4, 5)", "does not broadcast"],
    );
    says(loss::softmax_cross_entropy(last, pixels + 3), &["label 3", "outside 0..3"]);
    says(loss::softmax_cross_entropy(g.leaf("one", 1.0), labels(&[])), &["logits are (…, classes)"]);
    let of_four = loss::CrossEntropy::new().weights([1.0; 4]);
    says(of_four.of(last, pixels), &["4 weights are given for 3 classes", "(2, 4, 5, 3)"]);
    says(loss::Focal::default().of(last, pixels.real()), &["[focal]", "(2, 4, 5, 3)", "(2, 4, 5)"]);
}
