//! Rules about errors on the splits: the recipe of course 2, lectures 1.2 and 1.3, and course 3, lecture 2.5.

use super::super::chart::{Chart, Errors};
use super::super::{Finding, Illness};

/// A gap between two error rates that matters, absolute and as a share of the larger one.
const GAP: (f64, f64) = (0.03, 0.3);
/// Dev loss over its lowest, after which training longer only harms.
const RISEN: f64 = 1.5;
/// In that many epochs one after the other.
const EPOCHS: usize = 3;
/// Dev loss over training loss, below which a dev set is too easy. Dropout makes the training loss larger, too.
const TOO_GOOD: f64 = 0.3;

pub(super) fn judge(chart: &Chart, found: &mut Vec<Finding>) {
    if let Some(errors) = &chart.errors {
        gaps(errors, found);
    }
    let dev: Vec<f64> = chart.epochs.iter().filter_map(|(_, dev)| *dev).collect();
    let (Some((train, _)), Some(last)) = (chart.epochs.last(), dev.last()) else { return };
    if dev.len() < 5 || chart.errors.is_some() {
        return;
    }
    let (at, lowest) =
        dev.iter().enumerate().fold((0, f64::INFINITY), |a, b| if *b.1 < a.1 { (b.0, *b.1) } else { a });
    // One epoch may be an accident.
    let lately = dev.iter().rev().take(EPOCHS).copied().fold(f64::INFINITY, f64::min);
    if lately > RISEN * lowest && *last > 2.0 * train {
        let measured = format!(
            "the dev loss was {lowest:.3} in epoch {} and is {last:.3}, the training loss {train:.3}",
            at + 1
        );
        found.push(Finding::new(Illness::Overfits, last / lowest, measured));
    }
    let fallen = *train < 0.9 * chart.epochs[0].0;
    if *last < TOO_GOOD * train && fallen {
        let measured = format!("the dev loss is {last:.3}, the training loss {train:.3}");
        found.push(Finding::new(Illness::DevTooGood, last / train, measured));
    }
}

/// The first gap of the chain that matters, and all further ones.
fn gaps(e: &Errors, found: &mut Vec<Finding>) {
    let mut gap = |illness: Illness, from: Option<f64>, to: Option<f64>, what: &str| {
        let (Some(from), Some(to)) = (from, to) else { return };
        if to - from > GAP.0 && to - from > GAP.1 * to {
            let measured = format!("{what}: {from:.3} to {to:.3}");
            found.push(Finding::new(illness, to - from, measured));
        }
    };
    gap(
        Illness::Underfits,
        e.base.or(Some(0.0)).filter(|_| e.base.is_some()),
        e.train,
        "from base to training error",
    );
    gap(Illness::Overfits, e.train, e.train_dev.or(e.dev), "from training error to unseen data");
    gap(Illness::SplitsDiffer, e.train_dev, e.dev, "from train-dev to dev error");
    gap(Illness::DevOverused, e.dev, e.test, "from dev to test error");
    gap(Illness::DevTooGood, e.dev, e.train, "dev error is below training error");
}
