//! Learning curves: a panel for each quantity a history holds.

use super::{LinePlot, Picture};
use crate::{Error, History, Result};

/// What was measured against the epochs, side by side in a panel for each quantity.
///
/// The quantity is the last word of a series' name, the rest says where it was measured: `train loss` and
/// `dev loss` share the panel `loss`, `dev accuracy` has another.
///
/// # Errors
/// [`Error::Empty`] if there is no finite number to show.
pub fn learning_curves(history: &History) -> Result<Picture> {
    side_by_side("learning_curves", panels(history))
}

/// A plot for each quantity.
pub(crate) fn panels(history: &History) -> Vec<LinePlot> {
    let mut panels: Vec<(&str, LinePlot)> = Vec::new();
    for name in history.names() {
        let points = history.series(name).iter().map(|(epoch, value)| (*epoch as f64, *value));
        let (place, quantity) = name.trim().rsplit_once(' ').unwrap_or((name, name));
        let at = panels.iter().position(|(q, _)| *q == quantity).unwrap_or_else(|| {
            panels.push((quantity, LinePlot::new("", "epoch", quantity)));
            panels.len() - 1
        });
        panels[at].1.add(place, points);
    }
    panels.into_iter().map(|(_, panel)| panel).collect()
}

/// Some plots in one picture. One of nothing but NaN has no axis; the others are still worth seeing.
pub(crate) fn side_by_side(op: &'static str, mut panels: Vec<LinePlot>) -> Result<Picture> {
    panels.retain(|panel| panel.check().is_ok());
    if panels.is_empty() {
        return Err(Error::Empty { op, what: "series" });
    }
    let (width, height) = (480, 360);
    Picture::draw(op, (width * panels.len() as i32, height), |canvas| {
        let areas = canvas.split_evenly((1, panels.len()));
        panels.iter().zip(&areas).try_for_each(|(panel, area)| panel.paint(area))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_quantity_has_a_panel() {
        let mut history = History::new();
        assert!(matches!(learning_curves(&history), Err(Error::Empty { .. })));
        history.record(1, "train loss", f64::NAN);
        assert!(learning_curves(&history).is_err());
        history.record(2, "dev loss", 0.5);
        history.record(2, "dev accuracy", 0.9);
        history.record(2, "seconds", 3.0);
        let picture = learning_curves(&history).unwrap();
        assert!(picture.svg().contains("width=\"1440\""));
        for text in ["loss", "accuracy", "seconds", "epoch"] {
            assert!(picture.svg().contains(&format!("\n{text}\n")), "{text}");
        }
    }
}
