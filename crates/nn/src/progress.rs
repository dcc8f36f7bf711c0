//! How a training run tells what it is doing. Nothing is printed unless the user passes a reporter.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::History;

/// What a training loop calls as it goes. [`Silent`], [`Lines`] and [`Bar`] implement it; write another one to
/// report elsewhere.
pub trait Progress {
    /// Training begins and will take this many epochs.
    fn begin(&mut self, _epochs: usize) {}

    /// `done` of the epoch's `of` batches are through.
    fn batch(&mut self, _done: usize, _of: usize) {}

    /// `epoch` (from 1) is through; what it measured stands in `history` (see [`History::at`]).
    fn epoch(&mut self, epoch: usize, history: &History);

    /// Training is over, possibly before its last epoch.
    fn finish(&mut self) {}
}

/// The reporter that suits where the program runs: a [`Bar`] on a terminal, else [`Lines`], at most one in two
/// seconds. Both write to standard error.
pub fn auto() -> Box<dyn Progress> {
    if std::io::stderr().is_terminal() {
        Box::new(Bar::new())
    } else {
        Box::new(Lines::to(std::io::stderr()).every(Duration::from_secs(2)))
    }
}

/// Reports nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn epoch(&mut self, _epoch: usize, _history: &History) {}
}

/// A plain line an epoch, for logs and pipes:
///
/// ```
/// use chainrule_nn::History;
/// use chainrule_nn::progress::{Lines, Progress};
///
/// let mut history = History::new();
/// history.record(3, "train loss", 0.30103);
/// let mut log = Vec::new();
/// let mut lines = Lines::to(&mut log);
/// lines.begin(10);
/// lines.epoch(3, &history);
/// assert_eq!(String::from_utf8_lossy(&log), "epoch  3/10  train loss 0.3010\n");
/// ```
///
/// A line that cannot be written is lost; training goes on.
#[derive(Debug)]
pub struct Lines<W> {
    writer: W,
    epochs: usize,
    interval: Duration,
    written: Option<Instant>,
}

impl<W: Write> Lines<W> {
    /// Lines written to `writer`.
    pub fn to(writer: W) -> Self {
        Lines { writer, epochs: 0, interval: Duration::ZERO, written: None }
    }

    /// At most one line in `interval`; the first epoch and the last are always reported.
    pub fn every(self, interval: Duration) -> Self {
        Lines { interval, ..self }
    }
}

impl<W: Write> Progress for Lines<W> {
    fn begin(&mut self, epochs: usize) {
        (self.epochs, self.written) = (epochs, None);
    }

    fn epoch(&mut self, epoch: usize, history: &History) {
        let due = self.written.is_none_or(|at| at.elapsed() >= self.interval);
        if due || epoch == self.epochs {
            self.written = Some(Instant::now());
            let line = format!("epoch {}  {}\n", of(epoch, self.epochs), measured(epoch, history));
            let _ = self.writer.write_all(line.as_bytes()).and_then(|()| self.writer.flush());
        }
    }
}

/// A bar on the terminal: epochs done, the numbers of the last one, the time that is left.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
    epochs: usize,
    done: usize,
}

/// The bar moves within an epoch, too; it counts in these parts of one.
const PARTS: u64 = 1000;

impl Bar {
    /// A bar on standard error; invisible where that is not a terminal.
    pub fn new() -> Self {
        Bar { bar: ProgressBar::hidden(), epochs: 0, done: 0 }
    }
}

impl Default for Bar {
    fn default() -> Self {
        Bar::new()
    }
}

impl Progress for Bar {
    fn begin(&mut self, epochs: usize) {
        (self.epochs, self.done) = (epochs, 0);
        self.bar = ProgressBar::new(epochs as u64 * PARTS);
        let style = ProgressStyle::with_template("epoch {prefix}  {bar:24}  {eta} left  {wide_msg}");
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        self.bar.set_prefix(of(0, epochs));
    }

    fn batch(&mut self, done: usize, of: usize) {
        let part = done as u64 * PARTS / (of as u64).max(1);
        self.bar.set_position(self.done as u64 * PARTS + part.min(PARTS));
    }

    fn epoch(&mut self, epoch: usize, history: &History) {
        self.done = epoch;
        self.bar.set_prefix(of(epoch, self.epochs));
        self.bar.set_message(measured(epoch, history));
        self.bar.set_position(epoch as u64 * PARTS);
    }

    fn finish(&mut self) {
        self.bar.abandon();
    }
}

/// ` 3/10`, the left number as wide as the right.
fn of(epoch: usize, epochs: usize) -> String {
    let total = epochs.to_string();
    format!("{epoch:>width$}/{total}", width = total.len())
}

fn measured(epoch: usize, history: &History) -> String {
    let number = |value: f64| match value.abs() {
        0.0 | 1e-3..1e5 => format!("{value:.4}"),
        _ if value.is_finite() => format!("{value:.3e}"),
        _ => value.to_string(),
    };
    let cells: Vec<String> =
        history.at(epoch).map(|(name, value)| format!("{name} {}", number(value))).collect();
    cells.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: Lines<&mut Vec<u8>>, epochs: usize) {
        fn run(progress: &mut dyn Progress, epochs: usize) {
            let mut history = History::new();
            progress.begin(epochs);
            for epoch in 1..=epochs {
                history.record(epoch, "train loss", 10_f64.powi(-(epoch as i32)));
                progress.batch(1, 1);
                progress.epoch(epoch, &history);
            }
            progress.finish();
        }
        let mut lines = lines;
        run(&mut lines, epochs);
        run(&mut Silent, epochs);
        run(&mut Bar::new(), epochs);
    }

    #[test]
    fn throttled_lines_keep_the_first_and_the_last() {
        let mut log = Vec::new();
        report(Lines::to(&mut log).every(Duration::from_secs(3600)), 4);
        let text = String::from_utf8(log).unwrap();
        assert_eq!(text, "epoch 1/4  train loss 0.1000\nepoch 4/4  train loss 1.000e-4\n");
    }

    #[test]
    fn every_epoch_has_a_line_otherwise() {
        let mut log = Vec::new();
        report(Lines::to(&mut log), 12);
        let text = String::from_utf8(log).unwrap();
        assert_eq!(text.lines().count(), 12);
        assert!(text.starts_with("epoch  1/12  "));
    }

    #[test]
    fn odd_numbers_are_readable() {
        let mut history = History::new();
        for (i, value) in [0.0, -2.5, 1e7, f64::NAN, f64::INFINITY].into_iter().enumerate() {
            history.record(1, &i.to_string(), value);
        }
        assert_eq!(measured(1, &history), "0 0.0000  1 -2.5000  2 1.000e7  3 NaN  4 inf");
    }
}
