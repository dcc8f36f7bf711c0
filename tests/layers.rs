use chainrule::data::{self, Dataset};
use chainrule::loss;
use chainrule::prelude::*;
use chainrule::progress::Silent;

fn numbers(t: &Tensor) -> Vec<f64> {
    t.cast(DType::F64).to_vec().expect("numbers")
}

fn close(a: &[f64], b: &[f64], by: f64) {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= by * b.abs().max(1.0)), "{a:?} is not {b:?}");
}

/// The digits as images of one channel.
fn images(n: usize) -> Dataset {
    let digits = data::digits().and_then(|d| d.select(&(0..n).collect::<Vec<_>>())).expect("embedded");
    let x = digits.features().reshape([n, 1, 8, 8]).expect("8 by 8");
    Dataset::classification(x, digits.targets().clone(), 10).expect("sound")
}

fn network<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let same = Slide::new().padding(Padding::Same);
    let h = Conv::new(4, [3, 3]).slide(same.clone()).without_bias().forward(&s.at("conv"), x);
    let h = MaxPool::new([2, 2]).forward(s, BatchNorm::new().forward(&s.at("norm"), h).relu());
    let h = Conv::depthwise(2, [3, 3]).slide(same).forward(&s.at("depthwise"), h);
    let h = GroupNorm::new(2).forward(&s.at("groups"), h).silu();
    Linear::new(10).forward(&s.at("output"), Flatten.forward(s, h))
}

#[test]
fn a_convolutional_network_checks_learns_and_is_kept() {
    let train = images(64);
    let trainer = Trainer::new(network, loss::softmax_cross_entropy)
        .optimiser(Adam::new(0.01))
        .epochs(12)
        .batch_size(32);
    let mut params = Params::new();
    let few = train.select(&[0, 1, 2, 3]).expect("four");
    assert!(trainer.check(&mut params, &few, 6).expect("checked").is_fine());
    let history = trainer.fit(&mut params, &train, Some(&few), &mut Silent).expect("trains");
    assert!(history.last("train loss").expect("12 epochs").1 < 0.3, "{history:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("network.safetensors");
    params.save(&path).expect("saved");
    let loaded = Params::load(&path).expect("its own file");
    assert_eq!(loaded, params);
    let measured = |p: &Params| trainer.evaluator().run(p, &train).expect("measured").outputs;
    assert_eq!(measured(&loaded), measured(&params));
    assert_eq!(
        Summary::of(&network, &params, [1, 8, 8]).expect("a table").parameters(),
        36 + 8 + 80 + 16 + 1290
    );
}

#[test]
fn running_statistics_follow_the_batches_and_rule_outside_training() {
    fn norm<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        BatchNorm::new().momentum(0.25).forward(&s.at("norm"), x)
    }
    fn nothing<'g>(z: Var<'g>, _: Var<'g>) -> Var<'g> {
        (z * z).mean(..)
    }
    let x = Tensor::from([[1.0_f32, 10.0], [3.0, 30.0], [5.0, 20.0], [7.0, 40.0]]);
    let data = Dataset::regression(x.clone(), Tensor::zeros([4, 1], DType::F32)).expect("sound");
    let trainer = Trainer::new(norm, nothing).optimiser(Sgd::new(0.0)).epochs(2).batch_size(4);
    let mut params = Params::new();
    trainer.fit(&mut params, &data, None, &mut Silent).expect("trains");
    // From 0 and 1, twice a quarter of the way to the batch's mean and variance over n − 1.
    let twice = |start: f64, batch: f64| batch + (start - batch) * 0.75 * 0.75;
    let (mean, var) =
        (params.get("norm.running_mean").expect("kept"), params.get("norm.running_var").expect("kept"));
    close(&numbers(mean), &[twice(0.0, 4.0), twice(0.0, 25.0)], 1e-6);
    close(&numbers(var), &[twice(1.0, 20.0 / 3.0), twice(1.0, 500.0 / 3.0)], 1e-6);
    let out = trainer.evaluator().run(&params, &data).expect("measured").outputs;
    let by_hand: Vec<f64> = numbers(&x)
        .iter()
        .enumerate()
        .map(|(i, x)| (x - numbers(mean)[i % 2]) / (numbers(var)[i % 2] + 1e-5).sqrt())
        .collect();
    close(&numbers(&out), &by_hand, 1e-5);

    // What is frozen stays, running statistics with it.
    fn two<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        Linear::new(1).forward(&s.at("head"), norm(&s.at("body"), x))
    }
    let before = {
        let mut p = Params::new();
        Trainer::new(two, nothing).epochs(1).fit(&mut p, &data, None, &mut Silent).expect("trains");
        p
    };
    let mut after = before.clone();
    let frozen = Trainer::new(two, nothing).epochs(1).freeze("body").optimiser(Sgd::new(0.1));
    frozen.fit(&mut after, &data, None, &mut Silent).expect("trains");
    for name in ["body.norm.running_mean", "body.norm.running_var", "body.norm.weight"] {
        assert_eq!(before.get(name), after.get(name));
    }
    assert_ne!(before.get("head.weight"), after.get("head.weight"));
}

#[test]
fn normalisations_have_mean_0_and_variance_1_over_their_axes() {
    let g = Graph::new();
    let x = g.constant(Tensor::normal(Key::new(3), [3, 4, 5], 2.0, 3.0, DType::F64).expect("drawn"));
    let s = Scope::root(&g, Params::new(), Mode::Train, 1);
    let exact = 1e-12;
    let cases: [(&str, Var<'_>, Var<'_>); 5] = [
        (
            "batch",
            BatchNorm::new().epsilon(0.0).forward(&s.at("b"), x).permute([1, 0, 2]).reshape([4, 15]),
            x,
        ),
        ("layer", LayerNorm::new().epsilon(0.0).forward(&s.at("l"), x).reshape([12, 5]), x),
        ("group", GroupNorm::new(2).epsilon(0.0).forward(&s.at("g"), x).reshape([6, 10]), x),
        ("instance", GroupNorm::instance().epsilon(0.0).forward(&s.at("i"), x).reshape([12, 5]), x),
        ("all", GroupNorm::new(1).epsilon(0.0).forward(&s.at("a"), x).reshape([3, 20]), x),
    ];
    for (name, y, _) in cases {
        let [mean, var] = [y.mean(1), y.var(1)].map(|v| numbers(&v.value().expect(name)));
        close(&mean, &vec![0.0; mean.len()], exact);
        close(&var, &vec![1.0; var.len()], exact);
    }
    let y = RmsNorm::new().epsilon(0.0).forward(&s.at("r"), x).square().mean(-1);
    close(&numbers(&y.value().expect("rms")), &[1.0; 12], exact);
}

#[test]
fn sizes_are_those_of_the_lectures() {
    let size = |model: &dyn Fn() -> Conv, shape: [usize; 3]| {
        let model = model();
        let text =
            Summary::of(&layer(|s, x| model.forward(&s.at("c"), x)), &Params::new(), shape).expect("fits");
        (text.to_string().lines().nth(3).expect("a row").to_owned(), text.parameters())
    };
    // Course 4, lecture 1.7: 39 × 39 × 3, ten filters of 3 × 3; 37 × 37 × 10; by 2, twenty of 5 × 5: 17 × 17 × 20; …
    let (row, n) = size(&|| Conv::new(10, [3, 3]), [3, 39, 39]);
    assert!(row.contains("(m, 10, 37, 37)") && n == 280, "{row}");
    let (row, _) = size(&|| Conv::new(20, [5, 5]).slide(Slide::new().stride(2)), [10, 37, 37]);
    assert!(row.contains("(m, 20, 17, 17)"), "{row}");
    let (row, _) = size(&|| Conv::new(40, [5, 5]).slide(Slide::new().stride(2)), [20, 17, 17]);
    assert!(row.contains("(m, 40, 7, 7)"), "{row}");
    // The quiz: 100 filters of 5 × 5 over 300 × 300 × 3 with bias have 7,600 parameters.
    assert_eq!(size(&|| Conv::new(100, [5, 5]), [3, 300, 300]).1, 7600);
}

#[test]
fn what_does_not_fit_is_told_with_layer_and_line() {
    let g = Graph::new();
    let x = g.input("x", [2, 3, 4, 4], Kind::Real);
    let s = Scope::root(&g, Params::new(), Mode::Train, 1);
    let says = |y: Var<'_>, words: &[&str]| {
        let text = y.value().expect_err("does not fit").to_string();
        assert!(
            words.iter().all(|w| text.contains(w)) && text.contains("layers.rs"),
            "{words:?} not in {text}"
        );
    };
    says(Conv::new(2, [5, 5]).forward(&s.at("a"), x), &["[conv]", "spans 5", "padded value 4", "`a`"]);
    says(Conv::new(2, [3]).forward(&s.at("b"), x), &["[conv]", "as many axes"]);
    says(Conv::new(2, [1, 1]).groups(2).forward(&s.at("c"), x), &["[conv]", "2 groups"]);
    says(
        Conv::new(2, [1, 1]).slide(Slide::new().stride(0)).forward(&s.at("d"), x),
        &["[conv]", "at least 1"],
    );
    says(
        Conv::new(2, [1, 1]).slide(Slide::new().stride([1, 1, 1])).forward(&s.at("e"), x),
        &["stride", "3 axes"],
    );
    says(MaxPool::new([5, 5]).forward(&s, x), &["[max_pool]", "spans 5"]);
    says(GroupNorm::new(2).forward(&s.at("g"), x), &["3 channels do not fall into 2 groups"]);
    let one = g.input("one", [1, 3], Kind::Real);
    says(BatchNorm::new().forward(&s.at("h"), one), &["[batch_norm]", "no variance", "batches of 2"]);
}
