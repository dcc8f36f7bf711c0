//! Rules about the loss, step by step.

use super::super::chart::Chart;
use super::super::{Finding, Illness};
use super::{mean, median};

/// What a cross-entropy may be at the start beyond ln K, as a share of it and in nats: He's outputs add about 1.
const START: (f64, f64) = (2.0, 2.0);
/// A loss at the end above this share of the start has not fallen (TheDeepChecker: 5 % per window).
const FALLEN: f64 = 0.98;
/// Steps below which nothing is said of a course.
const STEPS: usize = 40;
/// The loss at the end over its start and over its lowest (TheDeepChecker: twice the minimum).
const DIVERGES: f64 = 2.0;
/// A spike over the mean of the ten steps before (Lightning: 2; batches differ by more) and over the start.
const SPIKE: f64 = 5.0;
/// The share of changes that turn back: 2/3 for noise from independent batches.
const TURNS: f64 = 0.85;
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
    let (start, end) = ends(&losses);
    losses.len() < STEPS || end < FALLEN * start
}

pub(super) fn judge(chart: &Chart, found: &mut Vec<Finding>) {
    let Some((first_step, first)) = chart.losses.first().copied() else { return };
    if let Some((step, loss)) = chart.losses.iter().find(|(_, l)| !l.is_finite()) {
        let finding = Finding::new(Illness::NotFinite, *loss, format!("the loss is {loss}"));
        found.push(finding.in_step(*step));
    }
    if let Some(k) = chart.entropy_of
        && let chance = (k.max(2) as f64).ln()
        && let limit = START.0 * chance + START.1
        && first_step == 0
        && first - penalty_at(chart, 0) > limit
    {
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
    let lowest = losses.chunks(window).map(mean).fold(f64::INFINITY, f64::min);
    let start = start.min(losses[0]);
    if end > DIVERGES * start && end > DIVERGES * lowest && start > 0.0 {
        let measured = format!("from {start:.3e} at the start to {end:.3e}");
        found.push(Finding::new(Illness::LossDiverges, end / start, measured));
    } else if end > FALLEN * losses[0].max(start) {
        let measured = format!("from {:.4} to {end:.4} in {} steps", losses[0], losses.len());
        found.push(Finding::new(Illness::LossStalls, end / start, measured));
    }
    let spike = |i: usize| losses[i] > SPIKE * mean(&losses[i - 10..i]) && losses[i] > 1.5 * losses[0];
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
    let sizes: Vec<f64> = changes.iter().map(|c| c.abs()).collect();
    let amplitude = median(sizes) / mean(late);
    // A loss that is next to nothing wavers in its last digits.
    if changes.len() >= 20 && share > TURNS && amplitude > AMPLITUDE && mean(late) > 0.05 * losses[0] {
        let measured = format!("by {:.0} % from step to step, and turns back each time", 100.0 * amplitude);
        found.push(Finding::new(Illness::LossOscillates, amplitude, measured));
    }
}
