//! Rules about the loss, step by step.

use super::super::chart::Chart;
use super::super::{Finding, Illness};
use super::{mean, median};

/// What a cross-entropy may be at the start beyond ln K: scores of standard deviation s add s²/2 to it, He's about 1 or 2, and
/// these are 3.5 wide.
const START: f64 = 6.0;
/// A loss at the end above this share of the start has not fallen (TheDeepChecker: 5 % per window).
const FALLEN: f64 = 0.98;
/// A fall of this many standard errors is none by chance.
const SURE: f64 = 3.0;
/// A start below that share of a constant answer's loss is one.
const NEAR: f64 = 1.1;
/// Steps below which nothing is said of a course.
const STEPS: usize = 40;
/// The loss at the end over its start and over its lowest (TheDeepChecker: twice the minimum).
const DIVERGES: f64 = 2.0;
/// A spike over the mean of the ten steps before (Lightning: 2; batches differ by more), and over the worst of the first ten,
/// which knew nothing: a hard batch is less.
const SPIKE: (f64, f64) = (5.0, 1.5);
/// The share of changes that turn back, and in standard errors of what it is for independent batches: 2/3, with a variance of
/// 16/90 for each change (Kendall 1973).
const TURNS: (f64, f64) = (0.85, 4.0);
/// Mean change over mean loss that counts as oscillating.
const AMPLITUDE: f64 = 0.1;
/// The penalty over the loss without it, at the end.
const PENALTY: f64 = 2.0;

/// The means of the first and the last tenth.
fn ends(losses: &[f64]) -> (f64, f64) {
    let n = (losses.len() / 10).max(1);
    (mean(&losses[..n.min(losses.len())]), mean(&losses[losses.len().saturating_sub(n)..]))
}

/// Whether the loss has become smaller, or too few steps are known.
pub(super) fn fell(chart: &Chart) -> bool {
    let losses: Vec<f64> = chart.losses.iter().map(|l| l.1).collect();
    losses.len() < STEPS || falls(&losses, (losses.len() / 10).max(1))
}

/// Whether the mean of the last `n` losses is below that of the first by more than batches differ.
fn falls(losses: &[f64], n: usize) -> bool {
    let (start, end, error) = fall(losses, n);
    end < FALLEN * start && start - end > SURE * error
}

/// Whether the mean of the last `n` losses is that of the first, and would show if it were not.
fn is_flat(losses: &[f64], n: usize) -> bool {
    let (start, end, error) = fall(losses, n);
    end - SURE * error > FALLEN * start
}

/// The means of the first and of the last `n` losses, and the standard error of their difference.
fn fall(losses: &[f64], n: usize) -> (f64, f64, f64) {
    // Half the mean square of the changes is the variance of one loss, whatever the course does slowly.
    let noise = losses.windows(2).map(|w| (w[1] - w[0]).powi(2)).sum::<f64>() / (2 * losses.len()) as f64;
    (mean(&losses[..n]), mean(&losses[losses.len() - n..]), (2.0 * noise / n as f64).sqrt())
}

/// The mean loss of the best answer that does not look at the input, the entropy of the labels, if it can be told: for a
/// cross-entropy that starts where one does.
fn constant_answer(chart: &Chart, first: f64) -> Option<f64> {
    let counts = &chart.data.as_ref()?.counts;
    let total = counts.iter().sum::<usize>() as f64;
    let shares = counts.iter().filter(|n| **n > 0).map(|n| *n as f64 / total);
    (first <= highest_start(chart.entropy_of?)).then(|| shares.map(|p| -p * p.ln()).sum())
}

fn highest_start(classes: usize) -> f64 {
    (classes.max(2) as f64).ln() + START
}

pub(super) fn judge(chart: &Chart, found: &mut Vec<Finding>) {
    let Some((first_step, first)) = chart.losses.first().copied() else { return };
    if let Some((step, loss)) = chart.losses.iter().find(|(_, l)| !l.is_finite()) {
        let finding = Finding::new(Illness::NotFinite, *loss, format!("the loss is {loss}"));
        found.push(finding.in_step(*step));
    }
    if let Some(k) = chart.entropy_of
        && first_step == 0
        && first - penalty_at(chart, 0) > highest_start(k)
    {
        let chance = (k.max(2) as f64).ln();
        let measured = format!("{first:.3}, where {k} classes by chance have {chance:.3}");
        found.push(Finding::new(Illness::StartLoss, first, measured).in_step(0));
    }
    if let (Some((step, penalty)), Some((_, loss))) = (chart.penalties.last(), chart.losses.last()) {
        let share = penalty / (loss - penalty).max(f64::MIN_POSITIVE);
        if share > PENALTY {
            let measured = format!("the penalty is {share:.1} times the loss without it");
            found.push(Finding::new(Illness::PenaltyDominates, share, measured).in_step(*step));
        }
    }
    let losses: Vec<f64> = chart.losses.iter().map(|l| l.1).filter(|l| l.is_finite()).collect();
    if losses.len() >= STEPS {
        course(chart, &losses, found);
    }
}

fn penalty_at(chart: &Chart, step: usize) -> f64 {
    chart.penalties.iter().find(|(s, _)| *s == step).map_or(0.0, |p| p.1)
}

fn course(chart: &Chart, losses: &[f64], found: &mut Vec<Finding>) {
    let (start, end) = ends(losses);
    let window = (losses.len() / 10).max(1);
    let penalty = chart.penalties.last().map_or(0.0, |p| p.1);
    let lowest = losses.chunks(window).map(mean).fold(f64::INFINITY, f64::min);
    let start = start.min(losses[0]);
    if end > DIVERGES * start && end > DIVERGES * lowest && start > 0.0 {
        let measured = format!("from {start:.3e} at the start to {end:.3e}");
        found.push(Finding::new(Illness::LossDiverges, end / start, measured));
    } else if end > FALLEN * losses[0].max(start) {
        let measured = format!("from {:.4} to {end:.4} in {} steps", losses[0], losses.len());
        found.push(Finding::new(Illness::LossStalls, end / start, measured));
    } else if let Some(constant) = constant_answer(chart, losses[0])
        && let late = &losses[losses.len() / 2..]
        && end - penalty > FALLEN * constant
        && (start < NEAR * constant || is_flat(late, late.len() / 3))
    {
        let measured = format!("at {end:.4}, where a constant answer has {constant:.4}");
        found.push(Finding::new(Illness::LossStalls, end / constant, measured));
    }
    let worst = losses[..10].iter().copied().fold(0.0, f64::max);
    let spike = |i: usize| losses[i] > SPIKE.0 * mean(&losses[i - 10..i]) && losses[i] > SPIKE.1 * worst;
    let fallen = |i: usize| mean(&losses[i - 10..i]) < 0.7 * losses[0];
    if let Some(i) = (10..losses.len()).find(|i| spike(*i) && fallen(*i)) {
        let before = mean(&losses[i - 10..i]);
        let measured = format!("{:.3e} after a mean of {before:.3e} in ten steps", losses[i]);
        let step = chart.losses.iter().filter(|l| l.1.is_finite()).nth(i).map_or(i, |l| l.0);
        found.push(Finding::new(Illness::LossSpikes, losses[i] / before, measured).in_step(step));
    }
    oscillates(losses, found);
}

fn oscillates(losses: &[f64], found: &mut Vec<Finding>) {
    let late = &losses[losses.len() / 2..];
    let changes: Vec<f64> = late.windows(2).map(|w| w[1] - w[0]).collect();
    let turns = changes.windows(2).filter(|w| w[0] * w[1] < 0.0).count();
    let share = turns as f64 / changes.len().saturating_sub(1).max(1) as f64;
    let by_chance = 2.0 / 3.0 + TURNS.1 * (16.0 / 90.0 / changes.len() as f64).sqrt();
    let sizes: Vec<f64> = changes.iter().map(|c| c.abs()).collect();
    let amplitude = median(sizes) / mean(late);
    // A loss that is next to nothing wavers in its last digits.
    if share > TURNS.0.max(by_chance) && amplitude > AMPLITUDE && mean(late) > 0.05 * losses[0] {
        let measured = format!("by {:.0} % from step to step, and turns back each time", 100.0 * amplitude);
        found.push(Finding::new(Illness::LossOscillates, amplitude, measured));
    }
}
