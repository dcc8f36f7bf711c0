//! `Axis`: where numbers lie on an axis, and how its ticks read.

use std::ops::Range;

/// Numbers beyond would overflow the arithmetic of an axis; they are left out like infinities.
const GREATEST: f64 = 1e300;
/// Numbers below have no place on a logarithmic axis, for the same reason.
const LEAST: f64 = 1e-300;
/// How many ticks an axis has at most.
const TICKS: usize = 10;

/// How numbers are laid along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// By their size.
    Linear,
    /// By their size, and all of them are whole: nothing in between is labelled.
    Whole,
    /// By their logarithm.
    Log,
}

impl Scale {
    /// Whether a number can be shown.
    pub(super) fn shows(self, value: f64) -> bool {
        value.abs() <= GREATEST && (self != Scale::Log || value >= LEAST)
    }
}

/// One axis of a plot.
///
/// plotters gets linear coordinates near 1 whatever the numbers are: it compares ticks by absolute amounts,
/// never ends where these are below the numbers' resolution, and its logarithmic axis does not end
/// where a ratio overflows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    /// What 1 in the coordinates stands for (on a linear axis).
    unit: f64,
}

impl Axis {
    /// An axis that holds all `values`, which its scale shows, with a `margin` around them as a fraction
    /// of their range.
    pub(super) fn around(values: impl Iterator<Item = f64>, scale: Scale, margin: f64) -> Self {
        let (least, greatest) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        if scale == Scale::Log {
            // At least one decade, so that two ticks have labels.
            let (low, high) = (least.log10().floor(), greatest.log10().ceil());
            return Axis { scale, low, high: high.max(low + 1.0), unit: 1.0 };
        }
        let size = least.abs().max(greatest.abs());
        let half = if greatest - least >= (1e-7 * size).max(1e-280) {
            margin * (greatest - least)
        } else if scale == Scale::Whole {
            0.5_f64.max(1e-7 * size)
        } else if size < 1e-270 {
            1.0
        } else {
            0.1 * size
        };
        let (low, high) = (least - half, greatest + half);
        let size = low.abs().max(high.abs());
        let unit = if (1e-3..1e9).contains(&size) { 1.0 } else { 10_f64.powf(size.log10().floor()) };
        Axis { scale, low: low / unit, high: high / unit, unit }
    }

    /// The coordinate of a number.
    pub(super) fn place(&self, value: f64) -> f64 {
        if self.scale == Scale::Log { value.log10() } else { value / self.unit }
    }

    /// The coordinates of both ends.
    pub(super) fn range(&self) -> Range<f64> {
        self.low..self.high
    }

    /// How many ticks there may be.
    pub(super) fn ticks(&self) -> usize {
        match self.scale {
            Scale::Linear => TICKS,
            Scale::Whole | Scale::Log => TICKS.min(((self.high - self.low) * self.unit + 1.0) as usize),
        }
    }

    /// What is written at a coordinate.
    pub(super) fn label(&self, place: f64) -> String {
        let whole = (place * self.unit).fract() == 0.0;
        match self.scale {
            Scale::Log if place.fract() != 0.0 => String::new(),
            Scale::Log => power(place as i32),
            Scale::Whole if !whole && self.unit == 1.0 => String::new(),
            _ => tick(place * self.unit, (self.high - self.low) * self.unit),
        }
    }
}

/// A tick's label with as many digits as the ticks of an axis of length `range` need to differ.
fn tick(value: f64, range: f64) -> String {
    if value.abs() < 1e-9 * range {
        return "0".to_owned();
    }
    let finest = range.log10().floor() - 1.0;
    let largest = value.abs().max(range).log10().floor();
    if largest >= 6.0 || finest < -5.0 {
        let digits = (value.abs().log10().floor() - finest).clamp(0.0, 9.0) as usize;
        return format!("{value:.digits$e}");
    }
    let decimals = (-finest).max(0.0) as usize;
    let text = format!("{value:.decimals$}");
    if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// 10 to the `exponent`.
fn power(exponent: i32) -> String {
    match exponent {
        0..=4 => 10_i32.pow(exponent as u32).to_string(),
        -3..0 => format!("{:.*}", -exponent as usize, 10_f64.powi(exponent)),
        _ => format!("1e{exponent}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_number_shown_has_a_place_within(
            values in proptest::collection::vec(any::<f64>(), 1..10),
            scale in prop_oneof![Just(Scale::Linear), Just(Scale::Whole), Just(Scale::Log)],
        ) {
            let shown = || values.iter().copied().filter(|v| scale.shows(*v));
            prop_assume!(shown().count() > 0);
            let axis = Axis::around(shown(), scale, 0.05);
            let range = axis.range();
            prop_assert!(range.start.is_finite() && range.end.is_finite() && range.start < range.end);
            prop_assert!(shown().all(|v| range.contains(&axis.place(v)) || axis.place(v) == range.end));
        }
    }

    #[test]
    fn ticks_show_what_differs() {
        let cases = [
            (0.25, 0.9, "0.25"),
            (0.2, 1.0, "0.2"),
            (-0.0, 1.0, "0"),
            (40.0, 100.0, "40"),
            (2e7, 1e8, "2e7"),
            (2e7, 3e7, "2.0e7"),
            (10_000_002.0, 5.0, "1.00000020e7"),
            (3e-8, 1e-7, "3e-8"),
        ];
        for (value, range, text) in cases {
            assert_eq!(tick(value, range), text, "{value} on an axis of length {range}");
        }
    }

    #[test]
    fn decades_are_labelled() {
        let texts = [-6, -3, -1, 0, 2, 4, 5].map(power);
        assert_eq!(texts, ["1e-6", "0.001", "0.1", "1", "100", "10000", "1e5"]);
    }
}
