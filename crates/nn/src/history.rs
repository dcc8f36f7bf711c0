//! `History`: what was measured in each epoch.

use std::io::Write;
use std::path::Path;

use chainrule_tensor::io::atomic_write;

use crate::data::csv::{COMMA, Records};
use crate::data::names::repeated;
use crate::{Error, Result};

/// Named series of numbers, each measured in some epochs: train loss, dev loss, dev accuracy, …
///
/// The last word of a name says what is measured; [`plot::learning_curves`](crate::plot::learning_curves)
/// draws series of one quantity together.
///
/// ```
/// use chainrule_nn::History;
///
/// let mut history = History::new();
/// history.record(1, "train loss", 0.71);
/// history.record(1, "dev loss", 0.74);
/// history.record(2, "train loss", 0.42);
/// assert_eq!(history.last("train loss"), Some((2, 0.42)));
/// assert_eq!(history.to_csv(), "epoch,train loss,dev loss\n1,0.71,0.74\n2,0.42,\n");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    series: Vec<Series>,
}

#[derive(Clone, Debug, PartialEq)]
struct Series {
    name: String,
    /// Ascending by epoch.
    points: Vec<(usize, f64)>,
}

impl History {
    /// No series yet.
    pub fn new() -> Self {
        History::default()
    }

    /// Notes that `name` was `value` in `epoch`. A second value for the same epoch replaces the first.
    pub fn record(&mut self, epoch: usize, name: &str, value: f64) {
        let at = self.series.iter().position(|s| s.name == name).unwrap_or_else(|| {
            self.series.push(Series { name: name.to_owned(), points: Vec::new() });
            self.series.len() - 1
        });
        self.series[at].record(epoch, value);
    }

    /// The names of the series in the order in which they were first recorded.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.series.iter().map(|s| s.name.as_str())
    }

    /// The (epoch, value) pairs of a series by ascending epoch; empty if there is no such series.
    pub fn series(&self, name: &str) -> &[(usize, f64)] {
        self.series.iter().find(|s| s.name == name).map_or(&[], |s| &s.points)
    }

    /// The latest (epoch, value) of a series.
    pub fn last(&self, name: &str) -> Option<(usize, f64)> {
        self.series(name).last().copied()
    }

    /// The (epoch, value) with the least value, the first of equals; NaN is never the least.
    pub fn lowest(&self, name: &str) -> Option<(usize, f64)> {
        let numbers = self.series(name).iter().copied().filter(|(_, value)| !value.is_nan());
        numbers.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The (epoch, value) with the greatest value, the first of equals; NaN is never the greatest.
    pub fn highest(&self, name: &str) -> Option<(usize, f64)> {
        let numbers = self.series(name).iter().copied().filter(|(_, value)| !value.is_nan());
        numbers.rev().max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// What was measured in `epoch`, series by series.
    pub fn at(&self, epoch: usize) -> impl Iterator<Item = (&str, f64)> {
        self.series.iter().filter_map(move |s| {
            let i = s.points.binary_search_by_key(&epoch, |(e, _)| *e).ok()?;
            Some((s.name.as_str(), s.points[i].1))
        })
    }

    /// The epochs in which anything was measured, ascending.
    pub fn epochs(&self) -> Vec<usize> {
        let mut epochs: Vec<usize> = self.series.iter().flat_map(|s| &s.points).map(|(e, _)| *e).collect();
        epochs.sort_unstable();
        epochs.dedup();
        epochs
    }

    /// A table with a row an epoch and a column a series, empty where nothing was measured.
    /// Numbers are written so that they read back as the same f64.
    pub fn to_csv(&self) -> String {
        let quoted = |name: &str| {
            if name.contains([',', '"', '\n', '\r']) || name.trim() != name {
                format!("\"{}\"", name.replace('"', "\"\""))
            } else {
                name.to_owned()
            }
        };
        let mut lines = vec![["epoch".to_owned()].into_iter().chain(self.names().map(quoted)).collect()];
        for epoch in self.epochs() {
            let value = |s: &Series| {
                let i = s.points.binary_search_by_key(&epoch, |(e, _)| *e);
                i.map_or(String::new(), |i| s.points[i].1.to_string())
            };
            lines.push([epoch.to_string()].into_iter().chain(self.series.iter().map(value)).collect());
        }
        lines.into_iter().map(|cells: Vec<String>| cells.join(",") + "\n").collect()
    }

    /// A JSON object a line and an epoch, such as `{"epoch":1,"train loss":0.71}`; NaN and infinities, which
    /// JSON lacks, are null.
    pub fn to_json_lines(&self) -> String {
        // Written pair by pair: serde_json's own map would sort the series by name.
        let json = |value: serde_json::Value| value.to_string();
        let line = |epoch: usize| {
            let pairs =
                self.at(epoch).map(|(name, value)| format!(",{}:{}", json(name.into()), json(value.into())));
            format!("{{\"epoch\":{epoch}{}}}\n", pairs.collect::<String>())
        };
        self.epochs().into_iter().map(line).collect()
    }

    /// Writes [`to_csv`](History::to_csv) to a file: the old file or the new one is there at any moment.
    ///
    /// # Errors
    /// An I/O error naming the path.
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        write_text(path.as_ref(), &self.to_csv())
    }

    /// Writes [`to_json_lines`](History::to_json_lines) to a file, as [`write_csv`](History::write_csv) does.
    ///
    /// # Errors
    /// An I/O error naming the path.
    pub fn write_json_lines(&self, path: impl AsRef<Path>) -> Result<()> {
        write_text(path.as_ref(), &self.to_json_lines())
    }

    /// Reads what [`to_csv`](History::to_csv) wrote, for a run that goes on; `name` names the text in errors.
    ///
    /// # Errors
    /// [`Error::Cell`] for a cell that is not a number, rows of unequal length, a quote that is not closed, or a series
    /// named twice.
    pub fn from_csv(text: &str, name: &str) -> Result<Self> {
        let cell = |line: u64, column: &str, why: String| Error::Cell {
            table: name.to_owned(),
            line,
            column: format!("{column:?}"),
            why,
        };
        let records = Records::read(text.as_bytes(), COMMA);
        let records = records.map_err(|f| cell(f.line, &f.column.to_string(), f.why))?;
        if records.len() == 0 {
            return Ok(History::new());
        }
        let names: Vec<String> = (1..records.width()).map(|c| records.cell(0, c).to_owned()).collect();
        if let Some([a, b]) = repeated(&names) {
            let why = format!("columns {} and {} (from 0) are both called {:?}", a + 1, b + 1, names[a]);
            return Err(cell(records.line(0), &names[a], why));
        }
        let named = |name: String| Series { name, points: Vec::new() };
        let mut history = History { series: names.into_iter().map(named).collect() };
        for row in 1..records.len() {
            let (line, epoch) = (records.line(row), records.cell(row, 0));
            let wrong = |_| cell(line, "epoch", format!("{epoch:?} is not the number of an epoch"));
            let epoch: usize = epoch.parse().map_err(wrong)?;
            for (series, column) in history.series.iter_mut().zip(1..) {
                let text = records.cell(row, column);
                if !text.is_empty() {
                    let wrong = |_| cell(line, &series.name, format!("{text:?} is not a number"));
                    let value = text.parse().map_err(wrong)?;
                    series.record(epoch, value);
                }
            }
        }
        Ok(history)
    }
}

impl Series {
    fn record(&mut self, epoch: usize, value: f64) {
        match self.points.binary_search_by_key(&epoch, |(e, _)| *e) {
            Ok(i) => self.points[i].1 = value,
            Err(i) => self.points.insert(i, (epoch, value)),
        }
    }
}

/// Writes text so that a crash leaves the previous file intact.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<()> {
    atomic_write(path, |file| file.write_all(text.as_bytes()).map_err(|e| Error::io(path, &e)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn histories() -> impl Strategy<Value = History> {
        let point = (0..3_usize, 0..20_usize, any::<f64>().prop_filter("a number", |x| !x.is_nan()));
        proptest::collection::vec(point, 0..40).prop_map(|points| {
            let mut history = History::new();
            for (series, epoch, value) in points {
                history.record(epoch, ["train loss", "a, \"b\"", " dev\nloss"][series], value);
            }
            history
        })
    }

    proptest! {
            #[test]
            fn csv_reads_back(history in histories()) {
                prop_assert_eq!(History::from_csv(&history.to_csv(), "h").unwrap(), history);
            }

            #[test]
            fn json_lines_are_json(history in histories()) {
                let lines = history.to_json_lines();
                prop_assert_eq!(lines.lines().count(), history.epochs().len());
                for (line, epoch) in lines.lines().zip(history.epochs()) {
                    let object: serde_json::Value = serde_json::from_str(line).unwrap();
                    prop_assert_eq!(object["epoch"].as_u64(), Some(epoch as u64));
                    for (name, value) in history.at(epoch) {
    // serde_json reads a float to within a unit in the last place.
                        let close = |read: f64| (read - value).abs() <= 4.0 * f64::EPSILON * value.abs() + f64::MIN_POSITIVE;
                        prop_assert_eq!(object[name].as_f64().is_some_and(close), value.is_finite());
                    }
                }
            }

            #[test]
            fn noise_never_panics(text in any::<String>()) {
                let _ = History::from_csv(&text, "noise");
            }
        }

    #[test]
    fn best_epochs_skip_nan() {
        let mut history = History::new();
        for (epoch, value) in [(1, f64::NAN), (2, 0.5), (3, 0.2), (4, 0.2), (5, 0.5)] {
            history.record(epoch, "dev loss", value);
        }
        assert_eq!(history.lowest("dev loss"), Some((3, 0.2)));
        assert_eq!(history.highest("dev loss"), Some((2, 0.5)));
        assert_eq!(history.lowest("absent"), None);
    }

    #[test]
    fn files_are_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History::new();
        history.record(1, "train loss", 0.5);
        history.write_csv(folder.path().join("h.csv")).unwrap();
        history.write_json_lines(folder.path().join("h.jsonl")).unwrap();
        let text = std::fs::read_to_string(folder.path().join("h.jsonl")).unwrap();
        assert_eq!(text, "{\"epoch\":1,\"train loss\":0.5}\n");
        let error = history.write_csv(folder.path().join("absent/h.csv")).unwrap_err().to_string();
        assert!(error.contains("h.csv"), "{error}");
    }
}
