//! The rules, one file for each family. A threshold is a constant with its reason.

mod data;
mod fit;
mod layers;
mod loss;

use super::Finding;
use super::chart::Chart;

/// Adds what the chart shows.
pub(super) fn judge(chart: &Chart, found: &mut Vec<Finding>) {
    data::judge(chart, found);
    layers::judge(chart, found);
    loss::judge(chart, found);
    fit::judge(chart, found);
}

/// The middle of some numbers; NaN counts as the greatest. 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
