use chainrule::data::{Dataset, iris};
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::Trials;
use chainrule::nn::{Error, Result};
use chainrule::prelude::*;
use chainrule::progress::Silent;
use chainrule::search::{Search, Space};

fn space() -> Space {
    Space::new()
        .log("rate", 1e-5..1.0)
        .linear("keep", 0.5..1.0)
        .whole("units", 4..=6)
        .choice("layers", [1.0, 3.0])
}

fn tried(search: &Search, name: &str) -> Vec<f64> {
    search.tried.iter().map(|(point, _)| point.get(name).expect("searched")).collect()
}

#[test]
fn random_points_are_even_on_their_scales() {
    let n = 2000;
    let found =
        space().random(n, Key::new(3), |point| Ok::<_, Error>(point.get("rate")?.log10())).expect("measured");
    let below = |values: &[f64], limit: f64| values.iter().filter(|v| **v < limit).count() as f64 / n as f64;
    let near =
        |share: f64, expected: f64| assert!((share - expected).abs() < 0.045, "{share}, not {expected}");
    let rates = tried(&found, "rate");
    assert!(rates.iter().all(|rate| (1e-5..1.0).contains(rate)));
    (1..5).for_each(|i| near(below(&rates, 10_f64.powi(i - 5)), f64::from(i) / 5.0));
    let keep = tried(&found, "keep");
    assert!(keep.iter().all(|keep| (0.5..1.0).contains(keep)));
    near(below(&keep, 0.6), 0.2);
    let (units, layers) = (tried(&found, "units"), tried(&found, "layers"));
    assert!(
        units.iter().all(|u| [4.0, 5.0, 6.0].contains(u)) && layers.iter().all(|l| [1.0, 3.0].contains(l))
    );
    (0..3).for_each(|i| near(below(&units, 4.5 + f64::from(i)), f64::from(i + 1) / 3.0));
    near(below(&layers, 2.0), 0.5);
    // Hyperparameters are independent, and more points go on where fewer end.
    near(
        rates.iter().zip(&keep).filter(|(r, k)| **r < 1e-3 && **k < 0.7).count() as f64 / n as f64,
        0.4 * 0.4,
    );
    let few = space().random(20, Key::new(3), |_| Ok::<_, Error>(0.0)).expect("measured");
    assert!(few.tried.iter().zip(&found.tried).all(|(a, b)| a.0 == b.0));
    let (lowest, highest) = (found.lowest().expect("points"), found.highest().expect("points"));
    assert!(found.tried.iter().all(|(_, v)| (lowest.1..=highest.1).contains(v)));
}

#[test]
fn a_grid_has_all_combinations() {
    let found =
        space().grid(3, |point| Ok::<_, Error>(point.iter().map(|(_, v)| v).sum())).expect("measured");
    assert_eq!(found.tried.len(), 3 * 3 * 3 * 2);
    let mut rates = tried(&found, "rate");
    rates.dedup();
    assert_eq!(rates.len(), 3);
    for (found, right) in rates.iter().zip([1e-5, 10_f64.powf(-2.5), 1.0]) {
        assert!((found / right - 1.0).abs() < 1e-12);
    }
    let wide = Space::new().whole("units", 1..=2).grid(7, |_| Ok::<_, Error>(0.0)).expect("measured");
    assert_eq!(tried(&wide, "units"), [1.0, 2.0]);
    let middle = Space::new().log("rate", 1e-4..1.0).grid(1, |_| Ok::<_, Error>(0.0)).expect("measured");
    assert!((tried(&middle, "rate")[0] - 1e-2).abs() < 1e-12);
    let text = found.to_string();
    assert_eq!(text.lines().count(), 55);
    let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
    assert!(widths.iter().all(|w| *w == widths[0]) && text.contains("1.000e-5"), "{text}");
    let picture = found.plot("loss").expect("a picture");
    assert!(picture.svg().contains("log10 rate") && picture.svg().contains("layers"));
}

#[test]
fn what_diverged_is_not_the_best_and_nonsense_is_refused() {
    let found = Space::new().linear("x", 0.0..1.0).random(50, Key::new(1), |point| {
        let x = point.get("x")?;
        Ok::<_, Error>(if x < 0.5 { f64::NAN } else { x })
    });
    let found = found.expect("measured");
    assert!(found.lowest().expect("some").1 >= 0.5 && found.highest().expect("some").1 >= 0.5);
    let text = |space: Space| {
        let error = space.random(1, Key::new(1), |_| Ok::<_, Error>(0.0)).expect_err("refused");
        assert!(space.grid(2, |_| Ok::<_, Error>(0.0)).is_err());
        error.to_string()
    };
    assert!(text(Space::new()).contains("nothing to search"));
    assert!(text(Space::new().log("rate", 0.0..1.0)).contains("not positive"));
    assert!(text(Space::new().linear("keep", 1.0..1.0)).contains("`keep`: the range 1.0..1.0 is empty"));
    #[allow(clippy::reversed_empty_ranges)]
    let empty = Space::new().whole("units", 5..=4);
    assert!(text(empty).contains("is empty"));
    assert!(text(Space::new().choice("layers", [])).contains("nothing to choose"));
    assert!(
        text(Space::new().linear("x", 0.0..1.0).log("x", 0.1..1.0))
            .contains("two hyperparameters are called `x`")
    );
    assert!(space().grid(0, |_| Ok::<_, Error>(0.0)).is_err());
    assert!(space().grid(usize::MAX, |_| Ok::<_, Error>(0.0)).is_err());
    let error = space().random(1, Key::new(1), |point| point.get("depth")).expect_err("unknown");
    assert!(
        error.to_string().contains("`depth` is not searched; there are rate, keep, units, layers"),
        "{error}"
    );
    let mut calls = 0;
    let stopped = space().random(9, Key::new(1), |_| {
        calls += 1;
        if calls == 3 { Err(Error::argument("test", "no")) } else { Ok(0.0) }
    });
    assert!(stopped.is_err() && calls == 3);
}

fn data() -> [Dataset; 2] {
    iris().and_then(|d| d.split_stratified([0.7, 0.3], Key::new(1))).expect("splits")
}

fn trainer(seed: u64) -> Trainer<Linear, impl Loss> {
    Trainer::new(Linear::new(3), softmax_cross_entropy)
        .optimiser(Adam::new(0.05))
        .epochs(4)
        .batch_size(32)
        .seed(seed)
}

#[test]
fn several_seeds_are_the_runs_of_each() -> Result<()> {
    let [train, dev] = data();
    let all = trainer(99).with_seeds([3, 5, 8], &train, Some(&dev), &mut Silent)?;
    let mut losses = Vec::new();
    for (found, seed) in all.runs.iter().zip([3, 5, 8]) {
        let mut params = Params::new();
        let history = trainer(seed).fit(&mut params, &train, Some(&dev), &mut Silent)?;
        assert!(found.0 == seed && found.1.to_csv() == history.to_csv() && found.2 == params);
        losses.push(history.last("dev loss").expect("an epoch").1);
    }
    assert_eq!(all.last("dev loss"), Trials(losses.clone()));
    assert!(all.lowest("dev loss").mean() <= all.last("dev loss").mean());
    assert!(all.highest("dev accuracy").mean() >= all.last("dev accuracy").mean());
    assert!(all.last("no such series").mean().is_nan());
    let mean = all.mean().last("dev loss").expect("an epoch");
    assert_eq!(mean, (4, losses.iter().sum::<f64>() / 3.0));
    let text = all.to_string();
    assert!(
        text.contains(&format!("dev loss      {:.4}", all.last("dev loss"))) && text.ends_with("3 seeds"),
        "{text}"
    );
    let none = trainer(1).with_seeds([], &train, None, &mut Silent).map(drop).expect_err("no seeds");
    assert!(none.to_string().contains("no seeds"));
    let folder = tempfile::tempdir().expect("a folder");
    let saving = trainer(1).checkpoints(Checkpoints::to(folder.path()));
    let error = saving.with_seeds([1, 2], &train, None, &mut Silent).map(drop).expect_err("one folder");
    assert!(error.to_string().contains("one run's"), "{error}");
    Ok(())
}
