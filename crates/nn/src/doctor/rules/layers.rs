//! Rules about parameters, gradients, updates and activations, layer by layer.

use super::super::chart::{Chart, Role};
use super::super::vitals::Vitals;
use super::super::{Finding, Illness};
use super::median;

/// A rule must hold in that many readings one after the other.
const READINGS: usize = 3;
/// The share of silent units of a layer (SageMaker: 0.5; a healthy layer of few units has some).
const DEAD: f64 = 0.6;
/// The share of saturated outputs of a layer (SageMaker, DeepDiagnosis, TheDeepChecker: 0.5; a healthy layer of few units that
/// reads raw measures comes to that).
const SATURATED: f64 = 0.66;
/// First gradient over the largest, in root mean squares (AutoTrainer: 1e-3).
const VANISHING: f64 = 1e-3;
/// A gradient this much larger than the smallest of the other weights, and larger than the weights themselves.
const EXPLODING: f64 = 1e3;
/// Update over weight that is too much (TheDeepChecker: 0.1; Adam in small networks starts there and is well).
const FAST: f64 = 0.5;
/// The same in the first readings, their mean.
const FAST_START: f64 = 1.0;
/// Update over weight that is too little (TheDeepChecker: 1e-4; the aim is 1e-3).
const SLOW: f64 = 1e-5;
/// Standard deviations of layers before their activation may differ by this factor (SageMaker: 10, in variance).
const SPREAD: f64 = 30.0;

type Series<'a> = (&'a str, &'a [(usize, Vitals)]);

pub(super) fn judge(chart: &Chart, found: &mut Vec<Finding>) {
    for ((role, name), readings) in &chart.readings {
        if let Some((step, v)) = readings.iter().find(|(_, v)| v.not_finite > 0.0) {
            let role = format!("{role:?}").to_lowercase();
            let measured = format!("{:.2} % of the {role} `{name}`", 100.0 * v.not_finite);
            let finding = Finding::new(Illness::NotFinite, v.not_finite, measured).of(name);
            found.push(finding.at(chart.line(name)).in_step(*step));
            break;
        }
    }
    lasting(chart, Role::Relu, Illness::DeadRelu, DEAD, |v| v.silent, "units are 0 for all examples", found);
    let bound = "outputs are at a bound of the activation";
    lasting(chart, Role::Activation, Illness::Saturated, SATURATED, |v| v.saturated, bound, found);
    gradients(chart, found);
    symmetric(chart, found);
    updates(chart, found);
    scale(chart, found);
}

/// An alarm for each layer whose `share` is above `limit` up to the end, through some readings: what heals by itself is none.
fn lasting(
    chart: &Chart,
    role: Role,
    illness: Illness,
    limit: f64,
    share: fn(&Vitals) -> f64,
    what: &str,
    found: &mut Vec<Finding>,
) {
    for (name, readings) in chart.of(role) {
        let held = readings.iter().rev().take_while(|(_, v)| share(v) > limit).count();
        if held >= READINGS {
            let window = &readings[readings.len() - held..];
            let value = window.iter().map(|(_, v)| share(v)).fold(1.0, f64::min);
            let measured = format!("{:.0} % of the {what} in `{name}`", 100.0 * value);
            let finding = Finding::new(illness, value, measured).of(name);
            found.push(finding.at(chart.line(name)).in_step(window[0].0));
        }
    }
}

fn weights<'a>(chart: &'a Chart, role: Role) -> Vec<Series<'a>> {
    chart.of(role).into_iter().filter(|(name, _)| chart.is_weight(name)).collect()
}

fn gradients(chart: &Chart, found: &mut Vec<Finding>) {
    let all = weights(chart, Role::Gradient);
    let (Some(first), true) = (all.first(), all.len() >= 3) else { return };
    let size = |readings: &[(usize, Vitals)], i: usize| readings.get(i).map_or(0.0, |r| r.1.rms);
    let n = all.iter().map(|(_, r)| r.len()).min().unwrap_or(0).min(5);
    if n < READINGS {
        return;
    }
    let most = |i: usize| all.iter().map(|(_, r)| size(r, i)).fold(0.0, f64::max);
    let ratios: Vec<f64> = (0..n).map(|i| size(first.1, i) / most(i)).filter(|r| r.is_finite()).collect();
    let ratio = median(ratios.clone());
    if !ratios.is_empty() && ratio < VANISHING {
        let measured = format!("the gradient of `{}` is {ratio:.1e} of the largest", first.0);
        let finding = Finding::new(Illness::VanishingGradient, ratio, measured).of(first.0);
        found.push(finding.at(chart.line(first.0)).in_step(first.1[0].0));
    }
    let whole = |role: Role, i: usize| -> f64 {
        weights(chart, role).iter().map(|(_, r)| size(r, i).powi(2)).sum::<f64>().sqrt()
    };
    let against = median((0..n).map(|i| whole(Role::Gradient, i) / whole(Role::Parameter, i)).collect());
    let grows = median(ratios);
    if against > EXPLODING || (grows > EXPLODING && against > 1.0) {
        let measured = format!("the gradient is {against:.1e} times the weights");
        let finding = Finding::new(Illness::ExplodingGradient, against, measured).of(first.0);
        found.push(finding.at(chart.line(first.0)).in_step(first.1[0].0));
    }
}

fn symmetric(chart: &Chart, found: &mut Vec<Finding>) {
    for (name, weight) in weights(chart, Role::Parameter) {
        let Some(gradient) = chart.readings.get(&(Role::Gradient, name.into())) else { continue };
        let equal = |v: &Vitals| v.apart <= 1e-5 * v.largest;
        if weight.len() >= READINGS
            && weight.iter().all(|(_, v)| equal(v))
            && gradient.iter().all(|(_, v)| equal(v))
        {
            let measured = format!("{name}: all its units have the same weights and the same gradient");
            let finding = Finding::new(Illness::Symmetric, 0.0, measured).of(name);
            found.push(finding.at(chart.line(name)).in_step(weight[0].0));
        }
    }
}

fn updates(chart: &Chart, found: &mut Vec<Finding>) {
    let (mut ratios, mut early) = (Vec::new(), Vec::new());
    let (mut fastest, mut most, mut shown) = ("", 0.0, 0.0);
    let sizes = weights(chart, Role::Parameter);
    let largest = sizes.iter().filter_map(|(_, r)| r.first()).map(|(_, v)| v.rms).fold(0.0, f64::max);
    for (name, updates) in chart.of(Role::Update) {
        let Some(weight) = chart.readings.get(&(Role::Parameter, name.into())) else { continue };
        let still = updates.len() > READINGS && updates.iter().all(|(_, v)| v.largest == 0.0);
        if still && !chart.frozen.contains(name) {
            let measured = format!("`{name}` is the same in all {} readings", updates.len());
            let finding = Finding::new(Illness::NeverMoves, 0.0, measured).of(name);
            found.push(finding.at(chart.line(name)).in_step(updates[0].0));
        }
        if !chart.is_weight(name) || chart.frozen.contains(name) {
            continue;
        }
        // A weight that starts next to 0 is to become as large as the others.
        let ratio = |(update, weight): (&(usize, Vitals), &(usize, Vitals))| {
            (weight.1.rms > 0.0).then_some(update.1.rms / weight.1.rms.max(0.5 * largest))
        };
        let own: Vec<f64> = updates.iter().zip(weight).filter_map(ratio).collect();
        early.extend(own.iter().take(READINGS));
        let middle = median(own.iter().copied().filter(|r| r.is_finite()).collect());
        let first = if weight[0].1.rms > 0.0 {
            own.iter().take(READINGS).sum::<f64>() / READINGS as f64
        } else {
            0.0
        };
        let speed = (middle / FAST).max(first / FAST_START);
        if own.len() >= READINGS && speed > most {
            (fastest, most, shown) = (name, speed, middle.max(first));
        }
        ratios.push(middle);
    }
    if most > 1.0 {
        let measured = format!("a step changes `{fastest}` by {shown:.2} of its size");
        let finding = Finding::new(Illness::RateTooHigh, shown, measured).of(fastest);
        found.push(finding.at(chart.line(fastest)));
    }
    let slow = early.iter().copied().fold(0.0, f64::max);
    if early.len() >= READINGS && slow > 0.0 && slow < SLOW && !super::loss::fell(chart) {
        let measured = format!("a step changes no weight by more than {slow:.1e} of its size");
        found.push(Finding::new(Illness::RateTooLow, slow, measured));
    }
}

/// The standard deviation before activations, from the first layer to the last hidden one, at the start.
fn scale(chart: &Chart, found: &mut Vec<Finding>) {
    let layers = chart.of(Role::Linear);
    let starts: Vec<(&str, f64)> =
        layers.iter().filter_map(|(name, r)| r.first().map(|(_, v)| (*name, v.rms))).collect();
    let Some(((first, from), rest)) = starts.split_first() else { return };
    if rest.len() < 2 {
        return;
    }
    let Some((name, ratio)) = rest
        .iter()
        .map(|(name, to)| (*name, to / from))
        .filter(|(_, ratio)| *ratio > 0.0) // exactly 0 is a start at 0, or dead units
        .max_by(|a, b| a.1.ln().abs().total_cmp(&b.1.ln().abs()))
    else {
        return;
    };
    if !(1.0 / SPREAD..=SPREAD).contains(&ratio) {
        let measured = format!("at the start `{name}` is {ratio:.1e} times as large as `{first}`");
        found
            .push(Finding::new(Illness::PoorScale, ratio, measured).of(name).at(chart.line(name)).in_step(0));
    }
}
