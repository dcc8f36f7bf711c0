use chainrule::data::{self, Column, Dataset, Header, Standardize, Table};
use chainrule::loss::softmax_cross_entropy;
use chainrule::nn::Error;
use chainrule::prelude::*;
use chainrule::progress::Silent;

fn table(csv: &str) -> Table {
    Table::parse(csv.as_bytes(), "fruit.csv", Header::Names).expect("a table")
}

fn says<T>(result: Result<T, Error>, words: &[&str]) {
    let Err(error) = result else { panic!("no error, where {words:?} was expected") };
    for word in words {
        assert!(error.to_string().contains(word), "{word:?} is not in: {error}");
    }
}

fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let h = Linear::new(16).forward(&s.at("a"), x).tanh();
    Linear::new(3).forward(&s.at("b"), h)
}

const TRAIN: &str = "size,kind\n1,fig\n2,kiwi\n3,lime\n";
const TEST: &str = "size,kind\n2,kiwi\n3,lime\n";

#[test]
fn another_table_is_read_with_the_same_classes() {
    let train = table(TRAIN).classification(Column::Last).expect("a dataset");
    let test = table(TEST).classification_like(Column::Last, &train).expect("known classes");
    assert_eq!(test.targets().to_vec::<i64>().expect("labels"), [1, 2]);
    let trainer = Trainer::new(model, softmax_cross_entropy).optimiser(Adam::new(0.05)).epochs(400);
    let mut params = Params::new();
    trainer.fit(&mut params, &train, Some(&test), &mut Silent).expect("trains");
    assert_eq!(trainer.evaluator().accuracy(&params, &train), Ok(1.0));
    assert_eq!(trainer.evaluator().accuracy(&params, &test), Ok(1.0));

    // Read on its own it has other classes, and nothing takes them for the same.
    let alone = table(TEST).classification(Column::Last).expect("a dataset");
    let lists = ["[fig, kiwi, lime]", "[kiwi, lime]", "classification_like"];
    says(trainer.evaluator().accuracy(&params, &alone), &lists);
    says(trainer.fit(&mut Params::new(), &train, Some(&alone), &mut Silent), &lists);
    says(trainer.fit(&mut params.clone(), &alone, None, &mut Silent), &lists);
    says(trainer.check(&mut params.clone(), &alone, 1), &lists);
    let other = table("size,kind\n1,fig\n2,lemon\n3,lime\n").classification(Column::Last).expect("a dataset");
    says(trainer.evaluator().run(&params, &other), &["[fig, kiwi, lime]", "[fig, lemon, lime]"]);
    let unnamed =
        Dataset::classification(alone.features().clone(), alone.targets().clone(), 2).expect("sound");
    says(trainer.evaluator().run(&params, &unnamed), &["3 classes", "2 classes"]);

    let twice = Dataset::classification(alone.features().clone(), alone.targets().clone(), ["kiwi", "kiwi"]);
    says(twice, &["classes 0 and 1", "kiwi"]);

    let strange = table("size,kind\n2,kiwi\n3,lemon\n").classification_like(Column::Last, &train);
    says(strange, &["fruit.csv", "line 3", "\"kind\"", "lemon", "[fig, kiwi, lime]"]);
}

#[test]
fn parameters_keep_the_names_in_a_file() {
    let train = table(TRAIN).classification(Column::Last).expect("a dataset");
    let alone =
        table("size,kind\n1,apple\n2,kiwi\n3,lime\n").classification(Column::Last).expect("a dataset");
    let trainer = Trainer::new(model, softmax_cross_entropy).epochs(1);
    let mut params = Params::new();
    trainer.fit(&mut params, &train, None, &mut Silent).expect("trains");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fruit.safetensors");
    params.save(&path).expect("saved");
    let mut loaded = Params::load(&path).expect("its own file");
    assert_eq!(loaded.names(), params.names());
    says(trainer.evaluator().run(&loaded, &alone), &["[fig, kiwi, lime]", "[apple, kiwi, lime]"]);
    // Who means it says so.
    loaded = loaded.without_names();
    trainer.fit(&mut loaded, &alone, None, &mut Silent).expect("on other fruit");
    assert_eq!(loaded.names().classes().map(|c| c.names().join(" ")), Some("apple kiwi lime".into()));
}

#[test]
fn features_are_the_same_by_name_and_order() {
    let read = |csv: &str| table(csv).classification("kind").expect("a dataset");
    let train = read("size,mass,kind\n1,9,fig\n2,8,kiwi\n3,7,lime\n");
    let turned = "mass,size,kind\n9,1,fig\n8,2,kiwi\n7,3,lime\n";
    let trainer = Trainer::new(model, softmax_cross_entropy).epochs(1);
    let mut params = Params::new();
    trainer.fit(&mut params, &train, None, &mut Silent).expect("trains");
    let lists = ["[size, mass]", "[mass, size]"];
    says(trainer.evaluator().run(&params, &read(turned)), &lists);
    says(trainer.fit(&mut Params::new(), &train, Some(&read(turned)), &mut Silent), &lists);
    says(Standardize::fit(&train).and_then(|s| s.apply(&read(turned))), &lists);
    // Scaling keeps the names, and reading alike puts the columns in order.
    let scaled = Standardize::fit(&train).and_then(|s| s.apply(&train)).expect("finite");
    assert_eq!(scaled.names(), train.names());
    assert!(table(turned).classification_like("kind", &train).expect("the same features") == train);

    let more = "size,mass,age,kind\n1,9,0,fig\n";
    says(table(more).classification_like("kind", &train), &["besides [age]"]);
    says(table("size,kind\n1,fig\n").classification_like("kind", &train), &["lacks [mass]"]);
    let fees = table("size,fee,mass\n1,5,9\n").regression(["fee"]).expect("a dataset");
    let again = table("mass,fee,size\n9,5,1\n").regression_like(["fee"], &fees).expect("the same features");
    assert!(again == fees);
    // Who has no names is not compared.
    let plain = Dataset::classification(train.features().clone(), train.targets().clone(), 3).expect("sound");
    assert!(trainer.evaluator().run(&params, &plain).is_ok());
}

#[test]
fn parameters_that_nobody_takes_are_refused() {
    fn linear<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        Linear::new(3).forward(&s.at("out"), x)
    }
    let data = data::iris().expect("embedded");
    let trainer = Trainer::new(linear, softmax_cross_entropy).epochs(1);
    let fit = |trainer: &Trainer<_, _>, entries: &[&str]| {
        let shape = |path: &str| if path.ends_with("weight") { vec![4, 3] } else { vec![3] };
        let entry = |path: &&str| (path.to_string(), Tensor::ones(shape(path), DType::F32));
        let given: Params = entries.iter().map(entry).collect();
        let mut params = given.clone();
        let result = trainer.fit(&mut params, &data, None, &mut Silent);
        assert!(result.is_ok() || params == given, "nothing is lost");
        result.map(|_| params.iter().map(|(path, _)| path.to_owned()).collect::<Vec<_>>())
    };
    let trainer_of = || Trainer::new(linear, softmax_cross_entropy).epochs(1);
    let names = ["out.weight", "out.bias"];
    assert_eq!(fit(&trainer, &[]).expect("all are drawn"), names);
    assert_eq!(fit(&trainer, &["out.bias", "out.weight"]).expect("all are given"), names);
    let both = ["`net.out.weight`", "`net.out.bias`", "`out.weight`", "`out.bias`", "missing", "has no"];
    says(fit(&trainer, &["net.out.weight", "net.out.bias"]), &both);
    says(fit(&trainer, &["out.weight", "out.bias", "old.bias"]), &["has no `old.bias`"]);
    says(fit(&trainer, &["out.weight"]), &["`out.bias` is missing", "draw_missing"]);
    let drawing = trainer_of().draw_missing(true);
    assert_eq!(fit(&drawing, &["out.weight"]).expect("the bias is drawn"), names);
    says(fit(&drawing, &["net.out.weight"]), &["has no `net.out.weight`"]);
    let mut strange: Params = [("net.out.weight", Tensor::ones([4, 3], DType::F32))].into_iter().collect();
    says(trainer.check(&mut strange, &data, 1), &["net.out.weight", "out.bias"]);
    says(trainer.evaluator().run(&strange, &data), &["`out.weight`", "`out.bias`", "`net.out.weight`"]);
}
