use std::fs;

use chainrule::data::{Batch, Dataset, Header, Table, digits, iris, mnist};
use chainrule::loss::{mean_squared_error, softmax_cross_entropy};
use chainrule::prelude::*;
use chainrule::progress::Silent;
use chainrule::tensor::io::{npy, safetensors};

fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    Linear::new(3).forward(&s.at("output"), x)
}

fn says<T>(result: Result<T, impl std::error::Error>, words: &[&str]) {
    let Err(error) = result else { panic!("no error, where {words:?} was expected") };
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[test]
fn formulas() {
    let g = Graph::new();
    let x = g.leaf("x", [[1.0, 2.0, 3.0]]);
    says(x.matmul(x).value(), &["[matmul]", "(1, 3)", "bad_input.rs:"]);
    says(x.sum(7).value(), &["axis 7", "bad_input.rs:"]);
    says(g.leaf("n", [1_i64]).exp().value(), &["[exp]", ".real()", "bad_input.rs:"]);
    let half = Tensor::from([1.0_f32]);
    says(half.add(&Tensor::from([1.0])), &["[add]", "f32", "f64", "cast"]);
    says(half.matmul(&half), &["[matmul]", "(1,)"]);
}

#[test]
fn datasets() {
    let x = Tensor::from([[1.0_f32, 2.0], [3.0, f32::NAN]]);
    says(Dataset::classification(x, Tensor::from([0_i64, 1]), 2), &["NaN", "row 1, column 1"]);
    let x = Tensor::from([[1.0_f32], [2.0]]);
    says(Dataset::classification(x.clone(), Tensor::from([0_i64, 5]), 3), &["position 1 is 5", "3 classes"]);
    says(Dataset::classification(x.clone(), Tensor::from([0_i64]), 3), &["features", "2", "1"]);
    let none = Tensor::zeros([0, 4], DType::F32);
    says(Dataset::regression(none.clone(), none), &["empty"]);
    says(iris().expect("embedded").batches(0), &["at least 1"]);
}

#[test]
fn labels_outside_the_classes_are_found_before_the_model_runs_and_when_it_does() {
    // Three scores, ten classes.
    let data = digits().and_then(|d| d.reshape_examples(&[-1])).expect("embedded");
    let trainer = Trainer::new(model, softmax_cross_entropy);
    says(
        trainer.fit(&mut Params::new(), &data, None, &mut Silent),
        &["3 outputs for each label", "10 classes", "bad_input.rs:"],
    );
    // A step of one's own knows no classes, only labels.
    let batch = data.batches(100).expect("a size").next().expect("a batch");
    let mut step = trainer.step(Params::new(), &batch, 100).expect("compiles");
    says(step.run(&batch), &["label", "is outside 0..3", "bad_input.rs:"]);
}

#[test]
fn a_loss_that_does_not_fit_the_data_names_lines_of_the_user() {
    let data = iris().expect("embedded");
    let line = line!() + 1;
    let trainer = Trainer::new(model, mean_squared_error);
    let mut params = Params::new();
    let trained = trainer.fit(&mut params, &data, None, &mut Silent).map(|_| ());
    let checked = trainer.check(&mut params, &data.select(&[0, 1, 2]).expect("rows"), 3).map(|_| ());
    let evaluated = trainer.evaluator().run(&params, &data).map(|_| ());
    for found in [trained, checked, evaluated] {
        let text = found.expect_err("classes are no numbers to fit").to_string();
        assert!(text.contains(&format!("bad_input.rs:{line}")) && !text.contains("/src/"), "{text}");
    }
}

#[test]
fn files() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    says(mnist(folder.path(), 10), &["train-images"]);
    fs::write(at("train-images-idx3-ubyte"), [0, 0, 8, 3, 0, 0, 0, 9]).expect("written");
    says(mnist(folder.path(), 10), &["train-images-idx3-ubyte", "IDX"]);
    says(Table::read(at("absent.csv"), Header::Names), &["absent.csv"]);
    fs::write(at("bad.csv"), "a,b\n1,2\n3,four\n").expect("written");
    let table = Table::read(at("bad.csv"), Header::Names).and_then(|t| t.regression(["b"]));
    says(table, &["bad.csv", "line 3", "four"]);

    says(npy::read(at("absent.npy")), &["absent.npy"]);
    fs::write(at("bad.npy"), b"\x93NUMPY\x01\x00").expect("written");
    says(npy::read(at("bad.npy")), &["bad.npy"]);

    says(Params::load(at("absent.safetensors")), &["absent.safetensors"]);
    let good: Params = [("w", Tensor::from([1.0_f32, 2.0]))].into_iter().collect();
    good.save(at("good.safetensors")).expect("saved");
    let bytes = fs::read(at("good.safetensors")).expect("read");
    for cut in [0, 4, 12, bytes.len() - 1] {
        fs::write(at("cut.safetensors"), &bytes[..cut]).expect("written");
        says(safetensors::read(at("cut.safetensors")), &["cut.safetensors", "safetensors"]);
    }
}

#[test]
fn parameters_of_another_model() {
    let data = iris().expect("embedded");
    let stored: Params = [("output.weight", Tensor::zeros([4, 5], DType::F32))].into_iter().collect();
    let trainer = Trainer::new(model, softmax_cross_entropy);
    let words = ["`output.weight` is stored with shape (4, 5)", "needs (4, 3)", "bad_input.rs:"];
    says(trainer.fit(&mut stored.clone(), &data, None, &mut Silent), &words);

    let mut own = Params::new();
    trainer.check(&mut own, &data.select(&[0, 60]).expect("rows"), 1).expect("sound");
    let words = ["model.safetensors", "`output.weight` is [4, 5]", "`output.bias` [3] is missing"];
    says(stored.expect(&own, "model.safetensors"), &words);
}

#[test]
fn batches_and_states_of_another_model() {
    let data = iris().expect("embedded");
    let batch = |size| data.batches(size).expect("a size").next().expect("a batch");
    let trainer = Trainer::new(model, softmax_cross_entropy).optimiser(Sgd::new(0.1));
    let mut step = trainer.step(Params::new(), &batch(10), 150).expect("compiles");
    says(step.run(&batch(7)), &["argument 0 (`features`)", "(10, 4)", "(7, 4)"]);
    let reals = Batch { targets: batch(10).targets.cast(DType::F32), ..batch(10) };
    says(step.run(&reals), &["argument 1 (`targets`)", "int(10,)", "real(10,)"]);

    let state = step.state();
    says(step.set_state(&[]), &["takes 3 states", "`output.weight`", "not 0"]);
    says(step.set_state(&state[..1]), &["takes 3 states", "`clock`", "not 1"]);
    let turned: Vec<Tensor> = [1, 0, 2].map(|i: usize| state[i].clone()).into();
    says(step.set_state(&turned), &["argument 0 (`output.weight`)", "real(4, 3)", "real(3,)"]);
    step.run(&batch(10)).expect("none of this has harmed it");

    says(trainer.evaluator().run(&Params::new(), &data), &["evaluate", "`output.weight` is missing"]);
}

#[test]
fn an_interrupted_save_leaves_the_old_file_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("model.safetensors");
    let params: Params = [("w", Tensor::from([1.0_f32]))].into_iter().collect();
    params.save(&file).expect("saved");
    let failing = chainrule::tensor::io::atomic_write(&file, |w| {
        std::io::Write::write_all(w, b"half").expect("buffered");
        Err::<(), _>(chainrule::tensor::Error::Value { op: "test", why: "interrupted".into() })
    });
    assert!(failing.is_err());
    assert_eq!(Params::load(&file).expect("whole"), params);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[test]
fn a_place_is_used_once_unless_sharing_is_said() {
    let g = Graph::new();
    let s = Scope::root(&g, Params::new(), Mode::Train, 1);
    let x = g.leaf("x", [[1.0, 2.0, 3.0, 4.0]]);
    let first = line!() + 1;
    let h = Linear::new(4).forward(&s, x);
    let words =
        ["[param]", "twice", "the root", "s.at(\"first\")", ".shared()", &format!("bad_input.rs:{first}:")];
    says(Linear::new(4).forward(&s, h).value(), &words);
    says(Linear::new(3).forward(&s, h).value(), &["twice", "s.at("]); // of whatever size
    let _ = Linear::new(4).forward(&s.at("a").at("b"), x);
    says(Linear::new(4).forward(&s.at("a").at("b"), x).value(), &["`weight`", "`a.b`", "twice"]);
    says(s.at("a").param("b.bias", [4], Init::Zeros).value(), &["`b.bias`", "`a`", "twice"]);
    // Said, but of another size.
    says(Linear::new(3).forward(&s.at("a").shared().at("b"), x).value(), &["shared", "(4, 4)", "(4, 3)"]);
    // Said: what is at and below the place is taken again.
    let known = s.params().len();
    let again = Linear::new(4).forward(&s.at("a").shared().at("b"), x);
    let own = s.params();
    assert_eq!(own.len(), known);
    let [w, b] = ["a.b.weight", "a.b.bias"].map(|path| g.constant(own.get(path).expect("drawn").clone()));
    assert_eq!(again.value().expect("a value"), (x.matmul(w) + b).value().expect("a value"));
    // A use that does not say so is refused even after one that did.
    let _ = Linear::new(4).forward(&s.at("c").shared(), x);
    says(Linear::new(4).forward(&s.at("c"), x).value(), &["twice"]);
}

#[test]
fn freezing() {
    fn stopped<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let h = Linear::new(4).forward(&s.at("body"), x).tanh().stop_gradient();
        Linear::new(3).forward(&s.at("head"), h)
    }
    let data = iris().expect("embedded");
    let trainer = || Trainer::new(stopped, softmax_cross_entropy).epochs(1);
    let mut params = Params::new();
    let fit = |trainer: Trainer<_, _>, params: &mut Params| trainer.fit(params, &data, None, &mut Silent);
    says(fit(trainer(), &mut params), &["body.weight", "stop_gradient", "Trainer::freeze(\"body\")"]);
    says(
        fit(trainer().freeze("bod"), &mut params),
        &["[freeze]", "`bod`", "body.weight, body.bias, head.weight"],
    );
    fit(trainer().freeze("body"), &mut params).expect("the head learns");
    assert_eq!(
        params.iter().map(|(path, _)| path).collect::<Vec<_>>(),
        ["body.weight", "body.bias", "head.weight", "head.bias"]
    );
}

#[test]
fn absurd_sizes() {
    let g = Graph::new();
    let s = Scope::root(&g, Params::new(), Mode::Train, 1);
    let x = g.leaf("x", [[1.0, 2.0]]);
    for units in [usize::MAX, usize::MAX / 2, 1 << 60] {
        let layer = Linear::new(units);
        let name = units.to_string();
        says(layer.clone().init(Init::Zeros).forward(&s.at(&name), x).value(), &["too many elements"]);
        says(layer.init(Init::Glorot).forward(&s.at(&name), x).value(), &["too many elements"]);
        for init in
            [Init::Zeros, Init::Constant(1.0), Init::Normal(1.0), Init::He, Init::Xavier, Init::Glorot]
        {
            says(init.draw(Key::new(1), [units]), &["too many elements"]);
            says(init.draw(Key::new(1), [units, 2, units]), &["too many elements"]);
        }
    }
}
