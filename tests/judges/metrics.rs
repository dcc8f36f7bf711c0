//! Metrics against scikit-learn's values (sklearn_metrics.py), for every way of splitting the examples into batches.

use chainrule::metric::{Confusion, Deviations, Ranking, top_k_accuracy};
use chainrule::prelude::{Key, Tensor};

fn integers(x: &[f64]) -> Tensor {
    Tensor::from(&x.iter().map(|x| *x as i64).collect::<Vec<_>>()[..])
}

fn close(kind: &str, found: &[f64], right: &[f64], by: f64) {
    assert_eq!(found.len(), right.len(), "{kind}");
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= by * b.abs().max(1.0);
    assert!(found.iter().zip(right).all(near), "{kind}: {found:?}, not {right:?}");
}

/// The values of a kind for examples that come in batches between `cuts`.
fn values(kind: &str, x: &[f64], y: &[f64], cuts: &[usize]) -> Vec<f64> {
    let ends = cuts.iter().copied().chain([y.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    let parts = starts.zip(ends);
    match kind {
        "ranking" => {
            let mut all = Ranking::new();
            for (from, to) in parts {
                let mut part = Ranking::new();
                part.add(&Tensor::from(&x[from..to]), &integers(&y[from..to])).expect("yes and no");
                all.merge(&part);
            }
            vec![
                all.roc_auc().expect("both"),
                all.average_precision().expect("both"),
                all.log_loss().expect("probabilities"),
                all.brier().expect("probabilities"),
            ]
        }
        "classes" => {
            let classes = 1 + y.iter().chain(x).fold(0.0_f64, |most, y| most.max(*y)) as usize;
            let mut all: Option<Confusion> = None;
            for (from, to) in parts.filter(|(from, to)| from < to) {
                let (p, y) = (integers(&x[from..to]), integers(&y[from..to]));
                match &mut all {
                    Some(all) => all.add(&p, &y).expect("classes"),
                    None => all = Some(Confusion::new(&p, &y, classes).expect("classes")),
                }
            }
            let all = all.expect("examples");
            let whole = [all.accuracy(), all.balanced_accuracy(), all.kappa(), all.matthews()];
            let each = |f: &dyn Fn(usize) -> Option<f64>| {
                (0..classes).map(|c| f(c).unwrap_or(0.0)).collect::<Vec<_>>()
            };
            let of_classes = [
                each(&|c| all.f_beta(c, 2.0)),
                each(&|c| all.scores(c).precision),
                each(&|c| all.scores(c).recall),
                each(&|c| all.overlap(c)),
            ];
            whole.into_iter().chain(of_classes.concat()).collect()
        }
        "top" => {
            let classes = x.len() / y.len();
            let scores = Tensor::from(x).reshape([y.len(), classes]).expect("rows");
            vec![top_k_accuracy(&scores, &integers(y), 2).expect("scores")]
        }
        "regression" => {
            let mut all = Deviations::new();
            for (from, to) in parts {
                let mut part = Deviations::new();
                part.add(&Tensor::from(&x[from..to]), &Tensor::from(&y[from..to])).expect("numbers");
                all.merge(&part);
            }
            [
                all.mean_absolute(),
                all.mean_squared(),
                all.root_mean_squared(),
                all.mean_relative(),
                all.greatest(),
                all.r_squared(),
                all.explained_variance(),
                all.correlation(),
            ]
            .map(|value| value.expect("examples"))
            .into()
        }
        other => panic!("no metric is of kind {other}"),
    }
}

fn rows() -> Vec<(String, [Vec<f64>; 3])> {
    let row = |line: &str| {
        let mut fields = line.split('|');
        let kind = fields.next().expect("a kind").to_owned();
        let numbers = fields.map(|f| f.split(' ').map(|x| x.parse().expect("a number")).collect());
        (kind, numbers.collect::<Vec<Vec<f64>>>().try_into().expect("three lists"))
    };
    include_str!("data/metrics.txt").lines().map(row).collect()
}

#[test]
fn metrics_have_the_values_of_scikit_learn() {
    for (kind, [x, y, right]) in rows() {
        close(&kind, &values(&kind, &x, &y, &[]), &right, 1e-12);
    }
}

#[test]
fn metrics_do_not_depend_on_the_batches() {
    for (row, (kind, [x, y, _])) in rows().iter().enumerate() {
        let whole = values(kind, x, y, &[]);
        for seed in 0..20 {
            let places = Key::new(seed).at(row as u64).permutation(y.len() + 1).expect("few rows");
            // Also a batch of nothing.
            let mut cuts = [places[0]].repeat(usize::from(seed < 2));
            cuts.extend(&places[..places.len().min(seed as usize % 6)]);
            cuts.sort_unstable();
            close(kind, &values(kind, x, y, &cuts), &whole, 1e-12);
        }
    }
}
