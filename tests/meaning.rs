use chainrule::data::{self, Dataset, Standardize};
use chainrule::loss::{self, Outputs, reads};
use chainrule::metric::Confusion;
use chainrule::prelude::*;
use chainrule::progress::Silent;

fn scaled(data: Dataset) -> Dataset {
    Standardize::fit(&data).and_then(|s| s.apply(&data)).expect("finite")
}

fn tumours() -> Dataset {
    scaled(data::breast_cancer().expect("embedded"))
}

fn flowers() -> Dataset {
    scaled(data::iris().expect("embedded"))
}

fn logit<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    Linear::new(1).forward(s, x)
}

fn probability<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    logit(s, x).sigmoid()
}

fn three<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    Linear::new(3).forward(s, x)
}

fn entropy<'g>(p: Var<'g>, y: Var<'g>) -> Var<'g> {
    loss::binary_cross_entropy(p, y.insert_axis(1))
}

fn entropy_of_logits<'g>(z: Var<'g>, y: Var<'g>) -> Var<'g> {
    loss::binary_cross_entropy_with_logits(z, y.insert_axis(1))
}

fn trained<M: Layer, L: Loss>(model: M, loss: L) -> (Trainer<M, L>, Params) {
    (Trainer::new(model, loss).optimiser(Sgd::new(0.1)).epochs(20), Params::new())
}

/// The accuracy after 20 epochs, which `fit` and the evaluator must agree on.
fn accuracy<M: Layer, L: Loss>(model: M, loss: L, data: &Dataset) -> f64 {
    let (trainer, mut params) = trained(model, loss);
    let history = trainer.fit(&mut params, data, Some(data), &mut Silent).expect("trains");
    let found = trainer.evaluator().accuracy(&params, data).expect("classes");
    assert_eq!(history.last("dev accuracy"), Some((20, found)));
    found
}

fn refusal<M: Layer, L: Loss>(model: M, loss: L, data: &Dataset) -> String {
    let (trainer, mut params) = trained(model, loss);
    let error = trainer.fit(&mut params, data, None, &mut Silent).expect_err("a clash");
    assert!(params.is_empty(), "found before the first epoch");
    error.to_string()
}

#[test]
fn probabilities_and_logits_of_one_model_have_one_accuracy() {
    let data = tumours();
    let of_logits = accuracy(logit, entropy_of_logits, &data);
    assert!((of_logits - 0.981).abs() < 0.002, "{of_logits}");
    assert_eq!(accuracy(probability, entropy, &data), of_logits);

    // The model's outputs are logits, what the loss reads are probabilities.
    fn inside<'g>(z: Var<'g>, y: Var<'g>) -> Var<'g> {
        loss::binary_cross_entropy(z.sigmoid(), y.insert_axis(1))
    }
    assert_eq!(accuracy(logit, inside, &data), of_logits);

    // Outputs (m,) against labels (m,); labels (m, 1).
    fn flat<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        probability(s, x).flatten()
    }
    assert_eq!(accuracy(flat, loss::binary_cross_entropy, &data), of_logits);
    let column = data.targets().reshape([-1, 1]).expect("a column");
    let column = Dataset::classification(data.features().clone(), column, 2).expect("sound");
    assert_eq!(accuracy(probability, loss::binary_cross_entropy, &column), of_logits);
}

#[test]
fn numbers_that_estimate_labels_name_the_nearest() {
    fn squares<'g>(p: Var<'g>, y: Var<'g>) -> Var<'g> {
        loss::mean_squared_error(p, y.insert_axis(1))
    }
    assert!(accuracy(probability, squares, &tumours()) > 0.95);
    assert!(accuracy(logit, squares, &flowers()) > 0.8, "species 0, 1, 2 as numbers");
    fn one_hot<'g>(p: Var<'g>, y: Var<'g>) -> Var<'g> {
        loss::mean_squared_error(p, y.one_hot(3).real())
    }
    assert!(accuracy(three, one_hot, &flowers()) > 0.7);
    fn independent<'g>(p: Var<'g>, y: Var<'g>) -> Var<'g> {
        loss::binary_cross_entropy(p.sigmoid(), y.one_hot(3).real())
    }
    assert!(accuracy(three, independent, &flowers()) > 0.7);
}

/// Labels (m, t): a class for each position, from the last axis.
#[test]
fn sequences_of_labels() {
    let features = Tensor::uniform(Key::new(1), [1000, 3, 2], -1.0..1.0, DType::F32).expect("a range");
    let first = features.slice(-1, 0..1, 1).and_then(|x| x.reshape([1000, 3])).expect("the first");
    let labels: Vec<i64> = first.to_vec::<f32>().expect("f32").iter().map(|x| i64::from(*x > 0.0)).collect();
    let data = Dataset::classification(features, Tensor::from_vec(labels, [1000, 3]).expect("shaped"), 2);
    let data = data.expect("sound");

    fn tagger<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        Linear::new(2).forward(s, x)
    }
    fn cost<'g>(z: Var<'g>, y: Var<'g>) -> Var<'g> {
        loss::softmax_cross_entropy(z.reshape([-1, 2]), y.flatten())
    }
    assert!(accuracy(tagger, cost, &data) > 0.9);
    let (trainer, mut params) = trained(tagger, cost);
    trainer.fit(&mut params, &data, None, &mut Silent).expect("trains");
    let result = trainer.evaluator().run(&params, &data).expect("runs");
    assert_eq!((result.outputs.shape(), result.classes.shape()), (&[1000, 3, 2][..], &[1000, 3][..]));

    // A loss of one's own that says nothing: a score for each class is enough.
    fn own<'g>(z: Var<'g>, y: Var<'g>) -> Var<'g> {
        -(z.log_softmax(2) * y.one_hot(2).real()).mean(..)
    }
    assert!(accuracy(tagger, own, &data) > 0.9);
    // One logit for each position.
    fn flags<'g>(z: Var<'g>, y: Var<'g>) -> Var<'g> {
        loss::binary_cross_entropy_with_logits(z, y.insert_axis(2))
    }
    assert!(accuracy(logit, flags, &data) > 0.9);
}

#[test]
fn a_clash_is_found_before_the_first_epoch() {
    let data = flowers();
    let text = refusal(logit, entropy_of_logits, &data);
    assert!(
        text.contains("2 classes apart") && text.contains("name 3") && text.contains("meaning.rs:"),
        "{text}"
    );
    fn two<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        Linear::new(2).forward(s, x)
    }
    let text = refusal(two, loss::softmax_cross_entropy, &data);
    assert!(text.contains("2 outputs for each label") && text.contains("3 classes"), "{text}");
    // The same for the dev part alone.
    let few = Dataset::classification(data.features().clone(), Tensor::zeros([150], DType::I64), 2);
    let (trainer, mut params) = trained(two, loss::softmax_cross_entropy);
    let error =
        trainer.fit(&mut params, &few.expect("sound"), Some(&data), &mut Silent).expect_err("3 classes");
    assert!(error.to_string().contains("2 classes") && error.to_string().contains("3 classes"), "{error}");
    assert!(params.is_empty());
}

#[test]
fn one_class_has_one_answer() {
    let data = Dataset::classification(Tensor::ones([4, 2], DType::F32), Tensor::zeros([4], DType::I64), 1);
    let data = data.expect("sound");
    assert_eq!(accuracy(logit, loss::softmax_cross_entropy, &data), 1.0);
    let (trainer, mut params) = trained(logit, loss::softmax_cross_entropy);
    trainer.fit(&mut params, &data, None, &mut Silent).expect("trains");
    let result = trainer.evaluator().run(&params, &data).expect("runs");
    let table = Confusion::new(&result.classes, data.targets(), 1).expect("one class");
    assert_eq!(table.accuracy(), 1.0);
}

#[test]
fn what_names_no_classes_is_not_counted() {
    // A loss of one's own over a single output, which may be anything.
    fn own<'g>(p: Var<'g>, y: Var<'g>) -> Var<'g> {
        (p - y.insert_axis(1).real()).abs().mean(..)
    }
    fn told<'g>(p: Var<'g>, y: Var<'g>) -> Var<'g> {
        reads(p, y, Outputs::Probabilities);
        own(p, y)
    }
    let data = tumours();
    assert!(accuracy(probability, told, &data) > 0.9);

    let (trainer, mut params) = trained(probability, own);
    let history = trainer.fit(&mut params, &data, Some(&data), &mut Silent).expect("trains");
    assert_eq!(history.names().collect::<Vec<_>>(), ["train loss", "dev loss"]);
    let result = trainer.evaluator().run(&params, &data).expect("runs");
    assert_eq!((result.classes.shape(), result.outputs.shape()), (&[0][..], &[569, 1][..]));
    let error = trainer.evaluator().accuracy(&params, &data).expect_err("unknown").to_string();
    assert!(error.contains("[accuracy]") && error.contains("loss::reads"), "{error}");

    // Outputs that have nothing to do with the labels, although there are as many as classes.
    fn rebuilt<'g>(z: Var<'g>, y: Var<'g>) -> Var<'g> {
        loss::mean_squared_error(z, z.stop_gradient() * 0.5) + y.real().mean(..) * 0.0
    }
    fn six<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        Linear::new(6).forward(s, x).reshape([-1, 2, 3])
    }
    let (trainer, mut params) = trained(six, rebuilt);
    let flowers = flowers();
    trainer.fit(&mut params, &flowers, Some(&flowers), &mut Silent).expect("trains");
    let result = trainer.evaluator().run(&params, &flowers).expect("runs");
    assert_eq!((result.classes.shape(), result.outputs.shape()), (&[0][..], &[150, 2, 3][..]));

    // In a vmap the loss sees no labels of the data's; a score for each class is still enough.
    fn each<'g>(z: Var<'g>, y: Var<'g>) -> Var<'g> {
        let one =
            |e: &[Var<'g>]| Ok(vec![loss::softmax_cross_entropy(e[0].insert_axis(0), e[1].insert_axis(0))]);
        match vmap(&[z, y], one) {
            Ok(losses) => losses[0].mean(..),
            Err(error) => z.fail(error),
        }
    }
    assert!(accuracy(three, each, &flowers) > 0.7);

    let numbers = Dataset::regression(
        data.features().clone(),
        data.targets().cast(DType::F32).insert_axis(1).expect("(m, 1)"),
    );
    let numbers = numbers.expect("sound");
    let (trainer, mut params) = trained(logit, loss::mean_squared_error);
    let trainer = trainer.optimiser(Adam::new(0.01));
    let history = trainer.fit(&mut params, &numbers, Some(&numbers), &mut Silent).expect("trains");
    assert!(history.last("dev accuracy").is_none() && history.last("dev loss").is_some());
    let error = trainer.evaluator().accuracy(&params, &numbers).expect_err("numbers").to_string();
    assert!(error.contains("numbers, not classes"), "{error}");
}
