//! Rules about inputs and labels.

use super::super::chart::{Chart, DataFacts};
use super::super::{Finding, Illness};
use super::mean;

/// A column whose root mean square is above is not normalised: raw flower measures (up to 6) are learnt from, 0 to 255 not.
const LARGE: f64 = 10.0;
/// All columns below are too small for the usual initial weights.
const SMALL: f64 = 0.01;
/// The smallest column may be that much smaller than the largest. Images have pixels that rarely light up, so this asks
/// for columns off 0, too.
const CONSTANT_SHARE: f64 = 0.25;
/// Tables narrower than this have no column that is constant with reason; wider ones may be images.
const TABLE: usize = 32;
/// The share of the smallest class, in equal shares (cleanlab: 0.1).
const SHARE: f64 = 0.1;
/// The mean entropy of the labels in a batch, of that of batches drawn at random.
const ORDER: f64 = 0.5;
/// The share of dev rows that are training rows; iris has 3 equal rows of 150.
const SHARED: f64 = 0.1;

pub(super) fn judge(chart: &Chart, found: &mut Vec<Finding>) {
    if let Some(facts) = &chart.data {
        inputs(facts, found);
        labels(facts, found);
        order(chart, facts, found);
    }
    if let Some((both, rows)) = chart.shared_rows {
        let share = both as f64 / rows.max(1) as f64;
        if share > SHARED && both >= 3 {
            let measured = format!("{both} of {rows} dev rows are training rows");
            found.push(Finding::new(Illness::DuplicatesAcross, share, measured));
        }
    }
}

fn inputs(facts: &DataFacts, found: &mut Vec<Finding>) {
    if facts.not_finite > 0 {
        let measured = format!("{} values of the features", facts.not_finite);
        found.push(Finding::new(Illness::InputsNotFinite, facts.not_finite as f64, measured));
    }
    if facts.columns.is_empty() || facts.whole_numbers {
        return;
    }
    let constant: Vec<usize> =
        facts.columns.iter().enumerate().filter(|(_, c)| c.1 <= 1e-7 * c.0.abs()).map(|(i, _)| i).collect();
    let share = constant.len() as f64 / facts.columns.len() as f64;
    if share > CONSTANT_SHARE || (!constant.is_empty() && facts.columns.len() < TABLE) {
        let measured = format!(
            "{} of {} columns, the first being column {}",
            constant.len(),
            facts.columns.len(),
            constant[0]
        );
        found.push(Finding::new(Illness::InputsConstant, share, measured));
    }
    let rms = |c: &(f64, f64)| c.0.hypot(c.1);
    let (widest, most) =
        facts.columns.iter().map(rms).enumerate().fold((0, 0.0), |a, b| if b.1 > a.1 { b } else { a });
    if most > LARGE || (most < SMALL && most > 0.0) {
        let measured = format!("the root mean square of column {widest} is {most:.3e}");
        found.push(Finding::new(Illness::InputsNotNormalised, most, measured));
    }
}

fn labels(facts: &DataFacts, found: &mut Vec<Finding>) {
    let total: usize = facts.counts.iter().sum();
    if let Some((class, least)) = facts.counts.iter().enumerate().min_by_key(|(_, n)| **n)
        && facts.counts.len() > 1
        && total > 0
    {
        let share = *least as f64 * facts.counts.len() as f64 / total as f64;
        if share < SHARE {
            let measured = format!("class {class} has {least} of {total} examples");
            found.push(Finding::new(Illness::LabelsImbalanced, share, measured));
        }
    }
    // Targets far from 0, in their own spread: the last bias has a long way.
    if let Some((middle, deviation)) = facts.targets
        && middle.abs() > 5.0 * deviation
        && middle.abs() > 5.0
    {
        let measured = format!("the targets are {middle:.3e} ± {deviation:.3e}, and outputs start near 0");
        found.push(Finding::new(Illness::OutputBias, middle, measured));
    }
}

fn order(chart: &Chart, facts: &DataFacts, found: &mut Vec<Finding>) {
    let total = facts.counts.iter().sum::<usize>() as f64;
    let shares: Vec<f64> = facts.counts.iter().filter(|n| **n > 0).map(|n| *n as f64 / total).collect();
    let whole: f64 = shares.iter().map(|p| -p * p.ln()).sum();
    let batches = &chart.label_entropies;
    // Batches at random have a little less than all labels; the sum below is only for those that are suspect.
    if batches.len() < 4 || whole < 0.1 || mean_of(batches, |b| b.1) >= ORDER * whole {
        return;
    }
    let share = mean_of(batches, |b| b.1) / mean_of(batches, |b| at_random(b.0, &shares));
    if share < ORDER {
        let measured =
            format!("labels of a batch have {:.0} % of the entropy of random batches", 100.0 * share);
        found.push(Finding::new(Illness::LabelsInOrder, share, measured));
    }
}

fn mean_of(batches: &[(usize, f64)], of: impl Fn(&(usize, f64)) -> f64) -> f64 {
    mean(&batches.iter().map(of).collect::<Vec<f64>>())
}

/// The mean entropy of the labels of `n` examples that are drawn at random: of each class there are j by the binomial law.
fn at_random(n: usize, shares: &[f64]) -> f64 {
    let of = |p: f64| {
        let (mut ln_chance, mut sum) = (n as f64 * (-p).ln_1p(), 0.0);
        for j in 0..n {
            // From the chance of j to that of j + 1.
            ln_chance += ((n - j) as f64 / (j + 1) as f64).ln() + p.ln() - (-p).ln_1p();
            let q = (j + 1) as f64 / n as f64;
            sum -= ln_chance.exp() * q * q.ln();
        }
        sum
    };
    shares.iter().filter(|p| **p < 1.0).map(|p| of(*p)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_batches_have_the_entropy_of_the_binomial_law() {
        // Two labels of one half: none differs in half of the cases, and else they are one each.
        assert!((at_random(2, &[0.5, 0.5]) - 0.5 * 2.0_f64.ln()).abs() < 1e-12);
        // Large batches have that of all labels, but for (K − 1) / 2n (Miller 1955).
        let shares = [0.2, 0.3, 0.5];
        let whole: f64 = shares.iter().map(|p: &f64| -p * p.ln()).sum();
        assert!((at_random(1000, &shares) - whole + 2.0 / 2000.0).abs() < 1e-5);
    }
}
