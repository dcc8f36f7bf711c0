use std::path::Path;
use std::sync::Arc;

use chainrule::data::{Augment, Classes, Dataset, Source, digits, iris};
use chainrule::loss::{mean_squared_error, softmax_cross_entropy};
use chainrule::nn::{Error, Result};
use chainrule::prelude::*;
use chainrule::progress::Silent;

fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let h = Linear::new(8).forward(&s.at("hidden"), x).tanh();
    let h = Dropout::keep(0.8).forward(&s.at("drop"), h);
    Linear::new(3).forward(&s.at("output"), h)
}

type Plain = for<'g> fn(&Scope<'g>, Var<'g>) -> Var<'g>;
type Cost = for<'g> fn(Var<'g>, Var<'g>) -> Var<'g>;

fn trainer() -> Trainer<Plain, Cost> {
    Trainer::new(model as Plain, softmax_cross_entropy as Cost).batch_size(16).epochs(3).seed(5)
}

/// Parameters and losses, in memory or read.
fn trained(trainer: &Trainer<Plain, Cost>, data: &Dataset, read: bool) -> (Params, History) {
    let mut params = Params::new();
    let history = if read {
        trainer.fit_source(&mut params, Arc::new(data.clone()), Some(data), &mut Silent)
    } else {
        trainer.fit(&mut params, data, Some(data), &mut Silent)
    };
    (params, history.expect("trains"))
}

fn same(a: &(Params, History), b: &(Params, History)) -> bool {
    a.0.iter().eq(b.0.iter()) && a.1 == b.1
}

#[test]
fn what_is_read_trains_to_the_bits_of_memory() {
    let iris = iris().expect("embedded");
    let held = trained(&trainer(), &iris, false);
    for ahead in [0, 3] {
        assert!(same(&held, &trained(&trainer().ahead(ahead), &iris, true)), "{ahead} ahead");
    }
    let several = || trainer().accumulate(3).keep(1);
    assert!(same(&trained(&several(), &iris, false), &trained(&several(), &iris, true)), "several batches");
    let images = digits().and_then(|d| d.select(&(0..100).collect::<Vec<_>>())).expect("embedded");
    fn flat<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        Linear::new(10).forward(s, Flatten.forward(s, x))
    }
    let changed = |ahead: usize| {
        let trainer = Trainer::new(flat as Plain, softmax_cross_entropy as Cost).batch_size(16).epochs(2);
        trainer.augment(Augment::new().shift(1).noise(0.1)).ahead(ahead)
    };
    let held = trained(&changed(0), &images, false);
    assert!(
        same(&held, &trained(&changed(0), &images, true))
            && same(&held, &trained(&changed(2), &images, true))
    );
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path());
    let mut files: Vec<_> = entries
        .map(|p| {
            (p.file_name().expect("named").to_string_lossy().into_owned(), std::fs::read(&p).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_run_on_what_is_read_goes_on_within_an_epoch() {
    let iris = iris().expect("embedded");
    let [whole, broken] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let saved = |folder: &Path| trainer().ahead(2).checkpoints(Checkpoints::to(folder).every(1));
    let source = || Arc::new(iris.clone());
    saved(whole.path()).fit_source(&mut Params::new(), source(), None, &mut Silent).expect("trains");
    // An epoch has ten batches.
    for steps in [7, 1, 6] {
        let trainer = saved(broken.path());
        let mut run = trainer.start_source(Params::new(), source(), None).expect("starts");
        (0..steps).for_each(|_| assert!(run.step().expect("a step").is_some()));
    }
    let trainer = saved(broken.path());
    let mut run = trainer.start_source(Params::new(), source(), None).expect("starts");
    assert_eq!(run.step().expect("a step").map(|s| (s.epoch, s.batch)), Some((2, 5)));
    drop(run);
    saved(broken.path()).fit_source(&mut Params::new(), source(), None, &mut Silent).expect("trains");
    assert!(files(whole.path()) == files(broken.path()));

    let others = iris.select(&(0..149).collect::<Vec<_>>()).expect("rows");
    let refused = saved(broken.path()).fit_source(&mut Params::new(), Arc::new(others), None, &mut Silent);
    assert!(refused.expect_err("other data").to_string().contains("the data are others"));
}

/// Ten examples, of which one cannot be read, with labels or without classes.
struct Odd(Option<usize>);

impl Source for Odd {
    fn examples(&self) -> usize {
        10
    }
    fn read(&self, row: usize) -> Result<(Tensor, Tensor)> {
        match row {
            8 => Err(Error::argument("camera", "it is dark")),
            _ => Ok((Tensor::from([row as f32, 1.0]), Tensor::from(row as i64 % 3))),
        }
    }
    fn classes(&self) -> Option<Classes> {
        self.0.map(Classes::from)
    }
}

#[test]
fn what_cannot_be_trained_on_is_told() {
    let told = |source: Odd| {
        let trained =
            trainer().batch_size(4).fit_source(&mut Params::new(), Arc::new(source), None, &mut Silent);
        trained.expect_err("cannot be").to_string()
    };
    assert_eq!(told(Odd(Some(3))), "row 8 (from 0): [camera] it is dark");
    assert!(told(Odd(None)).contains("Source::classes"), "{}", told(Odd(None)));
    assert!(told(Odd(Some(2))).contains("the label at position 2 is 2"), "{}", told(Odd(Some(2))));
    let none =
        trainer().batch_size(0).fit_source(&mut Params::new(), Arc::new(Odd(Some(3))), None, &mut Silent);
    assert!(none.expect_err("no size").to_string().contains("size of at least 1"));
}

#[test]
fn plans_are_kept_up_to_a_bound_and_forgotten_when_asked() {
    let iris = iris().expect("embedded");
    // The last batch of an epoch has 6 of 150.
    let (one, two) = (trainer().keep(1), trainer());
    let mut runs = [&one, &two].map(|t| t.start(Params::new(), &iris, Some(&iris)).expect("starts"));
    for epoch in 0..3 {
        let losses =
            runs.each_mut().map(|run| run.next().expect("an epoch").expect("trains").get("train loss"));
        assert_eq!(losses[0], losses[1], "{epoch}");
        assert_eq!(runs.each_ref().map(|run| run.plans()), [1, 2]);
        if epoch == 0 {
            runs.iter_mut().for_each(|run| run.clear());
            assert_eq!(runs.each_ref().map(|run| run.plans()), [1, 1]);
        }
    }
    let params = runs[0].params().clone();
    let mut evaluator = two.evaluator().keep(1);
    let once = evaluator.run(&params, &iris).expect("runs").loss;
    evaluator.clear();
    assert_eq!(evaluator.run(&params, &iris).expect("runs").loss, once);
    // Examples of another shape are another signature.
    fn mean<'g>(_: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        x.mean(keep(1))
    }
    let trainer = Trainer::new(mean as Plain, mean_squared_error as Cost);
    let mut evaluator = trainer.evaluator();
    let mut losses = Vec::new();
    for width in [3, 5] {
        let (x, y) = (Tensor::ones([4, width], DType::F32), Tensor::zeros([4, 1], DType::F32));
        let data = Dataset::regression(x, y).expect("data");
        losses.push(evaluator.run(&Params::new(), &data).expect("runs").loss);
    }
    assert_eq!(losses[0], losses[1]);
}
